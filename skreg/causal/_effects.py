r"""What a change of one node does to the others: total effects and interventions, on arrays.

In the linear model :math:`x = \mu + W^\top (x - \mu) + z` a unit more of node i, brought about from
outside, changes the mean of node j by the sum over all directed paths of the products of their
weights, which is

    T = W + W^2 + ... = (I - W)^{-1} - I.                                 (Wright 1921; Bollen 1989)

The intervention do(x_S = v) cuts all edges into S (Pearl, "Causality", 2009, sec. 3.2.3). With W'
the weights without the columns S and T' their total effects, the other nodes have mean and noise

    mu + T'_S^T (v - mu_S),     z_S = 0,

and a row x whose noise stays as it was becomes x + T'_S^T (v - x_S) (sec. 7.1, steps 1 to 3).
"""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skreg.causal._names import in_numbers, node_number
from skreg.graphs import propagate, topological_order


def total_effects(W: np.ndarray) -> np.ndarray:
    """T = (I - W)^-1 - I (d, d) by substitution along the graph; raises if it has a cycle."""
    unit = np.eye(len(W))
    order = topological_order(W != 0, "the graph of adjacency_matrix_")
    return propagate(unit, W, order) - unit


def standard_normal_rows(n_samples: int, d: int, random_state: Any) -> np.ndarray:
    """Noise (n_samples, d) of variance 1; raises if the number of rows is none."""
    if not isinstance(n_samples, Integral) or n_samples < 0:
        raise ValueError(f"n_samples={n_samples!r} must be an integer of at least 0")
    return check_random_state(random_state).standard_normal((n_samples, d))


class Setting(NamedTuple):
    """Nodes that are set, as numbers (k,), and their values (k,)."""

    nodes: np.ndarray
    values: np.ndarray


def setting(values: Mapping[Any, float], names: list[str]) -> Setting:
    """Nodes and values of a mapping from names or numbers of columns to numbers."""
    if not isinstance(values, Mapping) or not values:
        raise ValueError(
            f"values={values!r} must map columns, by name or number, to what they are set to, as "
            f"in {{{names[0]!r}: 1.0}}"
        )
    nodes = [node_number(node, names, "values") for node in values]
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"values={dict(values)!r} sets a column twice")
    if not all(isinstance(value, Real) and math.isfinite(value) for value in values.values()):
        raise ValueError(f"values={dict(values)!r} must be finite numbers")
    return Setting(np.array(nodes), np.array(list(values.values()), dtype=np.float64))


class Intervention(NamedTuple):
    """Distribution of all nodes while some are set from outside.

    Attributes
    ----------
    names : list of str
        Names of the nodes.
    is_set : ndarray of shape (n_features,)
        Which nodes are set.
    mean : ndarray of shape (n_features,)
        Means; at the nodes that are set, their values.
    adjacency_matrix : ndarray of shape (n_features, n_features)
        Weights without the edges into the nodes that are set.
    sigma : ndarray of shape (n_features,)
        Noise standard deviations, 0 at the nodes that are set.
    """

    names: list[str]
    is_set: np.ndarray
    mean: np.ndarray
    adjacency_matrix: np.ndarray
    sigma: np.ndarray

    def __repr__(self) -> str:
        nodes = np.flatnonzero(self.is_set)
        told = ", ".join(f"{self.names[j]!r}: {self.mean[j]:g}" for j in nodes[:5])
        more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
        return f"Intervention({{{told}{more}}}, {in_numbers(self.adjacency_matrix)})"

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix (n_features, n_features); 0 at the nodes that are set."""
        paths = (np.eye(len(self.mean)) + total_effects(self.adjacency_matrix)) * self.sigma[
            :, None
        ]
        return paths.T @ paths

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw rows with Gaussian noise.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Seed. The same seed gives the same noise to the nodes that are not set, as in `sample`
            of the estimator.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows.

        Raises
        ------
        ValueError
            If `n_samples` is negative or no integer.
        """
        Z = standard_normal_rows(n_samples, len(self.mean), random_state)
        order = topological_order(self.adjacency_matrix != 0)
        return self.mean + propagate(Z * self.sigma, self.adjacency_matrix, order)


def intervention(
    W: np.ndarray, mean: np.ndarray, sigma: float | np.ndarray, names: list[str], given: Setting
) -> Intervention:
    """The model (W, mean, sigma) under do(x_S = v)."""
    cut = without_edges_into(W, given.nodes)
    moved = mean + (given.values - mean[given.nodes]) @ total_effects(cut)[given.nodes]
    moved[given.nodes] = given.values
    is_set = np.zeros(len(W), dtype=bool)
    is_set[given.nodes] = True
    return Intervention(names, is_set, moved, cut, np.where(is_set, 0.0, sigma))


def counterfactual(X: np.ndarray, W: np.ndarray, given: Setting) -> np.ndarray:
    """The rows X (n, d) as they would have been under do(x_S = v), each with its own noise."""
    effects = total_effects(without_edges_into(W, given.nodes))[given.nodes]
    changed = X + (given.values - X[:, given.nodes]) @ effects
    changed[:, given.nodes] = given.values
    return changed


def without_edges_into(W: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Weights with the columns of the nodes zero."""
    cut = W.copy()
    cut[:, nodes] = 0.0
    return cut
