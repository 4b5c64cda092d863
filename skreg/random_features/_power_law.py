"""How much should be fitted, where eigenvalues fall like i^-alpha and coefficients like i^-beta."""

from numbers import Real

import numpy as np
from scipy.optimize import brentq


def check_exponents(alpha: float, beta: float) -> None:
    """Raise a ValueError unless alpha > 1 and 1 < beta < 2 alpha + 1."""
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not (isinstance(value, Real) and 1.0 < value < np.inf):
            raise ValueError(
                f"{name} must be a finite number above 1, so that sums converge; got {value!r}"
            )
    if beta >= 2.0 * alpha + 1.0:
        raise ValueError(
            f"beta must be below 2 alpha + 1 = {2.0 * alpha + 1.0:g}, beyond which the error falls "
            f"like n^(-2 alpha) whatever it is; got {beta!r}"
        )


def optimal_fitting_ratio(alpha: float, beta: float, noise_rel: float = 0.0) -> float:
    """Train over test error of the kernel ridge regression with the best ridge, for many rows.

    It is R = r^2 with the root r in [0, 1) of

        alpha - beta - (alpha - 1) beta r + alpha (alpha - 1) noise_rel (1 - r)^beta = 0,

    and 0 where the left side is not positive at r = 0: then interpolation is best.

    Parameters
    ----------
    alpha : float
        Exponent of the eigenvalues, lam_i ~ i^-alpha, above 1.
    beta : float
        Exponent of the squared coefficients, v_i^2 ~ i^-beta, between 1 and 2 alpha + 1.
    noise_rel : float, default=0.0
        Variance of the noise over the error of interpolation without noise.

    Returns
    -------
    float
        R, in [0, 1).

    Raises
    ------
    ValueError
        If an exponent is outside of its range, or `noise_rel` is negative.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024, Theorem 2.

    Examples
    --------
    >>> from skreg.random_features import optimal_fitting_ratio
    >>> round(optimal_fitting_ratio(1.17, 1.14, noise_rel=1.0), 3)
    0.312
    >>> optimal_fitting_ratio(1.12, 1.36)
    0.0
    """
    check_exponents(alpha, beta)
    if not (isinstance(noise_rel, Real) and 0.0 <= noise_rel < np.inf):
        raise ValueError(f"noise_rel must be a finite number, 0 or more; got {noise_rel!r}")

    def slope(r):
        noise = alpha * (alpha - 1.0) * noise_rel * (1.0 - r) ** beta
        return alpha - beta - (alpha - 1.0) * beta * r + noise

    return float(brentq(slope, 0.0, 1.0, xtol=1e-14) ** 2) if slope(0.0) > 0.0 else 0.0


def interpolation_threshold(alpha: float, beta: float) -> float:
    """The relative noise up to which ridge 0 is the best, (beta - alpha) / (alpha (alpha - 1)).

    Parameters
    ----------
    alpha : float
        Exponent of the eigenvalues, above 1.
    beta : float
        Exponent of the squared coefficients, between 1 and 2 alpha + 1.

    Returns
    -------
    float
        Variance of the noise over the error of interpolation without noise. Negative where some
        ridge is better even without noise.

    Raises
    ------
    ValueError
        If an exponent is outside of its range.

    Examples
    --------
    >>> from skreg.random_features import interpolation_threshold
    >>> round(interpolation_threshold(1.12, 1.36), 3)
    1.786
    """
    check_exponents(alpha, beta)
    return float((beta - alpha) / (alpha * (alpha - 1.0)))
