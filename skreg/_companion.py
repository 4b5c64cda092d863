"""Reduced forms of structural vector autoregressions, and whether they are stable."""

import numpy as np


def reduced_form(W: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Coefficients without instantaneous terms, B_l = A_l (I - W)^-1.

    Parameters
    ----------
    W : ndarray of shape (d, d)
        Instantaneous weights of an acyclic graph, of rows x_t^T = x_t^T W + ...
    A : ndarray of shape (order, d, d)
        Lagged weights.

    Returns
    -------
    ndarray of shape (order, d, d)
        The coefficients.
    """
    return A @ np.linalg.inv(np.eye(len(W)) - W)


def spectral_radius(B: np.ndarray) -> float:
    """Largest modulus of the eigenvalues of the companion matrix.

    The state (x_t, ..., x_{t-p+1}) as a row is multiplied from the right by

        [ B_1  I  0 ]
        [ B_2  0  I ]
        [ B_3  0  0 ] ,

    and the process is stable if and only if all its eigenvalues are below 1 in modulus.

    Parameters
    ----------
    B : ndarray of shape (order, d, d)
        Coefficients of rows x_t^T = sum_l x_{t-l}^T B_l.

    Returns
    -------
    float
        The radius, 0 without lags.
    """
    order, d = B.shape[:2]
    if order == 0:
        return 0.0
    companion = np.eye(order * d, k=d)
    companion[:, :d] = B.reshape(order * d, d)
    return float(np.abs(np.linalg.eigvals(companion)).max())
