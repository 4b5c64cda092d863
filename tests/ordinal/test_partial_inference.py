"""Inference for PRESTO without penalty, against numerical derivatives, statsmodels and refits."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize
from scipy.sparse import csr_array
from scipy.stats import chi2
from sklearn.exceptions import NotFittedError
from statsmodels.discrete.discrete_model import Logit
from statsmodels.tools.numdiff import approx_fprime_cs, approx_hess_cs

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    bootstrap_summary,
    brant_test,
    likelihood_ratio_test,
)

PROPORTIONAL = [0, 3, 4]
PARTIAL = [[], PROPORTIONAL, [0, 1, 2, 3, 4]]
BOUNDARIES = ["0|1", "1|2", "2|3"]


def losses(theta, X, y, proportional):
    """Minus the log-likelihood of each row, complex numbers included.

    `theta` has the common coefficients, those of each boundary, and the thresholds, as the rows of
    a summary.
    """
    n_boundaries, own = y.max(), np.setdiff1d(np.arange(X.shape[1]), proportional)
    beta = np.empty((n_boundaries, X.shape[1]), dtype=theta.dtype)
    beta[:, proportional] = theta[: len(proportional)]
    beta[:, own] = theta[len(proportional) : -n_boundaries].reshape(n_boundaries, len(own))
    below = 1.0 / (1.0 + np.exp(-(theta[-n_boundaries:] + X @ beta.T)))
    below = np.column_stack([np.zeros(len(y)), below, np.ones(len(y))])
    return -np.log(np.diff(below, axis=1)[np.arange(len(y)), y])


# many of these small models cross at a few rows
pytestmark = pytest.mark.filterwarnings("ignore:Boundaries of the model cross")


def fitted(X, y, proportional, sample_weight=None):
    return PrestoClassifier(0.0, proportional=proportional).fit(X, y, sample_weight)


def numerical(table, X, y, proportional, weight=None):
    """Inverse Hessian of the weighted loss, and the weighted scores of all rows."""
    weight = np.ones(len(y)) if weight is None else weight
    theta = table["coefficient"].to_numpy()
    hessian = approx_hess_cs(theta, lambda theta: weight @ losses(theta, X, y, proportional))
    scores = approx_fprime_cs(theta, losses, args=(X, y, proportional))
    return np.linalg.inv(hessian), weight[:, None] * scores


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "counted"])
@pytest.mark.parametrize("proportional", PARTIAL, ids=["full", "partial", "all"])
def test_standard_errors_are_those_of_numerical_derivatives(example, proportional, weighted):
    X, y = example
    rng = np.random.default_rng(2)
    weight = rng.integers(1, 4, 100).astype(float) if weighted else None
    groups = rng.integers(0, 40, 100)
    model = fitted(X, y, proportional, weight)
    observed = model.summary(X, y, weight)
    inverse, scores = numerical(observed, X, y, proportional, weight)
    np.testing.assert_allclose(scores.sum(axis=0), 0.0, atol=1e-6)
    sums = np.array([scores[groups == g].sum(axis=0) for g in np.unique(groups)])
    clustered = len(sums) / (len(sums) - 1) * sums.T @ sums
    for covariance, wanted in (
        ("observed", inverse),
        ("sandwich", inverse @ scores.T @ scores @ inverse),
        ("cluster", inverse @ clustered @ inverse),
    ):
        given = {"groups": groups} if covariance == "cluster" else {}
        table = model.summary(X, y, weight, covariance=covariance, **given)
        np.testing.assert_allclose(
            table["standard_error"], np.sqrt(np.diag(wanted)), rtol=1e-6, err_msg=covariance
        )
        np.testing.assert_allclose(table["z"], table["coefficient"] / table["standard_error"])


def test_rows_are_common_coefficients_then_those_of_each_boundary(example):
    X = pd.DataFrame(example.X, columns=list("abcde"))
    model = PrestoClassifier(
        0.0, proportional=["d", "a"], penalty_weights={"b": np.inf}, tol=1e-10
    ).fit(X, example.y)
    table = model.summary(X, example.y)
    assert table.index.names == ["term", "boundary"]
    assert table.index.tolist() == [
        ("a", "all boundaries"), ("d", "all boundaries"),
        ("c", "0|1"), ("e", "0|1"), ("c", "1|2"), ("e", "1|2"), ("c", "2|3"), ("e", "2|3"),
        ("threshold", "0|1"), ("threshold", "1|2"), ("threshold", "2|3"),
    ]  # fmt: skip
    np.testing.assert_allclose(
        table["coefficient"],
        np.concatenate([model.coef_[0, [0, 3]], model.coef_[:, [2, 4]].ravel(), model.intercept_]),
        atol=1e-7,
    )
    higher = model.summary(X, example.y, direction="higher")
    np.testing.assert_array_equal(higher["coefficient"][:8], -table["coefficient"][:8])
    np.testing.assert_array_equal(higher["lower"][:8], -table["upper"][:8])
    np.testing.assert_allclose(higher["odds_ratio"][:8], np.exp(higher["coefficient"][:8]))
    pd.testing.assert_frame_equal(higher.xs("threshold"), table.xs("threshold"))
    assert higher.xs("threshold")["odds_ratio"].isna().all()


@pytest.mark.parametrize("covariance", ["observed", "sandwich"])
def test_two_classes_are_a_logistic_regression(example, covariance):
    X, event = example.X, example.y > 1
    options = {"cov_type": "HC0"} if covariance == "sandwich" else {}
    reference = Logit(event, np.column_stack([X, np.ones(100)]))
    reference = reference.fit(disp=False, tol=1e-12, **options)
    table = PrestoClassifier(0.0).fit(X, event).summary(
        X, event, covariance=covariance, direction="higher"
    )  # fmt: skip
    np.testing.assert_allclose(table["coefficient"][:5], reference.params[:5], atol=1e-9)
    np.testing.assert_allclose(table["standard_error"], reference.bse, atol=1e-9)
    assert table.index[0] == ("x0", "False|True")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"interval": "profile", "level": 0.9},
        {"covariance": "sandwich", "direction": "higher"},
        {"covariance": "cluster", "groups": np.arange(100) // 4},
    ],
    ids=str,
)
def test_all_features_are_proportional_odds(example, options):
    odds = ProportionalOddsClassifier().fit(*example).summary(*example, **options)
    table = fitted(*example, "all").summary(*example, **options)
    assert table.columns.tolist() == odds.columns.tolist()
    np.testing.assert_allclose(table, odds, rtol=1e-9)


@pytest.mark.parametrize("storage", [csr_array, np.float32])
def test_storage_and_units_do_not_matter(example, storage):
    X, y = example
    wanted = fitted(X, y, PROPORTIONAL).summary(X, y)
    model = fitted(storage(X), y, PROPORTIONAL)
    np.testing.assert_allclose(
        model.summary(storage(X), y), wanted, rtol=1e-3 if storage is np.float32 else 1e-6
    )
    scale = 10.0 ** np.arange(-4, 6, 2)
    moved = fitted(X * scale + scale, y, PROPORTIONAL).summary(X * scale + scale, y)
    features = [int(term[1]) for term, _ in wanted.index[:9]]
    np.testing.assert_allclose(
        moved["standard_error"][:9] * scale[features], wanted["standard_error"][:9], rtol=1e-6
    )


def test_profile_interval_ends_where_refits_lose_the_quantile(example):
    """The coefficient of x1 at the rare boundary."""
    X, y = example
    proportional = [0, 2, 3, 4]
    table = fitted(X, y, proportional).summary(X, y, interval="profile", level=0.9)
    best = table["coefficient"].to_numpy()
    position = table.index.get_loc(("x1", "2|3"))
    others = np.delete(np.arange(len(best)), position)
    lowest = losses(best, X, y, proportional).sum()

    def excess(value):
        def restricted(free):
            theta = np.empty(len(best))
            theta[position], theta[others] = value, free
            with np.errstate(invalid="ignore"):  # boundaries cross where the search goes too far
                loss = losses(theta, X, y, proportional).sum()
            return loss if np.isfinite(loss) else 1e10

        refit = minimize(restricted, best[others], method="BFGS", options={"gtol": 1e-6})
        return 2.0 * (refit.fun - lowest) - chi2.ppf(0.9, 1)

    for end, side in (("lower", -1.0), ("upper", 1.0)):
        width = 3.0 * table["standard_error"].iloc[position]
        root = brentq(excess, best[position], best[position] + side * width, xtol=1e-6)
        assert table[end].iloc[position] == pytest.approx(root, abs=1e-4)


# ------------------------------------------------------------------------------------------------
# nested models


@pytest.fixture(scope="module")
def nested(example):
    """Proportional odds without x4, with it, partial, full: each holds the one before."""
    out = [1, 1, 1, 1, np.inf]
    return [
        ProportionalOddsClassifier(penalty_weights=out).fit(*example),
        ProportionalOddsClassifier().fit(*example),
        fitted(*example, PROPORTIONAL),
        fitted(*example, None),
    ]


def deviance(model, X, y):
    """From the two boundaries of each row's class: others may cross there."""
    alike = {"proportional": "all"} | model.get_params()
    params = {name: alike[name] for name in ("penalty_weights", "proportional")}
    sharp = PrestoClassifier(0.0, tol=1e-12, **params).fit(X, y)
    theta = np.concatenate([sharp.coef_.ravel(), sharp.intercept_])
    return 2.0 * losses(theta, X, y, []).sum()


def test_nested_fits_are_compared_by_their_deviances(example, nested):
    n_coefficients = [4, 5, 9, 15]
    for i, smaller in enumerate(nested):
        for j, larger in enumerate(nested[i + 1 :], i + 1):
            table = likelihood_ratio_test(smaller, *example, larger=larger)
            wanted = deviance(smaller, *example) - deviance(larger, *example)
            degrees = n_coefficients[j] - n_coefficients[i]
            assert table.index.tolist() == ["larger model"]
            row = table.loc["larger model"]
            assert row["statistic"] == pytest.approx(wanted, abs=1e-7)
            assert row["degrees_of_freedom"] == degrees
            assert row["p_value"] == pytest.approx(chi2.sf(wanted, degrees), abs=1e-8)


def test_the_proportional_features_of_a_partial_model_are_tested(example, nested):
    _, odds, partial, full = nested
    table = likelihood_ratio_test(partial, *example)
    assert table.index.tolist() == ["all features", "x0", "x3", "x4"]
    assert table["degrees_of_freedom"].tolist() == [6, 2, 2, 2]
    given = likelihood_ratio_test(partial, *example, larger=full)
    np.testing.assert_allclose(table.loc["all features"], given.loc["larger model"], rtol=1e-7)
    freed = likelihood_ratio_test(partial, *example, larger=fitted(*example, [0, 4]))
    np.testing.assert_allclose(table.loc["x3"], freed.loc["larger model"], rtol=1e-7)
    np.testing.assert_allclose(
        likelihood_ratio_test(fitted(*example, "all"), *example),
        likelihood_ratio_test(odds, *example),
        rtol=1e-7,
    )


def test_brants_test_takes_the_proportional_features(example, nested):
    _, odds, partial, full = nested
    wanted, table = brant_test(odds, *example), brant_test(partial, *example)
    assert table.index.tolist() == ["all features", "x0", "x3", "x4"]
    pd.testing.assert_frame_equal(table.iloc[1:], wanted.loc[["x0", "x3", "x4"]], rtol=1e-7)
    assert table.loc["all features", "degrees_of_freedom"] == 6
    assert table["statistic"].max() == table.loc["all features", "statistic"]
    for test in (brant_test, likelihood_ratio_test):
        with pytest.raises(ValueError, match="no feature has one effect at all of them"):
            test(full, *example)


def test_two_classes_have_nested_models_too(example):
    X, event = example.X, example.y > 1
    smaller = ProportionalOddsClassifier(penalty_weights=[1, 1, 1, 1, np.inf]).fit(X, event)
    larger = ProportionalOddsClassifier().fit(X, event)
    Z = np.column_stack([X, np.ones(100)])
    gain = (
        Logit(event, Z).fit(disp=False).llf
        - Logit(event, Z[:, [0, 1, 2, 3, 5]]).fit(disp=False).llf
    )
    table = likelihood_ratio_test(smaller, X, event, larger=larger)
    assert table.loc["larger model", "statistic"] == pytest.approx(2.0 * gain, abs=1e-8)


def test_models_that_are_not_nested_are_refused(example, nested):
    _, odds, partial, full = nested
    with pytest.raises(ValueError, match=r"leaves out coefficients of \['x1', 'x2'\]"):
        likelihood_ratio_test(partial, *example, larger=odds)
    with pytest.raises(ValueError, match="is the same model"):
        likelihood_ratio_test(odds, *example, larger=fitted(*example, "all"))
    turned = PrestoClassifier(0.0, class_order=[3, 2, 1, 0]).fit(*example)
    with pytest.raises(ValueError, match=r"larger has the order \[3, 2, 1, 0\]"):
        likelihood_ratio_test(odds, *example, larger=turned)
    with pytest.raises(ValueError, match=r"penalised \(alpha=0.1\)"):
        likelihood_ratio_test(odds, *example, larger=PrestoClassifier(0.1).fit(*example))
    with pytest.raises(ValueError, match="not at the maximum of the likelihood of these rows"):
        likelihood_ratio_test(odds, *example, larger=fitted(example.X[::-1], example.y, None))
    with pytest.raises(TypeError, match="got str"):
        likelihood_ratio_test(odds, *example, larger="full")
    assert likelihood_ratio_test(odds, *example, larger=full)["degrees_of_freedom"].item() == 10


# ------------------------------------------------------------------------------------------------
# what has no standard errors


def test_penalised_fits_are_refused_and_have_a_bootstrap(example):
    model = PrestoClassifier(0.02, proportional=PROPORTIONAL).fit(*example)
    with pytest.raises(ValueError, match=r"penalised \(alpha=0.02\).*bootstrap_summary"):
        model.summary(*example)
    with pytest.warns(UserWarning, match="need not cover the true coefficients"):
        table = bootstrap_summary(model, *example, n_bootstraps=40, random_state=0)
    assert table.index.tolist() == [
        *((f"x{j}", "all boundaries") for j in PROPORTIONAL),
        *((f"x{j}", boundary) for boundary in BOUNDARIES for j in (1, 2)),
        *(("threshold", boundary) for boundary in BOUNDARIES),
    ]
    own = model.coef_[:, [1, 2]].ravel()
    np.testing.assert_allclose(
        table["coefficient"], np.concatenate([model.coef_[0, PROPORTIONAL], own, model.intercept_])
    )
    with pytest.raises(TypeError, match="got PrestoClassifierCV"):
        likelihood_ratio_test(PrestoClassifierCV(), *example)


def test_what_is_not_penalised_has_a_summary_at_any_alpha(example):
    free = PrestoClassifier(0.1, first_penalty=0.0, proportional="all").fit(*example)
    wanted = ProportionalOddsClassifier().fit(*example).summary(*example)
    np.testing.assert_allclose(free.summary(*example), wanted, rtol=1e-7)


def test_only_the_rows_and_the_parameters_of_the_fit_will_do(example):
    X, y = example
    with pytest.raises(NotFittedError):
        PrestoClassifier(0.0).summary(X, y)
    model = fitted(X, y, None)
    with pytest.raises(ValueError, match="not at the maximum of the likelihood of these rows"):
        model.summary(X[::-1], y)
    with pytest.raises(ValueError, match="other parameters after its fit"):
        model.set_params(proportional=[1]).summary(X, y)
    with pytest.raises(ValueError, match="not at the maximum"):
        fitted(X, y, [1]).set_params(proportional=None).summary(X, y)
    odds = ProportionalOddsClassifier().fit(X, y).set_params(penalty_weights=[np.inf, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="other parameters after its fit"):
        odds.summary(X, y)


def test_separation_at_one_boundary_is_refused_where_the_feature_is_free():
    x = np.concatenate([np.linspace(-2, 2, 40), np.linspace(2.5, 3, 5)])[:, None]
    y = np.concatenate([np.arange(40) % 2, np.full(5, 2)])
    assert fitted(x, y, "all").summary(x, y)["standard_error"].max() < 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fitted(x, y, None)
    with pytest.raises(ValueError, match=r"separable, wholly or in part, by \['x0'\]"):
        model.summary(x, y)


def test_columns_that_are_constant_beyond_a_boundary_are_told():
    """The last two classes have x1 = 0, so that its last increment moves nothing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.digitize(X[:, 0] + rng.logistic(size=300), [-1.0, 0.5, 2.0])
    X[y >= 2, 1] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fitted(X, y, [0])
    with pytest.raises(ValueError, match="hardly varies within the classes"):
        model.summary(X, y)
    X, y = load_ordinal_diabetes(return_X_y=True)
    X = np.column_stack([X[:, :2], X[:, 0] - X[:, 1]])
    with pytest.raises(ValueError, match=r"columns \['x\d'\] of X are constant or combinations"):
        fitted(X, y, [0]).summary(X, y)


def test_an_offset_among_the_features_only_moves_their_coefficients(example):
    X, y = example
    shift = np.array([0.3, -0.2, 0.5, 0.0, 1.0])
    parameters = {"alpha": 0.0, "link": "probit", "proportional": PROPORTIONAL, "tol": 1e-10}
    plain = PrestoClassifier(**parameters).fit(X, y)
    offset = X @ shift
    moved = PrestoClassifier(**parameters).fit(X, y, offset=offset)
    table, other = plain.summary(X, y), moved.summary(X, y, offset=offset)
    change = table["coefficient"] - other["coefficient"]
    expected = [*shift[PROPORTIONAL], *np.tile(shift[[1, 2]], 3), 0.0, 0.0, 0.0]
    np.testing.assert_allclose(change, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(other["standard_error"], table["standard_error"], rtol=1e-6)
    smaller = ProportionalOddsClassifier(0.0, link="probit", tol=1e-10)
    tests = [
        likelihood_ratio_test(smaller.fit(X, y), X, y, larger=plain),
        likelihood_ratio_test(smaller.fit(X, y, None, offset), X, y, None, offset, larger=moved),
    ]
    np.testing.assert_allclose(*tests, rtol=1e-6)


def test_models_with_different_links_are_not_nested(example):
    X, y = example
    smaller = ProportionalOddsClassifier(0.0, link="probit").fit(X, y)
    with pytest.raises(ValueError, match="larger has link='logit', but estimator 'probit'"):
        likelihood_ratio_test(smaller, X, y, larger=fitted(X, y, PROPORTIONAL))


# ------------------------------------------------------------------------------------------------
# crossing boundaries


def crossing_rows():
    """At x > 0 the middle class is rare and near 0, so that its boundaries cross elsewhere."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.digitize(X[:, 0] + rng.logistic(size=200), [-1.0, 1.0])
    flipped = (X[:, 1] > 0) & (y == 1)
    return X, np.where(flipped, 2 * (rng.uniform(size=200) < 0.5), y)


def test_boundaries_that_cross_at_rows_of_the_fit_are_spoken_of():
    X, y = crossing_rows()
    odds, free = ProportionalOddsClassifier(tol=1e-8).fit(X, y), fitted(X, y, None)
    eta = X @ free.coef_.T + free.intercept_
    share = np.mean(eta[:, 1] < eta[:, 0])
    assert 0.05 < share < 0.5
    with pytest.warns(UserWarning, match=rf"model cross at a share of {share:.2g} of the rows"):
        free.summary(X, y)
    for larger in ({}, {"larger": free}):
        with pytest.warns(UserWarning, match=r"a larger model cross.*rejects too often"):
            likelihood_ratio_test(odds, X, y, **larger)


def test_boundaries_that_do_not_cross_are_not_spoken_of():
    X, y = load_ordinal_diabetes(return_X_y=True)
    X = X[:, 2:4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted(X, y, [1]).crossing_rate_ == 0.0
        fitted(X, y, [1]).summary(X, y)
        odds = ProportionalOddsClassifier(tol=1e-8).fit(X, y)
        odds.summary(X, y)
        likelihood_ratio_test(odds, X, y)
