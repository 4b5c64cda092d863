"""Links: the likelihood of a row in many digits, and fits against statsmodels and SciPy."""

import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.optimize import brentq, minimize
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from statsmodels.genmod.families import Binomial, links
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    bootstrap_summary,
    brant_test,
    likelihood_ratio_test,
    presto_alpha_max,
    presto_path,
)
from skreg.ordinal._certificate import dual_value, duality_gap
from skreg.ordinal._likelihood import (
    boundaries_of_shares,
    log_class_probabilities,
    log_complement,
    log_cumulative,
    repair_crossing,
)
from skreg.ordinal._link import (
    LINKS,
    first_derivatives,
    log_below,
    reflected,
    row_derivatives,
    row_loss,
)
from skreg.ordinal._problem import increment_weights, make_problem
from skreg.ordinal._solve_path import solve_at

OTHERS = ["probit", "cloglog", "loglog"]
DISTRIBUTIONS = {
    "logit": stats.logistic,
    "probit": stats.norm,
    "cloglog": stats.gumbel_l,
    "loglog": stats.gumbel_r,
}
TIGHT = {"tol": 1e-11}


# ------------------------------------------------------------------------------------------------
# one row


class Exact:
    """G, g and s = g'/g of a link in the digits of mpmath."""

    def __init__(self, link, digits):
        mp = pytest.importorskip("mpmath").mp.clone()
        mp.dps = digits
        self.mp, self.cumulative, self.density, self.score = (
            mp,
            *{
                "probit": (mp.ncdf, mp.npdf, lambda z: -z),
                "cloglog": (
                    lambda z: -mp.expm1(-mp.exp(z)),
                    lambda z: mp.exp(z - mp.exp(z)),
                    lambda z: 1 - mp.exp(z),
                ),
                "loglog": (
                    lambda z: mp.exp(-mp.exp(-z)),
                    lambda z: mp.exp(-z - mp.exp(-z)),
                    lambda z: mp.exp(-z) - 1,
                ),
            }[link],
        )

    def row(self, a, b):
        """Loss, and what `row_derivatives` returns."""
        a, b = self.mp.mpf(a), self.mp.mpf(b)
        p = self.cumulative(a) - self.cumulative(b)
        ma, mb = self.density(a) / p, self.density(b) / p
        mean = ma - mb
        sa, sb = ma * (mean - self.score(a)), mb * (self.score(b) - mean)
        return [-self.mp.log(p), -ma, mb, sa, sb, ma * mb]

    def first(self, a):
        """Log-probability of the first class, and what `first_derivatives` returns."""
        a = self.mp.mpf(a)
        m = self.density(a) / self.cumulative(a)
        return [self.mp.log(self.cumulative(a)), -m, m * (m - self.score(a))]


def relative_errors(found, exact):
    return [abs(float(x / y - 1)) for x, y in zip(found, exact, strict=True)]


# the Gumbel distributions have no probability left beyond exp(-exp(5)) = 1e-64
LOWEST = {"probit": -30.0, "cloglog": -30.0, "loglog": -5.0}
HIGHEST = {"probit": 30.0, "cloglog": 5.0, "loglog": 30.0}


@pytest.mark.parametrize("link", OTHERS)
def test_no_digits_are_lost_in_the_tails_or_between_close_boundaries(link):
    exact = Exact(link, 250)
    for lower in (-30.0, -12.3, -5.0, -3.0, -1.0, -0.2, 0.0, 0.3, 2.5, 3.1, 5.7, 12.0, 29.3):
        for d in (1e-9, 1e-5, 1e-2, 0.1, 0.33, 0.7, 1.0, 1.7, 3.0, 8.0):
            a, b = lower + d, lower
            if LOWEST[link] <= b and a <= HIGHEST[link]:
                found = row_loss(LINKS[link], a, b), *row_derivatives(LINKS[link], a, b)
                assert max(relative_errors(found, exact.row(a, b))) < 1e-13, (a, b)


@pytest.mark.parametrize("link", OTHERS)
def test_the_first_class_keeps_its_digits(link):
    exact = Exact(link, 250)
    for a in (-30.0, -12.3, -5.0, -3.0, -1.0, -0.2, 0.0, 0.3, 1.0, 2.5, 3.1, 4.0):
        if a >= LOWEST[link]:
            found = log_below(LINKS[link], a), *first_derivatives(LINKS[link], a)
            assert max(relative_errors(found, exact.first(a))) < 1e-12, a


@pytest.mark.parametrize("link", LINKS)
def test_cumulative_probabilities_are_those_of_scipy(link):
    z = np.linspace(-4.0, 4.0, 33).reshape(3, 11)
    G = DISTRIBUTIONS[link]
    np.testing.assert_allclose(log_cumulative(LINKS[link], z), G.logcdf(z), rtol=1e-12)
    np.testing.assert_allclose(log_complement(LINKS[link], z), G.logsf(z), rtol=1e-12)
    shares = np.array([1e-12, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(
        boundaries_of_shares(LINKS[link], shares, 1.0 - shares), G.ppf(shares), rtol=1e-12
    )
    np.testing.assert_allclose(
        boundaries_of_shares(LINKS[link], 1.0 - shares, shares), G.isf(shares), rtol=1e-12
    )


@pytest.mark.parametrize("link", LINKS)
def test_the_hessian_is_positive_semidefinite(link):
    """sa, sb and r are not negative, which the densities' log-concavity implies."""
    rng = np.random.default_rng(0)
    b = rng.uniform(-8.0, 8.0, 2000)
    d = 10.0 ** rng.uniform(-9.0, 1.0, 2000)
    for lower, upper in zip(b, b + d, strict=True):
        _, _, sa, sb, r = row_derivatives(LINKS[link], upper, lower)
        assert min(sa, sb, r) >= 0.0, (upper, lower)


@pytest.mark.parametrize("link", OTHERS)
def test_loss_is_infinite_where_boundaries_meet_or_cross(link):
    for a, b in ((0.0, 0.0), (-1.0, 1.0), (math.nan, 0.0)):
        assert row_loss(LINKS[link], a, b) == math.inf


@pytest.mark.parametrize("link", LINKS)
@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300) | st.floats(-8, 8), min_size=1, max_size=6))
def test_repaired_probabilities_are_a_distribution(link, eta):
    eta = repair_crossing(np.array([eta]))
    probability = np.exp(log_class_probabilities(LINKS[link], eta))
    assert np.all(probability >= 0)
    assert probability.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("link", OTHERS)
def test_the_bound_of_the_conjugate_is_exact_at_the_gradient_and_above_it_elsewhere(link):
    """One row of each of three classes, against the supremum by SciPy."""
    kind, a, b = LINKS[link], np.array([0.4, 1.1, np.inf]), np.array([-np.inf, -0.3, 0.2])
    first, middle = first_derivatives(kind, 0.4)[0], row_derivatives(kind, 1.1, -0.3)
    last = -first_derivatives(reflected(kind), -0.2)[0]
    ga, g = np.array([first, middle[0], 0.0]), np.array([first, middle[0] + middle[1], last])
    G = DISTRIBUTIONS[link]

    def conjugate(share):
        def negative(z):
            return share * -(ga[1] * z[0] + (g[1] - ga[1]) * z[1]) - np.log(
                max(G.cdf(z[0]) - G.cdf(z[1]), 1e-300)
            )

        options = {"xatol": 1e-9, "fatol": 1e-13}
        ends = (
            minimize(lambda z: -share * first * z[0] - G.logcdf(z[0]), [0.4], method="Nelder-Mead",
                     options=options),
            minimize(lambda z: -share * last * z[0] - G.logsf(z[0]), [0.2], method="Nelder-Mead",
                     options=options),
        )  # fmt: skip
        inner = minimize(negative, [1.1, -0.3], method="Nelder-Mead", options=options)
        return -(inner.fun + sum(end.fun for end in ends)) / 3.0

    weight, start = np.full(3, 1 / 3), np.arange(4)
    for share in (1.0, 0.9, 0.3):
        bound = -dual_value(kind, np.full(3, share), a, b, ga / 3, g / 3, weight, start)
        exact = conjugate(share)
        assert bound >= exact - 1e-9
        if share == 1.0:
            assert bound == pytest.approx(exact, abs=1e-9)


# ------------------------------------------------------------------------------------------------
# fits


def statsmodels_fit(X, y, link):
    near = ProportionalOddsClassifier(link=link).fit(X, y)
    start = [-near.coef_[0], near.intercept_[:1], np.log(np.diff(near.intercept_))]
    return OrderedModel(y, X, distr=DISTRIBUTIONS[link]).fit(
        start_params=np.concatenate(start), method="newton", disp=False, warn_convergence=False,
        maxiter=3,
    )  # fmt: skip


@pytest.mark.parametrize("link", OTHERS)
def test_maximum_likelihood_is_that_of_statsmodels(example, link):
    X, y = example
    model = ProportionalOddsClassifier(link=link, tol=1e-10).fit(X, y)
    reference = statsmodels_fit(X, y, link)
    table = model.summary(X, y, direction="higher")
    np.testing.assert_allclose(model.coef_[0], -reference.params[:5], atol=1e-6)
    np.testing.assert_allclose(table["standard_error"][:5], reference.bse[:5], atol=1e-6)
    thresholds = reference.model.transform_threshold_params(reference.params)[1:-1]
    np.testing.assert_allclose(model.intercept_, thresholds, atol=1e-6)
    log_likelihood = np.sum(model.predict_log_proba(X)[np.arange(100), y])
    assert log_likelihood == pytest.approx(reference.llf, abs=1e-9)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict(X), atol=1e-6)


@pytest.mark.parametrize(
    ("link", "other"),
    [("probit", links.Probit()), ("cloglog", links.CLogLog()), ("loglog", links.LogLog())],
)
def test_two_classes_are_a_binomial_regression_with_the_link(example, link, other):
    X, below = example.X, example.y < 1
    Z = np.column_stack([X, np.ones(100)])
    reference = GLM(below.astype(float), Z, Binomial(other)).fit(tol=1e-12)
    model = ProportionalOddsClassifier(link=link, tol=1e-10).fit(X, ~below)
    table = model.summary(X, ~below)
    np.testing.assert_allclose(table["coefficient"], reference.params, atol=1e-8)
    observed = np.sqrt(np.diag(np.linalg.inv(-reference.model.hessian(reference.params))))
    np.testing.assert_allclose(table["standard_error"], observed, rtol=1e-7)
    np.testing.assert_allclose(model.predict_proba(X)[:, 0], reference.predict(Z), atol=1e-8)
    unpenalised = PrestoClassifier(0.0, link=link, tol=1e-10).fit(X, ~below)
    np.testing.assert_allclose(unpenalised.coef_[0], reference.params[:5], atol=1e-8)


def penalised_objective(theta, X, y, link, alpha):
    """Mean loss and penalty of the intercepts and of positive and negative parts of psi."""
    n_boundaries, p = y.max(), X.shape[1]
    intercept = theta[:n_boundaries]
    positive, negative = theta[n_boundaries:].reshape(2, n_boundaries, p)
    eta = intercept + X @ np.cumsum(positive - negative, axis=0).T
    below = np.column_stack([np.zeros(len(y)), DISTRIBUTIONS[link].cdf(eta), np.ones(len(y))])
    pi = np.diff(below, axis=1)[np.arange(len(y)), y]
    return -np.mean(np.log(np.maximum(pi, 1e-12))) + alpha * np.sum(positive + negative)


@pytest.mark.parametrize("link", OTHERS)
def test_presto_is_the_minimum_that_scipy_finds(example, link):
    X, y = example.X[:, :3], np.minimum(example.y, 2)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = PrestoClassifier(0.03, link=link, **TIGHT).fit(X, y)
    start = np.concatenate([model.intercept_, np.full(12, 0.2)])
    found = minimize(
        penalised_objective, start, (X, y, link, 0.03), method="L-BFGS-B",
        bounds=[(None, None)] * 2 + [(0.0, None)] * 12, options={"ftol": 1e-15, "gtol": 1e-8},
    )  # fmt: skip
    psi = model.coef_diff_.reshape(-1)
    ours = np.concatenate([model.intercept_, np.maximum(psi, 0.0), np.maximum(-psi, 0.0)])
    value = penalised_objective(ours, X, y, link, 0.03)
    assert value <= found.fun + 1e-10
    assert value == pytest.approx(found.fun, abs=1e-7)
    positive, negative = found.x[2:].reshape(2, 6)
    np.testing.assert_allclose(psi, positive - negative, atol=1e-3)
    assert np.any(psi == 0.0)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array])
def test_classes_and_signs_reversed_exchange_the_log_log_links(example, storage):
    X, y = storage(example.X), example.y
    model = ProportionalOddsClassifier(link="cloglog", tol=1e-12).fit(X, y)
    other = ProportionalOddsClassifier(link="loglog", tol=1e-12, class_order=[3, 2, 1, 0]).fit(X, y)
    np.testing.assert_allclose(other.coef_, -model.coef_, atol=1e-9)
    np.testing.assert_allclose(other.intercept_, -model.intercept_[::-1], atol=1e-9)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-9)
    for link in ("logit", "probit"):
        model = ProportionalOddsClassifier(link=link, tol=1e-12).fit(X, y)
        other = clone(model).set_params(class_order=[3, 2, 1, 0]).fit(X, y)
        np.testing.assert_allclose(other.coef_, -model.coef_, atol=1e-9)


@pytest.mark.parametrize("link", OTHERS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6, 0.0])
def test_gap_bounds_the_suboptimality_from_above(example, link, l1_ratio):
    X, y = example
    weights = increment_weights(4, 1.0, np.ones(5))
    problem = make_problem(X, y, 4, np.ones(100), weights, l1_ratio, True, LINKS[link])
    best = solve_at(problem, 0.01, tol=1e-13, max_iter=100).objective
    for max_iter in range(1, 16):
        solution = solve_at(problem, 0.01, tol=0.0, max_iter=max_iter, start=problem.start)
        assert solution.objective - best <= solution.dual_gap * problem.scales.loss + 1e-14
    assert solution.dual_gap < 1e-9


@settings(max_examples=20, deadline=None)
@given(
    link=st.sampled_from(OTHERS),
    n=st.integers(8, 40),
    p=st.integers(1, 12),
    n_classes=st.integers(2, 5),
    share=st.floats(0.01, 0.9),
    l1_ratio=st.sampled_from([1.0, 0.5, 0.0]),
    seed=st.integers(0, 10_000),
)
def test_every_small_problem_is_solved_to_its_gap(link, n, p, n_classes, share, l1_ratio, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.choice([0.0, 0.0, 1e3, -1e6], p)
    X *= 10.0 ** rng.integers(-8, 9, p)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    offset = rng.choice([0.0, 1.0, 5.0]) * rng.standard_normal(n)
    alpha = share * presto_alpha_max(X, y, l1_ratio=l1_ratio, link=link, offset=offset)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PrestoClassifier(alpha, l1_ratio=l1_ratio, link=link, tol=1e-8)
        model.fit(X, y, offset=offset)
    assert -1e-13 <= model.dual_gap_ <= 1e-8


def test_a_class_without_any_gradient_has_no_dual_point():
    """Far from the optimum, where probabilities of the Gumbel distributions underflow."""
    sums = np.zeros((3, 2, 4))
    sums[0] = [[-0.2, -0.1, 0.0, 0.0], [-0.2, 0.1, 0.0, 0.1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert duality_gap(None, None, None, 1.0, None, sums) == math.inf


@pytest.mark.parametrize("link", OTHERS)
def test_path_starts_at_the_frequencies_and_is_certified(example, link):
    X, y = example
    largest = presto_alpha_max(X, y, link=link)
    null = PrestoClassifier(1.001 * largest, link=link).fit(X, y)
    assert not null.coef_diff_.any()
    np.testing.assert_allclose(null.predict_proba(X[:1]), [np.bincount(y) / 100], rtol=1e-12)
    assert PrestoClassifier(0.99 * largest, link=link, **TIGHT).fit(X, y).coef_diff_.any()
    path = presto_path(X, y, link=link, alphas=6, tol=1e-8)
    assert np.all(path.dual_gaps <= 1e-8)
    alone = PrestoClassifier(path.alphas[3], link=link, **TIGHT).fit(X, y)
    np.testing.assert_allclose(path.coefs[..., 3], alone.coef_, atol=2e-3)


@pytest.mark.parametrize("link", OTHERS)
def test_storage_weights_and_pickles_do_not_matter(example, link):
    X, y = np.where(np.abs(example.X) > 0.5, example.X, 0.0), example.y
    weight = np.random.default_rng(0).integers(0, 3, 100)
    weight[np.unique(y, return_index=True)[1]] = 1
    model = PrestoClassifier(0.01, link=link, **TIGHT).fit(X, y, weight)
    for rows, labels, counts in (
        (sparse.csr_array(X), y, weight),
        (pd.DataFrame(X), y, weight),
        (np.repeat(X, weight, axis=0), np.repeat(y, weight), None),
    ):
        other = clone(model).fit(rows, labels, counts)
        np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    model.set_params(link="logit")  # which acts on the next fit, not on this one
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    assert model.fit(X, y).link_ == "logit"


@pytest.mark.parametrize("link", OTHERS)
@pytest.mark.filterwarnings("ignore:PrestoClassifierCV chose")
def test_cross_validation_scores_with_the_link(example, link):
    X, y = example
    train, test = np.arange(30, 100), np.arange(30)
    alphas = np.geomspace(0.2, 0.01, 4)
    for scoring in ("neg_log_loss", "accuracy"):
        model = PrestoClassifierCV(alphas, cv=[(train, test)], link=link, scoring=scoring, tol=1e-8)
        scores = model.fit(X, y).score_path_[:, 0]
        for alpha, score in zip(alphas, scores, strict=True):
            alone = PrestoClassifier(alpha, link=link, tol=1e-8).fit(X[train], y[train])
            if scoring == "accuracy":
                assert score == alone.score(X[test], y[test])
            else:
                observed = alone.predict_log_proba(X[test])[np.arange(30), y[test]]
                assert score == pytest.approx(np.mean(np.maximum(observed, np.log(1e-8))), abs=1e-4)


# ------------------------------------------------------------------------------------------------
# inference


def loss(theta, X, y, link):
    """Minus the log-likelihood of one slope for all boundaries, coefficients before thresholds."""
    p = X.shape[1]
    return loss_of_predictors(theta[p:] + (X @ theta[:p])[:, None], y, link)


def loss_of_predictors(eta, y, link):
    below = np.column_stack([np.zeros(len(y)), DISTRIBUTIONS[link].cdf(eta), np.ones(len(y))])
    pi = np.diff(below, axis=1)[np.arange(len(y)), y]
    return -np.sum(np.log(np.maximum(pi, 1e-300)))


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_profile_intervals_end_where_refits_lose_the_quantile(example, link):
    X, y = example
    table = ProportionalOddsClassifier(link=link).fit(X, y).summary(X, y, interval="profile")
    best, others = table["coefficient"].to_numpy(), np.arange(8) != 1
    lowest = loss(best, X, y, link)

    def excess(value):
        def restricted(free):
            return loss(np.insert(free, 1, value), X, y, link)

        refit = minimize(restricted, best[others], method="BFGS", options={"gtol": 1e-7})
        return 2.0 * (refit.fun - lowest) - chi2.ppf(0.95, 1)

    for end, side in (("lower", -1.0), ("upper", 1.0)):
        far = best[1] + side * 4.0 * table["standard_error"].iloc[1]
        assert table[end].iloc[1] == pytest.approx(
            brentq(excess, best[1], far, xtol=1e-7), abs=1e-5
        )


@pytest.mark.parametrize("link", OTHERS)
def test_sandwich_is_that_of_numerical_scores(example, link):
    X, y = example
    model = ProportionalOddsClassifier(link=link, tol=1e-10).fit(X, y)
    table = model.summary(X, y, covariance="sandwich")
    theta, h = table["coefficient"].to_numpy(), 1e-5
    scores = np.array([
        [(loss(theta + h * e, X[[i]], y[[i]], link) - loss(theta - h * e, X[[i]], y[[i]], link))
         / (2 * h) for e in np.eye(8)]
        for i in range(100)
    ])  # fmt: skip
    unit = 1e-4 * np.eye(8)
    hessian = np.array([
        [(loss(theta + d + e, X, y, link) - loss(theta + d - e, X, y, link)
          - loss(theta - d + e, X, y, link) + loss(theta - d - e, X, y, link)) / 4e-8
         for e in unit]
        for d in unit
    ])  # fmt: skip
    bread = np.linalg.inv(hessian)
    expected = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
    np.testing.assert_allclose(table["standard_error"], expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Boundaries of a larger model cross")
@pytest.mark.parametrize("link", OTHERS)
def test_likelihood_ratio_has_the_link_and_brants_test_refuses_it(example, link):
    X, y = example
    model = ProportionalOddsClassifier(link=link).fit(X, y)
    free = PrestoClassifier(0.0, link=link, **TIGHT).fit(X, y)
    smaller, larger = (
        loss_of_predictors(X @ fit.coef_.T + fit.intercept_, y, link) for fit in (model, free)
    )
    table = likelihood_ratio_test(model, X, y)
    assert table["statistic"].iloc[0] == pytest.approx(2.0 * (smaller - larger), abs=1e-5)
    with pytest.raises(ValueError, match=rf"link=.{link}.*likelihood_ratio_test"):
        brant_test(model, X, y)


@pytest.mark.filterwarnings("ignore:The coefficients are penalised")
def test_odds_ratios_are_of_the_logistic_link_only(example):
    X, y = example
    draws = {"n_bootstraps": 10, "level": 0.8, "random_state": 0}
    for link in LINKS:
        model = ProportionalOddsClassifier(link=link).fit(X, y)
        presto = PrestoClassifier(0.02, link=link)
        for table in (model.summary(X, y), bootstrap_summary(presto, X, y, **draws)):
            assert any("odds" in column for column in table) == (link == "logit")


@pytest.mark.parametrize("link", LINKS)
def test_separation_is_reported(link):
    X = np.linspace(-1, 1, 30)[:, None]
    y = np.digitize(X[:, 0], [-0.4, 0.4])
    with pytest.warns(ConvergenceWarning, match="separable"):
        model = ProportionalOddsClassifier(tol=1e-9, link=link).fit(X, y)
    with pytest.raises(ValueError, match=r"separable, wholly or in part, by \['x0'\]"):
        model.summary(X, y)


@pytest.mark.parametrize(
    "estimator", [ProportionalOddsClassifier, PrestoClassifier, PrestoClassifierCV]
)
def test_unknown_links_are_refused(example, estimator):
    with pytest.raises(ValueError, match=r"'link' parameter .* must be a str among"):
        estimator(link="cauchit").fit(*example)
    for function in (presto_path, presto_alpha_max):
        with pytest.raises(ValueError, match="'link' parameter"):
            function(*example, link="identity")


@pytest.mark.parametrize("link", LINKS)
def test_large_log_odds_of_a_converged_fit_are_no_separation(link):
    X, y = load_ordinal_diabetes(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = PrestoClassifier(alpha=0.0, link=link).fit(X, y)
    refined = PrestoClassifier(alpha=0.0, link=link, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, refined.coef_, rtol=0.05, atol=0.05)
