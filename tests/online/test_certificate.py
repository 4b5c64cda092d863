"""The certificate bounds the regret on every prefix, whatever comes; the theorems bound it."""

import itertools

import numpy as np
import pytest
from online_streams import (
    STREAMS,
    Walk,
    abrupt,
    in_ball,
    labels,
    loss_values,
    penalty,
    point,
    random,
    rotating,
    walk,
    with_ones,
)

from skreg.online import DriftAdaptiveEnsemble, OptimisticOMDClassifier, OptimisticOMDRegressor

RADIUS = 2.0


def mean_of_two(gradient, hint, t):
    """A hint of a user."""
    return 0.5 * (gradient + hint)


SETTINGS = {
    "default": {},
    "lipschitz": {"lipschitz": 3.0, "delta": 0.5},
    "too small a lipschitz": {"lipschitz": 1e-3, "delta": 0.0},
    "constant": {"step_size": 0.3},
    "huge constant": {"step_size": 50.0},
    "sachs": {"step_size": "sachs"},
    "sachs, lipschitz": {"step_size": "sachs", "lipschitz": 3.0},
    "ridge": {"alpha": 0.1},
    "strongly convex": {"alpha": 0.1, "curvature": "strongly_convex"},
    "strongly convex, lasso": {"alpha": 0.1, "curvature": "strongly_convex", "l1": 0.05},
    "lasso": {"l1": 0.05},
    "box": {"domain": "box"},
    "everywhere": {"domain": None},
    "everywhere, sachs": {"domain": None, "step_size": "sachs"},
    "newton": {"geometry": "newton"},
    "newton, lipschitz": {"geometry": "newton", "lipschitz": 10.0},
    "implicit": {"update": "implicit"},
    "implicit, ridge": {"update": "implicit", "alpha": 0.2},
    "no intercept": {"fit_intercept": False},
}
HINTS = {"last": "last_gradient", "none": "none", "auto": "auto", "own": mean_of_two}
CERTIFIED = [
    (setting, hint)
    for setting, hint in itertools.product(SETTINGS, HINTS)
    if not (hint == "own" and ("sachs" in setting or "implicit" in setting))
]


def comparators(rng, estimator, X, y, name):
    """Points of the domain: random ones, and one that is best in hindsight for squared losses."""
    d = X.shape[1] + estimator.fit_intercept
    if estimator.domain == "box":
        return rng.uniform(-RADIUS, RADIUS, size=(200, d))
    points = in_ball(rng, 200, d, RADIUS)
    A = with_ones(X) if estimator.fit_intercept else X
    best = np.linalg.lstsq(A.T @ A + 1e-9 * np.eye(d), A.T @ y, rcond=None)[0]
    points[0] = best * min(1.0, RADIUS / np.linalg.norm(best))
    return points


def assert_certified(estimator, name, X, y, rng, classes=None):
    played, certificates, losses = walk(estimator, X, y, classes)
    A = with_ones(X) if estimator.fit_intercept else X
    own = loss_values(name, np.sum(A * played, axis=1), y)
    np.testing.assert_allclose(losses, np.cumsum(own), rtol=1e-9)
    us = comparators(rng, estimator, X, y, name)
    theirs = loss_values(name, A @ us.T, y[:, None]) + penalty(estimator, us)
    regret = np.cumsum(own + penalty(estimator, played)) - np.cumsum(theirs, axis=0).T
    slack = 1e-9 * (1.0 + np.abs(certificates))
    assert (regret.max(axis=0) <= certificates + slack).all()
    assert regret.max() > -np.inf
    return regret.max(axis=0), certificates


@pytest.mark.parametrize(("setting", "hint"), CERTIFIED)
def test_no_fixed_point_beats_the_certificate(setting, hint):
    rng = np.random.default_rng(0)
    for stream in STREAMS.values():
        X, y = stream(rng, 40, 3)
        params = {"radius": RADIUS, "hint": HINTS[hint], **SETTINGS[setting]}
        assert_certified(OptimisticOMDRegressor(**params), "squared_error", X, y, rng)


@pytest.mark.parametrize("update", ["explicit", "implicit"])
@pytest.mark.parametrize("loss", ["huber", "absolute_error", "epsilon_insensitive"])
def test_losses_of_numbers_are_certified(loss, update):
    rng = np.random.default_rng(1)
    for stream in STREAMS.values():
        X, y = stream(rng, 40, 3)
        model = OptimisticOMDRegressor(loss, radius=RADIUS, update=update)
        assert_certified(model, loss, X, y, rng)


@pytest.mark.parametrize(
    ("loss", "params"),
    [
        *itertools.product(
            ["log_loss", "hinge", "squared_hinge", "modified_huber"],
            [{}, {"update": "implicit"}, {"alpha": 0.1, "curvature": "strongly_convex"}],
        ),
        ("log_loss", {"geometry": "newton"}),
        ("squared_hinge", {"geometry": "newton"}),
    ],
)
def test_losses_of_classes_are_certified(loss, params):
    rng = np.random.default_rng(2)
    for stream in STREAMS.values():
        X, y = stream(rng, 40, 3)
        model = OptimisticOMDClassifier(loss, radius=RADIUS, **params)
        assert_certified(model, loss, X, labels(y), rng, classes=[-1, 1])


def multinomial(Z, y):
    return np.log(np.exp(Z).sum(axis=-1)) - np.take_along_axis(Z, y[..., None], -1)[..., 0]


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_three_classes_are_certified(loss):
    rng = np.random.default_rng(3)
    X, number = rotating(rng, 60, 3)
    y = np.digitize(number, [-0.3, 0.3])
    model, A = OptimisticOMDClassifier(loss, radius=RADIUS), with_ones(X)
    us = in_ball(rng, 200, 12, RADIUS).reshape(200, 3, 4)
    regret, rounds = np.zeros(200), Walk(model, 3, classes=[0, 1, 2])
    for t in range(60):
        W = np.zeros((3, 4)) if t == 0 else np.column_stack([model.coef_, model.intercept_])
        z, others = W @ A[t], us @ A[t]
        if loss == "log_loss":
            own = multinomial(z, y[t])
            regret += own - multinomial(others, np.full(200, y[t]))
        else:
            sign = np.where(np.arange(3) == y[t], 1.0, -1.0)
            own = np.maximum(1 - sign * z, 0).sum()
            regret += own - np.maximum(1 - sign * others, 0).sum(axis=1)
        rounds.learn(X[t], y[t])
        assert regret.max() <= model.regret_certificate_ + 1e-9


@pytest.mark.parametrize("hint", ["last_gradient", "none", "auto"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"pool": [0.5, 0.01, 3.0]},
        {"tuning": "theory", "smoothness": 1.0},
        {"tuning": "theory", "smoothness": 1.0, "n_rounds": 200},
        {"switch_penalty": 1.0},
    ],
    ids=str,
)
def test_an_ensemble_is_certified(params, hint):
    rng = np.random.default_rng(4)
    for stream in STREAMS.values():
        X, y = stream(rng, 200, 3)
        base = OptimisticOMDRegressor(radius=RADIUS, hint=hint, lipschitz=3.0)
        model, A = DriftAdaptiveEnsemble(base, **params), with_ones(X)
        us, regret = in_ball(rng, 200, 4, RADIUS), np.zeros(200)
        rounds = Walk(model, 3)
        for t in range(200):
            z = rounds.learn(X[t], y[t])[0]
            regret += 0.5 * (z - y[t]) ** 2 - 0.5 * (us @ A[t] - y[t]) ** 2
            bound = model.regret_certificate_
            assert regret.max() <= bound + 1e-9 * (1.0 + abs(bound))


# ------------------------------------------------------------------------------------------------
# the certificate is at most the right side of the theorem


def variation_before(estimator, X, y):
    """V after all rounds but the last, and after all of them."""
    estimator.fit(X[:-1], y[:-1])
    before = estimator.gradient_variation_
    return before, estimator.partial_fit(X[-1:], y[-1:]).gradient_variation_


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_convex_steps_keep_to_the_theorem(stream):
    X, y = stream(np.random.default_rng(5), 100, 3)
    G = OptimisticOMDRegressor(radius=RADIUS).fit(X, y).max_grad_norm_ * 3
    D, delta = 2 * RADIUS, 0.7
    model = OptimisticOMDRegressor(radius=RADIUS, lipschitz=G, delta=delta)
    before, V = variation_before(model, X, y)
    bound = D / 2 * np.sqrt(delta + 4 * G**2 + before)
    bound += 2 * D * (np.sqrt(delta + V) - np.sqrt(delta))
    assert 0.0 < model.regret_certificate_ <= bound


def test_strongly_convex_steps_keep_to_the_theorem():
    """lambda D^2 / 4 + 2 / lambda sum |g_t - M_t|^2 / t, from V after each round."""
    X, y = rotating(np.random.default_rng(6), 80, 3)
    strength = 0.3
    model = OptimisticOMDRegressor(radius=RADIUS, alpha=strength, curvature="strongly_convex")
    rows = [slice(t, t + 1) for t in range(80)]
    V = [model.partial_fit(X[one], y[one]).gradient_variation_ for one in rows]
    deviations = np.diff(V, prepend=0.0)
    bound = strength * (2 * RADIUS) ** 2 / 4
    bound += 2 / strength * np.sum(deviations / np.arange(1, 81))
    assert 0.0 < model.regret_certificate_ <= bound


def test_newton_steps_keep_to_the_theorem():
    """1/2 |u|^2_{H_1} + 3/2 sum |g_t - M_t|^2_{H_t^{-1}}, with matrices by hand."""
    X, y = rotating(np.random.default_rng(7), 60, 3)
    G, D = 40.0, 2 * RADIUS
    model = OptimisticOMDRegressor(
        radius=RADIUS, geometry="newton", lipschitz=G, fit_intercept=False
    )
    played, certificates, _ = walk(model, X, y)
    residuals = np.sum(X * played, axis=1) - y
    beta = 1 / (8 * G * D)
    assert beta <= 0.5 / np.max(residuals**2)
    H, M = (1 + beta / 2 * G**2) * np.eye(3), np.zeros(3)
    bound = 0.5 * H[0, 0] * RADIUS**2
    for a, r in zip(X, residuals, strict=True):
        g = r * a
        bound += 1.5 * (g - M) @ np.linalg.solve(H, g - M)
        H, M = H + beta / 2 * np.outer(g, g), g
    assert 0.0 < certificates[-1] <= bound * (1 + 1e-12)


@pytest.mark.parametrize("stream", [rotating, abrupt, random])
def test_centred_steps_keep_to_the_theorem(stream):
    """Sachs et al. 2022: nu = 2 D G gives at most 3 sqrt(2) D G sqrt(T) + 4 D G."""
    X, y = stream(np.random.default_rng(8), 400, 3)
    G, D = 60.0, 2 * RADIUS
    model = OptimisticOMDRegressor(radius=RADIUS, step_size="sachs", lipschitz=G).fit(X, y)
    assert model.max_grad_norm_ <= G
    assert 0.0 < model.regret_certificate_ <= 3 * np.sqrt(2) * D * G * np.sqrt(400) + 4 * D * G


def test_a_certificate_is_never_far_above_the_worst_case():
    """Regret of constant losses <c, x> on a ball is known: u = -c R / |c|."""
    c = np.array([3.0, 4.0])
    model = OptimisticOMDRegressor(lambda z, y: (z, 1.0), radius=RADIUS, fit_intercept=False)
    X, y = np.tile(c, (50, 1)), np.zeros(50)
    _, certificates, losses = walk(model, X, y)
    regret = losses + np.arange(1, 51) * RADIUS * 5.0
    assert (regret <= certificates + 1e-9).all()
    assert regret[-1] == pytest.approx(regret[0])  # the second round already plays the best point
    assert certificates[-1] <= 2.0 * regret[-1]
    assert point(model) == pytest.approx(-c / 5.0 * RADIUS)
