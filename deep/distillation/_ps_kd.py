"""Self-knowledge distillation with progressive refinement of targets (Kim et al. 2021)."""

import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import (
    check_index,
    check_logits,
    check_number,
    check_probabilities,
    check_targets,
    softmax,
)
from ..frame._memory import SampleMemory
from ..frame._settings import settings
from ..frame._targets import as_probabilities


def progressive_alpha(alpha: float, epoch: int, max_epochs: int) -> float:
    """Weight of the network's own prediction in the targets of an epoch.

    alpha_t = alpha t / T, at most alpha

    Parameters
    ----------
    alpha : float
        Weight in the last epoch.
    epoch : int
        The epoch t, counted from one.
    max_epochs : int
        Number of planned epochs T.

    Returns
    -------
    float
        The weight.

    Examples
    --------
    >>> [progressive_alpha(0.8, epoch, 4) for epoch in (1, 2, 3, 4)]
    [0.2, 0.4, 0.6000000000000001, 0.8]
    """
    return alpha * min(epoch / max_epochs, 1.0)


class PSKDTargets(nn.Module):
    """Targets that lean on the network's own prediction of the epoch before.

    With y_i the one-hot label and q_i the softmax when sample i was last seen::

        target_i = (1 - alpha) y_i + alpha q_i,    q_i = y_i at first

    Parameters
    ----------
    n_samples, n_classes : int, default=0
        Size of the memory. It can grow later, by ``memory.allocate(n_samples, n_classes)``.

    Attributes
    ----------
    memory : SampleMemory
        The predictions q, in ``memory.values``.

    References
    ----------
    .. [1] K. Kim, B. Ji, D. Yoon, S. Hwang, "Self-Knowledge Distillation with Progressive
       Refinement of Targets", ICCV 2021.

    Examples
    --------
    >>> import torch
    >>> targets = PSKDTargets(n_samples=5, n_classes=2)
    >>> label, index = torch.tensor([1]), torch.tensor([3])
    >>> targets(label, index, alpha=0.5)
    tensor([[0., 1.]])
    >>> targets.remember(torch.tensor([[0.5, 0.5]]), index)
    >>> targets(label, index, alpha=0.5)
    tensor([[0.2500, 0.7500]])
    """

    def __init__(self, n_samples: int = 0, n_classes: int = 0) -> None:
        super().__init__()
        self.memory = SampleMemory(n_samples, n_classes)

    def forward(self, target: torch.Tensor, index: torch.Tensor, alpha: float) -> torch.Tensor:
        """Mix the targets with the remembered predictions.

        Parameters
        ----------
        target : Tensor of shape (n,) or (n, n_classes)
            Class numbers or class probabilities.
        index : Tensor of shape (n,), int64
            The stable number of each sample.
        alpha : float
            Weight of the prediction.

        Returns
        -------
        Tensor of shape (n, n_classes)
            Class probabilities.
        """
        check_index(index, len(target), len(self.memory.values))
        q = self.memory.read(index)
        y = as_probabilities(target, q.shape[1])
        dtype = torch.promote_types(q.dtype, y.dtype)
        q, y = q.to(dtype), y.to(dtype)
        return torch.where(self.memory.seen(index)[:, None], torch.lerp(y, q, alpha), y)

    def remember(self, probabilities: torch.Tensor, index: torch.Tensor) -> None:
        """Keep the predictions of a batch for the next time its samples are seen.

        Parameters
        ----------
        probabilities : Tensor of shape (n, n_classes)
            Class probabilities, of the same pass that the loss was taken from: the softmax of the
            logits, if the loss takes it.
        index : Tensor of shape (n,), int64
            The stable number of each sample.

        Raises
        ------
        ValueError
            If shapes do not match, or on the CPU if rows are no distributions.
        """
        check_probabilities(probabilities)
        check_index(index, len(probabilities), len(self.memory.values))
        self.memory.write(index, probabilities.detach())


class PSKDLoss(nn.Module):
    """Cross entropy with targets that lean on the network's own earlier prediction.

    A drop-in for label smoothing: the target of a sample is mixed with the softmax that the network
    gave it in the epoch before, with a weight that grows linearly over the planned epochs. See
    `PSKDTargets` and `progressive_alpha`. The gradient with respect to the logits is the prediction
    minus the mixed target. In evaluation mode the loss is plain cross entropy.

    Parameters
    ----------
    n_samples : int
        Number of training samples.
    n_classes : int
        Number of classes.
    max_epochs : int
        Number of planned epochs.
    alpha : float, default=0.8
        Weight of the prediction in the last epoch, in [0, 1).

    Attributes
    ----------
    mixed : PSKDTargets
        The targets and their memory.
    epoch : int
        The current epoch, counted from one; part of ``state_dict``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] K. Kim, B. Ji, D. Yoon, S. Hwang, "Self-Knowledge Distillation with Progressive
       Refinement of Targets", ICCV 2021.

    Examples
    --------
    >>> import torch
    >>> loss = PSKDLoss(n_samples=5, n_classes=2, max_epochs=2)
    >>> logits, label, index = torch.zeros(1, 2), torch.tensor([1]), torch.tensor([3])
    >>> for epoch in (1, 2):
    ...     loss.set_epoch(epoch)
    ...     print(f"alpha {loss.alpha_now:.1f}, loss {loss(logits, label, index):.4f}")
    alpha 0.4, loss 0.6931
    alpha 0.8, loss 0.6931
    >>> loss.predictions[3]
    tensor([0.5000, 0.5000])
    """

    extra_repr = settings

    stored_epoch: torch.Tensor

    def __init__(self, n_samples: int, n_classes: int, max_epochs: int, alpha: float = 0.8) -> None:
        super().__init__()
        check_number("n_samples", n_samples, 1)
        check_number("n_classes", n_classes, 2)
        check_number("max_epochs", max_epochs, 1)
        check_number("alpha", alpha, 0.0, 1.0, below=True)
        self.alpha, self.max_epochs, self.epoch = alpha, max_epochs, 1
        # the same for state_dict; reading it in each step would make the host wait for the device
        self.register_buffer("stored_epoch", torch.ones((), dtype=torch.int64))
        self.mixed = PSKDTargets(n_samples, n_classes)

    @property
    def predictions(self) -> torch.Tensor:
        """Predictions when samples were last seen, of shape (n_samples, n_classes)."""
        return self.mixed.memory.values

    @property
    def alpha_now(self) -> float:
        """Weight of the predictions in the current epoch."""
        return progressive_alpha(self.alpha, self.epoch, self.max_epochs)

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch begins.

        Parameters
        ----------
        epoch : int
            The epoch, counted from one.

        Raises
        ------
        ValueError
            If it is less than one.
        """
        check_number("epoch", epoch, 1)
        self.epoch = int(epoch)
        self.stored_epoch.fill_(self.epoch)

    def forward(
        self, logits: torch.Tensor, target: torch.Tensor, index: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of a batch; in training mode, its predictions are remembered afterwards.

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
            The loss; zero for an empty batch.

        Raises
        ------
        ValueError
            If shapes do not match, or on the CPU if a label or an index is out of range.
        """
        check_logits(logits)
        check_targets(target, logits)
        if self.training and self.alpha:
            target = self.mixed(target, index, self.alpha_now).to(logits.dtype)
        if self.training:
            self.mixed.remember(
                softmax(logits),
                index,  # type: ignore[arg-type]  # which refuses None
            )
        return F.cross_entropy(logits, target) if len(logits) else logits.sum()

    def _load_from_state_dict(self, *args, **kwargs):
        super()._load_from_state_dict(*args, **kwargs)
        self.epoch = int(self.stored_epoch)
