"""Linear structural equation models on random acyclic graphs (Saboksayr, Mateos, Tepper 2024)."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg._summary import summary
from skreg.datasets._random_state import generator
from skreg.graphs import propagate, topological_order

NOISE_FAMILIES = ("gaussian", "exponential", "laplace", "gumbel")
GRAPHS = ("erdos-renyi", "scale-free")


class LinearSEM(NamedTuple):
    """Rows of a linear structural equation model and the truth behind them.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows :math:`x = W^\\top x + z`.
    adjacency : ndarray of shape (n_features, n_features)
        Weights W of an acyclic graph; ``adjacency[i, j] != 0`` is an edge from i to j.
    noise_scale : ndarray of shape (n_features,)
        Standard deviations of the noises z.
    """

    X: np.ndarray
    adjacency: np.ndarray
    noise_scale: np.ndarray

    def __repr__(self) -> str:
        return summary(self)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 2, None, closed="left")],
        "graph": [StrOptions(set(GRAPHS))],
        "edges_per_node": [Interval(Real, 0, None, closed="left")],
        "weight_range": ["array-like"],
        "noise": [StrOptions(set(NOISE_FAMILIES))],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "adjacency": ["array-like", None],
        "random_state": ["random_state", np.random.Generator],
    },
    prefer_skip_nested_validation=True,
)
def make_linear_sem(
    n_samples: int = 1000,
    n_features: int = 20,
    *,
    graph: Literal["erdos-renyi", "scale-free"] = "erdos-renyi",
    edges_per_node: float = 4,
    weight_range: ArrayLike = (0.5, 2.0),
    noise: Literal["gaussian", "exponential", "laplace", "gumbel"] = "gaussian",
    noise_variance: float | ArrayLike = 1.0,
    adjacency: ArrayLike | None = None,
    random_state: Any = None,
) -> LinearSEM:
    r"""Draw rows of a linear structural equation model on a random acyclic graph.

    Rows follow :math:`x = W^\top x + z` with independent noises z. The graph is drawn without
    directions, edges point along a random order of the nodes, and every edge has a weight with
    uniform magnitude in `weight_range` and a random sign.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=20
        Number of nodes.
    graph : {"erdos-renyi", "scale-free"}, default="erdos-renyi"
        Every pair of nodes is adjacent with the same probability, or nodes come one after another
        and point to earlier nodes with probability proportional to their degree (Barabási and
        Albert), so that hubs have many parents.
    edges_per_node : float, default=4
        Expected number of edges divided by `n_features`; "scale-free" takes integers only, and has
        a few edges less since the first nodes have no others to point to.
    weight_range : (float, float), default=(0.5, 2.0)
        Smallest and largest magnitude of a weight.
    noise : {"gaussian", "exponential", "laplace", "gumbel"}, default="gaussian"
        Family of the noises, the same for all nodes. The noises have mean zero.
    noise_variance : float or (float, float), default=1.0
        Variance of all noises, or the range from which every node's variance is drawn uniformly.
    adjacency : array-like of shape (n_features, n_features), default=None
        Weights to use instead of drawn ones; `n_features`, `graph`, `edges_per_node` and
        `weight_range` are then without effect.
    random_state : int, RandomState, Generator or None, default=None
        Seed of graph, weights, variances and noises.

    Returns
    -------
    LinearSEM
        ``X`` of shape (n_samples, n_features), ``adjacency`` and ``noise_scale``.

    Raises
    ------
    ValueError
        If a range is not two increasing numbers, if the graph cannot have so many edges, or if
        `adjacency` is not square or has a cycle.

    Notes
    -----
    On such graphs the variance of a node mostly grows along the edges
    (`skreg.causal.var_sortability` is near 1), which score-based methods exploit. Standardise the
    columns to take this away.

    References
    ----------
    .. [1] S. S. Saboksayr, G. Mateos, M. Tepper, "CoLiDE: Concomitant Linear DAG Estimation",
       ICLR 2024.

    Examples
    --------
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(500, 10, edges_per_node=2, noise_variance=(0.5, 10), random_state=0)
    >>> sem.X.shape, int((sem.adjacency != 0).sum())
    ((500, 10), 16)
    """
    rng = generator(random_state)
    low, high = checked_range("weight_range", weight_range)
    if adjacency is None:
        W = draw_weights(rng, draw_graph(rng, graph, n_features, edges_per_node), low, high)
    else:
        W = check_array(adjacency, dtype=np.float64, copy=True, input_name="adjacency")
        if W.shape[0] != W.shape[1]:
            raise ValueError(f"adjacency has shape {W.shape}; it must be square")
    order = topological_order(W != 0, "adjacency")
    if isinstance(noise_variance, Real):
        variance = np.full(len(W), float(noise_variance))
    else:
        low, high = checked_range("noise_variance", noise_variance)
        variance = rng.uniform(low, high, len(W))
    noise_scale = np.sqrt(variance)
    Z = draw_noise(rng, noise, (n_samples, len(W))) * noise_scale
    return LinearSEM(propagate(Z, W, order), W, noise_scale)


def draw_noise(rng: np.random.Generator, family: str, shape: tuple[int, ...]) -> np.ndarray:
    """Independent noises of the family with mean 0 and variance 1."""
    if family == "gaussian":
        return rng.standard_normal(shape)
    if family == "exponential":
        return rng.exponential(size=shape) - 1.0
    if family == "laplace":
        return rng.laplace(scale=np.sqrt(0.5), size=shape)
    return (rng.gumbel(size=shape) - np.euler_gamma) * (np.sqrt(6) / np.pi)


def checked_range(name, value):
    pair = np.asarray(value, dtype=float)
    if pair.shape != (2,) or not 0 < pair[0] <= pair[1] < np.inf:
        raise ValueError(f"{name}={value!r} must be two positive numbers, the smaller one first")
    return pair


def draw_graph(rng, graph, n_nodes, edges_per_node):
    """Adjacency of a random acyclic graph, (n_nodes, n_nodes) bool."""
    draw = _erdos_renyi if graph == "erdos-renyi" else _scale_free
    triangle = draw(rng, n_nodes, edges_per_node)
    order = rng.permutation(n_nodes)
    B = np.zeros_like(triangle)
    B[np.ix_(order, order)] = triangle
    return B


def _erdos_renyi(rng, n_nodes, edges_per_node):
    probability = 2 * edges_per_node / (n_nodes - 1)
    if probability > 1:
        raise ValueError(
            f"edges_per_node={edges_per_node} is more than (n_features - 1) / 2 = "
            f"{(n_nodes - 1) / 2:g}, what an acyclic graph of {n_nodes} nodes can have"
        )
    return np.triu(rng.random((n_nodes, n_nodes)) < probability, k=1)


def _scale_free(rng, n_nodes, edges_per_node):
    """Preferential attachment: node i > m points to m earlier ones, by their degree."""
    m = int(edges_per_node)
    if m != edges_per_node or not 1 <= m < n_nodes:
        raise ValueError(
            f"edges_per_node={edges_per_node} must be an integer from 1 to n_features - 1 = "
            f"{n_nodes - 1} for a scale-free graph"
        )
    B = np.zeros((n_nodes, n_nodes), dtype=bool)
    degree = np.zeros(n_nodes)
    degree[:m] = 1.0  # the first node with m others to point to chooses all of them
    for node in range(m, n_nodes):
        targets = rng.choice(node, m, replace=False, p=degree[:node] / degree[:node].sum())
        B[node, targets] = True
        if node == m:
            degree[:m] = 0.0
        degree[targets] += 1.0
        degree[node] = m
    return B


def draw_weights(rng, B, low, high):
    magnitude = rng.uniform(low, high, B.shape)
    return np.where(B, magnitude * rng.choice([-1.0, 1.0], B.shape), 0.0)
