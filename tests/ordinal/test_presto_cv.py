"""PrestoClassifierCV: scores recomputed from scratch, choice of alpha, folds, errors."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, log_loss, make_scorer
from sklearn.model_selection import GroupKFold, ShuffleSplit, StratifiedKFold

from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, presto_path

NAMES = np.array(["none", "click", "cart", "purchase"])


def brier(y, proba, weight=None):
    return np.average(((np.eye(proba.shape[1])[y] - proba) ** 2).sum(axis=1), weights=weight)


@pytest.mark.parametrize("scoring", ["brier", "neg_log_loss"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_separate_fits(example, scoring, weighted):
    X, y = example
    weight = np.random.default_rng(0).uniform(0.5, 2, 100) if weighted else np.ones(100)
    folds = StratifiedKFold(3)
    model = PrestoClassifierCV(alphas=6, cv=folds, scoring=scoring, tol=1e-10)
    model.fit(X, y, weight)
    assert model.score_path_.shape == (6, 3)
    for f, (train, test) in enumerate(folds.split(X, y)):
        for a in (0, 3, 5):
            alone = PrestoClassifier(model.alphas_[a], tol=1e-10)
            proba = alone.fit(X[train], y[train], weight[train]).predict_proba(X[test])
            if scoring == "brier":
                expected = -brier(y[test], proba, weight[test])
            else:
                expected = -log_loss(y[test], proba.clip(1e-8), sample_weight=weight[test])
            assert model.score_path_[a, f] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "scoring", ["neg_log_loss", make_scorer(log_loss, greater_is_better=False,
                                            response_method="predict_proba")]
)  # fmt: skip
def test_scorers_of_scikit_learn_give_the_same_choice(example, scoring):
    X, y = example
    built_in = PrestoClassifierCV(alphas=8, eps=0.3, scoring="neg_log_loss").fit(X, y)
    scored = PrestoClassifierCV(alphas=8, eps=0.3, scoring=scoring, class_order=NAMES).fit(
        X, NAMES[y]
    )
    np.testing.assert_allclose(scored.score_path_, built_in.score_path_, rtol=1e-6)
    assert scored.alpha_ == built_in.alpha_


def test_scorers_get_the_weights(example):
    X, y = example
    weight = np.random.default_rng(0).uniform(0.1, 3, 100)
    built_in = PrestoClassifierCV(alphas=4, eps=0.3, scoring="neg_log_loss").fit(X, y, weight)
    scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    scored = PrestoClassifierCV(alphas=4, eps=0.3, scoring=scorer).fit(X, y, weight)
    np.testing.assert_allclose(scored.score_path_, built_in.score_path_, rtol=1e-6)


def test_the_chosen_fit_is_that_of_all_data(example):
    model = PrestoClassifierCV(alphas=8, tol=1e-9).fit(*example)
    best = model.score_path_.mean(axis=1).argmax()
    assert model.alpha_ == model.alphas_[best]
    alone = PrestoClassifier(model.alpha_, tol=1e-11).fit(*example)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-3)
    path = presto_path(*example, alphas=8, tol=1e-9)
    np.testing.assert_array_equal(model.path_.coefs, path.coefs)
    assert model.dual_gap_ <= 1e-9


def test_one_standard_error_chooses_a_larger_alpha(example):
    best, cautious = (
        PrestoClassifierCV(selection_rule=rule).fit(*example)
        for rule in ("min", "one_standard_error")
    )
    mean = best.score_path_.mean(axis=1)
    error = best.score_path_[mean.argmax()].std(ddof=1) / np.sqrt(5)
    assert best.alpha_ == best.alpha_best_ == best.alphas_[mean.argmax()]
    assert cautious.alpha_ == best.alphas_[mean >= mean.max() - error][0] > best.alpha_
    assert cautious.alpha_one_standard_error_ == cautious.alpha_
    np.testing.assert_array_equal(cautious.score_path_, best.score_path_)


def test_parallel_folds_and_explicit_splits_agree(example):
    X, y = example
    splits = list(StratifiedKFold(4).split(X, y))
    models = [
        PrestoClassifierCV(alphas=5, cv=cv, n_jobs=n_jobs).fit(X, y)
        for cv, n_jobs in ((4, None), (splits, 2), (StratifiedKFold(4), 1))
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.score_path_, models[0].score_path_)


def test_grid_and_penalty_parameters_reach_the_path(example):
    model = PrestoClassifierCV(
        alphas=3, eps=0.2, l1_ratio=0.7, first_penalty=0.5, penalty_weights=[1, 1, 2, 1, 1],
        standardize=False, max_iter=50,
    ).fit(*example)  # fmt: skip
    path = presto_path(
        *example, alphas=3, eps=0.2, l1_ratio=0.7, first_penalty=0.5,
        penalty_weights=[1, 1, 2, 1, 1], standardize=False, max_iter=50,
    )  # fmt: skip
    np.testing.assert_array_equal(model.path_.coefs, path.coefs)
    given = PrestoClassifierCV(alphas=[0.01, 0.1]).fit(*example)
    assert given.alphas_.tolist() == [0.1, 0.01]


def test_fewer_rare_members_than_folds_is_a_warning(example):
    X, y = example
    with pytest.warns(UserWarning, match="class 3 has 7 members, fewer than the 8 folds"):
        PrestoClassifierCV(alphas=3, cv=8).fit(X, y)


def test_training_fold_without_a_class_is_an_error(example):
    X, y = example
    keep = (y < 3) | (np.arange(100) == np.flatnonzero(y == 3)[0])
    with (
        pytest.warns(UserWarning, match="fewer than"),
        pytest.raises(ValueError, match=r"training fold \d of cv lacks the class 3"),
    ):
        PrestoClassifierCV(cv=3).fit(X[keep], y[keep])
    with pytest.raises(ValueError, match="lacks the class"):
        PrestoClassifierCV(cv=ShuffleSplit(1, train_size=4, random_state=0)).fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
def test_a_fold_may_test_without_a_class(example, scoring, n_classes):
    """scikit-learn's metrics score it if they are told the labels."""
    X, y = example.X, np.minimum(example.y, n_classes - 1)
    labels = np.arange(n_classes)
    last = np.flatnonzero(y == n_classes - 1)
    test = np.setdiff1d(np.arange(0, 100, 2), last)
    splits = [(np.setdiff1d(np.arange(100), test), test), *StratifiedKFold(2).split(X, y)]
    model = PrestoClassifierCV([0.01], cv=splits, scoring=scoring, tol=1e-9).fit(X, y)
    metric = log_loss if scoring == "neg_log_loss" else brier_score_loss
    for (train, test), score in zip(splits, model.score_path_[0], strict=True):
        alone = PrestoClassifier(0.01, tol=1e-9).fit(X[train], y[train])
        proba = alone.predict_proba(X[test])
        proba = proba.clip(1e-8) if metric is log_loss else proba
        expected = -metric(y[test], proba, labels=labels)
        assert score == pytest.approx(expected, abs=1e-5)


def test_splits_may_be_boolean_masks(example):
    X, y = example
    splits = list(StratifiedKFold(3).split(X, y))
    masks = [tuple(np.isin(np.arange(100), rows) for rows in split) for split in splits]
    for scoring in ("brier", "accuracy"):
        given, masked = (
            PrestoClassifierCV(alphas=3, cv=cv, scoring=scoring).fit(X, y, np.ones(100))
            for cv in (splits, masks)
        )
        np.testing.assert_array_equal(masked.score_path_, given.score_path_)
    lists = [tuple(rows.tolist() for rows in split) for split in masks]
    listed = PrestoClassifierCV(alphas=3, cv=lists, scoring="accuracy").fit(X, y)
    np.testing.assert_array_equal(listed.score_path_, given.score_path_)


@pytest.mark.parametrize("scoring", ["brier", "neg_log_loss", "accuracy"])
def test_folds_that_test_rows_without_weight_count_as_absent(example, scoring):
    X, y = example
    splits = list(StratifiedKFold(4).split(X, y))
    weight = np.ones(100)
    weight[splits[2][1]] = 0
    with pytest.warns(UserWarning, match="1 of the 4 folds hold out rows without weight only"):
        model = PrestoClassifierCV(alphas=3, cv=splits, scoring=scoring).fit(X, y, weight)
    rows = np.flatnonzero(weight)
    position = np.cumsum(weight > 0) - 1
    remaining = [
        tuple(position[np.intersect1d(part, rows)] for part in split)
        for k, split in enumerate(splits)
        if k != 2
    ]
    without = PrestoClassifierCV(alphas=3, cv=remaining, scoring=scoring).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.score_path_, without.score_path_, rtol=1e-6)
    assert model.alpha_ == pytest.approx(without.alpha_)
    with pytest.raises(ValueError, match="holds out no row whose sample_weight is positive"):
        PrestoClassifierCV(cv=splits[2:3], scoring=scoring).fit(X, y, weight)


def test_groups_reach_the_splitter_through_metadata_routing(example):
    X, y = example
    groups = np.arange(100) % 10
    with sklearn.config_context(enable_metadata_routing=True):
        routed = PrestoClassifierCV(alphas=4, cv=GroupKFold(5)).fit(X, y, groups=groups)
    splits = list(GroupKFold(5).split(X, y, groups))
    given = PrestoClassifierCV(alphas=4, cv=splits).fit(X, y)
    np.testing.assert_array_equal(routed.score_path_, given.score_path_)
    with pytest.raises(ValueError, match="groups"):
        PrestoClassifierCV(cv=GroupKFold(5)).fit(X, y, groups=groups)


def test_scores_that_are_nan_are_an_error(example):
    with pytest.raises(ValueError, match="gave nan on 15 fits"):
        PrestoClassifierCV(alphas=3, scoring=lambda *_: np.nan).fit(*example)


def test_inexact_fits_on_the_folds_are_counted(example):
    with pytest.warns(ConvergenceWarning, match=r"\d+ fits on the folds did not reach tol=1e-12"):
        PrestoClassifierCV(alphas=4, tol=1e-12, max_iter=2).fit(*example)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alphas": [-1]}, "alphas must be"),
        ({"alphas": 0}, "'alphas'"),
        ({"eps": 2.0}, "'eps'"),
        ({"cv": "five"}, "'cv'"),
        ({"scoring": "beauty"}, "'scoring'"),
        ({"selection_rule": "best"}, "'selection_rule'"),
        ({"l1_ratio": -1}, "'l1_ratio'"),
        ({"first_penalty": -1}, "'first_penalty'"),
        ({"penalty_weights": [1]}, "penalty_weights has shape"),
        ({"standardize": "yes"}, "'standardize'"),
        ({"class_order": [3, 2, 1]}, "class_order"),
        ({"tol": 0}, "'tol'"),
        ({"max_iter": 0}, "'max_iter'"),
        ({"n_jobs": 1.5}, "'n_jobs'"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(example, parameters, message):
    with pytest.raises(ValueError, match=message):
        PrestoClassifierCV(**parameters).fit(*example)


def noise(seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((150, 3)), rng.integers(0, 3, 150)


def test_a_choice_at_the_edge_of_the_grid_is_said(example):
    X, y = example
    with pytest.warns(UserWarning, match=r"PrestoClassifierCV chose alpha=.*smallest of the 3"):
        low = PrestoClassifierCV(3, eps=0.5).fit(X, y)
    assert low.alpha_at_edge_
    assert low.alpha_ == low.alphas_[-1]
    inside = PrestoClassifierCV().fit(X, y)
    assert inside.alphas_[-1] < inside.alpha_ < inside.alphas_[0]
    assert not inside.alpha_at_edge_


def test_nothing_lies_beyond_the_largest_strength_unless_it_leaves_features_in():
    """Noise is best predicted by the class frequencies."""
    X, y = noise(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PrestoClassifierCV(5).fit(X, y)
        again = PrestoClassifierCV(model.alphas_).fit(X, y)
    assert model.alpha_ == model.alphas_[0] == again.alpha_
    assert not model.alpha_at_edge_
    assert not again.alpha_at_edge_
    with pytest.warns(UserWarning, match="the largest of the 4 strengths.*may lie above"):
        cut = PrestoClassifierCV(model.alphas_[1:]).fit(X, y)
    assert cut.alpha_at_edge_


def test_one_strength_has_no_edge(example):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not PrestoClassifierCV([0.05]).fit(*example).alpha_at_edge_


def test_learned_coefficients_are_not_views_of_the_path(example):
    model = PrestoClassifierCV(4).fit(*example)
    before = model.path_.coefs.copy()
    model.coef_ *= 2.0
    np.testing.assert_array_equal(model.path_.coefs, before)


def test_progress_is_shown_on_demand(example, capsys):
    silent, shown = (PrestoClassifierCV(3, cv=4, verbose=v).fit(*example) for v in (0, 1))
    said = capsys.readouterr()
    assert "PrestoClassifierCV" in said.err
    assert "4/4" in said.err
    assert said.out == ""
    np.testing.assert_array_equal(silent.score_path_, shown.score_path_)
    PrestoClassifierCV(3, cv=4).fit(*example)
    assert capsys.readouterr().err == ""


def test_a_scorer_with_labels_is_told_all_classes_in_any_order(example):
    """The second fold tests without two of four classes, whose names are not in their order."""
    X, y = example
    test = np.flatnonzero(y < 2)[::2]
    splits = [*StratifiedKFold(2).split(X, y), (np.setdiff1d(np.arange(100), test), test)]
    scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    built_in, scored = (
        PrestoClassifierCV([0.05], cv=splits, scoring=scoring, class_order=NAMES, tol=1e-9)
        .fit(X, NAMES[y])
        .score_path_
        for scoring in ("neg_log_loss", scorer)
    )
    np.testing.assert_allclose(scored, built_in, rtol=1e-6)
