"""Networks trained by each method, and the scores that are measured of them.

A score is a function of a fitted model, of the task and of the seed, which a part of the scores
needs, and returns numbers by the names of the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss

from skreg.bench.arena.deep_methods import Method, fitted
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import one_thread
from skreg.deep.torch import weight_statistics
from skreg.metrics import (
    expected_calibration_error,
    operating_point_inconsistency_score,
    recall_at_k,
    risk_coverage_score,
    shot_scores,
)

Recipe = Callable[[int, int], Any]
Scores = Callable[[Any, Split, int], dict[str, Any]]


def trained(recipe: Recipe, scores: Scores) -> Callable[..., Iterator[dict[str, Any]]]:
    """Make the `measure` of a setting: a network trained by each method, and its scores.

    Parameters
    ----------
    recipe : callable
        Plain training: ``recipe(epochs, seed)`` returns a model that is not fitted yet.
    scores : callable
        ``scores(model, task, seed)`` returns numbers by the names of the metrics.

    Returns
    -------
    callable
        ``measure((task, epochs), methods, seed)``, by one thread.
    """

    def measure(
        data: tuple[Split, int], methods: Mapping[str, Method], seed: int
    ) -> Iterator[dict[str, Any]]:
        task, epochs = data
        for name, method in methods.items():
            model = fitted(recipe(method.n_networks * epochs, seed), method, task.X, task.y)
            with one_thread():
                found = scores(model, task, seed)
            yield {"method": name, **found}

    return measure


def robustness(model: Any, task: Split, seed: int, *, noise: float) -> dict[str, float]:
    """Accuracies without and with noise, and the extreme singular values of all convolutions."""
    added = np.random.default_rng(seed).normal(0, noise, task.X_test.shape).astype(np.float32)
    sigma = model.net_.module_.singular_values()
    return {
        "clean": 100 * model.score(task.X_test, task.y_test),
        "noisy": 100 * model.score(task.X_test + added, task.y_test),
        "sigma_min": float(sigma.min()),
        "sigma_max": float(sigma.max()),
    }


def errors_by_region(model: Any, task: Split, seed: int, **regions: float) -> dict[str, float]:
    """Mean absolute errors where training targets are frequent, in between, or rare."""
    scores = shot_scores(task.y_test, model.predict(task.X_test), task.y, **regions)
    return {region: score.mean_absolute_error for region, score in scores.items()}


def accuracy_and_weights(model: Any, task: Split, seed: int) -> dict[str, float]:
    """Accuracy and log-loss, and the sizes of the weights of the middle one of three layers."""
    probability = model.predict_proba(task.X_test)
    _, middle, _ = weight_statistics(model.net_.module_)
    return {
        "accuracy": 100 * np.mean(probability.argmax(axis=1) == task.y_test),
        "log_loss": log_loss(task.y_test, probability),
        "largest": middle.largest,
        "near_zero": middle.share_near_zero,
    }


def confidence(model: Any, task: Split, seed: int) -> dict[str, float]:
    """The error, and how well the network knows how sure it is."""
    probability = model.predict_proba(task.X_test)
    return {
        "error": np.mean(probability.argmax(axis=1) != task.y_test),
        "log_loss": log_loss(task.y_test, probability),
        "calibration": expected_calibration_error(task.y_test, probability),
        "risk_coverage": risk_coverage_score(task.y_test, probability),
    }


def verification(model: Any, task: Split, seed: int) -> dict[str, float]:
    """Consistency of one threshold for all classes, and recall, of the embeddings."""
    with torch.no_grad():
        embeddings = model.net_.module_.embedding(torch.from_numpy(task.X_test)).numpy()
    return {
        "opis": 1000 * operating_point_inconsistency_score(embeddings, task.y_test),
        "recall": recall_at_k(embeddings, task.y_test),
    }


def wrong_labels(model: Any, task: Split, seed: int) -> dict[str, float]:
    """Accuracy, and which wrong labels of the training samples were memorised, and found.

    They are found by ELR's running averages, for other methods by the predictions.
    """
    wrong = task.y != task.truth
    predicted = model.predict(task.X)
    running = dict(model.net_.regularizers).get("ELR")
    suspected = predicted != task.y if running is None else running.label_issues_
    return {
        "accuracy": model.score(task.X_test, task.y_test),
        "memorised": np.mean(predicted[wrong] == task.y[wrong]),
        "found": np.mean(suspected[wrong]),
        "false_alarms": np.mean(suspected[~wrong]),
    }
