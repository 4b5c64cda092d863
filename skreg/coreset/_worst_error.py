"""The largest error of a coreset among models that all rows and the coreset propose."""

from typing import Literal

import numpy as np
from sklearn.utils import check_array

from skreg.rows import checked_weights


def require_squares_in_range(X):
    """Raise if sums of squared distances between finite rows are beyond the largest float."""
    values = X.data if hasattr(X, "tocsr") else X
    span = float(np.max(values, initial=0.0)) / 2 - float(np.min(values, initial=0.0)) / 2
    if span > np.sqrt(np.finfo(X.dtype).max / X.shape[0] / X.shape[1]) / 4:
        raise ValueError("X has values whose squares overflow; rescale X")


def rows_and_coreset(
    X, X_kept, weight, sample_weight, least, name, *, accept_sparse: Literal["csr", False] = False
):
    """Pairs of rows and weights: of all rows, and of a coreset with `least` rows at least.

    `name` is that of the parameter that asks for so many. Rows without weight are left out.
    """
    X = check_array(X, accept_sparse=accept_sparse, dtype=[np.float64, np.float32])
    X_kept = check_array(X_kept, accept_sparse=accept_sparse, dtype=X.dtype, input_name="X_kept")
    if X.shape[1] != X_kept.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} columns, but X_kept has {X_kept.shape[1]}: both must have the same"
        )
    for rows in (X, X_kept):
        require_squares_in_range(rows)
    everything = with_weight(X, checked_weights(sample_weight, X))
    subset = with_weight(X_kept, checked_weights(weight, X_kept))
    if subset[0].shape[0] < least:
        raise ValueError(
            f"{name}={least} is more than the {subset[0].shape[0]} rows of the coreset that have "
            "a weight"
        )
    return everything, subset


def with_weight(X, weight):
    """Rows of positive weight, and their weights."""
    return (X, weight) if weight.all() else (X[weight > 0.0], weight[weight > 0.0])


def largest_error(pairs, n_probes, proposed, cost, unit):
    """Largest |cost on the coreset - cost on all rows| / unit(cost on all rows), from below.

    `pairs` are those of `rows_and_coreset`. From each of the two ``proposed(rows)`` makes models,
    `n_probes` times, and ``cost(rows, model)`` is compared.
    """
    everything, subset = pairs
    worst = 0.0
    for _ in range(n_probes):
        for rows in pairs:
            for model in proposed(rows):
                whole = cost(everything, model)
                worst = max(worst, abs(cost(subset, model) - whole) / unit(whole))
    return float(worst)
