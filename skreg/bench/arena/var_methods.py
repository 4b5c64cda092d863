"""Contestants on structural autoregressions: a function of the rows and the order for each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoLarsIC

from skreg.causal import CoLiDE, StructuralVAR

THRESHOLD_LAGGED = 0.1


class Graphs(NamedTuple):
    """Instantaneous weights (d, d) and lagged ones (order, d, d)."""

    adjacency: np.ndarray
    lagged: np.ndarray


@contextmanager
def known_warnings() -> Iterator[None]:
    """Silence what few rows bring: caps, and series that look like random walks or growth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*cannot be told from a random walk", UserWarning)
        warnings.filterwarnings("ignore", "the fitted autoregression is not stable", UserWarning)
        yield


def joint(noise: Any, **parameters: Any) -> Callable[[np.ndarray, int], Graphs]:
    """Both kinds of weights in one problem, at the defaults unless parameters are given."""
    parameters = {"mode": "fast", "threshold_lagged": THRESHOLD_LAGGED, **parameters}

    def fit(X: np.ndarray, order: int) -> Graphs:
        with known_warnings():
            model = StructuralVAR(order, noise=noise, **parameters).fit(X)
        return Graphs(model.adjacency_matrix_, model.lagged_adjacency_)

    return fit


def two_steps(noise: Any) -> Callable[[np.ndarray, int], Graphs]:
    """An autoregression by least squares, CoLiDE on its residuals, and lags by what follows."""

    def fit(X: np.ndarray, order: int) -> Graphs:
        B, residuals = autoregression(X, order)
        with known_warnings():
            W = CoLiDE(noise, mode="fast").fit(residuals).adjacency_matrix_
        return Graphs(W, above_threshold(B @ (np.eye(len(W)) - W)))

    return fit


def two_steps_pruned(noise: Any) -> Callable[[np.ndarray, int], Graphs]:
    """As `two_steps`, then lasso regressions on the lags by the Bayesian information criterion.

    They explain what is left of each variable after its instantaneous causes.
    """
    first = two_steps(noise)

    def fit(X: np.ndarray, order: int) -> Graphs:
        W, lagged = first(X, order)
        lags = np.hstack(lags_of(X, order))
        left = X[order:] - X[order:] @ W
        columns = [LassoLarsIC("bic").fit(lags, y).coef_ for y in left.T]
        return Graphs(W, above_threshold(np.column_stack(columns).reshape(lagged.shape)))

    return fit


def no_instantaneous_edges(X: np.ndarray, order: int) -> Graphs:
    """An autoregression by least squares alone."""
    B, _ = autoregression(X, order)
    return Graphs(np.zeros(B.shape[1:]), above_threshold(B))


def autoregression(X: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (order, d, d) by least squares with a constant, and residuals."""
    d = X.shape[1]
    design = np.hstack([np.ones((len(X) - order, 1)), *lags_of(X, order)])
    coefficients = np.linalg.lstsq(design, X[order:], rcond=None)[0]
    return coefficients[1:].reshape(order, d, d), X[order:] - design @ coefficients


def lags_of(X: np.ndarray, order: int) -> list[np.ndarray]:
    """Rows at t - 1, .., t - order for all t that have these."""
    return [X[order - lag : len(X) - lag] for lag in range(1, order + 1)]


def above_threshold(A: np.ndarray) -> np.ndarray:
    return np.where(np.abs(A) > THRESHOLD_LAGGED, A, 0.0)
