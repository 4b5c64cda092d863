"""ELR+: early-learning regularization with two networks, weight averages and mixup (Liu 2020)."""

import functools
from collections.abc import Callable
from typing import Any

import torch
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
from ..frame._frozen_copy import FrozenCopy
from ..frame._memory import SampleMemory
from ..frame._settings import settings
from ..frame._targets import as_probabilities
from ..frame._views import Mixing, mixup
from ._elr import agreement_log_loss


def sigmoid_rampup(step: torch.Tensor, length: int) -> torch.Tensor:
    """Rise from exp(-5) to one: exp(-5 (1 - min(step, length) / length)^2).

    Parameters
    ----------
    step : Tensor
        Number of steps so far.
    length : int
        Number of steps after which it is one; it is one from the start if this is zero.

    Returns
    -------
    Tensor
        The value, of the shape of `step`.

    Examples
    --------
    >>> sigmoid_rampup(torch.tensor([0.0, 5.0, 20.0]), 10)
    tensor([0.0067, 0.2865, 1.0000])
    """
    if length == 0:
        return torch.ones_like(step)
    return torch.exp(-5 * (1 - (step / length).clamp(max=1)) ** 2)


class ELRPlus(nn.Module):
    """Two networks that give each other the targets of early-learning regularization.

    Each network has a copy whose weights are exponential moving averages, and a running average of
    predictions for each sample. Network k trains on mixed pairs of samples (mixup), with targets
    from the averaged copy of the other network on the samples unmixed::

        t_i <- beta t_i + (1 - beta) softmax(other average(x_i))
        l ~ Beta(mixup_alpha, mixup_alpha),  l <- max(l, 1 - l)
        x, y, q = l (x_i, y_i, t_i) + (1 - l) (x_j, y_j, t_j)
        loss = mean CE(z(x), y) + lam mean log(1 - <softmax(z(x)), q>)

    In the s-th step of a network, s = 1, 2, ..., `lam` has risen as far as s steps bring it, and
    the average then moves with the decay of s + 1, as in the authors' code.

    The networks take turns, a pass over the data each (see `turn_to` and the example). In training
    mode the module puts out the logits of the network whose turn it is, in evaluation mode the
    mean of the logits of both. The averaged copies are in the same mode as the module, and their
    buffers (the statistics of batch normalization) are not averaged, as in the authors' code.

    Parameters
    ----------
    first, second : torch.nn.Module
        The networks, with different initial weights.
    n_samples : int, default=0
        Number of training samples; memory is made for them when the first batch comes.
    lam : float, default=3.0
        Strength, lambda in the paper.
    beta : float, default=0.7
        Memory of the running averages of predictions, in [0, 1).
    mixup_alpha : float, default=1.0
        Parameter of the beta distribution; zero turns mixup off.
    ema_decay : float, default=0.997
        Decay of the averaged weights, in [0, 1).
    ema_rampup : int, default=40000
        Steps over which the decay rises by `sigmoid_rampup`; with zero it is
        ``min(1 - 1 / (s + 1), ema_decay)`` in the s-th step.
    lam_rampup : int, default=0
        Steps over which `lam` rises by `sigmoid_rampup`.
    reweight_labels : bool, default=False
        Multiply the labels of a mixed sample by its targets and scale them to sum to one, as the
        authors do for 100 classes.
    clamp : float, default=1e-4
        Distance that probabilities keep from zero and one in the penalty.

    Attributes
    ----------
    networks, averages, memories : torch.nn.ModuleList
        The networks, their averaged copies, and the running averages of predictions that each is
        trained with.
    active : int
        The network whose turn it is.
    steps : Tensor of shape (2,)
        Number of steps that each network has made.

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
    >>> _ = torch.manual_seed(0)
    >>> x = torch.cat([torch.randn(50, 2) + 3, torch.randn(50, 2) - 3])
    >>> y, index = torch.arange(100) // 50, torch.arange(100)
    >>> model = ELRPlus(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), 100, ema_rampup=50)
    >>> optimizer = torch.optim.SGD(model.networks.parameters(), lr=0.1)
    >>> for epoch in range(20):
    ...     for network in (0, 1):
    ...         model.turn_to(network)
    ...         mixed, soft, q = model.mix(x, y, index)
    ...         loss = model.loss(model(mixed), soft, q)
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         _ = optimizer.step()
    ...         model.update_average()
    >>> (model.eval()(x).argmax(1) == y).float().mean()
    tensor(1.)
    """

    extra_repr = settings

    steps: torch.Tensor

    def __init__(
        self,
        first: nn.Module,
        second: nn.Module,
        n_samples: int = 0,
        *,
        lam: float = 3.0,
        beta: float = 0.7,
        mixup_alpha: float = 1.0,
        ema_decay: float = 0.997,
        ema_rampup: int = 40_000,
        lam_rampup: int = 0,
        reweight_labels: bool = False,
        clamp: float = 1e-4,
    ) -> None:
        super().__init__()
        check_number("lam", lam, 0.0)
        check_number("beta", beta, 0.0, 1.0, below=True)
        check_number("mixup_alpha", mixup_alpha, 0.0)
        check_number("ema_decay", ema_decay, 0.0, 1.0, below=True)
        check_number("ema_rampup", ema_rampup, 0)
        check_number("lam_rampup", lam_rampup, 0)
        check_number("clamp", clamp, 0.0, 0.5, above=True, below=True)
        self.lam, self.beta, self.mixup_alpha, self.clamp = lam, beta, mixup_alpha, clamp
        self.ema_decay, self.ema_rampup, self.lam_rampup = ema_decay, ema_rampup, lam_rampup
        self.reweight_labels = reweight_labels
        self.networks = nn.ModuleList([first, second])
        self.averages: Any = nn.ModuleList(
            FrozenCopy(network, mode="same") for network in (first, second)
        )
        self.memories: Any = nn.ModuleList(SampleMemory() for _ in range(2))
        self.n_samples = n_samples
        self.register_buffer("steps", torch.zeros(2, dtype=torch.int64))  # exact in a half() module
        self.active = 0

    def turn_to(self, network: int) -> None:
        """Choose the network that trains.

        Parameters
        ----------
        network : {0, 1}
            Its number.

        Raises
        ------
        ValueError
            If there is no such network.
        """
        if network not in (0, 1):
            raise ValueError(f"network must be 0 or 1, got {network!r}")
        self.active = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the active network in training mode, of both otherwise.

        Parameters
        ----------
        x : Tensor
            Inputs of the networks.

        Returns
        -------
        Tensor of shape (n, n_classes)
            The logits.
        """
        if self.training:
            return self.networks[self.active](x)
        return 0.5 * (self.networks[0](x) + self.networks[1](x))

    @torch.no_grad()
    def beliefs(
        self, x: torch.Tensor, index: torch.Tensor, nonlinearity: Callable[..., Any] = softmax
    ) -> torch.Tensor:
        """Update the running averages of predictions that the active network is trained with.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Inputs, unmixed.
        index : Tensor of shape (n,), int64
            The stable number of each sample.
        nonlinearity : callable, default=softmax
            Turns logits into class probabilities; for networks that are trained with another loss
            than the cross entropy of the softmax.

        Returns
        -------
        Tensor of shape (n, n_classes)
            The new averages.

        Raises
        ------
        ValueError
            If shapes do not match, or on the CPU if an index is out of range.
        """
        logits = self.averages[1 - self.active](x)
        check_logits(logits)
        memory = self.memories[self.active].allocate(self.n_samples, logits.shape[1], like=logits)
        check_index(index, len(logits), len(memory.values))
        latest = nonlinearity(logits)
        t = self.beta * memory.read(index).to(latest.dtype) + (1 - self.beta) * latest
        memory.write(index, t)
        return t

    def draw(self, n: int, device: torch.device, weight: torch.Tensor | None = None) -> Mixing:
        """Draw partners and their weight.

        Parameters
        ----------
        n : int
            Number of samples.
        device : torch.device
            Where they are.
        weight : Tensor of shape (n,), optional
            Weights of the samples; partners are drawn in proportion to them.

        Returns
        -------
        Mixing
            Random pairs, or each sample by itself if `mixup_alpha` is zero.
        """
        return mixup(n, self.mixup_alpha, device, fold=True, weight=weight)

    def labels(self, y: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Labels of mixed samples: as they are, or reweighted by the targets of the penalty.

        Parameters
        ----------
        y : Tensor of shape (n, n_classes)
            Mixed labels.
        q : Tensor of shape (n, n_classes)
            Mixed targets.

        Returns
        -------
        Tensor of shape (n, n_classes)
            Class probabilities.
        """
        return F.normalize(y * q, p=1, dim=1) if self.reweight_labels else y

    @torch.no_grad()
    def mix(
        self, x: torch.Tensor, target: torch.Tensor, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Update the running averages of predictions, and mix pairs of samples.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Inputs.
        target : Tensor of shape (n,) or (n, n_classes)
            Class numbers or class probabilities.
        index : Tensor of shape (n,), int64
            The stable number of each sample.

        Returns
        -------
        x : Tensor of shape (n, ...)
            Mixed inputs.
        y : Tensor of shape (n, n_classes)
            Mixed labels.
        q : Tensor of shape (n, n_classes)
            Mixed targets of the penalty.

        Raises
        ------
        ValueError
            If shapes do not match, or on the CPU if a label or an index is out of range.
        """
        t = self.beliefs(x, index)
        check_targets(target, t)
        mixing = self.draw(len(x), x.device)
        y, q = mixing(as_probabilities(target, t.shape[1]).to(t.dtype)), mixing(t)
        return mixing.inputs(x), self.labels(y, q), q

    def loss(self, logits: torch.Tensor, y: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Loss of the active network.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Its output on the mixed inputs.
        y : Tensor of shape (n, n_classes)
            Mixed labels.
        q : Tensor of shape (n, n_classes)
            Mixed targets of the penalty.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        check_logits(logits)
        fit = F.cross_entropy(logits, y.to(logits.dtype)) if len(logits) else logits.sum()
        return fit + self.penalty(logits, q)

    def penalty(
        self,
        logits: torch.Tensor,
        q: torch.Tensor,
        weight: torch.Tensor | None = None,
        nonlinearity: Callable[..., Any] = softmax,
    ) -> torch.Tensor:
        """Second term of the loss, in the step that follows those made so far.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Output of the active network on the mixed inputs.
        q : Tensor of shape (n, n_classes)
            Mixed targets.
        weight : Tensor of shape (n,), optional
            Factors on the terms of the pairs, of mean one over all samples: the weight of the
            first of each, if its partner was drawn in proportion to the weights (see `draw`).
            Whole numbers are then, on average over the draws, samples given as often.
        nonlinearity : callable, default=softmax
            Turns `logits` into class probabilities, with their gradient, as for `beliefs`.

        Returns
        -------
        Tensor of shape ()
            The term, including its strength.
        """
        p = nonlinearity(logits).clamp(self.clamp, 1 - self.clamp)
        step = (self.steps[self.active] + 1).to(p.dtype)
        strength = self.lam * sigmoid_rampup(step, self.lam_rampup)
        return strength * mean_or_zero(agreement_log_loss(p, q), weight)

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the averaged weights of the active network towards the present, after a step."""
        self.steps[self.active] += 1
        network = self.networks[self.active]
        kinds = [torch.float32, *(p.dtype for p in network.parameters() if p.is_floating_point())]
        following = (self.steps[self.active] + 1).to(functools.reduce(torch.promote_types, kinds))
        if self.ema_rampup:
            decay = self.ema_decay * sigmoid_rampup(following, self.ema_rampup)
        else:
            decay = (1 - 1 / following).clamp(max=self.ema_decay)
        self.averages[self.active].follow(network, 1 - decay, buffers=False)

    @property
    def targets(self) -> torch.Tensor:
        """Mean of both running averages of predictions, of shape (n_samples, n_classes)."""
        return 0.5 * (self.memories[0].values + self.memories[1].values)
