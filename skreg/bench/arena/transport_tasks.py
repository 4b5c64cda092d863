"""Two clouds of points, ways to sparse plans between them, and what is measured.

A method is a function of a `Problem` that returns what is measured, or None where it has no answer.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from skreg.transport import sparse_transport
from skreg.transport._envelope import Problem

RELAXED, SPARSE, DUAL = "relaxed", "k-sparse", "dual"
BY_VALUE, BY_GRADIENT = "L-BFGS, stopped by value", "L-BFGS, stopped by gradient"
POT_DUAL, POT_SEMI_DUAL = "POT, dual", "POT, semi-dual"
EMD, QUADRATIC = "POT, EMD + quadratic", "POT, quadratic"

KS = (1, 2, 4, 8, 10, 16, 32, 200)
LARGEST_ERROR = 1e-6  # of the marginals, where a plan counts as one
ROUNDING = 1e-16  # an error that is drawn on a logarithmic axis
SMOOTH_OT = {"semi-dual": "smooth_ot_semi_dual", "dual": "smooth_ot_dual"}

Measured = dict[str, float] | None
Method = Callable[[Problem], Measured]


def clouds(
    seed: int, *, n_sources: int, n_targets: int, k: int, gamma: float = 1.0, dtype: Any = float
) -> Problem:
    """Normal points of equal mass in the plane; costs are squared distances over their largest."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n_sources, 2)), rng.normal(size=(n_targets, 2)) + 1.0
    C = cdist(x, y, "sqeuclidean")
    a, b = np.full(n_sources, 1.0 / n_sources), np.full(n_targets, 1.0 / n_targets)
    return Problem((C / C.max()).astype(dtype), a, b, k, gamma)


def several_k(seed: int, *, ks: tuple[int, ...] = KS) -> list[Problem]:
    """The setting of 200 points to 20."""
    return [clouds(seed, n_sources=200, n_targets=20, k=k) for k in ks]


def measure(
    problems: list[Problem], methods: Mapping[str, Method], _seed: int
) -> Iterator[dict[str, Any]]:
    for problem in problems:
        for name, method in methods.items():
            measured = method(problem)
            if measured is not None:
                yield {"method": name, "k": problem.k} | measured


def marginal_error(problem: Problem, plan: Any) -> float:
    """L1 distance of row and column sums to the masses."""
    rows, columns = (np.asarray(plan.sum(axis=axis)).ravel() for axis in (1, 0))
    error = np.abs(rows - problem.a).sum() + np.abs(columns - problem.b).sum()
    return max(float(error), ROUNDING)


def about_plan(problem: Problem, plan: np.ndarray) -> dict[str, float]:
    """Marginal error, and by how much the fullest column exceeds k entries."""
    error = marginal_error(problem, plan)
    return {"error": error, "excess": max(int((plan > 0).sum(axis=0).max()) - problem.k, 0)}


def ours(recovery: Literal["relaxed", "k_sparse", "dual"]) -> Method:
    """`sparse_transport`; no answer where it refuses a k that is too small by counting."""

    def solved(problem: Problem) -> Measured:
        cost, a, b, k, gamma = problem
        if recovery == "k_sparse" and len(a) > k * len(b):
            return None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = sparse_transport(a, b, cost, max_nz=k, gamma=gamma, recovery=recovery)
        measured = about_plan(problem, found.plan.toarray())
        silent = measured["error"] > LARGEST_ERROR and not caught
        return measured | {
            "value": found.value, "dual_value": found.dual_value, "silent": float(silent),
        }  # fmt: skip

    return solved


def plain_lbfgs(max_iter: int, **tolerances: float) -> Method:
    """scipy's L-BFGS from zero on the plain dual."""

    def solved(problem: Problem) -> Measured:
        n_sources, n_targets = problem.cost.shape

        def negated(potentials: np.ndarray) -> tuple[float, np.ndarray]:
            point = problem.bound(*np.split(potentials, [n_sources]))
            return -point.value, -np.concatenate([point.missing_rows, point.missing_columns])

        found = minimize(
            negated, np.zeros(n_sources + n_targets), jac=True, method="L-BFGS-B",
            options={"maxiter": max_iter, "maxfun": 100 * max_iter, **tolerances},
        )  # fmt: skip
        error = max(float(np.abs(found.jac).sum()), ROUNDING)
        return {"error": error, "dual_value": -found.fun, "iterations": found.nit}

    return solved


def pot_plan(problem: Problem, kind: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Plan and log of POT's solvers as they come: L-BFGS, at most 500 iterations, stopThr 1e-9.

    They print shapes of arrays.
    """
    import ot.smooth

    cost, a, b, k, gamma = problem
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(ot.smooth, SMOOTH_OT[kind])(
            a, b, cost, gamma, reg_type="sparsity_constrained", max_nz=k, log=True
        )


def pot(kind: str) -> Method:
    """POT's solvers; its dual has no answer for k = n, where it fails."""

    def solved(problem: Problem) -> Measured:
        if kind == "dual" and problem.k == len(problem.a):
            return None
        plan, log = pot_plan(problem, kind)
        iterations = {"dual_value": -log["res"].fun, "iterations": log["res"].nit}
        return about_plan(problem, plan) | iterations

    return solved


def pot_emd(problem: Problem) -> Measured:
    """EMD + gamma/2 sum b^2, where k = 1 must end."""
    import ot

    if problem.k > 1:
        return None
    emd = ot.emd2(problem.a, problem.b, problem.cost)
    return {"value": emd + 0.5 * problem.gamma * problem.b @ problem.b}


def pot_quadratic(problem: Problem) -> Measured:
    """POT's quadratically regularised transport, where k = n must end."""
    import ot.smooth

    cost, a, b, k, gamma = problem
    if k < len(a):
        return None
    log = ot.smooth.smooth_ot_semi_dual(
        a, b, cost, gamma, reg_type="l2", stopThr=1e-14, numItermax=5000, log=True
    )[1]
    return {"value": -log["res"].fun}


PLANS: dict[str, Method] = {
    RELAXED: ours("relaxed"),
    SPARSE: ours("k_sparse"),
    DUAL: ours("dual"),
    BY_VALUE: plain_lbfgs(500, ftol=1e-9, gtol=1e-9),
    BY_GRADIENT: plain_lbfgs(2000, ftol=0.0, gtol=1e-6),
    POT_DUAL: pot("dual"),
    POT_SEMI_DUAL: pot("semi-dual"),
    EMD: pot_emd,
    QUADRATIC: pot_quadratic,
}
