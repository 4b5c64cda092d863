"""Chunks of rows: every kind of storage gives the same values, in one pass."""

import numpy as np
import pytest
from scipy import sparse

from skreg.rows import (
    SlicedRows,
    checked_weights,
    chunk_slices,
    dask_rows,
    map_rows,
    merge_pairwise,
    rows_per_chunk,
    sliceable,
    stack_rows,
)


def sums(chunk):
    X = chunk.X.toarray() if sparse.issparse(chunk.X) else np.asarray(chunk.X)
    weight = np.ones(len(X)) if chunk.sample_weight is None else chunk.sample_weight
    y = 0.0 if chunk.y is None else (weight * chunk.y) @ X
    return np.array([weight @ X, y, chunk.start + np.zeros(X.shape[1])])


def merged_sums(a, b):
    return np.array([a[0] + b[0], a[1] + b[1], np.maximum(a[2], b[2])])


def data(n=103):
    rng = np.random.default_rng(0)
    return rng.integers(-9, 9, (n, 3)).astype(float), rng.integers(0, 5, n), rng.integers(0, 3, n)


def memmap_of(X, path):
    on_disk = np.memmap(path, X.dtype, "w+", shape=X.shape)
    on_disk[:] = X
    return on_disk


@pytest.mark.parametrize("chunk_size", [1, 10, 103, 1000])
def test_sums_do_not_depend_on_storage_and_chunks(chunk_size, tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    da = pytest.importorskip("dask.array")
    X, y, w = data()
    expected = np.array([w @ X, (w * y) @ X])
    stored = [X, sparse.csc_array(X), memmap_of(X, tmp_path / "X"), X.tolist()]
    stored += [pd.DataFrame(X), pl.DataFrame(X, schema=["a", "b", "c"])]
    rows = [
        SlicedRows(sliceable(kind), sliceable(y), sliceable(pd.Series(w)), chunk_size)
        for kind in stored
    ]
    rows.append(dask_rows(da.from_array(X, chunks=(chunk_size, 2)), y, pd.Series(w), by="it"))
    for kind in rows:
        np.testing.assert_array_equal(kind.reduce(sums, merged_sums)[:2], expected)
        assert kind.reduce(sums, merged_sums)[2, 0] == 102 // chunk_size * chunk_size


def test_columns_may_be_absent_and_blocks_are_cut_as_x_is():
    da = pytest.importorskip("dask.array")
    X, y, _ = data()
    rows = dask_rows(da.from_array(X, chunks=20), da.from_array(y, chunks=33), by="it")
    assert len(rows.chunks) == 6
    np.testing.assert_array_equal(rows.reduce(sums, merged_sums)[1], y @ X)
    assert rows.chunks[5].compute().sample_weight is None
    assert rows.chunks[5].compute().start == 100


def test_what_dask_cannot_mean_is_refused_by_name():
    da = pytest.importorskip("dask.array")
    blocks = da.ones((10, 2), chunks=5)
    with pytest.raises(ValueError, match="reader takes dask collections; got ndarray"):
        dask_rows(np.ones((10, 2)), by="reader")
    with pytest.raises(ValueError, match="reader takes a matrix; got X with 1 dim"):
        dask_rows(blocks[:, 0], by="reader")
    with pytest.raises(ValueError, match=r"y has shape \(9,\), but X has 10 rows"):
        dask_rows(blocks, np.ones(9), by="reader")


def test_methods_are_mapped_lazily_over_blocks_of_whole_rows():
    da = pytest.importorskip("dask.array")
    X = data()[0]
    blocks = da.from_array(X, chunks=(40, 1))
    seen = []

    def total(part):
        seen.append(part.shape)
        return part.sum(axis=1)

    lazy = map_rows(total, blocks, float, by="it")
    assert not seen
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), X.sum(axis=1))
    assert sorted(seen) == [(23, 3), (40, 3), (40, 3)]
    wide = map_rows(lambda part: part[:, :2], blocks, float, 2, by="it")
    assert wide.shape == (103, 2)
    np.testing.assert_array_equal(wide.compute(), X[:, :2])


@pytest.mark.parametrize("n", range(1, 12))
def test_pairwise_merges_keep_the_order_in_a_tree_of_logarithmic_height(n):
    def merge(a, b):
        return a[0] + b[0], 1 + max(a[1], b[1])

    order, height = merge_pairwise([([i], 0) for i in range(n)], merge)
    assert order == list(range(n))
    assert height == np.ceil(np.log2(n))


def test_slices_cover_all_rows_once_and_fit_in_memory():
    for n_rows, size in ((0, 5), (1, 5), (10, 5), (11, 5)):
        rows = [i for part in chunk_slices(n_rows, size) for i in range(n_rows)[part]]
        assert rows == list(range(n_rows))
    assert rows_per_chunk(1000, 8, 2, n_bytes=160_000) == 10
    assert rows_per_chunk(10**9) == rows_per_chunk(1000, n_bytes=1) == 1
    assert rows_per_chunk(0) > 0


def test_rows_are_stacked_in_their_own_storage():
    X = data()[0]
    assert stack_rows([None, None]) is None
    np.testing.assert_array_equal(stack_rows([X[:5], X[5:]]), X)
    stacked = stack_rows([sparse.csr_array(X[:5]), sparse.csr_array(X[5:])])
    assert stacked.format == "csr"
    np.testing.assert_array_equal(stacked.toarray(), X)


def test_weights_whose_sum_is_no_number_are_refused():
    X = np.ones((3, 1))
    np.testing.assert_array_equal(checked_weights(2, X), [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(checked_weights(None, X), np.ones(3))
    with pytest.raises(ValueError, match=r"sum of sample_weight overflows.*1e\+308"):
        checked_weights(1e308, X)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        checked_weights([1.0, -1.0, 1.0], X)


def test_progress_counts_the_chunks_of_every_pass(capsys):
    pytest.importorskip("tqdm")
    X, y, w = data()
    SlicedRows(X, y, w, 10).reduce(sums, merged_sums)
    assert capsys.readouterr().err == ""
    SlicedRows(X, y, w, 10, verbose=1, by="reader").reduce(sums, merged_sums)
    shown = capsys.readouterr().err
    assert "reader" in shown
    assert "11/11" in shown
