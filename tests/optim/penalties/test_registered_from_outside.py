"""Losses and penalties from outside: solved and certified as themselves, or refused by name."""

import inspect
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest

from skreg.optim import L1, Logistic, Multinomial, Poisson, Quadratic, duality_gap, losses, solve
from skreg.optim import penalties as functions
from skreg.optim.descent import BlockCoordinateDescent, LeastSquares


@functions.entrywise
@functions.finite
@functions.without_ridge
class TiltedL1(NamedTuple):
    """alpha sum_j (3 max(w_j, 0) + max(-w_j, 0))."""

    alpha: float
    weights: np.ndarray | None = None
    up: float = 3.0


class Unfinished(NamedTuple):
    """A penalty without a conjugate."""

    alpha: float
    weights: np.ndarray | None = None


@functions.block_value.register(TiltedL1)
def _(penalty, b, w):
    total = 0.0
    for i in range(w.shape[0]):
        total += penalty.alpha * (penalty.up * w[i] if w[i] > 0.0 else -w[i])
    return total


@functions.block_prox.register(TiltedL1)
def _(penalty, b, v, step):
    for i in range(v.shape[0]):
        high, low = step * penalty.alpha * penalty.up, step * penalty.alpha
        v[i] = v[i] - high if v[i] > high else min(v[i] + low, 0.0)


@functions.block_distance.register(TiltedL1)
def _(penalty, b, w, q):
    distance = 0.0
    for i in range(w.shape[0]):
        high, low = penalty.alpha * penalty.up, penalty.alpha
        if w[i] > 0:
            distance = max(distance, abs(q[i] - high))
        elif w[i] < 0:
            distance = max(distance, abs(q[i] + low))
        else:
            distance = max(distance, q[i] - high, -q[i] - low)
    return distance


@functions.block_threshold.register(TiltedL1)
def _(penalty, b):
    return penalty.alpha


@functions.block_gauge.register(TiltedL1)
def _(penalty, b, q):
    gauge = 0.0
    for i in range(q.shape[0]):
        gauge = max(gauge, q[i] / (penalty.alpha * penalty.up), -q[i] / penalty.alpha)
    return gauge


@functions.face_gradient.register(TiltedL1)
def _(penalty, b, w, out):
    for i in range(w.shape[0]):
        out[i] = penalty.alpha * penalty.up if w[i] > 0 else -penalty.alpha


def test_it_is_solved_and_certified_as_itself():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    y = X[:, :3] @ [1.0, 1.0, -1.0] + 0.1 * rng.normal(size=60)
    w, b = cp.Variable(8), cp.Variable()
    penalty = 0.05 * cp.sum(3 * cp.pos(w) + cp.neg(w))
    problem = cp.Problem(cp.Minimize(cp.sum_squares(y - X @ w - b) / 120 + penalty))
    best = problem.solve(solver="CLARABEL")
    found = solve(X, y, Quadratic(), TiltedL1(0.05), tol=1e-10)
    assert found.objective == pytest.approx(best, rel=1e-8)
    certificate = duality_gap(X, y, Quadratic(), TiltedL1(0.05), found.coef, found.intercept)
    assert certificate.primal == pytest.approx(best, rel=1e-8)
    assert abs(certificate.gap) <= 1e-9
    elsewhere = duality_gap(X, y, Quadratic(), TiltedL1(0.05), 0.9 * found.coef, found.intercept)
    assert elsewhere.dual <= best * (1 + 1e-9)
    assert elsewhere.gap > 1e-4


@pytest.mark.parametrize("function", [solve, lambda *p: duality_gap(*p, np.zeros(2))])
def test_a_penalty_without_its_functions_is_refused_by_name(function):
    with pytest.raises(TypeError, match=r"Unfinished is no penalty .* it lacks .*block_conjugate"):
        function(np.ones((3, 2)), np.ones(3), Quadratic(), Unfinished(0.1))


@pytest.mark.parametrize("update", ["two_metric", "projected_newton", "proximal_gradient"])
def test_block_coordinate_descent_takes_it_as_it_is(update):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 8))
    y = X[:, :3] @ [1.0, 0.1, -1.0] + 0.5 * rng.normal(size=60)
    best = solve(X, y, Quadratic(), TiltedL1(0.2), fit_intercept=False, tol=1e-12)
    problem = LeastSquares(X, y, TiltedL1(0.2 * 60))
    found = BlockCoordinateDescent(update=update, tol=1e-10).minimize(problem)
    assert found.success
    assert found.fun == pytest.approx(60 * best.objective, rel=1e-9)
    np.testing.assert_allclose(found.x, best.coef, atol=1e-7)


class Unknown(NamedTuple):
    """A loss without functions."""


@losses.of_one_output
@losses.of_residuals
class Half(NamedTuple):
    """A loss that says of itself only what residuals share."""


@pytest.mark.parametrize("function", [solve, lambda *p: duality_gap(*p, np.zeros(2))])
@pytest.mark.parametrize(
    ("loss", "lacks"),
    [(Unknown(), "loss_value.*couples_outputs.*is_half_square"), (Half(), "lacks loss_value")],
)
def test_a_loss_that_lacks_a_function_or_trait_is_refused_by_name(function, loss, lacks):
    with pytest.raises(TypeError, match=rf"{type(loss).__name__} is no loss .* {lacks}"):
        function(np.ones((3, 2)), np.ones(3), loss, L1(0.1))


class Coupled(NamedTuple):
    """A loss that couples outputs, but does not say by which probabilities."""


def _says_yes(function):
    def body(*given):
        return True

    body.__signature__ = inspect.signature(function)
    return body


for _function in losses.LOSS_FUNCTIONS:
    _function.register(Coupled)(_says_yes(_function))


def test_a_loss_that_couples_outputs_must_have_probabilities():
    with pytest.raises(TypeError, match="it lacks probabilities"):
        solve(np.ones((3, 2)), np.ones(3), Coupled(), L1(0.1))


@pytest.mark.parametrize(
    ("loss", "target", "told"),
    [
        (Logistic(), [0.0, 1.0, 1.0], r"Logistic .* target \[0\.\] of sample 0"),
        (Poisson(), [1.0, 2.0, -1.0], r"Poisson .* target \[-1\.\] of sample 2"),
        (Multinomial(), np.eye(3) * 2.0, r"Multinomial .* target \[2\. 0\. 0\.\]"),
        (Quadratic(), [1.0, np.nan, 2.0], r"Quadratic .* target \[nan\] of sample 1"),
    ],
)
def test_a_target_that_the_loss_is_not_defined_for_is_refused(loss, target, told):
    with pytest.raises(ValueError, match=told):
        solve(np.ones((3, 2)), np.asarray(target), loss, L1(0.1))


def test_targets_of_weight_zero_do_not_matter():
    X, y = np.array([[1.0], [2.0], [4.0], [5.0]]), np.array([1.0, -1.0, 1.0, 0.0])
    found = solve(X, y, Logistic(), L1(0.1), sample_weight=np.array([1.0, 1.0, 1.0, 0.0]))
    assert found.objective == pytest.approx(solve(X[:3], y[:3], Logistic(), L1(0.1)).objective)


def test_a_point_that_the_penalty_forbids_has_an_infinite_gap():
    from skreg.optim import NonNegative

    X, y = np.eye(3), np.array([1.0, -1.0, 2.0])
    coef = np.array([0.5, -0.5, 0.0])
    assert duality_gap(X, y, Quadratic(), NonNegative(0.1), coef).gap == np.inf
    excluded = L1(0.1, np.array([np.inf, 1.0, 1.0]))
    assert duality_gap(X, y, Quadratic(), excluded, coef).gap == np.inf
