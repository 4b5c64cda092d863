"""Folds that lack a class or all weight, and what scorers are told."""

import warnings

import numpy as np
import pytest
import sklearn
import sklearn.linear_model as reference
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.model_selection import KFold

from skreg.linear_model import (
    ElasticNetCV,
    GroupLassoCV,
    HuberLassoCV,
    LassoCV,
    MultiTaskLassoCV,
    SparseLogisticRegressionCV,
    SparsePoissonRegressorCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")
ALL = [
    LassoCV(alphas=3),
    ElasticNetCV(alphas=3, l1_ratio=[0.4, 1.0]),
    GroupLassoCV(groups=2, alphas=3),
    HuberLassoCV(alphas=3),
    MultiTaskLassoCV(alphas=3),
    SparsePoissonRegressorCV(alphas=3),
    SparseLogisticRegressionCV(alphas=3),
]
RIDGE = {"l1_ratio": 0.0}
N = 60


def name_of(model):
    return type(model).__name__


def data(model=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    y = np.digitize(X[:, 0] - X[:, 1] + rng.normal(size=N), [-1, 1])
    multiple = model is not None and not model.__sklearn_tags__().target_tags.single_output
    return X, np.column_stack([y, -y]) if multiple else y


def scikit_learn_scores(X, y, cv, scoring, alpha, tol=1e-12):
    """Scores on the folds at ridge strength `alpha`; all training folds have the same size."""
    (size,) = {len(train) for train, _ in cv}
    model = reference.LogisticRegressionCV(
        Cs=[1 / (alpha * size)], cv=cv, scoring=scoring, l1_ratios=(0.0,),
        use_legacy_attributes=False, tol=tol, max_iter=10_000,
    )  # fmt: skip
    return model.fit(X, y).scores_.ravel()


@pytest.mark.parametrize("routing", [False, True])
def test_an_iterator_of_splits_lasts_for_one_fit(routing):
    X, y = data()
    model = LassoCV(alphas=3, cv=KFold(3).split(X))
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = model.fit(X, y).score_path_
        assert_allclose(scores, LassoCV(alphas=3, cv=KFold(3)).fit(X, y).score_path_)
        with pytest.raises(ValueError, match="no folds"):
            model.fit(X, y)
    assert model.score_path_ is scores


@pytest.mark.parametrize(
    ("classes", "scoring"),
    [(k, scoring) for k in (2, 3) for scoring in ("neg_log_loss", "neg_brier_score", None)]
    + [(2, "f1"), (3, "f1_macro")],
)
@pytest.mark.parametrize("names", [[0, 1, 2], ["low", "mid", "top"], [1, 2, 3]], ids=str)
def test_class_missing_from_held_out_rows(scoring, classes, names):
    X, y = data()
    y = np.minimum(y, classes - 1)
    order = np.argsort(y, kind="stable")  # the first held-out rows have one class only
    X, y = X[order], np.array(names)[y[order]]
    cv = [(np.arange(10, N), np.arange(10)), (np.arange(N - 10), np.arange(N - 10, N))]
    assert len(np.unique(y[:10])) == 1
    assert len(np.unique(y[10:])) == classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # macro averages over classes without rows
        ours = SparseLogisticRegressionCV(**RIDGE, alphas=[0.1], cv=cv, scoring=scoring).fit(X, y)
        theirs = scikit_learn_scores(X, y, cv, scoring or "neg_log_loss", 0.1)
    assert_allclose(ours.score_path_[0], theirs, rtol=1e-5)


@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"]], ids=str)
def test_class_missing_from_training_rows(labels):
    # the best probability of a class without rows is 0, which solvers approach but do not reach
    y = np.array([0] * 4 + [1] * 4 + [2] * 2)
    X = np.array([1.0, 0, 0, 0, 0, 1, 1, 1, 0, 1])[:, None]
    cv = [(np.arange(8), np.arange(8, 10)), (np.arange(2, 10), np.arange(2))]
    scores = {}
    for scoring in ["neg_log_loss", "neg_brier_score", None]:
        model = SparseLogisticRegressionCV(**RIDGE, alphas=[0.5], cv=cv, scoring=scoring)
        scores[scoring] = model.fit(X, np.array(labels)[y]).score_path_[0]
    assert_allclose(
        scores["neg_brier_score"], scikit_learn_scores(X, y, cv, "neg_brier_score", 0.5), rtol=1e-6
    )
    theirs = scikit_learn_scores(X, y, cv, "neg_log_loss", 0.5)
    assert_allclose(scores["neg_log_loss"][1], theirs[1], rtol=1e-6)
    assert -np.log(2 / np.finfo(float).eps) <= scores["neg_log_loss"][0] < theirs[0]
    # scikit-learn's log-loss takes probabilities below the spacing of floats for that spacing
    assert_allclose(np.maximum(scores[None], np.log(np.finfo(float).eps)), scores["neg_log_loss"])


def test_one_class_in_the_training_rows_of_a_fold():
    X, y = data()
    y = (y > 0).astype(int)
    ones = np.flatnonzero(y)
    cv = [(ones, np.flatnonzero(y == 0)), (np.arange(0, N, 2), np.arange(1, N, 2))]
    for scoring in ["neg_log_loss", "neg_brier_score", None]:
        model = SparseLogisticRegressionCV(alphas=[0.1], cv=cv, scoring=scoring).fit(X, y)
        assert np.isfinite(model.score_path_).all()
        if scoring == "neg_brier_score":
            assert_allclose(model.score_path_[0, 0], -1.0)  # all of it on the wrong class


def test_what_a_scorer_was_made_with_stays():
    X, y = data()
    y = (y > 0).astype(int)
    names = np.array(["no", "yes"])
    first = make_scorer(f1_score, pos_label="no")
    second = SparseLogisticRegressionCV(alphas=3, scoring="f1").fit(X, names[y])
    swapped = SparseLogisticRegressionCV(alphas=3, scoring="f1").fit(X, names[1 - y])
    assert_allclose(
        SparseLogisticRegressionCV(alphas=3, scoring=first).fit(X, names[y]).score_path_,
        swapped.score_path_,
        rtol=1e-8,
    )
    for relabelled in [y, y + 1, y > 0, -3 + 2 * y, y.astype(object)]:
        model = SparseLogisticRegressionCV(alphas=3, scoring="f1").fit(X, relabelled)
        assert_allclose(model.score_path_, second.score_path_, rtol=1e-8)


def test_a_scorer_is_not_changed_by_a_fit():
    X, y = data()
    scorer = make_scorer(log_loss, response_method="predict_proba", greater_is_better=False)
    before = repr(scorer)
    SparseLogisticRegressionCV(alphas=3, scoring=scorer).fit(X, y)
    assert repr(scorer) == before


def test_scores_that_a_missing_class_leaves_undefined_are_reported():
    X, y = data()
    y = (y > 0).astype(int)
    cv = [(np.arange(20, N), np.flatnonzero(y[:20]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="gave nan on"):
            SparseLogisticRegressionCV(alphas=3, cv=cv, scoring="roc_auc").fit(X, y)


@pytest.mark.filterwarnings("ignore:1 of the 4 folds")
@pytest.mark.parametrize("own_error", [True, False])
@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_fold_whose_held_out_rows_have_no_weight_is_left_out(model, own_error):
    X, y = data(model)
    weight = np.random.default_rng(1).integers(1, 4, size=N).astype(float)
    folds = list(KFold(4).split(X))
    weight[folds[1][1]] = 0.0
    scoring = None if own_error else "neg_brier_score" if "Logistic" in name_of(model) else "r2"
    model = clone(model).set_params(cv=folds, scoring=scoring)
    fitted = clone(model).fit(X, y, sample_weight=weight)
    # a weight is a number of repetitions, and rows repeated zero times are not there
    kept = np.flatnonzero(weight > 0)
    rows = np.repeat(np.arange(N), weight.astype(int))
    repeated = [
        (np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test)))
        for train, test in folds
        if np.isin(test, kept).any()
    ]
    expected = clone(model).set_params(cv=repeated).fit(X[rows], y[rows])
    assert fitted.score_path_.shape == expected.score_path_.shape
    assert_allclose(fitted.score_path_, expected.score_path_, rtol=1e-5, atol=1e-8)
    assert_allclose(fitted.alpha_, expected.alpha_)
    assert_allclose(fitted.coef_, expected.coef_, atol=1e-6)


def test_default_folds_without_weight():
    X, y = data()
    weight = np.r_[np.zeros(N // 5), np.ones(N - N // 5)]
    with pytest.warns(UserWarning, match="1 of the 5 folds hold out rows without weight") as caught:
        model = LassoCV(alphas=3).fit(X, y, sample_weight=weight)
    assert caught[0].filename == __file__
    assert model.score_path_.shape == (3, 4)
    assert np.isfinite(model.score_path_).all()


def test_routing_without_metadata_changes_nothing():
    X, y = data()
    plain = LassoCV(alphas=3, scoring="r2").fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = LassoCV(alphas=3, scoring="r2").fit(X, y)
    assert np.array_equal(routed.score_path_, plain.score_path_)


def test_weights_that_a_scorer_does_not_ask_for_leave_no_fold_out():
    X, y = data()
    weight = np.r_[np.zeros(N // 5), np.ones(N - N // 5)]
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(sklearn.metrics.r2_score).set_score_request(sample_weight=False)
        model = LassoCV(alphas=3, scoring=scorer).fit(X, y, sample_weight=weight)
    assert model.score_path_.shape == (3, 5)
    assert np.isfinite(model.score_path_).all()
