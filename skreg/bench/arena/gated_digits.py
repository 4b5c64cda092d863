"""A small convolutional network of digits whose channels are closed, by sample or for all."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from skorch.callbacks import LRScheduler
from torch import nn

from skreg.bench.arena.deep_tasks import Split, digits
from skreg.bench.arena.networks import one_thread
from skreg.bench.arena.slim_networks import DigitsCNN
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import DynamicGates
from skreg.deep.torch import activation_score, add_dynamic_gates, gated_flops, gates

ACTIVATIONS = {"1": 3, "4": 6, "7": 9}  # of the convolutions, by their names


class Pretrained(NamedTuple):
    """A trained network, its digits, and how long to fine-tune it."""

    network: nn.Module
    split: Split
    epochs: int


class Closing(NamedTuple):
    """How channels are closed.

    Attributes
    ----------
    mass : float or None
        Share of the activations to keep; None closes none.
    trained : bool
        Whether the network is fine-tuned; else masks of its activations act on it as it is.
    options : dict
        Further parameters of `DynamicGates`.
    static : str
        A method with gates, of which static pruning saves at least as many operations: in each
        layer the same share of the channels is kept, those with the largest mean scores.
    """

    mass: float | None = None
    trained: bool = True
    options: Mapping[str, Any] = {}
    static: str = ""


def sgd(module: Any, epochs: int, seed: int, *, lr: float, regularizers: Any = None) -> Any:
    """A classifier by SGD with momentum and weight decay."""
    return DeepClassifier(
        module,
        regularizers,
        optimizer=torch.optim.SGD,
        lr=lr,
        max_epochs=epochs,
        batch_size=64,
        standardize=False,
        device="cpu",
        random_state=seed,
        net_params={"optimizer__momentum": 0.9, "optimizer__weight_decay": 5e-4},
    )


def pretrained_digits(seed: int, *, epochs: int, pretraining: int = 6) -> Pretrained:
    """A network of 800 digits, trained for some epochs."""
    split = digits(seed, train_size=800)
    with one_thread():
        model = sgd(DigitsCNN, pretraining, seed, lr=0.1).fit(split.X, split.y)
    return Pretrained(model.net_.module_, split, epochs)


def fine_tuned(task: Pretrained, module: nn.Module, seed: int, regularizers: Any = None) -> Any:
    """The network after fine-tuning with a cosine schedule."""
    model = sgd(module, task.epochs, seed, lr=0.01, regularizers=regularizers)
    model.set_params(callbacks=[LRScheduler("CosineAnnealingLR", T_max=task.epochs)])
    return model.fit(task.split.X, task.split.y)


def mean_scores(task: Pretrained) -> dict[str, torch.Tensor]:
    """Mean scores of the channels of the trained network on training digits, by layer."""
    scores = {}
    with torch.no_grad():
        x = torch.from_numpy(task.split.X)
        for number, layer in enumerate(task.network.eval().children()):
            x = layer(x)
            for name, activation in ACTIVATIONS.items():
                if number == activation:
                    scores[name] = activation_score(x).mean(0)
    return scores


def with_fixed_channels(task: Pretrained, share: float) -> nn.Module:
    """The trained network with gates that open a share of each layer, the same for all samples."""
    network: Any = add_dynamic_gates(copy.deepcopy(task.network))
    for name, scores in mean_scores(task).items():
        gate = network.get_submodule(name).gating.gate
        kept = scores.argsort(descending=True)[: max(1, round(share * len(scores)))]
        with torch.no_grad():
            gate.weight.zero_()
            gate.bias.fill_(-1.0)[kept] = 1.0
    return network


def pruned_to(task: Pretrained, saved: float) -> nn.Module:
    """The largest such network that saves some percentage of the operations."""
    x = torch.from_numpy(task.split.X_test[:1])
    for n_kept in range(64, 0, -1):
        network = with_fixed_channels(task, n_kept / 64)
        if 100 * gated_flops(network, x).reduction >= saved:
            break
    return network


def measure(
    task: Pretrained, methods: Mapping[str, Closing], seed: int
) -> Iterator[dict[str, Any]]:
    """Accuracy on test digits, operations saved there, and how often gates are right."""
    of_gates: dict[str, float] = {}
    for name, method in methods.items():
        agreement = float("nan")
        with one_thread():
            if not method.trained:
                found = of_activations(task, method.mass)
            elif method.static:
                module = pruned_to(task, of_gates[method.static])
                found = of_model(task, fine_tuned(task, module, seed))
            elif method.mass is None:
                model = fine_tuned(task, task.network, seed)
                found = 100 * model.score(task.split.X_test, task.split.y_test), 0.0
            else:
                gating = DynamicGates(method.mass, **method.options)
                model = fine_tuned(task, task.network, seed, [("gates", gating)])
                fitted: Any = model.net_.get_params()["regularizers"][0][1]
                agreement = 100 * fitted.mask_accuracy_
                found = of_model(task, model)
                of_gates[name] = found[1]
        accuracy, saved = found
        yield {"method": name, "accuracy": accuracy, "saved": saved, "agreement": agreement}


def of_model(task: Pretrained, model: Any) -> tuple[float, float]:
    """Accuracy and operations saved of a network with gates, in percent."""
    flops = gated_flops(model.net_.module_, torch.from_numpy(task.split.X_test))
    return 100 * model.score(task.split.X_test, task.split.y_test), 100 * flops.reduction


def of_activations(task: Pretrained, mass: float | None) -> tuple[float, float]:
    """Accuracy and operations saved of the trained network where its activations are the gates."""
    assert mass is not None
    network = add_dynamic_gates(copy.deepcopy(task.network), mass).eval()
    X, y = torch.from_numpy(task.split.X_test), torch.from_numpy(task.split.y_test)
    with gates(network, "target"), torch.no_grad():
        accuracy = (network(X).argmax(1) == y).double().mean().item()
        return 100 * accuracy, 100 * gated_flops(network, X).reduction
