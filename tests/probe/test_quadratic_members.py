"""Quadratic members of `LinearProbe`: Gaussian naive Bayes, refits without a row, the estimator."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB

from skreg.export import to_onnx
from skreg.probe import LinearProbe
from skreg.probe._eigenframe import class_rows
from skreg.probe._quadratic import (
    PRIOR_ROWS,
    Spread,
    class_spreads,
    left_out_deviances,
    quadratic_form,
)

WINE = load_wine(return_X_y=True)


def sample(n=24, d=5, seed=0):
    """Rows of four classes of different spread, and a scale for their columns."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4
    X = rng.normal(size=(4, d))[y] + rng.normal(size=(n, d)) * np.array([0.2, 1, 2, 5])[y, None]
    return X + 3.0, y, np.exp(rng.normal(size=d))


def of_wine(n=60, seed=0):
    return train_test_split(*WINE, train_size=n, stratify=WINE[1], random_state=seed)


def deviances(X, y, weights, x, scale, prior_rows):
    """q of one row, from the definition."""
    X, x = X / scale, x / scale
    out = []
    for k in np.unique(y):
        own, w = X[y == k], weights[y == k]
        mean = np.average(own, axis=0, weights=w)
        variance = (w @ (own - mean) ** 2 + prior_rows) / (w.sum() + prior_rows)
        out.append(np.sum(np.log(variance) + (x - mean) ** 2 / variance))
    return np.array(out)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_shrinkage_is_gaussian_naive_bayes(weighted):
    X, y = WINE
    weights = np.ones(178)
    if weighted:
        weights = np.random.default_rng(0).uniform(0.5, 2.0, size=178)
    rows, scale = class_rows(X, y, weights, 3), X.std(axis=0)
    coef, curvature, offset = quadratic_form(class_spreads(rows, [scale])[0], 0.0)
    ours = rows.X @ coef.T - rows.X**2 @ curvature.T / 2 + offset
    ours += np.log(rows.count / weights.sum())
    theirs = GaussianNB(var_smoothing=0).fit(X, y, weights)
    np.testing.assert_allclose(log_softmax(ours, axis=1), theirs.predict_log_proba(X), atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_deviances_left_out_are_those_of_refits(weighted):
    X, y, scale = sample()
    weights = np.ones(24)
    if weighted:
        weights = np.random.default_rng(1).integers(1, 4, size=24).astype(float)
    rows = class_rows(X, y, weights, 4)
    q = left_out_deviances(rows.X, y, class_spreads(rows, [scale])[0], 1.0, PRIOR_ROWS)
    for i in range(24):
        left = weights - (np.arange(24) == i)
        kept = left > 0
        for g, prior_rows in enumerate(PRIOR_ROWS):
            refit = deviances(X[kept], y[kept], left[kept], X[i], scale, prior_rows)
            np.testing.assert_allclose(q[i, g], refit, rtol=1e-10, atol=1e-10)


def test_light_rows_leave_the_deviances_whole():
    X, y, scale = sample()
    weights = np.random.default_rng(1).uniform(0.05, 0.95, size=24)
    rows = class_rows(X, y, weights, 4)
    q = left_out_deviances(rows.X, y, class_spreads(rows, [scale])[0], weights, PRIOR_ROWS)
    for i in range(24):
        kept = np.arange(24) != i
        for g, prior_rows in enumerate(PRIOR_ROWS):
            refit = deviances(X[kept], y[kept], weights[kept], X[i], scale, prior_rows)
            np.testing.assert_allclose(q[i, g], refit, rtol=1e-10, atol=1e-10)


def test_a_class_of_one_row_has_the_variance_of_its_prior_rows():
    spread = Spread(np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1), np.ones(3))
    _, curvature, offset = quadratic_form(spread, 4.0)
    np.testing.assert_allclose(curvature, 5 / 4)
    np.testing.assert_allclose(offset, -1.5 * np.log(4 / 5))


def test_a_column_that_varies_nowhere_has_no_part():
    X, y, scale = sample(23)
    wide = np.column_stack([X, np.full(23, 0.1)])  # whose mean is not 0.1 to the last digit
    q = [
        left_out_deviances(rows.X, y, class_spreads(rows, [s])[0], 1.0, PRIOR_ROWS)
        for rows, s in (
            (class_rows(X, y, np.ones(23), 4), scale),
            (class_rows(wide, y, np.ones(23), 4), np.append(scale, 1.0)),
        )
    ]
    np.testing.assert_allclose(q[0], q[1], rtol=1e-12)
    probe = LinearProbe(logistic=False, quadratic=True, scaling=1.0).fit(wide, y)
    assert probe.quadratic_weights_.sum() > 0.01
    moved = wide + np.where(np.arange(6) == 5, 3.0, 0.0)
    np.testing.assert_allclose(probe.predict_proba(moved), probe.predict_proba(wide), rtol=1e-6)


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("logistic", [True, False])
def test_classes_that_differ_in_spread_alone(average, logistic):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X, X_test = rng.normal(size=(2, 120, 5)) * np.where(y == 0, 1.0, 4.0)[:, None]
    probe = LinearProbe(average=average, logistic=logistic, quadratic=True).fit(X, y)
    assert probe.head_ == "quadratic"
    assert not hasattr(probe, "coef_")
    assert probe.score(X_test, y) > 0.9
    linear = LinearProbe(average=average, logistic=logistic).fit(X, y)
    assert linear.score(X_test, y) < 0.7
    assert linear.quadratic_weights_.shape == (3, 0, 8)
    assert probe.loo_log_loss_ < linear.loo_log_loss_


def test_average_is_the_weighted_sum_of_its_members():
    X, X_test, y, _ = of_wine()
    probe = LinearProbe(scaling=1.0, logistic=False, quadratic=True).fit(X, y)
    linear, weights = np.zeros((len(X_test), 3)), probe.closed_form_weights_
    for b, shrinkage in enumerate((1.0, 0.8, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001)):
        for c, sharpness in enumerate(2.0 ** np.arange(-5, 3)):
            if weights[0, b, c] > 0:
                member = LinearProbe(
                    scaling=1.0, shrinkage=shrinkage, sharpness=sharpness, logistic=False
                )
                linear += weights[0, b, c] * member.fit(X, y).predict_proba(X_test)
    n, prior = len(y), np.bincount(y) / len(y)
    within = sum(((X[y == k] - X[y == k].mean(axis=0)) ** 2).sum(axis=0) for k in range(3)) / n
    scale2 = (n * within + X.var(axis=0)) / (n + 1)
    scale = np.sqrt(scale2 * np.mean(within / scale2))
    quadratic, of_quadratic = np.zeros((len(X_test), 3)), probe.quadratic_weights_
    for b, prior_rows in enumerate(PRIOR_ROWS):
        q = np.array([deviances(X, y, np.ones(n), x, scale, prior_rows) for x in X_test])
        for c, sharpness in enumerate(2.0 ** np.arange(-5, 3)):
            scores = np.log(prior) - 0.5 * sharpness * q
            quadratic += of_quadratic[0, b, c] * np.exp(log_softmax(scores, axis=1))
    rest = 1 - weights.sum() - of_quadratic.sum()
    assert of_quadratic.sum() > 0.1
    np.testing.assert_allclose(
        probe.predict_proba(X_test), linear + quadratic + rest * prior, atol=1e-9
    )


@pytest.mark.parametrize("factor", [1e-150, 1e-3, 1e6, 1e150])
def test_a_common_scale_and_shift_change_nothing(factor):
    X, X_test, y, _ = of_wine()
    probe = LinearProbe(quadratic=True, logistic=False)
    base = probe.fit(X, y).predict_proba(X_test)
    moved = probe.fit(factor * X, y).predict_proba(factor * X_test)
    np.testing.assert_allclose(moved, base, atol=1e-6)
    shifted = probe.fit(X - 1e4, y).predict_proba(X_test - 1e4)
    np.testing.assert_allclose(shifted, base, atol=1e-5)


def test_integer_weights_are_copies_of_rows():
    X, X_test, y, _ = of_wine(30)
    weights = np.random.default_rng(0).integers(0, 3, size=30).astype(float)
    copies = np.repeat(np.arange(30), weights.astype(int))
    ours = LinearProbe(logistic=False, quadratic=True).fit(X, y, weights)
    theirs = LinearProbe(logistic=False, quadratic=True).fit(X[copies], y[copies])
    np.testing.assert_allclose(ours.predict_proba(X_test), theirs.predict_proba(X_test), atol=1e-8)


def test_columns_without_spread_and_classes_of_one_row():
    X, y = load_digits(return_X_y=True)
    kept = (y < 2) | (np.arange(len(y)) == np.flatnonzero(y == 2)[0])
    X, y = X[kept][:200], y[kept][:200]
    with pytest.warns(UserWarning, match=r"the classes \[2\] have a single row"):
        probe = LinearProbe(quadratic=True).fit(X, y)
    p = probe.predict_proba(X)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert np.isfinite(probe.loo_log_loss_)


@pytest.mark.parametrize("average", [True, False])
def test_one_row_of_every_class_leaves_none_out(average):
    with pytest.warns(UserWarning, match="single row"):
        probe = LinearProbe(quadratic=True, average=average).fit(WINE[0][::70], WINE[1][::70])
    assert np.isnan(probe.loo_log_loss_)
    np.testing.assert_array_equal(probe.predict(WINE[0][::70]), WINE[1][::70])


def test_batches_dask_and_onnx_are_refused():
    fixed = {"scaling": 1.0, "shrinkage": 0.2, "sharpness": 1.0, "logistic": False}
    probe = LinearProbe(**fixed, quadratic=True)
    assert not hasattr(probe, "partial_fit")
    with pytest.raises(AttributeError, match="coef_"):
        _ = probe.fit(*WINE).coef_
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="quadratic members need all rows"):
        probe.fit(da.from_array(WINE[0], chunks=(60, 13)), da.from_array(WINE[1], chunks=60))
    pytest.importorskip("skl2onnx")
    with pytest.raises(TypeError, match="LinearProbe is, or contains, a model without a converter"):
        to_onnx(probe.fit(*WINE), WINE[0])


def test_the_option_is_a_boolean():
    with pytest.raises(ValueError, match="'quadratic' parameter"):
        LinearProbe(quadratic="yes").fit(*WINE)
