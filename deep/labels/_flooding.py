"""Losses that are kept from falling below a level (Ishida et al. 2020, Xie et al. 2022)."""

import torch

from ..frame._batches import check_number


def flooded(losses: torch.Tensor, level: float) -> torch.Tensor:
    """Reflect losses at a level, so that descent turns to ascent below it: `l <- |l - b| + b`.

    Parameters
    ----------
    losses : Tensor
        A mean loss, as in [1]_, or the losses of samples, as in [2]_.
    level : float
        The flood level b, in units of the loss.

    Returns
    -------
    Tensor of the same shape
        The losses, at least `level`.

    Raises
    ------
    ValueError
        If the level is negative or not finite.

    References
    ----------
    .. [1] T. Ishida, I. Yamane, T. Sakai, G. Niu, M. Sugiyama, "Do We Need Zero Training Loss After
       Achieving Zero Training Error?", ICML 2020.
    .. [2] Y. Xie, Z. Wang, Y. Li, C. Zhang, J. Zhou, B. Ding, "iFlood: A Stable and Effective
       Regularizer", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> flooded(torch.tensor([0.0, 0.3, 2.0]), level=0.5)
    tensor([1.0000, 0.7000, 2.0000])
    """
    check_number("level", level, 0.0)
    return (losses - level).abs() + level
