"""Tasks for linear probes: tables, frozen features of small networks, and normal mixtures.

A task holds rows to draw training subsets from, and test rows. A subset of m rows is drawn at
random, and drawn again until every class occurs in it; all methods see the same one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skreg.probe import probe_learning_curve


class Task(NamedTuple):
    """Rows to draw training subsets from, test rows, and the sizes of the subsets."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    train_sizes: list[int]


def split(X: np.ndarray, y: np.ndarray, n_test: int, train_sizes: Sequence[int], seed: int) -> Task:
    X, X_test, y, y_test = train_test_split(X, y, test_size=n_test, stratify=y, random_state=seed)
    return Task(X, y, X_test, y_test, list(train_sizes))


def breast_cancer(seed: int, *, train_sizes: Sequence[int]) -> Task:
    X, y = load_breast_cancer(return_X_y=True)
    return split(X, y, 150, train_sizes, seed)


def digit_pixels(seed: int, *, train_sizes: Sequence[int]) -> Task:
    X, y = load_digits(return_X_y=True)
    return split(X, y, 500, train_sizes, seed)


def frozen_features_of_same_classes(seed: int, *, train_sizes: Sequence[int]) -> Task:
    X, y = load_digits(return_X_y=True)
    X_backbone, X, y_backbone, y = train_test_split(
        X / 16, y, train_size=800, stratify=y, random_state=seed
    )
    return split(hidden_layer(X_backbone, y_backbone, X, seed), y, 400, train_sizes, seed)


def frozen_features_of_new_classes(seed: int, *, train_sizes: Sequence[int]) -> Task:
    X, y = load_digits(return_X_y=True)
    new = y >= 5
    features = hidden_layer(X[~new] / 16, y[~new], X[new] / 16, seed)
    return split(features, y[new], 400, train_sizes, seed)


def hidden_layer(
    X_backbone: np.ndarray, y_backbone: np.ndarray, X: np.ndarray, seed: int
) -> np.ndarray:
    """Hidden layer, at X, of a network that was trained for 40 epochs on the backbone's rows."""
    network = MLPClassifier(hidden_layer_sizes=(128,), max_iter=40, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 40 epochs are the design
        network.fit(X_backbone, y_backbone)
    return np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0)


def class_levels(n_classes: int) -> np.ndarray:
    """The mean of class k is a_k (1, ..., 1), with a = -1, 1, 2, 4, 8, ..."""
    return np.array([-1.0, *(2.0**k for k in range(n_classes - 1))])


def bayes_error(n_classes: int, n_features: int) -> float:
    """Error of the best classifier of the mixture.

    All classes share one diagonal covariance, so sum_j x_j / s2_j is sufficient: classes are unit
    normals on a line at a_k sqrt((n + 1) / 2), and two neighbours at distance d confuse a share
    Phi(-d / 2) of either class.
    """
    distances = np.diff(class_levels(n_classes)) * np.sqrt((n_features + 1) / 2)
    return float(2 * norm.cdf(-distances / 2).sum() / n_classes)


def mixture_sample(
    rng: np.random.Generator, n_classes: int, n_features: int, n_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Balanced sample; variances n in the first half of the features and 1 in the second."""
    y = np.arange(n_samples) % n_classes
    scale = np.where(np.arange(n_features) < n_features // 2, np.sqrt(n_features), 1.0)
    X = class_levels(n_classes)[y, None] + scale * rng.standard_normal((n_samples, n_features))
    if n_classes > 2:
        X = (X - 2.0 ** (n_classes - 3)) / 2.0 ** (n_classes - 3)
    return X, y


def gaussian_mixtures(
    seed: int, *, n_classes: int, n_features: Sequence[int], largest: int, n_test: int
) -> Iterator[Task]:
    """One task for each number of features, with sizes from 2 K to `largest` in steps of 1/5."""
    rng = np.random.default_rng(seed)
    n_steps = int(np.log(largest / (2 * n_classes)) / np.log(1.2))
    train_sizes = np.unique(np.round(2 * n_classes * 1.2 ** np.arange(n_steps + 1)).astype(int))
    for n in n_features:
        X, y = mixture_sample(rng, n_classes, n, 4 * largest)
        X_test, y_test = mixture_sample(rng, n_classes, n, n_test)
        yield Task(X, y, X_test, y_test, train_sizes.tolist())


def curve_errors(
    task: Task, methods: Mapping[str, Any], seed: int, scaler: Literal["minmax"] | None
) -> dict[str, np.ndarray]:
    """Test errors of each method, (1, n_sizes), all on the same training subsets."""
    return probe_learning_curve(
        methods,
        task.X,
        task.y,
        task.X_test,
        task.y_test,
        train_sizes=task.train_sizes,
        n_repeats=1,
        scaler=scaler,
        random_state=seed,
    ).errors


def measure_curves(task: Task, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    for method, errors in curve_errors(task, methods, seed, scaler="minmax").items():
        for size, error in zip(task.train_sizes, errors[0], strict=True):
            yield {"method": method, "n_train": size, "error": error}


def measure_sample_complexity(
    tasks: Iterator[Task], methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    """First size at which the error of each method falls below the Bayes error + 0.01."""
    for task in tasks:
        n_features, n_classes = task.X.shape[1], len(np.unique(task.y))
        target = bayes_error(n_classes, n_features) + 0.01
        first_size = dict.fromkeys(methods, np.inf)
        for size in task.train_sizes:
            open_methods = {name: methods[name] for name in methods if first_size[name] == np.inf}
            if not open_methods:
                break
            here = task._replace(train_sizes=[size])
            for name, errors in curve_errors(here, open_methods, seed + size, None).items():
                if errors[0, 0] < target:
                    first_size[name] = size
        for name, needed in first_size.items():
            yield {"method": name, "n_features": n_features, "sample_complexity": needed}
