"""What is said of a solver that stopped early, or whose coefficients diverge."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._warnings import warn
from skreg.ordinal._likelihood import log_complement, log_cumulative

# log-odds of a boundary that are large, and still move by this much, and by this share, at
# convergence run away
RUNAWAY_LOG_ODDS, RUNAWAY_MOVE, RUNAWAY_SHARE = 8.0, 0.5, 0.03
# steps towards a finite optimum shrink quadratically, those of predictors that run away do not
SHRINKING = 0.5


def warn_if_not_converged(solution, link, *, tol, max_iter):
    """Say by how much the solver missed its tolerance, or that coefficients diverge."""
    if not solution.converged:
        certified = not np.isnan(solution.dual_gap)
        name = "duality gap" if certified else "violation of the optimality conditions"
        reached = solution.dual_gap if certified else solution.kkt_residual
        advice = (
            "Increase max_iter or tol."
            if solution.n_iter >= max_iter
            else "No step lowers the objective any further: look for extreme numbers in X and in "
            "the offset, or increase tol."
        )
        warn(
            f"The solver stopped after {solution.n_iter} iterations (max_iter={max_iter}): the "
            f"relative {name} is {reached:.3g}, wanted is tol={tol:.3g}. {advice}",
            ConvergenceWarning,
        )
    elif np.isnan(solution.dual_gap) and _runs_away(solution, link):
        warn(
            "The classes are separable or nearly so, and some coefficients are not penalised: "
            "they diverge, and were stopped at the tolerance on the optimality conditions, "
            f"tol={tol:.3g} (relative violation {solution.kkt_residual:.3g}). "
            "Penalise them: alpha > 0, first_penalty > 0 and penalty_weights > 0.",
            ConvergenceWarning,
        )


def _runs_away(solution, link):
    """Whether the largest log-odds of a boundary still grew in the last step, as in that before.

    The step is known as the largest change of a predictor. Log-odds are the predictors of the
    logistic link; those of the others have tails of their own.
    """
    if not solution.last_move < np.inf:
        return False
    if solution.last_move < SHRINKING * solution.move_before < np.inf:
        return False
    point = solution.point
    finite = np.concatenate([side[np.isfinite(side)] for side in (point.a, point.b)])
    ends = np.array([finite.min(), finite.max()])
    log_odds = _log_odds(link, ends)
    inwards = np.array([1.0, -1.0]) * solution.last_move
    moved = np.abs(log_odds - _log_odds(link, ends + inwards))
    farthest = np.abs(log_odds).argmax()
    largest = np.abs(log_odds[farthest])
    moving = moved[farthest] > max(RUNAWAY_MOVE, RUNAWAY_SHARE * largest)
    return moving and largest > RUNAWAY_LOG_ODDS


def _log_odds(link, eta):
    return log_cumulative(link, eta) - log_complement(link, eta)
