"""Steps against closed forms, other libraries and hand traces; the stream against itself."""

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from online_streams import abrupt, labels, loss_values, rotating, walk, with_ones
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.online import (
    DriftAdaptiveEnsemble,
    OnlineSimplexAggregator,
    OptimisticOMDClassifier,
    OptimisticOMDRegressor,
)
from skreg.online._dense import project
from skreg.online._losses import CLASSIFICATION, REGRESSION, Loss, exp_concavity, scalar_loss

BARE = {"fit_intercept": False}


def of_rounds(estimator):
    """A row of weight two is one round of twice the loss, two rows are two rounds."""
    names = ("dense", "sparse")
    why = "a row of weight two is one round, two rows are two"
    return {f"check_sample_weight_equivalence_on_{name}_data": why for name in names}


@parametrize_with_checks(
    [
        OptimisticOMDRegressor(),
        OptimisticOMDClassifier(),
        DriftAdaptiveEnsemble(),
        DriftAdaptiveEnsemble(OptimisticOMDClassifier("hinge")),
        OnlineSimplexAggregator(),
    ],
    expected_failed_checks=of_rounds,
)
def test_scikit_learn(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------------------------------
# losses


@pytest.mark.parametrize("name", [*REGRESSION, *CLASSIFICATION])
def test_losses_and_their_slopes(name):
    kind = {**REGRESSION, **CLASSIFICATION}[name]
    z = np.linspace(-3.05, 3.07, 57)
    for y in (-1.0, 1.0):
        got = np.array([scalar_loss(Loss(kind, 0.1), value, y) for value in z])
        np.testing.assert_allclose(got[:, 0], loss_values(name, z, y), atol=1e-14)
        h = 1e-6
        slope = (loss_values(name, z + h, y) - loss_values(name, z - h, y)) / (2 * h)
        np.testing.assert_allclose(got[:, 1], slope, atol=1e-5)


@pytest.mark.parametrize("name", ["log_loss", "squared_hinge"])
@pytest.mark.parametrize("largest", [0.5, 4.0])
def test_exp_concavity_of_losses_of_classes(name, largest):
    """exp(-alpha l) is concave on the interval, and for twice the alpha it is not."""
    z = np.linspace(-largest, largest, 401)
    alpha = exp_concavity(Loss(CLASSIFICATION[name]), 0.0, 1.0, largest)
    bends = [np.diff(np.exp(-a * loss_values(name, z, 1.0)), 2) for a in (alpha, 2.5 * alpha)]
    assert bends[0].max() <= 1e-12
    assert bends[1].max() > 0.0


def test_exp_concavity_of_squared_errors():
    """l(v) = l(z) + l'(z) (v - z) + alpha/2 (l'(z) (v - z))^2 for all v."""
    z, y, v = 0.3, -1.1, np.linspace(-5.0, 5.0, 11)
    alpha = exp_concavity(Loss(REGRESSION["squared_error"]), z, y, 1.0)
    moved = (z - y) * (v - z)
    wanted = loss_values("squared_error", z, y) + moved + alpha / 2 * moved**2
    np.testing.assert_allclose(loss_values("squared_error", v, y), wanted)


def test_losses_far_out_are_finite():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, slope = scalar_loss(Loss(CLASSIFICATION["log_loss"]), -1e4, 1.0)
    assert (value, slope) == (1e4, -1.0)


# ------------------------------------------------------------------------------------------------
# steps


@pytest.mark.parametrize("whole", [False, True], ids=["scaled", "whole vectors"])
def test_a_trace_by_hand(whole):
    """d = 1, X = [-1, 1], D = 2, G = 1, delta = 0; gradients 1, -1."""
    hint = (lambda gradient, hint, t: gradient) if whole else "last_gradient"
    model = OptimisticOMDRegressor(
        "absolute_error", radius=1.0, lipschitz=1.0, delta=0.0, hint=hint, **BARE
    )
    model.partial_fit([[1.0]], [-5.0])
    assert model.shadow_coef_[0] == pytest.approx(-1.0)
    assert model.coef_[0] == pytest.approx(-1.0)
    assert model.step_size_ == pytest.approx(2 / np.sqrt(5))
    assert model.gradient_variation_ == 1.0
    model.partial_fit([[-1.0]], [-5.0])
    assert model.gradient_variation_ == 5.0
    assert model.step_size_ == pytest.approx(2 / 3)
    assert model.shadow_coef_[0] == pytest.approx(-1 + 2 / np.sqrt(5))
    assert model.coef_[0] == pytest.approx(0.561094, abs=1e-6)
    assert model.hint_[0] == -1.0
    assert model.t_ == 2


@pytest.mark.parametrize("loss", ["squared_error", "huber", "epsilon_insensitive"])
def test_without_a_hint_a_constant_step_is_that_of_sgd(loss):
    X, y = rotating(np.random.default_rng(0), 200, 4)
    ours = OptimisticOMDRegressor(loss, step_size=0.3, hint="none", **BARE).fit(X, y)
    theirs = SGDRegressor(
        loss=loss, penalty=None, learning_rate="constant", eta0=0.3, shuffle=False, max_iter=1,
        tol=None, fit_intercept=False,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-11)


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "squared_hinge", "modified_huber"])
def test_without_a_hint_a_constant_step_is_that_of_sgd_for_classes(loss):
    X, number = rotating(np.random.default_rng(1), 200, 4)
    y = np.where(number > 0, "yes", "no")
    ours = OptimisticOMDClassifier(loss, step_size=0.3, hint="none", **BARE).fit(X, y)
    theirs = SGDClassifier(
        loss=loss, penalty=None, learning_rate="constant", eta0=0.3, shuffle=False, max_iter=1,
        tol=None, fit_intercept=False,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-11)
    assert (ours.predict(X) == theirs.predict(X)).all()
    if loss == "log_loss":
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)


def test_with_a_hint_a_constant_step_is_one_line():
    """x_{t+1} = x_t - 2 eta g_t + eta g_{t-1} without constraint, and x_2 = x_1 - 2 eta g_1."""
    X, y = rotating(np.random.default_rng(2), 100, 3)
    model = OptimisticOMDRegressor(domain=None, step_size=0.2)
    A, x, before = with_ones(X), np.zeros(4), np.zeros(4)
    for t in range(100):
        g = (A[t] @ x - y[t]) * A[t]
        x, before = x - 0.4 * g + 0.2 * before, g
        model.partial_fit(X[t : t + 1], y[t : t + 1])
        np.testing.assert_allclose(np.append(model.coef_, model.intercept_), x, atol=1e-13)


def test_adaptive_steps_without_a_hint_are_adaptive_gradient_descent():
    X, y = rotating(np.random.default_rng(3), 100, 3)
    G, delta, D = 5.0, 0.5, 4.0
    model = OptimisticOMDRegressor(
        domain=None, radius=D / 2, lipschitz=G, delta=delta, hint="none", **BARE
    ).fit(X, y)
    x, V = np.zeros(3), 0.0
    for a, target in zip(X, y, strict=True):
        g = (a @ x - target) * a
        x, V = x - D / np.sqrt(delta + 4 * G**2 + V) * g, V + g @ g
    np.testing.assert_allclose(model.coef_, x, rtol=1e-10)
    assert model.gradient_variation_ == pytest.approx(V)


def projected(x, radius):
    return x * min(1.0, radius / max(np.linalg.norm(x), 1e-300))


@pytest.mark.parametrize("hint", ["last_gradient", "none", "auto"])
@pytest.mark.parametrize("lipschitz", [None, 4.0])
def test_rounds_in_plain_numpy(hint, lipschitz):
    """Two projections from the shadow point; the running G enters the gradient line at once."""
    X, y = abrupt(np.random.default_rng(4), 120, 3)
    radius, delta, A = 0.8, 0.3, with_ones(X)
    model = OptimisticOMDRegressor(radius=radius, lipschitz=lipschitz, delta=delta, hint=hint)
    said = model.progressive_fit_predict(X, y)
    shadow, M, last = np.zeros(4), np.zeros(4), np.zeros(4)
    V, largest, between, alone = 0.0, 0.0, 0.0, 0.0

    def eta():
        G = largest if lipschitz is None else lipschitz
        root = np.sqrt((0.0 if lipschitz is None else delta) + 4 * G**2 + V)
        return 2 * radius / root if root else 0.0

    for t in range(120):
        x = projected(shadow - eta() * M, radius)
        assert said[t] == pytest.approx(A[t] @ x, abs=1e-12)
        g = (A[t] @ x - y[t]) * A[t]
        largest = max(largest, np.linalg.norm(g))
        shadow = projected(shadow - eta() * g, radius)
        V += np.sum((g - M) ** 2)
        between, alone = between + np.sum((g - last) ** 2), alone + g @ g
        share = {
            "last_gradient": 1.0,
            "none": 0.0,
            "auto": 1 / (1 + np.exp(2 * between - 2 * alone)),
        }
        M, last = share[hint] * g, g
    np.testing.assert_allclose(np.append(model.shadow_coef_, 0.0)[:3], shadow[:3], atol=1e-12)
    assert model.gradient_variation_ == pytest.approx(V)
    assert model.max_grad_norm_ == pytest.approx(largest)


def minimised(w, along, shadow, model):
    """argmin <along, x> + r(x) + w/2 |x - shadow|^2 over the domain, by CLARABEL."""
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(len(shadow))
    r = model.alpha / 2 * cp.sum_squares(x) + model.l1 * cp.norm1(x[:-1])
    domain = {
        "l2": lambda: [cp.norm(x) <= model.radius],
        "box": lambda: [cp.norm_inf(x) <= model.radius],
        None: list,
    }[model.domain]()
    objective = along @ x + r + w / 2 * cp.sum_squares(x - shadow)
    cp.Problem(cp.Minimize(objective), domain).solve(
        solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return x.value


@pytest.mark.parametrize("domain", ["l2", "box", None])
@pytest.mark.parametrize("l1", [0.0, 0.1])
def test_penalised_steps_minimise_what_they_should(domain, l1):
    X, y = abrupt(np.random.default_rng(5), 12, 3)
    model = OptimisticOMDRegressor(domain=domain, radius=0.4, alpha=0.5, l1=l1, step_size=0.9)
    A, shadow, M = with_ones(X), np.zeros(4), np.zeros(4)
    for t in range(12):
        x = minimised(1 / 0.9, M, shadow, model)
        if t:
            got = np.append(model.coef_, model.intercept_)
            np.testing.assert_allclose(got, x, atol=2e-5)
        M = (A[t] @ x - y[t]) * A[t]
        shadow = minimised(1 / 0.9, M, shadow, model)
        model.partial_fit(A[t : t + 1, :3], y[t : t + 1])


def test_strongly_convex_steps():
    """Steps 2 / (lambda t): r is in both lines, so that the first of them shrinks by 3."""
    X, y = rotating(np.random.default_rng(6), 50, 3)
    model = OptimisticOMDRegressor(
        domain=None, alpha=0.5, curvature="strongly_convex", hint="none", **BARE
    )
    x, shadow = np.zeros(3), np.zeros(3)
    for t in range(50):
        eta = 2 / (0.5 * (t + 1))
        g = (X[t] @ x - y[t]) * X[t]
        shadow = (shadow - eta * g) / (1 + 0.5 * eta)
        eta = 2 / (0.5 * (t + 2))
        x = shadow / (1 + 0.5 * eta)
        model.partial_fit(X[t : t + 1], y[t : t + 1])
        np.testing.assert_allclose(model.coef_, x, atol=1e-12)


@pytest.mark.parametrize("lipschitz", [None, 2.0])
def test_centred_steps_in_plain_numpy(lipschitz):
    X, y = abrupt(np.random.default_rng(7), 100, 3)
    radius = 0.7
    D = 2 * radius
    nu = 0.6 if lipschitz is None else 2 * D * lipschitz
    model = OptimisticOMDRegressor(
        radius=radius, step_size="sachs", delta=0.6, lipschitz=lipschitz, **BARE
    )
    theta, M, total = np.zeros(3), np.zeros(3), 0.0
    for t in range(100):
        eta = D**2 / (nu + total)
        x = projected(-eta / 2 * (theta + M), radius)
        if t:
            np.testing.assert_allclose(model.coef_, x, atol=1e-12)
            assert model.step_size_ == pytest.approx(eta)
        g = (X[t] @ x - y[t]) * X[t]
        total += eta * np.sum((g - M) ** 2)
        theta, M = theta + g, g
        model.partial_fit(X[t : t + 1], y[t : t + 1])


def test_newton_steps_in_plain_numpy():
    X, y = rotating(np.random.default_rng(8), 60, 3)
    radius, G = 1.5, 6.0
    D = 2 * radius
    model = OptimisticOMDRegressor(radius=radius, geometry="newton", lipschitz=G, **BARE)
    H = (1 + G / (16 * D)) * np.eye(3)
    shadow, M, certificate = np.zeros(3), np.zeros(3), H[0, 0] * radius**2 / 2
    for t in range(60):
        x = project(H, shadow - np.linalg.solve(H, M), radius)
        if t:
            np.testing.assert_allclose(model.coef_, x, atol=1e-9)
        r = X[t] @ x - y[t]
        g = r * X[t]
        beta = min(1 / (4 * G * D), 1 / r**2) / 2
        shadow = project(H, shadow - np.linalg.solve(H, g), radius)
        certificate += (g - M) @ np.linalg.solve(H, g - M) / 2 + beta / 2 * (g @ (x - shadow)) ** 2
        H, M = H + beta / 2 * np.outer(g, g), g
        model.partial_fit(X[t : t + 1], y[t : t + 1])
        assert model.regret_certificate_ == pytest.approx(certificate, rel=1e-10)


def test_the_newton_projection_is_nearest():
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(9)
    for scale in (1e-2, 1.0, 1e2):
        B = rng.normal(size=(4, 4))
        H, z = np.eye(4) + scale * B @ B.T, 3.0 * rng.normal(size=4)
        x = cp.Variable(4)
        goal = cp.quad_form(x - z, cp.psd_wrap(H))
        cp.Problem(cp.Minimize(goal), [cp.norm(x) <= 1.0]).solve(solver="CLARABEL")
        got = project(H, z, 1.0)
        np.testing.assert_allclose(got, x.value, atol=1e-4)
        assert np.linalg.norm(got) <= 1.0 + 1e-12
        np.testing.assert_allclose(project(H, got, 1.0), got, atol=1e-12)


@pytest.mark.parametrize("loss", [*REGRESSION, *CLASSIFICATION])
def test_an_implicit_step_is_proximal(loss):
    """x = argmin over the ball of l(a.x, y) + alpha/2 |x|^2 + |x - s|^2 / (2 eta)."""
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(10)
    kind, X = loss in CLASSIFICATION, rng.normal(size=(8, 3))
    y = rng.choice([-1, 1], size=8) if kind else 3 * rng.normal(size=8)
    cls = OptimisticOMDClassifier if kind else OptimisticOMDRegressor
    model = cls(loss, update="implicit", step_size=0.7, radius=0.6, alpha=0.3, **BARE)
    keywords = {"classes": [-1, 1]} if kind else {}
    for t in range(8):
        model.partial_fit(X[t : t + 1], y[t : t + 1], **keywords)
        x = cp.Variable(3)
        z, r = X[t] @ x, X[t] @ x - y[t]
        m = 1 - y[t] * z
        value = {
            "squared_error": lambda r=r: cp.square(r) / 2,
            "huber": lambda r=r: cp.huber(r, 0.1) / 2,
            "absolute_error": lambda r=r: cp.abs(r),
            "epsilon_insensitive": lambda r=r: cp.pos(cp.abs(r) - 0.1),
            "log_loss": lambda m=m: cp.logistic(m - 1),
            "hinge": lambda m=m: cp.pos(m),
            "squared_hinge": lambda m=m: cp.square(cp.pos(m)),
            "modified_huber": lambda m=m: cp.huber(cp.pos(m), 2.0),
        }[loss]()
        near = cp.sum_squares(x - np.ravel(model.shadow_coef_)) / 1.4
        problem = cp.Problem(
            cp.Minimize(value + 0.15 * cp.sum_squares(x) + near), [cp.norm(x) <= 0.6]
        )
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
        np.testing.assert_allclose(np.ravel(model.coef_), x.value, atol=2e-5)


def test_an_implicit_hinge_step_is_passive_aggressive():
    """From the shadow point: s + y a min(C, max(0, 1 - y a.s) / |a|^2)."""
    X, y = rotating(np.random.default_rng(11), 100, 3)
    model, y = OptimisticOMDClassifier("hinge", update="implicit", step_size=0.5, **BARE), labels(y)
    for t in range(100):
        model.partial_fit(X[t : t + 1], y[t : t + 1], classes=[-1, 1])
        s, a = model.shadow_coef_[0], X[t]
        wanted = s + y[t] * a * min(0.5, max(0.0, 1 - y[t] * a @ s) / (a @ a))
        np.testing.assert_allclose(model.coef_[0], wanted, atol=1e-13)


def test_several_classes_in_plain_numpy():
    X, number = rotating(np.random.default_rng(12), 80, 3)
    y = np.digitize(number, [-0.3, 0.3])
    model, A = OptimisticOMDClassifier(radius=0.5), with_ones(X)
    shadow, M, V, largest = np.zeros((3, 4)), np.zeros((3, 4)), 0.0, 0.0
    for t in range(80):
        root = np.sqrt(4 * largest**2 + V)
        W = projected(shadow - (M / root if root else 0), 0.5)
        if t:
            np.testing.assert_allclose(model.coef_, W[:, :3], atol=1e-12)
            np.testing.assert_allclose(model.intercept_, W[:, 3], atol=1e-12)
        p = np.exp(W @ A[t])
        g = np.outer(p / p.sum() - np.eye(3)[y[t]], A[t])
        largest = max(largest, np.linalg.norm(g))
        shadow = projected(shadow - g / np.sqrt(4 * largest**2 + V), 0.5)
        V, M = V + np.sum((g - M) ** 2), g
        model.partial_fit(X[t : t + 1], y[t : t + 1], classes=[0, 1, 2])
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_a_mean_is_that_of_the_points():
    X, y = rotating(np.random.default_rng(13), 700, 3)
    for params in ({}, {"l1": 1e-3}, {"domain": None, "step_size": "sachs"}):
        played, _, _ = walk(OptimisticOMDRegressor(radius=2.0, **params), X, y)
        model = OptimisticOMDRegressor(radius=2.0, average=True, **params)
        said = model.progressive_fit_predict(X, y)
        np.testing.assert_allclose(model.coef_, played.mean(axis=0)[:3], atol=1e-11)
        assert model.intercept_ == pytest.approx(played.mean(axis=0)[3], abs=1e-11)
        assert said[500] == pytest.approx(with_ones(X)[500] @ played[:500].mean(axis=0))


def test_a_batch_is_one_round_with_the_mean_gradient():
    rng = np.random.default_rng(14)
    X, y, weight = rng.normal(size=(6, 3)), rng.normal(size=6), np.array([1, 2, 0, 1, 1, 3.0])
    model = OptimisticOMDRegressor(mode="batch", step_size=0.1, **BARE)
    x, shadow, M = np.zeros(3), np.zeros(3), np.zeros(3)
    for _ in range(5):
        g = X.T @ (weight * (X @ x - y)) / weight.sum()
        shadow, M = shadow - 0.1 * g, g
        x = shadow - 0.1 * M
        model.partial_fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, x, rtol=1e-12)
    assert model.t_ == 5


# ------------------------------------------------------------------------------------------------
# headline


def test_regret_on_constant_losses_does_not_grow():
    """f_t = <c, x> on the unit ball with |c| = 1, G = 2, delta = 1: all is lost in two rounds."""
    c = np.array([[0.6, 0.8]])
    params = {"radius": 1.0, "lipschitz": 2.0, **BARE}
    wanted = 1.0 + 1.0 - 2 / np.sqrt(17) - 2 / np.sqrt(18)
    for T in (500, 2000):
        model = OptimisticOMDRegressor("absolute_error", **params)
        model.fit(np.repeat(c, T, axis=0), np.full(T, -100.0))  # |z + 100| = z + 100
        assert model.cumulative_loss_ - T * (100.0 - 1.0) == pytest.approx(wanted, abs=1e-6)


# ------------------------------------------------------------------------------------------------
# the stream against itself

MODELS = {
    "regressor": OptimisticOMDRegressor(),
    "mean": OptimisticOMDRegressor(average=True, hint="auto"),
    "implicit": OptimisticOMDRegressor("huber", update="implicit", alpha=0.1),
    "centred": OptimisticOMDRegressor(step_size="sachs"),
    "lasso": OptimisticOMDRegressor(l1=0.01),
    "newton": OptimisticOMDRegressor(geometry="newton"),
    "own hint": OptimisticOMDRegressor(hint=lambda g, h, t: 0.5 * (g + h)),
    "ensemble": DriftAdaptiveEnsemble(),
    "theory": DriftAdaptiveEnsemble(
        OptimisticOMDRegressor(lipschitz=5.0), tuning="theory", smoothness=2.0
    ),
}
ATTRIBUTES = ("coef_", "intercept_", "base_coefs_", "meta_weights_", "step_pool_", "weights_")
NUMBERS = ("regret_certificate_", "gradient_variation_", "max_grad_norm_", "cumulative_loss_", "t_")


def everything(model):
    names = [name for name in (*ATTRIBUTES, *NUMBERS) if hasattr(model, name)]
    return [np.asarray(getattr(model, name)) for name in names] + [
        np.asarray(array) for array in model._state.values()
    ]


def assert_identical(one, other):
    for got, wanted in zip(everything(one), everything(other), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("form", ["dense", "float32", "csr", "csr32"])
@pytest.mark.parametrize("name", [*MODELS])
def test_any_cut_of_a_stream_gives_the_same_bits(name, form):
    X, y = rotating(np.random.default_rng(15), 700, 5)
    X = np.where(np.abs(X) < 0.2, 0.0, X).astype(np.float32 if "32" in form else float)
    X = sparse.csr_array(X) if "csr" in form else X
    whole = clone(MODELS[name]).fit(X, y)
    parts = clone(MODELS[name])
    said = []
    for start, stop in itertools.pairwise([0, 1, 2, 60, 64, 65, 300, 512, 700]):
        said.append(parts.predict(X[start:stop])[0] if start else 0.0)
        got = parts.progressive_fit_predict(X[start:stop], y[start:stop])
        assert said[-1] == pytest.approx(got[0], abs=1e-12)
        if "own" not in name:
            parts = pickle.loads(pickle.dumps(parts))
    assert_identical(parts, whole)


@pytest.mark.parametrize("name", [*MODELS])
def test_sparse_and_single_rows_learn_what_dense_ones_do(name):
    X, y = rotating(np.random.default_rng(16), 300, 5)
    X = np.where(np.abs(X) < 0.3, 0.0, X).astype(np.float32)
    wanted = clone(MODELS[name]).fit(X.astype(float), y).predict(X.astype(float))
    for other in (X, sparse.csr_array(X), sparse.csc_matrix(X.astype(float))):
        got = clone(MODELS[name]).fit(other, y).predict(other)
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_scaled_vectors_are_whole_ones():
    """A hint that is the last gradient takes the other way through the same rounds."""
    X, y = abrupt(np.random.default_rng(17), 800, 4)

    def last(gradient, hint, t):
        return gradient

    for params in ({"radius": 0.5}, {"alpha": 0.2}, {"domain": None, "step_size": 0.2}):
        one = OptimisticOMDRegressor(**params).fit(X, y)
        other = OptimisticOMDRegressor(hint=last, **params).fit(X, y)
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-12)
        assert one.regret_certificate_ == pytest.approx(other.regret_certificate_, rel=1e-10)
        np.testing.assert_allclose(one.hint_, other.hint_, atol=1e-12)
        np.testing.assert_allclose(one.shadow_coef_, other.shadow_coef_, atol=1e-12)


def test_a_stream_from_disk_is_a_loop(tmp_path):
    X, y = rotating(np.random.default_rng(18), 500, 4)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = OptimisticOMDRegressor()
    for start in range(0, 500, 120):
        rows = slice(start, start + 120)
        model.partial_fit(mapped[rows], y[rows])
    assert_identical(model, OptimisticOMDRegressor().fit(X, y))


def test_batches_of_arrow_are_chunks():
    arrow = pytest.importorskip("pyarrow")
    X, y = rotating(np.random.default_rng(19), 100, 3)
    table = arrow.table({**{f"x{j}": X[:, j] for j in range(3)}, "y": y})
    model = OptimisticOMDRegressor()
    for batch in table.to_batches(max_chunksize=30):
        frame = batch.to_pandas()
        model.partial_fit(frame.drop(columns="y"), frame["y"])
    assert list(model.feature_names_in_) == ["x0", "x1", "x2"]
    np.testing.assert_array_equal(model.coef_, OptimisticOMDRegressor().fit(X, y).coef_)


def test_a_weight_is_a_factor_of_the_loss():
    """A row of weight 2 is one round of twice the loss, not two rounds; 0 is no round."""
    rng = np.random.default_rng(20)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    weight = np.arange(30) % 3

    params = {"step_size": 0.05, "hint": "none"}
    model = OptimisticOMDRegressor(**params, **BARE).fit(X, y, sample_weight=weight)
    x = np.zeros(3)
    for a, target, w in zip(X, y, weight, strict=True):
        x -= 0.05 * w * (a @ x - target) * a
    np.testing.assert_allclose(model.coef_, x, atol=1e-13)
    assert model.t_ == np.count_nonzero(weight)
    twice = np.repeat(np.arange(30), weight)
    copies = OptimisticOMDRegressor(**params, **BARE).fit(X[twice], y[twice])
    assert np.abs(copies.coef_ - x).max() > 1e-6
    assert copies.t_ == weight.sum()


def test_units_of_losses_do_not_matter_without_lipschitz():
    X, y = abrupt(np.random.default_rng(21), 200, 3)
    one = OptimisticOMDRegressor(radius=2.0).fit(X, y)
    other = OptimisticOMDRegressor(radius=2e6).fit(X, 1e6 * y)
    np.testing.assert_allclose(other.coef_, 1e6 * one.coef_, rtol=1e-9)


# ------------------------------------------------------------------------------------------------
# inside of others


def test_in_evaluations_of_scikit_learn():
    X, y = rotating(np.random.default_rng(22), 300, 4)
    pipeline = make_pipeline(StandardScaler(), OptimisticOMDRegressor(radius=2.0))
    scores = cross_val_score(pipeline, X, y, cv=TimeSeriesSplit(3))
    assert np.isfinite(scores).all()
    grid = {"hint": ["none", "last_gradient"], "radius": [1.0, 5.0]}
    search = GridSearchCV(OptimisticOMDRegressor(), grid, cv=TimeSeriesSplit(3)).fit(X, y)
    assert search.best_params_["radius"] in (1.0, 5.0)
    nested = {"base__hint": ["none", "auto"], "meta_lr_scale": [1.0, 4.0]}
    ensemble = DriftAdaptiveEnsemble(OptimisticOMDRegressor())
    assert GridSearchCV(ensemble, nested, cv=TimeSeriesSplit(2)).fit(X, y).best_params_


def test_one_row_after_another_as_river_does():
    """Predict one, then learn one: dictionaries of features, as `progressive_val_score` reads."""
    X, y = rotating(np.random.default_rng(23), 60, 3)
    model, said = OptimisticOMDRegressor(), []
    for x, target in zip(({"a": a, "b": b, "c": c} for a, b, c in X), y, strict=True):
        row = pd.DataFrame([x])
        said.append(model.predict(row)[0] if hasattr(model, "coef_") else 0.0)
        model.partial_fit(row, [target])
    whole = OptimisticOMDRegressor().progressive_fit_predict(X, y)
    np.testing.assert_allclose(said, whole, atol=1e-12)


# ------------------------------------------------------------------------------------------------
# what cannot be meant

X_, Y_ = np.random.default_rng(24).normal(size=(20, 3)), np.arange(20.0)
LABELS = np.arange(20) % 2
BAD = {
    "radius": ({"radius": 0.0}, "radius"),
    "negative radius": ({"radius": -1.0}, "radius"),
    "loss": ({"loss": "log_loss"}, "loss"),
    "domain": ({"domain": "l1"}, "domain"),
    "geometry": ({"geometry": "ons"}, "geometry"),
    "curvature": ({"curvature": "exp"}, "curvature"),
    "curvature without strength": ({"curvature": "strongly_convex"}, "alpha"),
    "curvature and a step": (
        {"curvature": "strongly_convex", "alpha": 1.0, "step_size": 0.1},
        "step_size",
    ),
    "step": ({"step_size": -0.1}, "step_size"),
    "named step": ({"step_size": "optimal"}, "step_size"),
    "centred, penalised": ({"step_size": "sachs", "alpha": 1.0}, "sachs"),
    "centred, box": ({"step_size": "sachs", "domain": "box"}, "sachs"),
    "centred, nothing known": ({"step_size": "sachs", "delta": 0.0}, "delta"),
    "hint": ({"hint": "mean"}, "hint"),
    "hint of another shape": ({"hint": lambda g, h, t: g[:1]}, "shape"),
    "hint that is not finite": ({"hint": lambda g, h, t: g * np.nan}, "finite"),
    "update": ({"update": "prox"}, "update"),
    "implicit lasso": ({"update": "implicit", "l1": 0.1}, "implicit"),
    "lipschitz": ({"lipschitz": 0.0}, "lipschitz"),
    "delta": ({"delta": -1.0}, "delta"),
    "alpha": ({"alpha": -1.0}, "alpha"),
    "l1": ({"l1": -1.0}, "l1"),
    "mode": ({"mode": "rows"}, "mode"),
    "epsilon": ({"epsilon": -0.1}, "epsilon"),
    "newton, absolute": ({"geometry": "newton", "loss": "absolute_error"}, "exp-concave"),
    "newton, everywhere": ({"geometry": "newton", "domain": None}, "domain"),
    "newton, penalised": ({"geometry": "newton", "alpha": 0.1}, "alpha"),
    "loss that returns one number": ({"loss": lambda z, y: z}, "pair"),
    "a step that overflows": ({"step_size": 1e6, "domain": None}, "overflows"),
}


@pytest.mark.parametrize(("params", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_meant_is_refused(params, says):
    with pytest.raises(ValueError, match=says):
        OptimisticOMDRegressor(**params).fit(1e3 * X_ if says == "overflows" else X_, Y_)


def test_bad_rows_are_refused():
    model = OptimisticOMDRegressor().fit(X_, Y_)
    before = everything(model)
    hole = X_.copy()
    hole[3, 1] = np.nan
    for X, y, weight, says in (
        (hole, Y_, None, "NaN"),
        (X_, np.where(Y_ == 3, np.inf, Y_), None, "infinity"),
        (X_[:, :2], Y_, None, "features"),
        (X_, Y_, -np.ones(20), "[Nn]egative"),
        (X_, Y_[:5], None, "inconsistent"),
    ):
        with pytest.raises(ValueError, match=says):
            model.partial_fit(X, y, sample_weight=weight)
    for got, wanted in zip(everything(model), before, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_changed_parameter_needs_a_new_stream():
    model = OptimisticOMDRegressor().fit(X_, Y_).set_params(radius=3.0)
    with pytest.raises(ValueError, match="radius was"):
        model.partial_fit(X_, Y_)
    model.fit(X_, Y_)
    assert model.t_ == 20
    ensemble = DriftAdaptiveEnsemble(OptimisticOMDRegressor()).fit(X_, Y_)
    with pytest.raises(ValueError, match="base__hint"):
        ensemble.set_params(base__hint="none").partial_fit(X_, Y_)


def test_classes_are_known_from_the_beginning():
    model = OptimisticOMDClassifier()
    with pytest.raises(ValueError, match="at least two classes"):
        model.partial_fit(X_, np.zeros(20))
    model.partial_fit(X_, np.zeros(20), classes=[0, 1])
    assert (model.predict(X_) == 0).all()
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X_, np.full(20, 2))
    with pytest.raises(ValueError, match="classes is"):
        model.partial_fit(X_, LABELS, classes=[0, 1, 2])
    assert list(model.partial_fit(X_, LABELS, classes=[1, 0]).classes_) == [0, 1]
    with pytest.raises(ValueError, match="two classes"):
        OptimisticOMDClassifier(geometry="newton").fit(X_, np.arange(20) % 3)
    with pytest.raises(ValueError, match="implicit"):
        OptimisticOMDClassifier(update="implicit").fit(X_, np.arange(20) % 3)


def test_a_class_that_never_comes_has_a_column():
    model = OptimisticOMDClassifier().partial_fit(X_, LABELS, classes=[0, 1, 2])
    assert model.predict_proba(X_).shape == (20, 3)
    assert (model.predict(X_) < 2).mean() > 0.9


def test_probabilities_belong_to_the_log_loss():
    assert not hasattr(OptimisticOMDClassifier("hinge"), "predict_proba")
    assert not hasattr(DriftAdaptiveEnsemble(OptimisticOMDClassifier("hinge")), "predict_proba")
    assert not hasattr(DriftAdaptiveEnsemble(), "decision_function")


def test_before_rows_there_is_nothing():
    for model in (OptimisticOMDRegressor(), OptimisticOMDClassifier(), DriftAdaptiveEnsemble()):
        with pytest.raises(NotFittedError):
            model.predict(X_)


def test_rows_without_weight_leave_no_trace():
    weight = np.arange(20) % 4 != 1
    for model in (OptimisticOMDRegressor(), DriftAdaptiveEnsemble(), OnlineSimplexAggregator()):
        got = clone(model).fit(np.where(weight[:, None], X_, 1e6), Y_, sample_weight=weight)
        assert got.t_ == weight.sum()
        assert_identical(got, clone(model).fit(X_[weight], Y_[weight]))
