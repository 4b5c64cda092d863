"""Second moments by products of the BLAS: as fast as there is, exact to rounding only."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

ROW_BLOCK = 2**20  # entries of the features that are centred at once


def second_moments(rows: Any, root: np.ndarray | None = None) -> np.ndarray:
    """B^T diag(root)^2 B of the rows B (n, d), about zero: those of several parts add up.

    Parameters
    ----------
    rows : ndarray or sparse matrix of shape (n, d)
        Rows.
    root : ndarray of shape (n,), default=None
        Roots of the weights, ones if None.

    Returns
    -------
    ndarray of shape (d, d)
        The sum of squares and products.
    """
    if sparse.issparse(rows):
        rows = rows if root is None else sparse.diags_array(root) @ rows
        return rows.T @ rows.toarray()
    if root is not None:
        rows = rows * root[:, None]
    return rows.T @ rows


class JointMoments(NamedTuple):
    """Second moments of features and targets around their weighted means.

    Attributes
    ----------
    gram : ndarray of shape (n_features, n_features)
        G = (X - mean)^T S (X - mean), with weights S that sum to one.
    cross : ndarray of shape (n_outputs, n_features)
        c = (y - target_mean) S (X - mean).
    square : float
        (y - target_mean) S (y - target_mean)^T, summed over the outputs.
    mean : ndarray of shape (n_features,)
        Means of the features beyond the given origin, 0 if they are not centred.
    target_mean : ndarray of shape (n_outputs,)
        Means of the targets, 0 if they are not centred.
    """

    gram: np.ndarray
    cross: np.ndarray
    square: float
    mean: np.ndarray
    target_mean: np.ndarray


def joint_moments(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray, *, origin: np.ndarray, centre: bool
) -> JointMoments:
    """Moments of features and targets, in blocks of rows.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Features, of any floating type; products are of float64.
    y : ndarray of shape (n_outputs, n)
        Targets.
    weight : ndarray of shape (n,)
        Weights that sum to one.
    origin : ndarray of shape (n_features,)
        Where the columns lie, so that means of far columns keep their digits.
    centre : bool
        Whether to take the moments about the means.

    Returns
    -------
    JointMoments
        What least squares need of the data.
    """
    n_samples, n_features = X.shape
    mean, target_mean = np.zeros(n_features), np.zeros(len(y))
    step = max(1, ROW_BLOCK // n_features)
    parts = [slice(lo, lo + step) for lo in range(0, n_samples, step)]
    if centre:
        for part in parts:
            block = X[part] - origin if origin.any() else X[part].astype(np.float64, copy=False)
            mean += weight[part] @ block
        target_mean = y @ weight
    gram, cross = np.zeros((n_features, n_features)), np.zeros((len(y), n_features))
    square, even = 0.0, np.ptp(weight) == 0.0
    for part in parts:
        block, residual = X[part], y[:, part] - target_mean[:, None]
        if centre:
            block = block - (mean + origin)
        if not even:
            root = np.sqrt(weight[part])
            block, residual = block * root[:, None], residual * root
        block = block.astype(np.float64, copy=False)
        gram += second_moments(block)
        cross += residual @ block
        square += float(np.sum(residual * residual))
    if even:
        gram, cross, square = gram * weight[0], cross * weight[0], square * weight[0]
    return JointMoments(gram, cross, square, mean, target_mean)
