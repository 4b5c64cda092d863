"""Inverse of an M-matrix without pivoting, and the test whether a matrix is one.

A matrix with off-diagonal entries <= 0 is a nonsingular M-matrix if and only if elimination without
pivoting meets positive pivots only. Its updates then never cancel except on the diagonal, so that
small entries of the inverse keep their relative accuracy, in single precision too, and no rows need
to be exchanged. That leaves plain Gauss-Jordan loops for small matrices, and matrix products of
half the size for large ones.
"""

import numpy as np

from skreg._jit import kernel

# Larger matrices are split in two by two blocks.
LARGEST_UNSPLIT = 64
PIVOTS_AT_ONCE = 4


def workspace_size(n):
    """Number of entries that `invert_m_matrix` needs beside a matrix of n rows."""
    size = LARGEST_UNSPLIT**2
    while n > LARGEST_UNSPLIT:
        larger = n - n // 2
        size += 6 * larger**2
        n = larger
    return size


@kernel(reassociate=True)
def _eliminate_together(A, rows, k):
    """Gauss-Jordan elimination of rows k .. k + 3, held in `rows`, among themselves."""
    zero, one = A.dtype.type(0.0), A.dtype.type(1.0)
    n = A.shape[0]
    for p in range(PIVOTS_AT_ONCE):
        for j in range(n):
            rows[p, j] = A[k + p, j]
    for p in range(PIVOTS_AT_ONCE):
        pivot_row = rows[p]
        pivot = pivot_row[k + p]
        if not pivot > zero:
            return False
        inverse = one / pivot
        pivot_row[k + p] = one
        for j in range(n):
            pivot_row[j] *= inverse
        for q in range(PIVOTS_AT_ONCE):
            if q != p:
                row = rows[q]
                factor = row[k + p]
                row[k + p] = zero
                for j in range(n):
                    row[j] -= factor * pivot_row[j]
    return True


@kernel(reassociate=True)
def _subtract_together(A, rows, k):
    """Eliminate columns k .. k + 3 from all rows of A, two rows at a time."""
    zero = A.dtype.type(0.0)
    n = A.shape[0]
    row_0, row_1, row_2, row_3 = rows[0], rows[1], rows[2], rows[3]
    for i in range(0, n - 1, 2):
        a, b = A[i], A[i + 1]
        f_0, f_1, f_2, f_3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        g_0, g_1, g_2, g_3 = b[k], b[k + 1], b[k + 2], b[k + 3]
        a[k : k + PIVOTS_AT_ONCE] = zero
        b[k : k + PIVOTS_AT_ONCE] = zero
        for j in range(n):
            a[j] -= f_0 * row_0[j] + f_1 * row_1[j] + f_2 * row_2[j] + f_3 * row_3[j]
            b[j] -= g_0 * row_0[j] + g_1 * row_1[j] + g_2 * row_2[j] + g_3 * row_3[j]
    if n % 2 == 1:
        a = A[n - 1]
        f_0, f_1, f_2, f_3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        a[k : k + PIVOTS_AT_ONCE] = zero
        for j in range(n):
            a[j] -= f_0 * row_0[j] + f_1 * row_1[j] + f_2 * row_2[j] + f_3 * row_3[j]


@kernel(reassociate=True)
def _gauss_jordan(A, rows):  # noqa: C901  one compiled loop
    """Invert A (n, n) in place; False if a pivot is not positive. `rows` (4, n) is overwritten."""
    zero, one = A.dtype.type(0.0), A.dtype.type(1.0)
    n = A.shape[0]
    row_0 = rows[0]
    k = 0
    while k + PIVOTS_AT_ONCE <= n:
        if not _eliminate_together(A, rows, k):
            return False
        _subtract_together(A, rows, k)
        for p in range(PIVOTS_AT_ONCE):
            for j in range(n):
                A[k + p, j] = rows[p, j]
        k += PIVOTS_AT_ONCE
    for last in range(k, n):
        pivot = A[last, last]
        if not pivot > zero:
            return False
        inverse = one / pivot
        for j in range(n):
            row_0[j] = A[last, j] * inverse
        row_0[last] = inverse
        for i in range(n):
            a = A[i]
            factor = a[last]
            a[last] = zero
            for j in range(n):
                a[j] -= factor * row_0[j]
        for j in range(n):
            A[last, j] = row_0[j]
    return True


@kernel
def invert_m_matrix(A, work):  # noqa: C901  one compiled loop
    r"""Invert the C-contiguous A (n, n) in place if it is a nonsingular M-matrix.

    With A in blocks, :math:`P = A_{11}^{-1}` and the Schur complement
    :math:`S = A_{22} - A_{21} P A_{12}`,

        A^-1 = [ P + P A12 S^-1 A21 P    -P A12 S^-1 ]
               [    -S^-1 A21 P              S^-1    ],

    where no sum cancels, since A12, A21 <= 0 <= P, S^-1.

    Parameters
    ----------
    A : ndarray of shape (n, n)
        Matrix with off-diagonal entries <= 0, overwritten by its inverse.
    work : ndarray of shape (workspace_size(n),)
        Overwritten.

    Returns
    -------
    bool
        Whether A is a nonsingular M-matrix. If not, A holds nothing of use.
    """
    n = A.shape[0]
    if n <= LARGEST_UNSPLIT:
        return _gauss_jordan(A, work[: PIVOTS_AT_ONCE * n].reshape(PIVOTS_AT_ONCE, n))
    h = n // 2
    m = n - h
    P = work[: h * h].reshape(h, h)
    S = work[h * h : h * h + m * m].reshape(m, m)
    start = h * h + m * m
    A12 = work[start : start + h * m].reshape(h, m)
    A21 = work[start + h * m : start + 2 * h * m].reshape(m, h)
    PA12 = work[start + 2 * h * m : start + 3 * h * m].reshape(h, m)
    A21P = work[start + 3 * h * m : start + 4 * h * m].reshape(m, h)
    rest = work[start + 4 * h * m :]
    for i in range(h):
        for j in range(h):
            P[i, j] = A[i, j]
        for j in range(m):
            A12[i, j] = A[i, h + j]
            A21[j, i] = A[h + j, i]
    if not invert_m_matrix(P, rest):
        return False
    np.dot(A21, P, A21P)
    np.dot(A21P, A12, S)
    for i in range(m):
        for j in range(m):
            S[i, j] = A[h + i, h + j] - S[i, j]
    if not invert_m_matrix(S, rest):
        return False
    np.dot(P, A12, PA12)
    np.dot(PA12, S, A12)
    np.dot(S, A21P, A21)
    product = rest[: h * h].reshape(h, h)
    np.dot(A12, A21P, product)
    for i in range(h):
        for j in range(h):
            A[i, j] = P[i, j] + product[i, j]
        for j in range(m):
            A[i, h + j] = -A12[i, j]
    for i in range(m):
        for j in range(h):
            A[h + i, j] = -A21[i, j]
        for j in range(m):
            A[h + i, h + j] = S[i, j]
    return True
