"""Networks that are trained on partly wrong labels: which they memorise, and which they find."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import perceptron
from skreg.deep import DeepClassifier


def without_decay(epochs: int, seed: int) -> DeepClassifier:
    """A wide perceptron, by SGD with momentum at a constant rate."""
    return DeepClassifier(
        module=lambda: perceptron(64, 256, 256, 10),
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs,
        batch_size=64,
        random_state=seed,
        net_params={"optimizer__momentum": 0.9},
    )


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
