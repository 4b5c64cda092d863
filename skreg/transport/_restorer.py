"""Restored signals that are distributed like real ones: transport in an encoder's coordinates."""

from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import HasMethods, Interval, StrOptions
from skreg._state import all_or_nothing
from skreg.transport._gaussian_transport import GaussianTransport
from skreg.transport._interpolation import between, checked_alpha
from skreg.transport._layout import Layout
from skreg.transport._sample_covariance import INTENSITIES
from skreg.transport._sides import FLOATS, checked_target, target_of

PATH = np.dtype([("alpha", float), ("mse", float), ("w2", float)])


def _of_transport(name):
    def learned(self: Any) -> Any:
        return getattr(self.transport_, name)

    return property(learned, doc=f"`{name}` of `transport_`, in latents.")


class LinearTransportRestorer(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Give the outputs of a model the distribution of real data, by one affine map of latents.

    What is trained for squared error is too smooth: it has the mean of the data but less variance.
    From unpaired outputs and real examples, a dozen may do, this learns the optimal map between
    both (as if they were normal, `GaussianTransport`) in the coordinates of an encoder. `alpha`
    then trades fidelity against realism, without training: 0 is distributed like the target, 1 is
    the model's output. If the output is the best estimate in squared error, D its error and W its
    distance to the target, the error at alpha is D + (1 - alpha)^2 W^2, and the distance alpha W.

    Parameters
    ----------
    encoder : transformer with `inverse_transform`, default=None
        Where the map acts. A clone is fitted on the target's rows; inside a
        `sklearn.frozen.FrozenEstimator` it stays as it is. A pair of functions becomes one by
        ``FunctionTransformer(encode, decode)``. If None, the principal components that hold 99 %
        of the variance or, with patches, the rows themselves.
    covariance : {"empirical", "ledoit_wolf", "oas"} or estimator, default="ledoit_wolf"
        As in `GaussianTransport`.
    alpha : float, default=0.0
        How much of the model's output is kept, from 0 to 1; beyond both ends it is extrapolated.
    interpolate : {"input", "latent"}, default="input"
        Whether signals are interpolated, or their latents.
    keep_residual : bool, default=True
        Add what the encoder loses of a signal, so that only what it keeps is changed.
    clip : (float, float), default=None
        Range of the signals that are returned.
    noise : {"auto", "none"}, default="none"
        As in `GaussianTransport`.
    patch_size : int, default=None
        If given, latents are images whose overlapping square patches all go through one map, and
        the mean is taken where they overlap: few images are then many rows.
    image_shape : (height, width) or (height, width, channels), default=None
        Shape of a row of latents, needed with `patch_size`.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    encoder_ : transformer
        The fitted encoder.
    transport_ : GaussianTransport
        The map between latents, or their patches.
    source_mean_, target_mean_ : ndarray of shape (n_latents,)
        Means of the latents.
    source_covariance_, target_covariance_ : ndarray of shape (n_latents, n_latents)
        Their covariances.
    operator_ : ndarray of shape (n_latents, n_latents)
        Matrix of the map.
    noise_covariance_ : ndarray of shape (n_latents, n_latents) or None
        Covariance that the map cannot reach without noise.
    wasserstein_distance_ : float
        Distance between both sides, as normal distributions of latents; not squared.
    shrinkage_source_, shrinkage_target_ : float or None
        Strengths of shrinkage.
    n_samples_seen_ : tuple of two int
        Numbers of rows, of patches if there are any, of the source and of the target.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    GaussianTransport : The map itself.
    TransportTradeoffDisplay : Error against distance along alpha.

    Notes
    -----
    Patches of one image depend on each other: 16 images with thousands of patches are not
    thousands of independent rows, and shrinkage, which takes them for that, is too weak.

    References
    ----------
    T. J. Adrai, G. Ohayon, M. Elad and T. Michaeli, "Deep Optimal Transport: A Practical Algorithm
    for Photo-realistic Image Restoration", NeurIPS 2023.

    D. Freirich, T. Michaeli and R. Meir, "A Theory of the Distortion-Perception Tradeoff in
    Wasserstein Space", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import Ridge
    >>> from skreg.transport import LinearTransportRestorer
    >>> clean = load_digits().data / 16
    >>> noisy = clean + 0.3 * np.random.default_rng(0).normal(size=clean.shape)
    >>> ridge = Ridge().fit(noisy[:900], clean[:900])
    >>> restored, smooth = ridge.predict(noisy[:900]), ridge.predict(noisy[900:])
    >>> restorer = LinearTransportRestorer().fit(restored, X_target=clean[:900])
    >>> sharp = restorer.transform(smooth, alpha=0.25)
    >>> bool(smooth.var() < sharp.var() < clean.var())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "encoder": [HasMethods(["transform", "inverse_transform"]), None],
        "covariance": [StrOptions(set(INTENSITIES)), HasMethods("fit")],
        "alpha": [Interval(Real, None, None, closed="neither")],
        "interpolate": [StrOptions({"input", "latent"})],
        "keep_residual": ["boolean"],
        "clip": [tuple, list, None],
        "noise": [StrOptions({"auto", "none"})],
        "patch_size": [Interval(Integral, 1, None, closed="left"), None],
        "image_shape": [tuple, list, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        encoder: Any = None,
        *,
        covariance: Any = "ledoit_wolf",
        alpha: float = 0.0,
        interpolate: Literal["input", "latent"] = "input",
        keep_residual: bool = True,
        clip: tuple[float, float] | None = None,
        noise: Literal["auto", "none"] = "none",
        patch_size: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoder = encoder
        self.covariance = covariance
        self.alpha = alpha
        self.interpolate = interpolate
        self.keep_residual = keep_residual
        self.clip = clip
        self.noise = noise
        self.patch_size = patch_size
        self.image_shape = image_shape
        self.random_state = random_state

    source_mean_ = _of_transport("source_mean_")
    target_mean_ = _of_transport("target_mean_")
    source_covariance_ = _of_transport("source_covariance_")
    target_covariance_ = _of_transport("target_covariance_")
    operator_ = _of_transport("operator_")
    noise_covariance_ = _of_transport("noise_covariance_")
    wasserstein_distance_ = _of_transport("wasserstein_distance_")
    shrinkage_source_ = _of_transport("shrinkage_source_")
    shrinkage_target_ = _of_transport("shrinkage_target_")
    n_samples_seen_ = _of_transport("n_samples_seen_")

    @all_or_nothing
    def fit(self, X: Any, y: Any = None, *, X_target: Any = None) -> Self:
        """Learn the map from outputs of a model and real examples, which need not be paired.

        Parameters
        ----------
        X : array-like of shape (n_source, n_features)
            Outputs of the model.
        y : array-like, default=None
            The target, if it is a matrix and `X_target` is None; labels are ignored.
        X_target : array-like of shape (n_target, n_features), default=None
            Real examples. Without any, the target is the standard normal distribution of latents.

        Returns
        -------
        LinearTransportRestorer
            The fitted estimator.

        Raises
        ------
        ValueError
            If a side has fewer than two rows, numbers that are not finite or another number of
            columns, or if patches do not fit the latents.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        X_target = target_of(y, X_target, X.shape[1])
        if X_target is not None:
            X_target = checked_target(self, X_target)
        self.encoder_ = self._new_encoder().fit(X if X_target is None else X_target, None)
        rows = None if X_target is None else self._layout.rows(self._latents(X_target))
        self.transport_ = self._new_transport().fit(
            self._layout.rows(self._latents(X)), X_target=rows
        )
        return self

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002  scikit-learn's convention
        *,
        role: Literal["source", "target"] = "source",
    ) -> Self:
        """Learn from further rows of one side.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Further rows. The encoder is fitted on those of the first call, principal components on
            at least two: begin with the target, or freeze a fitted encoder.
        y : object, default=None
            Ignored.
        role : {"source", "target"}, default="source"
            Which side they belong to.

        Returns
        -------
        LinearTransportRestorer
            The estimator, fitted as soon as each side has two rows.

        Raises
        ------
        ValueError
            As `fit`; and if `covariance` is an estimator, which needs all rows at once.
        """
        self._check_parameters()
        first = not hasattr(self, "transport_")
        needed = 2 if first and self.encoder is None and self.patch_size is None else 1
        X = validate_data(self, X, dtype=FLOATS, reset=first, ensure_min_samples=needed)
        if first:
            self.encoder_ = self._new_encoder().fit(X, None)
            transport = self._new_transport()
        else:
            transport = copy(self.transport_).set_params(
                **self._new_transport().get_params(deep=False)
            )
        self.transport_ = transport.partial_fit(self._layout.rows(self._latents(X)), role=role)
        return self

    def _check_parameters(self):
        self._validate_params()
        if self.clip is not None and not (len(self.clip) == 2 and self.clip[0] <= self.clip[1]):
            raise ValueError(f"clip must be (lowest, highest); got {self.clip!r}")
        Layout.of(self.patch_size, self.image_shape)

    @property
    def _layout(self):
        return Layout.of(self.patch_size, self.image_shape)

    def _new_encoder(self):
        if self.encoder is not None:
            return clone(self.encoder)
        own = PCA(0.99) if self.patch_size is None else FunctionTransformer()
        return own.set_output(transform="default")

    def _new_transport(self):
        return GaussianTransport(self.covariance, noise=self.noise, random_state=self.random_state)

    def _latents(self, X):
        return np.asarray(self.encoder_.transform(X))

    def _decoded(self, latents, X):
        signals = np.asarray(self.encoder_.inverse_transform(latents))
        if signals.shape != X.shape:
            raise ValueError(
                f"inverse_transform of the encoder returns shape {signals.shape} for signals of "
                f"shape {X.shape}"
            )
        return signals

    def _transported(self, latents):
        transport = copy(self.transport_)
        transport.random_state = check_random_state(self.random_state)  # blocks differ in noise
        transport.set_output(transform="default")  # arrays, whatever all transformers are set to
        return self._layout.moved(latents, lambda rows: transport.transform(rows, alpha=0.0))

    def transform(self, X: Any, alpha: float | None = None) -> np.ndarray:
        """Move outputs of the model towards real data.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Outputs of the model.
        alpha : float, default=None
            In place of the parameter `alpha`.

        Returns
        -------
        ndarray of shape (n, n_features)
            Signals; X itself for alpha = 1, if they are not clipped.

        Raises
        ------
        ValueError
            If `alpha` is not a finite number.
        """
        return self.transform_path(X, [self.alpha if alpha is None else alpha])[0]

    def transform_path(self, X: Any, alphas: ArrayLike) -> np.ndarray:
        """`transform` at several alphas, with the same noise.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Outputs of the model.
        alphas : array-like of shape (n_alphas,)
            Values of alpha.

        Returns
        -------
        ndarray of shape (n_alphas, n, n_features)
            Signals.

        Raises
        ------
        ValueError
            If an alpha is not a finite number.
        """
        check_is_fitted(self)
        alphas = [checked_alpha(alpha) for alpha in np.ravel(alphas).tolist()]
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        latents = self._latents(X)
        moved = self._transported(latents)
        lossy = self._decoded(latents, X) if self.keep_residual else X

        def signals_of(latents):
            return X + (self._decoded(latents, X) - lossy)

        path = np.empty((len(alphas), *X.shape), dtype=X.dtype)
        target = signals_of(moved) if self.interpolate == "input" else None
        for alpha, signals in zip(alphas, path, strict=True):
            if target is None:
                signals[:] = signals_of(between(moved, latents, alpha))
            else:
                signals[:] = between(target, X, alpha)
        return path if self.clip is None else np.clip(path, *self.clip, out=path)

    def score_path(self, X: Any, X_true: Any, alphas: ArrayLike) -> np.ndarray:
        """Error and distance to real data of `transform` at several alphas.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Outputs of the model.
        X_true : array-like of shape (n, n_features)
            The true signals, row by row.
        alphas : array-like of shape (n_alphas,)
            Values of alpha.

        Returns
        -------
        ndarray of shape (n_alphas,)
            Records with the fields ``alpha``, ``mse``, the mean over rows of the squared error
            summed over columns, and ``w2``, the Wasserstein distance (not squared) between normal
            distributions with the moments of the returned and of the true signals.

        Raises
        ------
        ValueError
            If `X_true` has another shape than X, or fewer than two rows.
        """
        check_is_fitted(self)
        X_true = check_array(X_true, dtype=np.float64, input_name="X_true", ensure_min_samples=2)
        if X_true.shape != np.shape(X):
            raise ValueError(f"X has shape {np.shape(X)}, X_true has {X_true.shape}")
        alphas = np.ravel(alphas)
        scores = np.empty(len(alphas), dtype=PATH)
        for row, signals in enumerate(self.transform_path(X, alphas)):
            error = np.mean(np.sum((signals - X_true) ** 2, axis=1))
            distance = GaussianTransport().fit(signals, X_target=X_true).wasserstein_distance_
            scores[row] = alphas[row], error, distance
        return scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
