"""Matrices W for which A W has orthonormal columns: all l_2 scores are ||W^T a_i||^2.

None of them needs more memory than a block of rows and a few d x d matrices.
"""

import numpy as np
from scipy.linalg import lapack, qr, solve_triangular, svd

from skreg.coreset._checks import require_finite
from skreg.coreset._rows import blocks, gram

_SMALLEST_RCOND = 1e-14  # of the Gram matrix: the square of 1e7, the condition number of A
_SMALLEST_SQUARE = np.finfo(np.float64).tiny / np.finfo(np.float64).eps
_SKETCH_HEIGHT = 16  # rows of the sketch per column of A
_SKETCH_NONZEROS = 8  # per column of the sketching matrix


def cholesky_whitening(G):
    """W = D^{-1} U^{-1} for G = D U^T U D, D^2 = diag(G); None if G is too ill-conditioned.

    The unit diagonal makes the condition number independent of the units of the columns, as long
    as their squares neither overflow nor lose digits by underflow.
    """
    if not (np.isfinite(G).all() and (np.diagonal(G) >= _SMALLEST_SQUARE).all()):
        return None
    scale = np.sqrt(np.diagonal(G))
    correlation = G / scale / scale[:, None]
    U, failure = lapack.dpotrf(correlation)
    if failure:
        return None
    rcond, _ = lapack.dpocon(U, np.abs(correlation).sum(axis=0).max())
    if rcond < _SMALLEST_RCOND:
        return None
    inverse, _ = lapack.dtrtri(U)
    return np.triu(inverse) / scale[:, None]


def triangular_factor(A, ridge=0.0):
    """R of a QR decomposition of [A; ridge^{1/2} I], one block after another."""
    R = np.sqrt(ridge) * np.eye(A.n_columns)
    for _, part in blocks(A):
        part = part if isinstance(part, np.ndarray) else part.toarray()
        R = qr(np.concatenate([R, part]), mode="r", check_finite=False, overwrite_a=True)[0]
        R = R[: A.n_columns]
    return R


def qr_whitening(R, n_rows):
    """W from a triangular factor of A, by QR with column pivoting, over the independent columns.

    A column counts while |R_jj| > max(n, d) eps |R_11| (in columns of unit norm).
    """
    scale, unit = _unit_columns(R)
    _, triangle, pivots = qr(unit, mode="economic", pivoting=True)
    diagonal = np.abs(np.diagonal(triangle))
    rank = _numerical_rank(diagonal, n_rows, R.shape[1])
    W = np.zeros((R.shape[1], rank))
    W[pivots[:rank]] = solve_triangular(triangle[:rank, :rank], np.eye(rank))
    return W / scale[:, None]


def svd_whitening(R, n_rows):
    """W = V diag(1/s) from a triangular factor of A, over the nonzero singular values."""
    scale, unit = _unit_columns(R)
    _, singular, Vt = svd(unit)
    rank = _numerical_rank(singular, n_rows, R.shape[1])
    return Vt[:rank].T / singular[:rank] / scale[:, None]


def sketched_whitening(A, rng, ridge=0.0):
    """W from the triangular factor of a sparse embedding S A, a random projection of the rows."""
    from scipy.sparse import csr_array

    height = _SKETCH_HEIGHT * A.n_columns
    sketch = np.zeros((height, A.n_columns))
    for _, part in blocks(A):
        n = part.shape[0]
        targets = rng.integers(height, size=(_SKETCH_NONZEROS, n)).ravel()
        signs = rng.choice([-1.0, 1.0], size=targets.size) / np.sqrt(_SKETCH_NONZEROS)
        sources = np.tile(np.arange(n), _SKETCH_NONZEROS)
        sketch += csr_array((signs, (targets, sources)), shape=(height, n)) @ part
    R = qr(np.concatenate([np.sqrt(ridge) * np.eye(A.n_columns), sketch]), mode="r")[0]
    return qr_whitening(R[: A.n_columns], A.n_rows)


def whitening(A, ridge=0.0):
    """W from the Gram matrix, or by rank-revealing QR where that is unsafe."""
    G = gram(A)
    require_finite(G, A)
    W = cholesky_whitening(G + ridge * np.eye(len(G)))
    return qr_whitening(triangular_factor(A, ridge), A.n_rows) if W is None else W


def with_safe_columns(A):
    """A and a W, where A has orthonormal columns if its own ones were nearly dependent."""
    G = gram(A)
    require_finite(G, A)
    W = cholesky_whitening(G)
    if W is not None:
        return A, W
    W = qr_whitening(triangular_factor(A), A.n_rows)
    return A._replace(basis=W), np.eye(W.shape[1])


def _unit_columns(R):
    """Norms of the columns (1 where they are 0), free of overflow, and the columns over them."""
    largest = np.abs(R).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    unit = R / largest
    norm = np.linalg.norm(unit, axis=0)
    norm[norm == 0] = 1.0
    return largest * norm, unit / norm


def _numerical_rank(decreasing, n_rows, n_columns):
    tolerance = max(n_rows, n_columns) * np.finfo(np.float64).eps
    return int(np.count_nonzero(decreasing > tolerance * max(decreasing[0], np.finfo(float).tiny)))
