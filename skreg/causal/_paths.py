"""Total effects path by path."""

from typing import NamedTuple

import numpy as np

from skreg.graphs import descendants, topological_order


class EffectPath(NamedTuple):
    """A directed path from cause to effect, and what it carries.

    Attributes
    ----------
    nodes : tuple of str
        Names along the path.
    effect : float
        Product of its weights.
    """

    nodes: tuple[str, ...]
    effect: float


def between(B: np.ndarray, cause: int, effect: int) -> np.ndarray:
    """Nodes (d,) of the acyclic graph B on directed paths from cause to effect, both included."""
    reach = descendants(B) | np.eye(len(B), dtype=bool)
    return reach[cause] & reach[:, effect]


def count_paths(B: np.ndarray, cause: int, effect: int) -> int:
    """Number of directed paths in an acyclic graph B (d, d), however large."""
    n_paths = [0] * len(B)
    n_paths[cause] = 1
    for j in topological_order(B):
        n_paths[j] += sum(n_paths[i] for i in np.flatnonzero(B[:, j]))
    return n_paths[effect] if cause != effect else 0


def directed_paths(B: np.ndarray, cause: int, effect: int) -> list[list[int]]:
    """All directed paths in an acyclic graph B (d, d); time grows with their number only."""
    on_paths = between(B, cause, effect)
    paths: list[list[int]] = []
    unfinished = [[cause]] if on_paths.any() else []
    while unfinished:
        path = unfinished.pop()
        for j in np.flatnonzero(B[path[-1]] & on_paths):
            longer = [*path, int(j)]
            (paths if j == effect else unfinished).append(longer)
    return paths


def effect_paths(
    W: np.ndarray, names: list[str], cause: int, effect: int, max_paths: int
) -> list[EffectPath]:
    """Paths with their products of weights, those of largest magnitude first.

    Raises
    ------
    ValueError
        If there are more than `max_paths`, before any is listed.
    """
    n_paths = count_paths(W != 0, cause, effect)
    if n_paths > max_paths:
        raise ValueError(
            f"{n_paths} directed paths lead from {names[cause]!r} to {names[effect]!r}, more than "
            f"max_paths={max_paths}; their sum is total_effects()[{cause}, {effect}]"
        )
    found = [
        EffectPath(tuple(names[j] for j in path), float(W[path[:-1], path[1:]].prod()))
        for path in directed_paths(W != 0, cause, effect)
    ]
    return sorted(found, key=lambda path: (-abs(path.effect), path.nodes))
