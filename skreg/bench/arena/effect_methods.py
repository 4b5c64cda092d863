"""Contestants on total effects: a function of the rows and the true weights for each.

It returns weights (d, d) of an acyclic graph. Only the oracle looks at the true ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._optional import require
from skreg.causal import CoLiDE, SortNRegress

SMALLEST_EIGENVALUE = 1e-6
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


@contextmanager
def known_warnings() -> Iterator[None]:
    """Silence what few rows bring: caps, nodes without noise, choices at an edge, collinearity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for start in ("the noise level of", "CoLiDE chose alpha", "the parents of"):
            warnings.filterwarnings("ignore", start, UserWarning)
        yield


def model(alpha: Any = 0.05, **parameters: Any) -> CoLiDE:
    """CoLiDE with one noise level and its defaults, in the fast mode."""
    return CoLiDE("ev", alpha, mode="fast", **{"refit": True, **parameters})


def learned(alpha: Any = 0.05, **parameters: Any) -> Method:
    def weights(X: np.ndarray, _truth: np.ndarray) -> np.ndarray:
        with known_warnings():
            return model(alpha, **parameters).fit(X).adjacency_matrix_

    return weights


def sorted_and_regressed(X: np.ndarray, _truth: np.ndarray) -> np.ndarray:
    with known_warnings():
        return SortNRegress().fit(X).adjacency_matrix_


def in_the_true_graph(X: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Least squares of every node on its true parents."""
    X = X - X.mean(axis=0)
    W = np.zeros_like(truth)
    for j, parents in enumerate(truth.T != 0):
        W[parents, j] = np.linalg.lstsq(X[:, parents], X[:, j], rcond=None)[0]
    return W


def from_complete_rows(X: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return learned()(X[~np.isnan(X).any(axis=1)], truth)


def from_pairs(X: np.ndarray, _truth: np.ndarray) -> np.ndarray:
    """Covariances of pairs from the rows that have both, made positive definite.

    Negative eigenvalues of the correlations are raised to a small number.
    """
    pandas = require("pandas", "bench", "causal-effects")
    C = pandas.DataFrame(X).cov(ddof=0).to_numpy()
    unit = np.sqrt(np.diagonal(C))
    values, vectors = np.linalg.eigh(C / unit / unit[:, None])
    definite = (vectors * np.maximum(values, SMALLEST_EIGENVALUE)) @ vectors.T
    with known_warnings():
        fitted = model().fit_covariance(definite * unit * unit[:, None], len(X))
    return fitted.adjacency_matrix_
