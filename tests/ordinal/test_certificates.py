"""Certificates are relative to the class frequencies, and units do not change them.

The oracles compute them in plain numpy from the fitted coefficients, or take CLARABEL's optimum.
"""

import warnings
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse
from scipy.special import expit, xlogy
from sklearn.exceptions import ConvergenceWarning

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

ROUGH = {"max_iter": 4}  # far from the optimum, where certificates are large
UNITS = [1e-6, 1e-3, 1e3, 1e6]


def fit(estimator, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, weight)


# ------------------------------------------------------------------------------------------------
# the oracle


class Standardised(NamedTuple):
    """Columns of mean zero and variance one, classes 0, 1, .., weights that sum to one."""

    Z: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def standardised(X, y, weight=None):
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    weight = weight / weight.sum()
    mean = weight @ X
    deviation = np.sqrt(weight @ (X - mean) ** 2)
    return Standardised((X - mean) / deviation, y, weight, mean, deviation)


def loss_and_gradient(data, intercept, psi):
    """Mean log-loss, and its gradient in the intercepts' and the features' increments."""
    n, last = len(data.y), len(intercept)
    eta = intercept + data.Z @ np.cumsum(psi, axis=0).T
    below = np.column_stack([np.zeros(n), expit(eta), np.ones(n)])
    rows = np.arange(n)
    probability = below[rows, data.y + 1] - below[rows, data.y]
    slope = below * (1 - below) / probability[:, None] * data.weight[:, None]
    by_boundary = np.zeros((n, last + 2))  # of the mean loss, in the predictors of all boundaries
    by_boundary[rows, data.y + 1] -= slope[rows, data.y + 1]
    by_boundary[rows, data.y] += slope[rows, data.y]
    beyond = by_boundary[:, 1:-1][:, ::-1].cumsum(axis=1)[:, ::-1]
    return -data.weight @ np.log(probability), beyond.sum(axis=0), beyond.T @ data.Z


def frequencies(data, n_boundaries):
    shares = np.cumsum(np.bincount(data.y, weights=data.weight))[:-1]
    return np.log(shares / (1 - shares)), np.zeros((n_boundaries, data.Z.shape[1]))


def strengths(model, n_features):
    """Strength of the penalty on each standardised increment."""
    given = model.penalty_weights
    weights = np.ones(n_features) if given is None else np.asarray(given, dtype=float)
    if isinstance(model, ProportionalOddsClassifier):
        level = np.full((len(model.intercept_), n_features), np.inf)
        level[0] = weights
        return level
    level = np.tile(weights, (len(model.intercept_), 1))
    level[0, np.isfinite(weights)] *= model.first_penalty
    level[1:, [] if model.proportional is None else model.proportional] = np.inf
    return level


def expected_residual(model, X, y, weight=None):
    data = standardised(X, y, weight)
    psi = getattr(model, "coef_diff_", model.coef_) * data.deviation
    psi = np.vstack([psi, np.zeros((len(model.intercept_) - len(psi), psi.shape[1]))])
    intercept = model.intercept_ + np.cumsum(psi / data.deviation, axis=0) @ data.mean
    _, of_intercept, gradient = loss_and_gradient(data, intercept, psi)
    level = strengths(model, X.shape[1])
    free = np.isfinite(level)
    unit = np.ones(X.shape[1]) if model.standardize else data.deviation  # psi = coef * deviation
    with np.errstate(invalid="ignore"):
        alpha = model.alpha * level / unit
        smooth = gradient + (1 - model.l1_ratio) * alpha / unit * psi
        kink = model.l1_ratio * alpha
        distance = np.where(
            psi != 0, np.abs(smooth + kink * np.sign(psi)), np.maximum(np.abs(gradient) - kink, 0)
        )
    largest = max(np.abs(of_intercept).max(), distance[free].max())
    _, _, at_null = loss_and_gradient(data, *frequencies(data, len(level)))
    return largest / np.abs(at_null[free]).max()


SETTINGS = [
    PrestoClassifier(0.02),
    PrestoClassifier(0.02, l1_ratio=0.5, first_penalty=0.3),
    PrestoClassifier(0.02, penalty_weights=[1, 0, 2, np.inf, 0.5]),
    PrestoClassifier(0.02, first_penalty=0.0),
    PrestoClassifier(0.02, standardize=False),
    PrestoClassifier(0.02, standardize=False, l1_ratio=0.3),
    PrestoClassifier(0.0),
    PrestoClassifier(0.0, proportional=[0, 4]),
    PrestoClassifier(0.02, l1_ratio=0.5, proportional=[1, 2], penalty_weights=[1, 0, 2, 3, 1]),
    ProportionalOddsClassifier(),
    ProportionalOddsClassifier(0.03, l1_ratio=0.7, penalty_weights=[1, np.inf, 2, 1, 0.5]),
    ProportionalOddsClassifier(0.03, standardize=False),
]


@pytest.mark.parametrize("estimator", SETTINGS, ids=str)
@pytest.mark.parametrize("max_iter", [2, 4])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_residual_is_that_of_plain_numpy(example, estimator, max_iter, weighted):
    X, y = example.X * [1, 3, 0.2, 1, 5] + [0, 1, -2, 0, 4], example.y
    weight = np.random.default_rng(0).uniform(0.1, 3, 100) if weighted else None
    model = fit(estimator.set_params(max_iter=max_iter), X, y, weight)
    expected = expected_residual(model, X, y, weight)
    assert expected > 1e-6
    assert model.kkt_residual_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 4])
@pytest.mark.parametrize("rare", [0.5, 0.05])
def test_gap_of_two_classes_is_that_of_plain_numpy(example, max_iter, rare):
    """The dual of logistic regression: -sum w H(p), |sum w (p - y) z_j| <= alpha."""
    X, last = example.X, np.argsort(-example.X[:, 0])[: int(100 * rare)]
    y = np.isin(np.arange(100), last).astype(int)
    alpha = 0.02
    model = fit(PrestoClassifier(alpha, max_iter=max_iter), X, y)
    data = standardised(X, y)
    psi = model.coef_diff_ * data.deviation
    eta = model.intercept_ + X @ model.coef_[0]
    p = expit(np.where(y == 1, eta, -eta))  # minus the derivative in the margin
    totals = np.bincount(y, weights=p)
    p *= (totals.min() / totals)[y]  # feasible for the intercept
    signed = np.where(y == 1, p, -p)
    p /= max(np.abs(data.weight @ (signed[:, None] * data.Z)).max() / alpha, 1.0)
    dual = -data.weight @ (xlogy(p, p) + xlogy(1 - p, 1 - p))
    primal = data.weight @ np.logaddexp(0, np.where(y == 1, eta, -eta)) + alpha * np.abs(psi).sum()
    null = -(xlogy(rare, rare) + xlogy(1 - rare, 1 - rare))
    assert model.dual_gap_ == pytest.approx((primal - dual) / null, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("max_iter", [2, 4, 6, 100])
@pytest.mark.parametrize("proportional", [[], [0, 2]], ids=["PRESTO", "partial"])
def test_gap_is_no_less_than_the_distance_to_the_optimum_of_clarabel(
    example, max_iter, proportional
):
    X, y = example
    alpha, data = 0.01, standardised(X, y)
    model = PrestoClassifier(alpha, max_iter=max_iter, tol=1e-7, proportional=proportional)
    model = fit(model, X, y)
    intercept, psi = cp.Variable(3), cp.Variable((3, 5))
    eta = [intercept[k] + data.Z @ cp.sum(psi[: k + 1], axis=0) for k in range(3)]
    loss = cp.sum(cp.logistic(-eta[0][y == 0])) + cp.sum(cp.logistic(eta[2][y == 3]))
    for c in (1, 2):
        a, b = eta[c][y == c], eta[c - 1][y == c]
        loss += cp.sum(cp.logistic(-a) + cp.logistic(b) - cp.log(1 - cp.exp(b - a)))
    left_out = [psi[1:, j] == 0.0 for j in proportional]
    best = cp.Problem(cp.Minimize(loss / 100 + alpha * cp.sum(cp.abs(psi))), left_out).solve(
        solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11
    )
    increments = model.coef_diff_ * data.deviation
    reached, _, _ = loss_and_gradient(
        data, model.intercept_ + np.cumsum(model.coef_diff_, axis=0) @ data.mean, increments
    )
    excess = reached + alpha * np.abs(increments).sum() - best
    null, _, _ = loss_and_gradient(data, *frequencies(data, 3))
    assert excess / null <= model.dual_gap_ + 1e-9
    assert max_iter < 100 or model.dual_gap_ <= 1e-7


# ------------------------------------------------------------------------------------------------
# units


ROUGH_FITS = [
    PrestoClassifier(0.02, **ROUGH),
    PrestoClassifier(0.02, l1_ratio=0.4, **ROUGH),
    PrestoClassifier(0.02, first_penalty=0.0, **ROUGH),
    ProportionalOddsClassifier(0.02, max_iter=2),
    ProportionalOddsClassifier(max_iter=2),
    PrestoClassifierCV(alphas=[0.03, 0.02], cv=2, max_iter=3),
]


def certificate(estimator, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = estimator.fit(X, y, weight)
    return model.dual_gap_, model.kkt_residual_


def assert_same(found, wanted):
    assert wanted[1] > 1e-6
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("estimator", ROUGH_FITS, ids=str)
def test_units_of_weights_and_features_do_not_matter(example, estimator, unit):
    X, y = example
    weight = np.random.default_rng(1).uniform(0.5, 2, 100)
    wanted = certificate(estimator, X, y, weight)
    assert_same(certificate(estimator, X, y, unit * weight), wanted)
    assert_same(certificate(estimator, X * unit, y, weight), wanted)
    assert_same(certificate(estimator, X * [unit, 1, 1 / unit, 1, 1], y, weight), wanted)
    assert_same(certificate(estimator, scipy.sparse.csr_array(X * unit), y, weight), wanted)


@pytest.mark.parametrize("estimator", ROUGH_FITS[:-1], ids=str)
def test_copies_of_the_rows_do_not_matter(example, estimator):
    X, y = example
    wanted = certificate(estimator, X, y)
    assert_same(certificate(estimator, np.tile(X, (7, 1)), np.tile(y, 7)), wanted)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_that_the_penalty_weights_follow_does_not_matter(example, unit):
    X, y = example
    scale = np.array([unit, 1, 1 / unit, 1, 1])
    wanted = certificate(PrestoClassifier(0.02, standardize=False, **ROUGH), X, y)
    scaled = PrestoClassifier(0.02, standardize=False, penalty_weights=scale, **ROUGH)
    assert_same(certificate(scaled, X * scale, y), wanted)


def test_units_do_not_matter_along_a_path(example):
    X, y = example
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wanted = presto_path(X, y, alphas=5, max_iter=3)
        path = presto_path(X * 1e-6, y, alphas=5, max_iter=3, sample_weight=np.full(100, 1e6))
    assert wanted.dual_gaps.max() > 1e-6
    np.testing.assert_allclose(path.dual_gaps, wanted.dual_gaps, rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose(path.kkt_residuals, wanted.kkt_residuals, rtol=1e-5, atol=1e-14)


@pytest.mark.parametrize("estimator", ROUGH_FITS[:3], ids=str)
def test_an_excluded_feature_has_no_part_in_the_scale(example, estimator):
    """The one that tells most, at that."""
    X, y = example
    with_it = np.column_stack([X, y + 0.1 * X[:, 0]])
    wanted = certificate(estimator, X, y)
    weights = [1, 1, 1, 1, 1, np.inf]
    excluding = type(estimator)(**{**estimator.get_params(), "penalty_weights": weights})
    assert_same(certificate(excluding, with_it, y), wanted)


# ------------------------------------------------------------------------------------------------
# what convergence says


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("n_classes", [2, 8])
@pytest.mark.parametrize("rare", [False, True], ids=["even", "rare"])
def test_convergence_is_a_certificate_below_the_tolerance(tol, n_classes, rare):
    """Log-losses of the class frequencies are 0.06 to 2.1 here."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    score = X[:, 0] - X[:, 1] + rng.logistic(size=400)
    shares = np.r_[0.99, np.full(n_classes - 1, 0.01 / (n_classes - 1))] if rare else None
    edges = np.quantile(score, np.cumsum(shares if rare else np.full(n_classes, 1 / n_classes)))
    y = np.searchsorted(edges[:-1], score)
    y[:n_classes] = np.arange(n_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        penalised = PrestoClassifier(0.001, tol=tol).fit(X, y)
        free = ProportionalOddsClassifier(tol=tol).fit(X, y)
    assert penalised.dual_gap_ <= tol
    assert free.kkt_residual_ <= tol


@pytest.mark.parametrize("estimator", [PrestoClassifier(), ProportionalOddsClassifier()], ids=str)
@pytest.mark.parametrize("tiny", [1e-12, 1e-100, 1e-300])
def test_classes_of_almost_no_weight_leave_finite_certificates(example, estimator, tiny):
    X, y = example
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = estimator.fit(X, y, np.where(y == 0, 1.0, tiny))
    assert model.kkt_residual_ <= 1e-3
    assert np.isnan(model.dual_gap_) == (model.alpha == 0.0)
    with pytest.raises(ValueError, match="gives class 1 of y no weight"):
        estimator.fit(X, y, np.where(y == 1, 5e-324, 1.0))


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("standardize", [True, False])
def test_constant_features_leave_nothing_to_violate(example, alpha, standardize):
    X = np.full((100, 2), 7.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PrestoClassifier(alpha, tol=1e-9, standardize=standardize).fit(X, example.y)
    assert model.kkt_residual_ <= 1e-7
    assert np.isnan(model.dual_gap_) if alpha == 0.0 else abs(model.dual_gap_) <= 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_features_that_tell_nothing_leave_rounding_only(alpha):
    """Every class has the same rows, so that the gradient at the class frequencies is zero."""
    X = np.tile(np.random.default_rng(0).standard_normal((50, 3)), (3, 1))
    y = np.repeat([0, 1, 2], 50)
    model = PrestoClassifier(alpha, tol=1e-8).fit(X, y)
    assert model.kkt_residual_ <= 1e-8
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3, atol=1e-9)
