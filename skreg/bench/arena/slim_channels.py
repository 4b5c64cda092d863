"""Networks of digits whose channels are chosen, penalised, cut out, and fine-tuned."""

from __future__ import annotations

import functools
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from torch import nn

from skreg.bench.arena.clock import timed
from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import ResNet18, one_thread
from skreg.bench.arena.slim_networks import DigitsCNN
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import MaskSparsity, NetworkSlimming
from skreg.deep.torch import (
    channel_masks,
    count_flops,
    count_parameters,
    prune_channels,
)

Masks = dict[str, torch.Tensor]
Route = Callable[["Stages"], tuple[Any, Masks]]
AMOUNT = 0.6
STRENGTH = 0.1
ROUNDS = {1: 30, 64: 2}


class Stages:
    """Trainings that the methods share: a network, its slimmed and its unpenalised successor."""

    def __init__(self, task: Split, epochs: int, seed: int) -> None:
        self.task, self.epochs, self.seed = task, epochs, seed
        self.base = self.train(DigitsCNN, 0.1)

    def train(self, module: Any, lr: float, *regularizers: Any, share: float = 1.0) -> Any:
        """SGD with momentum and a cosine schedule, from a network or a class of networks."""
        epochs = max(1, round(share * self.epochs))
        model = DeepClassifier(
            module,
            [(type(one).__name__, one) for one in regularizers],
            optimizer=torch.optim.SGD,
            lr=lr,
            max_epochs=epochs,
            batch_size=64,
            standardize=False,
            callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
            random_state=self.seed,
            net_params={
                "optimizer__momentum": 0.9,
                "optimizer__nesterov": True,
                "optimizer__weight_decay": 1e-4,
            },
        )
        with warnings.catch_warnings():  # that factors are left is what is measured
            warnings.filterwarnings("ignore", "MaskSparsity left scaling factors")
            return model.fit(self.task.X, self.task.y)

    def go_on(self, *regularizers: Any) -> Any:
        """Train the network on."""
        return self.train(self.base.net_.module_, 0.05, *regularizers)

    @functools.cached_property
    def slimmed(self) -> Any:
        """With a penalty on all factors."""
        return self.go_on(NetworkSlimming(STRENGTH, mode="subgradient"))

    @functools.cached_property
    def unpenalised(self) -> Any:
        """Without a penalty."""
        return self.go_on()

    @functools.cached_property
    def masks(self) -> Masks:
        """The channels of the smallest factors of the slimmed network."""
        return channel_masks(self.slimmed.net_.module_, amount=AMOUNT)


def slimmed(stages: Stages) -> tuple[Any, Masks]:
    """Network slimming."""
    return stages.slimmed, stages.masks


def unpenalised(stages: Stages) -> tuple[Any, Masks]:
    """No penalty, and the masks of network slimming."""
    return stages.unpenalised, stages.masks


def by_filter_norms(stages: Stages) -> tuple[Any, Masks]:
    """No penalty; in each layer as many channels go, those of filters with the least L1 norm."""
    layers = list(stages.unpenalised.net_.module_.named_modules())
    masks = {}
    for (_, before), (name, _) in itertools.pairwise(layers):
        if name in stages.masks:
            norms = before.weight.detach().abs().flatten(1).sum(1)
            masks[name] = torch.zeros(len(norms), dtype=torch.bool)
            masks[name][norms.argsort()[: int(stages.masks[name].sum())]] = True
    return stages.unpenalised, masks


def masked(**params: Any) -> Route:
    """MaskSparsity, with the masks of network slimming."""

    def route(stages: Stages) -> tuple[Any, Masks]:
        return stages.go_on(MaskSparsity(prune_masks=stages.masks, **params)), stages.masks

    return route


def masked_by_layer(stages: Stages) -> tuple[Any, Masks]:
    """MaskSparsity as it is by default: each layer loses its channels of the smallest factors."""
    model = stages.go_on(MaskSparsity(AMOUNT))
    return model, model.net_.regularizers_[0][1].prune_masks_


def measure_stages(
    data: tuple[Split, int], methods: Mapping[str, Route], seed: int
) -> Iterator[dict[str, Any]]:
    """Accuracies before and after the cut and after fine-tuning; sizes of factors and networks."""
    task, epochs = data
    with one_thread():
        stages = Stages(task, epochs, seed)
        for name, route in methods.items():
            yield {"method": name, **_scores(stages, *route(stages))}


def _scores(stages: Stages, model: Any, masks: Masks) -> dict[str, float]:
    task, large = stages.task, model.net_.module_
    small, absorbed = (prune_channels(large, masks, task.X[:1], absorb) for absorb in (False, True))
    before, after = _accuracy(large, task), _accuracy(small, task)
    factors = {name: large.get_submodule(name).weight.detach().abs() for name in masks}
    example = torch.from_numpy(task.X[:1])
    return {
        "before": before,
        "after": after,
        "drop": before - after,
        "absorbed": _accuracy(absorbed, task),
        "tuned": 100 * stages.train(small, 0.01, share=0.5).score(task.X_test, task.y_test),
        "kept": float(torch.cat([factors[name][~mask] for name, mask in masks.items()]).mean()),
        "pruned": float(torch.cat([factors[name][mask] for name, mask in masks.items()]).mean()),
        "parameters": count_parameters(small) / count_parameters(large),
        "flops": count_flops(small, example) / count_flops(large, example),
    }


@torch.no_grad()
def _accuracy(network: nn.Module, task: Split) -> float:
    outputs = network.eval()(torch.from_numpy(task.X_test))
    return 100 * float(np.mean(outputs.argmax(1).numpy() == task.y_test))


# time


def networks_to_cut(seed: int, *, width: int) -> tuple[nn.Module, nn.Module]:
    """A ResNet-18, and what is left of it without every other channel."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        large = ResNet18(10, width=width).eval()
    masks = {
        name: torch.arange(layer.num_features) % 2 == 0
        for name, layer in large.named_modules()
        if isinstance(layer, nn.BatchNorm2d)
    }
    return large, prune_channels(large, masks, torch.zeros(1, 3, 32, 32))


def measure_time(
    data: tuple[nn.Module, nn.Module], methods: Mapping[str, int], seed: int
) -> Iterator[dict[str, Any]]:
    """Parameters, operations and processor time of a prediction, for batches of 1 and 64."""
    with one_thread(), torch.inference_mode():
        for batch, rounds in ROUNDS.items():
            generator = torch.Generator().manual_seed(seed)
            X = torch.randn(batch, 3, 32, 32, generator=generator)
            times = {name: float("inf") for name in methods}
            for _ in range(rounds):
                for name, number in methods.items():
                    _, seconds = timed(data[number], X, clock=time.process_time)
                    times[name] = min(times[name], seconds)
            flops = {name: count_flops(data[number], X) for name, number in methods.items()}
            whole = next(iter(methods))
            for name, number in methods.items():
                yield {
                    "method": name,
                    "batch": batch,
                    "milliseconds": 1000 * times[name],
                    "megaflops": flops[name] / 1e6,
                    "thousands": count_parameters(data[number]) / 1e3,
                    "lag": times[name] / times[whole] / (flops[name] / flops[whole]),
                }
