"""The paper's protocol: paired subsets, redraw rule, scaling on the subset."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

from skreg.probe import LinearNaiveBayes, crossover_size, probe_learning_curve


class Recorder(ClassifierMixin, BaseEstimator):
    """Appends what it is fitted on and asked about to a list that clones share."""

    log: list = []  # noqa: RUF012

    def __init__(self, name="a"):
        self.name = name

    def fit(self, X, y):
        self.log.append([self.name, X, y])
        self.label_ = y[0]
        return self

    def predict(self, X):
        self.log[-1].append(X)
        return np.full(len(X), self.label_)


@pytest.fixture
def log():
    Recorder.log.clear()
    return Recorder.log


def rows(n_per_class, n_classes=3):
    y = np.repeat(np.arange(n_classes), n_per_class)
    return np.arange(len(y), dtype=float)[:, None], y


def test_all_estimators_see_the_same_subsets_and_test_points(log):
    X, y = rows(20)
    probe_learning_curve(
        [("a", Recorder("a")), ("b", Recorder("b"))], X, y, X[:5], y[:5],
        train_sizes=[5, 9], n_repeats=3, scaler=None, random_state=0,
    )  # fmt: skip
    of_a, of_b = ([entry for entry in log if entry[0] == name] for name in "ab")
    assert [len(entry[2]) for entry in of_a] == [5, 9] * 3
    for a, b in zip(of_a, of_b, strict=True):
        for seen_by_a, seen_by_b in zip(a[1:], b[1:], strict=True):
            np.testing.assert_array_equal(seen_by_a, seen_by_b)
        np.testing.assert_array_equal(y[a[1][:, 0].astype(int)], a[2])
        assert len(np.unique(a[1])) == len(a[1])
    assert len({tuple(sorted(entry[1][:, 0])) for entry in of_a}) == 6


def test_random_subsets_are_redrawn_until_every_class_occurs(log):
    X, y = rows(30)
    probe_learning_curve(
        {"a": Recorder()}, X, y, X, y, train_sizes=[3], n_repeats=20, scaler=None, random_state=0
    )
    assert [sorted(entry[2]) for entry in log] == [[0, 1, 2]] * 20


def test_accepted_subsets_are_uniform_over_those_that_hold_all_classes(log):
    X, y = np.arange(4.0)[:, None], np.array([0, 0, 0, 1])
    probe_learning_curve(
        {"a": Recorder()}, X, y, X, y, train_sizes=[2], n_repeats=600, scaler=None, random_state=0
    )
    partners = np.bincount([int(min(entry[1][:, 0])) for entry in log], minlength=3)
    assert len(partners) == 3
    assert (np.abs(partners - 200) < 5 * np.sqrt(600 * 2 / 9)).all()


def test_a_class_too_rare_to_be_drawn_is_an_error():
    X, y = np.zeros((200_000, 1)), np.zeros(200_000, dtype=int)
    y[0] = 1
    with pytest.raises(ValueError, match=r"none of 1000 random subsets held all 2 classes"):
        probe_learning_curve({"a": Recorder()}, X, y, X[:2], y[:2], train_sizes=[2], random_state=0)


def test_per_class_subsets_are_stratified_and_sizes_are_totals(log):
    X, y = rows(10)
    curve = probe_learning_curve(
        {"a": Recorder()}, X, y, X, y, train_sizes=[1, 4], n_repeats=2,
        sampling="per_class", scaler=None, random_state=0,
    )  # fmt: skip
    assert curve.train_sizes.tolist() == [3, 12]
    assert [np.bincount(entry[2]).tolist() for entry in log] == [[1, 1, 1], [4, 4, 4]] * 2


def test_scaling_is_learned_on_the_subset_and_does_not_clip_the_test_points(log):
    X, y = rows(20)
    X_test = np.array([[-100.0], [1000.0]])
    probe_learning_curve({"a": Recorder()}, X, y, X_test, y[:2], train_sizes=[6], random_state=0)
    for _, X_train, _, seen in log:
        assert X_train.min() == 0
        assert X_train.max() == pytest.approx(1)
        assert seen[0] < -1
        assert seen[1] > 10


def test_errors_are_those_of_the_estimator_fitted_by_hand():
    X, y = load_iris(return_X_y=True)
    curve = probe_learning_curve(
        {"centroid": NearestCentroid()}, X, y, X[::2], y[::2],
        train_sizes=[len(y)], n_repeats=2, scaler=None, random_state=0,
    )  # fmt: skip
    expected = 1 - NearestCentroid().fit(X, y).score(X[::2], y[::2])
    np.testing.assert_allclose(curve.errors["centroid"], [[expected]] * 2, rtol=1e-12)


def breast_cancer_curve(**settings):
    X, y = load_breast_cancer(return_X_y=True)
    probes = {"naive Bayes": LinearNaiveBayes(), "logistic": LogisticRegression(max_iter=1000)}
    arguments = {"train_sizes": [8, 32, 128], "random_state": 3, "n_repeats": 3, **settings}
    return probe_learning_curve(probes, X[150:], y[150:], X[:150], y[:150], **arguments)


def test_crossover_is_that_of_the_returned_errors():
    curve = breast_cancer_curve()
    assert curve.reference == "naive Bayes"
    assert list(curve.crossover) == ["logistic"]
    expected = crossover_size(
        curve.train_sizes, curve.errors["naive Bayes"], curve.errors["logistic"]
    )
    assert curve.crossover["logistic"].size == expected.size


def test_random_state_fixes_everything():
    first, again, other = (breast_cancer_curve(random_state=seed) for seed in (3, 3, 4))
    for name, errors in first.errors.items():
        np.testing.assert_array_equal(errors, again.errors[name])
        assert (errors != other.errors[name]).any()
    assert first.crossover == again.crossover


@pytest.mark.slow
def test_number_of_worker_processes_changes_nothing():
    alone, parallel = (breast_cancer_curve(n_repeats=2, n_jobs=n_jobs) for n_jobs in (1, 2))
    for name, errors in alone.errors.items():
        np.testing.assert_array_equal(errors, parallel.errors[name])
    assert alone.crossover == parallel.crossover


def test_data_frames_and_string_labels_give_the_same_errors():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    names = y.map({0: "malignant", 1: "benign"})
    order = {"train_sizes": [16], "n_repeats": 2, "random_state": 0}
    frame = probe_learning_curve(
        {"nb": LinearNaiveBayes()}, X[150:], names[150:], X[:150], names[:150], **order
    )
    array = probe_learning_curve(
        {"nb": LinearNaiveBayes()},
        X.to_numpy()[150:], names.to_numpy()[150:], X.to_numpy()[:150], names.to_numpy()[:150],
        **order,
    )  # fmt: skip
    assert isinstance(names, pd.Series)
    np.testing.assert_array_equal(frame.errors["nb"], array.errors["nb"])


def test_sparse_features_work_unscaled_and_are_not_made_dense_silently():
    X, y = load_iris(return_X_y=True)
    settings = {"train_sizes": [30], "n_repeats": 2, "random_state": 0}
    probes = {"nb": LinearNaiveBayes()}
    of_sparse = probe_learning_curve(
        probes, sparse.csr_matrix(X), y, sparse.coo_array(X), y, scaler=None, **settings
    )
    of_dense = probe_learning_curve(probes, X, y, X, y, scaler=None, **settings)
    np.testing.assert_array_equal(of_sparse.errors["nb"], of_dense.errors["nb"])
    with pytest.raises(ValueError, match="would make a sparse X dense"):
        probe_learning_curve(probes, sparse.csr_matrix(X), y, X, y, **settings)


def test_progress_is_shown_only_when_asked_for(capsys):
    breast_cancer_curve(verbose=0, n_repeats=1)
    assert "probe_learning_curve" not in capsys.readouterr().err
    breast_cancer_curve(verbose=1, n_repeats=1)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_sizes": [2]}, "train_sizes has 2, fewer than the 3 classes"),
        ({"train_sizes": [5, 400]}, "train_sizes has 400, more than the pool, of 150 samples"),
        ({"train_sizes": [51], "sampling": "per_class"}, "smallest class, of 50 samples"),
        ({"train_sizes": [9, 5]}, "train_sizes must be .* increasing"),
        ({"train_sizes": [5.5]}, "train_sizes must be whole numbers"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"sampling": "stratified"}, "sampling"),
        ({"scaler": "standard"}, "scaler"),
        ({"estimators": {}}, "estimators must be a classifier, a non-empty dict"),
        ({"estimators": [Recorder()]}, "estimators must be"),
        ({"estimators": Ridge()}, r"must be classifiers; \['Ridge'\] are regressors"),
        ({"estimators": [("a", Recorder()), ("a", Recorder())]}, "distinct strings"),
        ({"y_test": np.full(150, 7)}, r"y_test has the labels \[7\]"),
        ({"y": np.zeros(150)}, "y must have at least two classes"),
        ({"y": np.zeros(149)}, "inconsistent numbers of samples"),
    ],
)
def test_bad_arguments_are_explained(settings, message):
    X, y = load_iris(return_X_y=True)
    arguments = {
        "estimators": {"a": Recorder()},
        "X": X, "y": y, "X_test": X, "y_test": y, "train_sizes": [9],
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        probe_learning_curve(**{**arguments, **settings})


def test_parameters_of_the_estimators_are_still_validated():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="shrinkage"):
        probe_learning_curve(
            {"nb": LinearNaiveBayes(shrinkage=2.0)}, X, y, X, y, train_sizes=[9], n_repeats=1
        )
