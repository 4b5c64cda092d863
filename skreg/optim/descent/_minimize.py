"""The loop that joins partition, selection and update."""

import time
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult

from skreg._progress import counter
from skreg.optim.descent._compose import as_generator, compose
from skreg.optim.descent._graph_state import GraphState
from skreg.optim.descent._run import start_run
from skreg.optim.descent._updates import LipschitzLineSearch, MessagePassing
from skreg.optim.solver._certificate import duality_gap

MESSAGES = {
    0: "The relative residual of the optimality conditions is at most tol.",
    1: "The maximum number of iterations was reached.",
    99: "The callback stopped the iteration.",
}


class BlockCoordinateDescent(NamedTuple):
    """Block coordinate descent, composed of a partition, a selection rule and an update.

    Minimises F(x) = f(x) + penalty(x) by changing one block of coordinates at a time (Nutini,
    Laradji and Schmidt 2022). Each of the three parts is given by name or as an object of
    `skreg.optim.descent`; a combination that cannot work raises ValueError with the reason.

    Parameters
    ----------
    partition : str, sequence of array-like, or object, default="auto"
        Which blocks there are. "variable": any units (`Variable`). Fixed blocks: "order", "sort",
        "average", "hsort", "haverage" (`Order`, `Sort`, `Average`, the last two by row sums of the
        Hessian), "red_black" and "tree" on graphs (`RedBlack`, `Tree`), or the blocks themselves.
        "auto" is "variable".
    selection : str or object, default="auto"
        Which block comes next: "random", "cyclic", "lipschitz", "gs", "gsl", "gsd", "gsq" (on
        variable blocks by forward selection, "gsq_forward", or by "gsq_iht"), "gsn", "gsn_cubic";
        on graphs "greedy_tree", "greedy_tree_lipschitz", "greedy_tree_row_sum" and "random_tree";
        with a penalty "gs_s", "gs_r", "gs_q" and its block forms "gsl_q", "gsd_q", "gsq_q".
        "auto" takes "greedy_tree" for graph problems without a penalty, "gsd" for others without,
        and "gs_q" with one.
    update : str or object, default="auto"
        How far it goes: "gradient", "line_search_lipschitz", "matrix", "newton", "cubic",
        "message_passing"; with a penalty "proximal_gradient", "projected_newton", "two_metric";
        "exact". "auto" takes "message_passing" after "greedy_tree" or with the partition "tree",
        "newton" for other problems without a penalty, "projected_newton" with groups, and
        "two_metric" with another penalty.
    block_size : int, default=None
        Units in a block, for partitions by name. None takes 5 for fixed blocks; for variable ones
        50, or one and a half times the number of nonzeros of a penalised problem if that is more.
    diag : {"lipschitz", "row_sum"}, default="lipschitz"
        Diagonal D of the rules "gsd" and "gsd_q" by name: L_i, or `sum_j |H_ij|`.
    max_iter : int, default=500
        Largest number of updates.
    tol : float, default=1e-6
        Relative residual of the optimality conditions at which to stop: the largest distance of
        minus the gradient to the subdifferential of the penalty, divided by the largest gradient
        entry of f at x = 0. It is looked at in every iteration where the rule needs the whole
        gradient, and once for every pass over the units otherwise.
    random_state : int, RandomState instance or Generator, default=None
        Randomness of "random", "cyclic", "lipschitz" and "random_tree".
    callback : callable, default=None
        Called as ``callback(intermediate_result)`` after every update with an `OptimizeResult` of
        x (a copy), fun, nit and the last entry of the history. Raising StopIteration ends the run.
    verbose : int, default=0
        1 counts the updates on stderr; needs tqdm.

    See Also
    --------
    skreg.optim.solve : The fastest way to a certified answer of a sparse linear model.

    Notes
    -----
    Greedy rules keep the gradient up to date instead of recomputing it: for least squares by rows
    of the Gram matrix, kept once computed, for other losses through the samples that an update
    touches.

    References
    ----------
    .. [1] J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block Coordinate Descent Converge Faster:
       Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence",
       JMLR 23, 2022.

    Examples
    --------
    A chain of three nodes is a tree, so that one exact block update solves it:

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic
    >>> A = csr_array([[2.0, -1.0, 0.0], [-1.0, 3.0, -1.0], [0.0, -1.0, 2.0]])
    >>> result = BlockCoordinateDescent().minimize(GraphQuadratic(A, [1.0, 2.0, 3.0]))
    >>> result.x, result.nit
    (array([1.5, 2. , 2.5]), 1)

    Nonnegative least squares with an L1 penalty finds its support, then finishes at once:

    >>> from skreg.optim import NonNegative
    >>> from skreg.optim.descent import LeastSquares
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 200))
    >>> y = X[:, :3].sum(axis=1)
    >>> result = BlockCoordinateDescent().minimize(LeastSquares(X, y, NonNegative(20.0)))
    >>> result.success, np.flatnonzero(result.x)
    (True, array([0, 1, 2]))
    """

    partition: Any = "auto"
    selection: Any = "auto"
    update: Any = "auto"
    block_size: int | None = None
    diag: str = "lipschitz"
    max_iter: int = 500
    tol: float = 1e-6
    random_state: Any = None
    callback: Any = None
    verbose: int = 0

    def minimize(self, problem: Any, x0: Any = None) -> OptimizeResult:
        """Minimise a problem.

        Parameters
        ----------
        problem : LeastSquares, Logistic, Multinomial, GraphQuadratic or GraphHuber
            Smooth part, data and penalty.
        x0 : array-like of shape (n,), default=None
            Start; zeros if None.

        Returns
        -------
        scipy.optimize.OptimizeResult
            With x, fun, nit, status (0 converged, 1 max_iter, 99 stopped), success, message and

            - history: one dict for the start and for every iteration, with iteration, fun, block
              (coordinates), nnz, certificate (relative residual, nan where it was not computed),
              operations (entries of the data touched) and seconds;
            - certificate: relative residual of the optimality conditions at x;
            - gap: relative duality gap of a penalised problem with a design, nan where there is
              none;
            - identified_at: the iteration after which the pattern of zeros stayed as it is at the
              end;
            - parts: the partition, selection and update in use, by these names.

        Raises
        ------
        ValueError
            If the problem is malformed, a parameter is out of range, or the parts do not fit
            together or to the problem.
        """
        parts = compose(self, problem)
        rng = as_generator(self.random_state)
        run = start_run(problem, x0, parts.needs_gradient, rng)
        prepare(run, parts)
        certify = _Certificate(run, self.tol)
        clock = time.perf_counter()
        history = [_entry(run, None, certify(), clock)]
        status = 0 if certify.converged else 1
        with counter(verbose=self.verbose, by="BlockCoordinateDescent") as count:
            while status == 1 and run.iteration < self.max_iter:
                run.iteration += 1
                block = parts.selection.choose(run)
                run.move(block, parts.update.step(run, block))
                history.append(_entry(run, block.coordinates, certify(), clock))
                if certify.converged:
                    status = 0
                if self.callback is not None and _asks_to_stop(self.callback, run, history[-1]):
                    status = 99
                count()
        return _result(run, history, certify.final(), status, parts)


def prepare(run, parts):
    """Fix the blocks, and set up what the parts keep between iterations."""
    run.partition = parts.partition
    run.queue = run.inverses = run.lipschitz_of_blocks = run.largest_eigenvalue = None
    if parts.needs_graph or isinstance(run.state, GraphState):
        run.graph = run.state.adjacency()
    run.fix_blocks(parts.partition)
    if isinstance(parts.update, LipschitzLineSearch):
        run.estimates = np.ones(len(run.state.x))
    if isinstance(parts.update, MessagePassing):
        for block in run.blocks or ():
            run.forest_solver(block, parts.update.hessian_kind(run))


class _Certificate:
    """Relative residual of the optimality conditions, computed as often as it is cheap."""

    def __init__(self, run, tol):
        self.run, self.tol = run, tol
        self.scale = run.state.null_gradient_size() or 1.0
        self.converged = False
        size = len(run.ids)
        if run.blocks is not None:
            per_pass = len(run.blocks)
        else:
            per_pass = -(-size // min(run.partition.size or 50, size))
        self.every = 1 if run.state.keep_gradient else per_pass

    def __call__(self):
        if self.run.iteration % self.every:
            return np.nan
        value = self.run.kkt() / self.scale
        if value <= self.tol and self.run.state.keep_gradient and self.run.iteration:
            self.run.refresh()
            value = self.run.kkt() / self.scale
        self.converged = value <= self.tol
        return value

    def final(self):
        """The residual at the end, free of rounding drift."""
        self.run.refresh()
        return self.run.kkt() / self.scale


def _entry(run, block, certificate, clock):
    return {
        "iteration": run.iteration,
        "fun": run.objective,
        "block": block,
        "nnz": run.nnz,
        "certificate": certificate,
        "operations": run.state.operations,
        "seconds": time.perf_counter() - clock,
    }


def _asks_to_stop(callback, run, entry):
    intermediate = OptimizeResult(x=run.state.x.copy(), nit=run.iteration, **entry)
    try:
        callback(intermediate)
    except StopIteration:
        return True
    return False


def _gap(run):
    """Relative duality gap of a penalised problem with a design."""
    if not run.penalised or isinstance(run.state, GraphState):
        return np.nan
    state, smooth = run.state, run.state.problem
    penalty = run.problem.penalty
    penalty = penalty._replace(alpha=penalty.alpha / state.weight.sum())
    weights = state.x.reshape(state.n_features, state.n_classes)
    target = smooth.target.T if state.n_classes > 1 else smooth.target[0]
    return duality_gap(
        smooth.design, target, smooth.loss, penalty, weights.T if state.n_classes > 1 else state.x,
        sample_weight=smooth.weight, fit_intercept=False,
    ).gap  # fmt: skip


def _result(run, history, certificate, status, parts):
    history[-1] = {**history[-1], "fun": run.objective, "certificate": certificate}
    return OptimizeResult(
        x=run.state.x,
        fun=run.objective,
        nit=run.iteration,
        status=status,
        success=status == 0,
        message=MESSAGES[status],
        history=history,
        certificate=certificate,
        gap=_gap(run),
        identified_at=run.identified_at,
        parts=parts,
    )
