"""A warm start ends where a cold one does, whatever was changed between two fits."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp, xlogy
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skreg.linear_model import (
    ElasticNet,
    GroupLasso,
    HuberLasso,
    Lasso,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparsePoissonRegressor,
)

TOL = 1e-10
N, P = 80, 6
SIGNED = np.array([1.0, -0.8, 0.5, -0.3, 0.0, 0.0])

SEPARABLE = [Lasso(0.05), ElasticNet(0.05), HuberLasso(0.05), SparsePoissonRegressor(0.02)]
LOGISTIC = [
    SparseLogisticRegression(0.02),
    SparseLogisticRegression(0.02, row_groups=True),
    SparseLogisticRegression(0.02, l1_ratio=0.5),
]
WEIGHTED = [*SEPARABLE, MultiTaskLasso(0.05), *LOGISTIC]
PENALISED = [*WEIGHTED, GroupLasso(2, alpha=0.05)]
ALL = [*PENALISED, NonNegativeLeastSquares()]
MIXED = [ElasticNet(0.05), SparsePoissonRegressor(0.02, l1_ratio=0.5), LOGISTIC[2]]
SEVERAL_OUTPUTS = [Lasso(0.05), ElasticNet(0.05), MultiTaskLasso(0.05), NonNegativeLeastSquares()]


def excluding(*features):
    weights = np.ones(P)
    weights[list(features)] = np.inf
    return weights


def freeing(*features):
    weights = np.ones(P)
    weights[list(features)] = 0.0
    return weights


CHANGES = [
    *((model, {}, {"positive": True}) for model in SEPARABLE),
    *((model, {"positive": True}, {"positive": False}) for model in SEPARABLE),
    *((model, {}, {"fit_intercept": False}) for model in ALL),
    *((model, {"fit_intercept": False}, {"fit_intercept": True}) for model in ALL),
    *((model, {}, {"penalty_weights": excluding(0, 1)}) for model in WEIGHTED),
    *((model, {}, {"penalty_weights": excluding(*range(P))}) for model in WEIGHTED),
    *((m, {"penalty_weights": excluding(0, 1)}, {"penalty_weights": None}) for m in WEIGHTED),
    *((model, {}, {"penalty_weights": freeing(4, 5)}) for model in WEIGHTED),
    *((m, {"penalty_weights": freeing(0)}, {"penalty_weights": excluding(0)}) for m in WEIGHTED),
    *((model, {}, {"alpha": 1e-4}) for model in PENALISED),
    *((model, {}, {"alpha": 0.0}) for model in PENALISED),
    *((model, {}, {"alpha": 0.2}) for model in PENALISED),
    *((model, {}, {"alpha": 1e3}) for model in PENALISED),
    *((model, {"alpha": 0.0}, {"alpha": 0.05}) for model in PENALISED),
    *((model, {}, {"l1_ratio": 0.0}) for model in MIXED),
    *((model, {}, {"l1_ratio": 1.0}) for model in MIXED),
    *((model, {"l1_ratio": 0.0}, {"l1_ratio": 0.5}) for model in MIXED),
    *((model, {}, {"l1_ratio": 0.0, "penalty_weights": excluding(0)}) for model in MIXED),
    (HuberLasso(0.05), {}, {"delta": 0.1}),
    (HuberLasso(0.05), {}, {"delta": 100.0}),
    (GroupLasso(2, alpha=0.05), {}, {"groups": 3}),
    (GroupLasso(2, alpha=0.05), {}, {"groups": [0, 1, 2, 0, 1, 2]}),
    (GroupLasso(2, alpha=0.05), {}, {"penalty_weights": [np.inf, 1.0, 1.0]}),
    (GroupLasso(2, alpha=0.05), {}, {"penalty_weights": [0.0, 1.0, 1.0]}),
    (GroupLasso(2, alpha=0.05), {"penalty_weights": [np.inf, 1.0, 0.0]}, {"penalty_weights": None}),
    *((LOGISTIC[0], {}, change) for change in ({"row_groups": True}, {"l1_ratio": 0.5})),
    (LOGISTIC[1], {}, {"row_groups": False}),
    (LOGISTIC[2], {}, {"l1_ratio": 1.0}),
]  # fmt: skip


def data(model, classes=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P))
    z = X @ SIGNED + rng.normal(size=N) + 0.5
    if isinstance(model, SparseLogisticRegression):
        return X, np.digitize(z, [-0.5, 1.0] if classes == 3 else [0.5])
    if isinstance(model, SparsePoissonRegressor):
        return X, rng.poisson(np.exp(0.5 * z)).astype(float)
    return X, np.column_stack([z, X[:, 1] - z]) if isinstance(model, MultiTaskLasso) else z


def mean_loss(model, prediction, y, weight):
    """The loss that the model's docstring states."""
    if isinstance(model, SparseLogisticRegression):
        scores = np.atleast_2d(prediction.T).T
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        observed = scores[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        losses = logsumexp(scores, axis=1) - observed
    elif isinstance(model, SparsePoissonRegressor):
        losses = np.exp(prediction) - y - y * prediction + xlogy(y, y)
    elif isinstance(model, HuberLasso):
        size = np.abs(y - prediction)
        linear = model.delta * size - model.delta**2 / 2
        losses = np.where(size <= model.delta, size**2 / 2, linear)
    else:
        losses = ((y - prediction) ** 2).reshape(len(y), -1).sum(axis=1) / 2
    return np.average(losses, weights=weight)


def penalty(model):
    """The penalty that the model's docstring states, at strength one."""
    coef = np.atleast_2d(model.coef_)
    if isinstance(model, NonNegativeLeastSquares):
        return 0.0
    if isinstance(model, GroupLasso):
        contiguous = np.ndim(model.groups) == 0
        labels = np.arange(coef.shape[1]) // model.groups if contiguous else np.array(model.groups)
        norms = np.sqrt(np.bincount(labels, weights=coef[0] ** 2))
        if model.penalty_weights is not None:
            return weighted_sum(norms, model.penalty_weights)
        return weighted_sum(norms, np.sqrt(np.bincount(labels)))
    by_rows = isinstance(model, MultiTaskLasso) or (
        isinstance(model, SparseLogisticRegression) and model.row_groups
    )
    if by_rows:
        sizes = np.linalg.norm(coef, axis=0)
    else:
        ratio = getattr(model, "l1_ratio", 1.0)
        sizes = (ratio * np.abs(coef) + (1 - ratio) / 2 * coef**2).sum(axis=0)
    return weighted_sum(
        sizes, np.ones(len(sizes)) if model.penalty_weights is None else model.penalty_weights
    )


def weighted_sum(sizes, weights):
    """Sum in which nothing times infinity is nothing."""
    used = sizes > 0.0
    return float(sizes[used] @ np.asarray(weights)[used])


def objective(model, X, y, weight):
    prediction = X @ model.coef_.T + model.intercept_
    return mean_loss(model, prediction, y, weight) + getattr(model, "alpha", 0.0) * penalty(model)


def check_ends_where_a_cold_start_does(warm, X, y, weight=None):
    """`warm` was fitted before; fits it again, and a fresh one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warm.set_params(warm_start=True, tol=TOL).fit(X, y, sample_weight=weight)
        cold = clone(warm).set_params(warm_start=False).fit(X, y, sample_weight=weight)
    assert warm.coef_.shape == cold.coef_.shape
    assert_allclose(objective(warm, X, y, weight), objective(cold, X, y, weight), rtol=1e-8)
    assert_allclose(warm.coef_, cold.coef_, atol=2e-4 * max(1.0, np.abs(cold.coef_).max()))
    if getattr(warm, "positive", False) or isinstance(warm, NonNegativeLeastSquares):
        assert np.all(warm.coef_ >= 0.0)
    if not warm.fit_intercept:
        assert not np.any(warm.intercept_)
    if getattr(warm, "penalty_weights", None) is not None and not isinstance(warm, GroupLasso):
        assert not np.atleast_2d(warm.coef_)[:, np.isinf(warm.penalty_weights)].any()


def name_of(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={np.asarray(v).tolist()}" for k, v in value.items()) or "default"
    return repr(value) if value in LOGISTIC else type(value).__name__


@pytest.mark.parametrize(("model", "first", "second"), CHANGES, ids=name_of)
def test_a_changed_parameter_acts(model, first, second):
    X, y = data(model)
    warm = clone(model).set_params(**first).fit(X, y)
    check_ends_where_a_cold_start_does(warm.set_params(**second), X, y)


def changed_weights(X, y):
    return X, y, np.random.default_rng(1).uniform(0.1, 3.0, size=N)


def weights_of_zero(X, y):
    return X, y, np.r_[np.zeros(N // 4), np.ones(N - N // 4)]


def fewer_rows(X, y):
    return X[: N // 2], y[: N // 2], None


def more_rows(X, y):
    noise = np.random.default_rng(1).normal(size=X.shape)
    return np.vstack([X, X + noise]), np.concatenate([y, y]), None


def fewer_columns(X, y):
    return X[:, :4], y, None


def more_columns(X, y):
    return np.hstack([X, np.random.default_rng(1).normal(size=(N, 2))]), y, None


def reversed_columns(X, y):
    return X[:, ::-1], y, None


def another_unit(X, y):
    return X * 10.0 ** np.arange(-2, 4), y, None


def another_origin(X, y):
    return X + 30.0, y, None


def constant_column(X, y):
    X = X.copy()
    X[:, 0] = 3.0
    return X, y, None


def reversed_target(X, y):
    return X, y[::-1], None


@pytest.mark.parametrize(
    "change",
    [
        changed_weights, weights_of_zero, fewer_rows, more_rows, fewer_columns, more_columns,
        reversed_columns, another_unit, another_origin, constant_column, reversed_target,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_changed_data_act(model, change):
    X, y = data(model)
    warm = clone(model).fit(X, y)
    check_ends_where_a_cold_start_does(warm, *change(X, y))


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@pytest.mark.parametrize(
    "model",
    [Lasso(0.05), GroupLasso(2, alpha=0.05), MultiTaskLasso(0.05), HuberLasso(0.05)],
    ids=name_of,
)
def test_target_in_another_unit(model, scale):
    X, y = data(model)
    warm = clone(model).fit(X, y)
    unit = {"alpha": model.alpha * scale} | (
        {"delta": model.delta * scale} if hasattr(model, "delta") else {}
    )
    check_ends_where_a_cold_start_does(warm.set_params(**unit), X, y * scale)


@pytest.mark.parametrize("shapes", [(1, 2), (2, 1), (2, 3), (3, 2)], ids=str)
@pytest.mark.parametrize("model", SEVERAL_OUTPUTS, ids=name_of)
def test_changed_number_of_outputs(model, shapes):
    X, z = data(Lasso())
    outputs = np.column_stack([z, -z, X[:, 0] + np.cos(z)])
    first, second = (
        outputs[:, 0] if k == 1 and not isinstance(model, MultiTaskLasso) else outputs[:, :k]
        for k in shapes
    )
    warm = clone(model).fit(X, first)
    check_ends_where_a_cold_start_does(warm, X, second)


@pytest.mark.parametrize("model", SEVERAL_OUTPUTS, ids=name_of)
def test_as_many_coefficients_in_another_shape(model):
    X, z = data(Lasso())
    warm = clone(model).fit(X[:, :3], np.column_stack([z, -z]))
    check_ends_where_a_cold_start_does(warm, X[:, :2], np.column_stack([z, -z, np.cos(z)]))


@pytest.mark.parametrize("model", LOGISTIC, ids=name_of)
def test_changed_classes(model):
    X, three = data(model)
    _, two = data(model, classes=2)
    for first, second in [
        (two, three),
        (three, two),
        (two, 1 - two),
        (three, 2 - three),
        (three, three + 1),
    ]:
        warm = clone(model).fit(X, first)
        check_ends_where_a_cold_start_does(warm, X, second)
    # three classes of four features have as many coefficients as two of twelve
    warm = clone(model).fit(X[:, :4], three)
    check_ends_where_a_cold_start_does(warm, np.hstack([X, X**2]), two)


@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_a_start_that_is_no_number_is_not_used(model):
    X, y = data(model)
    warm = clone(model).fit(X, y)
    warm.coef_ = np.full_like(warm.coef_, np.nan)
    check_ends_where_a_cold_start_does(warm, X, y)


@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_the_same_problem_again_takes_no_working_set(model):
    X, y = data(model)
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    last = warm.coef_.copy()
    assert warm.fit(X, y).n_iter_ == 0
    assert_allclose(warm.coef_, last, atol=1e-12)


@pytest.mark.parametrize("warm_start", [False, True])
def test_what_is_common_to_all_classes_is_as_in_scikit_learn(warm_start):
    X, y = data(LOGISTIC[0])
    model = clone(LOGISTIC[0]).set_params(tol=TOL, warm_start=warm_start).fit(X, y)
    model.set_params(alpha=0.0).fit(X, y)
    expected = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    assert_allclose(model.intercept_, expected.intercept_, atol=1e-4)
    path = model.path(X, y, alphas=[0.1, 0.0])
    assert_allclose(path.coefs[..., 1], expected.coef_, atol=1e-4)
