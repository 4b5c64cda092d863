"""Weights of rows."""

from numbers import Real
from typing import Any

import numpy as np

from skreg._sklearn import _check_sample_weight


def checked_weights(sample_weight: Any, X: Any, *, all_zero: bool = False) -> np.ndarray:
    """Weights of the rows as float64, ones for None.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), number or None
        Weights.
    X : {array, sparse matrix} of shape (n, n_features)
        The rows.
    all_zero : bool, default=False
        Whether all weights may be zero, as those of one block of many may.

    Returns
    -------
    ndarray of shape (n,)
        The weights.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or their sum overflows.
    """
    if isinstance(sample_weight, Real):
        sample_weight = np.full(X.shape[0], sample_weight)  # scikit-learn looks at arrays only
    if all_zero and X.shape[0] == 0 and (sample_weight is None or len(sample_weight) == 0):
        return np.empty(0)  # scikit-learn looks for the smallest weight, and there is none
    weight = _check_sample_weight(
        sample_weight,
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=all_zero,
    )
    with np.errstate(over="ignore"):
        if not np.isfinite(weight.sum()):
            raise ValueError(
                f"the sum of sample_weight overflows, the largest is {weight.max():.3g}; "
                "divide all of them by it"
            )
    return weight
