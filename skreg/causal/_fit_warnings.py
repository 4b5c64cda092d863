"""What a fit warns of: variances that tell no directions, noise levels that are no estimates,
paths that did not end where they should.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._warnings import warn
from skreg.causal._central_path import PathSolution

LARGEST_H = 1e-2
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


def warn_of_cycles(h: float, remedy: str) -> None:
    """Warn if the weights at the end of the path are far from those of an acyclic graph."""
    if not h <= LARGEST_H:
        warn(
            f"the weights before thresholding are far from an acyclic graph, h_={h:.1e} "
            f"instead of {LARGEST_H:g} or less, and edges were dropped from their cycles. {remedy}",
            ConvergenceWarning,
        )


def warn_of_no_convergence(solution: PathSolution, tol: float, remedy: str) -> None:
    """Warn if the last stage of the path ended before its objective stood still."""
    if solution.rate_vanished:
        reason = "its steps kept leaving the domain of the acyclicity function"
    elif not solution.converged:
        last = solution.checkpoints[-2:]
        change = abs(last[0].objective - last[-1].objective) / abs(last[0].objective)
        reason = (
            f"after {solution.n_iter[-1]} iterations its objective still changed by the share "
            f"{change:.1e} between two checkpoints, more than tol={tol:g}"
            if len(last) == 2
            else f"{solution.n_iter[-1]} iterations do not reach a second checkpoint"
        )
    else:
        return
    warn(f"the last stage did not converge: {reason}. {remedy}", ConvergenceWarning)


def in_words(nodes: Iterable[int], names: Sequence[str], values: Iterable[str]) -> str:
    """The first few nodes by name, each with its value in brackets."""
    listed = [f"{names[j]!r} ({value})" for j, value in zip(nodes, values, strict=True)]
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
