"""The envelope theorem as a function of autograd: plans and potentials are the derivatives."""

from typing import Any

import numpy as np
import torch

from skreg.transport import SparseTransportResult

from ..frame._batches import in_full_precision


class Envelope(torch.autograd.Function):
    """Values of problems that were solved; their derivatives are plans and potentials."""

    @staticmethod
    def forward(
        ctx: Any,
        a: torch.Tensor,
        b: torch.Tensor,
        C: torch.Tensor,
        results: list[SparseTransportResult],
        batch: torch.Size,
    ) -> torch.Tensor:
        ctx.save_for_backward(a, b, C)
        ctx.results = results
        return C.new_tensor([result.value for result in results]).reshape(batch)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        needed = ctx.needs_input_grad[:3]
        return (
            *EnvelopeGradient.apply(upstream, *ctx.saved_tensors, ctx.results, needed),
            None,
            None,
        )


class EnvelopeGradient(torch.autograd.Function):
    """Plans and potentials, which know what they depend on, so that none takes them for constant.

    With a constant upstream, `once_differentiable` would leave second derivatives out in silence.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ARG004
        upstream: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        C: torch.Tensor,
        results: list[SparseTransportResult],
        needed: tuple[bool, ...],
    ) -> tuple[torch.Tensor | None, ...]:
        parts = (
            lambda: [_shortest(result)[0] for result in results],
            lambda: [_shortest(result)[1] for result in results],
            lambda: [result.plan.toarray() for result in results],
        )
        return tuple(
            _scaled(part(), like, upstream) if wanted else None
            for part, like, wanted in zip(parts, (a, b, C), needed, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> None:  # noqa: ARG004
        raise RuntimeError(
            "sparse_transport_value can be differentiated once, but its gradient was asked for a "
            "derivative: leave out create_graph=True and what is made of the gradient, or detach it"
        )


def as_array(x: torch.Tensor) -> np.ndarray:
    """An array of single or double precision, which shares the memory of such a CPU tensor."""
    return in_full_precision(x.detach()).cpu().numpy()


def _shortest(result):
    """Potentials of one sum: nothing but the direction in which no plan exists is taken away."""
    alpha, beta = result.alpha, result.beta
    shift = (beta.sum() - alpha.sum()) / (len(alpha) + len(beta))
    return alpha + shift, beta - shift


def _scaled(parts, like, upstream):
    """Derivatives of all problems, times those of what became of the values."""
    derivative = torch.as_tensor(np.array(parts), dtype=upstream.dtype).reshape(like.shape)
    return (derivative.to(upstream.device) * upstream.reshape(-1, *[1] * (like.ndim - 1))).to(like)
