"""Every penalty of the room against brute-force minimisation, finite differences and itself.

A new file of the room is tested here the day it exists.
"""

import numpy as np
import pytest
from scipy.optimize import minimize

from skreg._jit import kernel
from skreg.optim import Quadratic, duality_gap, solve
from skreg.optim.kernels._blocks import Blocks
from skreg.optim.penalties import (
    PENALTIES,
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    checked,
    face_curvature,
    face_gradient,
    face_return,
)

ONE = np.array([0.8])
BLOCK = Blocks(np.array([0, 3]), np.arange(3))  # all three entries together


def _variants():
    """Each penalty as it comes, and with a square where it has a share of one."""
    for name, cls in PENALTIES.items():
        yield name, cls(alpha=0.5, weights=ONE)
        if "l1_ratio" in cls._fields:
            yield f"{name} and square", cls(alpha=0.5, weights=ONE, l1_ratio=0.6)


VARIANTS = dict(_variants())
CASES = pytest.mark.parametrize(
    "penalty", [checked(penalty, BLOCK) for penalty in VARIANTS.values()], ids=VARIANTS.keys()
)


def _points(penalty):
    """Points at which the penalty is finite."""
    rng = np.random.default_rng(0)
    for scale in (0.05, 0.5, 3.0):
        for w in (np.abs(rng.normal(size=3)) * scale, rng.normal(size=3) * scale):
            if np.isfinite(block_value(penalty, 0, w)):
                yield w


def _smallest(objective, starts):
    return min(
        minimize(objective, x0, method="Nelder-Mead",
                 options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000}).fun
        for x0 in starts if np.isfinite(objective(x0))
    )  # fmt: skip


@CASES
def test_prox_minimises_its_objective(penalty):
    rng = np.random.default_rng(1)
    for scale in (0.1, 0.5, 3.0):
        v, step = rng.normal(size=3) * scale, 0.7

        def objective(x, v=v, step=step):
            return 0.5 * np.sum((x - v) ** 2) + step * block_value(penalty, 0, x)

        found = v.copy()
        block_prox(penalty, 0, found, step)
        best = _smallest(objective, [np.zeros(3), np.maximum(v, 0.0), found + 0.01])
        assert objective(found) <= best + 1e-12


@CASES
def test_distance_vanishes_exactly_where_the_prox_stands_still(penalty):
    rng = np.random.default_rng(3)
    for w in _points(penalty):
        x = 1.5 * w
        block_prox(penalty, 0, x, 1.0)
        still = 1.5 * w - x  # a subgradient at x
        assert block_distance(penalty, 0, x, still) == pytest.approx(0.0, abs=1e-12)
        for q in still + rng.normal(size=(20, 3)):
            moved = x + q
            block_prox(penalty, 0, moved, 1.0)
            stands = np.abs(moved - x).max() <= 1e-12
            assert (block_distance(penalty, 0, x, q) <= 1e-12) == stands


@CASES
def test_threshold_is_the_radius_of_the_subdifferential_at_zero(penalty):
    zero, threshold = np.zeros(3), block_threshold(penalty, 0)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    assert all(block_distance(penalty, 0, zero, 0.999 * threshold * d) == 0.0 for d in axes)
    assert any(block_distance(penalty, 0, zero, 1.001 * threshold * d) > 0.0 for d in axes)


@CASES
def test_gauge_scales_into_the_subdifferential_at_zero(penalty):
    zero = np.zeros(3)
    for q in np.array([[0.3, 1.2, -0.1], [-0.3, -1.2, 0.1], [-0.3, -1.2, -0.1]]):
        c = block_gauge(penalty, 0, q)
        if c == 0.0:
            assert block_distance(penalty, 0, zero, 1e9 * q) == 0.0
            continue
        assert block_distance(penalty, 0, zero, q / c) == pytest.approx(0.0, abs=1e-12)
        assert block_distance(penalty, 0, zero, q / (0.99 * c)) > 0.0


@CASES
def test_conjugate_is_the_supremum_of_its_definition(penalty):
    if block_ridge(penalty, 0) == 0.0:
        pytest.skip("the conjugate of a norm is an indicator")
    q = np.array([0.9, -0.7, 0.1])
    starts = np.zeros(3), np.maximum(q, 0.0), np.full(3, 0.1)
    best = _smallest(lambda w: block_value(penalty, 0, w) - q @ w, starts)
    assert block_conjugate(penalty, 0, q) == pytest.approx(-best, abs=1e-8)


@CASES
def test_face_gradient_and_curvature_are_derivatives_of_the_value(penalty):
    step = 1e-5
    for w in _points(penalty):
        gradient = np.empty(3)
        face_gradient(penalty, 0, w, gradient)
        a, c = face_curvature(penalty, 0, w)
        hessian = a * np.eye(3) + c * np.outer(w, w)
        for i, e in enumerate(step * np.eye(3)):
            up, down = block_value(penalty, 0, w + e), block_value(penalty, 0, w - e)
            if np.any(np.sign(w + e) != np.sign(w - e)) or not np.isfinite(up + down):
                continue
            assert gradient[i] == pytest.approx((up - down) / (2 * step), abs=1e-6)
            ahead, behind = np.empty(3), np.empty(3)
            face_gradient(penalty, 0, w + e, ahead)
            face_gradient(penalty, 0, w - e, behind)
            slope = (ahead - behind) / (2 * step)
            np.testing.assert_allclose(hessian[i], slope, atol=1e-5 * (1 + np.abs(hessian).max()))


@CASES
def test_a_step_across_the_kink_returns_to_zero(penalty):
    old, new = np.array([1.0, 1.0, 1.0]), np.array([-0.5, -0.1, -2.0])
    face_return(penalty, 0, old, new)
    np.testing.assert_array_equal(new, 0.0)


@pytest.mark.parametrize("name", VARIANTS)
def test_it_is_solved_and_certified(name):
    """Brute force finds no better point, and no point lies below the dual value."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(20, 3))
    y = X @ [1.0, -0.6, 0.0] + 0.3 * rng.normal(size=20)
    penalty = VARIANTS[name]._replace(alpha=0.2, weights=np.array([1.0, 0.7, 1.3]))
    found = solve(X, y, Quadratic(), penalty, fit_intercept=False, tol=1e-10)
    assert found.converged

    def objective(w):
        parts = (block_value(penalty, b, w[b : b + 1]) for b in range(3))
        return np.mean((y - X @ w) ** 2) / 2 + sum(parts)

    assert found.objective == pytest.approx(objective(found.coef), rel=1e-12)
    starts = np.zeros(3), found.coef, np.full(3, 0.1)
    assert found.objective <= _smallest(objective, starts) + 1e-9
    certificate = duality_gap(X, y, Quadratic(), penalty, found.coef, fit_intercept=False)
    assert 0.0 <= certificate.gap + 1e-12 <= 1e-9
    assert all(objective(w) >= certificate.dual for w in 2.0 * rng.normal(size=(200, 3)))


@kernel
def _all_functions(penalty, w, q):
    x = w.copy()
    block_prox(penalty, 0, x, 0.3)
    gradient = np.empty_like(w)
    face_gradient(penalty, 0, w, gradient)
    back = -w
    face_return(penalty, 0, w, back)
    a, c = face_curvature(penalty, 0, w)
    numbers = np.array(
        [
            block_value(penalty, 0, w),
            block_distance(penalty, 0, w, q),
            block_threshold(penalty, 0),
            block_gauge(penalty, 0, q),
            block_conjugate(penalty, 0, q),
            block_ridge(penalty, 0),
            a,
            c,
        ]
    )
    return np.concatenate((x, gradient, back, numbers))


@CASES
def test_compiled_functions_equal_their_python_bodies(penalty):
    rng = np.random.default_rng(2)
    w, q = np.abs(rng.normal(size=3)), rng.normal(size=3)
    compiled, plain = _all_functions(penalty, w, q), _all_functions.py_func(penalty, w, q)
    np.testing.assert_allclose(compiled, plain, rtol=1e-13)


@CASES
def test_an_infinite_weight_excludes_and_a_zero_weight_frees(penalty):
    excluded = penalty._replace(weights=np.array([np.inf]))
    assert block_threshold(excluded, 0) == np.inf
    assert block_distance(excluded, 0, np.zeros(3), np.full(3, 1e9)) == 0.0
    free = penalty._replace(weights=np.array([0.0]))
    assert block_threshold(free, 0) == 0.0
    assert block_value(free, 0, np.ones(3)) == 0.0
