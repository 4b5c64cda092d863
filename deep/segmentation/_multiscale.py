"""Predictions for an image at several scales, which should be the same."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import check_number, in_full_precision
from ..frame._settings import settings

CLAMP = 1e-3


def resized(images: torch.Tensor, scale: float | tuple[int, int]) -> torch.Tensor:
    """Images or logits at another scale or of another size, by bilinear interpolation."""
    if isinstance(scale, tuple):
        return F.interpolate(images, scale, mode="bilinear", align_corners=True)
    size = tuple(max(1, round(length * scale)) for length in images.shape[2:])
    return F.interpolate(images, size, mode="bilinear", align_corners=True)


def multiscale_consistency(logits: Sequence[torch.Tensor], rho: float = 0.8) -> torch.Tensor:
    r"""How far predictions at several scales are from their mean, for each image.

    .. math::
        m(x) \, \Big\langle \sum_s \mathrm{KL}(p_s \,\|\, q) \Big\rangle_{\text{pixels}}, \qquad
        q = \tfrac{1}{S} \sum_s p_s

    with q kept between 0.001 and 0.999, and m(x) one for images in which a pixel has a class of
    probability :math:`q \ge \rho`, zero for others.

    Parameters
    ----------
    logits : list of Tensor of shape (n, n_classes, height, width)
        Logits at each scale, of one size.
    rho : float, default=0.8
        Confidence that an image needs to count; above one none does.

    Returns
    -------
    Tensor of shape (n,)
        The terms, with gradients through all p and q.

    Raises
    ------
    ValueError
        If there are no logits, or they have several shapes.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import multiscale_consistency
    >>> p = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    >>> round(multiscale_consistency(list(p.log().view(3, 1, 2, 1, 1)), rho=0.5).item(), 4)
    0.4101
    """
    check_number("rho", rho, 0)
    shapes = {tuple(z.shape) for z in logits}
    if len(shapes) != 1:
        raise ValueError(f"logits must be tensors of one shape, got {sorted(shapes)}")
    log_p = torch.stack([in_full_precision(z).log_softmax(1) for z in logits])
    p = log_p.exp()
    q = p.mean(0).clamp(CLAMP, 1 - CLAMP)
    divergence = (p * (log_p - q.log())).sum((0, 2))
    confident = q.flatten(1).amax(1) >= rho
    return torch.where(confident, divergence.flatten(1).mean(1), 0.0)


class MultiScaleConsistencyLoss(nn.Module):
    r"""Cross entropy at several scales, and a penalty on their disagreement (Liu et al. 2022).

    .. math::
        \sum_s \mathrm{CE}(z_s, y) + \lambda \, \big\langle \text{consistency} \big\rangle

    where logits :math:`z_s` of the image at scale s are resized to the mask. The paper multiplies
    logits by learned weights of mean 1/3 within the cross entropy, which is a temperature: here
    they stay as they are, and so do thresholds on probabilities.

    Parameters
    ----------
    scales : tuple of float, default=(0.7, 1.0, 1.5)
        The scales.
    lam : float, default=1.0
        Strength of the penalty.
    rho : float, default=0.8
        Confidence that an image needs, as for `multiscale_consistency`.
    ignore_index : int, default=-100
        Label of pixels that are left out of the cross entropy.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import MultiScaleConsistencyLoss
    >>> net, images = torch.nn.Conv2d(1, 3, 3, padding=1), torch.randn(2, 1, 8, 8)
    >>> loss = MultiScaleConsistencyLoss()(net, images, torch.zeros(2, 8, 8, dtype=torch.long))
    >>> loss.backward()
    """

    extra_repr = settings

    def __init__(
        self,
        scales: tuple[float, ...] = (0.7, 1.0, 1.5),
        lam: float = 1.0,
        rho: float = 0.8,
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        check_scales(scales)
        check_number("lam", lam, 0)
        check_number("rho", rho, 0)
        self.scales = tuple(scales)
        self.lam = lam
        self.rho = rho
        self.ignore_index = ignore_index

    def forward(self, module: Any, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Evaluate the network at all scales.

        Parameters
        ----------
        module : torch.nn.Module
            Returns logits of images.
        x : Tensor of shape (n, channels, height, width)
            Images.
        target : Tensor of shape (n, height, width)
            Class numbers.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        size = (target.shape[1], target.shape[2])
        logits = [resized(module(resized(x, scale)), size) for scale in self.scales]
        entropies = [F.cross_entropy(z, target, ignore_index=self.ignore_index) for z in logits]
        consistency = multiscale_consistency(logits, self.rho).mean()
        return torch.stack(entropies).sum() + self.lam * consistency


def check_scales(scales: Any, name: str = "scales") -> None:
    """Raise ValueError unless there are scales, all positive."""
    if not isinstance(scales, list | tuple) or not len(scales):
        raise ValueError(f"{name} must be a tuple of positive numbers, got {scales!r}")
    for scale in scales:
        check_number(name, scale, 0, above=True)
