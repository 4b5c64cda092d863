"""Gradients of a task that are dropped at random where they conflict with a reference.

K. Zheng et al., "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained
Vision-Language Models", ICCV 2023.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..frame._batches import check_number, in_full_precision
from ..frame._optimizer import OptimizerWrapper
from ..frame._weights import weighted_mean


def gradient_agreement(grad_task: torch.Tensor, grad_reference: torch.Tensor) -> torch.Tensor:
    r"""How far each entry of a gradient agrees with that of a reference: its chance to be kept.

    .. math::
        P = \frac12 \Big(1 + \operatorname{sign}(a) \frac{a + b}{|a| + |b|}\Big)

    That is 1 where a and b have the same sign, and :math:`|a| / (|a| + |b|)` where they conflict,
    whatever the common scale of both: a small constant in the denominator, as in the authors' code,
    would drop entries of its size without any conflict.

    Parameters
    ----------
    grad_task : Tensor
        Gradient a of the task.
    grad_reference : Tensor of the same shape
        Gradient b of the reference.

    Returns
    -------
    Tensor of the same shape
        P, in [0, 1]; 1/2 where a is zero.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import gradient_agreement
    >>> gradient_agreement(torch.tensor([1.0, 1.0, 1.0]), torch.tensor([2.0, -1.0, -3.0]))
    tensor([1.0000, 0.5000, 0.2500])
    """
    _check_shapes(grad_task, grad_reference)
    a, b = in_full_precision(grad_task), in_full_precision(grad_reference)
    share = (a + b) / (a.abs() + b.abs())
    return torch.where(a == 0, 0.5, 0.5 + 0.5 * a.sign() * share)


def gradient_dropout(
    grad_task: torch.Tensor,
    grad_reference: torch.Tensor,
    strength: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    r"""Gradient of a task, with entries dropped at random that conflict with a reference.

    .. math:: g = \big(1 - l + l \, \mathbb 1[P > U]\big) \, a, \qquad U \sim U(0, 1)

    with P of `gradient_agreement` and U drawn for each entry. The reference decides what is kept;
    it is not added. P > U says that :math:`(1 - U) a + U b` has the sign of a, which is cheaper to
    compute.

    Parameters
    ----------
    grad_task : Tensor
        Gradient a of the task.
    grad_reference : Tensor of the same shape
        Gradient b of the reference.
    strength : float, default=1.0
        Strength l, in [0, 1]: 1 drops entries to zero, 0 keeps all.
    generator : torch.Generator, optional
        Source of U, on the device of the gradients; the default one of torch otherwise.

    Returns
    -------
    Tensor of the same shape and type as `grad_task`
        The gradient g.

    Raises
    ------
    ValueError
        If the shapes differ, or `strength` is not in [0, 1].

    References
    ----------
    .. [1] K. Zheng et al., "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained
       Vision-Language Models", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import gradient_dropout
    >>> gradient_dropout(torch.tensor([1.0, -2.0]), torch.tensor([0.1, -5.0]))
    tensor([ 1., -2.])
    """
    check_number("strength", strength, 0, 1)
    _check_shapes(grad_task, grad_reference)
    a, b = in_full_precision(grad_task), in_full_precision(grad_reference)
    drawn = torch.rand(a.shape, generator=generator, device=a.device, dtype=a.dtype)
    agrees = (torch.lerp(a, b, drawn) > 0) == (a > 0)
    if strength == 1:
        return grad_task * agrees
    return grad_task * (1 - strength * ~agrees).to(grad_task.dtype)  # faster than torch.where


def _check_shapes(grad_task, grad_reference):
    if grad_task.shape != grad_reference.shape:
        raise ValueError(
            f"grad_task and grad_reference must have one shape, got {tuple(grad_task.shape)} and "
            f"{tuple(grad_reference.shape)}"
        )


def reference_cross_entropy(
    outputs: torch.Tensor,
    reference: torch.Tensor,
    temperature: float = 1.0,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Cross entropy of a network's class probabilities to those of a reference network.

    .. math::
        L_b = -\frac{T^2}{n} \sum_{i, c} \operatorname{softmax}(o^{\text{ref}}_i / T)_c
        \log \operatorname{softmax}(o_i / T)_c

    Its gradient is that of the Kullback-Leibler divergence of the two.

    Parameters
    ----------
    outputs : Tensor of shape (n, n_classes, ...)
        Logits o of the network.
    reference : Tensor of the same shape
        Logits of the reference, taken as constants.
    temperature : float, default=1.0
        The temperature T.
    weight : Tensor of shape (n,), optional
        Weights of the samples, of mean one over all samples.

    Returns
    -------
    Tensor of shape ()
        The mean over the samples.

    Raises
    ------
    ValueError
        If the shapes differ, there is one class only, or the temperature is not positive.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import reference_cross_entropy
    >>> reference_cross_entropy(torch.zeros(3, 2), torch.zeros(3, 2))
    tensor(0.6931)
    """
    check_number("temperature", temperature, 0, above=True)
    if outputs.shape != reference.shape or outputs.ndim < 2 or outputs.shape[1] < 2:
        raise ValueError(
            "outputs and reference must be logits of one shape (n, n_classes, ...) with two "
            f"classes or more, got {tuple(outputs.shape)} and {tuple(reference.shape)}"
        )
    q = (in_full_precision(reference.detach()) / temperature).softmax(1)
    log_p = (in_full_precision(outputs) / temperature).log_softmax(1)
    return -(temperature**2) * weighted_mean((q * log_p).sum(1), weight)


class GradientDropoutStep(OptimizerWrapper):
    """An optimizer that drops entries of the gradient which conflict with a reference loss.

    A step is two backward passes of one graph: `add_reference` that of the reference loss, whose
    gradient is kept aside, and the usual one of the loss of the task. Before `base` steps,
    `gradient_dropout` compares the two for the given parameters; all others keep their gradient.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    parameters : iterable of Parameter
        Parameters whose gradient is compared, such as the values of `mask_scores`.
    strength : float, default=1.0
        Strength l in [0, 1] of `gradient_dropout`.
    generator : torch.Generator, optional
        Source of random numbers, on the parameters' device; the default one of torch otherwise.

    Raises
    ------
    TypeError
        If `base` is not an optimizer.
    ValueError
        If `strength` is not in [0, 1], or there are no parameters.

    References
    ----------
    .. [1] K. Zheng et al., "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained
       Vision-Language Models", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> from torch.nn.functional import cross_entropy
    >>> from skreg.deep.torch import GradientDropoutStep, apply_binary_masks, mask_scores
    >>> from skreg.deep.torch import reference_cross_entropy, unmasked
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> scores = [*mask_scores(apply_binary_masks(net)).values()]
    >>> optimizer = GradientDropoutStep(torch.optim.Adam(scores, lr=2e-4), scores)
    >>> x, y = torch.randn(30, 4), torch.arange(30) % 3
    >>> losses = []
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     outputs = net(x)
    ...     with torch.no_grad(), unmasked(net):
    ...         reference = net(x)
    ...     optimizer.add_reference(reference_cross_entropy(outputs, reference))
    ...     loss = cross_entropy(outputs, y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     losses.append(loss.item())
    >>> losses[-1] < losses[0]
    True
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        parameters: Iterable[torch.Tensor],
        strength: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(base)
        check_number("strength", strength, 0, 1)
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("parameters: there are none whose gradient could be compared")
        self.strength = strength
        self.generator = generator
        self._forget()

    def _forget(self):
        self._mean: list[torch.Tensor] = []
        self._n = 0.0

    def add_reference(
        self, loss: torch.Tensor, n: float = 1.0, *, retain_graph: bool = True
    ) -> None:
        """Take the gradient of the reference loss, and keep the graph for that of the task.

        Parameters
        ----------
        loss : Tensor of shape ()
            The reference loss, of the same forward pass.
        n : float, default=1.0
            Weight among the losses of several batches whose gradients come together in one step,
            such as their numbers of samples: their mean is compared.
        retain_graph : bool, default=True
            False if the loss has a graph of its own. That of a network under ``torch.compile`` must
            have one: evaluate the network twice.
        """
        gradients = torch.autograd.grad(
            loss, self.parameters, retain_graph=retain_graph, materialize_grads=True
        )
        self.add_reference_gradients(gradients, n)

    def add_reference_gradients(self, gradients: Iterable[torch.Tensor], n: float = 1.0) -> None:
        """Take a gradient that was found elsewhere for that of the reference loss.

        Parameters
        ----------
        gradients : iterable of Tensor
            The gradient in each of the parameters.
        n : float, default=1.0
            Weight among the losses of several batches.
        """
        self._n += n
        if self._mean:
            torch._foreach_lerp_(self._mean, list(gradients), n / self._n)
        else:
            self._mean = list(gradients)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients, that of the reference as well.

        Parameters
        ----------
        set_to_none : bool, default=True
            Set them to None rather than to zero.
        """
        self._forget()
        super().zero_grad(set_to_none=set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Drop entries of the gradients and let the base optimizer step.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, evaluates the losses, calls `add_reference`, fills in the
            gradients of the task, returns its loss.

        Returns
        -------
        Tensor or None
            The loss that the closure returned.

        Raises
        ------
        RuntimeError
            If there is no gradient of the reference.
        """
        if closure is None:
            self._drop()
            return self.base.step()

        def dropped():
            loss = closure()
            self._drop()
            return loss

        return self.base.step(dropped)

    @torch.no_grad()
    def _drop(self):
        if not self._mean:
            raise RuntimeError(
                "GradientDropoutStep needs the gradient of the reference: call "
                "add_reference(loss) after zero_grad() and before backward() of the task's loss"
            )
        for parameter, reference in zip(self.parameters, self._mean, strict=True):
            if parameter.grad is not None:
                parameter.grad = gradient_dropout(
                    parameter.grad, reference, self.strength, self.generator
                )
        self._forget()
