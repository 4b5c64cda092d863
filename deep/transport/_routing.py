"""Whole assignments of tokens to experts from shares of a transport plan."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow


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


def routing_costs(scores):
    """What of the negative logits tells tokens and experts apart, of mean size 1."""
    centred = scores - scores.mean(-1, keepdims=True)
    centred -= centred.mean(-2, keepdims=True)
    spread = np.abs(centred).mean((-2, -1), keepdims=True)
    return -np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0.0)


def rounded(shares, costs, room):
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
