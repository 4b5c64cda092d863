"""What does not change while one penalty is solved for."""

from typing import NamedTuple

import numpy as np

from skreg.optim.kernels._blocks import members_of, thresholds
from skreg.optim.losses import smoothness
from skreg.optim.penalties import constrained
from skreg.optim.solver._problem import Problem, gap_scale, unpenalised
from skreg.optim.solver._workspace import Columns


class Frame(NamedTuple):
    """A problem with one penalty and one tolerance.

    Attributes
    ----------
    problem : Problem
        The problem, in the solver's units.
    columns : Columns
        Moments of the columns.
    penalty : tuple
        The penalty, as `ready` returns it.
    threshold : ndarray of shape (n_blocks,)
        Radius of each block's subdifferential at 0; 0 for blocks that are not live.
    live : ndarray of shape (n_blocks,)
        Flags of the blocks that may be nonzero: not excluded, with columns that vary.
    fixed : ndarray of shape (n_blocks,)
        Flags of the live blocks that nothing holds back.
    certified : bool
        Whether there is a finite dual bound that the solver can afford.
    gap_scale, kkt_scale : float
        P(0) and the largest entry of the gradient at w = 0, to which certificates are relative.
    smoothness : float
        Lipschitz constant of the loss's gradient; infinite if there is none, and no screening.
    likely : float
        Gauge from which a block probably is in the support.
    tol : float
        Gap (KKT residual where there is none) to reach.
    size : int
        Number of blocks in the first working set.
    """

    problem: Problem
    columns: Columns
    penalty: tuple
    threshold: np.ndarray
    live: np.ndarray
    fixed: np.ndarray
    certified: bool
    gap_scale: float
    kkt_scale: float
    smoothness: float
    likely: float
    tol: float
    size: int


def enter(workspace, penalty, tol, size, previous):
    """Frame of a penalty after `previous`; dead blocks of the workspace's point become zero."""
    problem, columns, state = workspace.problem, workspace.columns, workspace.state
    threshold = thresholds(penalty, len(columns.norm))
    live = np.isfinite(threshold) & np.isfinite(penalty.weights) & (columns.norm > 0.0)
    dead, _ = members_of(problem.blocks, np.flatnonzero(~live))
    state.coef[:, dead] = 0.0
    fixed = unpenalised(penalty) & live
    free, _ = members_of(problem.blocks, np.flatnonzero(fixed))
    state.set_free(free, columns)
    return Frame(
        problem,
        columns,
        penalty,
        threshold=np.where(live, threshold, 0.0),
        live=live,
        fixed=fixed,
        certified=_has_bound(penalty, live) and len(state.free.features) == len(free),
        gap_scale=gap_scale(problem, workspace.null.value),
        kkt_scale=workspace.kkt_scale(),
        smoothness=smoothness(problem.loss),
        likely=_likely_gauge(penalty, previous),
        tol=tol,
        size=size,
    )


def _has_bound(penalty, live):
    """Whether the penalty's conjugate has a neighbourhood of 0 in its domain, but for free blocks.

    A restriction alone holds a block whose weight or strength is 0, and leaves none.
    """
    unweighted = (penalty.weights == 0.0) | (penalty.alpha == 0.0)
    return not (constrained(penalty) and np.any(live & unweighted))


def _likely_gauge(penalty, previous):
    """2 - alpha_previous / alpha: where a gradient at most as steep as so far ends beyond 1.

    That is the sequential strong rule of Tibshirani et al. (2012), which only orders the candidates
    of the first working set here.
    """
    if previous is not None and previous.alpha > penalty.alpha > 0.0:
        return 2.0 - previous.alpha / penalty.alpha
    return np.inf
