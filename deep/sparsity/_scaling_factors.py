"""A penalty on scaling factors of normalisation layers: of all channels, or of those to be pruned.

Network slimming (Liu et al. 2017) penalises all factors, MaskSparsity (Jiang et al. 2023) only
those of channels that are to go; the others train freely.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ._channel_masks import checked_masks, norm_layers

NORMS_OF_PENALTY = ("l1", "l2", "smooth_l1")


class ScalingFactorPenalty:
    r"""Sparsity penalty on scaling factors, in three forms of which a training loop takes one.

    .. math:: R = s \sum_l \sum_{c \in P_l} \rho(\gamma_{l,c})

    over the channels P of each batch, instance or group normalisation l that are to be pruned.

    - `penalty` is R, to be added to the loss.
    - `add_to_grad` adds the subgradient of R after ``loss.backward()``, as the authors do. With
      stochastic gradient descent this is the same, and it costs no graph.
    - `prox_` makes the proximal step of R after ``optimizer.step()``: factors become exact zeros,
      and optimizers that rescale gradients, such as Adam, do not rescale the penalty.

    Parameters
    ----------
    strength : float, default=1e-4
        Strength s. What it takes to reach zero depends on the length of training, see
        `travel_strength`.
    prune_masks : dict of str to array of bool, default=None
        For normalisation layers, True where a channel is to be pruned. None penalises all channels
        of all layers, which is network slimming.
    norm : {"l1", "l2", "smooth_l1"}, default="l1"
        :math:`\rho`: the absolute value, half the square, or the absolute value whose gradient is
        :math:`\gamma` where that is less than the learning rate times s, so that factors do not
        oscillate around zero; it has no proximal step.
    penalize_bias : bool, default=False
        Penalise the biases of these channels as well. Otherwise a channel with factor zero still
        puts out a constant, which `prune_channels` moves into the next layer.

    Raises
    ------
    ValueError
        If an argument has another value. Masks are checked against the network when it comes.

    References
    ----------
    .. [1] Z. Liu, J. Li, Z. Shen, G. Huang, S. Yan, C. Zhang, "Learning Efficient Convolutional
       Networks through Network Slimming", ICCV 2017.
    .. [2] N. Jiang, X. Zhao, C. Zhao, Y. An, M. Tang, J. Wang, "Pruning-aware Sparse Regularization
       for Network Pruning", Machine Intelligence Research 20, 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import ScalingFactorPenalty
    >>> norm = torch.nn.BatchNorm1d(3)
    >>> with torch.no_grad():
    ...     _ = norm.weight.copy_(torch.tensor([0.3, -0.05, 1.0]))
    >>> mask = torch.tensor([True, True, False])
    >>> ScalingFactorPenalty(strength=0.1, prune_masks={"": mask}).prox_(norm, step=1.0)
    >>> norm.weight.data
    tensor([0.2000, 0.0000, 1.0000])
    """

    def __init__(
        self,
        strength: float = 1e-4,
        prune_masks: Mapping[str, Any] | None = None,
        norm: Literal["l1", "l2", "smooth_l1"] = "l1",
        penalize_bias: bool = False,
    ) -> None:
        check_number("strength", strength, 0)
        check_choice("norm", norm, NORMS_OF_PENALTY)
        self.strength = strength
        self.prune_masks = prune_masks
        self.norm = norm
        self.penalize_bias = penalize_bias

    def __repr__(self) -> str:
        which = "all" if self.prune_masks is None else f"masks of {len(self.prune_masks)} layers"
        return (
            f"{type(self).__name__}(strength={self.strength:.4g}, prune_masks={which}, "
            f"norm={self.norm!r}, penalize_bias={self.penalize_bias})"
        )

    def penalty(self, module: nn.Module, lr: float | None = None) -> torch.Tensor:
        """The term R of the loss.

        Parameters
        ----------
        module : torch.nn.Module
            The network.
        lr : float, optional
            Learning rate, for "smooth_l1".

        Returns
        -------
        Tensor of shape ()
            The term, strength included.
        """
        corner = self._corner(lr)
        terms = [
            torch.where(mask, self._value(factor, corner), 0.0).sum()
            for factor, mask in self._penalised(module)
        ]
        return self.strength * sum(terms)  # type: ignore[return-value]  # there is a layer

    @torch.no_grad()
    def add_to_grad(self, module: nn.Module, lr: float | None = None) -> None:
        """Add the subgradient of R to gradients that are there, in place.

        Gradients of channels that are not penalised stay as they are, bit by bit.

        Parameters
        ----------
        module : torch.nn.Module
            The network, after ``loss.backward()``.
        lr : float, optional
            Learning rate, for "smooth_l1".
        """
        corner = self._corner(lr)
        for factor, mask in self._penalised(module):
            if factor.grad is not None:
                pushed = factor.grad + self.strength * self._slope(factor, corner)
                factor.grad.copy_(torch.where(mask, pushed, factor.grad))

    @torch.no_grad()
    def prox_(self, module: nn.Module, step: float) -> None:
        """Make the proximal step of R, in place.

        Parameters
        ----------
        module : torch.nn.Module
            The network, after ``optimizer.step()``.
        step : float
            Length of the step: the learning rate.

        Raises
        ------
        ValueError
            If the norm is "smooth_l1".
        """
        if self.norm == "smooth_l1":
            raise ValueError('norm="smooth_l1" has no proximal step: take "l1", which reaches zero')
        shift = step * self.strength
        for factor, mask in self._penalised(module):
            if factor.requires_grad:
                if self.norm == "l1":
                    moved = factor - factor.clamp(-shift, shift)
                else:
                    moved = factor / (1 + shift)
                factor.copy_(torch.where(mask, moved, factor))

    def _penalised(self, module) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Factors, biases if they count, and masks of the layers."""
        layers = norm_layers(module)
        masks = (
            {
                name: torch.ones_like(layer.weight, dtype=torch.bool)
                for name, layer in layers.items()
            }
            if self.prune_masks is None
            else checked_masks(self.prune_masks, layers)
        )
        for name, mask in masks.items():
            yield layers[name].weight, mask
            if self.penalize_bias and layers[name].bias is not None:
                yield layers[name].bias, mask

    def _corner(self, lr):
        """Where the smooth norm turns into the absolute value."""
        if self.norm != "smooth_l1":
            return 0.0
        if lr is None:
            raise ValueError('norm="smooth_l1" depends on the learning rate: give lr')
        return lr * self.strength

    def _value(self, factor, corner):
        if self.norm == "l2":
            return factor.square() / 2
        size = factor.abs()
        if self.norm == "l1":
            return size
        return torch.where(size >= corner, size - corner + corner**2 / 2, factor.square() / 2)

    def _slope(self, factor, corner):
        if self.norm == "l2":
            return factor
        if self.norm == "l1":
            return factor.sign()
        return torch.where(factor.abs() >= corner, factor.sign(), factor)


def travel_strength(
    total_lr: float, *, momentum: float = 0.0, distance: float = 1.0, safety: float = 3.0
) -> float:
    r"""Strength that takes scaling factors to zero within a training.

    Gradient descent with momentum :math:`\mu` moves a factor by about :math:`\eta s / (1 - \mu)`
    in a step of the penalty. Over all steps that must exceed the distance to zero:

    .. math:: s = \text{safety} \cdot \text{distance} \cdot (1 - \mu) / \sum_t \eta_t.

    Parameters
    ----------
    total_lr : float
        Sum of the learning rates of all steps.
    momentum : float, default=0.0
        Momentum; zero for the proximal step, which comes after it.
    distance : float, default=1.0
        Largest factor to be moved.
    safety : float, default=3.0
        How much further than needed, since the loss holds against it; 2 to 3.

    Returns
    -------
    float
        The strength.

    Raises
    ------
    ValueError
        If a number is not positive, or `momentum` not in [0, 1).

    Examples
    --------
    Eighty steps at a learning rate that falls from 0.05 to zero along a cosine:

    >>> from skreg.deep.torch import travel_strength
    >>> round(travel_strength(80 * 0.025, momentum=0.9, safety=2.0), 6)
    0.1
    """
    check_number("total_lr", total_lr, 0, above=True)
    check_number("momentum", momentum, 0, 1, below=True)
    check_number("distance", distance, 0)
    check_number("safety", safety, 0, above=True)
    return safety * distance * (1 - momentum) / total_lr
