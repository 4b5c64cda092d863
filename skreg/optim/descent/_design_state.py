"""The smooth part of a problem with a design matrix, at the current point.

f(x) = sum_i s_i l(a_i^T x, y_i), with Hessian X^T diag(s l'') X and the fixed bound
X^T diag(kappa s) X, kappa the smoothness of the loss. For several classes, with p the softmax,

    H[(f, c), (g, d)] = sum_i s_i a_if a_ig p_ic (1[c = d] - p_id)
                      <= 1/2 (1[c = d] - 1/k') sum_i s_i a_if a_ig          (Böhning 1992),

k' the smaller of the number of classes and one more than the number of classes in the block.
"""

from typing import Any

import numpy as np
import scipy.sparse

from skreg.optim.descent._kernels import (
    add_columns,
    add_rows_to_gradient,
    add_rows_to_gradients,
    add_scaled_rows,
    column_dots,
    column_gram,
    sparse_gram_row,
    sparse_gram_row_sums,
    touched_rows,
)
from skreg.optim.kernels._designs import columns, correlate, is_dense, shape, stored_numbers
from skreg.optim.losses import (
    couples_outputs,
    is_half_square,
    loss_curvature,
    loss_gradient,
    loss_value,
    smoothness,
    step_unit,
)
from skreg.optim.solver._hessian import coordinate_hessian, gram, scale_rows

MEMORY_BUDGET = 2**30
CHUNK = 256
LARGEST_VARIANCE = 0.25  # of p (1 - p), the diagonal of the Hessian of a loss that couples outputs
GATHER_SHARE = 0.55  # share of touched samples from which a pass over all columns is cheaper
# largest |third derivative| of log(1 + exp(z)), and of the softmax along a unit vector
THIRD = 1.0 / (6.0 * np.sqrt(3.0))
THIRD_SOFTMAX = 2.0**1.5 * THIRD


class _GramRows:
    """Rows of X^T S X, kept within a memory budget.

    For a dense design a row costs a pass over the design, as a new gradient does, and pays as soon
    as its feature comes back. For a sparse one an update through the touched samples costs no more
    than reading a row from memory; rows are kept for forward selection only, which asks for them.
    """

    def __init__(self, state, budget):
        self.state = state
        self.limit = budget // (8 * max(state.n_features, 1))
        self.slot = np.full(state.n_features, -1)
        self.rows = np.empty((0, state.n_features))
        self.used = 0

    def slots(self, features):
        """Slots of the rows of distinct features, computed now if they fit; -1 if they do not."""
        new = features[self.slot[features] < 0]
        size = self.used + len(new)
        if len(new) and size <= self.limit:
            if size > len(self.rows):
                grown = np.empty((min(max(2 * size, 64), self.limit), self.state.n_features))
                grown[: self.used] = self.rows[: self.used]
                self.rows = grown
            self.state.fill_gram_rows(new, self.rows[self.used : size])
            self.slot[new] = np.arange(self.used, size)
            self.used = size
        return self.slot[features]


class DesignState:
    """Current point, predictions and gradients of a loss of linear predictions.

    With `keep_gradient` the whole gradient is at hand at any time: updated by the samples that a
    step touches, and for a quadratic loss by rows of the Gram matrix for features that come back.
    """

    def __init__(self, problem, x, keep_gradient):
        self.problem = problem  # weights are sums, not normalised
        self.design, self.loss = problem.design, problem.loss
        self.target, self.weight = problem.target, problem.weight
        self.n_classes = len(self.target)
        self.n_features = shape(self.design)[1]
        self.x = x
        self.keep_gradient = keep_gradient
        self.quadratic = is_half_square(self.loss)
        self.current_is_bound = np.isinf(step_unit(self.loss))  # its curvature bounds
        self.sparse = not is_dense(self.design)
        self.operations = 0.0
        self.row_form: Any = self._compressed_rows() if self.sparse else None
        self.seen, self.stamp = np.full(self.target.shape[1], -1), 0
        self.gram_rows = _GramRows(self, MEMORY_BUDGET)
        self.touch_limit = GATHER_SHARE * len(self.seen) if self.sparse else 0
        stored = stored_numbers(self.design).size
        self.refresh_cost = 2.0 * stored * self.n_classes
        self.stored_per_feature = stored / max(self.n_features, 1)
        squares = self._column_squares()
        if couples_outputs(self.loss):
            self.lipschitz = np.repeat(LARGEST_VARIANCE * squares, self.n_classes)
        else:
            self.lipschitz = smoothness(self.loss) * squares
        self.refresh()

    def _scipy_columns(self):
        design = self.design
        return scipy.sparse.csc_array(
            (design.data, design.indices, design.indptr), shape=shape(design)
        )

    def _compressed_rows(self):
        return self._scipy_columns().tocsr()

    def _column_squares(self):
        if self.sparse:
            return self._scipy_columns().astype(np.float64).power(2).T @ self.weight
        return np.einsum(
            "ij,ij,i->j", self.design.matrix, self.design.matrix, self.weight, dtype=np.float64
        )

    def split(self, block):
        """(features, classes) of the coordinates of a block."""
        if self.n_classes == 1:
            return block, np.zeros(len(block), dtype=np.int64)
        return np.divmod(block, self.n_classes)

    # The current point

    def refresh(self):
        """Recompute everything from x, free of rounding drift."""
        weights = self.x.reshape(self.n_features, self.n_classes)
        matrix = self._scipy_columns() if self.sparse else self.design.matrix
        self.prediction = np.ascontiguousarray((matrix @ weights).T, dtype=np.float64)
        self.losses = self.weight * loss_value(self.loss, self.prediction, self.target)
        self.dual = self.weight * loss_gradient(self.loss, self.prediction, self.target)
        self.value = float(self.losses.sum())
        if self.keep_gradient:
            self.gradient = self._correlate(self.dual)
        self.fresh_until = self.operations + 10.0 * self.refresh_cost

    def full_gradient(self):
        """Gradient at every coordinate."""
        if self.keep_gradient:
            return self.gradient
        self.operations += self.refresh_cost / 2.0
        return self._correlate(self.dual)

    def _correlate(self, dual):
        if not self.sparse:
            product = self.design.matrix.T @ dual.T
            return np.ascontiguousarray(product, dtype=np.float64).reshape(-1)
        out = np.empty((self.n_classes, self.n_features))
        correlate(self.design, np.arange(self.n_features), dual, out)
        return out.T.reshape(-1)

    def null_gradient_size(self):
        """Largest entry of the gradient at x = 0."""
        zero = np.zeros_like(self.target)
        dual = self.weight * loss_gradient(self.loss, zero, self.target)
        return float(np.abs(self._correlate(dual)).max(initial=0.0))

    def block_gradient(self, block):
        """Gradient at the coordinates of a block."""
        if self.keep_gradient:
            return self.gradient[block]
        self.operations += len(block) * self.stored_per_feature
        features, classes = self.split(block)
        return column_dots(self.design, features, classes, self.dual)

    # Moving along a block

    def _rows(self, features):
        """Samples whose predictions change with the features: indices, or all of them."""
        if not self.sparse or len(features) * self.stored_per_feature > len(self.seen):
            return slice(None)
        self.stamp += 1
        return touched_rows(
            self.design.indptr, self.design.indices, features, self.seen, self.stamp
        )

    def ray(self, block, direction):
        """Function t -> f(x + t direction) - f(x)."""
        features, classes = self.split(block)
        self.operations += len(block) * self.stored_per_feature
        rows = self._rows(features)
        change = np.zeros_like(self.prediction)
        add_columns(self.design, features, classes, direction, change)
        change, weight = change[:, rows], self.weight[rows]
        if self.quadratic:
            slope = float(np.sum(change * self.dual[:, rows]))
            curvature = float(np.sum(weight * change**2))
            return lambda t: t * slope + 0.5 * t * t * curvature
        prediction, target, losses = self.prediction[:, rows], self.target[:, rows], self.losses

        def difference(t):
            self.operations += change.size
            new = loss_value(self.loss, prediction + t * change, target)
            return float(np.sum(weight * new - losses[rows]))

        return difference

    def move(self, block, step):
        """x_b <- x_b + step, with everything that depends on it."""
        features, classes = self.split(block)
        self.x[block] += step
        self.operations += len(block) * self.stored_per_feature
        rows = self._rows(features)
        old = self.dual[:, rows].copy() if self.keep_gradient else None
        add_columns(self.design, features, classes, step, self.prediction)
        weight = self.weight[rows]
        prediction, target = self.prediction[:, rows], self.target[:, rows]
        self.losses[rows] = weight * loss_value(self.loss, prediction, target)
        self.dual[:, rows] = weight * loss_gradient(self.loss, prediction, target)
        self.value = float(self.losses.sum())
        if self.keep_gradient:
            self._move_gradient(features, step, rows, old)

    def _move_gradient(self, features, step, rows, old):
        """Bring the gradient up to date after the dual changed at some rows from `old`."""
        if self.quadratic:
            slots = self.gram_rows.slot[features]
            if not self.sparse:
                slots = self.gram_rows.slots(features)
            kept = slots >= 0
            if kept.any():
                add_scaled_rows(self.gram_rows.rows, slots[kept], step[kept], self.gradient)
                self.operations += int(kept.sum()) * self.n_features
                if kept.all():
                    return
                features, step = features[~kept], step[~kept]
                change = np.zeros_like(self.prediction)
                add_columns(self.design, features, np.zeros_like(features), step, change)
                rows = self._rows(features)
                self._add_rows(rows, self.weight[rows] * change[:, rows])
                return
        if isinstance(rows, slice) or len(rows) > self.touch_limit:
            self.gradient = self._correlate(self.dual)
            self.operations += self.refresh_cost / 2.0
        else:
            self._add_rows(rows, self.dual[:, rows] - old)

    def _add_rows(self, rows, change):
        """gradient <- gradient + X^T change for a change of the dual at some rows."""
        if isinstance(rows, slice):
            self.gradient += self._correlate(change)
            self.operations += self.refresh_cost / 2.0
            return
        self.operations += len(rows) * self.refresh_cost / (2.0 * len(self.seen))
        indptr, indices, data = self.row_form.indptr, self.row_form.indices, self.row_form.data
        if self.n_classes == 1:
            add_rows_to_gradient(indptr, indices, data, rows, change[0], self.gradient)
        else:
            gradient = self.gradient.reshape(self.n_features, self.n_classes)
            change = np.ascontiguousarray(change.T)
            add_rows_to_gradients(indptr, indices, data, rows, change, gradient)

    # Curvature

    def _weights(self, kind):
        """Weights d of the samples with Hessian (or bound) X^T diag(d) X, for one output."""
        if kind == "bound" or self.quadratic:
            return smoothness(self.loss) * self.weight
        return self.weight * loss_curvature(self.loss, self.prediction, self.target)[0]

    def hessian(self, block, kind):
        """Hessian at the current point ("current") or its fixed upper bound ("bound")."""
        features, classes = self.split(block)
        self.operations += len(block) * len(block) * self.stored_per_feature
        if self.n_classes > 1:
            if kind == "current":
                return coordinate_hessian(self.problem, self.prediction, features, classes)
            return self._multinomial_bound(features, classes)
        if self.quadratic and np.all(self.gram_rows.slot[features] >= 0):
            return self.gram_rows.rows[np.ix_(self.gram_rows.slot[features], features)]
        return self._weighted_gram(features, self._weights(kind))

    def _weighted_gram(self, features, weight):
        if is_dense(self.design):
            return gram(scale_rows(columns(self.design, features), np.sqrt(weight)))
        return column_gram(self.design, features, weight)

    def _multinomial_bound(self, features, classes):
        k = min(self.n_classes, len(np.unique(classes)) + 1)
        distinct, inverse = np.unique(features, return_inverse=True)
        product = self._weighted_gram(distinct, self.weight)[np.ix_(inverse, inverse)]
        return 0.5 * ((classes[:, None] == classes) - 1.0 / k) * product

    def sparse_hessian(self, block, kind):
        """The same as a CSR array, for one output and a sparse design."""
        selected = scipy.sparse.csc_array(columns(self.design, block))
        product = gram_sparse(selected, self._weights(kind))
        self.operations += product.nnz
        return product

    def third_derivative(self, block):
        """M with |D^3 f(x)[d, d, d]| <= M ||d||^3 for steps d within the block."""
        if self.quadratic:
            return 0.0
        features, classes = self.split(block)
        constant = THIRD
        if self.n_classes > 1 and len(np.unique(classes)) > 1:
            constant = THIRD_SOFTMAX
        selected = columns(self.design, np.unique(features))
        squares = np.asarray((selected**2).sum(axis=1)).reshape(-1)
        return constant * float(self.weight @ squares**1.5)

    def fill_gram_rows(self, features, out):
        """out[t] <- X^T diag(s) x_{f_t}."""
        if self.sparse:
            d, r = self.design, self.row_form
            for t, j in enumerate(features):
                sparse_gram_row(
                    d.data, d.indices, d.indptr, r.data, r.indices, r.indptr, self.weight, j, out[t]
                )
            per_row = self.stored_per_feature * self.n_features / max(len(self.seen), 1)
            self.operations += len(features) * self.stored_per_feature * per_row
        else:
            out[:] = scale_rows(columns(self.design, features), self.weight).T @ self.design.matrix
            self.operations += len(features) * self.design.matrix.size

    def bound_row(self, coordinate):
        """Row of the bound of the whole Hessian."""
        features, classes = self.split(np.array([coordinate]))
        slot = self.gram_rows.slots(features)[0]
        if slot >= 0:
            row = self.gram_rows.rows[slot]
        else:
            row = np.empty((1, self.n_features))
            self.fill_gram_rows(features, row)
            row = row[0]
        self.operations += self.n_features
        if self.n_classes == 1:
            return smoothness(self.loss) * row
        pattern = np.full(self.n_classes, -1.0 / self.n_classes)
        pattern[classes[0]] += 1.0
        return 0.5 * np.outer(row, pattern).reshape(-1)

    def bound_diagonal(self):
        """Diagonal of that bound."""
        if self.n_classes == 1:
            return self.lipschitz
        return 2.0 * (1.0 - 1.0 / self.n_classes) * self.lipschitz

    def bound_product(self, v):
        """Bound of the whole Hessian times a vector."""
        matrix = self._scipy_columns() if self.sparse else self.design.matrix
        v = v.reshape(self.n_features, self.n_classes)
        self.operations += self.refresh_cost
        if self.n_classes == 1:
            scale = smoothness(self.loss)
        else:
            v, scale = v - v.mean(axis=1, keepdims=True), 0.5
        return scale * (matrix.T @ (self.weight[:, None] * (matrix @ v))).reshape(-1)

    def current_rows(self):
        """(diagonal, row function) of the current Hessian."""
        matrix = self._scipy_columns() if self.sparse else self.design.matrix
        squares = matrix.power(2) if self.sparse else np.square(matrix, dtype=np.float64)
        if self.n_classes == 1:
            weight = self._weights("current")[None]
        else:
            probability = self.dual / np.where(self.weight > 0.0, self.weight, 1.0) + self.target
            weight = self.weight * probability * (1.0 - probability)
        diagonal = (squares.T @ weight.T).reshape(-1)

        def row(coordinate):
            (feature,), (c,) = self.split(np.array([coordinate]))
            column = np.zeros((1, len(self.weight)))
            add_columns(
                self.design, np.array([feature]), np.zeros(1, dtype=int), np.ones(1), column
            )
            self.operations += self.refresh_cost / 2.0
            if self.n_classes == 1:
                return matrix.T @ (weight[0] * column[0])
            own = self.weight * probability[c] * column[0]
            across = -own * probability
            across[c] += own
            return self._correlate(across)

        return diagonal, row

    def row_sums(self):
        """D_i = sum_j |H_ij| of the bound of the whole Hessian."""
        if self.sparse:
            d, r = self.design, self.row_form
            sums = sparse_gram_row_sums(
                d.data, d.indices, d.indptr, r.data, r.indices, r.indptr, self.weight
            )
        else:
            sums = np.empty(self.n_features)
            for start in range(0, self.n_features, CHUNK):
                chunk = np.arange(start, min(start + CHUNK, self.n_features))
                rows = np.empty((len(chunk), self.n_features))
                self.fill_gram_rows(chunk, rows)
                sums[chunk] = np.abs(rows).sum(axis=1)
        if self.n_classes == 1:
            return smoothness(self.loss) * sums
        return np.repeat((1.0 - 1.0 / self.n_classes) * sums, self.n_classes)

    def adjacency(self):
        """Graph of the Hessian as a CSR array without diagonal; None if it is not sparse."""
        if not self.sparse or self.n_classes > 1:
            return None
        pattern = self._scipy_columns().astype(np.float64)
        pattern.data = np.ones_like(pattern.data)
        graph = scipy.sparse.csr_array(pattern.T @ pattern)
        graph.setdiag(0.0)
        graph.eliminate_zeros()
        return graph


def gram_sparse(selected, weight):
    """X^T diag(weight) X as a sparse array."""
    return scipy.sparse.csr_array(selected.T @ scale_rows(selected, weight))
