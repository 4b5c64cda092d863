"""Coresets of memory-mapped files and of dask collections."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from scipy import sparse

from skreg.coreset import (
    SensitivitySampler,
    StreamingCoreset,
    chunked_coreset,
    clustering_distortion,
    dask_coreset,
    subspace_distortion,
)

OUT_OF_CORE = """
import resource, sys, tracemalloc
import numpy as np
from skreg.coreset import chunked_coreset

n_rows, n_features, budget = map(int, sys.argv[2:5])
X = np.memmap(sys.argv[1], dtype=np.float32, mode="r", shape=(n_rows, n_features))
chunked_coreset(X[:5000], p=1, n_samples=500, random_state=0)
data = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (data + budget, data + budget))
tracemalloc.start()
coreset = chunked_coreset(X, p=1, n_samples=500, chunk_size=25_000, random_state=0)
print(len(coreset.indices), tracemalloc.get_traced_memory()[1])
"""


def regression(seed, n=5000, d=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.abs(rng.standard_t(3, n))[:, None]
    return X, X @ np.arange(1.0, d + 1) + rng.standard_t(3, n)


@pytest.mark.parametrize(
    ("scores", "p"),
    [
        *product(["uniform", "leverage", "root_leverage", "lewis", "lewis+leverage"], [1, 2, 4]),
        ("distance", 2),
    ],
)
def test_chunks_do_not_change_the_sample(scores, p):
    X, y = regression(0)
    omega = np.random.default_rng(0).integers(0, 3, 5000).astype(float)
    sampler = SensitivitySampler(p=p, scores=scores, n_samples=300, random_state=0)
    for weight in (None, omega):
        expected = sampler.fit(X, y, weight)
        for chunk_size in (None, 700):
            coreset = chunked_coreset(
                X, y, p=p, scores=scores, n_samples=300, sample_weight=weight,
                chunk_size=chunk_size, random_state=0,
            )  # fmt: skip
            np.testing.assert_array_equal(coreset.indices, expected.sample_indices_)
            np.testing.assert_allclose(coreset.sample_weight, expected.sample_weight_, rtol=1e-6)
            np.testing.assert_array_equal(coreset.X, X[coreset.indices])
            np.testing.assert_array_equal(coreset.y, y[coreset.indices])


def test_options_reach_the_scores():
    X, y = regression(1)
    for params in ({"fit_intercept": False}, {"include_y": None}, {"floor": 0.5}):
        sampler = SensitivitySampler(n_samples=200, random_state=0, **params).fit(X, y)
        coreset = chunked_coreset(X, y, n_samples=200, random_state=0, chunk_size=999, **params)
        np.testing.assert_array_equal(coreset.indices, sampler.sample_indices_)


def test_distances_to_the_mean_on_streams_and_blocks():
    X, _ = regression(3)
    params = {"n_samples": 400, "scores": "distance", "floor": 1.0}
    stream = StreamingCoreset(random_state=0, **params)
    for rows in np.array_split(X, 7):
        stream.partial_fit(rows)
    kept, _, weight = stream.get_coreset(reduce=True)
    assert clustering_distortion(X, kept, weight, 5, n_probes=3, random_state=0) < 0.5
    da = pytest.importorskip("dask.array")
    blocks = dask_coreset(da.from_array(X, chunks=(900, 4)), random_state=0, **params)
    chunks = chunked_coreset(X, random_state=0, chunk_size=777, **params)
    np.testing.assert_array_equal(blocks.indices, chunks.indices)
    with pytest.raises(ValueError, match="scores='distance' needs fit_intercept=True"):
        chunked_coreset(X, fit_intercept=False, **params)
    with pytest.raises(ValueError, match="for squared distances, p=2; got p=1"):
        chunked_coreset(X, p=1, **params)


def test_sparse_and_collinear_chunks():
    X, y = regression(2)
    X = np.c_[X, X[:, :1] + X[:, 1:2]]
    dense = chunked_coreset(X, y, p=1, n_samples=200, chunk_size=999, random_state=0)
    other = chunked_coreset(
        sparse.csr_array(X), y, p=1, n_samples=200, chunk_size=1234, random_state=0
    )
    np.testing.assert_array_equal(dense.indices, other.indices)
    assert subspace_distortion(X[:, :4], dense.indices, dense.sample_weight, 1) < 0.5


class OnDisk:
    """An array of which only slices of rows can be read, as those of h5py."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self):
        return len(self._array)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        assert rows.stop - rows.start <= 999
        return self._array[rows]


def test_arrays_on_disk_data_frames_and_lists():
    pd = pytest.importorskip("pandas")
    X, y = regression(8, n=3000)
    omega = np.arange(3000) % 3
    expected = chunked_coreset(X, y, n_samples=100, sample_weight=omega, random_state=0)
    for to_input in (OnDisk, lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a), list):
        coreset = chunked_coreset(
            to_input(X), to_input(y), n_samples=100, sample_weight=to_input(omega),
            chunk_size=999, random_state=0,
        )  # fmt: skip
        for actual, wanted in zip(coreset, expected, strict=True):
            np.testing.assert_allclose(actual, wanted)


def test_as_many_samples_as_rows_keep_everything():
    X, y = regression(3, n=500)
    coreset = chunked_coreset(X, y, n_samples=600, chunk_size=99)
    np.testing.assert_array_equal(coreset.indices, np.arange(500))
    np.testing.assert_array_equal(coreset.sample_weight, 1.0)


def test_bad_chunks_are_refused():
    X, y = regression(4, n=500)
    with pytest.raises(ValueError, match="below the rank 6"):
        chunked_coreset(X, y, n_samples=3)
    with pytest.raises(ValueError, match="not negative"):
        chunked_coreset(X, y, n_samples=30, sample_weight=np.r_[-1.0, np.ones(499)])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        chunked_coreset(X, y[:-1], n_samples=30)
    with pytest.raises(ValueError, match="X must be a matrix"):
        chunked_coreset(y, n_samples=30)
    with pytest.raises(ValueError, match="'scores'"):
        chunked_coreset(X, y, n_samples=30, scores="sensitivity")
    with pytest.raises(ValueError, match="NaN"):
        chunked_coreset(np.where(X > 3, np.nan, X), y, n_samples=30, chunk_size=100)


def write_memmap(path, n_rows, n_features):
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(n_rows, n_features))
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 100_000):
        rows = X[start : start + 100_000]
        rows[:] = rng.standard_normal(rows.shape, dtype=np.float32)
    X[:3] *= 1000
    X.flush()


def peak_memory(path, n_rows, n_features, budget):
    run = subprocess.run(
        [sys.executable, "-c", OUT_OF_CORE, str(path), *map(str, (n_rows, n_features, budget))],
        check=True, capture_output=True, text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    size, peak = map(int, run.stdout.split())
    assert 400 < size < 600
    return peak


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the way Linux does")
def test_peak_memory_does_not_grow_with_the_rows(tmp_path):
    peaks = []
    for n_rows in (100_000, 400_000):
        write_memmap(tmp_path / "X", n_rows, 20)
        peaks.append(peak_memory(tmp_path / "X", n_rows, 20, 64 * 2**20))
    assert peaks[1] < 1.2 * peaks[0] < 1.2 * 16 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the way Linux does")
def test_two_gigabytes_pass_through_64_megabytes(tmp_path):
    """The process may allocate 64 MiB; the peak of what it does allocate is about 3 MiB."""
    n_rows, n_features = 10_000_000, 50
    write_memmap(tmp_path / "X", n_rows, n_features)
    assert (tmp_path / "X").stat().st_size == 2_000_000_000
    assert peak_memory(tmp_path / "X", n_rows, n_features, 64 * 2**20) < 8 * 2**20


def dask_blocks(X, size):
    da = pytest.importorskip("dask.array")
    return da.from_array(X, chunks=(size, *X.shape[1:]))


def test_dask_blocks_do_not_change_the_sample():
    X, y = regression(5)
    expected = chunked_coreset(X, y, p=1, n_samples=300, random_state=0)
    for size in (800, 2500):
        coreset = dask_coreset(
            dask_blocks(X, size), dask_blocks(y, size), p=1, n_samples=300, random_state=0
        )
        np.testing.assert_array_equal(coreset.indices, expected.indices)
        np.testing.assert_allclose(coreset.sample_weight, expected.sample_weight, rtol=1e-6)


def test_dask_arrays_of_unknown_length():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    X, y = regression(9, n=3000)
    expected = chunked_coreset(X, y, n_samples=100, random_state=0)
    table = dd.from_pandas(pd.DataFrame(X).assign(y=y).rename(columns=str), npartitions=3)
    features, target = table[["0", "1", "2", "3"]].values, table["y"].values
    assert np.isnan(features.shape[0])
    coreset = dask_coreset(features, target, n_samples=100, random_state=0)
    np.testing.assert_array_equal(coreset.indices, expected.indices)
    assert np.isnan(features.shape[0])


def test_dask_merge_and_reduce_keeps_all_norms():
    X, y = regression(6, n=12_000)
    coreset = dask_coreset(
        dask_blocks(X, 2000), dask_blocks(y, 2000), p=1, n_samples=500,
        sample_weight=dask_blocks(np.ones(12_000), 2000), method="merge_and_reduce",
        random_state=0,
    )  # fmt: skip
    assert coreset.indices is None
    assert 400 < len(coreset.y) < 600
    both = np.r_[np.c_[X, y], np.c_[coreset.X, coreset.y]]
    omega = np.r_[np.ones(12_000), np.zeros(len(coreset.y))]
    indices = np.arange(12_000, len(both))
    e = subspace_distortion(
        both, indices, coreset.sample_weight, 1, sample_weight=omega, random_state=0
    )
    assert e < 0.35


@pytest.mark.parametrize("method", ["bernoulli", "merge_and_reduce"])
def test_dask_takes_targets_and_weights_from_memory(method):
    pd = pytest.importorskip("pandas")
    X, y = regression(10, n=3000)
    omega = np.arange(3000) % 3
    params = {"n_samples": 100, "method": method, "random_state": 0}
    blocks = dask_blocks(X, 800)
    expected = dask_coreset(
        blocks, dask_blocks(y, 800), sample_weight=dask_blocks(omega, 800), **params
    )
    for convert in (np.asarray, pd.Series, list):
        coreset = dask_coreset(blocks, convert(y), sample_weight=convert(omega), **params)
        for actual, wanted in zip(coreset, expected, strict=True):
            np.testing.assert_array_equal(actual, wanted)
    with pytest.raises(ValueError, match=r"y has shape \(2999,\), but X has 3000 rows"):
        dask_coreset(blocks, y[:-1], **params)
    with pytest.raises(ValueError, match=r"sample_weight has shape \(10,\)"):
        dask_coreset(blocks, y, sample_weight=omega[:10], **params)


def test_dask_refuses_arrays_in_memory():
    pytest.importorskip("dask")
    with pytest.raises(ValueError, match="takes dask collections; got ndarray"):
        dask_coreset(np.ones((10, 2)), n_samples=5)


@pytest.mark.slow
def test_two_workers_agree_with_one_machine():
    distributed = pytest.importorskip("distributed")
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    X, y = regression(7, n=40_000)
    expected = chunked_coreset(X, y, p=1, n_samples=400, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c,
        distributed.Client(c),
    ):
        table = dd.from_pandas(frame, npartitions=7)
        coreset = dask_coreset(table[list("abcd")], table["y"], p=1, n_samples=400, random_state=0)
        np.testing.assert_array_equal(coreset.indices, expected.indices)
        merged = dask_coreset(
            table[list("abcd")], table["y"], p=1, n_samples=400, method="merge_and_reduce",
            random_state=0,
        )  # fmt: skip
        np.testing.assert_allclose(merged.sample_weight.sum(), 40_000, rtol=0.35)


def test_progress_is_shown_for_every_pass_on_demand(capsys):
    pytest.importorskip("tqdm")
    X, y = regression(11, n=1000)
    settings = {"n_samples": 100, "chunk_size": 300, "scores": "leverage", "random_state": 0}
    quiet = chunked_coreset(X, y, **settings)
    assert capsys.readouterr().err == ""
    shown = chunked_coreset(X, y, verbose=1, **settings)
    np.testing.assert_array_equal(shown.indices, quiet.indices)
    assert capsys.readouterr().err.count("4/4") == 4  # Gram matrix, total, largest scores, rows


def test_blocks_without_weight_are_nothing_and_all_of_them_an_error():
    X = np.random.default_rng(0).standard_normal((900, 3))
    weight = np.r_[np.zeros(300), np.ones(600)]
    with pytest.raises(ValueError, match="at least one weight must be positive"):
        chunked_coreset(X, n_samples=50, sample_weight=np.zeros(900))
    da = pytest.importorskip("dask.array")
    blocks = da.from_array(X, chunks=(300, 3))
    for method in ("bernoulli", "merge_and_reduce"):
        coreset = dask_coreset(
            blocks, n_samples=100, sample_weight=weight, method=method, random_state=0
        )
        assert abs(coreset.sample_weight.sum() / 600 - 1) < 0.3


def test_a_batch_without_weight_leaves_a_stream_as_it_is():
    X = np.random.default_rng(0).standard_normal((50, 3))
    stream = StreamingCoreset(n_samples=20, random_state=0).partial_fit(
        X, sample_weight=np.zeros(50)
    )
    for reduce in (False, True):
        X_kept, y_kept, kept_weight = stream.get_coreset(reduce=reduce)
        assert (X_kept.shape, y_kept, kept_weight.shape) == ((0, 3), None, (0,))
    stream.partial_fit(X).partial_fit(X, sample_weight=np.zeros(50))
    np.testing.assert_array_equal(stream.get_coreset()[0], X)
    assert stream.n_samples_seen_ == 150
    with pytest.raises(ValueError, match="at least one non-zero"):
        stream.fit(X, sample_weight=np.zeros(50))
