"""Random problems in random units: no answer that calls itself converged is worse than it says.

CLARABEL solves each problem in units in which columns and target have the size of one. The number
of problems is small here; ``SKREG_FUZZ=2000 pytest tests/optim/solver/test_fuzz.py`` tries more.
"""

import os
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse

cp = pytest.importorskip("cvxpy")

from skreg.optim import (  # noqa: E402
    L1,
    ElasticNet,
    GroupL2,
    Huber,
    Logistic,
    Multinomial,
    NonNegative,
    Poisson,
    Quadratic,
    duality_gap,
    penalty_max,
    solve,
)

N_PROBLEMS = int(os.environ.get("SKREG_FUZZ", "60"))
TOL = 1e-6
# one or two rounds move the intercept alone, in which no coefficient changes
INTERCEPT_FIRST = (190, 263)


class Case(NamedTuple):
    """A problem in the user's units, and its columns, target and penalty in units of one."""

    X: object
    y: np.ndarray
    loss: tuple
    penalty: tuple
    weight: np.ndarray
    fit_intercept: bool
    unit_X: np.ndarray
    unit_y: np.ndarray
    column_unit: np.ndarray
    offset: np.ndarray
    target_unit: float
    target_offset: float


def _design(rng, n, p):
    X = rng.normal(size=(n, p))
    kind = rng.integers(5)
    if kind == 1:
        X = X[:, :1] + 1e-2 * X  # nearly collinear
    elif kind == 2 and p > 1:
        X[:, -1] = X[:, 0]
    elif kind == 3:
        X *= rng.random(X.shape) < 0.2
    elif kind == 4:
        X[:, rng.integers(p)] = rng.choice([0.0, 1.0])
    return X


def _target(rng, loss, eta):
    noise = rng.standard_t(3, size=len(eta))
    if isinstance(loss, Logistic):
        y = np.where(eta + noise > rng.normal(), 1.0, -1.0)
        y[:2] = 1.0, -1.0
        return y
    if isinstance(loss, Poisson):
        return rng.poisson(np.exp(np.clip(eta, -3.0, 3.0))).astype(float)
    if isinstance(loss, Multinomial):
        codes = np.digitize(eta + noise, [-0.5, 0.5])
        codes[:3] = 0, 1, 2
        return np.eye(3)[codes]
    return eta + noise


def _weights(rng, p):
    weights = np.exp(rng.normal(size=p)) if rng.random() < 0.5 else np.ones(p)
    if rng.random() < 0.4:
        weights[rng.random(p) < 0.2] = 0.0
    if rng.random() < 0.2:
        weights[rng.random(p) < 0.2] = np.inf
    return weights


def draw(seed):
    """A random problem."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 60)), int(rng.integers(1, 40))
    huber = Huber(float(10.0 ** rng.uniform(-1.0, 1.0)))
    losses = [Quadratic(), huber, Logistic(), Poisson(), Multinomial()]
    loss = losses[rng.integers(5)]
    moves = isinstance(loss, Quadratic | Huber)
    fit_intercept = bool(rng.random() < 0.8)
    unit_X = _design(rng, n, p)
    eta = unit_X[:, :3].sum(axis=1)
    unit_y = _target(rng, loss, eta)
    weight = np.exp(rng.normal(size=n)) if rng.random() < 0.5 else np.ones(n)
    if rng.random() < 0.3:
        weight[3:][rng.random(n - 3) < 0.2] = 0.0
    weight *= 10.0 ** rng.uniform(-8.0, 8.0)

    column_unit = 10.0 ** rng.uniform(-8.0, 8.0, size=p if rng.random() < 0.5 else 1) * np.ones(p)
    offset = np.zeros(p)
    if fit_intercept and rng.random() < 0.5:
        offset[rng.random(p) < 0.3] = 10.0 ** rng.uniform(0.0, 8.0)
    target_unit = 10.0 ** rng.uniform(-8.0, 8.0) if moves else 1.0
    far = moves and fit_intercept and rng.random() < 0.3
    target_offset = 10.0 ** rng.uniform(0.0, 8.0) if far else 0.0
    X = (unit_X + offset) * column_unit
    y = (unit_y + target_offset) * target_unit
    if isinstance(loss, Huber):
        loss = Huber(loss.delta * target_unit)

    weights = _weights(rng, p)
    if rng.random() < 0.7:
        weights = weights * column_unit
    l1_ratio = float(rng.choice([0.5, 0.9, 1.0]))
    penalty = [
        L1(1.0, weights),
        ElasticNet(1.0, l1_ratio, weights),
        NonNegative(1.0, l1_ratio, weights),
        GroupL2(1.0, weights=weights, l1_ratio=l1_ratio),
    ][rng.integers(4)]
    if isinstance(penalty, GroupL2) and rng.random() < 0.7:
        groups = np.sort(np.r_[np.arange(min(p, 4)), rng.integers(min(p, 4), size=p - min(p, 4))])
        sizes = np.array([column_unit[groups == g].max() for g in range(min(p, 4))])
        penalty = penalty._replace(groups=groups, weights=sizes)
    options = {"sample_weight": weight, "fit_intercept": fit_intercept}
    strength = penalty_max(X, y, loss, penalty, **options) * 10.0 ** rng.uniform(-3.0, -0.1)
    penalty = penalty._replace(alpha=0.0 if rng.random() < 0.1 else strength)
    if rng.random() < 0.3:
        X = scipy.sparse.csc_array(X)
    return Case(
        X, y, loss, penalty, weight, fit_intercept, unit_X, unit_y, column_unit, offset,
        target_unit, target_offset,
    )  # fmt: skip


def _unit_loss(case, z):
    """Mean loss at predictions z (n, n_outputs) in units of one, as a cvxpy expression."""
    s, y, loss = case.weight / case.weight.sum(), case.unit_y, case.loss
    if isinstance(loss, Quadratic):
        return 0.5 * s @ cp.square(y - z[:, 0])
    if isinstance(loss, Huber):
        return 0.5 * s @ cp.huber(y - z[:, 0], loss.delta / case.target_unit)
    if isinstance(loss, Logistic):
        return s @ cp.logistic(-cp.multiply(y, z[:, 0]))
    if isinstance(loss, Poisson):
        constant = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0)), 0.0) - y
        return s @ (cp.exp(z[:, 0]) - cp.multiply(y, z[:, 0]) + constant)
    return s @ (cp.log_sum_exp(z, axis=1) - cp.sum(cp.multiply(y, z), axis=1))


def _unit_penalty(case, v):
    """Penalty at coefficients v (p, n_outputs) in units of one, and which of them may be nonzero.

    A column whose threshold no gradient can reach is taken out: CLARABEL would lose its digits.
    """
    penalty, unit = case.penalty, case.column_unit
    share = getattr(penalty, "l1_ratio", 1.0)
    labels = getattr(penalty, "groups", None)
    labels = np.arange(len(unit)) if labels is None else labels
    weights = penalty.weights[labels]
    allowed = np.isfinite(weights)
    scale = penalty.alpha * np.where(allowed, weights, 0.0)
    kink = share * scale / (unit * case.target_unit)
    ridge = (1.0 - share) * scale / unit**2
    s = case.weight / case.weight.sum()
    length = np.sqrt(s @ (case.unit_X - s @ case.unit_X) ** 2)
    if not case.fit_intercept:
        length = np.sqrt(s @ case.unit_X**2)
    reach = 1e3 * (1.0 + length) * (1.0 + np.abs(case.unit_y).max())
    for label in np.unique(labels):
        group = labels == label
        if kink[group].min() > reach[group].max() * len(reach):
            allowed[group] = False
    kink, ridge = np.where(allowed, kink, 0.0), np.where(allowed, ridge, 0.0)
    value = 0.5 * cp.sum(cp.multiply(ridge[:, None], cp.square(v)))
    w = cp.multiply(kink[:, None], v)
    if isinstance(penalty, GroupL2):
        value += sum(cp.norm(cp.vec(w[labels == g], order="C")) for g in np.unique(labels))
    else:
        value += cp.sum(cp.abs(w))
    return value, allowed


def reference(case):
    """Optimal value in units of one, by CLARABEL; functions of coefficients for comparison."""
    n_outputs = case.unit_y.shape[1] if case.unit_y.ndim == 2 else 1
    v = cp.Variable((len(case.column_unit), n_outputs))
    b = cp.Variable((1, n_outputs))
    penalty, allowed = _unit_penalty(case, v)
    constraints = [v[~allowed] == 0] if not allowed.all() else []
    if not case.fit_intercept:
        constraints.append(b == 0)
    if isinstance(case.penalty, NonNegative):
        constraints.append(v >= 0)
    z = case.unit_X @ v + np.ones((len(case.unit_X), 1)) @ b
    objective = _unit_loss(case, z) + penalty
    problem = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": its digits suffice
        problem.solve(
            solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-10, tol_feas=1e-10,
            reduced_tol_gap_rel=1e-7, max_iter=500,
        )  # fmt: skip
    assert problem.status in ("optimal", "optimal_inaccurate")
    best = objective.value

    def value(coef, intercept):
        coef, intercept = np.atleast_2d(coef), np.atleast_1d(intercept)
        v.value = (coef * case.column_unit / case.target_unit).T
        moved = coef @ (case.offset * case.column_unit)
        b.value = ((intercept + moved) / case.target_unit - case.target_offset)[None]
        return float(objective.value)

    null = duality_gap(
        np.zeros((len(case.unit_X), 1)), case.unit_y, _in_units_of_one(case), L1(1.0),
        np.zeros((n_outputs, 1)), np.zeros(n_outputs), sample_weight=case.weight,
        fit_intercept=case.fit_intercept,
    )  # fmt: skip
    scale = null.dual if null.dual > 0.0 else case.target_unit**-2  # as of an objective of one
    return best, value, scale


def _in_units_of_one(case):
    if isinstance(case.loss, Huber):
        return Huber(case.loss.delta / case.target_unit)
    return case.loss


def check(seed):
    """Solve one problem; returns (whether it converged, excess relative to P(0), gap)."""
    case = draw(seed)
    options = {"sample_weight": case.weight, "fit_intercept": case.fit_intercept}
    found = solve(case.X, case.y, case.loss, case.penalty, tol=TOL, **options)
    best, value, null = reference(case)
    excess = (value(found.coef, found.intercept) - best) / null
    return found, excess


@pytest.mark.parametrize("seed", range(N_PROBLEMS))
def test_what_calls_itself_converged_is_as_good_as_clarabel(seed):
    found, excess = check(seed)
    assert np.all(np.isfinite(found.coef))
    assert np.all(np.isfinite(found.intercept))
    assert not found.gap < -1e-7
    if found.converged and not np.isnan(found.gap):
        assert excess <= 3 * TOL


@pytest.mark.parametrize("seed", INTERCEPT_FIRST)
def test_rounds_that_move_the_intercept_alone_are_not_the_last(seed):
    found, excess = check(seed)
    assert found.converged
    assert excess <= 3 * TOL
