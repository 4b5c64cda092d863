"""Regret against cvxpy's best point in hindsight, and its picture."""

import matplotlib
import numpy as np
import pytest
from online_streams import labels, loss_values, rotating, with_ones
from scipy import sparse
from sklearn.linear_model import SGDClassifier, SGDRegressor

from skreg.online import (
    DriftAdaptiveEnsemble,
    OptimisticOMDClassifier,
    OptimisticOMDRegressor,
    RegretDisplay,
    RegretTracker,
)
from skreg.online._losses import CLASSIFICATION, REGRESSION

matplotlib.use("Agg")


def optimum(name, A, y, domain, radius):
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(A.shape[1])
    r, m = A @ x - y, 1 - cp.multiply(y, A @ x)
    loss = {
        "squared_error": lambda: cp.sum_squares(r) / 2,
        "huber": lambda: cp.sum(cp.huber(r, 0.1)) / 2,
        "absolute_error": lambda: cp.norm1(r),
        "epsilon_insensitive": lambda: cp.sum(cp.pos(cp.abs(r) - 0.1)),
        "log_loss": lambda: cp.sum(cp.logistic(m - 1)),
        "hinge": lambda: cp.sum(cp.pos(m)),
        "squared_hinge": lambda: cp.sum_squares(cp.pos(m)),
        "modified_huber": lambda: cp.sum(cp.huber(cp.pos(m), 2.0)),
    }[name]()
    size = cp.norm_inf(x) if domain == "box" else cp.norm(x)
    problem = cp.Problem(cp.Minimize(loss), [size <= radius])
    return problem.solve(solver="CLARABEL")


@pytest.mark.parametrize("radius", [0.3, 10.0])
@pytest.mark.parametrize("domain", ["l2", "box"])
@pytest.mark.parametrize("name", [*REGRESSION, *CLASSIFICATION])
def test_the_best_point_in_hindsight(name, domain, radius):
    X, y = rotating(np.random.default_rng(0), 80, 3, turns=0.2)
    y = labels(y) if name in CLASSIFICATION else y
    predictions = np.random.default_rng(1).normal(size=80)
    tracker = RegretTracker(name, domain=domain, radius=radius, tol=1e-3)
    tracker.update(X, y, predictions)
    own = loss_values(name, predictions, y).sum()
    wanted = own - optimum(name, with_ones(X), y, domain, radius)
    at_zero = loss_values(name, np.zeros(80), y).sum()
    assert tracker.gaps_[0] <= 1e-3 * at_zero
    assert wanted - tracker.gaps_[0] - 1e-6 <= tracker.static_regret_[0] <= wanted + 1e-6
    point = np.append(tracker.best_coef_, tracker.best_intercept_)
    best = loss_values(name, with_ones(X) @ point, y).sum()
    assert tracker.static_regret_[0] == pytest.approx(own - best)
    assert np.linalg.norm(point, np.inf if domain == "box" else 2) <= radius * (1 + 1e-12)


def test_checkpoints_do_not_depend_on_how_the_stream_is_cut():
    X, y = rotating(np.random.default_rng(2), 100, 3)
    z = np.zeros(100)
    whole = RegretTracker(every=25, radius=2.0, tol=1e-8).update(X, y, z)
    parts = RegretTracker(every=25, radius=2.0, tol=1e-8)
    for start, stop in ((0, 10), (10, 60), (60, 100)):
        parts.update(X[start:stop], y[start:stop], z[start:stop])
    assert list(whole.checkpoints_) == [25, 50, 75, 100]
    np.testing.assert_array_equal(parts.checkpoints_, whole.checkpoints_)
    np.testing.assert_allclose(parts.static_regret_, whole.static_regret_, atol=1e-6)
    np.testing.assert_allclose(parts.cumulative_loss_, whole.cumulative_loss_)
    assert parts.gradient_variation_ == pytest.approx(whole.gradient_variation_)


def test_the_certificate_of_a_learner_holds_at_each_checkpoint():
    X, y = rotating(np.random.default_rng(3), 200, 3)
    model, tracker = OptimisticOMDRegressor(radius=2.0), RegretTracker(radius=2.0)
    for start in range(0, 200, 50):
        rows = slice(start, start + 50)
        tracker.update(X[rows], y[rows], model.progressive_fit_predict(X[rows], y[rows]))
        regret = tracker.static_regret_[-1] + tracker.gaps_[-1]
        assert regret <= model.regret_certificate_
    assert tracker.cumulative_loss_[-1] == pytest.approx(model.cumulative_loss_)
    assert tracker.gradient_variation_ == pytest.approx(model.gradient_variation_)


def test_regret_against_what_moves():
    X, y = rotating(np.random.default_rng(4), 60, 2)
    angle = 2 * np.pi * 3 * np.arange(60) / 60
    truth = np.column_stack([np.cos(angle), np.sin(angle)])
    tracker = RegretTracker(comparator="sequence")
    tracker.update(X[:20], y[:20], np.zeros(20), comparators=truth[:20])
    tracker.update(X[20:], y[20:], np.zeros(40), comparators=truth[20:])
    excess = y**2 / 2 - (y - np.sum(X * truth, axis=1)) ** 2 / 2
    np.testing.assert_allclose(tracker.dynamic_regret_, np.cumsum(excess))
    assert tracker.path_length_ == pytest.approx(59 * 2 * np.sin(np.pi * 3 / 60))


def test_weights_and_sparse_rows_are_tracked():
    rng = np.random.default_rng(5)
    X, y, z = rng.normal(size=(30, 3)), rng.normal(size=30), rng.normal(size=30)
    weight = rng.integers(0, 3, size=30)
    copies = np.repeat(np.arange(30), weight)
    one = RegretTracker(tol=1e-9).update(sparse.csr_array(X), y, z, sample_weight=weight)
    other = RegretTracker(tol=1e-9).update(X[copies], y[copies], z[copies])
    assert one.static_regret_[0] == pytest.approx(other.static_regret_[0], abs=1e-6)


@pytest.mark.parametrize(
    ("params", "keywords", "says"),
    [
        ({"loss": "poisson"}, {}, "loss"),
        ({"radius": 0.0}, {}, "radius"),
        ({"domain": None}, {}, "domain"),
        ({"comparator": "moving"}, {}, "comparator"),
        ({"every": 0}, {}, "every"),
        ({"tol": 0.0}, {}, "tol"),
        ({"comparator": "sequence"}, {}, "comparators"),
        ({"comparator": "sequence"}, {"comparators": np.ones((9, 2))}, "shape"),
        ({"loss": "hinge"}, {}, "two classes"),
    ],
)
def test_what_cannot_be_tracked_is_refused(params, keywords, says):
    X, y = np.ones((9, 3)), np.arange(9.0)
    with pytest.raises(ValueError, match=says):
        RegretTracker(**params).update(X, y, y, **keywords)


def test_rounds_that_do_not_fit_are_refused():
    tracker = RegretTracker().update(np.ones((3, 2)), np.ones(3), np.ones(3))
    for X, y, z in (
        (np.ones((3, 3)), np.ones(3), np.ones(3)),
        (np.ones((3, 2)), np.ones(2), np.ones(3)),
        (np.ones((3, 2)), np.ones(3), np.full(3, np.nan)),
    ):
        with pytest.raises(ValueError, match=r"columns|inconsistent|NaN"):
            tracker.update(X, y, z)
    assert tracker.t_ == 3


# ------------------------------------------------------------------------------------------------
# the picture


def test_a_picture_shows_the_regret_of_all():
    X, y = rotating(np.random.default_rng(6), 120, 3)
    model, sgd = OptimisticOMDRegressor(radius=2.0), SGDRegressor()
    display = RegretDisplay.from_estimator(model, X, y, rivals={"SGD": sgd}, n_places=10)
    tracker = RegretTracker(radius=2.0).update(X, y, model.progressive_fit_predict(X, y))
    last = display.regrets["OptimisticOMDRegressor"][-1]
    assert last == pytest.approx(tracker.static_regret_[-1])
    said = np.zeros(120)
    for t in range(120):
        said[t] = sgd.predict(X[t : t + 1])[0] if t else 0.0
        sgd.partial_fit(X[t : t + 1], y[t : t + 1])
    ours = tracker.cumulative_loss_[-1]
    assert display.regrets["SGD"][-1] == pytest.approx(np.sum((said - y) ** 2) / 2 - ours + last)
    assert display.steps.shape == (10, 1)
    assert display.steps[-1, 0] == model.step_size_
    assert display.certificate[-1] == model.regret_certificate_
    assert len(display.axes_) == 2
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("base", [OptimisticOMDRegressor(), OptimisticOMDClassifier("hinge"), None])
def test_a_picture_of_an_ensemble_has_weights(base):
    X, y = rotating(np.random.default_rng(7), 60, 3)
    rivals = {}
    if isinstance(base, OptimisticOMDClassifier):
        y = np.where(y > 0, "up", "down")
        rivals = {"SGD": SGDClassifier()}
    figure, axes = matplotlib.pyplot.subplots(1, 3)
    display = RegretDisplay.from_estimator(
        DriftAdaptiveEnsemble(base), X, y, rivals=rivals, comparators=np.zeros((60, 4)), ax=axes
    )
    assert display.figure_ is figure
    assert display.certificate is None
    np.testing.assert_allclose(display.weights.sum(axis=1), 1.0)
    assert len(axes[2].lines) == 8
    again = display.plot(matplotlib.pyplot.figure().add_subplot())
    assert len(again.axes_) == 3
    matplotlib.pyplot.close("all")


def test_a_picture_is_of_ours():
    X, y = rotating(np.random.default_rng(8), 20, 3)
    with pytest.raises(TypeError, match="rival"):
        RegretDisplay.from_estimator(SGDRegressor(), X, y)
    with pytest.raises(ValueError, match="two classes"):
        RegretDisplay.from_estimator(OptimisticOMDClassifier(), X, np.arange(20) % 3)
