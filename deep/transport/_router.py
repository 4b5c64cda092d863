"""Tokens sent to experts of limited capacity, by sparse optimal transport (Liu et al. 2023)."""

import math
from numbers import Integral

import numpy as np
import torch
from torch import nn

from skreg.transport import sparse_transport_batch

from ..frame._batches import check_number, in_full_precision
from ..frame._settings import settings
from ._envelope_gradient import as_array
from ._routing import Routing, rounded, routing_costs


class SparsityConstrainedRouter(nn.Module):
    r"""Mixture-of-experts routing in which no expert takes more tokens than it has room for.

    Tokens are transported to experts, each token with the mass 1 and all experts with the same
    mass, so that

    .. math:: \min_T \; -\langle T, L \rangle / s + \frac{\gamma}{2} \|T\|_F^2
              \quad \text{subject to} \quad
              \sum_j t_{ij} = 1, \; \sum_i t_{ij} = n / m, \; \|t_j\|_0 \leq k

    for logits L of n tokens and m experts, with k the capacity. It is solved as by
    :func:`skreg.transport.sparse_transport`, and every expert keeps its k largest shares
    :math:`t_{ij}`. Experts are in balance without a loss for it, and no token is dropped while
    there is room: only for n > k m some are, n - k m of them.

    The plan is found on the CPU for detached logits. Gradients reach these through the gate
    weights alone: the softmax of the logits, and zero for experts that do not take a token.

    The spread s is the mean size of what is left of the logits without the means of tokens and of
    experts. The mask hence is the same for other units of the logits, and whatever is added to all
    logits of a token or of an expert.

    Parameters
    ----------
    capacity : int or float
        Number of tokens that an expert can take (int), or that over n_tokens / n_experts (float),
        rounded up: the capacity factor.
    gamma : float, default=0.1
        The larger, the more experts share a token, as far as there is room for it: with a factor
        of 1 each token has one expert.
    n_iter : int, default=100
        Largest number of proximal steps.
    tol : float, default=1e-6
        Largest marginal error and largest gap, at which the steps end. Shares are rounded to
        multiples of ``tol / n_experts``.
    renormalize : bool, default=False
        Whether the weights of a token add up to 1 over its experts. The weight of a token with one
        expert then is 1, and tells its logits nothing; with False it is the softmax over all
        experts, from which a gate learns also where each token has one expert.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        If `n_iter` steps do not reach `tol`. The capacity is kept nevertheless, but tokens may be
        dropped.

    See Also
    --------
    sparse_transport_value : The value of such transport, with derivatives.
    skreg.transport.BalancedAssignment : The same for clusters, outside of networks.

    Notes
    -----
    Where logits tie, an expert has many equal shares, of which the k largest logits are kept, after
    tokens that would have no expert.

    Tokens are routed by all of their batch: alone, or in another batch, a token may have other
    experts. Of fewer tokens than experts, each has several.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    Both experts take two of four tokens that all prefer the first:

    >>> import torch
    >>> from skreg.deep.torch import SparsityConstrainedRouter
    >>> logits = torch.tensor([[3.0, 0.0], [2.0, 1.0], [4.0, 0.0], [1.0, 0.0]])
    >>> routing = SparsityConstrainedRouter(capacity=1.0)(logits)
    >>> routing.mask.int()
    tensor([[1, 0],
            [0, 1],
            [1, 0],
            [0, 1]], dtype=torch.int32)
    >>> routing
    Routing(mask and weights of shape (4, 2), 0 tokens dropped)
    """

    extra_repr = settings

    def __init__(
        self,
        capacity: int | float,
        gamma: float = 0.1,
        n_iter: int = 100,
        *,
        tol: float = 1e-6,
        renormalize: bool = False,
    ) -> None:
        super().__init__()
        _check_parameters(capacity, gamma, n_iter, tol)
        self.capacity = capacity
        self.gamma = gamma
        self.n_iter = n_iter
        self.tol = tol
        self.renormalize = renormalize

    def forward(self, logits: torch.Tensor) -> Routing:
        """Route tokens.

        Parameters
        ----------
        logits : Tensor of shape (..., n_tokens, n_experts)
            Scores of the gate, of one group of tokens or of several, each routed by itself.

        Returns
        -------
        Routing
            Mask and weights, the latter of the type of the logits.

        Raises
        ------
        ValueError
            If the logits are not finite floating-point numbers of two dimensions or more.
        """
        mask = self._mask(logits)
        gates = in_full_precision(logits)
        if self.renormalize:
            gates = gates.masked_fill(~mask & mask.any(-1, keepdim=True), -math.inf)
        return Routing(mask, (gates.softmax(-1) * mask).to(logits.dtype))

    @torch.compiler.disable
    def _mask(self, logits: torch.Tensor) -> torch.Tensor:
        _check_logits(logits)
        if not logits.numel():
            return torch.zeros_like(logits, dtype=torch.bool)
        scores = as_array(logits).astype(np.float64)
        n_tokens, n_experts = scores.shape[-2:]
        room = self._room(n_tokens, n_experts)
        costs = routing_costs(scores).reshape(-1, n_tokens, n_experts)
        results = sparse_transport_batch(
            np.ones(n_tokens),
            np.full(n_experts, n_tokens / n_experts),
            costs,
            max_nz=room,
            gamma=self.gamma,
            tol=self.tol,
            max_iter=self.n_iter,
        )
        shares = (np.rint(result.plan.toarray() * (n_experts / self.tol)) for result in results)
        masks = np.stack([rounded(*pair, room) for pair in zip(shares, costs, strict=True)])
        return torch.from_numpy(masks).reshape(logits.shape).to(logits.device)

    def _room(self, n_tokens, n_experts):
        if isinstance(self.capacity, Integral):
            return int(self.capacity)
        return math.ceil(self.capacity * n_tokens / n_experts)


def _check_parameters(capacity, gamma, n_iter, tol):
    if isinstance(capacity, Integral):
        check_number("capacity, as a number of tokens,", capacity, 1)
    else:
        check_number("capacity, as a factor,", capacity, 0.0, above=True)
    check_number("gamma", gamma, 0.0, above=True)
    if not isinstance(n_iter, Integral) or n_iter < 1:
        raise ValueError(f"n_iter must be a whole number of at least 1, got {n_iter!r}")
    check_number("tol", tol, 0.0, 0.1, above=True)


def _check_logits(logits):
    if logits.ndim < 2 or not logits.is_floating_point():
        raise ValueError(
            "logits must be floating-point numbers of shape (..., n_tokens, n_experts), got "
            f"{logits.dtype} of shape {tuple(logits.shape)}"
        )
    if not logits.isfinite().all():
        raise ValueError(
            f"logits must be finite, but {int((~logits.isfinite()).sum())} of {logits.numel()} are "
            "NaN or infinite; to keep tokens from an expert, give it a low finite logit"
        )
