"""Solve for one penalty: working sets around coordinate descent, with a certificate.

One iteration evaluates the gradient where it may matter, certifies the current point by its duality
gap, discards blocks that the gap proves to be zero, chooses a working set and solves the problem
on it well enough.
"""

import numpy as np

from skreg.optim.solver import _steps as steps
from skreg.optim.solver._frame import enter
from skreg.optim.solver._solution import solution

# Rounds in a row without a changed coefficient after which there is only rounding left. One is no
# proof: it may have moved the intercepts alone, as those of a Huber loss whose samples all lie on
# its linear part do, and the next asks for more of the same working set.
MOST_IDLE = 3


@np.errstate(over="ignore", invalid="ignore")
def descend(workspace, penalty, tol, max_iter, size, previous):
    """Solve for one penalty from the workspace's point; returns a Solution.

    Trial steps whose loss overflows are rejected like any other that does not decrease it.
    """
    frame = enter(workspace, penalty, tol, size, previous)
    search = steps.Search(frame)
    while True:
        view = steps.look(workspace, frame, search)
        verdict = steps.certify(workspace, frame, view)
        if verdict.converged or search.n_iter >= max_iter or search.idle > MOST_IDLE:
            break
        steps.screen(workspace, frame, search, view, verdict)
        working, accuracy = steps.choose(workspace, frame, search, verdict)
        steps.solve(workspace, frame, search, working, accuracy, verdict.objective)
    state = workspace.state
    return solution(
        workspace.problem, state.coef, state.intercept, verdict.objective, verdict.gap,
        verdict.kkt, search.n_iter, verdict.converged,
    )  # fmt: skip
