"""Partitions: which blocks may be updated.

A partition is a small record. `Variable` forms a new block in every iteration; all others fix the
blocks once. With a group penalty the units are its groups, otherwise they are coordinates; blocks
are made of whole units.
"""

from typing import Any, NamedTuple

import numpy as np

from skreg.optim.descent._forest import balanced_colouring, first_fit_forests


class Variable(NamedTuple):
    """Any units may form the block of an iteration.

    Attributes
    ----------
    size : int, default=None
        Units in a block. None takes 50, or all nonzero units and half as many more where that is
        more, so that a penalised problem ends with Newton steps on its whole support.
    """

    size: int | None = None


class Order(NamedTuple):
    """Consecutive units.

    Attributes
    ----------
    size : int, default=None
        Units in a block; the last one may be shorter. None takes 5, or all where there are fewer.
    """

    size: int | None = None


class Sort(NamedTuple):
    """Units of similar curvature share a block: consecutive ones in increasing order.

    Attributes
    ----------
    size : int, default=None
        Units in a block; the last one may be shorter. None takes 5, or all where there are fewer.
    diagonal : {"lipschitz", "row_sum"}, default="lipschitz"
        Curvature of a coordinate: L_i, or `sum_j |H_ij|`.
    """

    size: int | None = None
    diagonal: str = "lipschitz"


class Average(NamedTuple):
    """Blocks of similar average curvature: smallest, largest, second smallest, and so on.

    Attributes
    ----------
    size : int, default=None
        Units in a block; the last one may be shorter. None takes 5, or all where there are fewer.
    diagonal : {"lipschitz", "row_sum"}, default="lipschitz"
        Curvature of a coordinate: L_i, or `sum_j |H_ij|`.
    """

    size: int | None = None
    diagonal: str = "lipschitz"


class RedBlack(NamedTuple):
    """Colour classes of the graph of the Hessian: no two members are neighbours.

    Nodes are visited in turn and get, of the colours that no neighbour has, the one with the
    fewest members. A lattice gets the two colours of a chessboard.

    Attributes
    ----------
    order : {"lipschitz", "index"}, default="lipschitz"
        Visit nodes by decreasing L_i, or by index.
    """

    order: str = "lipschitz"


class Tree(NamedTuple):
    """Forests of the graph of the Hessian: no block has a cycle.

    Nodes are visited in turn and join the first forest in which they close no cycle.

    Attributes
    ----------
    order : {"lipschitz", "index"}, default="lipschitz"
        Visit nodes by decreasing L_i, or by index.
    """

    order: str = "lipschitz"


class Blocks(NamedTuple):
    """Blocks given by hand.

    Attributes
    ----------
    members : sequence of array-like of int
        Coordinates of each block; together they are all coordinates, once.
    """

    members: Any


DEFAULT_SIZE = 5


def checked_size(size, n_units):
    """The size of blocks, if it lies between 1 and the number of units."""
    if size is not None and not 1 <= size <= n_units:
        raise ValueError(f"block_size must lie between 1 and {n_units}, not {size}")
    return size


def fixed_blocks(partition, run):
    """Unit indices of every block of a fixed partition."""
    if isinstance(partition, Blocks):
        return _user_blocks(partition.members, run)
    if isinstance(partition, RedBlack | Tree):
        order = np.arange(len(run.state.x))
        if partition.order == "lipschitz":
            order = np.argsort(-run.state.lipschitz, kind="stable")
        assign = first_fit_forests if isinstance(partition, Tree) else balanced_colouring
        label = assign(run.graph.indptr, run.graph.indices, order)
        return [np.flatnonzero(label == number) for number in range(label.max() + 1)]
    order = np.arange(len(run.ids))
    if not isinstance(partition, Order):
        order = np.argsort(run.unit_curvature(partition.diagonal), kind="stable")
    if isinstance(partition, Average):
        half = (len(order) + 1) // 2
        interleaved = np.empty_like(order)
        interleaved[::2], interleaved[1::2] = order[:half], order[half:][::-1]
        order = interleaved
    size = checked_size(partition.size, len(order)) or min(DEFAULT_SIZE, len(order))
    cuts = np.arange(size, len(order), size)
    return [np.sort(chunk) for chunk in np.split(order, cuts)]


def _user_blocks(members, run):
    n = len(run.state.x)
    blocks = [np.asarray(block).reshape(-1) for block in members]
    if any(len(block) == 0 for block in blocks):
        raise ValueError("partition has an empty block")
    if any(not np.issubdtype(block.dtype, np.integer) for block in blocks):
        raise ValueError("partition must hold integers")
    together = np.concatenate(blocks) if blocks else np.empty(0, dtype=int)
    if not np.array_equal(np.sort(together), np.arange(n)):
        raise ValueError(f"the blocks of a partition must hold each of the {n} coordinates once")
    unit_of = np.empty(n, dtype=np.int64)
    unit_of[run.units.members] = np.repeat(np.arange(len(run.ids)), np.diff(run.units.starts))
    sizes = np.diff(run.units.starts)
    units = [np.unique(unit_of[block]) for block in blocks]
    if any(sizes[u].sum() != len(b) for u, b in zip(units, blocks, strict=True)):
        raise ValueError("a block cuts through a group of the penalty; blocks take whole groups")
    return units
