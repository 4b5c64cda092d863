"""The path of a parameter: its numbers, its choices, its types, and fits that fail."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC

from skreg.linear_model import SparseLogisticRegression
from skreg.robustness import adversarial_strength, boundary_tilting, tilting_path

GRID = [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e4]


def noisy_digits(seed, pair=(3, 7)):
    """Half of the rows for training, balanced, 5 % of their labels flipped; the rest is clean."""
    X, y = load_digits(return_X_y=True)
    rows = np.isin(y, pair)
    X, y = X[rows] / 16, (y[rows] == pair[1]).astype(int)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    train, test = order[: len(y) // 2], order[len(y) // 2 :]
    n = min(np.bincount(y[train]))
    train = np.concatenate([train[y[train] == k][:n] for k in (0, 1)])
    noisy = y[train].copy()
    flipped = rng.choice(len(train), size=round(0.05 * len(train)), replace=False)
    noisy[flipped] = 1 - noisy[flipped]
    return X[train], noisy, X[test], y[test]


def small(seed=0, n=150):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=n)
    return rng.normal(size=(n, 6)) + 0.8 * y[:, None] * (np.arange(6) < 3), y


@pytest.fixture(scope="module")
def digits():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y, X_val, y_val = noisy_digits(0)
        model = LogisticRegression(tol=1e-8, max_iter=10_000)
        return tilting_path(model, X, y, param_range=GRID, X_val=X_val, y_val=y_val)


def test_less_regularization_tilts_the_boundary_of_noisy_digits(digits):
    """The sheet of numbers of one seed: an angle from 0 to 1.35, a strength from 1 to 5."""
    assert np.all(np.diff(digits.strength) >= 0.0)
    assert np.all(np.diff(digits.train_error) <= 0.0)
    assert np.all(np.diff(digits.variance_ratio) <= 0.0)
    assert digits.angle[0] < 0.02
    assert digits.strength[-1] / digits.strength[digits.best_index] >= 2.5
    assert digits.best_param in (0.1, 1.0, 10.0)
    assert digits.type[0] == 0
    assert set(digits.type[GRID.index(10.0) + 1 :]) == {2}


def test_numbers_are_those_of_the_fits():
    X, y = small()
    path = tilting_path(LogisticRegression(), X, y, param_range=[0.01, 1.0], cv=4, p=np.inf)
    for k, C in enumerate([0.01, 1.0]):
        model = LogisticRegression(C=C).fit(X, y)
        report = boundary_tilting(model, X, y, p=np.inf)
        for name in ("angle", "strength", "strength_p", "adversarial_distance", "error_distance"):
            assert path[name][k] == report[name], name
        assert path.variance_ratio[k] == report.variance_ratio
        assert path.train_error[k] == pytest.approx(1.0 - model.score(X, y))
        errors = 1.0 - cross_val_score(LogisticRegression(C=C), X, y, cv=4)
        assert path.test_error[k] == pytest.approx(errors.mean())
        assert path.test_error_std[k] == pytest.approx(errors.std(ddof=1) / 2.0)
    assert path.param.tolist() == [0.01, 1.0]
    five = tilting_path(LogisticRegression(), X, y, param_range=[1.0])
    errors = 1.0 - cross_val_score(LogisticRegression(), X, y, cv=5)
    assert five.test_error[0] == pytest.approx(errors.mean())


def test_held_out_rows_give_a_binomial_error():
    X, y = small()
    path = tilting_path(
        LogisticRegression(), X[:100], y[:100], param_range=[0.1], X_val=X[100:], y_val=y[100:]
    )
    error = 1.0 - LogisticRegression(C=0.1).fit(X[:100], y[:100]).score(X[100:], y[100:])
    assert path.test_error[0] == pytest.approx(error)
    assert path.test_error_std[0] == pytest.approx(np.sqrt(error * (1 - error) / 50))


class Scripted(ClassifierMixin, BaseEstimator):
    """Angle and number of errors are told by its parameter, on the rows below."""

    def __init__(self, angle_and_errors=(0.0, 0)):
        self.angle_and_errors = angle_and_errors

    def fit(self, X, y):
        angle, self.n_errors_ = self.angle_and_errors
        self.classes_ = np.array([0, 1])
        self.coef_, self.intercept_ = np.array([[np.cos(angle), np.sin(angle)]]), np.zeros(1)
        return self

    def predict(self, X):
        right = (X @ self.coef_[0] > 0).astype(int)
        if np.abs(X[:, 1]).max() < 5:  # training rows
            return right
        wrong = np.arange(len(X)) < self.n_errors_
        return np.where(wrong, 1 - right, right)


TRAIN = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
N_VAL = 100
VAL = np.column_stack([np.full(N_VAL, 1e6), np.full(N_VAL, 9.0)]), np.ones(N_VAL, dtype=int)


def scripted(*values, **params):
    return tilting_path(
        Scripted(), *TRAIN, param_name="angle_and_errors", param_range=list(values),
        X_val=VAL[0], y_val=VAL[1], **params,
    )  # fmt: skip


def test_ties_and_one_standard_error_go_to_the_smallest_angle():
    """25 errors of 100 have a standard error of 0.0433: 29 are within, 30 are not."""
    path = scripted((0.1, 30), (0.3, 29), (0.7, 25), (0.5, 25), (1.0, 40), (0.04, 50), (0.06, 90))
    assert path.best_index == 3
    assert path.recommended_index == 1
    assert path.recommended_param == (0.3, 29)
    assert path.best_param == (0.5, 25)
    np.testing.assert_array_equal(path.type, [1, 1, 2, 1, 2, 0, 1])
    assert scripted((0.06, 2), (0.3, 1), tol=0.1).type.tolist() == [0, 1]


def test_errors_that_differ_by_rounding_are_ties():
    X, y = small()
    path = tilting_path(LogisticRegression(), X, y, param_range=[1.0, 1.0, 1.0])
    assert path.best_index == path.recommended_index == 0


@pytest.mark.parametrize("kind", ["frame", "sparse", "list"])
def test_containers_and_named_labels(kind):
    X, y = small()
    X[X < 0.2] = 0.0
    wanted = tilting_path(LogisticRegression(), X, y, param_range=[0.1, 10.0])
    given = {
        "frame": pd.DataFrame(X, columns=list("abcdef")),
        "sparse": sparse.csr_array(X),
        "list": X.tolist(),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = tilting_path(
            LogisticRegression(), given, np.array(["a", "b"])[y], param_range=[0.1, 10.0]
        )
    np.testing.assert_allclose(got.angle, wanted.angle, rtol=1e-3)
    np.testing.assert_allclose(got.test_error, wanted.test_error)


def test_parameters_of_steps_and_any_values():
    X, y = small()
    model = make_pipeline(StandardScaler(), SelectKBest(k=3), LogisticRegression())
    path = tilting_path(model, X, y, param_name="logisticregression__C", param_range=[0.1, 10])
    by_hand = model.set_params(logisticregression__C=10).fit(X, y)
    assert path.strength[1] == adversarial_strength(by_hand, X, y)
    path = tilting_path(model, X, y, param_name="selectkbest__k", param_range=np.array([2, 6]))
    assert path.param.tolist() == [2, 6]
    path = tilting_path(
        model, X, y, param_name="standardscaler", param_range=["passthrough", StandardScaler()]
    )
    assert path.param[0] == "passthrough"
    assert np.isfinite(path.angle).all()


@pytest.mark.filterwarnings("ignore:tilting_path")
def test_many_classes_show_the_most_tilted_pair():
    X, y = load_iris(return_X_y=True)
    grid = [0.01, 1.0]
    path = tilting_path(LogisticRegression(max_iter=5000), X, y, param_range=grid)
    one = tilting_path(LogisticRegression(max_iter=5000), X, y, param_range=grid, pair=(0, 2))
    for k, C in enumerate(grid):
        model = LogisticRegression(C=C, max_iter=5000).fit(X, y)
        strengths = adversarial_strength(model, X, y)
        assert path.strength[k] == pytest.approx(np.nanmax(strengths))
        assert one.strength[k] == pytest.approx(strengths[0, 2])
    np.testing.assert_array_equal(path.test_error, one.test_error)


@pytest.mark.filterwarnings("ignore:tilting_path")
def test_weights_are_copies():
    X, y = small()
    rows = np.random.default_rng(1).permutation(len(y))
    counts = np.random.default_rng(2).integers(0, 3, size=len(y))
    model = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10))
    params = {"param_name": "logisticregression__C", "param_range": [0.1, 10.0]}
    folds = [(rows[:75], rows[75:]), (rows[75:], rows[:75])]
    weighted = tilting_path(model, X, y, cv=folds, sample_weight=counts, **params)
    source = np.repeat(np.arange(len(y)), counts)
    copied = [tuple(np.flatnonzero(np.isin(source, side)) for side in fold) for fold in folds]
    repeated = tilting_path(model, X[source], y[source], cv=copied, **params)
    for name in ("angle", "train_error", "test_error", "error_distance", "variance_ratio"):
        np.testing.assert_allclose(weighted[name], repeated[name], rtol=1e-5, err_msg=name)


def test_threads_change_nothing_and_progress_is_shown(capsys):
    X, y = small()
    one = tilting_path(LogisticRegression(), X, y, param_range=[0.1, 10.0])
    two = tilting_path(LogisticRegression(), X, y, param_range=[0.1, 10.0], n_jobs=2, verbose=1)
    for name in ("angle", "test_error", "type"):
        np.testing.assert_array_equal(one[name], two[name])
    pytest.importorskip("tqdm")
    assert "tilting_path" in capsys.readouterr().err


def test_the_estimator_is_not_touched():
    X, y = small()
    model = LogisticRegression(C=3.0)
    tilting_path(model, X, y, param_range=[0.1], cv=StratifiedKFold(2))
    assert model.C == 3.0
    assert not hasattr(model, "coef_")


# ------------------------------------------------------------------------------------------------
# what fails


def test_fits_that_fail_are_named_and_not_chosen():
    X, y = small()
    model = SparseLogisticRegression()
    with pytest.warns(FitFailedWarning, match=r"alpha=10.*zero weight vector"):
        path = tilting_path(model, X, y, param_name="alpha", param_range=[10.0, 0.05, 0.01])
    assert np.isnan(path.angle[0])
    assert path.type[0] == -1
    assert path.best_index > 0
    assert np.isfinite(path.angle[1:]).all()
    with pytest.warns(FitFailedWarning, match=r"6 of 12 fits .* C=-1; .*InvalidParameterError"):
        path = tilting_path(LogisticRegression(), X, y, param_range=[-1.0, 1.0])
    assert np.isnan(path.test_error[0])
    assert path.best_index == path.recommended_index == 1
    with pytest.warns(FitFailedWarning, match="kernel='rbf'"):
        path = tilting_path(SVC(), X, y, param_name="kernel", param_range=["rbf", "linear"])
    assert path.best_param == "linear"


def test_one_failed_fold_takes_its_value_out_of_the_choice():
    X, y = small()
    y = np.sort(y)
    with pytest.warns(FitFailedWarning, match="fits have no result"):
        tilting_path(OnlyBalanced(), X, y, param_name="strict", param_range=[True, False], cv=[
            (np.arange(150), np.arange(75, 150)), (np.arange(60), np.arange(60, 90))
        ])  # fmt: skip


class OnlyBalanced(LogisticRegression):
    """Refuses rows of one class if it is strict, and else makes up another."""

    def __init__(self, strict=True):
        super().__init__()
        self.strict = strict

    def fit(self, X, y):
        if not self.strict and len(np.unique(y)) == 1:
            X, y = np.vstack([X, X[:1] + 1]), np.append(y, 1)
        return super().fit(X, y)


def test_errors_of_all_fits_are_raised():
    X, y = small()
    model = make_pipeline(Normalizer(), LogisticRegression())
    with pytest.raises(TypeError, match="step 'normalizer'"):
        tilting_path(model, X, y, param_name="logisticregression__C", param_range=[0.1, 1.0])
    with pytest.raises(ValueError, match="zero weight vector"):
        tilting_path(SparseLogisticRegression(), X, y, param_name="alpha", param_range=[10.0])
    with pytest.raises(TypeError, match=r"Analysis[.]fit takes no sample_weight"):
        tilting_path(
            LinearDiscriminantAnalysis(solver="lsqr"), X, y, param_name="shrinkage",
            param_range=[0.1], sample_weight=np.ones(150),
        )  # fmt: skip


class Ramp(Scripted):
    """As many errors in a hundred as the angle has hundredths."""

    def fit(self, X, y):
        angle = self.angle_and_errors
        self.angle_and_errors = (angle, round(100 * angle))
        super().fit(X, y)
        self.angle_and_errors = angle
        return self


def ramp(*values):
    return tilting_path(
        Ramp(), *TRAIN, param_name="angle_and_errors", param_range=values, X_val=VAL[0],
        y_val=VAL[1],
    )  # fmt: skip


def test_a_choice_at_the_end_of_the_grid_is_told():
    with pytest.warns(UserWarning, match=r"errors=0.3, the smallest of 2 .* lie below"):
        ramp(0.3, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ramp(0.3, 0.31)  # flat: 0.01 is less than the standard error
        ramp(0.3)
        ramp(0.3, 0.3)
    X, y = noisy_digits(0)[:2]
    with pytest.warns(UserWarning, match=r"alpha=1, the smallest of 2 .* lie below"):
        tilting_path(RidgeClassifier(), X, y, param_name="alpha", param_range=[1e6, 1.0], cv=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"param_name": "D"}, "param_name='D' is no parameter of LogisticRegression"),
        ({"param_range": []}, "param_range is empty"),
        ({"param_range": 1.0}, "param_range=1.0"),
        ({"param_range": "l1"}, "param_range='l1'"),
        ({"X_val": np.ones((2, 6))}, "give y_val too"),
        ({"y_val": [0, 1]}, "give X_val too"),
        ({"X_val": np.ones((2, 6)), "y_val": [0, 1], "cv": 3}, "not both"),
        ({"X_val": np.ones((2, 6)), "y_val": [0]}, "inconsistent"),
        ({"p": 0.1}, "p=0.1"),
        ({"pair": (0, 9)}, "pair="),
        ({"sample_weight": -np.ones(150)}, "[Nn]egative"),
        ({"y": np.zeros(3)}, "inconsistent"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"tol": None}, "tol=None"),
        ({"cv": KFold(500)}, "n_splits=500"),
    ],
)
def test_bad_input_is_refused(change, message):
    X, y = small()
    call = {"y": y, "param_range": [1.0]} | change
    with pytest.raises(ValueError, match=message):
        tilting_path(LogisticRegression(), X, **call)


def test_what_is_no_classifier_is_refused():
    with pytest.raises(TypeError, match="StandardScaler is not a classifier"):
        tilting_path(StandardScaler(), *small(), param_name="copy", param_range=[True])


def test_the_result_prints_its_choice_and_can_be_stored(digits):
    text = repr(digits)
    assert "7 values of C" in text
    assert f"C={digits.recommended_param:.3g}" in text
    assert len(text) < 300
    again = pickle.loads(pickle.dumps(digits))
    assert again.best_index == digits.best_index
    assert repr(again) == text
