"""Cold starts at small penalties: a rough pass through larger ones."""

import numpy as np

from skreg.optim.kernels._designs import is_dense
from skreg.optim.solver._descend import descend
from skreg.optim.solver._problem import gap_scale

STAGE_RATIO = 3.0  # of the strengths of neighbouring stages; between 2 and 5 it hardly matters
FAR_FROM_ZERO = 20.0  # ratio of alpha's maximum to alpha from which stages pay
MOST_STAGES = 40  # far beyond, where alpha is next to nothing, they no longer order features
STAGE_TOL = 1e-2  # of what the stage before left unexplained


def approach(workspace, penalty, tol, max_iter, size):
    """Pass roughly through larger penalties; returns the last one and the number of working sets.

    A gap is rough in relation to what the stage before left unexplained: where hardly any noise is
    in the target, one relative to P(0) would soon accept any point. One working set is left over.
    """
    scale = gap_scale(workspace.problem, workspace.null.value)
    last, used, unexplained = None, 0, 1.0
    for stage in _stages(workspace, penalty):
        if used + 1 >= max_iter:
            break
        rough = max(STAGE_TOL * unexplained, tol)
        found = descend(workspace, stage, rough, max_iter - used - 1, size, last)
        last, used, unexplained = stage, used + found.n_iter, found.objective / scale
    return last, used


def _stages(workspace, penalty):
    """Larger penalties on the way from w = 0 to a small one.

    A cold start at a small alpha would fill the working set with features that only the first
    gradient makes look good.
    """
    dense = is_dense(workspace.problem.design)
    if penalty.alpha == 0.0 or workspace.state.coef.any() or not dense:
        return []
    largest = largest_gauge(workspace, penalty)
    if largest < FAR_FROM_ZERO:
        return []
    count = int(np.ceil(np.log(max(largest, 1.0)) / np.log(STAGE_RATIO))) - 1
    count = min(count, MOST_STAGES)
    return [
        penalty._replace(alpha=penalty.alpha * float(largest) ** (k / (count + 1)))
        for k in range(count, 0, -1)
    ]


def largest_gauge(workspace, penalty):
    """Largest gauge of the penalised blocks at the workspace's gradient and coefficients of 0."""
    gradients = workspace.gradients
    live = np.flatnonzero((workspace.columns.norm > 0.0) & np.isfinite(penalty.weights))
    gradients.scan(penalty, live, np.zeros_like(workspace.state.coef))
    return gradients.gauge[live].max(initial=0.0)
