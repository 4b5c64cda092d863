"""Trial steps that overflow are rejected in silence, and multinomial intercepts stay centred."""

import warnings

import numpy as np

from skreg.optim import L1, Multinomial, Poisson, duality_gap, solve


def test_poisson_trial_steps_overflow_in_silence():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * 300.0
    target = rng.poisson(1.0, 60).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = solve(X, target, Poisson(), L1(1e-6), tol=1e-8)
    assert solution.converged
    certificate = duality_gap(X, target, Poisson(), L1(1e-6), solution.coef, solution.intercept)
    assert certificate.gap <= 1e-7


def test_multinomial_intercepts_are_centred():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    labels = np.argmax(X[:, :3] + rng.normal(size=(90, 3)) + [0.0, 1.0, -1.0], axis=1)
    solution = solve(X, np.eye(3)[labels], Multinomial(), L1(1e-4))
    assert abs(solution.intercept.mean()) < 1e-12
    assert np.ptp(solution.intercept) > 0.5
