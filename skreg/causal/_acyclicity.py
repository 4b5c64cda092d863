"""The log-determinant acyclicity function of DAGMA."""

import numpy as np
from numpy.typing import ArrayLike

from skreg.graphs import as_square


def acyclicity(W: np.ndarray, s: float) -> float:
    """h_s(W) = d log s - log det(s I - W o W)."""
    d = len(W)
    return float(d * np.log(s) - np.linalg.slogdet(s * np.eye(d) - W * W)[1])


def logdet_acyclicity(W: ArrayLike, s: float = 1.0) -> tuple[float, np.ndarray]:
    r"""Log-determinant acyclicity function of DAGMA and its gradient.

    .. math::
        h_s(W) = d \log s - \log\det(s I - W \circ W), \qquad
        \nabla h_s(W) = 2 W \circ (s I - W \circ W)^{-\top}

    for W such that :math:`sI - W \circ W` is an M-matrix, that is, the spectral radius of
    :math:`W \circ W` is below s. There :math:`h_s \ge 0`, and it is 0 if and only if W is the
    weighted adjacency matrix of an acyclic graph.

    Parameters
    ----------
    W : array-like of shape (n_features, n_features)
        Weights of edges.
    s : float, default=1.0
        Bound of the spectral radius.

    Returns
    -------
    h : float
        Value of the function.
    gradient : ndarray of shape (n_features, n_features)
        Gradient in W.

    Raises
    ------
    ValueError
        If W is not a square matrix of finite numbers, s is not positive, or the spectral radius is
        not below s.

    References
    ----------
    .. [1] K. Bello, B. Aragam, P. Ravikumar, "DAGMA: Learning DAGs via M-matrices and a
       Log-Determinant Acyclicity Characterization", NeurIPS 2022.

    Examples
    --------
    >>> from skreg.causal import logdet_acyclicity
    >>> h, gradient = logdet_acyclicity([[0, 0.5], [0.4, 0]])
    >>> round(h, 7)
    0.040822
    >>> logdet_acyclicity([[0, 3], [0, 0]])[0]
    0.0
    """
    W = as_square("W", W)
    if not s > 0:
        raise ValueError(f"s={s!r} must be positive")
    square = W * W
    radius = np.abs(np.linalg.eigvals(square)).max()
    if not radius < s:
        raise ValueError(f"the spectral radius of W o W is {radius:g}, not below s={s:g}")
    M = s * np.eye(len(W)) - square
    return acyclicity(W, s) + 0.0, 2.0 * W * np.linalg.inv(M).T
