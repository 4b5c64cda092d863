"""Mixtures against hand-written Hedge and against single learners; weights of experts."""

import numpy as np
import pytest
from online_streams import abrupt, random, rotating, with_ones
from sklearn.base import is_classifier, is_regressor

from skreg.online import (
    DriftAdaptiveEnsemble,
    OnlineSimplexAggregator,
    OptimisticOMDClassifier,
    OptimisticOMDRegressor,
)


def projected(x, radius):
    return x * min(1.0, radius / max(np.linalg.norm(x), 1e-300))


def by_hand(X, y, radius, steps, *, hint=True, switch=0.0, rate=None):
    """Predictions, weights and points of Sword++ as its equations stand, in whole vectors.

    `rate(V)` maps the summed squares of what the hints missed to a rate; `steps(largest)` the
    largest squared norm of a row so far to steps.
    """
    A = with_ones(X)
    n_learners = len(steps(1.0))
    shadows, M = np.zeros((n_learners, A.shape[1])), np.zeros(A.shape[1])
    total, V, largest = np.zeros(n_learners), 0.0, 0.0
    before, said, all_weights = None, [], []
    for a, target in zip(A, y, strict=True):
        eta = steps(largest) if largest else np.zeros(n_learners)
        x = np.array([projected(s - e * M, radius) for s, e in zip(shadows, eta, strict=True)])
        moved = 0.0 if before is None else switch * np.sum((x - before) ** 2, axis=1)
        m = x @ M + moved
        p = np.exp(-rate(V) * (total + m - (total + m).min()))
        p /= p.sum()
        z = p @ x @ a
        said.append(z)
        all_weights.append(p)
        g = (z - target) * a
        losses = x @ g + moved
        missed = losses - m
        V += np.max(np.abs(missed - (missed.mean() if switch == 0.0 else 0.0))) ** 2
        total += losses
        largest = max(largest, a @ a)
        shadows = np.array(
            [projected(s - e * g, radius) for s, e in zip(shadows, steps(largest), strict=True)]
        )
        before, M = x, g if hint else np.zeros_like(g)
    return np.array(said), np.array(all_weights)


@pytest.mark.parametrize("hint", ["last_gradient", "none"])
def test_practical_tuning_by_hand(hint):
    X, y = abrupt(np.random.default_rng(0), 300, 3)
    base = OptimisticOMDRegressor(radius=1.5, hint=hint)
    model = DriftAdaptiveEnsemble(base, meta_lr_scale=3.0)
    said = model.progressive_fit_predict(X, y)
    wanted, _ = by_hand(
        X, y, 1.5, lambda largest: 0.02 * 2.0 ** np.arange(8) / largest,
        hint=hint != "none", rate=lambda V: 3.0 * np.sqrt(np.log(8) / (1e-3 + V)),
    )  # fmt: skip
    np.testing.assert_allclose(said, wanted, atol=1e-10)
    np.testing.assert_allclose(
        model.step_pool_, 0.02 * 2.0 ** np.arange(8) / np.sum(with_ones(X) ** 2, axis=1).max()
    )


def test_theory_by_hand():
    """PyNOL's Sword++ with the pool cut at 1 / (8 L) and the lazy form of Hedge."""
    X, y = rotating(np.random.default_rng(1), 200, 3)
    radius, G, L = 1.2, 4.0, 2.0
    D = 2 * radius
    least = D / (G * np.sqrt(200))
    n_steps = int(np.ceil(np.log2(1 / (8 * L) / least))) + 1 if least < 1 / (8 * L) else 1
    pool = np.minimum(least * 2.0 ** np.arange(n_steps), 1 / (8 * L))
    base = OptimisticOMDRegressor(radius=radius, lipschitz=G)
    model = DriftAdaptiveEnsemble(base, tuning="theory", smoothness=L, n_rounds=200)
    said = model.progressive_fit_predict(X, y)
    wanted, _ = by_hand(
        X, y, radius, lambda largest: pool, switch=2 * L,
        rate=lambda V: min(1 / (8 * D**2 * L), 1 / np.sqrt(1 + V)),
    )  # fmt: skip
    np.testing.assert_allclose(said, wanted, atol=1e-10)
    np.testing.assert_allclose(model.step_pool_, pool)


@pytest.mark.parametrize("switch", [0.5, 5.0])
def test_a_price_of_moving_by_hand(switch):
    X, y = random(np.random.default_rng(2), 700, 2)  # long enough to fold scales
    pool = np.array([0.001, 0.3, 0.05])
    base = OptimisticOMDRegressor(radius=0.7, lipschitz=9.0)
    model = DriftAdaptiveEnsemble(
        base, pool=pool, tuning="theory", smoothness=0.01, switch_penalty=switch
    )
    said = model.progressive_fit_predict(X, y)
    largest_rate = 1 / (8 * 1.4**2 * 0.01)
    wanted, weights = by_hand(
        X, y, 0.7, lambda largest: pool, switch=switch,
        rate=lambda V: min(largest_rate, 1 / np.sqrt(1 + V)),
    )  # fmt: skip
    np.testing.assert_allclose(said, wanted, atol=1e-8)
    assert np.ptp(weights[-1]) > 0.1


@pytest.mark.parametrize("cls", [OptimisticOMDRegressor, OptimisticOMDClassifier])
def test_one_step_is_one_learner(cls):
    X, number = rotating(np.random.default_rng(3), 300, 4)
    y = np.digitize(number, [-0.3, 0.3]) if cls is OptimisticOMDClassifier else number
    alone = cls(step_size=0.4, radius=1.0).fit(X, y)
    model = DriftAdaptiveEnsemble(cls(radius=1.0), pool=[0.4]).fit(X, y)
    np.testing.assert_allclose(model.base_coefs_[0], alone.coef_, atol=1e-12)
    assert model.cumulative_loss_ == pytest.approx(alone.cumulative_loss_)
    assert model.regret_certificate_ == pytest.approx(alone.regret_certificate_)
    np.testing.assert_array_equal(model.predict(X), alone.predict(X)) if is_classifier(
        alone
    ) else np.testing.assert_allclose(model.predict(X), alone.predict(X), atol=1e-12)


def test_the_order_of_the_pool_is_that_of_the_weights():
    X, y = rotating(np.random.default_rng(4), 200, 3)
    pool, order = np.array([0.02, 0.1, 0.5, 2.0]), np.array([2, 0, 3, 1])
    one = DriftAdaptiveEnsemble(pool=pool).fit(X, y)
    other = DriftAdaptiveEnsemble(pool=pool[order]).fit(X, y)
    np.testing.assert_allclose(other.meta_weights_, one.meta_weights_[order], atol=1e-12)
    np.testing.assert_allclose(other.base_coefs_, one.base_coefs_[order], atol=1e-12)


def test_equal_steps_have_equal_weights():
    X, y = rotating(np.random.default_rng(5), 200, 3)
    model = DriftAdaptiveEnsemble(pool=[0.2, 0.2, 0.2]).fit(X, y)
    np.testing.assert_allclose(model.meta_weights_, 1 / 3, atol=1e-9)


def test_theory_begins_anew_where_it_was():
    """After 64 rounds: weights are uniform, learners are where the mixture was."""
    X, y = rotating(np.random.default_rng(6), 64, 3)
    base = OptimisticOMDRegressor(lipschitz=3.0)
    params = {"tuning": "theory", "smoothness": 2.0}
    model = DriftAdaptiveEnsemble(base, **params).fit(X[:63], y[:63])
    longer = DriftAdaptiveEnsemble(base, **params).fit(X, y)
    assert len(longer.step_pool_) >= len(model.step_pool_)
    np.testing.assert_allclose(longer.meta_weights_.sum(), 1.0)
    assert longer.t_ == 64
    assert longer.regret_certificate_ > 0.0


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"base": OptimisticOMDRegressor(l1=0.1)}, "l1"),
        ({"base": OptimisticOMDRegressor(alpha=0.1)}, "alpha"),
        ({"base": OptimisticOMDRegressor(domain="box")}, "box"),
        ({"base": OptimisticOMDRegressor(geometry="newton")}, "geometry"),
        ({"base": OptimisticOMDRegressor(update="implicit")}, "update"),
        ({"base": OptimisticOMDRegressor(average=True)}, "average"),
        ({"base": OptimisticOMDRegressor(hint=lambda g, h, t: g)}, "hint"),
        ({"base": OptimisticOMDRegressor(radius=-1.0)}, "radius"),
        ({"base": OnlineSimplexAggregator()}, "base"),
        ({"tuning": "theory"}, "smoothness"),
        ({"tuning": "best"}, "tuning"),
        ({"pool": [0.1, 0.0]}, "pool"),
        ({"pool": []}, "pool"),
        ({"n_rounds": 0}, "n_rounds"),
        ({"meta_lr_scale": 0.0}, "meta_lr_scale"),
        ({"switch_penalty": -1.0}, "switch_penalty"),
        ({"smoothness": 0.0}, "smoothness"),
    ],
)
def test_what_an_ensemble_cannot_be_is_refused(params, says):
    X, y = rotating(np.random.default_rng(7), 20, 3)
    with pytest.raises(ValueError, match=says):
        DriftAdaptiveEnsemble(**params).fit(X, y)


def test_an_ensemble_is_what_its_base_is():
    assert is_regressor(DriftAdaptiveEnsemble())
    assert is_classifier(DriftAdaptiveEnsemble(OptimisticOMDClassifier()))
    X, y = rotating(np.random.default_rng(8), 50, 3)
    with pytest.raises(ValueError, match="classes"):
        DriftAdaptiveEnsemble().partial_fit(X, y, classes=[0, 1])


# ------------------------------------------------------------------------------------------------
# experts

LOSSES = np.random.default_rng(9).normal(size=(80, 4)) + [0.0, 0.3, -0.2, 0.1]


@pytest.mark.parametrize("hinted", [True, False])
def test_a_constant_rate_is_greedy_mirror_descent(hinted):
    """p_t prop q_t exp(-eta M_t), q_{t+1} prop q_t exp(-eta g_t)."""
    model = OnlineSimplexAggregator(0.3, "last_gradient" if hinted else "none")
    said = model.progressive_fit_predict(LOSSES)
    q, M = np.full(4, 0.25), np.zeros(4)
    for t, g in enumerate(LOSSES):
        p = q * np.exp(-0.3 * M)
        p /= p.sum()
        assert said[t] == pytest.approx(p @ g)
        q, M = q * np.exp(-0.3 * g), g if hinted else M
        q /= q.sum()
    p = q * np.exp(-0.3 * M)
    np.testing.assert_allclose(model.weights_, p / p.sum(), rtol=1e-12)


@pytest.mark.parametrize("hint", ["last_gradient", "none"])
@pytest.mark.parametrize("eta", ["adaptive", 0.05, 5.0])
def test_no_fixed_weights_beat_the_certificate(eta, hint):
    for losses in (LOSSES, 1e3 * LOSSES, np.tile(LOSSES[:1], (60, 1)), LOSSES[::-1] ** 3):
        model, lost, best = OnlineSimplexAggregator(eta, hint), 0.0, np.zeros(4)
        for row in losses:
            lost += model.progressive_fit_predict(row[None])[0]
            best += row
            bound = model.regret_certificate_
            assert lost - best.min() <= bound + 1e-9 * (1 + abs(bound))
            assert model.cumulative_loss_ == pytest.approx(lost)


@pytest.mark.parametrize(
    "loss", ["squared_error", "huber", "absolute_error", "epsilon_insensitive"]
)
def test_no_fixed_mixture_of_forecasts_beats_the_certificate(loss):
    rng = np.random.default_rng(10)
    X, y = rng.normal(size=(100, 3)), rng.normal(size=100)
    mixtures = np.vstack([np.eye(3), rng.dirichlet(np.ones(3), size=200)])
    model, rival = OnlineSimplexAggregator(loss=loss), OptimisticOMDRegressor(loss)
    theirs = np.zeros(203)
    for t in range(100):
        model.partial_fit(X[t : t + 1], y[t : t + 1])
        r = np.abs(mixtures @ X[t] - y[t])
        theirs += {
            "squared_error": r**2 / 2,
            "huber": np.where(r < 0.1, r**2 / 2, 0.1 * r - 0.005),
            "absolute_error": r,
            "epsilon_insensitive": np.maximum(r - 0.1, 0),
        }[rival.loss]
        assert model.cumulative_loss_ - theirs.min() <= model.regret_certificate_ + 1e-9


def test_a_constant_for_all_experts_changes_nothing():
    one = OnlineSimplexAggregator().fit(LOSSES)
    other = OnlineSimplexAggregator().fit(LOSSES + np.arange(80)[:, None])
    np.testing.assert_allclose(other.weights_, one.weights_, rtol=1e-9)
    assert other.regret_certificate_ == pytest.approx(one.regret_certificate_)


def test_one_expert_has_all_the_weight():
    model = OnlineSimplexAggregator().fit(LOSSES[:, :1])
    assert model.weights_ == [1.0]
    assert model.regret_certificate_ == 0.0


def test_experts_in_chunks_are_one_stream():
    rng = np.random.default_rng(11)
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    whole, parts = OnlineSimplexAggregator().fit(X, y), OnlineSimplexAggregator()
    for start in range(0, 50, 7):
        parts.partial_fit(X[start : start + 7], y[start : start + 7])
    np.testing.assert_array_equal(parts.weights_, whole.weights_)
    assert parts.regret_certificate_ == whole.regret_certificate_


@pytest.mark.parametrize(
    ("params", "says"),
    [({"eta": 0.0}, "eta"), ({"hint": "auto"}, "hint"), ({"loss": "log_loss"}, "loss"),
     ({"epsilon": -1.0}, "epsilon")],
)  # fmt: skip
def test_what_experts_cannot_be_is_refused(params, says):
    with pytest.raises(ValueError, match=says):
        OnlineSimplexAggregator(**params).fit(LOSSES)


def test_the_certificate_by_hand():
    """The least over learners of sum <g, x - x_i> and the bound of learner i."""
    X, y = abrupt(np.random.default_rng(12), 60, 3)
    radius, pool, A = 1.1, np.array([0.05, 0.4, 1.5]), with_ones(X)
    model = DriftAdaptiveEnsemble(OptimisticOMDRegressor(radius=radius), pool=pool)
    shadows, M, behind = np.zeros((3, 4)), np.zeros(4), np.zeros(3)
    bound = radius**2 / (2 * pool)  # the pull of the first round; steps stay
    for t, a in enumerate(A):
        x = np.array([projected(s - e * M, radius) for s, e in zip(shadows, pool, strict=True)])
        p = model.meta_weights_ if t else np.full(3, 1 / 3)
        if t:
            np.testing.assert_allclose(model.base_coefs_, x[:, :3], atol=1e-12)
        g = (p @ x @ a - y[t]) * a
        behind += (p @ x - x) @ g
        bound += pool / 2 * np.sum((g - M) ** 2)
        shadows = np.array(
            [projected(s - e * g, radius) for s, e in zip(shadows, pool, strict=True)]
        )
        M = g
        model.partial_fit(X[t : t + 1], y[t : t + 1])
        assert model.regret_certificate_ == pytest.approx((behind + bound).min(), rel=1e-9)
