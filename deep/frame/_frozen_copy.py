"""A copy of a network that does not train."""

import copy

import torch
from torch import nn


class FrozenCopy(nn.Module):
    """A copy of a module with its present weights, always in evaluation mode and without gradient.

    Parameters
    ----------
    module : torch.nn.Module
        The module to copy.

    Examples
    --------
    The teacher of PS-KD may be the network of the epoch before, instead of a memory of what it
    predicted:

    >>> import torch
    >>> from torch.nn import functional as F
    >>> from skreg.deep.torch import FrozenCopy
    >>> net, x, y = torch.nn.Linear(2, 3), torch.randn(8, 2), torch.arange(8) % 3
    >>> teacher, alpha = FrozenCopy(net), 0.4
    >>> target = torch.lerp(F.one_hot(y, 3).float(), teacher(x).softmax(1), alpha)
    >>> loss = F.cross_entropy(net(x), target)
    """

    def __init__(self, module):
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    def train(self, mode=True):
        """Stay in evaluation mode.

        Parameters
        ----------
        mode : bool, default=True
            Ignored.

        Returns
        -------
        FrozenCopy
            This module.
        """
        return self

    @torch.no_grad()
    def forward(self, *args, **kwargs):
        """Output of the copy.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the module.

        Returns
        -------
        Tensor, or what the module returns
            The output, without gradient.
        """
        return self.module(*args, **kwargs)
