"""Regression where targets are rare: features that move under a contrast alone, and networks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import one_thread
from skreg.deep import DeepRegressor
from skreg.deep.torch import ConRLoss
from skreg.metrics import shot_scores

RARE = np.array([80, 80.5, 81, 80.2, 90, 90.5, 90.3, 90.8])


class Features(NamedTuple):
    """Features that are free to move, 56 common ones and 8 rare, and how many steps they do."""

    z: torch.Tensor
    y: torch.Tensor
    predictions: torch.Tensor
    steps: int


def free_features(seed: int, *, steps: int) -> Features:
    """Features near a common vector; targets 20 to 29 and 80 to 91, all predicted as common."""
    rng = np.random.default_rng(seed)
    common = rng.integers(20, 30, 56).astype(float)
    predictions = np.concatenate([common + 0.3 * rng.normal(size=56), 25 + rng.normal(size=8)])
    z = rng.normal(size=16) + 0.3 * rng.normal(size=(64, 16))
    y = np.concatenate([common, RARE])
    return Features(_single(z), _single(y), _single(predictions), steps)


def _single(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).float()


def cosines(z: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cosine of rare features to the common mean, and of pairs with near targets."""
    z_unit = F.normalize(z, dim=1)
    rare_to_common = z_unit[56:] @ F.normalize(z[:56].mean(0), dim=0)
    near = ((y[:, None] - y).abs() <= 1) & ~torch.eye(64, dtype=torch.bool)
    return rare_to_common.mean(), (z_unit @ z_unit.T)[near].mean()


def measure_features(
    features: Features,
    methods: Mapping[str, Any],
    seed: int,
    *,
    predicted_right: Collection[str],
) -> Iterator[dict[str, Any]]:
    """How features move under ConR; `predicted_right` are methods that predict the targets."""
    before = cosines(features.z, features.y)
    for name in methods:
        z = features.z.clone().requires_grad_()
        loss, optimizer = ConRLoss(), torch.optim.Adam([z], lr=0.05)
        predictions = features.y if name in predicted_right else features.predictions
        with one_thread():
            for _ in range(features.steps):
                optimizer.zero_grad()
                loss(z, features.y, predictions).backward()
                optimizer.step()
        after = cosines(z.detach(), features.y)
        yield {
            "method": name,
            "fall": float(before[0] - after[0]),
            "near": float((after[1] - before[1]).abs()),
            "moved": float((z.detach() - features.z).abs().max()),
        }


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


def errors_by_region(model: Any, task: Split, seed: int, **regions: float) -> dict[str, float]:
    """Mean absolute errors where training targets are frequent, in between, or rare."""
    scores = shot_scores(task.y_test, model.predict(task.X_test), task.y, **regions)
    return {region: score.mean_absolute_error for region, score in scores.items()}
