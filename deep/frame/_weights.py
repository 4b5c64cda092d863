"""Sample weights in a loss."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

REDUCTIONS = ("mean", "sum", "none", "batchmean")


@contextlib.contextmanager
def one_loss_per_sample(criterion):
    """Set ``reduction = "none"`` on the criterion and its submodules."""
    reducing = [(module, module.reduction) for module in reducing_parts(criterion)]
    for module, _ in reducing:
        module.reduction = "none"
    try:
        yield
    finally:
        for module, reduction in reducing:
            module.reduction = reduction


def mean_loss(
    criterion: nn.Module | Callable[..., Any],
    losses: torch.Tensor,
    targets: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean of the losses of a batch, as the criterion itself takes it, with weights of samples.

    With weights of one, or None, it is what the criterion returns with its own ``reduction``; only
    for class probabilities with class weights torch divides differently, see `sample_losses`.
    Weights that are whole numbers, scaled to mean one over all samples, are repeated rows.

    Parameters
    ----------
    criterion : torch.nn.Module or callable
        The criterion, with its own ``reduction``.
    losses : Tensor of shape (n,) or (n, ...)
        What it returned under `one_loss_per_sample`.
    targets : Tensor of shape (n,), (n, ...) or (n, n_classes, ...)
        The targets that it was given.
    sample_weight : Tensor of shape (n,), optional
        Weights of mean one over all samples.

    Returns
    -------
    Tensor of shape ()
        The mean.
    """
    return weighted_mean(sample_losses(criterion, losses, targets, sample_weight), sample_weight)


def sample_losses(criterion, losses, targets, sample_weight=None) -> torch.Tensor:
    """One loss for each sample, so scaled that their mean is the one that the criterion takes.

    The cross entropy and the negative log-likelihood divide by the sum of the class weights c of
    what is not ignored. With losses l_e of the elements e (a sample, or each of its pixels) and
    weights w of mean one over all samples, the loss of sample i of a batch of n is ::

        sum_{e in i} l_e n / d,    d = n sum_e w_e c_e / sum_i w_i

    where c_e = 1 without class weights, and 0 if the target is ignored. For weights of one, d is
    what torch divides by. For class probabilities t, c_e = sum_k t_ek c_k, so that one-hot ones
    give the loss of class numbers; torch divides by their number instead. All other losses are
    means over the elements, or sums if that is the criterion's ``reduction``.

    Parameters
    ----------
    criterion, losses, targets, sample_weight
        As for `mean_loss`.

    Returns
    -------
    Tensor of shape (n,)
        The losses, without the sample weights. Zero if nothing with a weight is left in the batch.

    Raises
    ------
    ValueError
        If there is not one loss for each sample, or one class-weighted loss beside other ones.
    """
    n = len(targets if sample_weight is None else sample_weight)
    if losses.ndim == 0 or len(losses) != n:
        raise ValueError(
            "sample_weight, or a regularizer that changes losses, needs a criterion that returns "
            "one loss for each sample when its attribute reduction is 'none'; got shape "
            f"{tuple(losses.shape)} for {n}"
        )
    reduction = own_reduction(criterion)
    if reduction in ("sum", "batchmean"):
        return losses.reshape(n, -1).sum(1) * (n if reduction == "sum" else 1)
    counts = element_counts(criterion, losses, targets)
    losses = mean_per_sample(losses)
    if counts is None:
        return losses
    counts = mean_per_sample(counts.to(losses.dtype))
    weight = torch.ones_like(losses) if sample_weight is None else sample_weight.to(losses.dtype)
    divisor = (weight * counts).sum()
    scale = weight.sum() / torch.where(divisor > 0, divisor, 1.0)
    return torch.where(divisor > 0, losses * scale, 0.0)


def mean_per_sample(values):
    """Mean over all axes but the first."""
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def weighted_mean(losses, weight=None):
    """Mean of weighted losses, each averaged over all but its first axis.

    Weights have mean one over all samples, not over the batch: a mean over the batch's own
    weights would favour the samples of batches with small ones.
    """
    if weight is None:
        return losses.mean()
    if losses.ndim == 0 or len(losses) != len(weight):
        raise ValueError(
            "sample_weight needs a criterion that returns one loss for each sample when its "
            f"attribute reduction is 'none'; got shape {tuple(losses.shape)} for {len(weight)}"
        )
    return mean_per_sample(losses).mul(weight).mean()


def divides_differently(criterion, targets):
    """Whether the criterion's own mean over these targets differs from `mean_loss`.

    It does for class probabilities with class weights, and for classes of pixels that may all be
    ignored, of which torch's mean is no number. A net whose regularizers turn class numbers into
    probabilities takes `mean_loss` then, with sample weights or without.
    """
    part = counting_part(criterion)
    if part is None:
        return False
    if targets.is_floating_point():
        return class_weights(part) is not None
    return targets.ndim > 1


def reducing_parts(criterion):
    """The criterion and its submodules, as far as they have one of torch's reductions.

    Other modules may mean something else by the name, as blocks of squeeze and excitation do.
    """
    modules = criterion.modules() if isinstance(criterion, nn.Module) else [criterion]
    return [
        module
        for module in modules
        if isinstance(getattr(module, "reduction", None), str) and module.reduction in REDUCTIONS
    ]


def own_reduction(criterion):
    """The reduction of the criterion itself, or of its first part that has one."""
    return next((part.reduction for part in reducing_parts(criterion)), "mean")


def counting_part(criterion):
    """The part of the criterion that divides by class weights and leaves out ignored targets.

    These are ``CrossEntropyLoss``, ``NLLLoss`` and what derives from them: those with an attribute
    `ignore_index`.
    """
    counting = [part for part in reducing_parts(criterion) if hasattr(part, "ignore_index")]
    if len(counting) > 1 and any(class_weights(part) is not None for part in counting):
        raise ValueError(
            f"{type(criterion).__name__} holds {len(counting)} losses, with class weights: which "
            "of them divides the mean cannot be told. Use one criterion, or sample weights in "
            "place of class weights"
        )
    return counting[0] if counting else None


def class_weights(part):
    """Weights of the classes in a criterion, or None."""
    weight = getattr(part, "weight", None)
    return weight if isinstance(weight, torch.Tensor) and weight.ndim == 1 else None


def element_counts(criterion, losses, targets):
    """How much each loss counts in the divisor of the criterion's mean; None if all count one."""
    part = counting_part(criterion)
    if part is None or not isinstance(targets, torch.Tensor):
        return None
    weight = class_weights(part)
    if targets.is_floating_point():
        if weight is None:
            return None
        if targets.ndim != losses.ndim + 1 or targets.shape[1] != len(weight):
            raise ValueError(
                f"{type(part).__name__} has weights of {len(weight)} classes, but targets of shape "
                f"{tuple(targets.shape)} are neither class numbers nor their probabilities"
            )
        return torch.einsum("nk...,k->n...", targets, weight.to(targets.dtype))
    valid = targets != part.ignore_index
    if weight is None:
        return valid
    return torch.where(valid, weight[torch.where(valid, targets, 0)], 0.0)


def normalized_weights(sample_weight, n_samples):
    """Scale the weights to mean one.

    Raises
    ------
    ValueError
        If they are not `n_samples` finite numbers, none negative and not all zero.
    """
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), got {weight.shape}")
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.max() == 0:
        raise ValueError("sample_weight must be finite, not negative, and not all zero")
    weight = weight / weight.max()  # the sum of large ones would overflow
    return weight / weight.mean()
