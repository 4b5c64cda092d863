"""A certificate is never negative beyond rounding, and never small where another one is large.

The other one is CLARABEL's optimum of the same problem in the units in which it is easy: columns
without their means and of variance one, a target of spread one. Objectives are plain numpy.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from estimator_cases import CASES, ROUNDING, answers, dense, fit, for_cases, two_classes
from scipy import sparse
from scipy.special import logsumexp, xlogy
from sklearn.exceptions import ConvergenceWarning
from test_equivariance import rescaled_columns, rescaled_target

TOL = 1e-6
NEGATIVE = -1e-7
NOT_REACHED = (ConvergenceWarning,)


class Objective(NamedTuple):
    """Mean loss of (target, predictor), and whether the penalty is of entries or of rows."""

    loss: str
    penalty: str = "entries"


OBJECTIVES = {
    "Lasso": Objective("quadratic"),
    "Lasso-positive": Objective("quadratic", "nonnegative"),
    "NonNegativeLeastSquares": Objective("quadratic", "nonnegative"),
    "ElasticNet": Objective("quadratic", "elastic"),
    "GroupLasso": Objective("quadratic", "groups"),
    "MultiTaskLasso": Objective("quadratic", "rows"),
    "HuberLasso": Objective("huber"),
    "SparsePoissonRegressor": Objective("poisson"),
    "SparseLogisticRegression": Objective("multinomial"),
    "SparseLogisticRegression-rows": Objective("multinomial", "rows"),
    "SparseLogisticRegression-binary": Objective("logistic"),
    "SparseLogisticRegression-ridge": Objective("multinomial", "elastic"),
}
# certified otherwise: by the objective of the model itself, see the tests that name them
OTHERWISE = {
    "LpRegressor",
    "LpRegressor-linear",
    "PrestoClassifier",
    "PrestoClassifier-binary",
    "ProportionalOddsClassifier",
    "ProportionalOddsClassifier-binary",
}


def certified(case):
    return hasattr(case.fitted, "dual_gap_")


def test_every_certificate_has_an_objective():
    names = {case.name for case in CASES if certified(case) and "cv" not in case.params}
    assert names == OBJECTIVES.keys() | OTHERWISE


# ------------------------------------------------------------------------------------------------
# objectives


def mean_loss(kind, y, z, delta):
    if kind == "quadratic":
        return 0.5 * np.mean(np.sum(np.reshape((y - z) ** 2, (len(y), -1)), axis=1))
    if kind == "huber":
        r = np.abs(y - z)
        return np.mean(np.where(r <= delta, r**2 / 2, delta * r - delta**2 / 2))
    if kind == "logistic":
        return np.mean(np.logaddexp(0.0, np.where(y > 0, -z, z)))
    if kind == "multinomial":
        return np.mean(logsumexp(z, axis=1) - z[np.arange(len(y)), y])
    return np.mean(np.exp(z) - y * z - (y - xlogy(y, y)))  # the deviance of counts, halved


def null_predictor(kind, y, delta):
    if kind == "quadratic":
        return np.broadcast_to(y.mean(axis=0), y.shape)
    if kind == "huber":
        b = np.median(y)
        for _ in range(200):  # the mean of pseudo-values, a contraction
            b = b + np.clip(y - b, -delta, delta).mean()
        return np.full(len(y), b)
    if kind == "logistic":
        return np.full(len(y), np.log(y.mean() / (1 - y.mean())))
    if kind == "multinomial":
        return np.tile(np.log(np.bincount(y) / len(y)), (len(y), 1))
    return np.full(len(y), np.log(y.mean()))


def residual_at_null(kind, y, delta):
    """Minus the gradient of each sample's loss at the null model, of shape (n, n_outputs)."""
    z = null_predictor(kind, y, delta)
    if kind == "multinomial":
        return np.eye(z.shape[1])[y] - np.exp(z)
    if kind == "logistic":
        return (y - y.mean())[:, None]
    if kind == "poisson":
        return (y - y.mean())[:, None]
    r = (y - z).reshape(len(y), -1)
    return np.clip(r, -delta, delta) if kind == "huber" else r


class Task(NamedTuple):
    """Data, strength and weights of one problem, and its easy units: centre, spread, unit of y."""

    X: Any
    y: Any
    omega: Any
    alpha: float
    delta: float


def penalty_of(objective, groups, task, coef, l1_ratio):
    size = np.abs(np.atleast_2d(coef))
    if objective.penalty == "groups":
        members = [np.asarray(groups) == label for label in np.unique(groups)]
        return task.alpha * sum(np.sqrt(m.sum()) * np.linalg.norm(size[:, m]) for m in members)
    if objective.penalty == "rows":
        return task.alpha * np.sum(task.omega * np.linalg.norm(size, axis=0))
    if objective.penalty == "elastic":
        each = l1_ratio * size + (1 - l1_ratio) / 2 * size**2
        return task.alpha * np.sum(task.omega * each)
    return task.alpha * np.sum(np.where(task.omega > 0, task.omega * size, 0.0))


def optimum(objective, task, l1_ratio, groups):
    """CLARABEL's minimum of the objective, in the units of the objective."""
    cp = pytest.importorskip("cvxpy")
    X, y = dense(task.X), task.y
    centre, spread = X.mean(axis=0), X.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(centre), spread, 1.0)
    Z = (X - centre) / spread
    unit = np.std(y) if objective.loss in ("quadratic", "huber") else 1.0
    n_outputs = y.max() + 1 if objective.loss == "multinomial" else (y.shape + (1,))[1]
    w = cp.Variable((X.shape[1], n_outputs), nonneg=objective.penalty == "nonnegative")
    b = cp.Variable((1, n_outputs))
    z = Z @ w + np.ones((len(y), 1)) @ b
    n = len(y)
    if objective.loss == "quadratic":
        target = y.reshape(n, -1) / unit
        loss = cp.sum_squares(target - z) / (2 * n)
    elif objective.loss == "huber":
        loss = cp.sum(cp.huber(y[:, None] / unit - z, task.delta / unit)) / (2 * n)
    elif objective.loss == "logistic":
        loss = cp.sum(cp.logistic(cp.multiply(np.where(y > 0, -1.0, 1.0)[:, None], z))) / n
    elif objective.loss == "multinomial":
        loss = (
            cp.sum(cp.log_sum_exp(z, axis=1)) - cp.sum(cp.multiply(np.eye(n_outputs)[y], z))
        ) / n
    else:
        loss = (cp.sum(cp.exp(z)) - cp.sum(cp.multiply(y[:, None], z))) / n
        loss = loss - np.mean(y - xlogy(y, y))
    per_unit = task.omega * task.alpha / (spread * unit)
    if objective.penalty == "rows":
        penalty = cp.sum(cp.multiply(per_unit, cp.norm(w, axis=1)))
    elif objective.penalty == "groups":
        members = [np.flatnonzero(np.asarray(groups) == label) for label in np.unique(groups)]
        scaled = cp.multiply((task.alpha / (spread * unit))[:, None], w)
        penalty = sum(np.sqrt(len(m)) * cp.norm(scaled[m]) for m in members)
    elif objective.penalty == "elastic":
        ridge = (1 - l1_ratio) / 2 * task.omega * task.alpha / spread**2
        penalty = l1_ratio * cp.sum(cp.multiply(per_unit[:, None], cp.abs(w))) + cp.sum(
            cp.multiply(ridge[:, None], cp.square(w))
        )
    else:
        penalty = cp.sum(cp.multiply(per_unit[:, None], cp.abs(w)))
    problem = cp.Problem(cp.Minimize(loss + penalty))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return problem.value * unit**2


# ------------------------------------------------------------------------------------------------
# settings in which users found certificates that were none


def plain(rng, X, omega):
    return X, omega, 1.0


def natural_units(rng, X, omega):
    return X, omega, 1e6


def far_columns(rng, X, omega):
    """A time stamp and a coordinate."""
    X = X.copy()
    X[:, 0] = 1.7e9 + 1e3 * X[:, 0]
    X[:, 1] = 4e5 + X[:, 1]
    return X, omega, 1.0


def far_and_few_rows(rng, X, omega):
    X = np.hstack([X, rng.normal(size=(len(X), 2 * len(X)))])
    return X + 1e7, np.ones(X.shape[1]), 1.0


def free_columns(rng, X, omega):
    """Unpenalised controls: rates beside revenues."""
    X = X * 10.0 ** np.array([-6, 3, -4, 0, 0])
    return X, np.array([0.0, 0.0, 0.0, 1.0, 1.0]), 1.0


def free_and_large(rng, X, omega):
    """Unpenalised small controls beside penalised large columns."""
    X = X * np.array([0.05, 0.05, 1e6, 1e6, 1e6])
    return X, np.array([0.0, 0.0, 1.0, 1.0, 1.0]), 1.0


def free_and_sparse(rng, X, omega):
    X, omega, unit = free_and_large(rng, np.where(np.abs(X) < 0.6, 0.0, X), omega)
    return sparse.csc_matrix(X), omega, unit


def few_rows(rng, X, omega):
    X = np.hstack([X, rng.normal(size=(len(X), 2 * len(X)))])
    return X, np.ones(X.shape[1]), 1.0


SETTINGS = (
    plain,
    natural_units,
    far_columns,
    far_and_few_rows,
    free_columns,
    free_and_large,
    free_and_sparse,
    few_rows,
)
SEEDS = range(3)


def task_of(case, objective, setting, seed):
    rng = np.random.default_rng(100 + seed)
    problem = case.kind(rng, n=40)
    X, omega, unit = setting(rng, problem.X, np.ones(5))
    y = problem.y
    if objective.loss in ("quadratic", "huber"):
        y = unit * y
    delta = 1.35 if setting is natural_units else case.params.get("delta", 1.35)
    residual = residual_at_null(objective.loss, y, delta)
    A = dense(X)
    slope = np.abs((A - A.mean(axis=0)).T @ residual) / len(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(omega[:, None] > 0, slope / omega[:, None], 0.0)
    return Task(X, y, omega, 0.1 * ratio.max(), delta)


def estimator_for(case, task):
    strengths = {"alpha": task.alpha, "delta": task.delta}
    params = {"tol": TOL, **{n: value for n, value in strengths.items() if n in case.params}}
    if "groups" in case.params:
        params["groups"] = np.arange(task.X.shape[1]) // 2
    elif not (task.omega == 1.0).all():
        params["penalty_weights"] = task.omega
    return case.new(**params)


def applies(case, setting):
    weights = "penalty_weights" in case.params
    if setting in (free_columns, free_and_large, free_and_sparse):
        # a bound instead of a penalty frees no column, and a ridge frees none of its own
        return weights and OBJECTIVES[case.name].penalty in ("entries", "rows")
    if setting is natural_units:
        return OBJECTIVES[case.name].loss in ("quadratic", "huber")
    return True


def rows_of_the_table():
    return [
        pytest.param(case, setting, id=f"{case}-{setting.__name__}")
        for case in CASES
        if case.name in OBJECTIVES
        for setting in SETTINGS
        if applies(case, setting)
    ]


def fitted_with_warnings(estimator, X, y):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return [warning for warning in said if issubclass(warning.category, NOT_REACHED)]


def predictor(estimator, objective, X):
    if objective.loss == "poisson":
        return np.log(estimator.predict(X))
    if objective.loss == "logistic":
        return estimator.decision_function(X)
    if objective.loss == "multinomial":
        return np.log(np.maximum(estimator.predict_proba(X), 1e-300))
    return estimator.predict(X)


@pytest.mark.parametrize(("case", "setting"), rows_of_the_table())
def test_a_small_gap_is_a_small_distance_to_the_optimum(case, setting):
    objective = OBJECTIVES[case.name]
    for seed in SEEDS:
        task = task_of(case, objective, setting, seed)
        estimator = estimator_for(case, task)
        said = fitted_with_warnings(estimator, task.X, task.y)
        gap = np.max(estimator.dual_gap_)
        assert not gap < NEGATIVE, f"seed {seed}: the gap is {gap:.2e}"
        assert not said, f"seed {seed}: {said[0].message}"
        delta, ratio = task.delta, estimator.get_params().get("l1_ratio", 1.0)
        if case.cls == "NonNegativeLeastSquares":
            task = task._replace(alpha=0.0)
        groups = estimator.get_params().get("groups")
        null = mean_loss(
            objective.loss, task.y, null_predictor(objective.loss, task.y, delta), delta
        )
        mine = mean_loss(
            objective.loss, task.y, predictor(estimator, objective, task.X), delta
        ) + penalty_of(objective, groups, task, estimator.coef_, ratio)
        excess = (mine - optimum(objective, task, ratio, groups)) / null
        assert excess <= 3 * TOL, (
            f"seed {seed}: the gap is {gap:.2e} and nothing is said, but the objective is "
            f"{excess:.2e} of the null model's above the optimum"
        )


LOSS_CASES = [case for case in CASES if case.name in OBJECTIVES and "alpha" in case.params]


@pytest.mark.parametrize("useless", ["constant", "zero", "none"])
@pytest.mark.parametrize(
    "case",
    [case for case in LOSS_CASES if OBJECTIVES[case.name] == Objective("quadratic")],
    ids=str,
)
def test_without_strength_and_with_few_rows_the_fit_is_exact(case, useless):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(3, 9)), rng.normal(size=3)
        if useless != "none":
            X[:, 4] = 1.0 if useless == "constant" else 0.0
        estimator = case.new(alpha=0.0, tol=TOL)
        said = fitted_with_warnings(estimator, X, y)
        residual = np.mean((y - estimator.predict(X)) ** 2) / np.var(y)
        assert said or residual <= 3 * TOL, f"seed {seed}: {residual:.1e} of the variance is left"


CERTIFICATES = ("dual_gap_", "kkt_residual_")
BIG = 2.0**20  # a power of two: the same digits in another unit


def certificates(case, problem, **changes):
    """Largest certificates of a fit that stops early, so that they are more than rounding."""
    loose = {"tol": 1e-2} if "cv" not in case.params else {}
    weights = {k: changes.pop(k) for k in ("sample_weight",) if k in changes}
    fitted = fit(case.new(**{**changes, **loose}), problem, **weights)
    return {name: np.max(getattr(fitted, name)) for name in CERTIFICATES if hasattr(fitted, name)}


def assert_same_certificates(got, wanted):
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=0.05, atol=1e-9, err_msg=name)


def has_a_certificate(case):
    return any(hasattr(case.fitted, name) for name in CERTIFICATES)


@pytest.mark.parametrize("factor", [BIG, 1 / BIG], ids=["large", "small"])
@for_cases(lambda case: has_a_certificate(case) and case.is_regressor)
def test_a_certificate_has_no_unit_of_the_target(case, factor):
    params = rescaled_target(case, factor)
    if params is None:
        pytest.skip("strengths share one ratio")
    problem = case.problem()
    scaled = problem._replace(y=factor * problem.y)
    assert_same_certificates(certificates(case, scaled, **params), certificates(case, problem))


@pytest.mark.parametrize("factor", [BIG, 1 / BIG], ids=["large", "small"])
@for_cases(lambda case: has_a_certificate(case) and case.weighted)
def test_a_certificate_has_no_unit_of_weights(case, factor):
    problem = case.problem()
    weight = 1.0 + np.arange(len(problem.X)) % 3
    got = certificates(case, problem, sample_weight=factor * weight)
    assert_same_certificates(got, certificates(case, problem, sample_weight=weight))


@pytest.mark.parametrize("factor", [BIG, 1 / BIG], ids=["large", "small"])
@for_cases(
    lambda case: has_a_certificate(case) and rescaled_columns(case, np.full(5, 2.0)) is not None
)
def test_a_certificate_has_no_unit_of_the_features(case, factor):
    problem = case.problem()
    scaled = problem._replace(X=factor * problem.X)
    params = rescaled_columns(case, np.full(5, factor))
    assert_same_certificates(certificates(case, scaled, **params), certificates(case, problem))


def test_early_certificates_are_more_than_rounding():
    """What the tests of units compare could differ."""
    for name in CERTIFICATES:
        found = [
            certificates(case, case.problem()).get(name, 0.0)
            for case in CASES
            if hasattr(case.fitted, name) and "cv" not in case.params
        ]
        assert np.sum(np.array(found) > 1e-6) >= len(found) / 2, name


@for_cases(certified)
def test_what_was_reached_is_what_was_asked_for(case):
    for seed in range(5):
        problem = case.problem(seed=seed)
        estimator = case.new()
        said = fitted_with_warnings(estimator, *problem)
        gap = np.max(estimator.dual_gap_)
        assert not gap < NEGATIVE
        assert said or np.isnan(gap) or gap <= max(estimator.tol, ROUNDING)


# ------------------------------------------------------------------------------------------------
# models of their own objective


@for_cases(lambda case: case.cls == "LpRegressor")
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["centred", "far"])
@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_a_power_of_residuals_is_smallest(case, p, offset):
    cp = pytest.importorskip("cvxpy")
    problem = case.problem(seed=7)
    got = fit(case.new(p=p), problem._replace(X=problem.X + offset))
    w, b = cp.Variable(5), cp.Variable()
    norm = cp.Problem(cp.Minimize(cp.norm(problem.y - problem.X @ w - b, p)))
    best = norm.solve(solver="CLARABEL") ** p
    mine = np.sum(np.abs(problem.y - got.predict(problem.X + offset)) ** p)
    assert mine <= best * (1 + 1e-5)


def binary_ordinal(case):
    return case.is_ordinal and case.kind is two_classes and "cv" not in case.params


@for_cases(binary_ordinal)
@pytest.mark.parametrize("timestamp", [False, True], ids=["plain", "time stamp"])
def test_two_ordered_classes_are_a_penalised_logistic_regression(case, timestamp):
    cp = pytest.importorskip("cvxpy")
    problem = case.problem(seed=8)
    X = problem.X.copy()
    if timestamp:
        X[:, 0] = 1.7e9 + 1e3 * X[:, 0]
    got = fit(case.new(tol=1e-8), problem._replace(X=X))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    sign = np.where(problem.y > 0, -1.0, 1.0)
    w, b = cp.Variable(5), cp.Variable()
    ratio, alpha = case.params["l1_ratio"], case.params["alpha"]
    penalty = alpha * (ratio * cp.norm1(w) + (1 - ratio) / 2 * cp.sum_squares(w))
    loss = cp.sum(cp.logistic(cp.multiply(sign, Z @ w + b))) / len(sign)
    cp.Problem(cp.Minimize(loss + penalty)).solve(
        solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11
    )
    probability = 1 / (1 + np.exp(-(Z @ w.value + b.value)))
    np.testing.assert_allclose(got.predict_proba(X)[:, 1], probability, atol=2e-4)


@for_cases(lambda case: certified(case) and case.is_ordinal)
def test_an_excluded_feature_says_nothing(case):
    problem = case.problem()
    weights = np.r_[np.inf, np.ones(4)]
    out = fit(case.new(penalty_weights=weights), problem)
    alone = fit(case.new(penalty_weights=weights[1:]), problem._replace(X=problem.X[:, 1:]))
    np.testing.assert_allclose(
        answers(out, problem.X)["predict_proba"],
        answers(alone, problem.X[:, 1:])["predict_proba"],
        atol=case.accuracy,
    )
