"""Gradients without their component along the weights (Prieto et al. 2025)."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch

from ..frame._batches import check_choice, in_full_precision
from ..frame._optimizer import OptimizerWrapper

# ||g_perp|| / ||g|| below this many roundings is noise, which must not be scaled up
_ROUNDINGS = 4


def orthogonalize_gradients(
    parameters: Iterable[torch.Tensor],
    *,
    rescale: bool = True,
    per: Literal["tensor", "global"] = "tensor",
    min_ndim: int = 2,
) -> None:
    """Remove from gradients, in place, their component along the weights.

    g <- g - <w, g> / <w, w> w, then scaled to the former length of g if `rescale`. To scale all
    weights up is a way to lower the loss without learning; this removes it.

    Parameters
    ----------
    parameters : iterable of Tensor
        Parameters with gradients. Those without, and sparse or complex ones, are passed over.
    rescale : bool, default=True
        Keep the length of the gradient, as the authors' code does and the paper's formula does
        not. A gradient that is parallel to the weights up to rounding is not scaled up.
    per : {"tensor", "global"}, default="tensor"
        Project each parameter by itself, as the authors' code does, or all as one vector, as the
        paper's formula does.
    min_ndim : int, default=2
        Parameters of fewer dimensions, such as biases and the gains of normalizations, keep their
        gradient; a single number would always lose it.

    Raises
    ------
    ValueError
        If `per` is unknown.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> w.grad = torch.tensor([1.0, 0.0])
    >>> orthogonalize_gradients([w], min_ndim=1)
    >>> w.grad
    tensor([ 0.8000, -0.6000])
    """
    check_choice("per", per, ("tensor", "global"))
    chosen = [
        parameter
        for parameter in parameters
        if parameter.grad is not None
        and parameter.ndim >= min_ndim
        and parameter.is_floating_point()
        and not parameter.grad.is_sparse
    ]
    groups = [[parameter] for parameter in chosen] if per == "tensor" else [chosen]
    with torch.no_grad():
        for group in groups:
            if group:
                _project(group, rescale)


def _project(parameters, rescale):
    """Project the gradients of `parameters`, taken as one vector."""
    weights = [in_full_precision(parameter.detach()) for parameter in parameters]
    gradients = [in_full_precision(parameter.grad) for parameter in parameters]
    squared = _dot(weights, weights)
    projected = gradients
    for _ in range(2):  # rounding leaves a component along w; the second pass takes it off
        along = torch.where(squared > 0, _dot(weights, projected) / squared, 0.0)
        projected = [g - along * w for g, w in zip(projected, weights, strict=True)]
    if rescale:
        before, after = _dot(gradients, gradients).sqrt(), _dot(projected, projected).sqrt()
        rounding = max(torch.finfo(parameter.grad.dtype).eps for parameter in parameters)
        noise = _ROUNDINGS * rounding * before
        scale = torch.where(after > noise, before / after, 1.0)
        projected = [scale * g for g in projected]
    for parameter, g in zip(parameters, projected, strict=True):
        parameter.grad.copy_(g)


def _dot(first, second):
    return torch.stack([(a * b).sum() for a, b in zip(first, second, strict=True)]).sum()


def weight_gradient_cosine(parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """Cosine between the weights and the direction of steepest descent.

    Near one, training scales the weights up and hardly does anything else.

    Parameters
    ----------
    parameters : iterable of Tensor
        Parameters with gradients; those without are passed over.

    Returns
    -------
    Tensor of shape ()
        The cosine between the weights and the negative gradient; zero if either vanishes.

    Raises
    ------
    ValueError
        If no parameter has a gradient.

    Examples
    --------
    >>> import torch
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> w.grad = torch.tensor([-6.0, -8.0])
    >>> weight_gradient_cosine([w])
    tensor(1.)
    """
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    if not parameters:
        raise ValueError("no parameter has a gradient")
    weights = [in_full_precision(parameter.detach()) for parameter in parameters]
    gradients = [in_full_precision(parameter.grad) for parameter in parameters]
    lengths = (_dot(weights, weights) * _dot(gradients, gradients)).sqrt()
    return torch.where(lengths > 0, -_dot(weights, gradients) / lengths, 0.0)


class OrthogonalGradient(OptimizerWrapper):
    """An optimizer that sees only the part of the gradient orthogonal to the weights.

    Each step of `base` is preceded by `orthogonalize_gradients`. Weight decay that `base` adds
    still acts along the weights. Clip gradients before; under a gradient scaler nothing needs to
    be done, as projection and scale commute.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update. Parameter groups and state are its own, so that
        schedulers and checkpoints may use either.
    rescale : bool, default=True
        Keep the length of the gradient.
    per : {"tensor", "global"}, default="tensor"
        Project each parameter by itself, or all as one vector.
    min_ndim : int, default=2
        Parameters of fewer dimensions keep their gradient.

    Raises
    ------
    TypeError
        If `base` is not an optimizer.
    ValueError
        If `per` is unknown.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> optimizer = OrthogonalGradient(torch.optim.SGD([w], lr=1.0), min_ndim=1)
    >>> w.grad = torch.tensor([1.0, 0.0])
    >>> optimizer.step()
    >>> w.data
    tensor([2.2000, 4.6000])
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        *,
        rescale: bool = True,
        per: Literal["tensor", "global"] = "tensor",
        min_ndim: int = 2,
    ) -> None:
        super().__init__(base)
        check_choice("per", per, ("tensor", "global"))
        self.rescale, self.per, self.min_ndim = rescale, per, min_ndim

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Project the gradients and let the base optimizer step.

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
            self._project()
            return self.base.step()

        def projected():
            loss = closure()
            self._project()
            return loss

        return self.base.step(projected)

    def _project(self):
        parameters = [p for group in self.param_groups for p in group["params"]]
        orthogonalize_gradients(
            parameters, rescale=self.rescale, per=self.per, min_ndim=self.min_ndim
        )
