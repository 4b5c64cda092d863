"""Weights of the edges, made symmetric and brought to a unit."""

from typing import Any

import numpy as np
import scipy.sparse

ASYMMETRY = 1e-2  # what kernels in single precision have in their smallest weights


def symmetric_weights(W: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Mean of a CSR array and its transpose, whose rounding errors may differ.

    Raises
    ------
    ValueError
        If two weights that should be equal differ by more than `ASYMMETRY`, relative to the larger:
        the largest weight of all is no measure for the small ones.
    """
    difference, larger = abs(W - W.T), W.maximum(W.T)
    unequal = scipy.sparse.coo_array(difference > ASYMMETRY * larger)
    if unequal.nnz:
        i, j = (index[0] for index in unequal.coords)
        raise ValueError(
            f"W must be symmetric, but W[{i}, {j}] = {W[i, j]:g} and W[{j}, {i}] = {W[j, i]:g}"
        )
    return scipy.sparse.csr_array(0.5 * W + 0.5 * W.T)


def unit_weights(W: Any) -> Any:
    """W divided by a power of two, so that the largest weight is between 1/2 and 1."""
    data = W.data if scipy.sparse.issparse(W) else W
    _, exponent = np.frexp(data.max(initial=0.0))
    scaled = np.ldexp(data, -exponent)
    if scipy.sparse.issparse(W):
        return scipy.sparse.csr_array((scaled, W.indices, W.indptr), shape=W.shape)
    return scaled
