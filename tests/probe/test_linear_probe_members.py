"""Left-out scores, the logistic head and the weights against refits without the row."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from skreg.probe import _logistic_head
from skreg.probe._eigenframe import (
    class_rows,
    column_scale,
    frame_of_rows,
    frame_of_scatter,
    within_scatter,
)
from skreg.probe._left_out import left_out_distances, own_probabilities
from skreg.probe._logistic_head import left_out_head, logistic_head, loss_and_residual
from skreg.probe._mixture import SHARPNESSES
from skreg.probe._stacking import stacking_weights, without_the_least


def sample(n, d, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return X * np.exp(rng.normal(size=d)) + 3.0, y


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


def head_of(X, y, weights, n_classes, variance):
    return logistic_head(with_ones(X), weights @ X**2, y, weights, n_classes, variance)


def frame_and_scale(X, y, weights, power):
    rows = class_rows(X, y, weights, y.max() + 1)
    mass = weights.sum()
    within = weights @ (rows.X - rows.means[y]) ** 2 / mass
    scale = column_scale(within, weights @ rows.X**2 / mass, mass, power)
    if len(X) - 1 < X.shape[1]:
        return rows, frame_of_rows(rows, scale), scale
    return rows, frame_of_scatter(rows.means, within_scatter(rows), scale), scale


def distances_without(X, y, weights, x, scale, rho):
    """Squared distances of a row to the class means of the others, from the definition."""
    X, x = X / scale, x / scale
    means = np.array([np.average(X[y == k], axis=0, weights=weights[y == k]) for k in np.unique(y)])
    residual = X - means[y]
    covariance = (residual * weights[:, None]).T @ residual / weights.sum()
    covariance = (1 - rho) * covariance + rho * np.eye(len(x))
    return np.sum((x - means) * np.linalg.solve(covariance, (x - means).T).T, axis=1)


@pytest.mark.parametrize(("n", "d"), [(30, 7), (20, 40)])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_distances_left_out_are_those_of_refits(n, d, power):
    X, y = sample(n, d)
    rhos = [1.0, 0.5, 0.1, 0.01]
    rows, frame, scale = frame_and_scale(X, y, np.ones(n), power)
    q = left_out_distances(rows.X @ frame.back, y, frame, rows.count, 1.0, 1.0, rhos)
    for i in range(n):
        others = np.arange(n) != i
        for g, rho in enumerate(rhos):
            refit = distances_without(X[others], y[others], np.ones(n - 1), X[i], scale, rho)
            assert (
                np.abs(q[i, g] - q[i, g].min() - refit + refit.min()).max() <= 1e-11 * refit.max()
            )


def test_one_copy_of_a_weighted_row_is_left_out():
    X, y = sample(24, 5)
    weights = np.random.default_rng(1).integers(1, 4, size=24).astype(float)
    rows, frame, scale = frame_and_scale(X, y, weights, 1.0)
    q = left_out_distances(rows.X @ frame.back, y, frame, rows.count, 1.0, 1.0, [0.2])
    for i in range(24):
        left = weights - (np.arange(24) == i)
        kept = left > 0
        refit = distances_without(X[kept], y[kept], left[kept], X[i], scale, 0.2)
        np.testing.assert_allclose(q[i, 0], refit, rtol=1e-11)


@pytest.mark.parametrize(("light", "tolerance"), [([0.3], 1e-11), ([0.1, 0.9], 0.8 / 30)])
def test_a_row_of_less_than_one_copy_is_left_out_whole(light, tolerance):
    X, y = sample(60, 5)
    weights = np.array(light)[np.arange(60) // 4 % len(light)]
    rows, frame, scale = frame_and_scale(X, y, weights, 1.0)
    typical = np.average(weights, weights=weights)
    for rho, most in ((0.2, tolerance), (1.0, 1e-11)):  # at 1 no covariance, and all is exact
        q = left_out_distances(
            *(rows.X @ frame.back, y, frame, rows.count, weights, typical, [rho])
        )
        for i in range(60):
            kept = np.arange(60) != i
            refit = distances_without(X[kept], y[kept], weights[kept], X[i], scale, rho)
            np.testing.assert_allclose(q[i, 0], refit, rtol=most)


def test_own_probabilities_are_softmax_at_every_sharpness():
    rng = np.random.default_rng(0)
    q, codes = rng.exponential(scale=30, size=(9, 2, 3)), np.arange(9) % 3
    prior, own = np.array([0.5, 0.3, 0.0]), rng.uniform(0.1, 0.4, size=9)
    out = np.empty((2, 8, 9))
    own_probabilities(q, codes, prior, own, SHARPNESSES[0], out)
    for i, c in enumerate(codes):
        pi = np.where(np.arange(3) == c, own[i], prior)
        with np.errstate(divide="ignore"):
            scores = np.log(pi) - 0.5 * SHARPNESSES[:, None, None] * q[i]
        expected = np.exp(log_softmax(scores, axis=2))[:, :, c].T
        np.testing.assert_allclose(out[:, :, i], expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(("n", "d"), [(25, 6), (14, 30)])
def test_frames_keep_the_mahalanobis_distances(n, d):
    X, y = sample(n, d)
    rows, frame, scale = frame_and_scale(X, y, np.ones(n), 1.0)
    Z, rho = rows.X @ frame.back, 0.3
    D = 1 / ((1 - rho) * frame.eigenvalues + rho)
    ours = ((Z[0] - frame.means) ** 2) @ D
    np.testing.assert_allclose(
        ours, distances_without(X, y, np.ones(n), X[0], scale, rho), rtol=1e-10
    )
    assert len(frame.eigenvalues) == min(n - 1, d)
    assert frame.eigenvalues.sum() / d == pytest.approx(1.0)


@pytest.mark.parametrize("variance", [1.0, 30.0])
def test_logistic_head_is_that_of_scikit_learn(monkeypatch, variance):
    monkeypatch.setattr(_logistic_head, "MAX_ITER", 2000)
    monkeypatch.setattr(_logistic_head, "TOLERANCE", 1e-10)
    monkeypatch.setattr(_logistic_head, "DECREASE", 1e-16)
    X, y = sample(60, 5)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=60)
    head = head_of(X, y, weights, 4, variance)
    model = LogisticRegression(C=1 / head.alpha, solver="newton-cg", tol=1e-10)
    model.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(
        log_softmax(X @ head.coef + head.intercept, axis=1),
        model.predict_log_proba(X),
        rtol=1e-4,  # of the small penalty that fixes the shift of the intercepts
        atol=1e-4,
    )


def test_loss_and_residual_are_those_of_softmax():
    rng = np.random.default_rng(0)
    scores, codes = rng.normal(scale=200, size=(9, 4)), np.arange(9) % 4
    weights, log_p = rng.uniform(size=9), log_softmax(scores, axis=1)
    loss = loss_and_residual(scores, codes, weights)
    assert loss == pytest.approx(-weights @ log_p[np.arange(9), codes], rel=1e-13)
    expected = weights[:, None] * (np.exp(log_p) - np.eye(4)[codes])
    np.testing.assert_allclose(scores, expected, atol=1e-14)


def test_newton_steps_are_refits_for_two_classes_to_second_order():
    X, y = sample(40, 4, n_classes=2)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    one_hot = np.eye(2)[y]
    head = head_of(X, y, np.ones(40), 2, 0.5)
    ours = left_out_head(with_ones(X), y, np.ones(40), np.arange(40), np.ones(40), head)

    def refit(i):
        others = np.arange(40) != i

        def loss(theta):
            theta = theta.reshape(5, 2)
            scores = log_softmax(X[others] @ theta[:4] + theta[4], axis=1)
            return -(scores * one_hot[others]).sum() + head.alpha / 2 * (theta[:4] ** 2).sum()

        theta = minimize(loss, np.zeros(10), tol=1e-8).x.reshape(5, 2)
        return np.exp(log_softmax(X[i] @ theta[:4] + theta[4])[y[i]])

    refits = np.array([refit(i) for i in range(8)])
    in_sample = np.exp(log_softmax(X @ head.coef + head.intercept, axis=1))[np.arange(8), y[:8]]
    assert np.abs(ours[:8] - refits).max() < 0.1 * np.abs(in_sample - refits).max()


def left_out_from_all_rows(X, y, head, n_classes):
    """Left-out log-probabilities by the equation alone, without its short cuts."""
    Z = np.column_stack([X, np.ones(len(X))])
    scores = X @ head.coef + head.intercept
    p = np.exp(log_softmax(scores, axis=1))
    ridge = np.diag(np.append(np.full(X.shape[1], head.alpha), 1e-6 * len(X)))
    for k in range(n_classes):
        h = p[:, k] * (1 - p[:, k]) * n_classes / (n_classes - 1)
        a = np.einsum("ij,ij->i", Z @ np.linalg.inv((Z.T * h) @ Z + ridge), Z)
        scores[:, k] += a * (p[:, k] - (y == k)) / (1 - a * h)
    rows = np.arange(len(X))
    return log_softmax(scores, axis=1)[rows, y], np.log(p[rows, y])


def test_short_cuts_cost_a_hundredth_of_the_step():
    X, y = sample(600, 4, n_classes=5)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    head = head_of(X, y, np.ones(600), 5, 10.0)
    rows = np.arange(0, 600, 7)
    ours = np.log(left_out_head(with_ones(X), y, np.ones(600), rows, np.ones(600), head))
    expected, in_sample = (part[rows] for part in left_out_from_all_rows(X, y, head, 5))
    assert np.mean(np.abs(ours - expected)) < 0.01 * np.mean(np.abs(expected - in_sample))


def test_one_copy_of_a_weighted_row_leaves_the_head():
    X, y = sample(30, 3, n_classes=3)
    weights = np.where(np.arange(30) % 4 == 0, 3.0, 1.0)
    copies = np.repeat(np.arange(30), weights.astype(int))
    X = (X - X[copies].mean(axis=0)) / X[copies].std(axis=0)
    head = head_of(X[copies], y[copies], np.ones(len(copies)), 3, 5.0)
    once = left_out_head(with_ones(X), y, weights, np.arange(30), np.ones(30), head)
    repeated = left_out_head(
        with_ones(X[copies]), y[copies], np.ones(46), np.arange(46), np.ones(46), head
    )
    np.testing.assert_allclose(once[copies], repeated, rtol=0.02)  # of rows that are too flat


def test_stacking_weights_raise_the_stated_objective_to_its_maximum():
    rng = np.random.default_rng(0)
    p, weights, prior = (
        rng.uniform(0.05, 1, size=(3, 12)),
        rng.uniform(1, 2, size=12),
        np.ones(3) / 3,
    )

    def objective(logits):
        a = np.exp(log_softmax(logits))
        return -(weights @ np.log(a @ p) + prior @ np.log(a))

    best = np.exp(log_softmax(minimize(objective, np.zeros(3), tol=1e-10).x))
    np.testing.assert_allclose(stacking_weights(p, weights, prior), best, atol=2e-2)
    np.testing.assert_allclose(stacking_weights(p[:, :0], weights[:0], prior), prior)


def test_the_least_weights_are_dropped_up_to_the_share():
    kept = without_the_least(np.array([0.5, 0.004, 0.49, 0.006]), 0.01)
    np.testing.assert_allclose(kept, [0.5 / 0.99, 0, 0.49 / 0.99, 0])
