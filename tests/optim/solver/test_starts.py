"""A start that the problem does not allow is moved, not believed."""

import numpy as np
import pytest
from scipy.optimize import nnls

from skreg.optim import L1, ElasticNet, GroupL2, Huber, Logistic, NonNegative, Quadratic, solve

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)) + 1.0
Y = X @ [1.0, 2.0, -1.0] + 5.0


def test_negative_coefficients_do_not_survive_a_sign_constraint():
    found = solve(
        X, Y, Quadratic(), NonNegative(0.0), fit_intercept=False,
        coef_init=np.array([0.0, 0.0, -1.0]), tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(found.coef, nnls(X, Y)[0], atol=1e-8)


@pytest.mark.parametrize(
    "penalty",
    [
        L1(0.01, np.array([1.0, np.inf, 1.0])),
        NonNegative(0.01),
        ElasticNet(0.01, 0.5, np.array([np.inf, 0.5, 1.0])),
        GroupL2(0.01, np.array([0, 0, 1]), np.array([np.inf, 1.0])),
    ],
)
@pytest.mark.parametrize("loss", [Quadratic(), Huber(0.5), Logistic()])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("rows", [40, 2], ids=["tall", "short"])
def test_a_warm_start_ends_where_a_cold_one_does(penalty, loss, fit_intercept, rows):
    y = np.sign(Y - 6.0) if isinstance(loss, Logistic) else Y
    problem = X[:rows], y[:rows], loss, penalty
    cold = solve(*problem, fit_intercept=fit_intercept, tol=1e-10)
    warm = solve(
        *problem, fit_intercept=fit_intercept, tol=1e-10, coef_init=np.array([-3.0, -4.0, 2.0]),
        intercept_init=7.0, memory_budget=0,
    )  # fmt: skip
    assert warm.converged
    assert warm.objective == pytest.approx(cold.objective, rel=1e-8, abs=1e-9)
    np.testing.assert_array_equal(warm.coef == 0.0, cold.coef == 0.0)
    if not fit_intercept:
        assert warm.intercept == 0.0
