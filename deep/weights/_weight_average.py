"""Averages of weights over the course of training."""

import torch
from torch import nn

from ..frame._batches import check_number, in_full_precision
from ..frame._settings import settings

# the first averages of a thousand steps would else be the initial weights: TensorFlow's rule
WARMUP = 9


class WeightAverage(nn.Module):
    """Average of the weights that a module has had, in buffers.

    With theta_n the weights at the n-th update, n = 0, 1, ...::

        mean <- mean + (theta_n - mean) / (n + 1)                        (decay=None)
        mean <- d_n mean + (1 - d_n) theta_n,  d_n = min(decay, n / (n + 9))

    The first update copies. The rule for d_n, by which short trainings forget the weights they
    began with, is that of TensorFlow's ``ExponentialMovingAverage``. Averages are at least in
    float32. Buffers of the module, such as the statistics of batch normalization, are not averaged:
    recompute them for the averaged weights with ``torch.optim.swa_utils.update_bn``.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its parameters must stay of the same shapes.
    decay : float, default=None
        Decay of the exponential average, in [0, 1); None is the arithmetic mean.

    Attributes
    ----------
    n_averaged : Tensor of shape (), int64
        Number of updates.

    Raises
    ------
    ValueError
        If `decay` is out of its range.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging",
       SIAM Journal on Control and Optimization, 1992.
    .. [2] P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson, "Averaging Weights
       Leads to Wider Optima and Better Generalization", UAI 2018.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import WeightAverage
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> average = WeightAverage(net)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = torch.nn.init.constant_(net.weight, value)
    ...     average.update(net)
    >>> average.copy_to(net)
    >>> net.weight.item()
    3.0
    """

    extra_repr = settings

    n_averaged: torch.Tensor

    def __init__(self, module: nn.Module, decay: float | None = None) -> None:
        super().__init__()
        if decay is not None:
            check_number("decay", decay, 0.0, 1.0, below=True)
        self.decay = decay
        self.register_buffer("n_averaged", torch.zeros((), dtype=torch.int64))
        for number, parameter in enumerate(module.parameters()):
            mean = in_full_precision(parameter.detach())
            self.register_buffer(f"mean_{number}", mean.clone())

    def means(self) -> list[torch.Tensor]:
        """Return the averages in the order of the module's parameters.

        Returns
        -------
        list of Tensor
            The averages.
        """
        return [mean for name, mean in self.named_buffers() if name != "n_averaged"]

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the present weights.

        Parameters
        ----------
        module : torch.nn.Module
            The module.
        """
        n = self.n_averaged
        share = 1 / (n + 1) if self.decay is None else 1 - (n / (n + WARMUP)).clamp(max=self.decay)
        for mean, parameter in zip(self.means(), module.parameters(), strict=True):
            mean.lerp_(parameter.to(mean.dtype), share.to(mean))
        self.n_averaged += 1

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Give a module the averages as its weights.

        Parameters
        ----------
        module : torch.nn.Module
            The module; its parameters stay the same objects.
        """
        for parameter, mean in zip(module.parameters(), self.means(), strict=True):
            parameter.copy_(mean)

    def reset(self) -> None:
        """Forget all weights so far."""
        self.n_averaged.zero_()
