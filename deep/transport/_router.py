"""Tokens sent to experts of limited capacity, by sparse optimal transport (Liu et al. 2023)."""

import math
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from torch import nn

from skreg.transport import sparse_transport_batch

from ..frame._batches import check_number, in_full_precision
from ..frame._settings import settings
from ._sparse_value import as_array


class Routing(NamedTuple):
    """Which tokens go to which experts.

    Attributes
    ----------
    mask : Tensor of shape (..., n_tokens, n_experts), bool
        Whether an expert takes a token.
    weights : Tensor of shape (..., n_tokens, n_experts)
        Gate weights, by which to multiply what the experts return; zero outside of the mask.
    """

    mask: torch.Tensor
    weights: torch.Tensor

    @property
    def load(self) -> torch.Tensor:
        """Number of tokens of each expert, (..., n_experts)."""
        return self.mask.sum(-2)

    @property
    def n_dropped(self) -> torch.Tensor:
        """Number of tokens that no expert takes, (...)."""
        return (~self.mask.any(-1)).sum(-1)

    def __repr__(self) -> str:
        return (
            f"Routing(mask and weights of shape {tuple(self.mask.shape)}, "
            f"{int(self.n_dropped.sum())} tokens dropped)"
        )


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
    weights alone: their softmax over the experts that take a token.

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
        Largest error of the shares, at which the steps end. Shares are rounded to multiples of it.
    renormalize : bool, default=True
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
        If `n_iter` steps do not reach `tol`. The capacity is kept nevertheless.

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
        renormalize: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(capacity, Integral):
            check_number("capacity, as a number of tokens,", capacity, 1)
        else:
            check_number("capacity, as a factor,", capacity, 0.0, above=True)
        check_number("gamma", gamma, 0.0, above=True)
        if not isinstance(n_iter, Integral) or n_iter < 1:
            raise ValueError(f"n_iter must be a whole number of at least 1, got {n_iter!r}")
        check_number("tol", tol, 0.0, 0.1, above=True)
        self.capacity, self.gamma, self.n_iter = capacity, gamma, n_iter
        self.tol, self.renormalize = tol, renormalize

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
        _check(logits)
        if not logits.numel():
            return torch.zeros_like(logits, dtype=torch.bool)
        scores = as_array(logits).astype(np.float64)
        n_tokens, n_experts = scores.shape[-2:]
        room = self._room(n_tokens, n_experts)
        costs = _costs(scores).reshape(-1, n_tokens, n_experts)
        results = sparse_transport_batch(
            np.ones(n_tokens),
            np.full(n_experts, n_tokens / n_experts),
            costs,
            max_nz=room,
            gamma=self.gamma,
            tol=self.tol,
            max_iter=self.n_iter,
        )
        shares = (np.rint(result.plan.toarray() / self.tol) for result in results)
        masks = np.stack([_rounded(*pair, room) for pair in zip(shares, costs, strict=True)])
        return torch.from_numpy(masks).reshape(logits.shape).to(logits.device)

    def _room(self, n_tokens, n_experts):
        if isinstance(self.capacity, Integral):
            return int(self.capacity)
        return math.ceil(self.capacity * n_tokens / n_experts)


def _check(logits):
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


def _costs(scores):
    """What of the negative logits tells tokens and experts apart, of mean size 1."""
    centred = scores - scores.mean(-1, keepdims=True)
    centred -= centred.mean(-2, keepdims=True)
    spread = np.abs(centred).mean((-2, -1), keepdims=True)
    return -np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0.0)


def _rounded(shares, costs, room):
    """Mask of the `room` largest positive shares of each expert, of equal ones the cheapest.

    Where these leave more tokens without expert than the room does, as with ties, tokens are given
    one expert each first. That a plan exists with these shares says that there are enough:
    scaled to columns of `room` it is a fractional matching, and the largest one is integral.
    """
    mask = _filled(np.zeros_like(shares, dtype=bool), shares, costs, room)
    if np.count_nonzero(mask.any(1)) >= min(len(mask), room * mask.shape[1]):
        return mask
    return _filled(_one_each(shares > 0.0, room), shares, costs, room)


def _filled(mask, shares, costs, room):
    """`mask` with the largest of the other shares of each expert, as far as it has room."""
    for j in range(mask.shape[1]):
        others = np.flatnonzero((shares[:, j] > 0.0) & ~mask[:, j])
        order = np.lexsort((costs[others, j], -shares[others, j]))
        mask[others[order[: room - np.count_nonzero(mask[:, j])]], j] = True
    return mask


def _one_each(allowed, room):
    """Mask in which as many tokens as possible have one allowed expert each, in balance."""
    n_tokens, n_experts = allowed.shape
    tokens, experts = 1 + np.arange(n_tokens), 1 + n_tokens + np.arange(n_experts)
    sink = 1 + n_tokens + n_experts
    row, column = np.nonzero(allowed)
    starts = np.concatenate([np.zeros_like(tokens), tokens[row], experts])
    ends = np.concatenate([tokens, experts[column], np.full_like(experts, sink)])
    limits = np.ones(len(starts), dtype=np.int32)
    limits[-n_experts:] = min(room, -(-n_tokens // n_experts))
    graph = csr_array((limits, (starts, ends)), shape=(sink + 1, sink + 1))
    flow = maximum_flow(graph, 0, sink).flow
    return flow[1 : 1 + n_tokens, 1 + n_tokens : sink].toarray() > 0
