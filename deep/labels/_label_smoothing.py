"""Smoothed labels (Szegedy et al. 2016), with a smoothing that may change during training."""

import torch

from ..frame._batches import check_number
from ..frame._targets import as_probabilities


def smooth_targets(target: torch.Tensor, n_classes: int, smoothing: float) -> torch.Tensor:
    """Lean class probabilities towards the uniform distribution.

    target_i = (1 - smoothing) y_i + smoothing / n_classes

    Parameters
    ----------
    target : Tensor of shape (n,) or (n, n_classes)
        Class numbers or class probabilities.
    n_classes : int
        Number of classes.
    smoothing : float
        Weight of the uniform distribution, in [0, 1].

    Returns
    -------
    Tensor of shape (n, n_classes)
        Class probabilities.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
       Architecture for Computer Vision", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import smooth_targets
    >>> smooth_targets(torch.tensor([1, 0]), n_classes=2, smoothing=0.2)
    tensor([[0.1000, 0.9000],
            [0.9000, 0.1000]])
    """
    check_number("smoothing", smoothing, 0.0, 1.0)
    y = as_probabilities(target, n_classes)
    return (1 - smoothing) * y + smoothing / n_classes
