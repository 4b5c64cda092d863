"""Markov equivalence: which edges of an acyclic graph observational data can direct."""

import numpy as np


def completed_partially_directed(B: np.ndarray) -> np.ndarray:
    """Completed partially directed graph of an acyclic graph B (d, d) bool.

    Directed edges are those that all acyclic graphs with the same adjacencies and v-structures
    share; an undirected edge is marked in both directions. Starts from the v-structures and applies
    Meek's rules 1 to 3, which are complete for graphs without background knowledge.
    """
    adjacent = B | B.T
    directed = _v_structures(B, adjacent)
    while True:
        undirected = adjacent & ~directed & ~directed.T
        implied = undirected & _implied(directed, undirected, adjacent)
        if not implied.any():
            return directed | undirected
        directed |= implied


def _v_structures(B, adjacent):
    """Edges i -> k for which some j -> k is not adjacent to i."""
    directed = np.zeros_like(B)
    for k in range(len(B)):
        parents = np.flatnonzero(B[:, k])
        apart = ~adjacent[np.ix_(parents, parents)] & ~np.eye(len(parents), dtype=bool)
        directed[parents[apart.any(axis=1)], k] = True
    return directed


def _implied(directed, undirected, adjacent):
    """Directions [a, b] that Meek's rules give to undirected edges a - b."""
    d, u = directed.astype(np.int64), undirected.astype(np.int64)
    apart = (~adjacent).astype(np.int64)
    np.fill_diagonal(apart, 0)
    # rule 1: c -> a, c not adjacent to b;  rule 2: a -> c -> b
    implied = (d.T @ apart > 0) | (d @ d > 0)
    # rule 3: a - c -> b, a - e -> b, c and e not adjacent
    for a in range(len(d)):
        neighbours = np.flatnonzero(u[a])
        into = d[neighbours]
        implied[a] |= (
            np.einsum("cb,ce,eb->b", into, apart[np.ix_(neighbours, neighbours)], into) > 0
        )
    return implied
