"""Structural vector autoregressions on random graphs (Pamfil et al. 2020)."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skreg._companion import reduced_form, spectral_radius
from skreg._sklearn import Interval, StrOptions, validate_params
from skreg._summary import summary
from skreg.datasets._linear_sem import (
    GRAPHS,
    NOISE_FAMILIES,
    checked_range,
    draw_graph,
    draw_noise,
    draw_weights,
)
from skreg.datasets._random_state import generator
from skreg.graphs import as_square, propagate, topological_order


class StructuralSeries(NamedTuple):
    """A series of a structural vector autoregression and the truth behind it.

    Attributes
    ----------
    X : ndarray of shape (n_times, n_variables)
        Rows :math:`x_t = W^\\top x_t + \\sum_l A_l^\\top x_{t-l} + u_t` in the order of time.
    adjacency : ndarray of shape (n_variables, n_variables)
        Instantaneous weights W of an acyclic graph; ``adjacency[i, j] != 0`` is an edge from i to
        j.
    lagged_adjacency : ndarray of shape (order, n_variables, n_variables)
        Lagged weights; ``lagged_adjacency[l - 1, i, j]`` is the effect of i at t - l on j at t.
    noise_scale : ndarray of shape (n_variables,)
        Standard deviations of the noises u.
    """

    X: np.ndarray
    adjacency: np.ndarray
    lagged_adjacency: np.ndarray
    noise_scale: np.ndarray

    def __repr__(self) -> str:
        return summary(self)


@validate_params(
    {
        "n_times": [Interval(Integral, 1, None, closed="left")],
        "n_variables": [Interval(Integral, 2, None, closed="left")],
        "order": [Interval(Integral, 0, None, closed="left")],
        "graph": [StrOptions(set(GRAPHS))],
        "edges_per_node": [Interval(Real, 0, None, closed="left")],
        "lagged_edges_per_node": [Interval(Real, 0, None, closed="left")],
        "weight_range": ["array-like"],
        "lagged_weight_range": ["array-like"],
        "largest_root": [Interval(Real, 0, 1, closed="neither")],
        "noise": [StrOptions(set(NOISE_FAMILIES))],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "burn_in": [Interval(Integral, 0, None, closed="left")],
        "adjacency": ["array-like", None],
        "lagged_adjacency": ["array-like", None],
        "random_state": ["random_state", np.random.Generator],
    },
    prefer_skip_nested_validation=True,
)
def make_structural_var(
    n_times: int = 500,
    n_variables: int = 10,
    order: int = 1,
    *,
    graph: Literal["erdos-renyi", "scale-free"] = "erdos-renyi",
    edges_per_node: float = 1,
    lagged_edges_per_node: float = 1,
    weight_range: ArrayLike = (0.5, 2.0),
    lagged_weight_range: ArrayLike = (0.3, 0.5),
    largest_root: float = 0.95,
    noise: Literal["gaussian", "exponential", "laplace", "gumbel"] = "gaussian",
    noise_variance: float | ArrayLike = 1.0,
    burn_in: int = 200,
    adjacency: ArrayLike | None = None,
    lagged_adjacency: ArrayLike | None = None,
    random_state: Any = None,
) -> StructuralSeries:
    r"""Draw a stable structural vector autoregression on random graphs, and a series of it.

    Instantaneous edges are those of an acyclic graph as in `make_linear_sem`. At each lag, every
    ordered pair of variables, one with itself included, has an edge with the same probability.
    Weights have uniform magnitudes in their range and random signs.

    Parameters
    ----------
    n_times : int, default=500
        Number of rows.
    n_variables : int, default=10
        Number of variables.
    order : int, default=1
        Number of lags.
    graph : {"erdos-renyi", "scale-free"}, default="erdos-renyi"
        Kind of the instantaneous graph, see `make_linear_sem`.
    edges_per_node : float, default=1
        Expected number of instantaneous edges divided by `n_variables`.
    lagged_edges_per_node : float, default=1
        Expected number of edges of each lag divided by `n_variables`.
    weight_range : (float, float), default=(0.5, 2.0)
        Smallest and largest magnitude of an instantaneous weight.
    lagged_weight_range : (float, float), default=(0.3, 0.5)
        Smallest and largest magnitude of a lagged weight, before it is made smaller for
        `largest_root`.
    largest_root : float, default=0.95
        Bound of the eigenvalues of the companion matrix. Where the largest has modulus r above it,
        the weights of lag l are multiplied by ``(largest_root / r) ** l``, which multiplies all
        eigenvalues by the same factor.
    noise : {"gaussian", "exponential", "laplace", "gumbel"}, default="gaussian"
        Family of the noises, which have mean zero.
    noise_variance : float or (float, float), default=1.0
        Variance of all noises, or the range from which each variable's is drawn uniformly.
    burn_in : int, default=200
        Rows before the first, from zero, that are not returned.
    adjacency : array-like of shape (n_variables, n_variables), default=None
        Instantaneous weights to use instead of drawn ones; `n_variables`, `graph`, `edges_per_node`
        and `weight_range` are then without effect.
    lagged_adjacency : array-like of shape (order, n_variables, n_variables), default=None
        Lagged weights to use as they are instead of drawn ones; `order`, `lagged_edges_per_node`,
        `lagged_weight_range` and `largest_root` are then without effect.
    random_state : int, RandomState, Generator or None, default=None
        Seed of graphs, weights, variances and noises.

    Returns
    -------
    StructuralSeries
        ``X`` of shape (n_times, n_variables), ``adjacency``, ``lagged_adjacency`` and
        ``noise_scale``.

    Raises
    ------
    ValueError
        If a range is not two increasing numbers, a graph cannot have so many edges, or given
        weights have another shape, a cycle, or are not those of a stable process.

    References
    ----------
    .. [1] R. Pamfil, N. Sriwattanaworachai, S. Desai, P. Pilgerstorfer, P. Beaumont,
       K. Georgatzis, B. Aragam, "DYNOTEARS: Structure Learning from Time-Series Data", AISTATS
       2020.

    Examples
    --------
    >>> from skreg.datasets import make_structural_var
    >>> series = make_structural_var(300, 6, order=2, random_state=0)
    >>> series.X.shape, series.lagged_adjacency.shape
    ((300, 6), (2, 6, 6))
    """
    rng = generator(random_state)
    low, high = checked_range("weight_range", weight_range)
    low_lagged, high_lagged = checked_range("lagged_weight_range", lagged_weight_range)
    if adjacency is None:
        drawn = draw_graph(rng, graph, int(n_variables), edges_per_node)
        W = draw_weights(rng, drawn, low, high)
    else:
        W = as_square("adjacency", adjacency)
    d, order_of_nodes = len(W), topological_order(W != 0, "adjacency")
    if lagged_adjacency is None:
        present = _lagged_edges(rng, order, d, lagged_edges_per_node)
        A = _stabilised(W, draw_weights(rng, present, low_lagged, high_lagged), largest_root)
    else:
        A = _checked_lags(W, lagged_adjacency)
    if isinstance(noise_variance, Real):
        variance = np.full(d, float(noise_variance))
    else:
        low, high = checked_range("noise_variance", noise_variance)
        variance = rng.uniform(low, high, d)
    noise_scale = np.sqrt(variance)
    U = draw_noise(rng, noise, (burn_in + n_times, d)) * noise_scale
    return StructuralSeries(_series(U, W, A, order_of_nodes)[burn_in:], W, A, noise_scale)


def _lagged_edges(rng, order, d, edges_per_node):
    """Which edges there are at each lag, (order, d, d) bool."""
    if edges_per_node > d:
        raise ValueError(
            f"lagged_edges_per_node={edges_per_node} is more than n_variables={d}, the edges of "
            "each lag that a variable can have"
        )
    return rng.random((order, d, d)) < edges_per_node / d


def _checked_lags(W, lagged_adjacency):
    A = check_array(
        lagged_adjacency, dtype=np.float64, allow_nd=True, ensure_2d=False, copy=True,
        ensure_min_samples=0, input_name="lagged_adjacency",
    )  # fmt: skip
    if A.ndim != 3 or A.shape[1:] != W.shape:
        raise ValueError(
            f"lagged_adjacency has shape {A.shape}; it must be (order, {len(W)}, {len(W)})"
        )
    radius = spectral_radius(reduced_form(W, A))
    if radius >= 1.0:
        raise ValueError(
            f"adjacency and lagged_adjacency are of an unstable process: the largest eigenvalue of "
            f"the companion matrix has modulus {radius:.3g}, which must be below 1"
        )
    return A


def _stabilised(W, A, largest_root):
    """Lagged weights whose eigenvalues are at most `largest_root` in modulus."""
    radius = spectral_radius(reduced_form(W, A))
    factor = min(1.0, largest_root / radius) if radius > 0 else 1.0
    return A * factor ** np.arange(1, len(A) + 1)[:, None, None]


def _series(U, W, A, order_of_nodes):
    """Rows x_t of noises u_t, from zeros."""
    propagated = propagate(np.eye(len(W)), W, order_of_nodes)  # (I - W)^-1
    X, B = U @ propagated, A @ propagated
    for t in range(len(X)):
        for lag in range(1, min(t, len(B)) + 1):
            X[t] += X[t - lag] @ B[lag - 1]
    return X
