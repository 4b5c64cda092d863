"""What is said of a solver that stopped early, or whose coefficients diverge."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._warnings import warn

# a large predictor that still moves by this much, and by this share, at convergence runs away
RUNAWAY_PREDICTOR, RUNAWAY_MOVE, RUNAWAY_SHARE = 8.0, 0.5, 0.03


def warn_if_not_converged(solution, *, tol, max_iter):
    """Say by how much the solver missed its tolerance, or that coefficients diverge."""
    if not solution.converged:
        certified = not np.isnan(solution.dual_gap)
        name = "duality gap" if certified else "violation of the optimality conditions"
        reached = solution.dual_gap if certified else solution.kkt_residual
        warn(
            f"The solver stopped after {solution.n_iter} iterations (max_iter={max_iter}): the "
            f"relative {name} is {reached:.3g}, wanted is tol={tol:.3g}. Increase max_iter or tol.",
            ConvergenceWarning,
        )
    elif np.isnan(solution.dual_gap) and _runs_away(solution):
        warn(
            "The classes are separable or nearly so, and some coefficients are not penalised: "
            "they diverge, and were stopped at the tolerance on the optimality conditions, "
            f"tol={tol:.3g} (relative violation {solution.kkt_residual:.3g}). "
            "Penalise them: alpha > 0, first_penalty > 0 and penalty_weights > 0.",
            ConvergenceWarning,
        )


def _runs_away(solution):
    point = solution.point
    largest = max(
        np.abs(point.a[np.isfinite(point.a)]).max(), np.abs(point.b[np.isfinite(point.b)]).max()
    )
    moving = max(RUNAWAY_MOVE, RUNAWAY_SHARE * largest) < solution.last_move < np.inf
    return moving and largest > RUNAWAY_PREDICTOR
