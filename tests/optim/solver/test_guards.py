"""What stands between a wrong number and a certificate, each guard alone."""

import cvxpy as cp
import numpy as np

from skreg.optim import L1, Huber, Logistic, NonNegative, Quadratic, solve
from skreg.optim.kernels._newton import solve_positive
from skreg.optim.solver import _steps
from skreg.optim.solver._free_directions import project_dual
from skreg.optim.solver._problem import make_problem

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))


def test_a_dual_point_that_cannot_be_moved_is_not_called_orthogonal():
    """All residuals lie beyond delta: u = delta everywhere, and sum_i s_i u_i = delta, not 0."""
    problem = make_problem(X, np.zeros(30), Huber(1.0), L1(0.1), None, True)
    constant = np.ones((1, 1))
    prediction, dual = np.full((1, 30), 5.0), np.ones((1, 30))
    assert not project_dual(problem, prediction, dual, constant)[1]
    moved, orthogonal = project_dual(problem, np.full((1, 30), 0.5), 0.5 * dual, constant)
    assert orthogonal
    assert abs(moved @ problem.weight) <= 1e-12


def test_a_value_above_the_objective_certifies_nothing(monkeypatch):
    monkeypatch.setattr(_steps, "_best_values", lambda *given: (1.0, 2.0, 1.0))
    y = np.sign(X[:, 0])
    assert not solve(X, y, Logistic(), L1(0.1), max_iter=3).converged


def test_predictions_that_are_rounding_certify_nothing():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first, difference = rng.normal(size=(2, 50))
        twins = np.c_[first, first + 3e-14 * difference]
        found = solve(twins, first + 2 * difference + rng.normal(size=50), Quadratic(), L1(0.0))
        assert found.gap == np.inf
        assert not found.converged


def test_a_start_is_moved_to_where_the_penalty_is_finite():
    y = np.sign(X[:, 0] + RNG.normal(size=30))
    found = solve(
        X, y, Logistic(), NonNegative(0.01), coef_init=np.array([0.1, -0.2, 0.0]), max_iter=0
    )
    np.testing.assert_allclose(found.coef, [0.1, 0.0, 0.0])


def test_a_singular_system_is_solved_in_the_unit_of_every_coordinate():
    unit = np.array([1e-6, 1e-6, 1e6])
    matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) * np.outer(unit, unit)
    rhs = unit * np.array([2.0, 2.0, 3.0])
    solution = solve_positive(matrix.copy(), rhs)
    np.testing.assert_allclose(matrix @ solution / unit, rhs / unit, rtol=1e-6)


def test_the_drift_of_gradients_that_were_not_computed_anew_is_part_of_the_certificate():
    """From 0.1 the gauge of a block goes to 0.83 when the free column takes its part of the target.

    Nothing makes the solver look at it again, and the one nonzero coefficient lies beyond its
    optimum, with a gauge of 0.3: scaled by that, the dual point would give twice the optimum.
    """
    free, seen_once, beyond = np.sqrt(3.0) * np.array([[1.0, 0.0, 0.0], [5.0, 0.5, 2.6], [0, 0, 1]])
    X, y = np.c_[free, seen_once, beyond], np.sqrt(3.0) * np.array([-0.146, 0.1, 1.8])
    found = solve(
        X, y, Quadratic(), L1(1.0, np.array([0.0, 1.0, 1.0])), fit_intercept=False,
        coef_init=np.array([0.0, 0.0, 1.5]), max_iter=0,
    )  # fmt: skip
    w = cp.Variable(3)
    objective = cp.sum_squares(y - X @ w) / 6 + cp.norm1(w[1:])
    best = cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL")
    dual = found.objective - found.gap * np.mean(y**2) / 2
    assert 0.0 < dual <= best
