"""Weights that move samples between labels and the consistency of their views."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ..frame._memory import SampleMemory
from ..frame._settings import settings

MODES = ("adawac", "pair", "dac", "reweight")
Mode = Literal["adawac", "pair", "dac", "reweight"]


def feature_consistency(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean squared difference between the features of two views, for each sample.

    Parameters
    ----------
    first, second : Tensor of shape (n, ...)
        Features of the views of the same samples.

    Returns
    -------
    Tensor of shape (n,)
        The means over channels and positions.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import torch
    >>> feature_consistency(torch.zeros(2, 3), torch.tensor([[0.0, 0, 3], [1, 1, 1]]))
    tensor([3., 1.])
    """
    if first.shape != second.shape:
        raise ValueError(
            f"features of the two views must have one shape, got {tuple(first.shape)} and "
            f"{tuple(second.shape)}: views must be of one size"
        )
    return (first - second).square().flatten(1).mean(1)


class AdaWACLoss(nn.Module):
    r"""Losses of samples under weights that an adversary moves (Dong et al. 2023).

    For sample i with supervised loss :math:`l_i` and consistency :math:`r_i`, an ascent step of
    mirror descent with entropy on the weight :math:`\beta_i`, then the loss

    .. math::
        \operatorname{logit} \beta_i \leftarrow \operatorname{logit} \beta_i + \eta (l_i - r_i),
        \qquad \beta_i \, l_i + (1 - \beta_i) \, r_i

    in which the weights are constants. Samples that say much with their labels keep a large loss
    and get large weights; those whose labels say little end at the consistency of their views.

    Parameters
    ----------
    n_samples : int, default=0
        Number of training samples; more are allocated as they come.
    weight_lr : float, default=1.0
        Step :math:`\eta` of the weights, for each visit of a sample.
    init_beta : float, default=0.5
        Weight of a sample before its first visit, in (0, 1).
    mode : {"adawac", "pair", "dac", "reweight"}, default="adawac"
        Weights that move; of one (labels of both views only); of one half; or that move with a
        consistency of zero in the loss.
    clip : float, default=20.0
        Bound of the logits of weights.

    Attributes
    ----------
    beta : Tensor of shape (n_samples,)
        The weights.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] Y. Dong, Y. Xie, R. Ward, "Adaptively Weighted Data Augmentation Consistency
       Regularization for Robust Optimization under Concept Shift", ICML 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import AdaWACLoss
    >>> loss = AdaWACLoss(n_samples=3, weight_lr=0.5)
    >>> supervised, consistency = torch.tensor([2.0, 0.1, 1.0]), torch.tensor([1.0, 0.4, 1.0])
    >>> _ = loss(supervised, consistency, torch.arange(3))
    >>> loss.beta
    tensor([0.6225, 0.4626, 0.5000])
    """

    extra_repr = settings

    def __init__(
        self,
        n_samples: int = 0,
        weight_lr: float = 1.0,
        init_beta: float = 0.5,
        mode: Mode = "adawac",
        clip: float = 20.0,
    ) -> None:
        super().__init__()
        check_number("weight_lr", weight_lr, 0)
        check_number("init_beta", init_beta, 0, 1, above=True, below=True)
        check_number("clip", clip, 0, above=True)
        check_choice("mode", mode, MODES)
        self.weight_lr = weight_lr
        self.init_beta = init_beta
        self.mode = mode
        self.clip = clip
        self.moved = SampleMemory(n_samples, (), dtype=torch.float32)  # logits without the first

    @property
    def beta(self) -> torch.Tensor:
        """Weights of the samples."""
        return self._weights(self.moved.values)

    def _weights(self, moved):
        if self.mode == "pair":
            return torch.ones_like(moved)
        if self.mode == "dac":
            return torch.full_like(moved, 0.5)
        start = torch.tensor(float(self.init_beta)).logit().item()
        return (moved + start).sigmoid()

    def forward(
        self,
        supervised: torch.Tensor,
        consistency: torch.Tensor,
        index: torch.Tensor,
        update: bool = True,
    ) -> torch.Tensor:
        """Move the weights of the samples and return their losses.

        Parameters
        ----------
        supervised, consistency : Tensor of shape (n,)
            Losses of the samples of a batch, of commensurate size.
        index : Tensor of shape (n,), int64
            Their numbers.
        update : bool, default=True
            Whether the weights move.

        Returns
        -------
        Tensor of shape (n,)
            The weighted losses; their mean is the loss of the batch.
        """
        if self.mode == "reweight":
            consistency = torch.zeros_like(supervised)
        moved = self.moved.read(index)
        if update and self.mode in ("adawac", "reweight"):
            step = self.weight_lr * (supervised - consistency).detach().to(moved.dtype)
            moved = (moved + step).clamp(-self.clip, self.clip)
            self.moved.write(index, moved)
        beta = self._weights(moved).to(supervised.dtype)
        if self.mode == "pair":
            return supervised
        return beta * supervised + (1 - beta) * consistency


def dice_loss(
    probabilities: torch.Tensor, target: torch.Tensor, *, smooth: float = 1e-5
) -> torch.Tensor:
    r"""One minus the Dice coefficient of the classes, over all pixels of a batch.

    .. math::
        \frac{1}{C} \sum_c \Big( 1 - \frac{2 \sum s_c y_c + \epsilon}
        {\sum s_c^2 + \sum y_c^2 + \epsilon} \Big)

    Parameters
    ----------
    probabilities : Tensor of shape (n, n_classes, ...)
        Predictions s.
    target : Tensor of shape (n, ...)
        Class numbers, negative where they are to be ignored.
    smooth : float, default=1e-5
        The number that keeps the ratio of absent classes at one.

    Returns
    -------
    Tensor of shape ()
        The loss.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import dice_loss
    >>> dice_loss(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])).item()
    0.0
    """
    n_classes = probabilities.shape[1]
    valid = (target >= 0).unsqueeze(1)
    one_hot = nn.functional.one_hot(target.clamp(min=0), n_classes).movedim(-1, 1)
    s, y = probabilities * valid, one_hot * valid
    axes = [0, *range(2, s.ndim)]
    both, squares = (s * y).sum(axes), s.square().sum(axes) + y.sum(axes)
    return (1 - (2 * both + smooth) / (squares + smooth)).mean()
