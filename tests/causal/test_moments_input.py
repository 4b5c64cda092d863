"""Fits from covariances, dask collections and streams are the fit to the rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skreg.causal import CoLiDE, SortNRegress
from skreg.datasets import make_linear_sem
from skreg.moments import moments, with_exact_constants

MODELS = [CoLiDE("nv", mode="fast"), CoLiDE("ev", refit=True), SortNRegress(threshold=0.1)]
IDS = ["nv", "ev", "sort"]
COLUMNS = list("abcdef")


@pytest.fixture(scope="module")
def rows():
    return make_linear_sem(403, 6, edges_per_node=1, random_state=1).X + 100.0


@pytest.fixture(scope="module")
def fitted(rows):
    return [clone(model).fit(rows) for model in MODELS]


def same(a, b):
    for name in ("adjacency_matrix_", "sigma_", "mean_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-10, atol=1e-10)
    assert a.n_features_in_ == b.n_features_in_


@pytest.mark.parametrize("k", range(3), ids=IDS)
def test_a_covariance_and_a_number_of_rows(k, rows, fitted):
    model = clone(MODELS[k]).fit_covariance(
        np.cov(rows.T, ddof=0), len(rows), mean=rows.mean(axis=0), feature_names=COLUMNS
    )
    same(model, fitted[k])
    assert model.feature_names_in_.tolist() == COLUMNS
    assert {cause for cause, *_ in model.edges()} <= set(COLUMNS)


@pytest.mark.parametrize("k", range(3), ids=IDS)
@pytest.mark.parametrize("sizes", [[100], [1, 400], [402], []])
def test_a_stream_of_blocks(k, rows, fitted, sizes):
    model = clone(MODELS[k]).fit_stream(iter(np.split(rows, np.cumsum(sizes, dtype=int))))
    same(model, fitted[k])


def test_blocks_without_rows_add_nothing(rows):
    expected = SortNRegress().fit(rows).adjacency_matrix_
    blocks = [rows[:0], rows[:100], (rows[:0], []), rows[100:], (rows[:0], np.empty(0))]
    found = SortNRegress().fit_stream(blocks).adjacency_matrix_
    np.testing.assert_allclose(found, expected, atol=1e-12)
    with pytest.raises(ValueError, match="no rows of positive weight"):
        SortNRegress().fit_stream([rows[:0]])
    dask = pytest.importorskip("dask.array")
    chunked = dask.from_array(np.vstack([rows[:100] - 1e3, rows]), chunks=100)
    some = SortNRegress().fit(chunked[chunked[:, 0] > -500])
    np.testing.assert_allclose(some.adjacency_matrix_, expected, atol=1e-12)


@pytest.mark.parametrize("model", [SortNRegress(), CoLiDE("ev", "bic", mode="fast")])
def test_weights_that_add_up_to_one_are_no_numbers_of_rows(model, rows):
    shares = np.full(len(rows), 1 / len(rows))
    with pytest.raises(ValueError, match="weights of all rows add up to 1, less than 2"):
        model.fit(rows, sample_weight=shares)
    with pytest.raises(ValueError, match="counts rows"):
        model.fit_stream([(rows, shares)])


@pytest.mark.parametrize("k", range(3), ids=IDS)
def test_a_dask_array(k, rows, fitted):
    dask = pytest.importorskip("dask.array")
    same(clone(MODELS[k]).fit(dask.from_array(rows, chunks=(90, 2))), fitted[k])


def test_weights_of_streams_and_of_dask_arrays(rows):
    dask = pytest.importorskip("dask.array")
    weights = np.random.default_rng(0).integers(0, 3, size=len(rows)).astype(float)
    weights[:50] = 0.0
    plain = SortNRegress().fit(rows, sample_weight=weights)
    parts = [(rows[:50], weights[:50]), (rows[50:], weights[50:])]
    same(SortNRegress().fit_stream(parts), plain)
    same(SortNRegress().fit_stream(parts[::-1]), plain)
    blocks = dask.from_array(rows, chunks=(50, 6))
    same(SortNRegress().fit(blocks, sample_weight=weights), plain)
    same(SortNRegress().fit(blocks, sample_weight=dask.from_array(weights, chunks=70)), plain)


def test_names_of_frames(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    stream = SortNRegress().fit_stream([frame[:100], frame[100:]])
    covariance = SortNRegress().fit_covariance(frame.cov(ddof=0), len(frame))
    dask = pytest.importorskip("dask.dataframe")
    lazy = SortNRegress().fit(dask.from_pandas(frame, npartitions=3))
    for model in (stream, covariance, lazy):
        assert model.feature_names_in_.tolist() == COLUMNS
        np.testing.assert_allclose(
            model.adjacency_matrix_, SortNRegress().fit(frame).adjacency_matrix_, atol=1e-10
        )
    numbered = SortNRegress().fit_covariance(pd.DataFrame(np.cov(rows.T, ddof=0)), len(frame))
    assert not hasattr(numbered, "feature_names_in_")


def test_a_second_fit_forgets_the_names_of_the_first(rows):
    C = np.cov(rows.T, ddof=0)
    model = SortNRegress().fit_covariance(C, 403, feature_names=COLUMNS)
    assert not hasattr(model.fit_covariance(C, 403), "feature_names_in_")
    assert pickle.loads(pickle.dumps(model)).n_features_in_ == 6


def test_what_follows_a_fit_works_after_a_covariance(rows, fitted):
    model = SortNRegress(threshold=0.1).fit_covariance(
        np.cov(rows.T, ddof=0), len(rows), mean=rows.mean(axis=0)
    )
    np.testing.assert_allclose(model.predict(rows), fitted[2].predict(rows), atol=1e-9)
    assert model.score(rows) == pytest.approx(fitted[2].score(rows), rel=1e-9)


def test_a_column_that_is_constant_over_all_blocks_is_named(rows):
    # 0.1 is no binary fraction: means of blocks of it differ in their last digit
    X = rows.copy()
    X[:, 3] = 0.1
    blocks = np.split(X, [7, 100, 301])
    with pytest.raises(ValueError, match="column 'x3' is constant"):
        SortNRegress().fit_stream(blocks)
    X[0, 3] = 0.1 + 1e-12
    varying = moments(X[:7], np.ones(7)).merge(moments(X[7:], np.ones(396)))
    assert not with_exact_constants(varying).constant.any()


def test_a_failed_stream_leaves_the_estimator_as_it_was(rows):
    model = SortNRegress().fit(rows)
    before = model.adjacency_matrix_
    spoilt = rows.copy()
    spoilt[200, 0] = np.nan
    with pytest.raises(ValueError, match="NaN") as error:
        model.fit_stream(np.split(spoilt, 13))
    assert "in block 6 of the stream" in error.value.__notes__[0]
    assert model.adjacency_matrix_ is before
    with pytest.raises(ValueError, match="5 features"):
        model.fit_stream([rows, rows[:, :5]])
    with pytest.raises(ValueError, match="blocks is empty"):
        model.fit_stream([])
    with pytest.raises(ValueError, match="no rows of positive weight"):
        model.fit_stream([(rows, np.zeros(len(rows)))])
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        model.fit_stream([(rows, -np.ones(len(rows)))])
    with pytest.raises(ValueError, match="minimum of 2"):
        model.fit_stream([rows[:, :1]])


def test_dask_blocks_that_cannot_be_fitted_are_refused(rows):
    dask = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="NaN"):
        SortNRegress().fit(dask.from_array(np.full((9, 3), np.nan), chunks=3))
    with pytest.raises(ValueError, match="sample_weight has shape"):
        SortNRegress().fit(dask.from_array(rows, chunks=100), sample_weight=np.ones(3))


EYE = np.eye(3)


@pytest.mark.parametrize(
    ("covariance", "settings", "message"),
    [
        (EYE[:2], {}, "covariance must be a square matrix"),
        (np.full((2, 2), np.nan), {}, "covariance must be a square matrix of finite"),
        (EYE[:1, :1], {}, "at least 2 columns"),
        (EYE + np.eye(3, k=1) * 0.1, {}, "not symmetric"),
        (np.array([[1, 2.0], [2, 1]]), {}, "smallest eigenvalue of its correlations is -1"),
        (np.diag([1.0, 0.0, 2.0]), {}, "'x1' is constant"),
        (np.diag([1.0, -1.0, 2.0]), {}, "'x1' is constant|not positive semidefinite"),
        (EYE, {"n_samples": 1}, "n_samples=1 must be a number of at least 2"),
        (EYE, {"mean": [0.0, 1.0]}, "mean has shape"),
        (EYE, {"mean": [0.0, 1.0, np.nan]}, "NaN"),
        (EYE, {"feature_names": ["a", "b"]}, "feature_names must be 3 different texts"),
        (EYE, {"feature_names": ["a", "b", "a"]}, "feature_names must be 3 different texts"),
        (EYE, {"feature_names": ["a", "b", 3]}, "feature_names must be 3 different texts"),
        (EYE, {"feature_names": range(3)}, "feature_names must be 3 different texts"),
        (EYE, {"feature_names": "abc"}, "feature_names must be 3 different texts"),
    ],
)
def test_covariances_that_are_none_are_refused(covariance, settings, message):
    with pytest.raises(ValueError, match=message):
        SortNRegress().fit_covariance(covariance, **{"n_samples": 50, **settings})
    with pytest.raises(ValueError, match="threshold"):
        SortNRegress(threshold=-1.0).fit_covariance(EYE, 50)
