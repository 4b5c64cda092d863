"""Out-of-fold probabilities against scikit-learn's on integers, which are in order."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    RareReliabilityDisplay,
    cost_threshold,
    out_of_fold_proba,
)

STAGES = ["none", "mild", "severe", "death"]
NAMED = np.array(STAGES)
# columns of sorted names among those of the stages
SORTED = np.argsort(STAGES)


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    return X, np.digitize(X[:, 0] + rng.logistic(size=600), [0, 1.5, 3])


def by_integers(estimator, X, y, **options):
    return cross_val_predict(estimator, X, y, method="predict_proba", **options)[:, SORTED]


def labels_of(y, kind):
    if kind == "ordered categorical":
        return pd.Series(
            pd.Categorical.from_codes(y, STAGES, ordered=True), index=np.arange(7, 607)
        )
    if kind == "enum":
        polars = pytest.importorskip("polars")
        return polars.Series(NAMED[y].tolist(), dtype=polars.Enum(STAGES))
    return NAMED[y]


@pytest.mark.parametrize("kind", ["ordered categorical", "enum", "strings"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(model, {"tol": [1e-8, 1e-9]}, scoring="neg_log_loss", cv=3),
        lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
        lambda model: VotingClassifier([("ordinal", model)], voting="soft"),
        lambda model: StackingClassifier([("ordinal", model)], model, cv=3),
    ],
    ids=["alone", "pipeline", "search", "bagging", "voting", "stacking"],
)
def test_the_order_survives(patients, kind, wrap):
    X, y = patients
    order = STAGES if kind == "strings" else None
    estimator = wrap(ProportionalOddsClassifier(tol=1e-8, class_order=order))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = out_of_fold_proba(estimator, X, labels_of(y, kind), cv=4)
    expected = by_integers(wrap(ProportionalOddsClassifier(tol=1e-8)), X, y, cv=4)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_it_beats_the_class_frequencies_where_the_order_was_lost_before(patients):
    X, y = patients
    frequencies = np.bincount(y) / len(y)
    labels = labels_of(y, "ordered categorical")
    found = out_of_fold_proba(ProportionalOddsClassifier(), X, labels)
    null = -(frequencies * np.log(frequencies)).sum()
    assert log_loss(labels, found, labels=sorted(STAGES)) < null - 0.05


def test_an_explicit_order_comes_before_that_of_the_estimator_and_of_the_labels(patients):
    X, y = patients
    backwards = pd.Categorical.from_codes(y, STAGES, ordered=True).reorder_categories(
        ["mild", "none", "death", "severe"]
    )
    expected = by_integers(ProportionalOddsClassifier(), X, y)
    for model in (
        ProportionalOddsClassifier(),
        ProportionalOddsClassifier(class_order=sorted(STAGES)),
    ):
        found = out_of_fold_proba(model, X, backwards, class_order=STAGES)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert model.class_order == sorted(STAGES)
    with pytest.warns(UserWarning, match="death < mild < none < severe"):
        out_of_fold_proba(ProportionalOddsClassifier(), X, NAMED[y])


def test_weights_groups_and_jobs_are_passed_on(patients):
    X, y = patients
    rng = np.random.default_rng(1)
    weight, groups = rng.uniform(0.1, 3, len(y)), rng.integers(0, 9, len(y))
    options = {"cv": GroupKFold(3), "groups": groups, "params": {"sample_weight": weight}}
    labels = labels_of(y, "ordered categorical")
    with joblib.parallel_config(backend="threading"):
        found = out_of_fold_proba(ProportionalOddsClassifier(), X, labels, n_jobs=2, **options)
    expected = by_integers(ProportionalOddsClassifier(), X, y, **options)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - by_integers(ProportionalOddsClassifier(), X, y, cv=3)).max() > 1e-3
    with sklearn.config_context(enable_metadata_routing=True):
        routed = out_of_fold_proba(
            ProportionalOddsClassifier().set_fit_request(sample_weight=True),
            X,
            labels,
            cv=GroupKFold(3),
            params={"sample_weight": weight, "groups": groups},
        )
    np.testing.assert_array_equal(routed, expected)


def test_splits_may_be_boolean_masks(patients):
    X, y = patients
    splits = list(StratifiedKFold(3).split(X, y))
    masks = [tuple(np.isin(np.arange(len(y)), rows) for rows in split) for split in splits]
    labels = labels_of(y, "ordered categorical")
    found, expected = (
        out_of_fold_proba(ProportionalOddsClassifier(), X, labels, cv=cv) for cv in (masks, splits)
    )
    np.testing.assert_array_equal(found, expected)


def test_a_class_missing_from_a_training_set_has_no_probability_there(patients):
    """The columns are padded; the others are those of a fit without the class."""
    X, y = patients
    dead = np.flatnonzero(y == 3)
    test = np.union1d(dead, np.arange(0, 600, 2))
    train = np.setdiff1d(np.arange(600), test)
    labels = labels_of(y, "ordered categorical")
    with pytest.warns(RuntimeWarning, match="does not match total number of classes"):
        found = out_of_fold_proba(
            ProportionalOddsClassifier(), X, labels, cv=[(train, test), (test, train)]
        )
    death = sorted(STAGES).index("death")
    assert not found[test, death].any()
    assert found[train, death].all()
    alone = ProportionalOddsClassifier().fit(X[train], y[train]).predict_proba(X[test])
    np.testing.assert_allclose(found[test][:, np.argsort(SORTED)[:3]], alone, atol=1e-12)


def test_what_cannot_be_meant_is_refused(patients):
    X, y = patients
    fitted = FrozenEstimator(ProportionalOddsClassifier().fit(X, y))
    with pytest.raises(ValueError, match="FrozenEstimator is not fitted on the folds"):
        out_of_fold_proba(fitted, X, y)
    contradictory = StackingClassifier(
        [("a", PrestoClassifier(class_order=STAGES))], PrestoClassifier(class_order=sorted(STAGES))
    )
    with pytest.raises(ValueError, match=r"several orders.*must agree"):
        out_of_fold_proba(contradictory, X, NAMED[y])
    with pytest.raises(ValueError, match="must name each label of y once"):
        out_of_fold_proba(ProportionalOddsClassifier(), X, NAMED[y], class_order=STAGES[1:])
    with pytest.raises(ValueError, match=r"row \d+ is in 0 test sets.*partitions"):
        out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=[(y < 9, y == 0)])
    twice = [(y < 9, y < 9), (y < 9, y == 0)]
    with pytest.raises(ValueError, match=r"row \d+ is in 2 test sets"):
        out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=twice)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="pass groups in params"),
    ):
        out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=GroupKFold(3), groups=y)


def test_progress_is_shown_on_demand(patients, capsys):
    X, y = patients
    silent, shown = (
        out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=3, verbose=v) for v in (0, 1)
    )
    np.testing.assert_array_equal(silent, shown)
    said = capsys.readouterr().err
    assert "out_of_fold_proba" in said
    assert "3/3" in said
    out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("storage", [scipy.sparse.csr_array, scipy.sparse.coo_array, list])
def test_features_come_in_any_container(patients, storage):
    X, y = patients
    found = out_of_fold_proba(ProportionalOddsClassifier(), storage(X), y, cv=3)
    expected = by_integers(ProportionalOddsClassifier(), X, y, cv=3)[:, np.argsort(SORTED)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_precomputed_distances_are_split_on_both_sides(patients):
    X, y = patients
    D = euclidean_distances(X[:90])
    model = KNeighborsClassifier(metric="precomputed")
    expected = cross_val_predict(model, D, y[:90], cv=3, method="predict_proba")
    np.testing.assert_allclose(out_of_fold_proba(model, D, y[:90], cv=3), expected)


def test_other_classifiers_are_served_too(patients):
    X, y = patients
    found = out_of_fold_proba(LogisticRegression(), X, NAMED[y], class_order=STAGES)
    expected = cross_val_predict(LogisticRegression(), X, NAMED[y], method="predict_proba")
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array, pd.DataFrame])
@pytest.mark.parametrize(
    "model", [ProportionalOddsClassifier(), PrestoClassifierCV(3, cv=2)], ids=["one", "cv"]
)
@pytest.mark.filterwarnings("ignore:PrestoClassifierCV chose")
def test_offsets_go_with_the_rows_of_fits_and_of_predictions(patients, storage, model):
    X, y = patients
    weight, offset = np.random.default_rng(1).uniform(size=(2, 600))
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    found = out_of_fold_proba(
        clone(model).set_params(class_order=STAGES), storage(X), NAMED[y], offset=3.0 * offset,
        cv=splits, params={"sample_weight": weight}, n_jobs=2,
    )  # fmt: skip
    for train, test in splits:
        alone = clone(model).fit(X[train], y[train], weight[train], 3.0 * offset[train])
        expected = alone.predict_proba(X[test], 3.0 * offset[test])[:, SORTED]
        np.testing.assert_allclose(found[test], expected, atol=1e-6)


def test_costs_and_pictures_are_of_predictions_with_the_offset(patients):
    X, y = patients
    beta = np.array([-1.0, 0.3, 0.0])
    moved, plain = {"offset": X @ beta}, {}  # which coefficients make up for
    model = ProportionalOddsClassifier(tol=1e-10)
    costs = [cost_threshold(model, X, y, miss_cost=5.0, cv=3, **o) for o in (moved, plain)]
    assert costs[0].cost == costs[1].cost
    np.testing.assert_allclose(costs[0].thresholds, costs[1].thresholds, atol=1e-6)
    fits = [clone(model).fit(X, y, offset=moved["offset"]), clone(model).fit(X, y)]
    for cv in (3, None):
        curves = [
            RareReliabilityDisplay.from_estimator(fit, X, y, cv=cv, n_bootstraps=2, **known)
            for fit, known in zip(fits, (moved, plain), strict=True)
        ]
        np.testing.assert_allclose(curves[0].predicted, curves[1].predicted, atol=1e-6)


def test_offsets_that_cannot_be_used_are_refused(patients):
    X, y = patients
    pipeline = make_pipeline(StandardScaler(), ProportionalOddsClassifier())
    with pytest.raises(TypeError, match=r"offset is for a classifier of skreg.ordinal.*Pipeline"):
        out_of_fold_proba(pipeline, X, y, offset=X[:, 0])
    with pytest.raises(TypeError, match="got LogisticRegression"):
        RareReliabilityDisplay.from_estimator(LogisticRegression().fit(X, y), X, y, offset=X[:, 0])
    with pytest.raises(ValueError, match=r"offset has shape \(599,\)"):
        out_of_fold_proba(ProportionalOddsClassifier(), X, y, offset=X[1:, 0])
    few = np.where(np.arange(600) == 0, 3, np.minimum(y, 2))
    with pytest.warns(RuntimeWarning, match="has 3 of the 4 classes"):
        proba = out_of_fold_proba(ProportionalOddsClassifier(), X, few, offset=X[:, 0], cv=KFold(3))
    assert proba[0, 3] == 0.0 < proba[300:, 3].min()
