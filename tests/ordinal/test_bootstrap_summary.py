"""Bootstrap intervals: refits by hand, strengths chosen anew, and plain words about penalties."""

import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    bootstrap_summary,
)

FEW = {"n_bootstraps": 20, "level": 0.8, "random_state": 0}
PENALISED = "ignore:The coefficients are penalised"


def test_standard_errors_agree_with_the_observed_information():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 2))
    y = np.digitize(X[:, 0] + rng.logistic(size=800), [0.0, 2.0])
    estimator = ProportionalOddsClassifier()
    table = bootstrap_summary(estimator, X, y, n_bootstraps=200, random_state=0)
    exact = estimator.fit(X, y).summary(X, y)
    np.testing.assert_allclose(table["coefficient"], exact["coefficient"], atol=1e-3)
    np.testing.assert_allclose(table["standard_error"], exact["standard_error"], rtol=0.2)
    width = exact["upper"] - exact["lower"]
    for end in ("lower", "upper"):
        assert np.all(np.abs(table[end] - exact[end]) < 0.15 * width)
    assert table.index.equals(exact.index)
    assert np.all(table["nonzero"] == 1.0)


@pytest.mark.filterwarnings(PENALISED)
@pytest.mark.filterwarnings("ignore:PrestoClassifierCV chose")
@pytest.mark.filterwarnings("ignore:.*bootstrap samples chose a strength at an edge")
def test_every_sample_chooses_its_strength_on_folds_without_copies(example):
    """Repeated by hand: the same draws, as weights of different rows."""
    X, y = example
    estimator = PrestoClassifierCV(4, cv=3)
    table = bootstrap_summary(estimator, X, y, **FEW)
    random_state, values, alphas = np.random.RandomState(0), [], set()
    while len(values) < 20:
        counts = np.bincount(random_state.choice(100, 100), minlength=100)
        rows = np.flatnonzero(counts)
        if np.bincount(y[rows]).min() < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refit = PrestoClassifierCV(4, cv=3).fit(X[rows], y[rows], counts[rows])
        alphas.add(refit.alpha_)
        values.append(np.append(refit.coef_.reshape(-1), refit.intercept_))
    assert len(alphas) > 2
    np.testing.assert_allclose(table["standard_error"], np.std(values, axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(table["lower"], np.quantile(values, 0.1, axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["upper"], np.quantile(values, 0.9, axis=0), rtol=1e-9)
    np.testing.assert_array_equal(table["nonzero"], np.mean(np.array(values) != 0, axis=0))
    whole = estimator.fit(X, y)
    assert table.index.names == ["term", "boundary"]
    for j, k in ((0, 0), (3, 2)):
        assert table.loc[(f"x{j}", f"{k}|{k + 1}"), "coefficient"] == whole.coef_[k, j]
    assert table.loc[("threshold", "2|3"), "coefficient"] == whole.intercept_[2]


@pytest.mark.filterwarnings(PENALISED)
def test_a_search_is_repeated_too(example):
    X, y = example
    search = GridSearchCV(ProportionalOddsClassifier(), {"alpha": [0.01, 1.0]}, cv=2)
    table = bootstrap_summary(search, pd.DataFrame(X, columns=list("abcde")), y, **FEW)
    assert table.index.tolist() == ["a", "b", "c", "d", "e", "0|1", "1|2", "2|3"]
    best = search.fit(X, y).best_estimator_
    np.testing.assert_allclose(table["coefficient"][:5], best.coef_[0])


def test_directions_storage_jobs_and_seeds(example):
    X, y = example
    estimator = ProportionalOddsClassifier()
    table = bootstrap_summary(estimator, X, y, **FEW)
    with parallel_config("threading"):
        again = bootstrap_summary(estimator, csr_array(X), y.tolist(), n_jobs=2, **FEW)
    pd.testing.assert_frame_equal(again, table, rtol=1e-6)
    higher = bootstrap_summary(estimator, X, y, direction="higher", **FEW)
    np.testing.assert_array_equal(higher["lower"][:5], -table["upper"][:5])
    np.testing.assert_allclose(higher["odds_ratio_lower"][:5], np.exp(-table["upper"][:5]))
    assert not hasattr(estimator, "coef_")


def test_order_of_the_labels_is_kept(example):
    X, y = example
    names = np.array(["none", "click", "cart", "purchase"])
    estimator = ProportionalOddsClassifier(class_order=names)
    table = bootstrap_summary(estimator, X, names[y], **FEW)
    plain = bootstrap_summary(ProportionalOddsClassifier(), X, y, **FEW)
    np.testing.assert_allclose(table, plain, rtol=1e-9)
    assert table.index[-1] == "cart|purchase"
    categorical = pd.Series(pd.Categorical(names[y], names, ordered=True))
    with pytest.warns(UserWarning, match="order of the categories"):
        again = bootstrap_summary(ProportionalOddsClassifier(), X, categorical, **FEW)
    pd.testing.assert_frame_equal(again, table)


def test_weights_multiply_the_draws_and_rows_without_weight_are_not_drawn(example):
    X, y = example
    some = np.concatenate([np.ones(80), np.zeros(20)])
    weighted = bootstrap_summary(ProportionalOddsClassifier(), X, y, some, **FEW)
    without = bootstrap_summary(ProportionalOddsClassifier(), X[:80], y[:80], **FEW)
    np.testing.assert_allclose(weighted, without, rtol=1e-6)


def test_penalties_are_spoken_of(example):
    X, y = example
    with pytest.warns(UserWarning, match=r"need not cover the true.*alpha=0.05 was held fixed"):
        bootstrap_summary(PrestoClassifier(0.05), X, y, **FEW)
    search = GridSearchCV(ProportionalOddsClassifier(), {"alpha": [0.1]}, cv=2)
    with pytest.warns(UserWarning, match=r"leaves out 0 is no test\.$"):
        bootstrap_summary(search, X, y, **FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bootstrap_summary(ProportionalOddsClassifier(), X[:, :1], y, **FEW)


def test_fits_that_fail_are_counted(example):
    X, y = example
    rare = np.column_stack([X[:, 0], np.isin(np.arange(100), np.flatnonzero(y == 1)[:2])])
    with pytest.warns(ConvergenceWarning, match=r"\d+ of 20 fits to bootstrap samples did not"):
        bootstrap_summary(ProportionalOddsClassifier(max_iter=2), rare, y, **FEW)
    with pytest.warns(
        UserWarning, match=r"\d+ of 20 bootstrap samples chose a strength at an edge"
    ):
        bootstrap_summary(PrestoClassifierCV([0.1, 0.2]), X, y, **FEW)
    few = np.where(np.arange(100) < 98, np.minimum(y, 1), 2)
    with pytest.warns(UserWarning, match="fewer than 2 different rows of some class"):
        bootstrap_summary(ProportionalOddsClassifier(), X[:, :1], few, **FEW)


def test_bad_input_is_named(example):
    X, y = example
    X_diabetes, stage = load_ordinal_diabetes(return_X_y=True)
    for estimator in (LogisticRegression(), make_pipeline(StandardScaler(), PrestoClassifier())):
        with pytest.raises(TypeError, match=r"classifier of skreg.ordinal.*got \w+"):
            bootstrap_summary(estimator, X, y)
    with pytest.raises(ValueError, match=r"n_bootstraps=20 .* too few .* at least 40 are needed"):
        bootstrap_summary(PrestoClassifier(), X, y, n_bootstraps=20)
    with pytest.raises(ValueError, match="at least 2 rows of every class"):
        bootstrap_summary(
            ProportionalOddsClassifier(),
            X_diabetes[:200],
            np.where(np.arange(200), stage[:200] > 0, 2),
        )
    for option in ({"direction": "up"}, {"level": 0.0}, {"n_bootstraps": 1}, {"n_jobs": "all"}):
        with pytest.raises(ValueError, match=next(iter(option))):
            bootstrap_summary(ProportionalOddsClassifier(), X, y, **option)


@pytest.mark.filterwarnings(PENALISED)
@pytest.mark.parametrize(
    ("values", "of_all_rows"), [(["all", None], "all"), ([[0, 1, 2], [0, 1]], [0, 1])], ids=str
)
def test_a_search_over_proportional_has_a_row_for_what_is_free_in_some_sample(
    example, values, of_all_rows
):
    X, y = example.X[:, :3], example.y
    search = GridSearchCV(PrestoClassifier(0.01), {"proportional": values}, cv=2)
    assert search.fit(X, y).best_params_ == {"proportional": of_all_rows}
    table = bootstrap_summary(search, X, y, **FEW)
    random_state, chosen, coefs = np.random.RandomState(0), set(), []
    while len(coefs) < 20:
        counts = np.bincount(random_state.choice(100, 100), minlength=100)
        rows = np.flatnonzero(counts)
        if np.bincount(y[rows]).min() >= 2:
            refit = clone(search).fit(X[rows], y[rows], sample_weight=counts[rows])
            chosen.add(str(refit.best_params_))
            coefs.append(refit.best_estimator_.coef_)
    assert len(chosen) == 2
    for k, boundary in enumerate(["0|1", "1|2", "2|3"]):
        found = table.loc[("x2", boundary)]
        assert found["standard_error"] == pytest.approx(np.std(coefs, axis=0, ddof=1)[k, 2])
        assert found["lower"] == pytest.approx(np.quantile(coefs, 0.1, axis=0)[k, 2])
    everywhere = [term for term, boundary in table.index if boundary == "all boundaries"]
    assert everywhere == ([] if values[1] is None else ["x0", "x1"])


def test_samples_with_another_link_are_refused(example):
    search = GridSearchCV(
        ProportionalOddsClassifier(), {"link": ["logit", "probit"]}, cv=2, scoring="neg_log_loss"
    )
    with pytest.raises(
        ValueError, match=r"all rows chose link='\w+', but a bootstrap sample link="
    ):
        bootstrap_summary(search, *example, **FEW)
