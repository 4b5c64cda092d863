"""A penalty that skreg does not know by name is solved and certified through its functions."""

from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest

from skreg.optim import Quadratic, duality_gap, solve
from skreg.optim import penalties as functions


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


@functions.block_conjugate.register(TiltedL1)
def _(penalty, b, q):
    return 0.0


@functions.block_ridge.register(TiltedL1)
def _(penalty, b):
    return 0.0


@functions.face_gradient.register(TiltedL1)
def _(penalty, b, w, out):
    for i in range(w.shape[0]):
        out[i] = penalty.alpha * penalty.up if w[i] > 0 else -penalty.alpha


@functions.face_curvature.register(TiltedL1)
def _(penalty, b, w):
    return 0.0, 0.0


@functions.face_return.register(TiltedL1)
def _(penalty, b, old, new):
    for i in range(old.shape[0]):
        if old[i] * new[i] < 0.0:
            new[i] = 0.0


@functions.separable.register(TiltedL1)
def _(penalty):
    return True


@functions.constrained.register(TiltedL1)
def _(penalty):
    return False


@functions.ridge_share.register(TiltedL1)
def _(penalty):
    return 0.0


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


def test_a_point_that_the_penalty_forbids_has_an_infinite_gap():
    from skreg.optim import L1, NonNegative

    X, y = np.eye(3), np.array([1.0, -1.0, 2.0])
    coef = np.array([0.5, -0.5, 0.0])
    assert duality_gap(X, y, Quadratic(), NonNegative(0.1), coef).gap == np.inf
    excluded = L1(0.1, np.array([np.inf, 1.0, 1.0]))
    assert duality_gap(X, y, Quadratic(), excluded, coef).gap == np.inf
