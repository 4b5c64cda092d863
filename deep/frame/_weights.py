"""Sample weights in a loss."""

import contextlib

import numpy as np
from torch import nn


@contextlib.contextmanager
def one_loss_per_sample(criterion):
    """Set ``reduction = "none"`` on the criterion and its submodules."""
    modules = criterion.modules() if isinstance(criterion, nn.Module) else [criterion]
    reducing = [(module, module.reduction) for module in modules if hasattr(module, "reduction")]
    for module, _ in reducing:
        module.reduction = "none"
    try:
        yield
    finally:
        for module, reduction in reducing:
            module.reduction = reduction


def weighted_mean(losses, weight):
    """Mean of weighted losses, each averaged over all but its first axis.

    Weights have mean one over all samples, not over the batch: a mean over the batch's own
    weights would favour the samples of batches with small ones.
    """
    if losses.ndim == 0 or len(losses) != len(weight):
        raise ValueError(
            "sample_weight needs a criterion that returns one loss for each sample when its "
            f"attribute reduction is 'none'; got shape {tuple(losses.shape)} for {len(weight)}"
        )
    return (losses.flatten(1).mean(1) if losses.ndim > 1 else losses).mul(weight).mean()


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
    return weight / weight.mean()
