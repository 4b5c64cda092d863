"""What a fit warns of: variances that tell no directions, noise levels that are no estimates."""

from collections.abc import Iterable, Sequence

import numpy as np

from skreg._warnings import warn

EQUAL_VARIANCES = 1e-6
MOST_NAMED = 5


def warn_of_equal_variances(variances: np.ndarray) -> None:
    """Warn if most columns have the same variance, so that variances cannot tell directions."""
    ordered = np.sort(variances)
    most = len(ordered) // 2 + 1  # of these, the middle one is one
    first, last = np.searchsorted(
        ordered, ordered[len(ordered) // 2] * np.array([1 - EQUAL_VARIANCES, 1 + EQUAL_VARIANCES])
    )
    if last - first >= max(most, 2):
        share = "all" if last - first == len(ordered) else f"{last - first} of {len(ordered)}"
        warn(
            f"{share} columns have the same variance, as after standardisation: directions are "
            "found by the columns' variances, and the graph may be no better than an empty one. "
            "Use the columns in their common unit."
        )


def warn_of_floor(
    on_floor: np.ndarray, sigma: float | np.ndarray, names: Sequence[str], where: str
) -> None:
    """Warn if noise levels sigma (d,) are no estimates but bounds, at nodes marked by on_floor."""
    nodes = np.flatnonzero(on_floor)
    if len(nodes):
        levels = np.broadcast_to(sigma, len(names))[nodes]
        listed = in_words(nodes, names, [f"{value:.1e}" for value in levels])
        warn(
            f"the noise level of {listed} is at its floor, {where}: parents determine the node, as "
            "where a column is computed from others or rows are few. Leave such columns out, use "
            "more rows or a larger penalty, or forbid edges."
        )


def in_words(nodes: Iterable[int], names: Sequence[str], values: Iterable[str]) -> str:
    """The first few nodes by name, each with its value in brackets."""
    listed = [f"{names[j]!r} ({value})" for j, value in zip(nodes, values, strict=True)]
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
