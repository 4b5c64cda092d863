"""Gradients that are as old as they may be.

Between two evaluations a block's gradient cannot move by more than the norm of its columns times
the way that the dual point has gone (Cauchy-Schwarz),

    ||q_b - q_b(then)|| <= norm_b ||u - u(then)||_s,

so that blocks far inside of their threshold need not be looked at again.
"""

import numpy as np

from skreg.optim.kernels._blocks import members_of, outdated, scan
from skreg.optim.kernels._designs import correlate


class Gradients:
    """Minus the gradient of the smooth part, and what it says of each block.

    Attributes
    ----------
    q : ndarray of shape (n_outputs, n_features)
        Minus the gradient, of each block at the dual point where it was last computed.
    distance, gauge : ndarray of shape (n_blocks,)
        Distance to optimality and gauge of each block at its q.
    drift : ndarray of shape (n_blocks,)
        How far a block's q may be off, in norm.
    travelled : float
        Length of the way that the dual point has gone, `seen_at` where each block was computed.
    """

    def __init__(self, problem, norm, q):
        self.problem, self.norm, self.q = problem, norm, q
        n_blocks = len(problem.blocks.starts) - 1
        self.block_ids = np.arange(n_blocks)
        self.distance, self.gauge = np.zeros(n_blocks), np.zeros(n_blocks)
        self.drift, self.seen_at = np.zeros(n_blocks), np.zeros(n_blocks)
        self.travelled = 0.0

    def bound(self, threshold, alive, nonzero, was_nonzero):
        """(blocks to compute anew, blocks to scan anew, bound of the gauges of all others).

        A block whose q has moved is left alone as long as its gauge stays below 1, drift included.
        That drift enters the bound: a dual point scaled by the gauges of the scanned blocks alone
        would be infeasible where all of those are below that of a block that drifts, as they are
        beyond the optimum along their coefficients.
        """
        way = self.travelled - self.seen_at
        return outdated(
            alive, nonzero, was_nonzero, threshold, self.norm, way, self.gauge, self.drift
        )

    def refresh(self, blocks, dual):
        """Compute q of the given blocks at the dual point."""
        problem = self.problem
        features, _ = members_of(problem.blocks, blocks)
        correlate(problem.design, features, -problem.weight * dual, self.q)
        self.seen_at[blocks] = self.travelled

    def scan(self, penalty, blocks, coef):
        """Distances and gauges of the given blocks; returns (their penalty, largest gauge)."""
        starts, members = self.problem.blocks
        return scan(
            penalty, starts, members, blocks, self.block_ids, coef, self.q, self.distance,
            self.gauge,
        )  # fmt: skip
