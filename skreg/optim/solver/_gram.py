"""Gram matrices of weighted, centred columns: of single blocks, and a growing store of many."""

import numpy as np

from skreg.optim.kernels._blocks import Blocks, members_of
from skreg.optim.kernels._coordinate_descent import block_hessians
from skreg.optim.kernels._designs import columns, correlate, is_dense

FIRST_CAPACITY = 256


def largest_eigenvalues(hessian, starts):
    """Largest eigenvalue of each diagonal block, rounded up."""
    diagonal = np.diagonal(hessian)
    sizes = np.diff(starts)
    values = diagonal[starts[:-1]].copy()
    for b in np.flatnonzero(sizes > 1):
        block = slice(starts[b], starts[b + 1])
        values[b] = np.linalg.eigvalsh(hessian[block, block])[-1] * (1 + 1e-10)
    return np.maximum(values, 0.0)


def square_offsets(starts):
    """Where the square matrix of each block begins when they lie one after the other."""
    return np.concatenate([[0], np.cumsum(np.diff(starts) ** 2)]).astype(np.int64)


def block_models(design, features, starts, weight, means, total, bound, offsets, out):
    """Fill `out` with the blocks' second moments (`block_hessians`); returns their largest
    eigenvalues, rounded up and at most `bound`."""
    block_hessians(design, features, starts, weight, means, total, bound, offsets, out)
    sizes = np.diff(starts)
    values = np.empty(len(sizes))
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        squares = out[offsets[same][:, None] + np.arange(size * size)]
        squares = squares.reshape(len(same), size, size)
        values[same] = np.linalg.eigvalsh(squares)[:, -1] * (1 + 1e-10)
    return np.minimum(np.maximum(values, 0.0), bound)


class BlockModels:
    """Second moments of the columns of wide blocks under the sample weights, each computed once."""

    def __init__(self, problem, means):
        n_blocks = len(problem.blocks.starts) - 1
        self.problem = problem
        self.means = means if problem.fit_intercept else np.zeros(len(means))
        self.offsets = np.empty(0, dtype=np.int64)
        self.eigenvalue = np.full(n_blocks, np.nan)
        self.hessian = np.empty(0)

    def of(self, blocks, bound):
        """(offsets, hessians, largest eigenvalues, at most `bound`) for `descend_residual`."""
        problem = self.problem
        if len(self.offsets) == 0:
            self.offsets = square_offsets(problem.blocks.starts)
            self.hessian = np.empty(self.offsets[-1])
        new = np.isnan(self.eigenvalue[blocks])
        if new.any():
            chosen = blocks[new]
            features, starts = members_of(problem.blocks, chosen)
            self.eigenvalue[chosen] = block_models(
                problem.design, features, starts, problem.weight, self.means[features], 1.0,
                bound[new], self.offsets[chosen], self.hessian,
            )  # fmt: skip
        return self.offsets[blocks], self.hessian, self.eigenvalue[blocks]


class GramStore:
    """Gram matrix of the blocks seen so far, with the gradient of the quadratic loss at their
    columns.

    Grows by whole blocks; `hessian`, `gradient`, `coef` and `lipschitz` are buffers of which the
    first `size` coordinates (`n_blocks` blocks) are in use.
    """

    def __init__(self, problem, means, budget):
        self.problem, self.means = problem, means
        n_outputs, n_samples = problem.target.shape
        self.limit = budget // 8
        self.size = self.n_blocks = 0
        self.slot = np.full(len(problem.blocks.starts) - 1, -1)
        self.ids = np.empty(0, dtype=np.int64)
        self.starts = np.zeros(1, dtype=np.int64)
        self.features = np.empty(0, dtype=np.int64)
        self.hessian = np.empty((0, 0))
        self.gradient = np.empty((n_outputs, 0))
        self.coef = np.empty((n_outputs, 0))
        self.lipschitz = np.empty(0)
        self.columns = np.empty((n_samples, 0), order="F")

    def fits(self, blocks):
        """Whether the memory budget allows these blocks too."""
        new = blocks[self.slot[blocks] < 0]
        starts = self.problem.blocks.starts
        size = self.size + int(np.sum(starts[new + 1] - starts[new]))
        stored = len(self.columns) if is_dense(self.problem.design) else 0
        return size * (size + stored) <= self.limit

    def _reserve(self, size):
        capacity = len(self.hessian)
        if size <= capacity:
            return
        capacity = max(size, min(max(2 * capacity, FIRST_CAPACITY), self.problem.n_features))
        used = self.size
        hessian = np.empty((capacity, capacity))
        hessian[:used, :used] = self.hessian[:used, :used]
        self.hessian = hessian
        for name in ("gradient", "coef"):
            grown = np.zeros((len(self.problem.target), capacity))
            grown[:, :used] = getattr(self, name)[:, :used]
            setattr(self, name, grown)
        if is_dense(self.problem.design):
            grown = np.empty((len(self.columns), capacity), order="F")
            grown[:, :used] = self.columns[:, :used]
            self.columns = grown

    def extend(self, blocks):
        """Add blocks to the Gram matrix; their gradients are left to `refresh`."""
        new = blocks[self.slot[blocks] < 0]
        if len(new) == 0:
            return
        problem, used = self.problem, self.size
        features, starts = members_of(problem.blocks, new)
        size = used + len(features)
        self._reserve(size)
        means = self.means[features] if problem.fit_intercept else 0.0
        if is_dense(problem.design):
            added = columns(problem.design, features)
            added -= means
            added *= np.sqrt(problem.weight)[:, None]
            self.columns[:, used:size] = added
            cross = self.columns[:, :used].T @ added
            own = added.T @ added
        else:
            added = columns(problem.design, features)
            weighted = added.copy()
            weighted.data *= problem.weight[weighted.indices]
            old = self.features[:used]
            cross = (columns(problem.design, old).T @ weighted).toarray()
            own = (added.T @ weighted).toarray()
            if problem.fit_intercept:
                cross -= np.outer(self.means[old], means)
                own -= np.outer(means, means)
        self.hessian[:used, used:size] = cross
        self.hessian[used:size, :used] = cross.T
        self.hessian[used:size, used:size] = own
        self.coef[:, used:size] = 0.0
        self.slot[new] = self.n_blocks + np.arange(len(new))
        self.ids = np.concatenate([self.ids, new])
        self.starts = np.concatenate([self.starts, used + starts[1:]])
        self.features = np.concatenate([self.features, features])
        self.lipschitz = np.concatenate([self.lipschitz, largest_eigenvalues(own, starts)])
        self.n_blocks += len(new)
        self.size = size

    def refresh(self, blocks, residual_gradient, scratch):
        """Set the gradients of some blocks from `residual_gradient` = s * l'(z), free of drift."""
        inside, _ = members_of(Blocks(self.starts, np.arange(self.size)), self.slot[blocks])
        features = self.features[inside]
        correlate(self.problem.design, features, residual_gradient, scratch)
        self.gradient[:, inside] = scratch[:, features]
