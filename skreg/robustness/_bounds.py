"""Confidence bounds of a mean of numbers in [0, 1], each side at a level of its own."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

BISECTIONS = 20  # halvings of [0, mean]: an error below 1e-6, to the safe side
LARGEST_BET = 0.75  # share of what a bet can lose at most


class Bounds(NamedTuple):
    """Lower and upper bounds, each of which fails with probability delta at most."""

    lower: np.ndarray
    upper: np.ndarray


def checked_delta(delta: float) -> float:
    """A level in (0, 1)."""
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta must lie in (0, 1), such as 0.001; got {delta!r}")
    return float(delta)


def clopper_pearson(successes: ArrayLike, n: int, delta: float) -> Bounds:
    """Exact bounds of a probability from a number of successes.

        lower = BetaInv(delta; m, n - m + 1),   0 if m = 0,
        upper = BetaInv(1 - delta; m + 1, n - m),   1 if m = n.

    Parameters
    ----------
    successes : array-like
        Numbers m of successes, from 0 to n. They need not be whole numbers: what is between is
        interpolated.
    n : int
        Number of independent draws.
    delta : float
        Probability with which each side may fail.

    Returns
    -------
    lower : ndarray
        Lower bounds.
    upper : ndarray
        Upper bounds.

    Raises
    ------
    ValueError
        If `delta` is not in (0, 1), `n` not positive, or a number of successes not in [0, n].

    References
    ----------
    C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the
    Case of the Binomial", Biometrika 26, 1934.

    Examples
    --------
    >>> from skreg.robustness import clopper_pearson
    >>> lower, upper = clopper_pearson(1000, 1000, delta=0.001)
    >>> round(float(lower), 4), float(upper)
    (0.9931, 1.0)
    """
    delta = checked_delta(delta)
    m = np.asarray(successes, dtype=float)
    if not n >= 1:
        raise ValueError(f"n must be at least 1; got {n!r}")
    if not ((m >= 0) & (m <= n)).all():
        raise ValueError(f"successes must lie between 0 and n = {n}; got {successes!r}")
    lower = np.where(m > 0, betaincinv(np.maximum(m, 1e-300), n - m + 1, delta), 0.0)
    upper = np.where(m < n, betaincinv(m + 1, np.maximum(n - m, 1e-300), 1 - delta), 1.0)
    return Bounds(lower, upper)


def empirical_bernstein_bound(mean: ArrayLike, std: ArrayLike, n: int, delta: float) -> Bounds:
    """Bounds of an expectation from mean and standard deviation of draws in [0, 1].

        shift = std sqrt(2 ln(2 / delta) / n) + 7 ln(2 / delta) / (3 (n - 1))

    Parameters
    ----------
    mean : array-like
        Means of the draws.
    std : array-like
        Their standard deviations, from the unbiased variance.
    n : int
        Number of independent draws, at least two.
    delta : float
        Probability with which each side may fail.

    Returns
    -------
    lower : ndarray
        Lower bounds, mean - shift, at least 0.
    upper : ndarray
        Upper bounds, mean + shift, at most 1.

    Raises
    ------
    ValueError
        If `delta` is not in (0, 1), `n` is less than two, a mean is not in [0, 1], or a standard
        deviation is negative.

    References
    ----------
    A. Maurer and M. Pontil, "Empirical Bernstein Bounds and Sample Variance Penalization", COLT
    2009, theorem 4.

    Examples
    --------
    >>> from skreg.robustness import empirical_bernstein_bound
    >>> lower, upper = empirical_bernstein_bound(0.8, 0.1, n=10_000, delta=0.001)
    >>> round(float(lower), 4), round(float(upper), 4)
    (0.7943, 0.8057)
    """
    delta = checked_delta(delta)
    mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)
    if not n >= 2:
        raise ValueError(
            f"n must be at least 2, as a standard deviation needs two draws; got {n!r}"
        )
    if not ((mean >= 0) & (mean <= 1)).all():
        raise ValueError(f"mean must lie in [0, 1], as the draws do; got {mean!r}")
    if not (std >= 0).all():
        raise ValueError(f"std must not be negative; got {std!r}")
    log = np.log(2.0 / delta)
    shift = std * np.sqrt(2.0 * log / n) + 7.0 * log / (3.0 * (n - 1))
    return Bounds(np.maximum(mean - shift, 0.0), np.minimum(mean + shift, 1.0))


def betting_bound(draws: ArrayLike, delta: float) -> Bounds:
    """Bounds of an expectation by betting against each of its values.

    Who bets the share lambda_i of a capital that the i-th draw lies above m, where lambda_i depends
    on earlier draws only, has after n draws the capital

        K_n(m) = prod_i (1 + lambda_i (x_i - m)),

    whose expectation is 1 if m is the mean: K_n(m) >= 1 / delta happens with probability delta at
    most. The lower bound is the largest m that is so refuted; K_n falls with m. Bets are

        lambda_i = min(sqrt(2 ln(1 / delta) / (n v_{i-1})), 3 / (4 m)),

    where v is the running variance, which begins at 1/4. The upper bound bets on 1 - x.

    Parameters
    ----------
    draws : array-like of shape (..., n)
        Independent draws in [0, 1], in the order in which they came.
    delta : float
        Probability with which each side may fail.

    Returns
    -------
    lower : ndarray of shape (...,)
        Lower bounds.
    upper : ndarray of shape (...,)
        Upper bounds.

    Raises
    ------
    ValueError
        If `delta` is not in (0, 1), or there is no draw, or one outside of [0, 1].

    References
    ----------
    I. Waudby-Smith and A. Ramdas, "Estimating Means of Bounded Random Variables by Betting",
    Journal of the Royal Statistical Society B 86, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.robustness import betting_bound, empirical_bernstein_bound
    >>> draws = np.random.default_rng(0).beta(8, 2, size=1000)
    >>> lower, upper = betting_bound(draws, delta=0.001)
    >>> other = empirical_bernstein_bound(draws.mean(), draws.std(ddof=1), 1000, delta=0.001)
    >>> bool(other.lower < lower < 0.8 < upper < other.upper)
    True
    """
    delta = checked_delta(delta)
    x = np.asarray(draws, dtype=np.float64)
    if x.ndim == 0 or x.shape[-1] == 0 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError("draws must be numbers in [0, 1], at least one along the last axis")
    return Bounds(refuted_means(x, delta), 1.0 - refuted_means(1.0 - x, delta))


def refuted_means(x: np.ndarray, delta: float) -> np.ndarray:
    """Largest m, up to rounding to the safe side, with K_n(m) >= 1 / delta; 0 if there is none."""
    bets = _plug_in_bets(x, delta)
    low, high = np.zeros(x.shape[:-1]), x.mean(axis=-1)
    for _ in range(BISECTIONS):
        m = (low + high) / 2
        refuted = _log_capital(x, bets, m[..., None]) >= -np.log(delta)
        low, high = np.where(refuted, m, low), np.where(refuted, high, m)
    return low


def _plug_in_bets(x, delta):
    n = x.shape[-1]
    t = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(x, axis=-1)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2, axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    return np.sqrt(-2.0 * np.log(delta) / (n * before))


def _log_capital(x, bets, m):
    capped = np.minimum(bets, LARGEST_BET / np.maximum(m, 1e-300))
    return np.log1p(capped * (x - m)).sum(axis=-1)
