"""Sharpness-aware minimization in the metric of the Fisher information.

M. Kim, D. Li, S. X. Hu, T. M. Hospedales, "Fisher SAM: Information Geometry and Sharpness Aware
Minimisation", ICML 2022; with noised inputs, the Fisher form of TRAM (T. Sherborne, N. Saphra,
P. Dasigi, H. Peng, ICLR 2024).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from ..frame._batches import check_number
from ._sam import ForEach, TwoPassOptimizer, frozen_buffers


class FisherSAM(TwoPassOptimizer):
    r"""Sharpness-aware minimization over an ellipsoid of the diagonal Fisher information.

    .. math::
        \epsilon = \gamma \frac{\hat F^{-1} \odot g}{\sqrt{\sum_j g_j^2 \hat F_j^{-1}}},
        \qquad \hat F_j^{-1} = \frac{1}{1 + \eta F_j},

    where F is the diagonal of the Fisher information, by default the squared gradient of the
    batch. A step takes two forward and two backward passes, and those that F needs. Unlike `SAM`
    the step depends on the scale of the loss: gradients must be unscaled, and a closure must clear
    those that an earlier backward pass of the same batch left.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    gamma : float, default=0.1
        The radius.
    eta : float, default=0.1
        The weight of the Fisher information; zero gives `SAM`.
    module : torch.nn.Module, optional
        A module whose buffers (the running statistics of its batch normalisation) `step` leaves
        alone in the second pass.

    Raises
    ------
    ValueError
        If `gamma` or `eta` is negative or not finite.

    Notes
    -----
    Equations 8 and 9 of the TRAM paper have neither the square root nor the radius, and are not
    consistent in scale as printed; the form above is that of Fisher SAM. The Fisher form of TRAM
    takes `fisher_diagonal` at noised inputs.

    References
    ----------
    .. [1] M. Kim et al., "Fisher SAM: Information Geometry and Sharpness Aware Minimisation",
       ICML 2022.
    .. [2] T. Sherborne et al., "TRAM: Bridging Trust Regions and Sharpness Aware Minimization",
       ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import FisherSAM
    >>> theta = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimizer = FisherSAM(torch.optim.SGD([theta], lr=0.1), gamma=1.0, eta=0.75)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = 0.5 * (theta**2).sum()
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)  # F = 4, F^-1 = 1/4, the step uphill is 1/2
    >>> theta.data
    tensor([1.7500])
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        gamma: float = 0.1,
        eta: float = 0.1,
        module: nn.Module | None = None,
    ) -> None:
        super().__init__(base, module)
        check_number("gamma", gamma, 0)
        check_number("eta", eta, 0)
        self.gamma = gamma
        self.eta = eta
        self._fisher: list[torch.Tensor] | None = None

    def metric(self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> ForEach:
        r"""Square root of :math:`\hat F^{-1}` for each parameter.

        Parameters
        ----------
        parameters, gradients : list of Tensor
            Those that take part in the ascent.

        Returns
        -------
        list of Tensor
            The diagonals of T.
        """
        squares = torch._foreach_mul(gradients, gradients) if self._fisher is None else self._fisher
        T = torch._foreach_mul(squares, self.eta)
        torch._foreach_add_(T, 1.0)
        torch._foreach_sqrt_(T)
        torch._foreach_reciprocal_(T)
        return T

    def first_step(self, fisher: list[torch.Tensor] | None = None, zero_grad: bool = False) -> None:
        """Go uphill from the present parameters along their gradient.

        Parameters
        ----------
        fisher : list of Tensor, optional
            The diagonal Fisher information of the parameters that have a gradient, in their order,
            as from `fisher_diagonal`. By default the squared gradient.
        zero_grad : bool, default=False
            Clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If the parameters are uphill already, or a gradient is sparse.
        ValueError
            If `fisher` does not have the parameters' shapes.
        """
        if isinstance(fisher, bool):
            raise ValueError(
                f"fisher must hold tensors, got {fisher}; write first_step(zero_grad={fisher})"
            )
        if fisher is not None:
            shapes = [p.shape for p in self._parameters() if p.grad is not None]
            if [F.shape for F in fisher] != shapes:
                raise ValueError(
                    "fisher must hold one tensor of the parameter's shape for each parameter that "
                    f"has a gradient: {[tuple(s) for s in shapes]}, "
                    f"got {[tuple(F.shape) for F in fisher]}"
                )
        self._fisher = fisher
        try:
            self.ascend(self.gamma)
        finally:
            self._fisher = None
        if zero_grad:
            self.zero_grad()


def fisher_diagonal(
    model: nn.Module,
    loss: Callable[..., Any],
    x: torch.Tensor,
    y: torch.Tensor,
    per_example: bool = False,
) -> list[torch.Tensor]:
    r"""Diagonal of the empirical Fisher information of a batch.

    The exact one is the mean over examples of the squared gradients of each,

    .. math::
        F_j = \frac1n \sum_i \left(\frac{\partial \ell(f(x_i), y_i)}{\partial \theta_j} \right)^2;

    the cheap one is the square of the mean gradient, for one more pass.

    Parameters
    ----------
    model : torch.nn.Module
        The model. Its gradients and buffers are left alone.
    loss : callable
        ``loss(model(x), y)`` is the mean negative log-likelihood of a batch.
    x : Tensor of shape (n, ...)
        Inputs; noised ones give the Fisher form of TRAM.
    y : Tensor of shape (n, ...)
        Targets.
    per_example : bool, default=False
        Whether to compute the exact one. Needs n times the memory of the parameters, and a model
        that treats examples alone (batch normalisation in evaluation mode).

    Returns
    -------
    list of Tensor
        One tensor for each parameter that requires a gradient, in the order of
        ``model.parameters()``.

    Raises
    ------
    ValueError
        If there are no examples, or x and y differ in length.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import fisher_diagonal
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.zeros_(model.weight)
    >>> x, y = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [-1.0]])
    >>> fisher_diagonal(model, torch.nn.functional.mse_loss, x, y)
    [tensor([[0.]])]
    >>> fisher_diagonal(model, torch.nn.functional.mse_loss, x, y, per_example=True)
    [tensor([[4.]])]
    """
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"x and y must have the same positive length, got {len(x)} and {len(y)}")
    names, parameters = zip(
        *((name, p) for name, p in model.named_parameters() if p.requires_grad), strict=True
    )
    with frozen_buffers(model), torch.enable_grad():
        if not per_example:
            gradients = torch.autograd.grad(loss(model(x), y), parameters, materialize_grads=True)
            return [g.square() for g in gradients]

        def loss_of_one(values, x_i, y_i):
            return loss(functional_call(model, values, (x_i[None],)), y_i[None])

        values = {name: p.detach() for name, p in zip(names, parameters, strict=True)}
        each = vmap(grad(loss_of_one), in_dims=(None, 0, 0), randomness="different")(values, x, y)
    return [each[name].square().mean(dim=0) for name in names]
