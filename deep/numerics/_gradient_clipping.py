"""Gradients of bounded size (Pascanu et al. 2013)."""

from collections.abc import Callable
from typing import Any

import torch

from ..frame._batches import check_number
from ..frame._optimizer import OptimizerWrapper


class GradientClipping(OptimizerWrapper):
    r"""An optimizer that shortens long gradients before it steps.

    With g the gradient over all parameters,

    .. math:: g \leftarrow g \min(1, c / \|g\|_2), \qquad g_k \leftarrow \max(-v, \min(g_k, v)).

    Among several wrappers it belongs innermost, as here around SGD: then it clips what the base
    optimizer steps with. Outside of sharpness-aware minimization it would clip the gradient of the
    first pass, whose length does not matter, as well.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    max_norm : float or None, default=1.0
        Largest Euclidean norm c; None for no bound.
    value : float or None, default=None
        Largest absolute value v of an entry, after the norm; None for no bound.

    Attributes
    ----------
    norm : Tensor of shape () or None
        Norm of the gradient of the latest step, before it was clipped.

    Raises
    ------
    ValueError
        If a bound is not positive.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import GradientClipping
    >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> optimizer = GradientClipping(torch.optim.SGD([weight], lr=1.0), max_norm=1.0)
    >>> weight.square().sum().backward()
    >>> optimizer.step()
    >>> weight.data, optimizer.norm
    (tensor([2.4000, 3.2000]), tensor(10.))
    """

    def __init__(
        self, base: torch.optim.Optimizer, max_norm: float | None = 1.0, value: float | None = None
    ) -> None:
        super().__init__(base)
        for name, bound in (("max_norm", max_norm), ("value", value)):
            if bound is not None:
                check_number(name, bound, 0.0, above=True)
        self.max_norm = max_norm
        self.value = value
        self.norm: torch.Tensor | None = None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Clip the gradient and let the base optimizer step.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, evaluates the loss, fills in the gradients, returns the loss.

        Returns
        -------
        Tensor or None
            The loss that the closure returned.
        """
        if closure is None:
            self.clip()
            return self.base.step()

        def clipped():
            loss = closure()
            self.clip()
            return loss

        return self.base.step(clipped)

    def clip(self) -> None:
        """Clip the gradient that the parameters have at present."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        bound = float("inf") if self.max_norm is None else self.max_norm
        self.norm = torch.nn.utils.clip_grad_norm_(parameters, bound)
        if self.value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.value)
