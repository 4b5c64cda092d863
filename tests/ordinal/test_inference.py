"""Standard errors, intervals and tests against statsmodels, refits by SciPy, and brute force."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize
from scipy.sparse import csr_array
from scipy.special import expit
from scipy.stats import chi2
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from statsmodels.discrete.discrete_model import Logit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import (
    PrestoClassifier,
    ProportionalOddsClassifier,
    brant_test,
    likelihood_ratio_test,
)

SLOPES, THRESHOLDS = slice(0, 5), slice(5, 8)


@pytest.fixture(scope="module")
def fitted(example):
    return ProportionalOddsClassifier().fit(*example)


def statsmodels_fit(X, y, **options):
    """Its Hessian is numerical, so that its standard errors have some six digits."""
    near = ProportionalOddsClassifier().fit(X, y)
    start = [-near.coef_[0], near.intercept_[:1], np.log(np.diff(near.intercept_))]
    return OrderedModel(y, X, distr="logit").fit(
        start_params=np.concatenate(start), method="newton", disp=False, warn_convergence=False,
        maxiter=3, **options,
    )  # fmt: skip


def threshold_errors(reference, n_slopes):
    """Delta method: statsmodels has the first threshold and the logarithms of the gaps."""
    gaps = np.exp(reference.params[n_slopes + 1 :])
    jacobian = np.tril(np.ones((len(gaps) + 1, len(gaps) + 1))) * np.append(1.0, gaps)
    covariance = reference.cov_params()[n_slopes:, n_slopes:]
    return np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))


def loss(alpha, eta, y, weight=1.0):
    """Minus the log-likelihood, from the thresholds (n_boundaries,) and x^T beta of each row, or of
    each row and boundary."""
    below = np.column_stack([np.zeros(len(y)), expit(alpha + eta), np.ones(len(y))])
    pi = np.diff(below, axis=1)[np.arange(len(y)), y]
    return -np.sum(weight * np.log(np.maximum(pi, 1e-300)))


@pytest.mark.parametrize(
    ("covariance", "options"),
    [("observed", {}), ("sandwich", {"cov_type": "HC0"})],
)
def test_standard_errors_are_those_of_statsmodels(example, fitted, covariance, options):
    reference = statsmodels_fit(*example, **options)
    table = fitted.summary(*example, covariance=covariance, direction="higher")
    np.testing.assert_allclose(table["coefficient"][SLOPES], reference.params[:5], atol=1e-7)
    np.testing.assert_allclose(table["standard_error"][SLOPES], reference.bse[:5], atol=1e-6)
    np.testing.assert_allclose(table["z"][SLOPES], reference.tvalues[:5], atol=1e-5)
    np.testing.assert_allclose(table["p_value"][SLOPES], reference.pvalues[:5], atol=1e-6)
    np.testing.assert_allclose(
        table[["lower", "upper"]].iloc[SLOPES], reference.conf_int()[:5], atol=1e-5
    )
    np.testing.assert_allclose(
        table["standard_error"][THRESHOLDS], threshold_errors(reference, 5), atol=1e-6
    )
    assert table.index.tolist() == ["x0", "x1", "x2", "x3", "x4", "0|1", "1|2", "2|3"]


def test_clustered_errors_are_those_of_statsmodels(example, fitted):
    groups = np.random.default_rng(0).integers(0, 30, 100)
    reference = statsmodels_fit(
        *example, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    n_groups = len(np.unique(groups))
    table = fitted.summary(*example, covariance="cluster", groups=groups.astype(str))
    np.testing.assert_allclose(
        table["standard_error"][SLOPES],
        reference.bse[:5] * np.sqrt(n_groups / (n_groups - 1)),
        atol=1e-6,
    )


def test_errors_of_nearly_collinear_features_in_other_units():
    X, y = load_ordinal_diabetes(return_X_y=True)
    reference = statsmodels_fit(X / X.std(axis=0), y)
    for estimator in (ProportionalOddsClassifier(), ProportionalOddsClassifier(standardize=False)):
        table = estimator.fit(X, y).summary(X, y)
        np.testing.assert_allclose(
            table["standard_error"][:10] * X.std(axis=0), reference.bse[:10], atol=1e-6
        )


def test_two_classes_are_a_logistic_regression(example):
    X, event = example.X, example.y > 1
    reference = Logit(event, np.column_stack([X, np.ones(100)])).fit(disp=False, tol=1e-12)
    estimator = ProportionalOddsClassifier().fit(X, event)
    table = estimator.summary(X, event, level=0.9, direction="higher")
    np.testing.assert_allclose(table["coefficient"][:5], reference.params[:5], atol=1e-9)
    np.testing.assert_allclose(table["standard_error"], reference.bse, atol=1e-9)
    np.testing.assert_allclose(
        table[["lower", "upper"]].iloc[:5], reference.conf_int(0.1)[:5], atol=1e-8
    )
    assert table.index[-1] == "False|True"


@pytest.mark.parametrize("position", [1, 4, 7])
def test_profile_intervals_end_where_refits_lose_the_quantile(example, fitted, position):
    """Position 7 is the threshold of the rare class."""
    X, y = example
    table = fitted.summary(X, y, interval="profile", level=0.9)
    best = table["coefficient"].to_numpy()
    others = np.delete(np.arange(8), position)
    lowest = loss(best[5:], (X @ best[:5])[:, None], y)

    def excess(value):
        def restricted(free):
            theta = np.empty(8)
            theta[position], theta[others] = value, free
            return loss(theta[5:], (X @ theta[:5])[:, None], y)

        refit = minimize(restricted, best[others], method="BFGS", options={"gtol": 1e-7})
        return 2.0 * (refit.fun - lowest) - chi2.ppf(0.9, 1)

    for end, side in (("lower", -1.0), ("upper", 1.0)):
        width = 3.0 * table["standard_error"].iloc[position]
        root = brentq(excess, best[position], best[position] + side * width, xtol=1e-7)
        assert table[end].iloc[position] == pytest.approx(root, abs=1e-5)


def test_profile_and_wald_intervals_agree_in_large_samples(example):
    many = np.full(100, 2000.0)  # copies of each row
    estimator = ProportionalOddsClassifier(tol=1e-8).fit(*example, many)
    profile, wald = (
        estimator.summary(*example, many, interval=interval) for interval in ("profile", "wald")
    )
    width = (wald["upper"] - wald["lower"]).to_numpy()
    for end in ("lower", "upper"):
        assert np.all(np.abs(profile[end] - wald[end]) < 0.01 * width)


def test_weights_count_rows_or_say_how_much_a_row_counts(example):
    X, y = example
    weight = np.random.default_rng(1).integers(0, 4, 100)
    weight[np.unique(y, return_index=True)[1]] = 1
    estimator = ProportionalOddsClassifier(tol=1e-8).fit(X, y, weight)
    repeated_X, repeated_y = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    repeated = ProportionalOddsClassifier(tol=1e-8).fit(repeated_X, repeated_y)
    for interval in ("wald", "profile"):
        pd.testing.assert_frame_equal(
            estimator.summary(X, y, weight, interval=interval),
            repeated.summary(repeated_X, repeated_y, interval=interval),
            rtol=1e-6,
        )
    copies = np.repeat(np.arange(100), weight)
    n_groups = np.count_nonzero(weight)
    once = estimator.summary(X, y, weight, covariance="sandwich")["standard_error"]
    grouped = repeated.summary(repeated_X, repeated_y, covariance="cluster", groups=copies)
    np.testing.assert_allclose(
        once * np.sqrt(n_groups / (n_groups - 1)), grouped["standard_error"], rtol=1e-7
    )
    clusters = np.arange(100) // 5
    for options in ({"covariance": "sandwich"}, {"covariance": "cluster", "groups": clusters}):
        pd.testing.assert_frame_equal(
            estimator.summary(X, y, weight, **options),
            estimator.summary(X, y, weight / 7.0, **options),
            rtol=1e-6,
        )
    with pytest.warns(UserWarning, match="takes a weight for a number of equal rows"):
        estimator.summary(X, y, weight / 7.0)


def test_standard_errors_are_the_spread_of_refits_to_resamples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = np.digitize(X[:, 0] + rng.logistic(size=600), [0.0, 2.0])
    table = ProportionalOddsClassifier().fit(X, y).summary(X, y)
    refits = []
    for _ in range(150):
        counts = np.bincount(rng.integers(0, 600, 600), minlength=600)
        refit = ProportionalOddsClassifier().fit(X, y, counts)
        refits.append(np.append(refit.coef_[0], refit.intercept_))
    np.testing.assert_allclose(table["standard_error"], np.std(refits, axis=0), rtol=0.2)


def test_directions_and_odds_ratios(example, fitted):
    lower, higher = (
        fitted.summary(*example, direction=direction) for direction in ("lower", "higher")
    )
    np.testing.assert_allclose(lower["coefficient"][SLOPES], fitted.coef_[0], atol=1e-4)
    np.testing.assert_array_equal(higher["coefficient"][SLOPES], -lower["coefficient"][SLOPES])
    np.testing.assert_array_equal(higher["lower"][SLOPES], -lower["upper"][SLOPES])
    np.testing.assert_allclose(higher["odds_ratio"] * lower["odds_ratio"], [1.0] * 5 + [np.nan] * 3)
    np.testing.assert_allclose(higher["odds_ratio_upper"][SLOPES], np.exp(higher["upper"][SLOPES]))
    pd.testing.assert_frame_equal(higher.iloc[THRESHOLDS], lower.iloc[THRESHOLDS])
    assert np.all(lower["lower"] < lower["upper"])
    assert np.all(higher["lower"] < higher["upper"])


def test_names_come_from_frames_and_ordered_categoricals(example):
    X = pd.DataFrame(example.X, columns=list("abcde"))
    y = pd.Series(pd.Categorical.from_codes(example.y, ["none", "some", "more", "most"], True))
    estimator = ProportionalOddsClassifier(
        penalty_weights={"c": np.inf}, class_order=["none", "some", "more", "most"]
    ).fit(X, y)
    table = estimator.summary(X, y)
    assert table.index.tolist() == ["a", "b", "d", "e", "none|some", "some|more", "more|most"]
    without = X.drop(columns="c")
    plain = ProportionalOddsClassifier().fit(without, example.y).summary(without, example.y)
    np.testing.assert_allclose(table, plain, rtol=1e-6)
    assert brant_test(estimator, X, y).index.tolist() == ["all features", "a", "b", "d", "e"]


@pytest.mark.parametrize("storage", [csr_array, np.float32, np.asfortranarray])
def test_storage_does_not_matter(example, fitted, storage):
    X, y = example
    estimator = ProportionalOddsClassifier().fit(storage(X), y)
    for interval in ("wald", "profile"):
        np.testing.assert_allclose(
            estimator.summary(storage(X), y, interval=interval),
            fitted.summary(X, y, interval=interval),
            rtol=1e-3 if storage is np.float32 else 1e-7,
        )
    np.testing.assert_allclose(
        brant_test(estimator, storage(X), y),
        brant_test(fitted, X, y),
        rtol=1e-3 if storage is np.float32 else 1e-7,
    )


# ------------------------------------------------------------------------------------------------
# tests of proportional odds


def brute_force_brant(X, y, n_classes):
    """Brant's closed form, from statsmodels' logistic regressions, matrix by matrix."""
    Z, p = np.column_stack([np.ones(len(X)), X]), X.shape[1]
    fits = [Logit(y > k, Z).fit(disp=False, tol=1e-12) for k in range(n_classes - 1)]
    pi = [fit.predict() for fit in fits]
    beta = np.concatenate([fit.params[1:] for fit in fits])
    m = n_classes - 1
    V = np.empty((m * p, m * p))
    for k in range(m):
        for l in range(k, m):
            Wkk, Wll = np.diag(pi[k] * (1 - pi[k])), np.diag(pi[l] * (1 - pi[l]))
            Wkl = np.diag(pi[l] - pi[k] * pi[l])
            left, right = np.linalg.inv(Z.T @ Wkk @ Z), np.linalg.inv(Z.T @ Wll @ Z)
            block = (left @ (Z.T @ Wkl @ Z) @ right)[1:, 1:]
            V[k * p : k * p + p, l * p : l * p + p] = block
            V[l * p : l * p + p, k * p : k * p + p] = block.T
    D = np.kron(np.column_stack([-np.ones((m - 1, 1)), np.eye(m - 1)]), np.eye(p))
    yield (D @ beta) @ np.linalg.solve(D @ V @ D.T, D @ beta), (m - 1) * p
    for j in range(p):
        some = np.arange(j, (m - 1) * p, p)
        block = (D @ V @ D.T)[np.ix_(some, some)]
        yield (D @ beta)[some] @ np.linalg.solve(block, (D @ beta)[some]), m - 1


def test_brant_test_is_its_closed_form(example, fitted):
    X, y = load_ordinal_diabetes(return_X_y=True)
    X = 10.0 * X
    for estimator, data in (
        (fitted, example),
        (ProportionalOddsClassifier().fit(X, y), (X, y)),
    ):
        table = brant_test(estimator, *data)
        expected = np.array(list(brute_force_brant(*data, 4)))
        np.testing.assert_allclose(table["statistic"], expected[:, 0], rtol=1e-6)
        np.testing.assert_array_equal(table["degrees_of_freedom"], expected[:, 1])
        np.testing.assert_allclose(table["p_value"], chi2.sf(*expected.T), atol=1e-7)


def test_likelihood_ratio_is_that_of_refits(example, fitted):
    X, y = example
    table = likelihood_ratio_test(fitted, X, y)
    free = PrestoClassifier(0.0, tol=1e-12).fit(X, y)
    gain = loss(fitted.intercept_, X @ fitted.coef_.T, y)
    gain -= loss(free.intercept_, X @ free.coef_.T, y)
    assert table["statistic"].iloc[0] == pytest.approx(2.0 * gain, abs=1e-6)
    assert table["statistic"].iloc[0] == pytest.approx(200 * (0.9100422324356 - 0.85465554599))

    def partial(theta):  # x1 has a slope at each boundary
        eta = (X[:, [0, 2, 3, 4]] @ theta[[0, 2, 3, 4]])[:, None] + np.outer(
            X[:, 1], theta[1] + np.append(0.0, theta[8:])
        )
        return loss(theta[5:8], eta, y)

    start = np.concatenate([fitted.coef_[0], fitted.intercept_, np.zeros(2)])
    refit = minimize(partial, start, method="BFGS", options={"gtol": 1e-6})
    expected = 2.0 * (partial(start) - refit.fun)
    assert table.loc["x1", "statistic"] == pytest.approx(expected, abs=1e-5)
    assert table["degrees_of_freedom"].tolist() == [10, 2, 2, 2, 2, 2]
    np.testing.assert_allclose(
        table["p_value"], chi2.sf(table["statistic"], table["degrees_of_freedom"])
    )


@pytest.mark.parametrize("test", [brant_test, likelihood_ratio_test])
def test_tests_do_not_depend_on_units_or_on_which_end_is_rare(example, fitted, test):
    X, y = example
    table = test(fitted, X, y)
    scale = 10.0 ** np.arange(-4, 6, 2)
    moved = X * scale + 3.0 * scale
    other = ProportionalOddsClassifier(class_order=[3, 2, 1, 0]).fit(moved, y)
    np.testing.assert_allclose(test(other, moved, y), table, rtol=1e-6)


@pytest.mark.parametrize("test", [brant_test, likelihood_ratio_test])
def test_tests_take_weights_for_numbers_of_rows(example, test):
    X, y = example
    weight = np.random.default_rng(1).integers(1, 4, 100)
    table = test(ProportionalOddsClassifier().fit(X, y, weight), X, y, weight)
    repeated = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    expected = test(ProportionalOddsClassifier().fit(*repeated), *repeated)
    np.testing.assert_allclose(table, expected, rtol=1e-6)


def test_tests_keep_their_level_and_see_what_differs():
    rng = np.random.default_rng(0)
    rejected = {brant_test: 0, likelihood_ratio_test: 0}
    for _ in range(30):
        X = rng.normal(size=(300, 2))
        y = np.digitize(X[:, 0] + rng.logistic(size=300), [-1.0, 1.0])
        estimator = ProportionalOddsClassifier().fit(X, y)
        for test in rejected:
            rejected[test] += test(estimator, X, y)["p_value"].iloc[0] < 0.05
    assert max(rejected.values()) <= 6  # binomial(30, 0.05) exceeds 6 less than once in 1000
    X = rng.normal(size=(2000, 2))
    below = expit(
        np.array([-1.0, 1.0]) + np.outer(X[:, 0], [1.0, 1.0]) + np.outer(X[:, 1], [1, -1])
    )
    inside = np.all(np.diff(below, axis=1) > 0, axis=1)
    X, below = X[inside], below[inside]
    y = (rng.uniform(size=(len(X), 1)) > below).sum(axis=1)
    estimator = ProportionalOddsClassifier().fit(X, y)
    for test in rejected:
        assert test(estimator, X, y).loc["x1", "p_value"] < 1e-6


# ------------------------------------------------------------------------------------------------
# what has no standard errors


ALL = [
    ProportionalOddsClassifier.summary,
    brant_test,
    likelihood_ratio_test,
]


@pytest.mark.parametrize("ask", ALL)
def test_only_the_rows_of_the_fit_will_do(example, fitted, ask):
    X, y = example
    with pytest.raises(NotFittedError):
        ask(ProportionalOddsClassifier(), X, y)
    with pytest.raises(ValueError, match="not at the maximum of the likelihood of these rows"):
        ask(fitted, X[::-1], y)
    with pytest.raises(ValueError, match="not at the maximum"):
        ask(fitted, X, y, np.arange(100))
    with pytest.raises(ValueError, match=r"y has the classes \[0, 1, 2\], but .* fitted to"):
        ask(fitted, X, np.minimum(y, 2))
    with pytest.raises(ValueError, match="must name each label of y once"):
        ask(fitted, X, y + 1)
    with pytest.raises(ValueError, match="4 features"):
        ask(fitted, X[:, :4], y)


@pytest.mark.parametrize("ask", ALL)
def test_penalised_fits_are_refused(example, ask):
    estimator = ProportionalOddsClassifier(0.1).fit(*example)
    with pytest.raises(ValueError, match=r"penalised \(alpha=0.1\).*bootstrap_summary"):
        ask(estimator, *example)
    free = ProportionalOddsClassifier(0.1, penalty_weights=np.zeros(5)).fit(*example)
    plain = ProportionalOddsClassifier().fit(*example)
    np.testing.assert_allclose(ask(free, *example), ask(plain, *example), rtol=1e-7)


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("storage", [np.asarray, csr_array])
def test_dependent_columns_are_named(example, ask, storage):
    X = storage(np.column_stack([example.X, example.X[:, 0] - 2 * example.X[:, 3], np.ones(100)]))
    estimator = ProportionalOddsClassifier().fit(X, example.y)
    with pytest.raises(ValueError, match=r"columns \['x\d', 'x6'\] of X are constant or comb"):
        ask(estimator, X, example.y)


@pytest.mark.parametrize("ask", ALL)
def test_separable_classes_are_refused_by_name(example, ask):
    """The indicator of some rows of the last class: quasi-complete separation by one column."""
    X, y = example
    X = np.column_stack([X, (y == 3) & (np.arange(100) % 2 == 0)])
    estimator = ProportionalOddsClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"separable, wholly or in part, by \['x5'\]"):
        ask(estimator, X, y)
    line = np.linspace(-1, 1, 30)[:, None]
    classes = np.digitize(line[:, 0], [-0.4, 0.4])
    with pytest.warns(ConvergenceWarning, match="separable"):
        estimator = ProportionalOddsClassifier(tol=1e-9).fit(line, classes)
    with pytest.raises(ValueError, match=r"separable, wholly or in part, by \['x0'\]"):
        ask(estimator, line, classes)


def test_separation_at_one_boundary_only_stops_brants_test():
    """At the last boundary x0 separates, but the common slope is finite."""
    x = np.concatenate([np.linspace(-2, 2, 40), np.linspace(2.5, 3, 5)])
    y = np.concatenate([np.arange(40) % 2, np.full(5, 2)])
    X = x[:, None]
    estimator = ProportionalOddsClassifier().fit(X, y)
    assert estimator.summary(X, y)["standard_error"].max() < 10
    with pytest.raises(ValueError, match=r"separable.*regression at the boundary 1\|2"):
        brant_test(estimator, X, y)
    with pytest.raises(ValueError, match="separable"):
        likelihood_ratio_test(estimator, X, y)


def test_options_are_checked(example, fitted):
    for option in (
        {"covariance": "HC3"},
        {"interval": "exact"},
        {"direction": "up"},
        {"level": 1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(option))):
            fitted.summary(*example, **option)
    for option in ({"covariance": "cluster"}, {"groups": np.arange(100)}):
        with pytest.raises(ValueError, match="groups belong to covariance='cluster'"):
            fitted.summary(*example, **option)
    with pytest.raises(ValueError, match="interval='profile' rests on the likelihood"):
        fitted.summary(*example, covariance="sandwich", interval="profile")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.summary(*example, covariance="cluster", groups=[0, 1])
    with pytest.raises(ValueError, match="groups has 1 group"):
        fitted.summary(*example, covariance="cluster", groups=np.zeros(100))
    with pytest.warns(UserWarning, match="8 parameters from 4 groups"):
        fitted.summary(*example, covariance="cluster", groups=np.arange(100) % 4)
    two = ProportionalOddsClassifier().fit(example.X, example.y > 0)
    for test in (brant_test, likelihood_ratio_test):
        with pytest.raises(ValueError, match=r"compares boundaries, but .* have one"):
            test(two, example.X, example.y > 0)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_groups_are_refused(example, fitted, missing):
    groups = np.where(np.arange(100) < 3, missing, (np.arange(100) // 5).astype(object))
    with pytest.raises(ValueError, match="groups is missing for 3 of 100 rows"):
        fitted.summary(*example, covariance="cluster", groups=groups)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_extreme_units_keep_their_errors(example, scale):
    X, y = example
    wanted = ProportionalOddsClassifier(tol=1e-8).fit(X, y).summary(X, y)
    table = ProportionalOddsClassifier(tol=1e-8).fit(X * scale, y).summary(X * scale, y)
    for column in ("coefficient", "standard_error", "lower", "upper"):
        np.testing.assert_allclose(table[column][:5] * scale, wanted[column][:5], rtol=1e-6)
    np.testing.assert_allclose(table["p_value"], wanted["p_value"], rtol=1e-6)


@pytest.mark.parametrize("test", [brant_test, likelihood_ratio_test])
def test_tests_speak_of_weights_that_count_no_rows(example, test):
    X, y = example
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 100)
    model = ProportionalOddsClassifier(tol=1e-8).fit(X, y, weight)
    with pytest.warns(
        UserWarning, match=rf"fractions, but {test.__name__} takes .*statistics grow"
    ):
        test(model, X, y, weight)


def test_a_model_without_features_has_nothing_to_test(example):
    none = ProportionalOddsClassifier(penalty_weights=[np.inf] * 5).fit(*example)
    with pytest.raises(ValueError, match="in this model no feature has one effect at all of them"):
        brant_test(none, *example)


@pytest.mark.parametrize("n_copies", [300, 1000])
def test_many_rows_do_not_lose_the_maximum_to_rounding(example, fitted, n_copies):
    """Each row many times, in a random order: the loss of a step is then rounding alone."""
    X, y = example
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(100), n_copies))
    many = ProportionalOddsClassifier(tol=1e-8).fit(X[rows], y[rows])
    for test in (brant_test, likelihood_ratio_test):
        found = test(many, X[rows], y[rows])["statistic"]
        np.testing.assert_allclose(found, n_copies * test(fitted, X, y)["statistic"], rtol=1e-8)
    errors = many.summary(X[rows], y[rows])["standard_error"]
    wanted = fitted.summary(X, y)["standard_error"] / np.sqrt(n_copies)
    np.testing.assert_allclose(errors, wanted, rtol=1e-8)


@pytest.mark.parametrize("count", [1e6, 1e9])
def test_profiles_of_heavy_weights_end_where_wald_intervals_do(example, count):
    """Their likelihood is a parabola, of which rounding takes digits: 1e9 leaves some five."""
    X, y = example
    weight = np.full(100, count)
    model = ProportionalOddsClassifier(tol=1e-8).fit(X, y, weight)
    wald, profile = (model.summary(X, y, weight, interval=kind) for kind in ("wald", "profile"))
    for end in ("lower", "upper"):
        distance = (profile[end] - wald[end]) / wald["standard_error"]
        np.testing.assert_allclose(distance, 0.0, atol=1e-3)
