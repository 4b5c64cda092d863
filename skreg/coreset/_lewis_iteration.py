"""The quadratic form behind Lewis weights, by a fixed-point iteration that is extrapolated.

It sees the rows through F(Q) = sum_i (a_i^T Q^{-1} a_i)^{p/2-1} a_i a_i^T alone, one pass over them
for each value of F, so that it does not matter where the rows lie.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lstsq

_MEMORY = 5  # steps before the last one that an extrapolation looks back on
_FARTHEST = 20.0  # log of a ratio of eigenvalues beyond which the small ones lose digits
_EPS = np.finfo(np.float64).eps


class LewisForm(NamedTuple):
    """W with W^T Q W = I, and how exactly the weights of Q solve their equations.

    Q is that of the last pass over `scale`, and the weights are (scale s)^{p/2}, s the squared
    norms that were seen in it.
    """

    W: np.ndarray
    scale: float
    n_iter: int
    change: float


def lewis_form(
    moment: Callable[[np.ndarray], np.ndarray],
    basis: np.ndarray,
    p: float,
    tol: float,
    max_iter: int,
    count: Callable[[], Any] = lambda: None,
) -> LewisForm:
    """The fixed point of the damped steps Q <- (1 - theta) c Q + theta F(c Q).

    The factor c lets the weights of c Q add up to d, and theta = min(1, 4 / (p + 2)). F contracts
    the largest |log| of the eigenvalues of Q^{-1} Q' by |1 - p/2| (Cohen and Peng 2015, Section
    3), and without damping it would diverge for p >= 4.

    Points are logarithms of ``basis.T @ Q @ basis``, which any sum of their kind is too, and each
    is extrapolated from the steps before. Where that ends farther from the fixed point than it
    began, the plain step is taken instead, so that what is proven of plain steps remains.

    Parameters
    ----------
    moment : callable
        ``moment(W)`` makes a pass and returns W^T F(Q) W, shape (d, d), for W W^T = Q^{-1}.
    basis : ndarray of shape (n_columns, d)
        The first W.
    p : float
        The power, p > 0.
    tol : float
        Stop when every weight solves its equation up to this relative error.
    max_iter : int
        Largest number of passes.
    count : callable
        Called after each pass.

    Returns
    -------
    LewisForm
        The form after the last pass.
    """
    d = basis.shape[1]
    theta = min(1.0, 4 / (p + 2))
    history: list[Step] = []
    point, before = np.zeros((d, d)), np.inf
    for n_iter in range(1, max_iter + 1):
        logs, vectors = np.linalg.eigh(point)
        W = basis @ (vectors * np.exp(-0.5 * logs))
        M = moment(W)
        count()
        total = np.trace(M)
        if total == 0.0:  # there are no rows but zeros
            return LewisForm(W, 1.0, n_iter, 0.0)
        M *= d / total
        scale = (d / total) ** (2 / p)
        change = weight_error(M, p)
        if change <= tol:
            break
        if len(history) > 1 and change > before:
            point, history = history[-1].image, []
            continue
        logs -= np.log(scale)
        if np.ptp(logs) > _FARTHEST:
            basis, logs, vectors, history = W * np.sqrt(scale), np.zeros(d), np.eye(d), []
        root = vectors * np.exp(0.5 * logs)
        image = root @ ((1 - theta) * np.eye(d) + theta * M) @ root.T
        history = [*history[-_MEMORY:], Step(vectors * logs @ vectors.T, symmetric_log(image))]
        point, before = extrapolated(history), change
    return LewisForm(W * np.sqrt(scale), scale, n_iter, change)


def weight_error(M: np.ndarray, p: float) -> float:
    """max_i |log(phi_i(w) / w_i)|, or a bound of it, for M = W^T F(Q) W of trace d, Q^{-1} = W W^T.

    If w are the weights of Q, then phi(w) / w lies between the powers p/2 of the largest and the
    smallest eigenvalue of M^{-1}, for every row.
    """
    eigenvalues = np.linalg.eigvalsh(M)
    return 0.5 * p * np.abs(np.log(np.maximum(eigenvalues, _EPS**2))).max()


class Step(NamedTuple):
    """A point and where the plain step from it leads."""

    point: np.ndarray
    image: np.ndarray


def extrapolated(history: list[Step]) -> np.ndarray:
    """The images' affine combination for which that of image - point is least (Anderson 1965)."""
    points, images = (np.array(part) for part in zip(*history, strict=True))
    last = images[-1]
    residuals = (images - points).reshape(len(history), -1)
    share = lstsq((residuals[:-1] - residuals[-1]).T, -residuals[-1])[0]
    jump = np.tensordot(share, images[:-1] - last, 1)
    return last + jump if np.abs(jump).max() <= _FARTHEST else last


def symmetric_log(S: np.ndarray) -> np.ndarray:
    """Logarithm of a positive definite matrix; eigenvalues lost to rounding count as its unit."""
    eigenvalues, vectors = np.linalg.eigh(S)
    floor = _EPS * eigenvalues[-1]
    return vectors * np.log(np.maximum(eigenvalues, floor)) @ vectors.T
