"""Fits to bootstrap samples, given as counts of rows and as moments."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skreg._estimator import Estimator
from skreg._summary import summary
from skreg.moments import Moments

FAILURES = (ValueError, ArithmeticError, RuntimeError)


class Fit(NamedTuple):
    """Edges of one fit, as places in the flat matrix, and how it went."""

    edges: np.ndarray
    magnitude: np.ndarray
    converged: bool = True
    on_floor: bool = False
    error: Exception | None = None

    def __repr__(self) -> str:
        return summary(self)


def draw_counts(
    n: int, n_bootstraps: int, random_state: Any, weights: np.ndarray | None = None
) -> np.ndarray:
    """How often each of n rows is in each bootstrap sample, (n_bootstraps, n).

    Weights (n,) are numbers of copies, from all of which as many are drawn as there are.
    """
    copies = np.ones(n) if weights is None else weights
    n_drawn = round(copies.sum())
    rng, share = check_random_state(random_state), copies / copies.sum()
    counts = np.empty((n_bootstraps, n), dtype=np.min_scalar_type(n_drawn))
    for k in range(n_bootstraps):
        counts[k] = rng.multinomial(n_drawn, share)
    return counts


def with_alpha(estimator: Any, alpha: float) -> Any:
    """Copy of the estimator at a strength of its penalty; nan leaves its own."""
    model = clone(estimator)
    if not np.isnan(alpha):
        model.set_params(alpha=float(alpha))
    if isinstance(model, Estimator):
        model._validate_params()
    return model


def fit_sample(
    model: Any, X: np.ndarray, counts: np.ndarray, sample: Moments, names: Sequence[str]
) -> Fit:
    """Fit a copy of the model to a sample, given as counts of rows and as `Moments`."""
    model, nodes = clone(model), np.flatnonzero(~sample.constant)
    W = np.zeros(sample.covariance.shape)
    if len(nodes) >= 2:
        try:
            if hasattr(model, "_fit_moments"):
                model._fit_moments(sample, names)
                W = model.adjacency_matrix_
            else:
                _fit_rows(model, X[:, nodes], counts)
                W[np.ix_(nodes, nodes)] = model.adjacency_matrix_
        except FAILURES as error:
            nothing = np.empty(0, dtype=int)
            return Fit(nothing, nothing.astype(float), error=error)
    edges = np.flatnonzero(W)
    return Fit(
        edges,
        np.abs(W.ravel()[edges]),
        bool(getattr(model, "converged_", True)),
        bool(np.any(getattr(model, "on_floor_", False))),
    )


def _fit_rows(model, X, counts):
    if has_fit_parameter(model, "sample_weight"):
        model.fit(X, sample_weight=counts.astype(np.float64))
    else:
        model.fit(np.repeat(X, counts, axis=0))
