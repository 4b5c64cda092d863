"""Radii within which a smoothed classifier does not change its mind, from bounds of two classes."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, ndtri

INSIDE = 1e-12  # probabilities are kept that far from 0 and 1, where quantiles are infinite
NUMBERS = (int, float, np.integer, np.floating)
RadiusKind = Literal["multi", "mono", "margin"]


def smoothed_lipschitz(L: ArrayLike, r: ArrayLike, sigma: float) -> np.ndarray:
    """Lipschitz constant of a bounded function after Gaussian smoothing.

    A function with Lipschitz constant L and values in an interval of length r has, averaged over
    N(0, sigma^2 I), a constant of at most

        L erf(r / (2 sqrt(2) L sigma)),

    which the clipped linear function attains. It tends to L for small sigma, and to
    r / (sigma sqrt(2 pi)) for L = inf.

    Parameters
    ----------
    L : array-like
        Lipschitz constants in L2, not negative; inf if none is known.
    r : array-like
        Lengths of the intervals of values, positive.
    sigma : float
        Standard deviation of the noise, positive.

    Returns
    -------
    ndarray
        Lipschitz constants after smoothing.

    Raises
    ------
    ValueError
        If `L` is negative, or `r` or `sigma` not positive.

    Examples
    --------
    >>> from skreg.robustness import smoothed_lipschitz
    >>> round(float(smoothed_lipschitz(3.0, 1.0, 0.5)), 4)
    0.7834
    """
    L, r = np.asarray(L, dtype=float), np.asarray(r, dtype=float)
    if not (L >= 0).all():
        raise ValueError(f"L, a Lipschitz constant, must not be negative; got {L!r}")
    if not ((r > 0) & np.isfinite(r)).all():
        raise ValueError(f"r, a length of an interval, must be positive and finite; got {r!r}")
    _check_sigma(sigma)
    bound_of_any = r / (sigma * np.sqrt(2.0 * np.pi))
    known = np.where((L > 0) & np.isfinite(L), L, 1.0)
    smooth = known * erf(r / (2.0 * np.sqrt(2.0) * known * sigma))
    return np.where(L == 0, 0.0, np.where(np.isinf(L), bound_of_any, smooth))


def certified_radius(
    p_lower: ArrayLike,
    p_upper: ArrayLike | None,
    sigma: float,
    kind: RadiusKind = "multi",
    lipschitz: ArrayLike | None = None,
) -> np.ndarray:
    """Radius of the L2 ball in which the most probable class stays the same.

    With p_A at least `p_lower` and every other class at most p_B = min(`p_upper`, 1 - p_lower):

        multi:   sigma / 2 (Phi^-1(p_A) - Phi^-1(p_B)),
        mono:    sigma Phi^-1(p_A), of the top class alone,
        margin:  (p_A - p_B) sigma sqrt(pi / 2), never more than multi.

    If the function that is smoothed has a known Lipschitz constant L,

        (p_A - p_B) / (sqrt(2) L erf(1 / (2 L sigma)))

    is a radius too, and the larger of the two is returned.

    Parameters
    ----------
    p_lower : array-like
        Lower bounds of the probability of the top class.
    p_upper : array-like or None
        Upper bounds of the probability of every other class; None for 1 - p_lower.
    sigma : float
        Standard deviation of the noise.
    kind : {"multi", "mono", "margin"}, default="multi"
        Which radius.
    lipschitz : array-like, default=None
        Lipschitz constants L, in L2, of the map from inputs to the simplex before smoothing.

    Returns
    -------
    ndarray
        Radii, in the unit of the inputs; 0 where nothing is certified.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1], `sigma` or a Lipschitz constant not positive, or `kind`
        unknown.

    References
    ----------
    J. Cohen, E. Rosenfeld and J. Z. Kolter, "Certified Adversarial Robustness via Randomized
    Smoothing", ICML 2019, theorem 1.

    B. Delattre, A. Araujo, Q. Barthelemy and A. Allauzen, "The Lipschitz-Variance-Margin Tradeoff
    for Enhanced Randomized Smoothing", ICLR 2024.

    Examples
    --------
    >>> from skreg.robustness import certified_radius
    >>> [round(float(certified_radius(0.6, 0.2, 1.0, kind)), 4) for kind in ("multi", "mono")]
    [0.5475, 0.2533]
    """
    _check_sigma(sigma)
    p_A = _probabilities(p_lower, "p_lower")
    p_B = 1.0 - p_A if p_upper is None else _probabilities(p_upper, "p_upper")
    p_B = np.minimum(p_B, 1.0 - p_A)
    if kind == "multi":
        radius = 0.5 * sigma * (_quantile(p_A) - _quantile(p_B))
    elif kind == "mono":
        radius = sigma * _quantile(p_A)
    elif kind == "margin":
        radius = (p_A - p_B) * sigma * np.sqrt(np.pi / 2.0)
    else:
        raise ValueError(f"kind must be 'multi', 'mono' or 'margin'; got {kind!r}")
    if lipschitz is not None:
        L = np.asarray(lipschitz, dtype=float)
        if not (L > 0).all():
            raise ValueError(f"lipschitz must be positive, inf if unknown; got {lipschitz!r}")
        # along (e_A - e_B) / sqrt(2), the values of a distribution have a range of sqrt(2)
        slope = np.sqrt(2.0) * smoothed_lipschitz(L, np.sqrt(2.0), sigma)
        radius = np.maximum(radius, (p_A - p_B) / slope)
    return np.maximum(radius, 0.0)


def _quantile(p):
    """Phi^-1, with Phi^-1(1 - p) = -Phi^-1(p) to the last digit."""
    tail = ndtri(np.maximum(np.minimum(p, 1.0 - p), INSIDE))
    return np.where(p > 0.5, -tail, tail)


def _probabilities(values, name):
    p = np.asarray(values, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"{name} must hold probabilities, in [0, 1]; got {values!r}")
    return p


def _check_sigma(sigma):
    if not (isinstance(sigma, NUMBERS) and 0.0 < sigma < np.inf):
        raise ValueError(f"sigma must be a positive finite number; got {sigma!r}")
