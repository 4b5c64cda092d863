"""Sharpness-aware minimization: the gradient at the worst point of a small ball.

P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently
Improving Generalization", ICLR 2021. J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: Adaptive
Sharpness-Aware Minimization for Scale-Invariant Learning of Deep Neural Networks", ICML 2021.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import nn

from ..frame._batches import check_number, in_full_precision
from ..frame._memory import SampleMemory
from ..frame._optimizer import OptimizerWrapper, require_optimizer

TINY = 1e-12


class _NotFromParameters(OptimizerWrapper):
    """Explains itself to ``SAM(params, SGD, lr=0.1)``, as other libraries write it.

    A class of its own, so that the signature of those below is that of their `__init__`.
    """

    def __new__(cls, *args, **kwargs):
        for given in (*args, *kwargs.values()):
            if isinstance(given, type) and issubclass(given, torch.optim.Optimizer):
                require_optimizer(cls, given)
        return super().__new__(cls)


ForEach: TypeAlias = tuple[torch.Tensor, ...] | list[torch.Tensor]


class TwoPassOptimizer(_NotFromParameters):
    r"""An optimizer that steps with the gradient found a little uphill.

    At parameters :math:`\theta` with gradient g, the ascent goes to the maximum of the linearised
    loss over the ellipsoid :math:`\|T^{-1} \epsilon\|_2 \leq r`,

    .. math:: \epsilon = r \frac{T^2 g}{\|T g\|_2},

    with one norm over all parameters; the base optimizer then updates :math:`\theta` with the
    gradient at :math:`\theta + \epsilon`. A subclass chooses the diagonal `metric` T and the
    radius.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    module : torch.nn.Module, optional
        A module whose buffers (the running statistics of its batch normalisation) `step` leaves
        alone in the second pass.

    Raises
    ------
    TypeError
        If `base` is not an optimizer.
    """

    needs_closure = True

    def __init__(self, base: torch.optim.Optimizer, module: nn.Module | None = None) -> None:
        super().__init__(base)
        self.module = module
        self._start: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None

    def metric(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]
    ) -> ForEach | None:
        """Diagonal of T for each parameter, or None for the identity.

        Parameters
        ----------
        parameters, gradients : list of Tensor
            Those that take part in the ascent.

        Returns
        -------
        list of Tensor or None
            The diagonals, of the parameters' shapes.
        """
        return None

    @torch.no_grad()
    def ascend(self, radius: float | torch.Tensor) -> None:
        """Move the parameters that have a gradient by the ascent step.

        Parameters
        ----------
        radius : float or Tensor of shape ()
            The radius r.

        Raises
        ------
        RuntimeError
            If the parameters are uphill already, or a gradient is sparse.
        """
        if self._start is not None:
            raise RuntimeError("the parameters are uphill already: call second_step() first")
        parameters = [p for p in self._parameters() if p.grad is not None]
        if any(p.grad.is_sparse for p in parameters):
            raise RuntimeError(
                f"{type(self).__name__} does not support sparse gradients; "
                "make the embedding with sparse=False"
            )
        self._start = parameters, [p.clone() for p in parameters]
        if not parameters:
            return
        gradients = [in_full_precision(p.grad) for p in parameters]
        T = self.metric([in_full_precision(p) for p in parameters], gradients)
        scaled = gradients if T is None else torch._foreach_mul(T, gradients)
        norm = _global_norm(scaled)
        if T is not None:
            torch._foreach_mul_(scaled, T)
        if isinstance(radius, torch.Tensor):
            radius = radius.detach().to(norm)
        else:
            radius = torch.full_like(norm, radius)
        factor = radius / (norm + TINY)
        for moved, direction in _by_device(parameters, scaled):
            steps = torch._foreach_mul(direction, factor.to(moved[0].device))
            torch._foreach_add_(moved, steps)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the parameters back where they were before the ascent, bit for bit.

        Gradients of parameters that had none before the ascent are dropped.
        """
        if self._start is None:
            return
        parameters, values = self._start
        self._start = None
        if parameters:
            torch._foreach_copy_(parameters, values)
        moved = set(parameters)
        for p in self._parameters():
            if p not in moved:
                p.grad = None

    def first_step(self, *args: Any, **kwargs: Any) -> None:
        """Go uphill from the present parameters along their gradient.

        Parameters
        ----------
        *args, **kwargs
            What the subclass takes; all of it may be left out.

        Raises
        ------
        RuntimeError
            If the parameters are uphill already, or a gradient is sparse.
        """
        raise NotImplementedError

    def second_step(self, zero_grad: bool = False) -> None:
        """Go back, and let the base optimizer step with the gradient found uphill.

        Parameters
        ----------
        zero_grad : bool, default=False
            Clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If `first_step` was not called before.
        """
        if self._start is None:
            raise RuntimeError("second_step() needs first_step() before it")
        self.step()  # the one place where hooks and learning-rate schedulers see a step
        if zero_grad:
            self.zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step of two passes, or the second half of one after `first_step`.

        Parameters
        ----------
        closure : callable
            Evaluates the loss, fills in the gradients, returns the loss. It is called twice. The
            first call adds to gradients that are there, unless it clears them; before the second
            they are cleared in any case.

        Returns
        -------
        Tensor
            The loss at the parameters before the step.

        Raises
        ------
        RuntimeError
            If there is no closure.
        """
        if closure is None and self._start is not None:
            self.restore()
            return self.base.step()
        if closure is None:
            raise RuntimeError(
                f"{type(self).__name__} needs two gradients in one step: write step(closure) with "
                "a closure that clears the gradients and computes them, or first_step(), a second "
                "zero_grad() and backward(), second_step()"
            )
        is_first = True

        def evaluate():
            nonlocal is_first
            if not is_first:
                self.zero_grad()
            is_first = False
            with torch.enable_grad():
                return closure()

        def gradient_uphill():
            loss = evaluate()
            self.first_step()
            try:
                with frozen_buffers(self.module):
                    evaluate()
            finally:
                self.restore()
            return loss

        return self.base.step(gradient_uphill)

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]


class SAM(TwoPassOptimizer):
    r"""Sharpness-aware minimization (SAM) and its scale-invariant form (ASAM).

    The ascent step is

    .. math::
        \epsilon = \rho \frac{g}{\|g\|_2}, \qquad
        \epsilon = \rho \frac{\theta^2 \odot g}{\|\theta \odot g\|_2} \text{ (adaptive)}.

    One step takes two forward and two backward passes, about twice the time of the base optimizer.
    Weight decay and momentum act at the restored parameters, as does gradient clipping if it comes
    after the second pass. The direction does not depend on the scale of the loss: with
    ``torch.amp.GradScaler`` scale both losses and unscale only after the second pass, in
    ``restore(); scaler.step(optimizer.base); scaler.update()``. To accumulate gradients over
    several batches, do so before `first_step` and again before `second_step`.

    Loops written for the well-known ``sam.SAM(params, SGD, rho=0.05, lr=0.1)`` work once the
    optimizer is made as ``SAM(torch.optim.SGD(params, lr=0.1), rho=0.05)``: that with two backward
    passes, and that with a closure, in which the first backward pass may be left out as the closure
    is called for it.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    rho : float, default=0.05
        The radius. 0.05 is usual for SAM, 0.5 for the adaptive form.
    adaptive : bool, default=False
        Scale each coordinate by the size of its parameter.
    adaptive_eps : float, default=0.0
        Added to :math:`|\theta|` in the adaptive form, so that zeros move as well.
    module : torch.nn.Module, optional
        A module whose buffers (the running statistics of its batch normalisation) `step` leaves
        alone in the second pass.

    Raises
    ------
    ValueError
        If `rho` or `adaptive_eps` is negative or not finite.

    References
    ----------
    .. [1] P. Foret et al., "Sharpness-Aware Minimization for Efficiently Improving
       Generalization", ICLR 2021.
    .. [2] J. Kwon et al., "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant
       Learning of Deep Neural Networks", ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import SAM
    >>> theta = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimizer = SAM(torch.optim.SGD([theta], lr=0.1), rho=0.5, adaptive=True)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = 0.5 * (theta**2).sum()
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)  # the gradient at 2 + 1 is 3
    >>> theta.data
    tensor([1.7000])

    The same in two explicit passes:

    >>> (0.5 * (theta**2).sum()).backward()
    >>> optimizer.first_step(zero_grad=True)
    >>> (0.5 * (theta**2).sum()).backward()
    >>> optimizer.second_step(zero_grad=True)
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        rho: float = 0.05,
        adaptive: bool = False,
        adaptive_eps: float = 0.0,
        module: nn.Module | None = None,
    ) -> None:
        super().__init__(base, module)
        check_number("rho", rho, 0)
        check_number("adaptive_eps", adaptive_eps, 0)
        self.rho = rho
        self.adaptive = adaptive
        self.adaptive_eps = adaptive_eps

    def metric(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]
    ) -> ForEach | None:
        r"""Sizes :math:`|\theta|` of the parameters in the adaptive form, None otherwise.

        Parameters
        ----------
        parameters, gradients : list of Tensor
            Those that take part in the ascent.

        Returns
        -------
        list of Tensor or None
            The diagonals of T.
        """
        if not self.adaptive:
            return None
        sizes = torch._foreach_abs(parameters)
        if self.adaptive_eps:
            torch._foreach_add_(sizes, self.adaptive_eps)
        return sizes

    def first_step(
        self, radius: float | torch.Tensor | None = None, zero_grad: bool = False
    ) -> None:
        """Go uphill from the present parameters along their gradient.

        Parameters
        ----------
        radius : float or Tensor of shape (), optional
            The radius of this step instead of `rho`.
        zero_grad : bool, default=False
            Clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If the parameters are uphill already, or a gradient is sparse.
        ValueError
            If `radius` is negative or NaN.
        """
        self.ascend(self.rho if radius is None else require_radius("radius", radius))
        if zero_grad:
            self.zero_grad()


@contextlib.contextmanager
def frozen_buffers(module: nn.Module | None) -> Iterator[Any]:
    """Let a module compute, and put its buffers back afterwards.

    The rows of a `SampleMemory` are left out: they belong to samples, no forward pass changes
    them, and there may be very many.

    Parameters
    ----------
    module : torch.nn.Module or None
        The module; None does nothing.

    Yields
    ------
    None
        Inside, forward passes may change running statistics.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import frozen_buffers
    >>> layer = torch.nn.BatchNorm1d(2)
    >>> with frozen_buffers(layer):
    ...     y = layer(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    >>> layer.running_mean
    tensor([0., 0.])
    """
    buffers = [] if module is None else [b.data for b in small_buffers(module)]
    values = [b.clone() for b in buffers]
    try:
        yield
    finally:
        if buffers:  # through .data: the values that a backward pass may yet ask for are unchanged
            torch._foreach_copy_(buffers, values)


def small_buffers(module):
    """The buffers of a module, without rows that belong to samples."""
    seen = set()
    for part in module.modules():
        for buffer in () if isinstance(part, SampleMemory) else part.buffers(recurse=False):
            if buffer not in seen:
                seen.add(buffer)
                yield buffer


def require_radius(name, value):
    """Return a radius that is not negative or NaN; one on an accelerator is not looked at."""
    if isinstance(value, bool):
        raise ValueError(
            f"{name} must be a number, got {value}; to clear gradients write zero_grad={value}"
        )
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise ValueError(f"{name} must be one number, got shape {tuple(value.shape)}")
        value = value.detach().reshape(())
        if value.device.type != "cpu":  # looking would wait for the device
            return value
    if not value >= 0:
        raise ValueError(f"{name} must not be negative or NaN, got {value!r}")
    return value


def _global_norm(tensors):
    """Euclidean norm of all entries of all tensors, on the device of the first."""
    norms = torch._foreach_norm(tensors)
    return torch.linalg.vector_norm(torch.stack([norm.to(norms[0]) for norm in norms]))


def _by_device(*lists):
    """Split parallel lists of tensors by the device of the first list's entries."""
    groups: dict[torch.device, list[tuple[torch.Tensor, ...]]] = {}
    for members in zip(*lists, strict=True):
        groups.setdefault(members[0].device, []).append(members)
    for group in groups.values():
        yield [list(column) for column in zip(*group, strict=True)]
