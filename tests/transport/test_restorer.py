"""LinearTransportRestorer: the trade-off in theory, encoders, patches, composition, refusals."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy.ndimage import uniform_filter
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF, PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skreg.transport import GaussianTransport, LinearTransportRestorer
from skreg.transport._patches import mean_of_patches, moved_by_patches, patches_of

ALPHAS = [-0.5, 0.0, 0.25, 0.5, 1.0]


@pytest.fixture(scope="module")
def digits():
    """(restored, clean) rows to learn from, then other ones."""
    clean = load_digits().data / 16.0
    noisy = clean + 0.4 * np.random.default_rng(0).normal(size=clean.shape)
    restored = Ridge().fit(noisy[:600], clean[:600]).predict(noisy)
    return restored[:600], clean[:600], restored[600:900], clean[600:900]


def test_error_and_distance_follow_the_theory_of_linear_estimation():
    """MSE(alpha) = D + (1 - alpha)^2 W^2 and W2(alpha) = |alpha| W for the best estimate."""
    rng = np.random.default_rng(0)
    d, n = 8, 100_000
    L, H = rng.normal(size=(d, d)) / np.sqrt(d), rng.normal(size=(d, d)) / np.sqrt(d)
    C = L @ L.T
    gain = C @ H.T @ np.linalg.inv(H @ C @ H.T + 0.3 * np.eye(d))
    x = rng.normal(size=(n, d)) @ L.T
    y = x @ H.T + np.sqrt(0.3) * rng.normal(size=(n, d))
    best = y @ gain.T
    restorer = LinearTransportRestorer(FunctionTransformer(), covariance="empirical")
    scores = restorer.fit(best, X_target=x).score_path(best, x, ALPHAS)
    least = np.trace(C - gain @ H @ C)
    distance = restorer.wasserstein_distance_
    np.testing.assert_array_equal(scores["alpha"], ALPHAS)
    np.testing.assert_allclose(
        scores["mse"], least + (1 - scores["alpha"]) ** 2 * distance**2, rtol=0.01
    )
    np.testing.assert_allclose(scores["w2"], np.abs(ALPHAS) * distance, rtol=0.01, atol=1e-6)
    assert scores["mse"][1] <= 2.0 * least * 1.01


def test_without_encoder_latents_are_principal_components_of_the_target(digits):
    restored, clean, unseen, _ = digits
    restorer = LinearTransportRestorer().fit(restored, X_target=clean)
    pca = PCA(0.99).fit(clean)
    np.testing.assert_array_equal(restorer.encoder_.components_, pca.components_)
    map_of_latents = GaussianTransport("ledoit_wolf").fit(
        pca.transform(restored), X_target=pca.transform(clean)
    )
    z = pca.transform(unseen)
    moved = pca.inverse_transform(map_of_latents.transform(z))
    np.testing.assert_allclose(
        restorer.transform(unseen), moved + unseen - pca.inverse_transform(z), atol=1e-10
    )
    for name in (
        "source_mean_", "target_mean_", "source_covariance_", "target_covariance_", "operator_",
        "wasserstein_distance_", "shrinkage_source_", "shrinkage_target_", "n_samples_seen_",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(restorer, name), getattr(map_of_latents, name))
    assert restorer.noise_covariance_ is None


def test_without_residual_only_what_the_encoder_keeps_is_returned(digits):
    restored, clean, unseen, _ = digits
    restorer = LinearTransportRestorer(PCA(5), keep_residual=False).fit(restored, X_target=clean)
    moved = restorer.transform(unseen)
    pca = restorer.encoder_
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(moved)), moved, atol=1e-10)


@pytest.mark.parametrize("interpolate", ["input", "latent"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_alpha_of_one_returns_the_outputs_exactly(digits, interpolate, dtype):
    restored, clean, unseen, _ = (part.astype(dtype) for part in digits)
    restorer = LinearTransportRestorer(PCA(5), interpolate=interpolate)
    moved = restorer.fit(restored, X_target=clean).transform(unseen, alpha=1.0)
    np.testing.assert_array_equal(moved, unseen)
    assert moved.dtype == restorer.transform(unseen).dtype == dtype


def test_interpolation_of_latents_is_that_of_signals_for_linear_decoders_only(digits):
    restored, clean, unseen, _ = digits
    squares = FunctionTransformer(np.square, np.sqrt)
    paths = {}
    for name, encoder in {"linear": PCA(20, svd_solver="full"), "squares": squares}.items():
        for interpolate in ("input", "latent"):
            restorer = LinearTransportRestorer(encoder, interpolate=interpolate)
            restorer.fit(restored + 2.0, X_target=clean + 2.0)
            paths[name, interpolate] = restorer.transform(unseen + 2.0, alpha=0.5)
    np.testing.assert_allclose(paths["linear", "input"], paths["linear", "latent"], atol=1e-10)
    assert np.abs(paths["squares", "input"] - paths["squares", "latent"]).max() > 1e-4


def test_a_path_is_each_of_its_points(digits):
    restored, clean, unseen, true = digits
    restorer = LinearTransportRestorer(noise="auto", random_state=0).fit(restored, X_target=clean)
    path = restorer.transform_path(unseen, ALPHAS)
    assert path.shape == (len(ALPHAS), *unseen.shape)
    for alpha, signals in zip(ALPHAS, path, strict=True):
        np.testing.assert_array_equal(signals, restorer.transform(unseen, alpha))
    scores = restorer.score_path(unseen, true, ALPHAS)
    np.testing.assert_allclose(
        scores["mse"], np.mean(np.sum((path - true) ** 2, axis=2), axis=1), rtol=1e-12
    )


def test_signals_are_clipped(digits):
    restored, clean, unseen, _ = digits
    restorer = LinearTransportRestorer(clip=(0, 1)).fit(restored, X_target=clean)
    free = LinearTransportRestorer().fit(restored, X_target=clean).transform(unseen)
    assert free.min() < 0
    np.testing.assert_array_equal(restorer.transform(unseen), free.clip(0, 1))
    np.testing.assert_array_equal(restorer.transform(unseen, alpha=1), unseen.clip(0, 1))


# ------------------------------------------------------------------------------------------------
# encoders


def test_a_frozen_encoder_is_not_fitted_again(digits):
    restored, clean, unseen, _ = digits
    pca = PCA(10).fit(clean[:50])
    components = pca.components_.copy()
    frozen = LinearTransportRestorer(FrozenEstimator(pca)).fit(restored, X_target=clean)
    frozen.transform(unseen)
    np.testing.assert_array_equal(frozen.encoder_.components_, components)
    cloned = LinearTransportRestorer(pca).fit(restored, X_target=clean)
    assert cloned.encoder_ is not pca
    np.testing.assert_array_equal(pca.components_, components)


def test_functions_pipelines_and_factorisations_encode(digits):
    restored, clean, unseen, _ = digits
    for encoder in (
        FunctionTransformer(lambda X: np.log1p(X + 3), lambda Z: np.expm1(Z) - 3),
        make_pipeline(StandardScaler(), PCA(10)),
        NMF(8, max_iter=400, tol=1e-3),
    ):
        restorer = LinearTransportRestorer(encoder)
        restorer.fit(restored.clip(0), X_target=clean)
        moved = restorer.transform(unseen.clip(0))
        assert np.isfinite(moved).all()
        assert moved.shape == unseen.shape


def test_latents_may_be_images():
    """Encoders of networks return (n, channels, height, width), which the decoder reads."""
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(40, 8)), 3.0 * rng.normal(size=(40, 8))
    as_images = FunctionTransformer(
        lambda X: X.reshape(-1, 2, 2, 2), lambda Z: Z.reshape(len(Z), -1), check_inverse=False
    )
    moved = LinearTransportRestorer(as_images).fit(X, X_target=T).transform(X)
    flat = LinearTransportRestorer(FunctionTransformer()).fit(X, X_target=T).transform(X)
    np.testing.assert_allclose(moved, flat, atol=1e-12)


class OneWay(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class Shortening(OneWay):
    def inverse_transform(self, Z):
        return Z[:, :1]


def test_encoders_without_a_way_back_are_refused(digits):
    restored, clean, unseen, _ = digits
    with pytest.raises(TypeError, match="inverse_transform"):
        LinearTransportRestorer(OneWay()).fit(restored, X_target=clean)
    wrong = LinearTransportRestorer(Shortening()).fit(restored, X_target=clean)
    with pytest.raises(ValueError, match="returns shape"):
        wrong.transform(unseen)


# ------------------------------------------------------------------------------------------------
# patches


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_patches_that_do_not_move_give_the_image_back(size, channels):
    images = np.random.default_rng(0).normal(size=(2, 7, 5, channels))
    patches = patches_of(images, size)
    assert patches.shape == (2 * (8 - size) * (6 - size), channels * size**2)
    np.testing.assert_allclose(mean_of_patches(patches, images.shape, size), images, atol=1e-14)
    np.testing.assert_allclose(
        moved_by_patches(images, size, lambda rows: rows), images, atol=1e-14
    )


@pytest.mark.parametrize("size", [3, 5])
def test_a_patch_replaced_by_its_mean_blurs_twice_with_repeated_edges(size):
    """Patches outside of the padded image do not exist, so this holds away from the edges."""
    images = np.random.default_rng(0).normal(size=(2, 16, 15, 1))
    blurred = moved_by_patches(
        images, size, lambda rows: np.broadcast_to(rows.mean(axis=1, keepdims=True), rows.shape)
    )
    twice = images[..., 0]
    for _ in range(2):
        twice = np.stack([uniform_filter(image, size, mode="nearest") for image in twice])
    inner = slice(size, -size)
    np.testing.assert_allclose(blurred[:, inner, inner, 0], twice[:, inner, inner], atol=1e-12)


def test_edges_are_repeated_outwards():
    """A constant image has no edges, whatever its patches are averaged with."""
    images = np.full((1, 5, 6, 2), 3.0)
    blurred = moved_by_patches(
        images, 3, lambda rows: np.broadcast_to(rows.mean(axis=1, keepdims=True), rows.shape)
    )
    np.testing.assert_allclose(blurred, images, rtol=1e-14)


def test_blocks_of_images_are_independent(monkeypatch):
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(9, 20)), 2.0 * rng.normal(size=(9, 20))
    restorer = LinearTransportRestorer(patch_size=2, image_shape=(4, 5)).fit(X, X_target=T)
    whole = restorer.transform(X)
    monkeypatch.setattr("skreg.transport._patches.ENTRIES_AT_ONCE", 1)
    np.testing.assert_allclose(restorer.transform(X), whole, atol=1e-13)


def test_noise_of_blocks_differs(monkeypatch):
    X = np.zeros((2, 16)) + [[1.0], [-1.0]]
    T = np.random.default_rng(0).normal(size=(30, 16))
    restorer = LinearTransportRestorer(
        patch_size=2, image_shape=(4, 4), covariance="empirical", noise="auto", random_state=0
    ).fit(X, X_target=T)
    monkeypatch.setattr("skreg.transport._patches.ENTRIES_AT_ONCE", 1)
    same = restorer.transform(np.ones((2, 16)))
    assert np.abs(same[0] - same[1]).min() > 0.0
    np.testing.assert_array_equal(same, restorer.transform(np.ones((2, 16))))


def test_a_constant_shift_of_images_is_found_by_patches():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10, 6 * 7 * 2))
    restorer = LinearTransportRestorer(
        patch_size=3, image_shape=(6, 7, 2), covariance="empirical"
    ).fit(X, X_target=X + 4.0)
    np.testing.assert_allclose(restorer.transform(X), X + 4.0, atol=1e-8)
    assert restorer.n_samples_seen_ == (10 * 4 * 5, 10 * 4 * 5)


def test_one_patch_is_the_whole_image():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(50, 9)), 2.0 * rng.normal(size=(50, 9))
    patches = LinearTransportRestorer(patch_size=3, image_shape=(3, 3)).fit(X, X_target=T)
    whole = GaussianTransport("ledoit_wolf").fit(X, X_target=T)
    np.testing.assert_allclose(patches.operator_, whole.operator_, atol=1e-12)


def test_patches_of_one_number_are_one_map_of_all_pixels():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(20, 6)), 5.0 + 3.0 * rng.normal(size=(20, 6))
    moved = (
        LinearTransportRestorer(patch_size=1, image_shape=(2, 3)).fit(X, X_target=T).transform(X)
    )
    np.testing.assert_allclose(moved, T.mean() + T.std() / X.std() * (X - X.mean()), atol=1e-12)


# ------------------------------------------------------------------------------------------------
# batches, pipelines, searches


def test_batches_equal_one_fit(digits):
    restored, clean, unseen, _ = digits
    frozen = FrozenEstimator(PCA(20).fit(clean))
    for settings in (
        {"encoder": frozen},
        {"patch_size": 3, "image_shape": (8, 8)},
    ):
        whole = LinearTransportRestorer(**settings).fit(restored, X_target=clean)
        batches = LinearTransportRestorer(**settings)
        for part in np.array_split(clean, 4):
            batches.partial_fit(part, role="target")
        for part in np.array_split(restored[::-1], 3):
            batches.partial_fit(part)
        np.testing.assert_allclose(batches.transform(unseen), whole.transform(unseen), atol=1e-8)


def test_a_refused_batch_changes_nothing(digits):
    restored, clean, unseen, _ = digits
    restorer = LinearTransportRestorer().partial_fit(clean, role="target").partial_fit(restored)
    before = restorer.transform(unseen)
    with pytest.raises(ValueError, match="role must be"):
        restorer.partial_fit(clean, role="goal")
    np.testing.assert_array_equal(restorer.transform(unseen), before)


def test_single_rows_are_batches_where_the_encoder_needs_no_more(digits):
    restored, clean, unseen, _ = digits
    with pytest.raises(ValueError, match="minimum of 2"):
        LinearTransportRestorer().partial_fit(clean[:1], role="target")
    frozen = FrozenEstimator(PCA(3).fit(clean))
    single = LinearTransportRestorer(frozen)
    for i in range(5):
        single.partial_fit(clean[[i]], role="target").partial_fit(restored[[i]])
    whole = LinearTransportRestorer(frozen).fit(restored[:5], X_target=clean[:5])
    np.testing.assert_allclose(single.transform(unseen), whole.transform(unseen), atol=1e-8)


class Denoiser(Ridge, TransformerMixin):
    """A model as a step of a pipeline: transform is predict."""

    def transform(self, X):
        return self.predict(X)


def test_behind_a_model_in_a_pipeline(digits):
    _, clean, unseen, _ = digits
    noisy = clean + 0.4 * np.random.default_rng(1).normal(size=clean.shape)
    by_y = make_pipeline(Denoiser(), LinearTransportRestorer(alpha=0.25)).fit(noisy, clean)
    with sklearn.config_context(enable_metadata_routing=True):
        restorer = LinearTransportRestorer(alpha=0.25).set_fit_request(X_target=True)
        routed = make_pipeline(Denoiser(), restorer).fit(noisy, clean, X_target=clean)
    np.testing.assert_array_equal(by_y.transform(unseen), routed.transform(unseen))
    by_hand = LinearTransportRestorer().fit(by_y[0].predict(noisy), X_target=clean)
    np.testing.assert_array_equal(
        by_y.transform(unseen), by_hand.transform(by_y[0].predict(unseen), alpha=0.25)
    )
    loaded = pickle.loads(pickle.dumps(by_y))
    np.testing.assert_array_equal(loaded.transform(unseen), by_y.transform(unseen))


def test_a_search_finds_the_alpha_of_least_error(digits):
    restored, clean, _, _ = digits

    def negative_error(estimator, X, y):
        return -np.mean(np.sum((estimator.transform(X) - y) ** 2, axis=1))

    search = GridSearchCV(
        LinearTransportRestorer(), {"alpha": [0.0, 0.5, 1.0]}, scoring=negative_error, cv=3
    ).fit(restored, clean)
    assert search.best_params_ == {"alpha": 1.0}  # a model trained for it has the least error
    assert (np.diff(search.cv_results_["mean_test_score"]) > 0).all()


def test_frames_keep_their_columns(digits):
    pd = pytest.importorskip("pandas")
    restored, clean, unseen, _ = (
        pd.DataFrame(part[:, :20], columns=[f"pixel{j}" for j in range(20)]) for part in digits
    )
    restorer = LinearTransportRestorer().set_output(transform="pandas")
    moved = restorer.fit(restored, X_target=clean).transform(unseen)
    assert list(moved.columns) == list(restored.columns)


@pytest.mark.parametrize("params", [{}, {"patch_size": 2, "image_shape": (4, 5)}], ids=str)
def test_where_all_transformers_return_frames(digits, params):
    pytest.importorskip("pandas")
    restored, clean, unseen, true = (part[:, :20] for part in digits)
    wanted = LinearTransportRestorer(**params).fit(restored, X_target=clean).transform(unseen)
    with sklearn.config_context(transform_output="pandas"):
        restorer = LinearTransportRestorer(**params).fit(restored, X_target=clean)
        np.testing.assert_array_equal(restorer.transform(unseen).to_numpy(), wanted)
        restorer.score_path(unseen, true, [0.0])
        partial = LinearTransportRestorer(**params).partial_fit(clean, role="target")
        assert partial.partial_fit(restored).transform_path(unseen, [1.0]).shape == (1, 300, 20)


# ------------------------------------------------------------------------------------------------
# what cannot be meant


@pytest.mark.parametrize(
    "params",
    [
        {"alpha": np.inf}, {"interpolate": "both"}, {"keep_residual": "yes"}, {"clip": (1, 0)},
        {"clip": (1,)}, {"noise": True}, {"patch_size": 0, "image_shape": (8, 8)},
        {"patch_size": 3}, {"image_shape": (8, 8)}, {"patch_size": 9, "image_shape": (8, 8)},
        {"image_shape": (64,), "patch_size": 1}, {"image_shape": (8, 9), "patch_size": 3},
        {"covariance": "none"}, {"random_state": "seed"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_refused(digits, params):
    restored, clean, _, _ = digits
    with pytest.raises(ValueError, match=next(iter(params))):
        LinearTransportRestorer(**params).fit(restored, X_target=clean)


def test_bad_samples_are_refused(digits):
    restored, clean, unseen, true = digits
    for X_target in (clean[:, :5], clean[:1], np.full_like(clean, np.nan)):
        with pytest.raises(ValueError, match=r"X_target|minimum of 2"):
            LinearTransportRestorer().fit(restored, X_target=X_target)
    restorer = LinearTransportRestorer().fit(restored, X_target=clean)
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        restorer.transform_path(unseen, [0.0, np.nan])
    with pytest.raises(ValueError, match="X_true has"):
        restorer.score_path(unseen, true[:-1], [0.0])
