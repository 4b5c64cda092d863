"""Networks on few digits, and the sizes of their weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import LRScheduler

from skreg.bench.arena.deep_methods import Method, trained
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import perceptron
from skreg.deep import DeepClassifier
from skreg.deep.torch import ExperimentalWarning, weight_statistics


def network(dropout: float = 0.0) -> torch.nn.Sequential:
    """A wide perceptron for handwritten digits."""
    return perceptron(64, 256, 256, 10, dropout=dropout)


def by_cosine_schedule(epochs: int, seed: int) -> DeepClassifier:
    """A wide perceptron, by SGD with momentum, weight decay and a cosine schedule."""
    return DeepClassifier(
        module=network,
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs,
        batch_size=50,
        standardize=False,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
        random_state=seed,
        net_params={"optimizer__momentum": 0.9, "optimizer__weight_decay": 5e-4},
    )


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


def measure(
    data: tuple[Split, int], methods: Mapping[str, Method], seed: int
) -> list[dict[str, Any]]:
    """Networks trained by each method, without the warning that companding is a reconstruction."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the benchmark's docstring says it
        return [*trained(by_cosine_schedule, accuracy_and_weights)(data, methods, seed)]
