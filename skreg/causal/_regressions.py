"""Regressions of nodes on their parents, from covariances."""

import numpy as np

from skreg.causal._equations import residual_mean_squares

SMALLEST_SHARE = 1e-7  # squares of residuals are known to about 1e-15 of the column's variance


def as_correlations(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (d, d) and deviations (d,), 1 in place of 0, of which covariances are made.

    Least squares by a singular value decomposition drops directions that are small beside others.
    Which those are must not depend on the units of the columns.
    """
    deviation = np.sqrt(np.diagonal(covariance))
    unit = np.where(deviation > 0, deviation, 1.0)
    return covariance / unit / unit[:, None], unit


def residual_scale(covariance: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residual standard deviations (d,), at least 1e-7 of the columns' own, and which are there.

    The bound keeps the likelihood of nodes that their parents determine finite. W is (n, d), of
    all n nodes as causes of the first d.
    """
    smallest = SMALLEST_SHARE**2 * np.diagonal(covariance)[: W.shape[1]]
    q = residual_mean_squares(covariance, W)
    return np.sqrt(np.maximum(q, smallest)), q <= smallest


def regress_on_parents(covariance: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Least squares of the first d nodes on their parents in the graph B (n, d); weights (n, d)."""
    W = np.zeros(B.shape)
    correlation, unit = as_correlations(covariance)
    for j in range(B.shape[1]):
        parents = np.flatnonzero(B[:, j])
        if len(parents):
            gram = correlation[np.ix_(parents, parents)]
            W[parents, j] = np.linalg.lstsq(gram, correlation[parents, j], rcond=None)[0]
    return W * (unit[: B.shape[1]] / unit[:, None])
