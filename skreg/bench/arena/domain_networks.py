"""Heads of domains on features that a network learns with them, for turned digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from skreg.bench.arena.domain_tasks import Angles, held_out_angles, without_angle
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import DomainSpecificHeads

WIDTHS = (64, 32)


class Rule(NamedTuple):
    """How the heads of the trained network are combined; None for the pooled network."""

    selection: str | None


def network(seed: int, max_epochs: int, domains: np.ndarray | None) -> DeepClassifier:
    """A perceptron, with heads of domains if there are any."""
    torch.manual_seed(seed)
    heads = [] if domains is None else [("drm", DomainSpecificHeads(domains))]
    return DeepClassifier(
        perceptron(64, *WIDTHS, 10), heads, max_epochs=max_epochs, batch_size=64, lr=3e-3,
        standardize=False, device="cpu", random_state=seed,
    )  # fmt: skip


class TurnedDigits(NamedTuple):
    """Angles to hold out, and epochs of training."""

    angles: Angles
    max_epochs: int


def measure(task: TurnedDigits, methods: Mapping[str, Rule], seed: int) -> Iterator[dict[str, Any]]:
    """Accuracy on each angle held out, of one pooled network and of one with heads."""
    for angle in task.angles.targets:
        train, target = without_angle(task.angles.domains, angle)
        X, X_target = (rows.X.astype(np.float32) for rows in (train, target))
        with one_thread():
            pooled = network(seed, task.max_epochs, None).fit(X, train.y)
            several = network(seed, task.max_epochs, train.domains).fit(X, train.y)
            heads = dict(several.net_.regularizers)["drm"].heads_
            for name, rule in methods.items():
                model = pooled
                if rule.selection is not None:
                    model = several
                    heads.choose(rule.selection, "hard", 1.0, "euclidean")
                accuracy = model.score(X_target, target.y)
                yield {"method": name, "angle": angle, "accuracy": accuracy}


def turned_digits(seed: int, *, targets: tuple[int, ...], max_epochs: int = 60) -> TurnedDigits:
    """Angles at the ends of the range, each predicted from all others."""
    return TurnedDigits(held_out_angles(seed, targets=targets), max_epochs)
