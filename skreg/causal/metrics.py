"""How far an estimated graph is from the true one.

Graphs are square matrices whose nonzero entries are edges: ``B[i, j] != 0`` leads from i to j. The
truth comes first.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skreg.causal._markov import completed_partially_directed
from skreg.graphs import as_square, descendants, is_acyclic

__all__ = [
    "EdgeRates",
    "cpdag_hamming_distance",
    "edge_rates",
    "noise_scale_error",
    "normalized_mean_squared_error",
    "structural_hamming_distance",
    "structural_intervention_distance",
]


class EdgeRates(NamedTuple):
    """Shares of right and wrong edges.

    Attributes
    ----------
    true_positive_rate : float
        Right edges, in the right direction, among the true edges.
    false_discovery_rate : float
        Reversed and extra edges among the estimated edges.
    false_positive_rate : float
        Reversed and extra edges divided by the number of pairs that are not adjacent in truth.
    """

    true_positive_rate: float
    false_discovery_rate: float
    false_positive_rate: float


def _graphs(truth, estimate):
    B, E = as_square("truth", truth) != 0, as_square("estimate", estimate) != 0
    if B.shape != E.shape:
        raise ValueError(f"truth has shape {B.shape}, estimate {E.shape}")
    for name, graph in (("truth", B), ("estimate", E)):
        if np.diagonal(graph).any():
            raise ValueError(f"{name} has an edge from a node to itself")
    return B, E


def edge_rates(truth: ArrayLike, estimate: ArrayLike) -> EdgeRates:
    """Rates of right, wrong and missed edges.

    Parameters
    ----------
    truth : array-like of shape (n_features, n_features)
        True graph.
    estimate : array-like of shape (n_features, n_features)
        Estimated graph.

    Returns
    -------
    EdgeRates
        True positive, false discovery and false positive rate.

    Raises
    ------
    ValueError
        If the matrices are not square, differ in shape, or have an entry on the diagonal.

    Examples
    --------
    >>> from skreg.causal.metrics import edge_rates
    >>> edge_rates([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [[0, 1, 0], [0, 0, 0], [0, 1, 0]])
    EdgeRates(true_positive_rate=0.5, false_discovery_rate=0.5, false_positive_rate=1.0)
    """
    B, E = _graphs(truth, estimate)
    right, wrong = np.sum(E & B), np.sum(E & ~B)
    not_adjacent = len(B) * (len(B) - 1) // 2 - B.sum()
    return EdgeRates(
        float(right / max(B.sum(), 1)),
        float(wrong / max(E.sum(), 1)),
        float(wrong / max(not_adjacent, 1)),
    )


def structural_hamming_distance(truth: ArrayLike, estimate: ArrayLike) -> int:
    """Number of edges to add, remove or turn round; a reversed edge counts once.

    Parameters
    ----------
    truth : array-like of shape (n_features, n_features)
        True graph.
    estimate : array-like of shape (n_features, n_features)
        Estimated graph.

    Returns
    -------
    int
        Number of pairs of nodes at which the graphs differ.

    Raises
    ------
    ValueError
        As `edge_rates`.

    Examples
    --------
    >>> from skreg.causal.metrics import structural_hamming_distance
    >>> structural_hamming_distance([[0, 1], [0, 0]], [[0, 0], [1, 0]])
    1
    """
    B, E = _graphs(truth, estimate)
    return _differing_pairs(B, E)


def _differing_pairs(B, E):
    differs = B != E
    return int(np.triu(differs | differs.T, k=1).sum())


def cpdag_hamming_distance(truth: ArrayLike, estimate: ArrayLike) -> int:
    """Hamming distance between the Markov equivalence classes of two acyclic graphs.

    The classes are represented by their completed partially directed graphs; every pair of nodes
    whose mark differs (no edge, an undirected one, either direction) counts once.

    Parameters
    ----------
    truth : array-like of shape (n_features, n_features)
        True acyclic graph.
    estimate : array-like of shape (n_features, n_features)
        Estimated acyclic graph.

    Returns
    -------
    int
        Number of pairs of nodes at which the classes differ, "SHD-C".

    Raises
    ------
    ValueError
        As `edge_rates`, or if a graph has a cycle.

    Examples
    --------
    >>> from skreg.causal.metrics import cpdag_hamming_distance
    >>> chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    >>> reversed_chain = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    >>> cpdag_hamming_distance(chain, reversed_chain)
    0
    """
    B, E = _acyclic_graphs(truth, estimate)
    return _differing_pairs(completed_partially_directed(B), completed_partially_directed(E))


def _acyclic_graphs(truth, estimate):
    B, E = _graphs(truth, estimate)
    for name, graph in (("truth", B), ("estimate", E)):
        if not is_acyclic(graph):
            raise ValueError(f"{name} has a cycle")
    return B, E


def structural_intervention_distance(truth: ArrayLike, estimate: ArrayLike) -> int:
    r"""Number of ordered pairs whose interventional distribution the estimate gets wrong.

    For a pair (i, j), the estimate says: adjust for the parents of i. That is wrong in the true
    graph if j is such a parent and yet a descendant of i; or else if the parents hold a descendant
    of a node on a directed path from i to j, or leave a path between i and j open that is not such
    a path [1]_.

    Parameters
    ----------
    truth : array-like of shape (n_features, n_features)
        True acyclic graph.
    estimate : array-like of shape (n_features, n_features)
        Estimated acyclic graph.

    Returns
    -------
    int
        From 0 to ``n_features * (n_features - 1)``. Not symmetric.

    Raises
    ------
    ValueError
        As `edge_rates`, or if a graph has a cycle.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann, "Structural Intervention Distance for Evaluating Causal
       Graphs", Neural Computation 27(3), 2015.

    Examples
    --------
    >>> from skreg.causal.metrics import structural_intervention_distance
    >>> chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    >>> structural_intervention_distance(chain, [[0] * 3] * 3)
    3
    >>> structural_intervention_distance(chain, [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    6
    """
    B, E = _acyclic_graphs(truth, estimate)
    reach = descendants(B)
    self_reach = reach | np.eye(len(B), dtype=bool)
    return sum(_wrong_effects(B, reach, self_reach, i, E[:, i]) for i in range(len(B)))


def _wrong_effects(B, reach, self_reach, i, adjusted):
    """Number of j for which adjusting for a set, (d,) bool, gives a wrong effect of i in B."""
    others = np.arange(len(B)) != i
    claimed_parents = adjusted & others
    wrong_parents = np.sum(claimed_parents & reach[i])
    # nodes whose descendants are adjusted for: on a causal path they spoil the effect
    ancestor_of_adjusted = (self_reach & adjusted).any(axis=1)
    spoiled_on_path = reach[i] & ancestor_of_adjusted
    spoiled = (self_reach[spoiled_on_path]).any(axis=0)
    open_backdoor = _reached_not_causally(B, i, adjusted, ancestor_of_adjusted)
    wrong = (spoiled | open_backdoor) & others & ~adjusted
    return int(wrong_parents + wrong.sum())


def _reached_not_causally(B, i, adjusted, ancestor_of_adjusted):
    """Nodes that i reaches by an open path, given the adjusted nodes, that is not directed.

    A walk over states (node, arrived along or against an edge, directed so far): the walk leaves a
    node that is not adjusted for unless both its edges point to the node, and a node where both do
    if one of its descendants is adjusted for.
    """
    d = len(B)
    seen = np.zeros((d, 2, 2), dtype=bool)  # node, arrived along an edge, directed so far
    stack = [(child, 1, 1) for child in np.flatnonzero(B[i])]
    stack += [(parent, 0, 0) for parent in np.flatnonzero(B[:, i])]
    while stack:
        state = stack.pop()
        if seen[state]:
            continue
        seen[state] = True
        node, along, directed = state
        if node == i:
            continue
        if not adjusted[node]:
            stack += [(child, 1, directed) for child in np.flatnonzero(B[node])]
            if not along:
                stack += [(parent, 0, 0) for parent in np.flatnonzero(B[:, node])]
        if along and ancestor_of_adjusted[node]:
            stack += [(parent, 0, 0) for parent in np.flatnonzero(B[:, node])]
    return seen[:, :, 0].any(axis=1)


def normalized_mean_squared_error(truth: ArrayLike, estimate: ArrayLike) -> float:
    """Squared error of the weights relative to the true weights.

    Parameters
    ----------
    truth : array-like of shape (n_features, n_features)
        True weights.
    estimate : array-like of shape (n_features, n_features)
        Estimated weights.

    Returns
    -------
    float
        Squared Frobenius norm of the difference over that of `truth`.

    Raises
    ------
    ValueError
        If the matrices are not square, differ in shape, or the true weights are all zero.

    Examples
    --------
    >>> from skreg.causal.metrics import normalized_mean_squared_error
    >>> normalized_mean_squared_error([[0, 2], [0, 0]], [[0, 1], [0, 0]])
    0.25
    """
    W, estimate = as_square("truth", truth), as_square("estimate", estimate)
    if W.shape != estimate.shape:
        raise ValueError(f"truth has shape {W.shape}, estimate {estimate.shape}")
    if not W.any():
        raise ValueError("truth has no edge, so that errors relative to its weights are undefined")
    return float(((estimate - W) ** 2).sum() / (W**2).sum())


def noise_scale_error(truth: ArrayLike, estimate: ArrayLike) -> float:
    """Error of the noise standard deviations relative to the true ones.

    Parameters
    ----------
    truth : array-like of shape (n_features,)
        True standard deviations.
    estimate : float or array-like of shape (n_features,)
        Estimated ones; one number stands for all nodes.

    Returns
    -------
    float
        Euclidean norm of the difference over that of `truth`.

    Raises
    ------
    ValueError
        If the shapes differ, a true standard deviation is not positive, or an estimate is not a
        finite number.

    Examples
    --------
    >>> from skreg.causal.metrics import noise_scale_error
    >>> noise_scale_error([1.0, 1.0], 1.1).__round__(3)
    0.1
    """
    sigma, estimate = np.asarray(truth, dtype=float), np.asarray(estimate, dtype=float)
    if sigma.ndim != 1 or not np.all((sigma > 0) & (sigma < np.inf)):
        raise ValueError(f"truth={truth!r} must be positive standard deviations, one for each node")
    if estimate.ndim and estimate.shape != sigma.shape:
        raise ValueError(f"truth has shape {sigma.shape}, estimate {estimate.shape}")
    if not np.all(np.isfinite(estimate)):
        raise ValueError(f"estimate={estimate!r} must be finite standard deviations")
    return float(np.linalg.norm(estimate - sigma) / np.linalg.norm(sigma))
