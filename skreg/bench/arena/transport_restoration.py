"""Blurred and noisy digits, their restoration by ridge regression, and ways to its distribution.

A method is a function of a `Task` that moves the restored test images all the way to the
distribution of clean ones; going part of the way is the same for all. Below are checks along alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge

from skreg.bench.arena.checks import Check, statistic
from skreg.transport import GaussianTransport, LinearTransportRestorer

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDE, N_TEST, N_LATENTS = 8, 500, 40


class Task(NamedTuple):
    """Examples of restored and of clean images, unpaired, and test images in pairs."""

    restored: np.ndarray
    clean: np.ndarray
    X: np.ndarray
    X_true: np.ndarray
    encoder: FrozenEstimator
    covariance: str


Method = Callable[[Task], np.ndarray]


def restored_digits(seed: int, *, n_examples: int | None, covariance: str) -> Task:
    """Images of 8 x 8 pixels in [0, 1], blurred, with noise, restored by ridge regression.

    The encoder sees all clean training images, as a pretrained one would, the map as many restored
    and as many other clean ones as `n_examples`, or all of both.
    """
    rng = np.random.default_rng(seed)
    clean = rng.permutation(load_digits().data / 16.0)
    blurred = [gaussian_filter(image.reshape(SIDE, SIDE), 1.0).ravel() for image in clean]
    degraded = np.stack(blurred) + 0.2 * rng.normal(size=clean.shape)
    train, test = slice(N_TEST, None), slice(N_TEST)
    restored = Ridge(alpha=1.0).fit(degraded[train], clean[train]).predict(degraded)
    encoder = FrozenEstimator(PCA(N_LATENTS, svd_solver="full").fit(clean[train]))
    sources, targets = restored[train], clean[train]
    if n_examples is not None:
        sources, targets = sources[:n_examples], targets[n_examples : 2 * n_examples]
    return Task(sources, targets, restored[test], clean[test], encoder, covariance)


def linear_transport(**params: Any) -> Method:
    """Ours, in principal components unless `params` say otherwise."""

    def moved(task: Task) -> np.ndarray:
        settings = {"encoder": task.encoder, "covariance": task.covariance} | params
        restorer = LinearTransportRestorer(**settings).fit(task.restored, X_target=task.clean)
        return restorer.transform(task.X)

    return moved


def in_latents(move: Callable[..., np.ndarray]) -> Method:
    """A map of the same principal components; what these lose is added again."""

    def moved(task: Task) -> np.ndarray:
        E, D = task.encoder.transform, task.encoder.inverse_transform
        z = E(task.X)
        return task.X + D(move(E(task.restored), E(task.clean), z, task.covariance)) - D(z)

    return moved


def cholesky_colouring(
    source: np.ndarray, target: np.ndarray, z: np.ndarray, covariance: str
) -> np.ndarray:
    """Whitening and colouring by Cholesky factors of the same covariances: A = L_R L_S^-1."""
    found = GaussianTransport(covariance).fit(source, X_target=target)
    L_S, L_R = map(np.linalg.cholesky, (found.source_covariance_, found.target_covariance_))
    return found.target_mean_ + np.linalg.solve(L_S, (z - found.source_mean_).T).T @ L_R.T


def pot_linear(source: np.ndarray, target: np.ndarray, z: np.ndarray, _: str) -> np.ndarray:
    """POT's linear map as it comes: 1e-8 on the diagonals, no shrinkage."""
    import ot

    return ot.da.LinearTransport().fit(Xs=source, Xt=target).transform(Xs=z)


def pixel_moments(task: Task) -> np.ndarray:
    """The map of a normal distribution to another for each pixel alone."""
    scale = task.clean.std(axis=0) / np.maximum(task.restored.std(axis=0), 1e-3)
    return task.clean.mean(axis=0) + scale * (task.X - task.restored.mean(axis=0))


def pixel_histograms(task: Task) -> np.ndarray:
    """The monotone map between the empirical distributions of each pixel alone."""
    shares = np.linspace(0.0, 1.0, len(task.restored))
    shares_target = np.linspace(0.0, 1.0, len(task.clean))
    columns = zip(task.X.T, np.sort(task.restored, axis=0).T, np.sort(task.clean, axis=0).T,
                  strict=True)  # fmt: skip
    return np.column_stack(
        [np.interp(np.interp(x, s, shares), shares_target, t) for x, s, t in columns]
    )


def measure(task: Task, methods: Mapping[str, Method], _seed: int) -> Iterator[dict[str, Any]]:
    """Squared error summed over pixels, and squared W2 of normal distributions (Frechet)."""
    for name, method in methods.items():
        moved = method(task)
        for alpha in ALPHAS:
            images = (1.0 - alpha) * moved + alpha * task.X
            found = GaussianTransport().fit(images, X_target=task.X_true)
            yield {
                "method": name,
                "alpha": alpha,
                "mse": np.mean(np.sum((images - task.X_true) ** 2, axis=1)),
                "distance": found.wasserstein_distance_**2,
            }


def falls(method: str, metric: str, setting: str, start: float, end: float) -> Check:
    """The metric is less at one alpha than at another."""

    def differences(evidence: Any) -> np.ndarray:
        before, after = (evidence.values(setting, metric, method, at) for at in (start, end))
        return before - after

    return statistic(differences, f"{metric} at {start:g} less that at {end:g}", at_least=0.0)


def end_over_end(method: str, metric: str, setting: str, *, at_most: float) -> Check:
    """The metric of what is moved all the way is bounded, in units of that of what is not moved."""

    def ratios(evidence: Any) -> np.ndarray:
        moved, own = (evidence.values(setting, metric, method, at) for at in (0.0, 1.0))
        return moved / own

    return statistic(ratios, f"{metric} at 0 over that at 1", at_most=at_most, log=True)


def nearest_is(method: str, rival: str, setting: str) -> Check:
    """The least distance along alpha is that of a method, and not of its rival."""

    def leads(evidence: Any) -> np.ndarray:
        ours, theirs = (
            np.min([evidence.values(setting, "distance", name, at) for at in ALPHAS], axis=0)
            for name in (method, rival)
        )
        return theirs - ours

    label = f"least distance of {rival} less that of {method}"
    return statistic(leads, label, at_least=0.0)
