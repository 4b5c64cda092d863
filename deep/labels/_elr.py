"""Early-learning regularization (Liu et al. 2020)."""

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.nn import functional as F

from ..frame._batches import (
    check_index,
    check_logits,
    check_number,
    check_targets,
    mean_or_zero,
    softmax,
)
from ..frame._memory import SampleMemory
from ..frame._settings import settings


def agreement_log_loss(probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Logarithm of one minus the agreement of predictions with their targets.

    r_i = log(1 - <p_i, t_i>)

    Parameters
    ----------
    probabilities : Tensor of shape (n, n_classes)
        Predictions p, clamped away from one.
    targets : Tensor of shape (n, n_classes)
        Targets t, at most a distribution each.

    Returns
    -------
    Tensor of shape (n,)
        Negative numbers, the lower the more a prediction agrees with its target.
    """
    return torch.log1p(-(probabilities * targets).sum(1))


def label_issues(values: torch.Tensor, seen: torch.Tensor, y: ArrayLike) -> torch.Tensor:
    """Tell which labels disagree with running averages of predictions.

    Parameters
    ----------
    values : Tensor of shape (n_samples, n_classes)
        The averages.
    seen : Tensor of shape (n_samples,), bool
        Which samples have one.
    y : array-like of shape (n_samples,)
        Class numbers.

    Returns
    -------
    Tensor of shape (n_samples,), bool
        True where the largest entry of the average is not at the label; False where `seen` is.
    """
    return seen & (values.argmax(1) != _class_numbers(y, values))


def label_quality(values: torch.Tensor, seen: torch.Tensor, y: ArrayLike) -> torch.Tensor:
    """Look up running averages of predictions at the labels.

    Parameters
    ----------
    values : Tensor of shape (n_samples, n_classes)
        The averages.
    seen : Tensor of shape (n_samples,), bool
        Which samples have one.
    y : array-like of shape (n_samples,)
        Class numbers.

    Returns
    -------
    Tensor of shape (n_samples,)
        From 0 (surely wrong) to 1; NaN where `seen` is False.
    """
    at_label = values.gather(1, _class_numbers(y, values)[:, None]).squeeze(1)
    return torch.where(seen, at_label, torch.nan)


def _class_numbers(y, values):
    y = torch.as_tensor(y, device=values.device)
    check_targets(y, values)
    return y.long()


class ELRPenalty(nn.Module):
    """The term of early-learning regularization, without the cross entropy.

    Each sample has a running average of its predictions, which begins at zero::

        t_i <- beta t_i + (1 - beta) p_i / sum(p_i)
        penalty = lam mean_i log(1 - <p_i, t_i>)

    where p is the softmax of the logits, clamped to [clamp, 1 - clamp]. The average is updated
    before it is used, and is a constant for the gradient. Since the penalty is negative, so is the
    total loss of a healthy training: it is no measure to stop by.

    Parameters
    ----------
    n_samples, n_classes : int, default=0
        Size of the memory. It can grow later, by ``memory.allocate(n_samples, n_classes)``.
    lam : float, default=3.0
        Strength, lambda in the paper; 1 to 10 there, higher for more classes.
    beta : float, default=0.7
        Memory of the running average, in [0, 1).
    clamp : float, default=1e-4
        Distance that probabilities keep from zero and one.

    Attributes
    ----------
    memory : SampleMemory
        The running averages t, in ``memory.values``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda, "Early-Learning Regularization
       Prevents Memorization of Noisy Labels", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> penalty = ELRPenalty(n_samples=10, n_classes=3)
    >>> logits = torch.tensor([[2.0, 0.0, -1.0]])
    >>> penalty(logits, index=torch.tensor([4]))
    tensor(-0.7378)
    >>> penalty.memory.read(torch.tensor([4]))
    tensor([[0.2531, 0.0343, 0.0126]])
    """

    extra_repr = settings

    def __init__(
        self,
        n_samples: int = 0,
        n_classes: int = 0,
        lam: float = 3.0,
        beta: float = 0.7,
        clamp: float = 1e-4,
    ) -> None:
        super().__init__()
        check_number("lam", lam, 0.0)
        check_number("beta", beta, 0.0, 1.0, below=True)
        check_number("clamp", clamp, 0.0, 0.5, above=True, below=True)
        self.lam, self.beta, self.clamp = lam, beta, clamp
        self.memory = SampleMemory(n_samples, n_classes)

    def forward(
        self,
        logits: torch.Tensor,
        index: torch.Tensor,
        weight: torch.Tensor | None = None,
        update: bool = True,
        nonlinearity: Callable[..., Any] = softmax,
    ) -> torch.Tensor:
        """Update the running averages of a batch and return the penalty.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Output of the network.
        index : Tensor of shape (n,), int64
            The stable number of each sample.
        weight : Tensor of shape (n,), optional
            Factors on the samples' terms, of mean one over all samples. A whole-number weight is
            then a sample given as often, each copy with a number of its own.
        update : bool, default=True
            Whether the running averages take in these predictions.
        nonlinearity : callable, default=softmax
            Turns `logits` into class probabilities, with their gradient; for networks that are
            trained with another loss than the cross entropy of the softmax.

        Returns
        -------
        Tensor of shape ()
            The penalty, at least in float32; zero for an empty batch.
        """
        check_logits(logits)
        check_index(index, len(logits), len(self.memory.values))
        probabilities = nonlinearity(logits).clamp(self.clamp, 1 - self.clamp)
        targets = self.memory.read(index).to(probabilities.dtype)
        if update:
            targets = self.averaged(targets, probabilities)
            self.memory.write(index, targets)
        return self.lam * mean_or_zero(agreement_log_loss(probabilities, targets), weight)

    def averaged(self, targets: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        """Running averages that have taken in one more prediction.

        Parameters
        ----------
        targets : Tensor of shape (n, n_classes)
            The averages so far.
        probabilities : Tensor of shape (n, n_classes)
            The predictions; they are scaled to sum to one.

        Returns
        -------
        Tensor of shape (n, n_classes)
            The new averages, without gradient.
        """
        latest = probabilities.detach()
        latest = latest / latest.sum(1, keepdim=True)
        return self.beta * targets + (1 - self.beta) * latest


class ELRLoss(nn.Module):
    """Cross entropy with early-learning regularization, against wrong training labels.

    A network fits the true classes first and wrong labels later. The penalty of `ELRPenalty` keeps
    the early predictions alive: with y the one-hot label, p the prediction and t its running
    average, the gradient with respect to the logits of a sample is (lemma 2 of the paper) ::

        p - y + lam g,    g_c = p_c / (1 - <p, t>) sum_k (t_k - t_c) p_k

    In evaluation mode the loss is plain cross entropy and the memory stays as it is.

    Parameters
    ----------
    n_samples : int
        Number of training samples.
    n_classes : int
        Number of classes.
    lam : float, default=3.0
        Strength of the penalty.
    beta : float, default=0.7
        Memory of the running average, in [0, 1).
    clamp : float, default=1e-4
        Distance that probabilities keep from zero and one in the penalty.

    Attributes
    ----------
    penalty : ELRPenalty
        The penalty and its memory.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda, "Early-Learning Regularization
       Prevents Memorization of Noisy Labels", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> loss = ELRLoss(n_samples=10, n_classes=3)
    >>> logits, index = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([4])
    >>> label = torch.tensor([2])
    >>> loss(logits, label, index)
    tensor(2.4320)
    >>> loss(logits, label, index)
    tensor(1.7806)
    >>> loss.label_issues(torch.full((10,), 2))[4]
    tensor(True)
    """

    def __init__(
        self,
        n_samples: int,
        n_classes: int,
        lam: float = 3.0,
        beta: float = 0.7,
        clamp: float = 1e-4,
    ) -> None:
        super().__init__()
        check_number("n_samples", n_samples, 1)
        check_number("n_classes", n_classes, 2)
        self.penalty = ELRPenalty(n_samples, n_classes, lam=lam, beta=beta, clamp=clamp)

    @property
    def targets(self) -> torch.Tensor:
        """Running averages of the predictions, of shape (n_samples, n_classes)."""
        return self.penalty.memory.values

    def forward(
        self, logits: torch.Tensor, target: torch.Tensor, index: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of a batch; in training mode, the running averages are updated first.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Output of the network.
        target : Tensor of shape (n,) or (n, n_classes)
            Class numbers or class probabilities.
        index : Tensor of shape (n,), int64
            The stable number of each sample; needed in training mode only.

        Returns
        -------
        Tensor of shape ()
            The loss.

        Raises
        ------
        ValueError
            If shapes do not match, or on the CPU if a label or an index is out of range.
        """
        check_logits(logits)
        check_targets(target, logits)
        loss = F.cross_entropy(logits, target) if len(logits) else logits.sum()
        return loss + self.penalty(logits, index) if self.training else loss

    def label_issues(self, y: ArrayLike) -> torch.Tensor:
        """Tell which labels disagree with the running averages.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class numbers of all samples, in the order of their index.

        Returns
        -------
        Tensor of shape (n_samples,), bool
            True for labels that the network disbelieves; False for samples that were never seen.
        """
        memory = self.penalty.memory
        return label_issues(memory.values, memory.written, y)

    def label_quality(self, y: ArrayLike) -> torch.Tensor:
        """Return the running average at each label.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class numbers of all samples, in the order of their index.

        Returns
        -------
        Tensor of shape (n_samples,)
            From 0 (surely wrong) to 1; NaN for samples that were never seen.
        """
        memory = self.penalty.memory
        return label_quality(memory.values, memory.written, y)
