"""Plain training of the benchmarks' networks, to which methods add: models that are not fitted yet.

A recipe is a function of the number of epochs and a seed. Its weight decay stands in the model's
`net_params`, where a method may replace it.
"""

from __future__ import annotations

import torch
from skorch.callbacks import LRScheduler

from skreg.bench.arena.deep_methods import GaussianNoise
from skreg.bench.arena.networks import CircularCNN, ProxyNetwork, perceptron
from skreg.deep import DeepClassifier, DeepRegressor


def circular_convolutions(epochs: int, seed: int) -> DeepClassifier:
    """Three circular convolutions, by Adam."""
    return DeepClassifier(
        module=CircularCNN,
        optimizer=torch.optim.AdamW,
        lr=3e-3,
        max_epochs=epochs,
        batch_size=64,
        standardize=False,
        random_state=seed,
        net_params={"optimizer__weight_decay": 0.0},
    )


def small_regressor(epochs: int, seed: int) -> DeepRegressor:
    """A small convolutional network for a regression, by Adam on absolute errors."""
    return DeepRegressor(
        criterion=torch.nn.L1Loss,
        optimizer=torch.optim.AdamW,
        lr=3e-3,
        max_epochs=epochs,
        batch_size=64,
        random_state=seed,
        net_params={"optimizer__weight_decay": 0.0, "module__width": 16},
    )


def proxy_softmax(epochs: int, seed: int) -> DeepClassifier:
    """An embedding and a proxy for each class, by Adam."""
    return DeepClassifier(
        module=ProxyNetwork,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=128,
        random_state=seed,
        net_params={"optimizer__weight_decay": 0.0},
    )


def wide_perceptron(dropout: float = 0.0) -> torch.nn.Sequential:
    """For handwritten digits."""
    return perceptron(64, 256, 256, 10, dropout=dropout)


def without_decay(epochs: int, seed: int) -> DeepClassifier:
    """A wide perceptron, by SGD with momentum at a constant rate."""
    return DeepClassifier(
        module=wide_perceptron,
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs,
        batch_size=64,
        random_state=seed,
        net_params={"optimizer__momentum": 0.9},
    )


def by_cosine_schedule(epochs: int, seed: int) -> DeepClassifier:
    """A wide perceptron, by SGD with momentum, weight decay and a cosine schedule."""
    return DeepClassifier(
        module=wide_perceptron,
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs,
        batch_size=50,
        standardize=False,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
        random_state=seed,
        net_params={"optimizer__momentum": 0.9, "optimizer__weight_decay": 5e-4},
    )


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
