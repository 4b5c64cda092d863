"""Arrays that networks are trained and tested on, without torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


class Split(NamedTuple):
    """Training and test rows; `truth` are the training labels before they were spoilt."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    truth: np.ndarray | None = None


def for_epochs(draw: Callable[..., Any]) -> Callable[..., Any]:
    """The `data` of a setting: a task drawn for a seed, and how long to train on it."""

    def data(seed: int, *, epochs: int, **parameters: Any) -> tuple[Any, int]:
        return draw(seed, **parameters), epochs

    return data


def digits(seed: int, *, train_size: float) -> Split:
    """Handwritten digits of 8 x 8 pixels between 0 and 1, split in equal shares of the classes."""
    X, y = _pixels_and_classes()
    X, X_test, y, y_test = train_test_split(
        X, y, train_size=train_size, stratify=y, random_state=seed
    )
    return Split(X, y, X_test, y_test)


def noisy_digits(seed: int) -> Split:
    """Digits of which 40% of the training labels are drawn anew from all classes."""
    rng, split = np.random.default_rng(seed), digits(seed, train_size=0.7)
    redrawn = rng.random(len(split.y)) < 0.4
    y = np.where(redrawn, rng.integers(0, 10, len(split.y)), split.y)
    return split._replace(y=y, truth=split.y)


def digits_of_unseen_classes(seed: int) -> Split:
    """Digits of six random classes to train on, all of the other four to test."""
    X, y = _pixels_and_classes()
    known = np.isin(y, np.random.default_rng(seed).permutation(10)[:6])
    return Split(X[known], y[known], X[~known], y[~known])


def turned_digits(seed: int) -> Split:
    """Images of sevens and their angles in degrees, mostly small ones in training."""
    rng = np.random.default_rng(seed)
    X, digit = _pixels_and_classes()
    train, test = train_test_split(
        X[digit == 7].reshape(-1, 8, 8), train_size=0.5, random_state=seed
    )
    angle = np.minimum(rng.exponential(15, 1500), 120)
    angle_test = rng.uniform(0, 120, 600)
    return Split(
        turned(train[rng.integers(0, len(train), 1500)], angle), angle,
        turned(test[rng.integers(0, len(test), 600)], angle_test), angle_test,
    )  # fmt: skip


def turned(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Images of 8 x 8 pixels turned by angles in degrees, each on a frame of 12 x 12."""
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    pictures = [
        rotate(image, angle, reshape=False, order=1)
        for image, angle in zip(framed, angles, strict=True)
    ]
    return np.stack(pictures)[:, None].astype(np.float32)


def flipped_clusters(seed: int) -> Split:
    """Five classes of two clusters each, a tenth of the labels flipped, 500 training rows."""
    X, y = make_classification(
        2000, 20, n_informative=10, n_redundant=5, n_classes=5, n_clusters_per_class=2, flip_y=0.1,
        class_sep=1.2, random_state=seed,
    )  # fmt: skip
    X, X_test, y, y_test = train_test_split(X, y, train_size=500, random_state=seed)
    scaler = StandardScaler().fit(X)
    X, X_test = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    return Split(X, y, X_test, y_test)


def _pixels_and_classes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32) / 16, y
