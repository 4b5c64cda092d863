"""Random problems after the recipes of Nutini, Laradji and Schmidt (2022)."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from sklearn.datasets import make_moons
from sklearn.neighbors import kneighbors_graph

from skreg.graphs import connected_to
from skreg.optim import NonNegative
from skreg.optim.descent import GraphQuadratic, LeastSquares, Logistic, Multinomial


def scaled_columns(
    rng: np.random.Generator, n_samples: int, n_features: int
) -> scipy.sparse.csc_array:
    """N(1, 1) entries, columns times 10 N(0, 1), kept with probability 10 log(m) / m."""
    A = (rng.standard_normal((n_samples, n_features)) + 1.0) * 10.0
    A *= rng.standard_normal(n_features)
    A *= rng.random(A.shape) < min(10.0 * np.log(n_samples) / n_samples, 1.0)
    return scipy.sparse.csc_array(A)


def sparse_coefficients(rng: np.random.Generator, n_features: int) -> np.ndarray:
    """Normal, nine of ten zero."""
    return rng.standard_normal(n_features) * (rng.random(n_features) < 0.1)


def least_squares(seed: int, *, n_samples: int, n_features: int) -> LeastSquares:
    """A: b = A x + noise with a sparse x."""
    rng = np.random.default_rng(seed)
    A = scaled_columns(rng, n_samples, n_features)
    b = A @ sparse_coefficients(rng, n_features) + rng.standard_normal(n_samples)
    return LeastSquares(A, b)


def logistic(seed: int, *, n_samples: int, n_features: int) -> Logistic:
    """B: signs of A x, one in ten flipped."""
    rng = np.random.default_rng(seed)
    A = scaled_columns(rng, n_samples, n_features)
    y = np.where(A @ sparse_coefficients(rng, n_features) >= 0.0, 1.0, -1.0)
    return Logistic(A, y * np.where(rng.random(n_samples) < 0.1, -1.0, 1.0))


def multinomial(seed: int, *, n_samples: int, n_features: int, n_classes: int) -> Multinomial:
    """C: the largest entry of each row of A X + noise."""
    rng = np.random.default_rng(seed)
    A = scaled_columns(rng, n_samples, n_features)
    scores = A @ rng.standard_normal((n_features, n_classes))
    scores += rng.standard_normal(scores.shape)
    return Multinomial(A, np.eye(n_classes)[scores.argmax(axis=1)])


def lattice_weights(side: int, weight: float) -> scipy.sparse.csr_array:
    """Adjacency of a square lattice, its nodes numbered column by column."""
    number = np.arange(side * side).reshape(side, side)
    i = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    j = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    W = scipy.sparse.coo_array((np.full(len(i), weight), (i, j)), shape=(side * side,) * 2)
    return scipy.sparse.csr_array(W + W.T)


def lattice(seed: int, *, side: int, n_labelled: int) -> GraphQuadratic:
    """D: a square lattice with weights 1e5 and labels of 10 N(0, 1)."""
    rng = np.random.default_rng(seed)
    values = np.full(side * side, np.nan)
    values[rng.permutation(side * side)[:n_labelled]] = 10.0 * rng.standard_normal(n_labelled)
    return GraphQuadratic.from_labels(lattice_weights(side, 1e5), values)


def moons(seed: int, *, n_nodes: int, n_labelled: int) -> GraphQuadratic:
    """E: two moons, joined by the five nearest neighbours, labels 1 and 2."""
    rng = np.random.default_rng(seed)
    X, y = make_moons(n_nodes, noise=0.2, random_state=seed)
    near = kneighbors_graph(X, 5)
    values = np.full(n_nodes, np.nan)
    chosen = rng.permutation(n_nodes)[:n_labelled]
    values[chosen] = y[chosen] + 1.0
    W = scipy.sparse.csr_array(near.maximum(near.T))
    return GraphQuadratic.from_labels(*with_reached_nodes(W, values))


def with_reached_nodes(
    W: scipy.sparse.csr_array, values: np.ndarray
) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Leave out the nodes of components without a label."""
    kept = connected_to(W, ~np.isnan(values))
    return W[kept][:, kept], values[kept]


def nonnegative_lasso(seed: int, *, n_samples: int, n_features: int, share: float) -> LeastSquares:
    """A with x >= 0 and an L1 penalty of `share` of the one that gives x = 0."""
    problem = least_squares(seed, n_samples=n_samples, n_features=n_features)
    return problem._replace(penalty=NonNegative(share * float((problem.X.T @ problem.y).max())))
