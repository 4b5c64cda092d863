"""Leave-one-out and generalised cross-validation of all strengths from one decomposition.

With the symbols of `_spectrum`, and P the projection on what U and the intercept leave,

    residual e = P y + U diag(delta / (lam + delta)) c,
    slack    g = diag(P) + (U * U) delta / (lam + delta),

the residual of row i, predicted from the others, is e_i / g_i. Where nothing is left of row i
(P_ii = 0: it can be fitted exactly) both vanish like delta, and are divided by it first, so that
the quotient is exact and finite at delta = 0.

Weights count copies, one of which is left out: of a row of weight w that is the share rho = 1 / w,
or all of it if w <= 1, and its residual is e_i / (1 - rho + rho g_i).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skreg.random_features._spectrum import Spectrum, is_full
from skreg.rows import chunk_slices, rows_per_chunk

PINNED = 1e-10  # a diagonal entry of P that is rounding
FINER = 8  # strengths in one step of a refinement
STEPS = 2
SMALLEST, LARGEST = 1e-8, 1e3  # of the default grid, in units of the mean and largest eigenvalue


def gcv(spectrum: Spectrum, alphas: np.ndarray) -> np.ndarray:
    """Generalised cross-validation, mean(e^2) / (mean of the slacks)^2.

    Parameters
    ----------
    spectrum : Spectrum
        Eigenvalues and loadings.
    alphas : ndarray of shape (n_alphas,)
        Strengths.

    Returns
    -------
    ndarray of shape (n_alphas, n_outputs)
        Estimates of the mean squared error.
    """
    kept = _inverse(spectrum, alphas) if is_full(spectrum) else _shrinkage(spectrum, alphas)
    squares = spectrum.rest * (not is_full(spectrum)) + kept**2 @ spectrum.loadings**2
    slack = (spectrum.n_free + kept.sum(axis=1)) / spectrum.n_observations
    with np.errstate(invalid="ignore"):  # one observation: nothing is left to predict it from
        return squares / spectrum.weight / slack[:, None] ** 2


def left_out_squares(
    left: np.ndarray,
    y: np.ndarray,
    root: np.ndarray,
    spectrum: Spectrum,
    alphas: np.ndarray,
) -> np.ndarray:
    """Sums over rows of weights times squared leave-one-out residuals.

    Parameters
    ----------
    left : ndarray of shape (n, r)
        Rows of U.
    y : ndarray of shape (n, n_outputs)
        Targets about their mean, times the roots of the weights.
    root : ndarray of shape (n,)
        Roots of the weights.
    spectrum : Spectrum
        Eigenvalues and loadings of all rows.
    alphas : ndarray of shape (n_alphas,)
        Strengths.

    Returns
    -------
    ndarray of shape (n_alphas, n_outputs)
        The sums.
    """
    c, unit = spectrum.loadings, _unit(spectrum, alphas)
    shrinkage, inverse = _shrinkage(spectrum, alphas).T, _inverse(spectrum, alphas).T
    total = np.zeros((len(alphas), y.shape[1]))
    step = rows_per_chunk(max(len(alphas) * y.shape[1], len(c)), arrays=3)
    for rows in chunk_slices(len(left), step):
        U, weight = left[rows], root[rows] ** 2
        squares = U * U
        slack = 1.0 - spectrum.centred * weight / spectrum.weight - squares.sum(axis=1)
        rest = y[rows] - U @ c
        share = np.minimum(1.0 / weight, 1.0)
        pinned = np.full(len(U), True) if is_full(spectrum) else slack < PINNED
        free = ~pinned
        if free.any():
            left_over = _some(free, U, squares, share, rest, slack)
            total += _squares(shrinkage, c, np.ones(len(alphas)), *left_over)
        if pinned.any():
            nothing = np.zeros_like(rest), np.zeros(len(U))
            left_over = _some(pinned, U, squares, share, *nothing)
            with np.errstate(divide="ignore"):
                total += _squares(inverse, c, unit / alphas, *left_over)
    return total


def _shrinkage(spectrum, alphas):
    """delta / (lam + delta), (n_alphas, r)."""
    return alphas[:, None] / (spectrum.eigenvalues + alphas[:, None])


def _inverse(spectrum, alphas):
    """The same over delta, times a unit in which squares neither overflow nor vanish."""
    return _unit(spectrum, alphas)[:, None] / (spectrum.eigenvalues + alphas[:, None])


def _unit(spectrum, alphas):
    return spectrum.eigenvalues.max(initial=0.0) + alphas


def _some(mask, *arrays):
    return arrays if mask.all() else tuple(array[mask] for array in arrays)


def _squares(kept, c, per_delta, U, squares, share, rest, slack):
    """Sums of squares of (rest + U kept c) / ((1 - rho) per_delta + rho (slack + U^2 kept))."""
    n_alphas, n_outputs = kept.shape[1], c.shape[1]
    loadings = (kept[:, :, None] * c[:, None, :]).reshape(len(c), n_alphas * n_outputs)
    residual = (U @ loadings).reshape(len(U), n_alphas, n_outputs)
    residual += rest[:, None, :]
    divisor = squares @ kept
    divisor += slack[:, None]
    if (share < 1.0).any():
        copies = (1.0 - share)[:, None]
        others = np.multiply(copies, per_delta, out=np.zeros_like(divisor), where=copies > 0.0)
        divisor = others + share[:, None] * divisor
    with np.errstate(invalid="ignore"):  # one row: nothing is left to predict it from
        residual /= divisor[:, :, None]
    return np.einsum("iao,iao->ao", residual, residual)


class Choice(NamedTuple):
    """A strength, its error, and the strengths and errors that it was chosen among."""

    alpha: float
    error: float
    alphas: np.ndarray
    errors: np.ndarray


Criterion = Callable[[np.ndarray], np.ndarray]


def default_alphas(spectrum: Spectrum, n_alphas: int) -> np.ndarray:
    """Zero, and strengths from 1e-8 of the mean eigenvalue to 1e3 times the largest.

    The largest leaves a thousandth of any feature in the model: beyond it lies the mean alone.
    """
    lam = spectrum.eigenvalues if len(spectrum.eigenvalues) else np.ones(1)
    ends = SMALLEST * lam.sum() / spectrum.size, LARGEST * lam.max()
    return np.append(0.0, np.geomspace(*ends, n_alphas))


def choose(criterion: Criterion, alphas: np.ndarray, *, refine: bool) -> Choice:
    """The strength of the least error, among those given or between them.

    Parameters
    ----------
    criterion : callable
        Maps strengths (n_alphas,) to errors (n_alphas, n_outputs); outputs count alike.
    alphas : ndarray of shape (n_alphas,)
        Strengths, increasing if `refine`.
    refine : bool
        Whether to look between the best one and its neighbours.

    Returns
    -------
    Choice
        The choice.
    """
    errors = criterion(alphas).mean(axis=1)
    best = int(np.argmin(errors))
    alpha, error = float(alphas[best]), float(errors[best])
    low, high = alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)]
    for _ in range(STEPS if refine and alpha > 0.0 else 0):
        finer = np.geomspace(low if low > 0.0 else alpha, high, FINER + 2)
        found = criterion(finer).mean(axis=1)
        best = int(np.argmin(found))
        if found[best] < error:
            alpha, error = float(finer[best]), float(found[best])
        low, high = finer[max(best - 1, 0)], finer[min(best + 1, FINER + 1)]
    return Choice(alpha, error, alphas, errors)
