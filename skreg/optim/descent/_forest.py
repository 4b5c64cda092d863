"""Message passing: exact solves with symmetric matrices whose graph has no cycle.

Rooting every tree and eliminating the nodes from the leaves up needs no fill-in: with t a node, p
its parent and l_t = a_tp / pivot_t,

    pivot_p <- pivot_p - l_t a_tp,     r_p <- r_p - l_t r_t           (towards the root)
    x_t = r_t / pivot_t - l_t x_p                                       (back to the leaves).

Both sweeps cost O(number of nodes). The order is that of a depth-first search with its own stack,
so that long paths need no recursion and lie contiguously in memory.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel

OUTSIDE, UNSEEN = -1, -2


class Forest(NamedTuple):
    """Elimination order of an acyclic block of a symmetric matrix.

    Attributes
    ----------
    nodes : ndarray of shape (n,)
        Rows of the matrix, parents before their children.
    parents : ndarray of shape (n,)
        Position of each node's parent in `nodes`, -1 for a root.
    couplings : ndarray of shape (n,)
        Matrix entry between a node and its parent, 0 for a root.
    diagonal : ndarray of shape (n,)
        Diagonal entries.
    """

    nodes: np.ndarray
    parents: np.ndarray
    couplings: np.ndarray
    diagonal: np.ndarray


class ForestFactor(NamedTuple):
    """Pivots and multipliers of the elimination of a `Forest`."""

    nodes: np.ndarray
    parents: np.ndarray
    multipliers: np.ndarray
    inverse_pivots: np.ndarray


@kernel
def _root_forest(indptr, indices, data, block, position, nodes, parents, couplings, diagonal):  # noqa: C901  one compiled loop
    """Depth-first order of a block; returns whether it has no cycle.

    `position` is OUTSIDE everywhere and is left so.
    """
    for node in block:
        position[node] = UNSEEN
    size = len(block)
    stack = np.empty(size + 1, dtype=np.int64)
    above = np.empty(size + 1, dtype=np.int64)
    weight = np.empty(size + 1)
    n, acyclic = 0, True
    for root in block:
        if position[root] != UNSEEN:
            continue
        stack[0], above[0], weight[0] = root, -1, 0.0
        height = 1
        while height > 0 and acyclic:
            height -= 1
            node, parent = stack[height], above[height]
            if position[node] != UNSEEN:
                acyclic = False
                break
            position[node] = n
            nodes[n], parents[n], couplings[n] = node, parent, weight[height]
            for i in range(indptr[node], indptr[node + 1]):
                neighbour = indices[i]
                if neighbour == node:
                    diagonal[n] = data[i]
                elif position[neighbour] == UNSEEN:
                    if height >= size:
                        acyclic = False
                        break
                    stack[height], above[height], weight[height] = neighbour, n, data[i]
                    height += 1
                elif position[neighbour] >= 0 and position[neighbour] != parent:
                    acyclic = False
                    break
            n += 1
        if not acyclic:
            break
    for node in block:
        position[node] = OUTSIDE
    return acyclic


def root_forest(matrix, block, position=None):
    """Elimination order of a block of a symmetric sparse matrix.

    Parameters
    ----------
    matrix : scipy sparse array in CSR format
        Symmetric, without stored zeros off the diagonal.
    block : ndarray of shape (n,)
        Distinct rows.
    position : ndarray of shape (n_rows,), default=None
        Scratch filled with -1, left as it was.

    Returns
    -------
    Forest or None
        None if the graph of the block has a cycle.
    """
    if position is None:
        position = np.full(matrix.shape[0], OUTSIDE)
    size = len(block)
    nodes, parents = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    couplings, diagonal = np.empty(size), np.zeros(size)
    acyclic = _root_forest(
        matrix.indptr, matrix.indices, matrix.data, block, position,
        nodes, parents, couplings, diagonal,
    )  # fmt: skip
    return Forest(nodes, parents, couplings, diagonal) if acyclic else None


@kernel
def _eliminate(parents, couplings, pivots, multipliers):
    """Pivots in place of the diagonal; returns the smallest one."""
    smallest = np.inf
    for t in range(len(parents) - 1, -1, -1):
        smallest = min(smallest, pivots[t])
        multipliers[t] = couplings[t] / pivots[t] if couplings[t] != 0.0 else 0.0
        if parents[t] >= 0:
            pivots[parents[t]] -= multipliers[t] * couplings[t]
    return smallest


def factorise_forest(forest):
    """Eliminate every node of a forest, leaves first.

    Raises
    ------
    ValueError
        If a pivot is not positive: the block is not positive definite.
    """
    pivots, multipliers = forest.diagonal.copy(), np.empty(len(forest.parents))
    smallest = _eliminate(forest.parents, forest.couplings, pivots, multipliers)
    if not smallest > 0.0:
        raise ValueError(
            f"message passing needs a positive definite block, a pivot was {smallest:.3g}: "
            "is there a component without a labelled node?"
        )
    return ForestFactor(forest.nodes, forest.parents, multipliers, 1.0 / pivots)


@kernel
def solve_forest(nodes, parents, multipliers, inverse_pivots, rhs, out):
    """out[nodes] <- solution for the right-hand side rhs[nodes]."""
    size = len(nodes)
    r = np.empty(size)
    for t in range(size):
        r[t] = rhs[nodes[t]]
    for t in range(size - 1, -1, -1):
        if parents[t] >= 0:
            r[parents[t]] -= multipliers[t] * r[t]
    for t in range(size):
        value = r[t] * inverse_pivots[t]
        if parents[t] >= 0:
            value -= multipliers[t] * r[parents[t]]
        r[t] = value
        out[nodes[t]] = value


# Choosing forests and independent sets in a graph


@kernel
def _find(parent, node):
    """Root of a node in a union-find structure, halving the path on the way."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def greedy_forest(indptr, indices, order):
    """Maximal induced forest: scan the nodes once, keep each that closes no cycle.

    A node closes none if its neighbours that were kept lie in different trees.
    """
    n = len(indptr) - 1
    parent, seen_root = np.arange(n), np.full(n, -1)
    kept = np.zeros(n, dtype=np.bool_)
    for node in order:
        fits = True
        for i in range(indptr[node], indptr[node + 1]):
            neighbour = indices[i]
            if neighbour != node and kept[neighbour]:
                root = _find(parent, neighbour)
                if seen_root[root] == node:
                    fits = False
                    break
                seen_root[root] = node
        if fits:
            kept[node] = True
            for i in range(indptr[node], indptr[node + 1]):
                if indices[i] != node and kept[indices[i]]:
                    parent[_find(parent, indices[i])] = node
    return np.flatnonzero(kept)


@kernel
def first_fit_forests(indptr, indices, order):
    """Number of the forest of each node: the first one in which it closes no cycle."""
    n = len(indptr) - 1
    parent, seen_root = np.arange(n), np.full(n, -1)
    forest = np.full(n, -1)
    # closed[f] == node says that the node would close a cycle in forest f
    closed = np.full(n + 1, -1)
    for node in order:
        for i in range(indptr[node], indptr[node + 1]):
            neighbour = indices[i]
            if neighbour != node and forest[neighbour] >= 0:
                root = _find(parent, neighbour)
                if seen_root[root] == node:
                    closed[forest[neighbour]] = node
                seen_root[root] = node
        choice = 0
        while closed[choice] == node:
            choice += 1
        forest[node] = choice
        for i in range(indptr[node], indptr[node + 1]):
            neighbour = indices[i]
            if neighbour != node and forest[neighbour] == choice:
                parent[_find(parent, neighbour)] = node
    return forest


@kernel
def balanced_colouring(indptr, indices, order):
    """Colour of each node: of those that no neighbour has, the one with the fewest members."""
    n = len(indptr) - 1
    colour, used = np.full(n, -1), np.full(n + 1, -1)
    members = np.zeros(n + 1, dtype=np.int64)
    n_colours = 0
    for node in order:
        for i in range(indptr[node], indptr[node + 1]):
            if indices[i] != node and colour[indices[i]] >= 0:
                used[colour[indices[i]]] = node
        choice = n_colours
        for c in range(n_colours):
            if used[c] != node and (choice == n_colours or members[c] < members[choice]):
                choice = c
        n_colours = max(n_colours, choice + 1)
        colour[node] = choice
        members[choice] += 1
    return colour


def lattice_forests(n_rows: int, n_columns: int) -> list[np.ndarray]:
    """Two forests ("combs") that cover a lattice, its nodes numbered column by column.

    The first comb has row 0 as its spine and the even columns, but for their last row, as teeth;
    the second one has the last row and the odd columns, but for their first row.

    Parameters
    ----------
    n_rows, n_columns : int
        Size of the lattice, at least two rows; node (row, column) has number
        ``column * n_rows + row``.

    Returns
    -------
    list of two ndarray
        The nodes of each forest.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or no column.

    Examples
    --------
    >>> from skreg.optim.descent import lattice_forests
    >>> lattice_forests(3, 2)
    [array([0, 1, 3]), array([2, 4, 5])]
    """
    if n_rows < 2 or n_columns < 1:
        raise ValueError(f"a lattice of {n_rows} rows and {n_columns} columns has no two combs")
    column, row = np.divmod(np.arange(n_rows * n_columns), n_rows)
    first = np.where(column % 2 == 0, row < n_rows - 1, row == 0)
    return [np.flatnonzero(first), np.flatnonzero(~first)]
