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


def complete_rows(estimator, X, by, **checks):
    """Rows as float64 for a fitted estimator; raises a ValueError that tells of missing values."""
    X = validate_data(
        estimator, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan", **checks
    )
    refuse_missing(X, f"{by} takes complete rows; leave the others out")
    return X


def refuse_missing(X, remedy):
    """Raise a ValueError if values of the rows X (n, d) are missing."""
    gaps = np.flatnonzero(np.isnan(X).any(axis=1))
    if len(gaps):
        raise ValueError(
            f"Input X contains NaN in {len(gaps)} of {len(X)} rows, first in row {gaps[0]}: "
            f"{remedy}"
        )


def check_number_of_rows(n, by):
    """Raise a ValueError if weights do not add up to a number of rows."""
    if n < 2:
        raise ValueError(
            f"the weights of all rows add up to {n:.3g}, less than 2, but {by} counts rows: a "
            "weight is a number of copies. Multiply sample_weight so that it adds up to the number "
            "of rows"
        )


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
    check_overflow(data, names)
    if data.constant.any():
        raise ValueError(
            f"column {names[int(np.argmax(data.constant))]!r} is constant; a node without "
            "variation has no place in the graph"
        )
    tiny = np.diagonal(data.covariance) < np.finfo(float).tiny
    if tiny.any():
        column = names[int(np.argmax(tiny))]
        raise ValueError(f"the variance of column {column!r} underflows; rescale it")


def check_overflow(data, names):
    """Raise a ValueError that names a column whose variance is no number."""
    if not np.all(np.isfinite(data.covariance)):
        column = names[int(np.argmin(np.isfinite(np.diagonal(data.covariance))))]
        raise ValueError(f"the variance of column {column!r} overflows; rescale it")
