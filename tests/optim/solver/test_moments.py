"""Least squares through their moments: the same answers as working sets, from less."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import enet_path

from skreg.moments._second import ROW_BLOCK
from skreg.optim import (
    L1,
    ElasticNet,
    GroupL2,
    NonNegative,
    Quadratic,
    as_design,
    duality_gap,
    penalty_max,
    solve,
    solve_path,
)
from skreg.optim.solver import _moments as moments

N_SAMPLES, N_FEATURES = 90, 12
WEIGHTS = np.linspace(0.5, 2.0, N_FEATURES)
WEIGHTS[3] = np.inf
PENALTIES = {
    "l1": L1(1.0),
    "weighted l1": L1(1.0, WEIGHTS),
    "elastic net": ElasticNet(1.0, 0.3),
    "ridge": ElasticNet(1.0, 0.0),
    "nonnegative": NonNegative(1.0),
    "groups": GroupL2(1.0, np.array([0, 1, 0, 2, 1, 2, 0, 3, 3, 4, 4, 4])),
    "row groups": GroupL2(1.0),
}


def draw(n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, 1.0, (N_SAMPLES, N_FEATURES)) @ np.triu(np.full((N_FEATURES,) * 2, 0.5))
    X[:, 5] = 7.0  # constant
    X[:, 8] = X[:, 7]  # a duplicate
    coef = rng.normal(size=(N_FEATURES, n_outputs)) * (rng.random((N_FEATURES, n_outputs)) < 0.6)
    y = X @ coef + rng.normal(0.0, 0.5, (N_SAMPLES, n_outputs))
    return np.asfortranarray(X), y[:, 0] if n_outputs == 1 else y


def path_of(penalty, X, y, **options):
    # the pure ridge has no largest strength, the others' is that of their norm
    norm = penalty._replace(l1_ratio=1.0) if hasattr(penalty, "l1_ratio") else penalty
    largest = penalty_max(X, y, Quadratic(), norm, **options)
    return [penalty._replace(alpha=largest * ratio) for ratio in (1.1, 0.5, 0.1, 0.01, 1e-4)]


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_path_is_that_of_working_sets(name, fit_intercept, weighted, monkeypatch):
    X, y = draw(3 if name == "row groups" else 1)
    weight = np.random.default_rng(1).integers(0, 4, N_SAMPLES) * 1.0 if weighted else None
    options = {"sample_weight": weight, "fit_intercept": fit_intercept}
    penalties = path_of(PENALTIES[name], X, y, **options)
    ours = solve_path(X, y, Quadratic(), penalties, tol=1e-12, **options)
    monkeypatch.setattr(moments, "FLOPS_PER_STRENGTH", 0.0)
    others = solve_path(X, y, Quadratic(), penalties, tol=1e-12, **options)
    for penalty, mine, other in zip(penalties, ours, others, strict=True):
        assert mine.converged
        assert other.converged
        # duplicated columns share their coefficient in more than one way
        assert_allclose(X @ mine.coef.T, X @ other.coef.T, rtol=1e-6, atol=1e-6)
        assert_allclose(mine.intercept, other.intercept, rtol=1e-6, atol=1e-6)
        assert mine.objective == pytest.approx(other.objective, rel=1e-10)
        certificate = duality_gap(X, y, Quadratic(), penalty, mine.coef, mine.intercept, **options)
        assert certificate.gap <= 1e-11
        assert certificate.primal == pytest.approx(mine.objective, rel=1e-10, abs=1e-12)


def test_path_is_that_of_scikit_learn():
    X, y = draw(seed=3)
    X = X[:, [0, 1, 2, 3, 4, 6, 7, 9, 10, 11]]
    centred, target = X - X.mean(axis=0), y - y.mean()
    alphas = np.geomspace(2.0, 2e-3, 30)
    expected = enet_path(centred, target, l1_ratio=0.7, alphas=alphas, tol=1e-14, max_iter=10**6)[1]
    found = solve_path(X, y, Quadratic(), [ElasticNet(a, 0.7) for a in alphas], tol=1e-13)
    assert_allclose(np.array([s.coef for s in found]).T, expected, atol=1e-6)


def test_single_precision_is_summed_in_double():
    X, y = draw(seed=4)
    single = X.astype(np.float32)
    ours = solve(single, y, Quadratic(), L1(0.01), tol=1e-12)
    expected = solve(single.astype(np.float64), y, Quadratic(), L1(0.01), tol=1e-12)
    assert_allclose(ours.coef, expected.coef, rtol=1e-12)


def test_tall_design_is_not_copied():
    X = np.asfortranarray(np.random.default_rng(5).normal(size=(400_000, 20)))
    y = X[:, 0] + 1.0
    penalties = [L1(alpha) for alpha in np.geomspace(0.5, 0.01, 20)]
    design = as_design(X)
    solve_path(design, y, Quadratic(), penalties[:2])
    tracemalloc.start()
    solve_path(design, y, Quadratic(), penalties)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows, block = 8 * len(X), 8 * ROW_BLOCK
    assert peak < 5 * rows + 4 * block
    assert 5 * rows + 4 * block < X.nbytes


def test_exact_fit_and_constant_target_end():
    X, _ = draw(seed=6)
    y = X[:, 0] - 2.0 * X[:, 1] + 3.0
    exact = solve(X, y, Quadratic(), L1(1e-9), tol=1e-10)
    assert exact.converged
    assert_allclose(X @ exact.coef + exact.intercept, y, atol=1e-6)
    constant = solve(X, np.full(N_SAMPLES, 4.0), Quadratic(), L1(0.1), tol=1e-10)
    assert constant.converged
    assert not constant.coef.any()
    assert constant.intercept == pytest.approx(4.0)


def test_tolerance_below_rounding_ends_unconverged():
    X, y = draw(seed=7)
    found = solve(X, y, Quadratic(), L1(0.01), tol=0.0)
    assert found.n_iter < 100
    assert found.gap < 1e-12
