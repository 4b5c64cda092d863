"""What is asked of rows, weights and columns before a graph is learned."""

import numpy as np
from sklearn.utils.validation import validate_data

from skreg.rows import checked_weights


def validate_rows(estimator, X, sample_weight):
    """Rows as float64 and their weights; sets the estimator's feature names."""
    X = validate_data(estimator, X, dtype=np.float64, ensure_min_samples=2, ensure_min_features=2)
    sample_weight = checked_weights(sample_weight, X)
    if np.count_nonzero(sample_weight) < 2:
        raise ValueError("sample_weight must be positive for at least 2 samples")
    return X, sample_weight


def check_columns(data, names):
    """Raise a ValueError that names a constant column, or one whose variance is no number."""
    variance = np.diagonal(data.covariance)
    if not np.all(np.isfinite(data.covariance)):
        column = names[int(np.argmin(np.isfinite(variance)))]
        raise ValueError(f"the variance of column {column!r} overflows; rescale it")
    if data.constant.any():
        raise ValueError(
            f"column {names[int(np.argmax(data.constant))]!r} is constant; a node without "
            "variation has no place in the graph"
        )
    tiny = variance < np.finfo(float).tiny
    if tiny.any():
        column = names[int(np.argmax(tiny))]
        raise ValueError(f"the variance of column {column!r} underflows; rescale it")
