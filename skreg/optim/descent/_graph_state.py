"""The smooth part f(x) = x^T A x / 2 - b^T x with a sparse A, at the current point."""

import numpy as np
import scipy.sparse

from skreg.optim.descent._kernels import add_graph_columns


class GraphState:
    """Current point of a graph quadratic; the gradient A x - b is always at hand."""

    keep_gradient = quadratic = current_is_bound = sparse = True

    def __init__(self, A, b, x):
        self.A, self.b, self.x = A, b, x
        self.operations = 0.0
        self.refresh_cost = float(A.nnz)
        self.lipschitz = A.diagonal()
        self.degree = A.nnz / A.shape[0]
        self.refresh()

    def refresh(self):
        """Recompute everything from x, free of rounding drift."""
        self.gradient = self.A @ self.x - self.b
        self.value = 0.5 * float(self.x @ (self.gradient - self.b))
        self.fresh_until = self.operations + 20.0 * self.refresh_cost

    def full_gradient(self):
        """Gradient at every coordinate."""
        return self.gradient

    def null_gradient_size(self):
        """Largest entry of the gradient at x = 0."""
        return float(np.abs(self.b).max(initial=0.0))

    def block_gradient(self, block):
        """Gradient at the coordinates of a block."""
        return self.gradient[block]

    def ray(self, block, direction):
        """Function t -> f(x + t direction) - f(x)."""
        full = np.zeros_like(self.x)
        full[block] = direction
        slope = float(self.gradient[block] @ direction)
        curvature = float(direction @ (self.A[block] @ full))
        self.operations += len(block) * self.degree
        return lambda t: t * slope + 0.5 * t * t * curvature

    def move(self, block, step):
        """x_b <- x_b + step, with everything that depends on it.

        The value changes by (g + g_new)^T step / 2, exactly so for a quadratic.
        """
        before = self.gradient[block]
        self.x[block] += step
        add_graph_columns(self.A.indptr, self.A.indices, self.A.data, block, step, self.gradient)
        self.value += 0.5 * float((before + self.gradient[block]) @ step)
        self.operations += len(block) * self.degree

    def hessian(self, block, kind):
        """Block of A, dense."""
        return self.sparse_hessian(block, kind).toarray()

    def sparse_hessian(self, block, _kind):
        """Block of A, sparse."""
        self.operations += len(block) * self.degree
        return self.A[block][:, block]

    def third_derivative(self, _block):
        """M with |D^3 f(x)[d, d, d]| <= M ||d||^3 for steps d within the block."""
        return 0.0

    def bound_row(self, coordinate):
        """Row of A."""
        row = np.zeros_like(self.x)
        stored = slice(self.A.indptr[coordinate], self.A.indptr[coordinate + 1])
        row[self.A.indices[stored]] = self.A.data[stored]
        self.operations += self.degree
        return row

    def bound_diagonal(self):
        """Diagonal of A."""
        return self.lipschitz

    def bound_product(self, v):
        """A v."""
        self.operations += self.refresh_cost
        return self.A @ v

    def current_rows(self):
        """(diagonal, row function) of A."""
        return self.lipschitz, self.bound_row

    def row_sums(self):
        """D_i = sum_j |A_ij|."""
        return np.asarray(abs(self.A).sum(axis=1)).reshape(-1)

    def adjacency(self):
        """Graph of A as a CSR array without diagonal."""
        graph = scipy.sparse.csr_array(self.A, copy=True)
        graph.setdiag(0.0)
        graph.eliminate_zeros()
        return graph
