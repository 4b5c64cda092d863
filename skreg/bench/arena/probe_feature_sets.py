"""Twelve sets of features for linear probes: images, tables and simulations.

Six were looked at while the rule of `LinearProbe` was designed, the other six were not; this is the
order of `SEEN` and `UNSEEN`. A set is rows to draw labels from and test rows that no draw touches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from skreg.bench.arena.probe_tasks import (
    frozen_features_of_new_classes,
    frozen_features_of_same_classes,
    split,
)

POOL_PER_CLASS, N_TEST = 1300, 2000


class FeatureSet(NamedTuple):
    """Rows to draw from, and test rows; labels are 0, 1, ..."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def of_digits(features: Callable[[np.ndarray], np.ndarray]) -> Callable[[int], FeatureSet]:
    """Features of 1797 images of digits of 8 x 8 pixels, 500 of them for the test."""

    def make(seed: int) -> FeatureSet:
        X, y = load_digits(return_X_y=True)
        return FeatureSet(*split(features(X / 16), y, 500, (), seed)[:4])

    return make


def principal_components(X: np.ndarray) -> np.ndarray:
    return X @ np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:20].T


def random_relu(X: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.maximum(X @ rng.normal(size=(64, 200)) / 3 + rng.normal(size=200), 0)


def random_convolutions(X: np.ndarray) -> np.ndarray:
    """24 random filters of 3 x 3, rectified, and averaged over the four quarters of an image."""
    filters = np.random.default_rng(3).normal(size=(24, 3, 3))
    filters -= filters.mean(axis=(1, 2), keepdims=True)
    padded = np.pad(X.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    maps = np.maximum(np.einsum("nijab,fab->nfij", patches, filters), 0)
    return maps.reshape(len(X), 24, 2, 4, 2, 4).mean(axis=(3, 5)).reshape(len(X), -1)


def hidden_units_same(seed: int) -> FeatureSet:
    return FeatureSet(*frozen_features_of_same_classes(seed, train_sizes=())[:4])


def hidden_units_new(seed: int) -> FeatureSet:
    X, y, X_test, y_test, _ = frozen_features_of_new_classes(seed, train_sizes=())
    return FeatureSet(X, y - 5, X_test, y_test - 5)


def wine(seed: int) -> FeatureSet:
    X, y = load_wine(return_X_y=True)
    return FeatureSet(*split(X, y, 60, (), seed)[:4])


def cancer(seed: int) -> FeatureSet:
    X, y = load_breast_cancer(return_X_y=True)
    return FeatureSet(*split(X, y, 170, (), seed)[:4])


def simulated(
    sample: Callable[..., np.ndarray], n_classes: int, prior: tuple[float, ...] = ()
) -> Callable[[int], FeatureSet]:
    """`sample(rng, y, n_classes)` for labels of given frequencies, equal ones if none."""

    def make(seed: int) -> FeatureSet:
        rng = np.random.default_rng(1000 + seed)
        n = n_classes * POOL_PER_CLASS + N_TEST
        y = rng.choice(n_classes, n, p=prior or None)
        X = sample(rng, y, n_classes)
        return FeatureSet(X[N_TEST:], y[N_TEST:], X[:N_TEST], y[:N_TEST])

    return make


def correlated(rng: np.random.Generator, y: np.ndarray, n_classes: int, d: int = 100) -> np.ndarray:
    """Normal classes with an autoregressive covariance, columns on log-normal scales."""
    root = np.linalg.cholesky(0.8 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d))))
    means = 0.25 * rng.normal(size=(n_classes, d))
    return (means[y] + rng.normal(size=(y.size, d)) @ root.T) * np.exp(rng.normal(size=d))


def heavy_tails(rng: np.random.Generator, y: np.ndarray, n_classes: int, d: int = 60) -> np.ndarray:
    """Student's t with 4 degrees of freedom about class means, and five strong common factors."""
    means, loadings = 0.5 * rng.normal(size=(n_classes, d)), rng.normal(size=(d, 5))
    noise = rng.standard_t(4, size=(y.size, d))
    return means[y] + noise + rng.normal(size=(y.size, 5)) @ loadings.T


def ten_of_many(
    rng: np.random.Generator, y: np.ndarray, n_classes: int, d: int = 200
) -> np.ndarray:
    """White noise in which ten columns of two hundred carry the classes."""
    means = np.zeros((n_classes, d))
    means[:, :10] = 0.8 * rng.normal(size=(n_classes, 10))
    return means[y] + rng.normal(size=(y.size, d))


def forest_like(rng: np.random.Generator, y: np.ndarray, n_classes: int) -> np.ndarray:
    """As the covertype data: ten measures in their units, some squared, and two indicator codes."""
    mixing = np.eye(10) + 0.5 * rng.normal(size=(10, 10))
    measures = rng.normal(size=(n_classes, 10))[y] + rng.normal(size=(y.size, 10)) @ mixing
    measures[:, :3] = np.sign(measures[:, :3]) * measures[:, :3] ** 2 / 2
    measures *= np.array([300, 100, 8, 200, 60, 1500, 27, 20, 38, 1300])
    return np.column_stack([measures, _codes(rng, y, 40, 0.9), _codes(rng, y, 4, 1.0)])


def _codes(rng, y, n_values, spread):
    """One indicator column a value, the value drawn from a distribution of the row's class."""
    odds = np.exp(spread * rng.normal(size=(y.max() + 1, n_values)))
    edges = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    value = (rng.random(y.size)[:, None] > edges[y]).sum(axis=1).clip(max=n_values - 1)
    return np.eye(n_values)[value]


FOREST = (0.36, 0.30, 0.10, 0.08, 0.06, 0.05, 0.05)
SEEN = {
    "Digits, pixels": of_digits(lambda X: X),
    "Digits, random ReLU": of_digits(random_relu),
    "Digits, network of the same classes": hidden_units_same,
    "Wine": wine,
    "Simulation, correlated": simulated(correlated, 5),
    "Simulation, forest-like": simulated(forest_like, 7, FOREST),
}
UNSEEN = {
    "Digits, 20 principal components": of_digits(principal_components),
    "Digits, random convolutions": of_digits(random_convolutions),
    "Digits, network of other classes": hidden_units_new,
    "Breast cancer": cancer,
    "Simulation, heavy tails": simulated(heavy_tails, 6),
    "Simulation, ten columns of 200": simulated(ten_of_many, 4),
}
