"""Networks that are trained on noisy inputs, and how well they know how sure they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import LRScheduler

from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import perceptron
from skreg.deep import DeepClassifier, Regularizer
from skreg.metrics import expected_calibration_error, risk_coverage_score


class GaussianNoise(Regularizer):
    """Adds noise of a standard deviation to the inputs of each step."""

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def inputs(self, net: Any, batch: Any, X: torch.Tensor) -> torch.Tensor:
        """Inputs with noise."""
        return X + self.scale * torch.randn_like(X)


def on_noisy_inputs(epochs: int, seed: int, *, noise: float) -> DeepClassifier:
    """A perceptron whose inputs get noise in each step, by SGD with two falls of the rate."""
    steps = [epochs // 2, 3 * epochs // 4]
    return DeepClassifier(
        module=lambda: perceptron(20, 128, 128, 5),
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs,
        batch_size=50,
        callbacks=[LRScheduler("MultiStepLR", milestones=steps, gamma=0.1)],
        regularizers=[("GaussianNoise", GaussianNoise(noise))],
        random_state=seed,
        net_params={
            "optimizer__momentum": 0.9,
            "optimizer__nesterov": True,
            "optimizer__weight_decay": 5e-4,
        },
    )


def confidence(model: Any, task: Split, seed: int) -> dict[str, float]:
    """The error, and how well the network knows how sure it is."""
    probability = model.predict_proba(task.X_test)
    return {
        "error": np.mean(probability.argmax(axis=1) != task.y_test),
        "log_loss": log_loss(task.y_test, probability),
        "calibration": expected_calibration_error(task.y_test, probability),
        "risk_coverage": risk_coverage_score(task.y_test, probability),
    }
