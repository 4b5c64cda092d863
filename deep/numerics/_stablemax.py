"""StableMax, a softmax with linear growth, and meters of softmax collapse (Prieto et al. 2025)."""

from typing import Literal

import torch
from torch import nn

from ..frame._batches import check_logits, check_targets, in_full_precision
from ..frame._settings import settings


def signed_log(x):
    """Logarithm of StableMax's s: log(1 + x) for x >= 0, and -log(1 - x) for x < 0.

    s(x) = x + 1 if x >= 0, else 1 / (1 - x), hence StableMax is the softmax of log s.
    """
    # each branch sees only its own side, else autograd would multiply 0 by inf where x = 1 or -1
    return torch.where(x >= 0, torch.log1p(x.clamp(min=0)), -torch.log1p(-x.clamp(max=0)))


def stablemax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Probabilities proportional to s(x), which grows linearly where softmax grows exponentially.

    s(x) = x + 1 if x >= 0, else 1 / (1 - x). Unlike softmax, it changes when a constant is added
    to all logits.

    Parameters
    ----------
    x : Tensor
        Logits.
    dim : int, default=-1
        The dimension along which the result sums to one.

    Returns
    -------
    Tensor of the same shape and type
        The probabilities.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> stablemax(torch.tensor([2.0, 0.0, -1.0]))
    tensor([0.6667, 0.2222, 0.1111])
    """
    return signed_log(in_full_precision(x)).softmax(dim).to(x.dtype)


def log_stablemax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Logarithm of `stablemax`, without underflow.

    Parameters
    ----------
    x : Tensor
        Logits.
    dim : int, default=-1
        The dimension of the classes.

    Returns
    -------
    Tensor of the same shape, at least float32
        The logarithms.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> log_stablemax(torch.tensor([0.0, -1e30]))
    tensor([  0.0000, -69.0776])
    """
    return signed_log(in_full_precision(x)).log_softmax(dim)


class StableMaxCrossEntropyLoss(nn.CrossEntropyLoss):
    """Cross entropy on the probabilities of `stablemax`.

    Once the data are fitted, the loss falls like one over the scale of the logits instead of
    exponentially, so that it does not vanish in floating point. Accepts whatever
    ``torch.nn.CrossEntropyLoss`` accepts. Predict with `stablemax`, not with softmax: the largest
    class is the same, the probabilities are not.

    Parameters
    ----------
    weight : Tensor of shape (n_classes,), optional
        Weights of the classes.
    ignore_index : int, default=-100
        A class number that adds nothing to the loss.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is done with the losses of the samples.
    label_smoothing : float, default=0.0
        Share of the uniform distribution in the targets, in [0, 1].

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> StableMaxCrossEntropyLoss()(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
    tensor(0.4055)
    """

    extra_repr = settings

    def __init__(
        self,
        weight: torch.Tensor | None = None,
        ignore_index: int = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, None, ignore_index, None, reduction, label_smoothing)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        input : Tensor of shape (n, n_classes, ...)
            Logits.
        target : Tensor of shape (n, ...) or (n, n_classes, ...)
            Class numbers or class probabilities.

        Returns
        -------
        Tensor
            The loss, at least in float32; the mean over an empty batch is zero.

        Raises
        ------
        ValueError
            If the logits are not real numbers.
        """
        if not input.is_floating_point():
            raise ValueError(f"logits must be floating-point numbers, got {input.dtype}")
        if not input.numel() and self.reduction == "mean":
            return input.sum()
        return super().forward(signed_log(in_full_precision(input)), target)

    def predict_nonlinearity(self, logits: torch.Tensor) -> torch.Tensor:
        """Turn logits into the class probabilities that this loss was trained on.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Output of the network.

        Returns
        -------
        Tensor of shape (n, n_classes)
            The probabilities.
        """
        return stablemax(logits, dim=1)


def softmax_collapse_rate(logits: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Share of samples whose softmax has collapsed in floating point.

    A softmax has collapsed when sum_j exp(z_j - max z) is exactly one: all other classes are lost
    in rounding, and the gradient of a correctly classified sample vanishes at its label.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Output of the network.
    dtype : torch.dtype, optional
        The precision in which to look; that of the logits by default.

    Returns
    -------
    Tensor of shape ()
        The share, in float32; NaN for an empty batch.

    Raises
    ------
    ValueError
        If the logits are not real numbers of two dimensions.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[20.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    >>> softmax_collapse_rate(logits), softmax_collapse_rate(logits, torch.float16)
    (tensor(0.5000), tensor(1.))
    """
    _, total = _offsets_and_total(logits, dtype)
    return (total == 1).float().mean()


def zero_loss_rate(
    logits: torch.Tensor, target: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Share of samples whose cross entropy is exactly zero in floating point.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Output of the network.
    target : Tensor of shape (n,)
        Class numbers.
    dtype : torch.dtype, optional
        The precision in which to look; that of the logits by default.

    Returns
    -------
    Tensor of shape ()
        The share, in float32; NaN for an empty batch.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[20.0, 0.0], [20.0, 0.0], [5.0, 0.0]])
    >>> zero_loss_rate(logits, torch.tensor([0, 1, 0]))
    tensor(0.3333)
    """
    offsets, total = _offsets_and_total(logits, dtype)
    check_targets(target, logits)
    loss = total.log() - offsets.gather(1, target[:, None]).squeeze(1)
    return (loss == 0).float().mean()


def _offsets_and_total(logits, dtype):
    check_logits(logits)
    logits = logits.detach() if dtype is None else logits.detach().to(dtype)
    offsets = logits - logits.amax(1, keepdim=True)
    return offsets, offsets.exp().sum(1)
