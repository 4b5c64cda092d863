"""The cross-validated twins."""

import numpy as np
import pytest
import sklearn
import sklearn.linear_model as reference
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import log_loss, make_scorer, mean_absolute_error, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_val_score

from skreg.linear_model import (
    ElasticNetCV,
    GroupLassoCV,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLassoCV,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")
ALL = [
    LassoCV(alphas=8),
    ElasticNetCV(alphas=8, l1_ratio=[0.3, 0.9]),
    GroupLassoCV(groups=2, alphas=8),
    HuberLassoCV(alphas=8),
    MultiTaskLassoCV(alphas=8),
    SparsePoissonRegressorCV(alphas=8),
    SparseLogisticRegressionCV(alphas=8),
]


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


def data(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 8))
    y = np.digitize(X[:, 1] - X[:, 4] + rng.normal(size=90), [-1, 1])
    multiple = not model.__sklearn_tags__().target_tags.single_output
    return X, np.column_stack([y, -y]) if multiple else y


@pytest.mark.parametrize(
    "cv", [4, ShuffleSplit(3, random_state=0), KFold(3, shuffle=True, random_state=1)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso_cv_chooses_as_scikit_learn_does(diabetes, cv, weighted):
    X, y = diabetes
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y)) if weighted else None
    ours = LassoCV(cv=cv, tol=1e-10).fit(X, y, sample_weight=weight)
    theirs = reference.LassoCV(cv=cv, tol=1e-10, max_iter=100_000).fit(X, y, sample_weight=weight)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-10)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-2)


def test_elastic_net_cv_chooses_as_scikit_learn_does(diabetes):
    X, y = diabetes
    options = {"l1_ratio": [0.2, 0.7, 0.95], "alphas": 30, "cv": 4, "tol": 1e-8}
    ours = ElasticNetCV(**options).fit(X, y)
    theirs = reference.ElasticNetCV(**options, max_iter=100_000).fit(X, y)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-10)


def test_cross_validation_equals_a_grid_search(diabetes):
    X, y = diabetes
    alphas = np.geomspace(1.0, 0.01, 6)
    ours = LassoCV(alphas=alphas, cv=3, scoring="r2", tol=1e-9).fit(X, y)
    search = GridSearchCV(Lasso(tol=1e-9), {"alpha": alphas}, cv=3, scoring="r2").fit(X, y)
    assert ours.alpha_ == search.best_params_["alpha"]
    assert_allclose(ours.score_path_.mean(axis=1), search.cv_results_["mean_test_score"], atol=1e-5)
    assert_allclose(ours.coef_, search.best_estimator_.coef_, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "single", "error"),
    [
        (SparsePoissonRegressorCV, SparsePoissonRegressor, mean_poisson_deviance),
        (SparseLogisticRegressionCV, SparseLogisticRegression, log_loss),
    ],
)
def test_default_scores_are_the_deviances(model, single, error):
    X, y = data(model())
    alphas, folds = [0.1, 0.01], list(KFold(3).split(X))
    fitted = model(alphas=alphas, cv=folds, tol=1e-9).fit(X, y)
    method = "predict_proba" if error is log_loss else "predict"
    scorer = make_scorer(error, response_method=method, greater_is_better=False)
    for i, alpha in enumerate(alphas):
        expected = cross_val_score(single(alpha, tol=1e-9), X, y, cv=folds, scoring=scorer)
        assert_allclose(fitted.score_path_[i], expected, rtol=1e-5)


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_one_standard_error_rule_prefers_stronger_penalties(model):
    X, y = data(model)
    best = clone(model).fit(X, y)
    simpler = clone(model).set_params(selection_rule="one_standard_error").fit(X, y)
    assert best.alpha_ == best.alpha_best_ == simpler.alpha_best_
    assert simpler.alpha_ == simpler.alpha_one_standard_error_ == best.alpha_one_standard_error_
    assert simpler.alpha_ >= best.alpha_
    assert len(simpler.active_set_) <= len(best.active_set_)
    scores = best.score_path_
    if scores.ndim == 3:
        scores = scores[list(model.l1_ratio).index(best.l1_ratio_)]
    alphas = best.alphas_ if best.alphas_.ndim == 1 else best.alphas_[best._chosen_ratio()]
    position, chosen = np.searchsorted(-alphas, [-best.alpha_, -simpler.alpha_])
    bar = scores[position].mean() - scores[position].std(ddof=1) / np.sqrt(scores.shape[1])
    assert scores[chosen].mean() >= bar
    assert chosen == 0 or np.all(scores[:chosen].mean(axis=1) < bar)


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_threads_give_identical_results(model):
    X, y = data(model)
    one, two = clone(model).fit(X, y), clone(model).set_params(n_jobs=2).fit(X, y)
    assert np.array_equal(one.score_path_, two.score_path_)
    assert np.array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_final_model_is_the_single_fit_at_the_chosen_strength(model):
    X, y = data(model)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(X))
    fitted = clone(model).set_params(tol=1e-10).fit(X, y, sample_weight=weight)
    single = fitted._single().set_params(alpha=fitted.alpha_).fit(X, y, sample_weight=weight)
    assert_allclose(fitted.coef_, single.coef_, atol=1e-10)
    assert fitted.dual_gap_ <= 1e-10
    assert_allclose(fitted.predict(X), single.predict(X))
    alphas = fitted.path(X, y, sample_weight=weight).alphas
    several = fitted.alphas_.ndim == 2
    assert_allclose(alphas, fitted.alphas_[fitted._chosen_ratio()] if several else fitted.alphas_)


def test_weighted_folds_equal_repeated_folds():
    rng = np.random.default_rng(0)
    X, counts = rng.normal(size=(60, 5)), rng.integers(1, 4, size=60)
    y, group = X[:, 0] + rng.normal(size=60), np.arange(60) % 3
    rows = np.repeat(np.arange(60), counts)

    def folds(group):
        return [(np.flatnonzero(group != g), np.flatnonzero(group == g)) for g in range(3)]

    for scoring in [None, "neg_mean_absolute_error"]:
        model = LassoCV(scoring=scoring, tol=1e-12)
        weighted = clone(model).set_params(cv=folds(group)).fit(X, y, sample_weight=counts)
        repeated = clone(model).set_params(cv=folds(group[rows])).fit(X[rows], y[rows])
        assert_allclose(weighted.score_path_, repeated.score_path_, rtol=1e-6)
        assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", make_scorer(mean_absolute_error)])
def test_scorers_of_scikit_learn_are_used(scoring):
    X, y = data(SparseLogisticRegressionCV())
    model = SparseLogisticRegressionCV(alphas=[0.1, 0.01], cv=3, scoring=scoring, tol=1e-9)
    model.fit(X, y)
    expected = cross_val_score(SparseLogisticRegression(0.1, tol=1e-9), X, y, cv=3, scoring=scoring)
    assert_allclose(model.score_path_[0], expected, rtol=1e-6)


def test_mean_squared_errors_only_without_scoring(diabetes):
    X, y = diabetes
    model = LassoCV(alphas=3, scoring="r2").fit(X, y)
    assert not hasattr(model, "mse_path_")


def test_scores_that_are_not_numbers_are_reported(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="nan"):
        LassoCV(alphas=3, scoring=lambda model, X, y: np.nan).fit(X, y)


def test_class_missing_from_a_fold_is_no_obstacle():
    X, y = data(SparseLogisticRegressionCV())
    y = np.where(np.arange(90) < 5, 7, y)  # the first fold holds all of class 7
    model = SparseLogisticRegressionCV(alphas=5, cv=KFold(3), tol=1e-6).fit(X, y)
    assert model.coef_.shape == (4, 8)
    assert np.isfinite(model.score_path_).all()


def test_groups_reach_the_splitter_through_metadata_routing(diabetes):
    X, y = diabetes
    groups = np.arange(len(y)) % 3
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        LassoCV(alphas=3).fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LassoCV(alphas=3, cv=GroupKFold(3), scoring="r2").fit(X, y, groups=groups)
    folds = list(GroupKFold(3).split(X, y, groups))
    assert_allclose(
        model.score_path_, LassoCV(alphas=3, cv=folds, scoring="r2").fit(X, y).score_path_
    )


def test_routed_weights_reach_a_scorer_that_asks(diabetes):
    X, y = diabetes
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(y))
    plain = LassoCV(alphas=3, scoring="neg_mean_absolute_error").fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_absolute_error, greater_is_better=False)
        asking = scorer.set_score_request(sample_weight=True)
        model = LassoCV(alphas=3, scoring=asking).fit(X, y, sample_weight=weight)
    assert_allclose(model.score_path_, plain.score_path_)


def test_path_and_alpha_max_of_several_mixtures(diabetes):
    X, y = diabetes
    model = ElasticNetCV(l1_ratio=[0.2, 1.0], alphas=5)
    first = model.alpha_max(X, y)
    model.fit(X, y)
    assert model.l1_ratio_ == 1.0
    assert_allclose(model.alpha_max(X, y), 0.2 * first)
    assert_allclose(model.path(X, y).alphas, model.alphas_[1])
