"""LinearNaiveBayes on torch tensors and dask arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context

from skreg.probe import LinearNaiveBayes

torch = pytest.importorskip("torch")
da = pytest.importorskip("dask.array")


def problem(n_samples=500, n_features=20, n_classes=5):
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n_samples)
    X = rng.normal(0, 1, (n_classes, n_features))[y] + rng.normal(3, 2, (n_samples, n_features))
    return X, y, rng.uniform(0, 2, n_samples)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("chunk_size", [None, 64])
def test_torch_equals_numpy(dtype, tolerance, chunk_size):
    X, y, weights = problem()
    weights[:20] = 0
    X = X.astype(dtype)
    params = {"chunk_size": chunk_size, "shrinkage": "loo", "temperature": "loo"}
    expected = LinearNaiveBayes(**params).fit(X, y, sample_weight=weights)
    with config_context(array_api_dispatch=True):
        tensor = torch.asarray(X)
        probe = LinearNaiveBayes(**params).fit(tensor, torch.asarray(y), torch.asarray(weights))
        assert probe.coef_.dtype == tensor.dtype
        for name in ("coef_", "intercept_", "var_", "theta_"):
            assert_allclose(
                getattr(probe, name), getattr(expected, name), rtol=tolerance, atol=tolerance
            )
        proba = probe.predict_proba(tensor)
        assert isinstance(proba, torch.Tensor)
        assert_allclose(proba, expected.predict_proba(X), atol=tolerance)
        assert_array_equal(probe.predict(tensor), expected.predict(X))
        assert_allclose(
            probe.loo_decision_function(tensor, torch.asarray(y), torch.asarray(weights)),
            expected.loo_decision_function(X, y, weights),
            rtol=tolerance,
            atol=tolerance,
        )


@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_tensors(dispatch, dtype):
    X, y, _ = problem()
    tensor = torch.asarray(X * 300).to(dtype)  # squares overflow float16
    expected = LinearNaiveBayes().fit(tensor.to(torch.float32).numpy(), y)
    with config_context(array_api_dispatch=dispatch):
        probe = LinearNaiveBayes().fit(tensor, torch.asarray(y))
        assert_allclose(probe.coef_, expected.coef_, rtol=1e-3, atol=1e-6)
        predicted = np.asarray(probe.predict(tensor))
    assert_array_equal(predicted, expected.predict(tensor.float().numpy()))


def test_a_constant_feature_of_a_tensor_has_no_weight():
    X, y, _ = problem()
    tensor = torch.asarray(np.column_stack([X, np.full(y.size, 1 / 3)]), dtype=torch.float32)
    with config_context(array_api_dispatch=True):
        probe = LinearNaiveBayes(chunk_size=100).fit(tensor, torch.asarray(y))
    assert (probe.coef_[:, -1] == 0).all()


def test_permitted_tf32_is_restored():
    X, y, _ = problem()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with config_context(array_api_dispatch=True):
            LinearNaiveBayes().fit(torch.asarray(X, dtype=torch.float32), torch.asarray(y))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_tensors_stay_tensors_in_batches_and_string_labels_are_fine():
    X, y, _ = problem()
    labels = np.array(list("abcde"))[y]
    with config_context(array_api_dispatch=True):
        probe = LinearNaiveBayes()
        for start in range(0, 500, 125):
            rows = slice(start, start + 125)
            probe.partial_fit(torch.asarray(X[rows]), labels[rows])
        assert isinstance(probe.coef_, torch.Tensor)
        predicted = probe.predict(torch.asarray(X))
    assert_array_equal(predicted, LinearNaiveBayes().fit(X, labels).predict(X))


def test_a_data_loader_is_an_iterable_of_batches():
    X, y, _ = problem()
    data = torch.utils.data.TensorDataset(torch.asarray(X), torch.asarray(y))
    loader = torch.utils.data.DataLoader(data, batch_size=37, shuffle=True)
    expected = LinearNaiveBayes().fit(X, y)
    for dispatch in (False, True):
        with config_context(array_api_dispatch=dispatch):
            probe = LinearNaiveBayes().fit_batches(loader)
        assert_allclose(probe.coef_, expected.coef_, rtol=1e-9)
        assert_array_equal(probe.classes_, expected.classes_)


def test_non_finite_tensor_is_refused():
    X, y, _ = problem()
    X[3, 4] = np.nan
    with config_context(array_api_dispatch=True), pytest.raises(ValueError, match="NaN"):
        LinearNaiveBayes().fit(torch.asarray(X), torch.asarray(y))


@pytest.mark.parametrize("only", [0, 1])
def test_a_class_without_rows_yet_has_probability_zero_in_tensors_and_blocks(only):
    X, y, _ = problem(n_classes=2)
    rows = y == only
    expected = np.tile(np.arange(2) == only, (y.size, 1))
    with config_context(array_api_dispatch=True):
        tensor = torch.asarray(X)
        probe = LinearNaiveBayes().partial_fit(tensor[rows], torch.asarray(y[rows]), [0, 1])
        assert_array_equal(probe.predict_proba(tensor).numpy(), expected)
        one = LinearNaiveBayes().partial_fit(tensor[rows], torch.asarray(y[rows]))
        assert_array_equal(one.predict_proba(tensor).numpy(), np.ones((y.size, 1)))
    probe = LinearNaiveBayes().partial_fit(X[rows], y[rows], [0, 1])
    blocks = da.from_array(X, chunks=(100, -1))
    assert_array_equal(probe.predict_proba(blocks).compute(), expected)
    one = LinearNaiveBayes().partial_fit(X[rows], y[rows])
    assert_array_equal(one.predict_proba(blocks).compute(), np.ones((y.size, 1)))
    assert one.decision_function(blocks).compute().shape == (y.size, 1)


class TestDask:
    @pytest.fixture
    def cluster(self):
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client

    @pytest.mark.usefixtures("cluster")
    def test_blocks_on_a_cluster_equal_one_array(self):
        X, y, weights = problem()
        labels = np.sort(y)  # most blocks lack most classes
        blocks = da.from_array(X, chunks=(70, 8))
        probe = LinearNaiveBayes().fit(blocks, da.from_array(labels, chunks=200), weights)
        expected = LinearNaiveBayes().fit(X, labels, weights)
        assert_allclose(probe.coef_, expected.coef_, rtol=1e-10, atol=1e-12)
        assert_allclose(probe.intercept_, expected.intercept_, rtol=1e-10)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            lazy = getattr(probe, method)(blocks)
            assert isinstance(lazy, da.Array)
            assert_allclose(lazy.compute(), getattr(expected, method)(X), rtol=1e-9, atol=1e-12)

    def test_single_precision_blocks_and_two_classes(self):
        X, y, _ = problem(n_classes=2)
        blocks = da.from_array(X.astype(np.float32), chunks=(100, -1))
        probe = LinearNaiveBayes().fit(blocks, np.array(["no", "yes"])[y])
        assert probe.coef_.dtype == np.float32
        assert probe.decision_function(blocks).compute().shape == (500,)
        assert set(probe.predict(blocks).compute()) == {"no", "yes"}

    def test_blocks_of_unknown_length_are_those_of_known_length(self):
        X, y, _ = problem()
        blocks, labels = da.from_array(X, chunks=(100, -1)), da.from_array(y, chunks=70)
        kept, kept_labels = blocks[blocks[:, 0] > 0], labels[X[:, 0] > 0]
        assert np.isnan(kept.shape[0])
        expected = LinearNaiveBayes().fit(X[X[:, 0] > 0], y[X[:, 0] > 0])
        probe = LinearNaiveBayes().fit(kept, kept_labels)
        assert_allclose(probe.coef_, expected.coef_, rtol=1e-10, atol=1e-12)
        predicted = probe.predict_proba(kept)
        assert np.isnan(predicted.shape[0])  # still lazy
        assert_allclose(predicted.compute(), expected.predict_proba(X[X[:, 0] > 0]), atol=1e-12)

    def test_data_frames_are_refused_as_their_names_would_get_lost(self):
        pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
        X, y, _ = problem()
        frame = dd.from_pandas(pd.DataFrame(X).rename(columns=str), npartitions=2)
        with pytest.raises(ValueError, match=r"give X.to_dask_array\(lengths=True\)"):
            LinearNaiveBayes().fit(frame, y)
        with pytest.raises(ValueError, match=r"give X.to_dask_array\(lengths=True\)"):
            LinearNaiveBayes().fit(X, y).predict(frame)

    def test_bad_blocks(self):
        X, y, _ = problem()
        blocks = da.from_array(X, chunks=(100, -1))
        with pytest.raises(ValueError, match="y has shape"):
            LinearNaiveBayes().fit(blocks, y[:-1])
        with pytest.raises(ValueError, match="takes a matrix; got X with 1 dim"):
            LinearNaiveBayes().fit(blocks[:, 0], y)
        with pytest.raises(ValueError, match="dask array"):
            LinearNaiveBayes(shrinkage="loo").fit(blocks, y)
        with pytest.raises(ValueError, match="at least two classes"):
            LinearNaiveBayes().fit(blocks, np.zeros(500))
        bad = X.copy()
        bad[450, 3] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            LinearNaiveBayes().fit(da.from_array(bad, chunks=(100, -1)), y)
