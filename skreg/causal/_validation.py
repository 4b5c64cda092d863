"""What is asked of rows, weights and columns before a graph is learned."""

import numpy as np
from sklearn.utils.validation import validate_data

from skreg.graphs import as_square
from skreg.rows import checked_weights

ROUNDING = 1e-10  # of a covariance that was read from a file, in correlations


def validate_rows(estimator, X, sample_weight, *, allow_nan=False):
    """Rows as float64 and their weights; sets the estimator's feature names.

    Raises
    ------
    ValueError
        If X has NaN that is not allowed, with what the estimator offers instead.
    """
    X = validate_data(
        estimator,
        X,
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2,
        ensure_min_features=2,
    )
    if not allow_nan and np.isnan(X).any():
        offered = getattr(estimator, "missing", None) == "raise"
        remedy = "fit with missing='em', by maximum likelihood, or " if offered else ""
        raise ValueError(f"Input X contains NaN: {remedy}leave out rows or columns with gaps")
    sample_weight = checked_weights(sample_weight, X)
    if np.count_nonzero(sample_weight) < 2:
        raise ValueError("sample_weight must be positive for at least 2 samples")
    return X, sample_weight


def checked_covariance(covariance):
    """Symmetric positive semidefinite matrix (d, d) of at least two columns, as float64."""
    C = as_square("covariance", covariance)
    if len(C) < 2:
        raise ValueError(f"covariance has shape {C.shape}; a graph needs at least 2 columns")
    scale = np.sqrt(np.maximum(np.diagonal(C), 0.0))
    asymmetry = np.abs(C - C.T)
    if np.any(asymmetry > ROUNDING * np.outer(scale, scale)):
        raise ValueError(f"covariance is not symmetric: |C - C^T| is up to {asymmetry.max():.2g}")
    C = (C + C.T) / 2
    unit = np.where(scale > 0, scale, 1.0)
    smallest = float(np.linalg.eigvalsh(C / unit / unit[:, None])[0])
    if smallest < -ROUNDING * len(C):
        raise ValueError(
            "covariance is not positive semidefinite: the smallest eigenvalue of its correlations "
            f"is {smallest:.2g}, as where pairs of columns come from different rows"
        )
    return C


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
