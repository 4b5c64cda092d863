"""The same numbers in another container, memory layout or type give the same answer."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from estimator_cases import OF_GRAPHS, ROUNDING, Problem, answers, assert_same, fit, for_cases
from scipy import sparse

NAMES = list("abcde")
SINGLE_PRECISION = 2e-3  # rounding of 1e-7, times condition numbers and a few steps


def read_only(values):
    values = values.copy()
    values.setflags(write=False)
    return values


def strided(X):
    wide = np.full((2 * X.shape[0], 2 * X.shape[1]), np.nan)
    wide[::2, ::2] = X
    return wide[::2, ::2]


def polars_frame(X):
    return pytest.importorskip("polars").DataFrame(X, schema=NAMES)


def polars_series(y):
    polars = pytest.importorskip("polars")
    return polars.Series(y) if y.ndim == 1 else polars.DataFrame(y)


def as_series(y):
    return pd.Series(y) if y.ndim == 1 else pd.DataFrame(y)


DENSE = {
    "read-only": read_only,
    "fortran": np.asfortranarray,
    "read-only fortran": lambda X: read_only(np.asfortranarray(X)),
    "strided": strided,
    "big-endian": lambda X: X.astype(">f8"),
    "list": np.ndarray.tolist,
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES),
    "pandas nullable": lambda X: pd.DataFrame(X, columns=NAMES).astype("Float64"),
    "pandas object": lambda X: pd.DataFrame(X, columns=NAMES).astype(object),
    "polars": polars_frame,
}


def long_indices(X):
    X = sparse.csc_array(X)
    return sparse.csc_array(
        (X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape
    )


def unsorted(X):
    """Each column's entries from the last row to the first."""
    X = sparse.csc_matrix(X)
    order = np.concatenate(
        [np.arange(lo, hi)[::-1] for lo, hi in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    )
    backwards = sparse.csc_matrix((X.data[order], X.indices[order], X.indptr), shape=X.shape)
    backwards.has_sorted_indices = False
    return backwards


def with_stored_zeros(X):
    return sparse.csr_matrix(
        (X.ravel(), np.tile(np.arange(X.shape[1]), len(X)), np.arange(len(X) + 1) * X.shape[1]),
        shape=X.shape,
    )


def with_duplicates(X):
    """Every entry as the sum of two halves."""
    rows, columns = np.nonzero(X)
    half = X[rows, columns] / 2
    return sparse.coo_matrix(
        (np.r_[half, half], (np.r_[rows, rows], np.r_[columns, columns])), shape=X.shape
    )


def read_only_sparse(X):
    X = sparse.csc_matrix(X)
    for part in (X.data, X.indices, X.indptr):
        part.setflags(write=False)
    return X


SPARSE = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "csr array": sparse.csr_array,
    "csc array": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "int64 indices": long_indices,
    "unsorted": unsorted,
    "stored zeros": with_stored_zeros,
    "duplicates": with_duplicates,
    "read-only": read_only_sparse,
}


@pytest.mark.parametrize("form", DENSE.values(), ids=DENSE)
@for_cases()
def test_features_in_another_form_give_the_same_answer(case, form):
    problem = case.problem()
    other = Problem(form(problem.X), problem.y)
    assert_same(answers(fit(case.new(), other), other.X), case.answers, ROUNDING)


def some_zeros(problem):
    return problem._replace(X=np.where(np.abs(problem.X) < 0.5, 0.0, problem.X))


@functools.cache
def answers_with_zeros(case):
    problem = some_zeros(case.problem())
    return answers(fit(case.new(), problem), problem.X)


@pytest.mark.parametrize("form", SPARSE.values(), ids=SPARSE)
@for_cases(lambda case: case.tags.input_tags.sparse)
def test_sparse_features_give_the_answer_of_dense_ones(case, form):
    problem = some_zeros(case.problem())
    other = problem._replace(X=form(problem.X))
    got = answers(fit(case.new(), other), other.X)
    assert_same(got, answers_with_zeros(case), max(ROUNDING, case.accuracy))


@for_cases()
def test_single_precision_features_are_numbers_too(case):
    problem = case.problem()
    rounded = problem._replace(X=problem.X.astype(np.float32))
    wanted = answers(fit(case.new(), rounded._replace(X=rounded.X.astype(float))), problem.X)
    got = answers(fit(case.new(), rounded), rounded.X)
    if "sample_indices_" in got or "coreset" in got:
        pytest.skip("a draw is no continuous function of the scores")
    assert_same(got, wanted, SINGLE_PRECISION)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "bool"])
@for_cases()
def test_integer_features_are_numbers_too(case, dtype):
    problem = case.problem()
    X = np.round(2.0 * problem.X - 2.0 * problem.X.min())
    X = (np.median(X) < X) if dtype == "bool" else X
    if dtype == "bool" and case.kind.__name__ in OF_GRAPHS:
        pytest.skip("a linear model of indicators is another problem")
    whole, numbers = X.astype(dtype), X.astype(float)
    got = answers(fit(case.new(), problem._replace(X=whole)), whole)
    wanted = answers(fit(case.new(), problem._replace(X=numbers)), numbers)
    assert_same(got, wanted, max(ROUNDING, case.accuracy))


TARGETS = {
    "read-only": read_only,
    "strided": lambda y: np.repeat(y, 2, axis=0)[::2],
    "list": np.ndarray.tolist,
    "series": as_series,
    "nullable series": lambda y: as_series(y).convert_dtypes(),
    "polars": polars_series,
    "other index": lambda y: as_series(y).set_axis(np.arange(len(y))[::-1], axis=0),
}


@for_cases(lambda case: case.has_target and not case.is_classifier)
def test_a_target_of_object_numbers_gives_the_same_answer(case):
    problem = case.problem()
    other = problem._replace(y=problem.y.astype(object))
    assert_same(answers(fit(case.new(), other), problem.X), case.answers, ROUNDING)


@pytest.mark.parametrize("form", TARGETS.values(), ids=TARGETS)
@for_cases(lambda case: case.has_target)
def test_a_target_in_another_form_gives_the_same_answer(case, form):
    problem = case.problem()
    other = problem._replace(y=form(problem.y))
    assert_same(answers(fit(case.new(), other), problem.X), case.answers, ROUNDING)


WEIGHTS = {
    "read-only": read_only,
    "list": np.ndarray.tolist,
    "integers": lambda weight: weight.astype(int),
    "single precision": lambda weight: weight.astype(np.float32),
    "series": pd.Series,
    "other index": lambda weight: pd.Series(weight, index=np.arange(len(weight))[::-1]),
}


@for_cases(lambda case: case.weighted)
def test_weights_in_another_form_give_the_same_answer(case):
    problem = case.problem()
    weight = 1.0 + np.arange(len(problem.X)) % 3
    wanted = answers(fit(case.new(), problem, sample_weight=weight), problem.X)
    for form in WEIGHTS.values():
        got = answers(fit(case.new(), problem, sample_weight=form(weight)), problem.X)
        assert_same(got, wanted, ROUNDING)


# ------------------------------------------------------------------------------------------------
# names


@for_cases()
def test_names_are_kept_and_asked_for(case):
    problem = case.problem()
    frame = pd.DataFrame(problem.X, columns=NAMES)
    estimator = fit(case.new(), problem._replace(X=frame))
    assert list(estimator.feature_names_in_) == NAMES
    assert estimator.n_features_in_ == 5
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(estimator, method):
            with pytest.raises(ValueError, match="feature names"):
                getattr(estimator, method)(frame.rename(columns={"a": "z"}))
    fit(estimator, problem)
    assert not hasattr(estimator, "feature_names_in_")


@for_cases(lambda case: hasattr(case.fitted, "transform"))
def test_a_transformer_names_and_frames_its_columns(case):
    problem = case.problem()
    frame = pd.DataFrame(problem.X, columns=NAMES)
    estimator = fit(case.new().set_output(transform="pandas"), problem._replace(X=frame))
    out = estimator.transform(frame)
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == list(estimator.get_feature_names_out())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = case.new().set_output(transform="pandas").fit_transform(frame, problem.y)
    np.testing.assert_allclose(again, out, rtol=ROUNDING, atol=ROUNDING)
