"""Penalties against brute-force minimisation, finite differences and their uncompiled bodies."""

import numpy as np
import pytest
from scipy.optimize import minimize

from skreg._jit import kernel
from skreg.optim import L1, ElasticNet, GroupL2, NonNegative
from skreg.optim.penalties import (
    block_conjugate,
    block_distance,
    block_gauge,
    block_prox,
    block_ridge,
    block_threshold,
    block_value,
    face_curvature,
    face_gradient,
    face_return,
)

ONE = np.array([0.8])
PENALTIES = {
    "l1": L1(0.5, ONE),
    "elastic net": ElasticNet(0.5, 0.6, ONE),
    "non-negative": NonNegative(0.5, 0.6, ONE),
    "groups": GroupL2(0.5, np.zeros(3, dtype=int), ONE, 0.6),
}
CASES = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES.keys())


def _points(penalty):
    rng = np.random.default_rng(0)
    for scale in (0.05, 0.5, 3.0):
        yield np.abs(rng.normal(size=3)) * scale
        if not isinstance(penalty, NonNegative):
            yield rng.normal(size=3) * scale


@CASES
def test_prox_minimises_its_objective(penalty):
    lower = 0.0 if isinstance(penalty, NonNegative) else None
    rng = np.random.default_rng(1)
    for scale in (0.1, 0.5, 3.0):
        v, step = rng.normal(size=3) * scale, 0.7

        def objective(x, v=v, step=step):
            return 0.5 * np.sum((x - v) ** 2) + step * block_value(penalty, 0, x)

        found = v.copy()
        block_prox(penalty, 0, found, step)
        starts = [np.zeros(3), np.maximum(v, 0.0), found + 0.01]
        best = min(
            minimize(objective, x0, method="Nelder-Mead", bounds=[(lower, None)] * 3,
                     options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000}).fun
            for x0 in starts
        )  # fmt: skip
        assert objective(found) <= best + 1e-12


@CASES
def test_distance_vanishes_exactly_where_the_prox_stands_still(penalty):
    for w in _points(penalty):
        q = w / 2
        x = w + q
        block_prox(penalty, 0, x, 1.0)
        gradient = w + q - x
        assert block_distance(penalty, 0, x, gradient) == pytest.approx(0.0, abs=1e-12)
        assert block_distance(penalty, 0, x, gradient + 5.0) > 0.1


@CASES
def test_distance_at_zero_is_the_excess_over_the_threshold(penalty):
    zero, q = np.zeros(3), np.array([0.0, 2.0, 0.0])
    expected = 2.0 - block_threshold(penalty, 0)
    assert block_distance(penalty, 0, zero, q) == pytest.approx(expected)


@CASES
def test_gauge_scales_into_the_subdifferential_at_zero(penalty):
    q = np.array([0.3, 1.2, -0.1])
    c = block_gauge(penalty, 0, q)
    zero = np.zeros(3)
    assert block_distance(penalty, 0, zero, q / c) == pytest.approx(0.0, abs=1e-12)
    assert block_distance(penalty, 0, zero, q / (0.99 * c)) > 0.0


@CASES
def test_conjugate_is_the_supremum_of_its_definition(penalty):
    if block_ridge(penalty, 0) == 0.0:
        pytest.skip("the conjugate of a norm is an indicator")
    lower = 0.0 if isinstance(penalty, NonNegative) else None
    q = np.array([0.9, -0.7, 0.1])
    found = block_conjugate(penalty, 0, q)
    best = min(
        minimize(lambda w: block_value(penalty, 0, w) - q @ w, x0, method="Nelder-Mead",
                 bounds=[(lower, None)] * 3, options={"xatol": 1e-9, "fatol": 1e-13}).fun
        for x0 in (np.zeros(3), np.maximum(q, 0.0), np.full(3, 0.1))
    )  # fmt: skip
    assert found == pytest.approx(-best, abs=1e-8)


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
            if np.any(np.sign(w + e) != np.sign(w - e)):
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
