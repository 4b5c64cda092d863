"""How sharp a minimum is, and how similar two representations are."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..frame._batches import check_number
from ._sam import frozen_buffers


def epsilon_sharpness(
    model: nn.Module,
    loss: Callable[..., Any],
    x: torch.Tensor,
    y: torch.Tensor,
    eps: float = 1e-5,
    n_steps: int = 20,
    lr: float = 8e-5,
) -> float:
    r"""Relative rise of the loss in a small box around the parameters, in percent.

    .. math::
        100 \frac{\max_{\delta \in C} L(\theta + \delta) - L(\theta)}{1 + L(\theta)}, \qquad
        C = \{\delta : |\delta_j| \leq e (|\theta_j| + 1)\}

    The maximum is sought by projected gradient ascent, thus the value is a lower bound.

    Parameters
    ----------
    model : torch.nn.Module
        The model. Its parameters, gradients and buffers are left alone.
    loss : callable
        ``loss(model(x), y)`` is the mean loss of a batch.
    x : Tensor of shape (n, ...)
        Inputs.
    y : Tensor of shape (n, ...)
        Targets.
    eps : float, default=1e-5
        The relative size e of the box. In float32 its effect may drown in rounding below 1e-4.
    n_steps : int, default=20
        Number of ascent steps.
    lr : float, default=8e-5
        Learning rate of the ascent.

    Returns
    -------
    float
        The sharpness, not negative.

    Raises
    ------
    ValueError
        If `eps` or `lr` is negative, or `n_steps` less than one.

    References
    ----------
    .. [1] N. S. Keskar, D. Mudigere, J. Nocedal, M. Smelyanskiy, P. T. P. Tang, "On Large-Batch
       Training for Deep Learning: Generalization Gap and Sharp Minima", ICLR 2017.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import epsilon_sharpness
    >>> model = torch.nn.Linear(1, 1, bias=False).double()
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> x = torch.ones(2, 1, dtype=torch.float64)
    >>> mean = lambda output, y: output.mean()
    >>> round(epsilon_sharpness(model, mean, x, x, eps=0.1, lr=1.0), 6)  # 100 * 0.2 / (1 + 1)
    10.0
    """
    check_number("eps", eps, 0)
    check_number("lr", lr, 0)
    check_number("n_steps", n_steps, 1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in parameters]
    box = [eps * (value.abs() + 1) for value in start]
    with frozen_buffers(model):
        try:
            with torch.enable_grad():
                value = loss(model(x), y)
            at_start = highest = value.detach()
            for _ in range(n_steps):
                gradients = torch.autograd.grad(value, parameters, materialize_grads=True)
                with torch.no_grad():
                    for p, g, centre, width in zip(parameters, gradients, start, box, strict=True):
                        p.copy_(torch.clamp(p + lr * g, centre - width, centre + width))
                with torch.enable_grad():
                    value = loss(model(x), y)
                highest = torch.maximum(highest, value.detach())
        finally:
            with torch.no_grad():
                for p, centre in zip(parameters, start, strict=True):
                    p.copy_(centre)
    return float(100 * (highest - at_start) / (1 + at_start))


def linear_cka(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    r"""Linear centred kernel alignment of two representations of the same samples.

    .. math:: \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F \|Y^\top Y\|_F}

    with centred columns. It lies in [0, 1], and is unchanged by rotations and by the scale of
    either representation.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        Features.
    Y : Tensor of shape (n, e)
        Features of the same samples.

    Returns
    -------
    Tensor of shape ()
        The alignment; NaN if a representation is constant.

    Raises
    ------
    ValueError
        If they are not two matrices with the same number of rows.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of Neural Network
       Representations Revisited", ICML 2019.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import linear_cka
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 5.0]])
    >>> round(float(linear_cka(X, -3 * X.flip(1))), 6)
    1.0
    """
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y):
        raise ValueError(
            "X and Y must be matrices with the same number of rows, "
            f"got shapes {tuple(X.shape)} and {tuple(Y.shape)}"
        )
    X, Y = X - X.mean(dim=0), Y - Y.mean(dim=0)
    if max(X.shape[1], Y.shape[1]) > len(X):  # the same sums from n x n Gram matrices
        G, H = X @ X.T, Y @ Y.T
        return (G * H).sum() / (G.norm() * H.norm())
    return (Y.T @ X).norm() ** 2 / ((X.T @ X).norm() * (Y.T @ Y).norm())
