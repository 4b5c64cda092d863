"""What regularizers declare that they need, checked before the first step."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import nn

from ._frozen_copy import bare
from ._optimizer import needs_closure
from ._regularizer import Regularizer, overrides

InUse: TypeAlias = Sequence[tuple[str, Regularizer]]

# losses of torch that take class numbers only, or no logits
WITHOUT_PROBABILITIES = (
    nn.NLLLoss,
    nn.MultiMarginLoss,
    nn.MultiLabelMarginLoss,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
)


def described(name, regularizer):
    """How a message names a regularizer."""
    return f"{type(regularizer).__name__} (regularizer {name!r})"


def check_needs(
    regularizers: InUse,
    task: str,
    net_name: str,
) -> None:
    """Raise ValueError unless the regularizers fit the task and one another.

    Parameters
    ----------
    regularizers : list of (str, Regularizer)
        Those in use, in their order.
    task : {"classification", "regression", "dense"}
        What the net does.
    net_name : str
        Name of its class.
    """
    for name, regularizer in regularizers:
        if task not in regularizer.tasks:
            raise ValueError(
                f"{described(name, regularizer)} is for {' and '.join(regularizer.tasks)}, but "
                f"{net_name} is trained for {task}: leave it out"
            )
    _check_replacements(regularizers)
    _check_mixing(regularizers)
    _check_losses(regularizers)


def _check_replacements(regularizers):
    for part in ("module", "criterion", "weights"):
        names = [pair for pair in regularizers if getattr(pair[1], f"replaces_{part}")]
        if len(names) > 1:
            raise ValueError(
                f"{described(*names[0])} and {described(*names[1])} both replace the {part}: "
                "leave one out"
            )
    replacing = next((i for i, (_, r) in enumerate(regularizers) if r.replaces_module), None)
    if replacing is None:
        return
    for i, (name, regularizer) in enumerate(regularizers):
        if i != replacing and (regularizer.wanted_layers or regularizer.looks_into_module):
            raise ValueError(
                f"{described(*regularizers[replacing])} replaces the module, into which "
                f"{described(name, regularizer)} looks: leave one out"
            )
        if i < replacing and overrides(regularizer, "reparametrize"):
            raise ValueError(
                f"{described(*regularizers[replacing])} replaces the module that "
                f"{described(name, regularizer)} has changed: put {regularizers[replacing][0]!r} "
                "first"
            )


def _check_mixing(regularizers):
    """Per-sample statements about rows that are mixtures of samples are refused."""
    for i, mixer in enumerate(regularizers):
        if not mixer[1].mixes_inputs:
            continue
        for j, other in enumerate(regularizers):
            if i == j or other[1].beside_mixing == "any":
                continue
            if other[1].beside_mixing == "never":
                raise ValueError(
                    f"{described(*mixer)} mixes samples, while {described(*other)} looks at the "
                    "prediction for each sample by itself: leave one out"
                )
            if j > i:
                raise ValueError(
                    f"{described(*other)} changes the targets of samples, which must happen "
                    f"before {described(*mixer)} mixes them: put {other[0]!r} before {mixer[0]!r}"
                )


def _check_losses(regularizers):
    """What takes losses for those of the criterion comes before all that change them."""
    changing = [pair for pair in regularizers if overrides(pair[1], "losses")]
    for earlier, later in itertools.pairwise(changing):
        if later[1].reads_losses_of_criterion:
            raise ValueError(
                f"{described(*later)} adds losses of the criterion to those that "
                f"{described(*earlier)} has changed: put {later[0]!r} before {earlier[0]!r}"
            )


def check_streams(regularizers):
    """Raise ValueError if a regularizer needs numbers of samples, which a stream does not have."""
    for name, regularizer in regularizers:
        if regularizer.needs_index:
            raise ValueError(
                f"{described(name, regularizer)} remembers samples by their number, which an "
                "IterableDataset does not have: use a Dataset with __len__ and __getitem__"
            )


def check_scaling(regularizers: InUse, optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError if a step evaluates the loss several times, though gradients are scaled.

    Parameters
    ----------
    regularizers : list of (str, Regularizer)
        Those in use.
    optimizer : torch.optim.Optimizer
        The optimizer that they have agreed on.
    """
    repeating = [described(*pair) for pair in regularizers if pair[1].repeats_passes]
    if repeating or needs_closure(optimizer):
        raise ValueError(
            f"{repeating[0] if repeating else type(optimizer).__name__} evaluates the loss several "
            "times in a step, which the gradient scaling of mixed_precision='float16' does not "
            "allow; use mixed_precision='bfloat16'"
        )


def check_criterion(
    regularizers: InUse,
    criterion: nn.Module | Callable[..., Any],
    task: str,
) -> None:
    """Raise ValueError if the criterion is not one that the regularizers can work with.

    Parameters
    ----------
    regularizers : list of (str, Regularizer)
        Those in use.
    criterion : torch.nn.Module or callable
        The criterion that they have agreed on.
    task : {"classification", "regression", "dense"}
        What the net does; regression has no class probabilities.
    """
    criterion = bare(criterion)
    of = type(criterion).__name__
    is_softmax = not isinstance(criterion, WITHOUT_PROBABILITIES) and not hasattr(
        criterion, "predict_nonlinearity"
    )
    replacing = next(
        (described(*pair) for pair in regularizers if pair[1].replaces_criterion), None
    )
    by = f", put there by {replacing}," if replacing else ""
    for name, regularizer in regularizers:
        if regularizer.reads_softmax and not is_softmax:
            raise ValueError(
                f"{described(name, regularizer)} takes the softmax of the outputs for the class "
                f"probabilities, which under {of}{by} they are not: leave one out"
            )
        softens = regularizer.softens_targets and task != "regression"
        if softens and isinstance(criterion, WITHOUT_PROBABILITIES):
            raise ValueError(
                f"{described(name, regularizer)} turns the targets into class probabilities, "
                f"which {of}{by} does not take: use torch.nn.CrossEntropyLoss"
            )


def check_layers(regularizers, module):
    """Raise ValueError if a layer that a regularizer looks at is not in the module."""
    layers = [name for name, _ in module.named_modules() if name]
    for name, regularizer in regularizers:
        for layer in regularizer.wanted_layers:
            if layer != "penultimate" and layer not in layers:
                raise ValueError(
                    f"{described(name, regularizer)} looks at the layer {layer!r}, but the module "
                    f"has no layer {layer!r}; it has {', '.join(map(repr, layers))}"
                )
