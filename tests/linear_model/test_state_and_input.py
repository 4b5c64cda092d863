"""What a fit takes, what it refuses, and what it leaves behind when it fails."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.linear_model as reference
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.metrics import d2_tweedie_score

import skreg.linear_model._base as base
from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberLasso,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")
CV = {"alphas": 2, "cv": 2, "tol": 1e-7}
SINGLE = [
    Lasso(0.05),
    ElasticNet(0.05),
    GroupLasso(2, alpha=0.05),
    HuberLasso(0.05),
    MultiTaskLasso(0.05),
    NonNegativeLeastSquares(),
    SparsePoissonRegressor(),
    SparseLogisticRegression(),
    SparseLogisticRegression(row_groups=True),
]
CROSS_VALIDATED = [
    LassoCV(**CV),
    ElasticNetCV(**CV),
    GroupLassoCV(2, **CV),
    HuberLassoCV(**CV),
    MultiTaskLassoCV(**CV),
    SparsePoissonRegressorCV(**CV),
    SparseLogisticRegressionCV(**CV),
]
ALL = SINGLE + CROSS_VALIDATED
CLASSIFIERS = [m for m in ALL if "Logistic" in type(m).__name__]


def data(model=None, n_samples=40):
    """Small whole numbers, which every dtype holds."""
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(n_samples, 4)).astype(float)
    y = np.digitize(X[:, 0] - X[:, 1] + rng.normal(size=n_samples), [-1, 1]).astype(float)
    multiple = model is not None and not model.__sklearn_tags__().target_tags.single_output
    return X, np.column_stack([y, 2 - y]) if multiple else y


# weights


@pytest.mark.parametrize("weight", [-1, -1.0, 0, 0.0, np.nan, np.inf, False, 1j, np.float32(-2)])
@pytest.mark.parametrize("model", ALL, ids=repr)
def test_numbers_as_weights_are_positive(model, weight):
    X, y = data(model)
    with pytest.raises(ValueError, match="must be positive and finite"):
        clone(model).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_a_number_gives_all_samples_the_same_weight(model):
    X, y = data(model)
    plain = clone(model).fit(X, y)
    for weight in [3, 0.5, np.float32(2)]:
        assert np.array_equal(clone(model).fit(X, y, sample_weight=weight).coef_, plain.coef_)
    for call in ("path", "alpha_max"):
        if hasattr(model, call):
            with pytest.raises(ValueError, match="sample_weight=-1"):
                getattr(model, call)(X, y, sample_weight=-1)


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_weights_whose_sum_overflows(model):
    X, y = data(model)
    weight = np.random.default_rng(1).uniform(0.1, 1.0, size=len(X))
    plain = clone(model).set_params(tol=1e-10).fit(X, y, sample_weight=weight)
    huge = clone(model).set_params(tol=1e-10).fit(X, y, sample_weight=weight * 1.7e308)
    assert_allclose(huge.coef_, plain.coef_, atol=1e-6)


# Poisson score


def test_share_of_deviance_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y, weight = rng.poisson(np.exp(X[:, 0])), rng.uniform(0.5, 2.0, size=50)
    model = SparsePoissonRegressor(0.05).fit(X, y)
    for weights in [None, weight, np.where(X[:, 1] > 0, weight, 0.0)]:
        expected = d2_tweedie_score(y, model.predict(X), sample_weight=weights, power=1)
        assert_allclose(model.score(X, y, weights), expected, rtol=1e-12)
    assert model.score(X, y, 2.0) == model.score(X, y)
    ridge = SparsePoissonRegressor(0.1, l1_ratio=0.0, tol=1e-12).fit(X, y)
    expected = reference.PoissonRegressor(alpha=0.1, tol=1e-10).fit(X, y).score(X, y)
    assert_allclose(ridge.score(X, y), expected, rtol=1e-8)


@pytest.mark.parametrize("constant", [0.0, 1.0, 2.5, 3.0, 1e6])
def test_share_of_deviance_of_constant_counts(constant):
    X, counts = data()
    y = np.full(len(X), constant)
    fitted = SparsePoissonRegressor().fit(X, counts)
    with pytest.warns(UndefinedMetricWarning, match="not defined for constant y"):
        assert fitted.score(X, y) == -np.inf  # as scikit-learn's 1 - deviance / 0
    if constant > 0.0:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exact = SparsePoissonRegressor().fit(X, y)
        with pytest.warns(UndefinedMetricWarning):
            assert np.isnan(exact.score(X, y))
    mixed, weight = np.r_[y, 7.0 + constant], np.r_[np.ones(len(y)), 0.0]
    with pytest.warns(UndefinedMetricWarning):
        assert fitted.score(np.vstack([X, X[:1]]), mixed, weight) == -np.inf


def test_means_that_underflow_have_a_score():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = SparsePoissonRegressor().fit(X, [3, 2, 1, 1])
    model.coef_, model.intercept_ = np.array([-400.0]), 0.0
    assert np.isfinite(model.score(X, [1, 0, 0, 1]))


@pytest.mark.parametrize(
    ("y", "weight", "message"),
    [
        ([1, 2, -1], None, "nonnegative"),
        ([1, 2, np.nan], None, "NaN"),
        ([1, 2], None, "inconsistent"),
        ([1, 2, 3], [1, 1, -1], "[Nn]egative"),
        ([1, 2, 3], -1.0, "sample_weight=-1.0"),
    ],
)
def test_bad_input_of_the_poisson_score(y, weight, message):
    X, counts = data()
    model = SparsePoissonRegressor().fit(X, counts)
    with pytest.raises(ValueError, match=message):
        model.score(X[:3], y, weight)


# groups, strengths


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, np.datetime64("NaT")], ids=str)
@pytest.mark.parametrize("others", [["a", "a", "b"], [1, 1, 2]], ids=str)
def test_missing_group_labels_are_refused(others, missing):
    X, y = data()
    for groups in ([*others, missing], pd.Series([*others, missing], dtype=object)):
        with pytest.raises(ValueError, match=r"groups has no label for the features \[3\]"):
            GroupLasso(groups, alpha=0.1).fit(X, y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (2.0, "'groups' parameter"),
        ("aabb", "'groups' parameter"),
        (["a", "a", 1, 1], "all text or all numbers"),
        ([[0, 1], 2, 3], "one label for each of the 4 features"),
        ({0: 1}, "X has no column names"),
        ([[0, 1], [2, np.nan]], "partition"),
    ],
)
def test_what_groups_are_not(groups, message):
    with pytest.raises(ValueError, match=message):
        GroupLasso(groups).fit(*data())


@pytest.mark.parametrize(
    "groups",
    [
        pd.Series([7, 7, -1, -1], index=[3, 2, 1, 0]),
        pd.Series([7, 7, -1, -1], dtype="Int64"),
        pd.Categorical(["u", "u", "v", "v"]),
        [True, True, False, False],
        np.array(["2021", "2021", "2020", "2020"], dtype="M8[D]"),
        np.array([[0, 1], [2, 3]]),
        [[0.0, 1.0], [2, 3]],
    ],
    ids=lambda groups: type(groups).__name__,
)
def test_group_labels_of_any_kind(groups):
    X, y = data()
    expected = GroupLasso(2, alpha=0.1).fit(X, y).coef_
    assert_allclose(GroupLasso(groups, alpha=0.1).fit(X, y).coef_, expected, atol=1e-8)


@pytest.mark.parametrize(
    "alphas",
    [0.1, None, {0.1}, "few", np.array(3), [[0.1, 0.2]], [np.nan], [np.inf], iter([0.1]), [None]],
    ids=lambda alphas: "iterator" if hasattr(alphas, "__next__") else str(alphas),
)
def test_what_strengths_are_not(alphas):
    X, y = data()
    with pytest.raises((ValueError, TypeError), match="alphas"):
        Lasso().path(X, y, alphas=alphas)
    with pytest.raises((ValueError, TypeError), match="alphas"):
        LassoCV(alphas=alphas).fit(X, y)


@pytest.mark.parametrize("eps", [2.0, np.nan, np.inf, 0, None])
def test_the_progression_decreases(eps):
    X, y = data()
    with pytest.raises((ValueError, TypeError), match="eps"):
        Lasso().path(X, y, alphas=3, eps=eps)
    with pytest.raises(ValueError, match="eps"):
        LassoCV(alphas=3, eps=eps).fit(X, y)


def test_no_mixture_is_an_error():
    with pytest.raises(ValueError, match="l1_ratio must hold at least one value"):
        ElasticNetCV(l1_ratio=[], alphas=3).fit(*data())


@pytest.mark.parametrize(
    "alphas", [(0.2, 0.1), range(1, 3), pd.Series([0.2, 0.1], index=[5, 2]), [1, 0], [0.1, 0.1]]
)
def test_strengths_of_any_kind(alphas):
    X, y = data()
    expected = np.sort(np.asarray(alphas, dtype=float))[::-1]
    assert np.array_equal(LassoCV(alphas=alphas, cv=2).fit(X, y).alphas_, expected)
    assert np.array_equal(Lasso().path(X, y, alphas=alphas).alphas, expected)


# kinds of input


def repeated(X):
    """CSC with unsorted rows, and every entry in two parts."""
    rows, columns = np.nonzero(X)
    entries = np.repeat(np.arange(len(rows)), 2)
    entries = entries[np.argsort(columns[entries], kind="stable")].reshape(-1, 2)[::-1]
    entries = entries[np.argsort(columns[entries[:, 0]], kind="stable")].ravel()
    parts = np.tile([0.25, 0.75], len(rows)) * X[rows[entries], columns[entries]]
    starts = np.r_[0, np.cumsum(2 * np.bincount(columns, minlength=X.shape[1]))]
    return sp.csc_array((parts, rows[entries], starts), shape=X.shape)


def with_long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only(X):
    for part in (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,):
        part.flags.writeable = False
    return X


FEATURES = {
    "int": lambda X: X.astype(int),
    "int8": lambda X: X.astype(np.int8),
    "float16": lambda X: X.astype(np.float16),
    "longdouble": lambda X: X.astype(np.longdouble),
    "object": lambda X: X.astype(object),
    "Fortran": np.asfortranarray,
    "read-only": lambda X: read_only(np.asfortranarray(X)),
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "list": lambda X: X.tolist(),
    "frame": lambda X: pd.DataFrame(X),
    "nullable": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("Int64"),
    "csr": sp.csr_matrix,
    "coo": sp.coo_array,
    "int64 indices": lambda X: with_long_indices(sp.csc_array(X)),
    "int64 csr": lambda X: with_long_indices(sp.csr_array(X)),
    "read-only csc": lambda X: read_only(sp.csc_array(X)),
    "repeated entries": repeated,
    "repeated csr": lambda X: repeated(X.T).T,
    "int csc": lambda X: sp.csc_array(X.astype(int)),
}


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("model", [*SINGLE, LassoCV(**CV)], ids=repr)
def test_features_of_any_kind_give_the_same_answer(model, kind):
    X, y = data(model)
    expected = clone(model).set_params(tol=1e-11).fit(X, y)
    given = FEATURES[kind](X)
    fitted = clone(model).set_params(tol=1e-11).fit(given, y)
    assert_allclose(fitted.coef_, expected.coef_, atol=1e-6)
    assert_allclose(fitted.predict(given), expected.predict(X), atol=1e-6)


def test_repeated_entries_are_what_they_say():
    X, _ = data()
    assert np.array_equal(repeated(X).toarray(), X)
    assert not repeated(X).has_canonical_format
    assert not repeated(X).has_sorted_indices


@pytest.mark.parametrize("model", SINGLE, ids=repr)
def test_boolean_features_are_zeros_and_ones(model):
    X, y = data(model)
    fitted = clone(model).set_params(tol=1e-11).fit(X > 0, y)
    expected = clone(model).set_params(tol=1e-11).fit((X > 0).astype(float), y)
    assert_allclose(fitted.coef_, expected.coef_, atol=1e-8)


@pytest.mark.parametrize("library", ["polars"])
@pytest.mark.parametrize("model", ALL, ids=repr)
def test_frames_of_other_libraries(library, model):
    frames = pytest.importorskip(library)
    X, y = data(model)
    expected = clone(model).fit(X, y)
    target = frames.DataFrame(y, schema=["u", "v"]) if y.ndim == 2 else frames.Series(y)
    fitted = clone(model).fit(frames.DataFrame(X, schema=list("abcd")), target)
    assert list(fitted.feature_names_in_) == list("abcd")
    assert_allclose(fitted.coef_, expected.coef_, atol=1e-8)


# labels


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "as_labels",
    [
        lambda codes: np.array(["a", "b", "c"])[codes],
        lambda codes: np.array(["a", "b", "c"], dtype=object)[codes],
        lambda codes: np.array([-7, -1, 3])[codes],
        lambda codes: np.array([-7, -1, 3], dtype=object)[codes],
        lambda codes: np.array([-1.0, 0.0, 4.0])[codes],
        lambda codes: pd.Series(np.array(["a", "b", "c"])[codes], dtype="category"),
        lambda codes: pd.Series(np.array(["a", "b", "c"])[codes], dtype="string"),
        lambda codes: pd.Series(codes, dtype="Int64"),
        lambda codes: codes[:, None] if len(np.unique(codes)) == 3 else codes.astype(bool),
        lambda codes: np.array([10**15, 10**15 + 1, 10**15 + 2])[codes],
    ],
    ids=[
        "text",
        "objects",
        "negative",
        "numbers",
        "floats",
        "category",
        "string",
        "nullable",
        "other",
        "large",
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_labels_that_keep_their_order_give_the_same_answer(model, classes, as_labels):
    X, codes = data()
    codes = np.minimum(codes, classes - 1).astype(int)
    labels = as_labels(codes)
    expected = clone(model).fit(X, codes)
    fitted = clone(model).fit(X, labels)
    assert np.array_equal(fitted.coef_, expected.coef_)
    assert np.array_equal(fitted.predict(X), fitted.classes_[expected.predict(X)])
    assert fitted.score(X, labels) == expected.score(X, codes)
    assert fitted.classes_.tolist() == sorted(set(np.ravel(np.asarray(labels)).tolist()))


@pytest.mark.parametrize("classes", [2, 3])
def test_logarithms_of_probabilities_below_the_smallest_number(classes):
    X, y = data()
    model = SparseLogisticRegression().fit(X, np.minimum(y, classes - 1))
    expected = np.log(model.predict_proba(X))  # which rounds where the probability is nearly 1
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=1e-15)
    model.coef_ = np.zeros_like(model.coef_)
    model.coef_[-1, 0] = -1e4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = model.predict_log_proba([[1.0, 0, 0, 0]])
    assert_allclose(far[0, -1], -1e4, rtol=1e-3)  # exp(-1e4) is 0 in floating point


def test_bad_labels_are_named():
    X, _ = data()
    with pytest.raises(ValueError, match="the data contain one class: 'only'"):
        SparseLogisticRegression().fit(X, ["only"] * 40)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        SparseLogisticRegression().fit(X, np.linspace(0, 1, 40).astype(object))


# state


def learned(model):
    return {name: value for name, value in vars(model).items() if name not in model.get_params()}


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_second_fit_equals_a_fresh_one(model):
    X, y = data(model)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = clone(model).fit(frame, y)
    again = model.fit(X[:30, :2], y[:30])
    fresh = clone(model).fit(X[:30, :2], y[:30])
    assert learned(again).keys() == learned(fresh).keys()
    for name, value in learned(fresh).items():
        assert np.array_equal(getattr(again, name), value, equal_nan=name != "classes_"), name


@pytest.mark.parametrize("model", ALL, ids=repr)
@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_a_fit_that_is_cut_off_leaves_the_estimator_as_it_was(model, failure, monkeypatch):
    X, y = data(model)
    fitted, fresh = clone(model).fit(X, y), clone(model)
    before = learned(fitted)

    def cut_off(*args, **kwargs):
        raise failure

    monkeypatch.setattr(base, "solve_path", cut_off)
    for estimator in (fitted, fresh):
        with pytest.raises(failure):
            estimator.fit(X[:20, :2], y[:20])
    assert learned(fresh) == {}
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    assert learned(fitted).keys() == before.keys()
    assert all(value is before[name] for name, value in learned(fitted).items())


@pytest.mark.parametrize("model", ALL, ids=repr)
@pytest.mark.parametrize("bad", ["features", "target", "weights", "parameter"])
def test_bad_input_leaves_the_estimator_as_it_was(model, bad):
    X, y = data(model)
    fitted = clone(model).fit(X, y)
    before, prediction = learned(fitted), fitted.predict(X)
    small, target, weight = X[:, :2].copy(), y.copy(), np.ones(len(X))
    if bad == "features":
        small[0, 0] = np.nan
    elif bad == "target":
        target = target.astype(float)
        target[0] = np.inf
    elif bad == "weights":
        weight[0] = -1.0
    else:
        name = "penalty_weights" if hasattr(fitted, "penalty_weights") else "groups"
        if not hasattr(fitted, name):
            pytest.skip("no parameter whose value depends on the data")
        fitted.set_params(**{name: np.ones(3)})
    with pytest.raises(ValueError):  # noqa: PT011  # which kind of bad input is not asked
        fitted.fit(small, target, sample_weight=weight)
    assert all(value is before[name] for name, value in learned(fitted).items())
    assert np.array_equal(fitted.predict(X), prediction)


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_copies_of_a_fitted_model_are_apart(model):
    X, y = data(model)
    fitted = clone(model).fit(X, y)
    prediction = fitted.predict(X)
    for twin in (copy.deepcopy(fitted), copy.copy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(twin.predict(X), prediction)
        assert twin.get_params() == fitted.get_params() or "groups" in fitted.get_params()
        twin.fit(X[:30, :2], y[:30])
        assert np.array_equal(fitted.predict(X), prediction)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("model", ALL, ids=repr)
def test_constant_columns_have_no_coefficient_beside_an_intercept(model, fit_intercept):
    X, y = data(model)
    wide = np.column_stack([X, np.full(len(X), 3.0), np.zeros(len(X))])
    fitted = clone(model).set_params(fit_intercept=fit_intercept).fit(wide, y)
    assert np.isfinite(fitted.predict(wide)).all()
    coef = np.atleast_2d(fitted.coef_)
    assert not coef[:, 5].any()
    assert not (fit_intercept and coef[:, 4].any())


@pytest.mark.parametrize("model", [m for m in SINGLE if m not in CLASSIFIERS], ids=repr)
def test_one_row_is_met_by_the_intercept(model):
    X, y = data(model)
    fitted = clone(model).fit(X[:1], y[:1])
    assert not np.any(fitted.coef_)
    assert_allclose(fitted.predict(X[:1]), y[:1], atol=1e-6)


@pytest.mark.parametrize("model", SINGLE, ids=repr)
def test_rows_without_weight_are_not_there(model):
    X, y = data(model)
    weight = np.r_[np.zeros(15), np.ones(25)]
    X[:5] *= 1e3
    fitted = clone(model).set_params(tol=1e-11).fit(X, y, sample_weight=weight)
    expected = clone(model).set_params(tol=1e-11).fit(X[15:], y[15:])
    assert_allclose(fitted.coef_, expected.coef_, atol=1e-7)
    assert_allclose(fitted.intercept_, expected.intercept_, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_column_of_few_digits_is_named(dtype):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(50, 3)), columns=["a", "b", "nanoseconds"])
    spacing = np.spacing(dtype(2.0**40))
    X["nanoseconds"] = 2.0**40 + spacing * rng.integers(0, 100, size=50)
    X = X.astype(dtype)
    y = X["a"] + rng.normal(size=50)
    with pytest.warns(UserWarning, match="nanoseconds.* far from zero"):
        Lasso(0.1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Lasso(0.1).fit(X.assign(nanoseconds=7.0), y)
        Lasso(0.1).fit(X[["a", "b"]] + dtype(100.0), y)
