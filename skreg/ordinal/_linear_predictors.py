"""Linear predictors of the boundaries: from coefficients, and from offsets that are known."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot

from skreg._warnings import warn
from skreg.ordinal._likelihood import boundaries_cross

LARGEST_PREDICTOR = 1e300


def linear_predictors(X, coef, intercept, offset=None):
    """intercept_k + x^T coef_k + offset for all boundaries, finite for any finite X.

    Rows so large that a product overflows are divided by their largest entry first.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        eta = safe_sparse_dot(X, coef.T, dense_output=True) + intercept
        overflowed = np.flatnonzero(~np.isfinite(eta).all(axis=1))
        if len(overflowed):
            rows = X[overflowed].astype(np.float64)
            rows = rows.toarray() if sparse.issparse(rows) else rows
            size = np.abs(rows).max(axis=1, keepdims=True)
            eta = eta.astype(np.float64)
            eta[overflowed] = ((rows / size) @ coef.T) * size + intercept
    eta = eta.astype(np.float64)
    if offset is not None:
        eta += offset[:, None]
    return np.clip(eta, -LARGEST_PREDICTOR, LARGEST_PREDICTOR)


def crossing_rate(X, coef, intercept, sample_weight):
    """Weighted share of rows whose boundaries cross."""
    crossed = boundaries_cross(linear_predictors(X, coef, intercept))
    return float(np.average(crossed, weights=sample_weight))


def check_offset(offset, n_samples):
    """Float array of shape (n_samples,), or None if there is no offset."""
    if offset is None:
        return None
    offset = check_array(
        offset, ensure_2d=False, ensure_min_samples=0, dtype=np.float64, input_name="offset"
    )
    if offset.shape != (n_samples,):
        raise ValueError(
            f"offset has shape {offset.shape}; it must have one number for each of the {n_samples} "
            "rows of X"
        )
    return offset


def warn_if_left_out(model, offset):
    """Say that rows without an offset are given that of 0 by a fit that had one."""
    if offset is None and model._has_offset:
        warn(
            f"{type(model).__name__} was fitted with an offset, but is asked about rows without "
            "one: it is taken for 0. Give the offset of these rows, or zeros, to say so"
        )
