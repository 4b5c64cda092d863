"""The eigenframework's equations: kappa and gamma, and the errors that follow from them.

For n rows, k features and ridge delta,

    n = z + delta / kappa,    k = z + k kappa / gamma,    z = sum_i lam_i / (lam_i + gamma),

eliminating kappa leaves one equation for gamma,

    delta = gamma (n - z)(1 - z / k),    kappa = gamma (1 - z / k),                          (1)

whose right side increases in gamma where z < min(n, k). Infinitely many features are 1 / k = 0.
Modes beyond the known ones, small against gamma, enter by the sum T of their eigenvalues,
z + T / gamma in place of z, and by the sum V of their coefficients, which is added to the noise.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from skreg._summary import summary

XTOL = 4.0 * np.finfo(float).eps  # the least that brentq takes, relative to ln(gamma)


class Modes(NamedTuple):
    """A kernel's eigenvalues and a target's coefficients.

    Attributes
    ----------
    eigenvalues : ndarray of shape (n_modes,)
        lam, decreasing.
    squares : ndarray of shape (n_modes,)
        v^2, summed over outputs.
    tail : float
        T, the sum of the eigenvalues beyond.
    tail_squares : float
        V, the sum of v^2 beyond.
    """

    eigenvalues: np.ndarray
    squares: np.ndarray
    tail: float
    tail_squares: float

    def __repr__(self) -> str:
        return summary(self)

    @property
    def trace(self) -> float:
        """Sum of all eigenvalues."""
        return float(self.eigenvalues.sum() + self.tail)

    @property
    def rank(self) -> float:
        """Number of modes, infinite where some are known by their sum only."""
        return np.inf if self.tail > 0.0 else float(np.count_nonzero(self.eigenvalues))

    def dof(self, gamma: float) -> float:
        """z: the sum of all lam_i / (lam_i + gamma), with the tail; gamma > 0."""
        lam = self.eigenvalues
        return float(np.sum(lam / (lam + gamma)) + self.tail / gamma)


class Risk(NamedTuple):
    """Errors at one place.

    Attributes
    ----------
    test_mse, train_mse : float
        Against labels with noise.
    kappa, gamma, dof : float
        The fixed point, and z.
    """

    test_mse: float
    train_mse: float
    kappa: float
    gamma: float
    dof: float


def ridgeless_gamma(modes: Modes, size: float) -> float:
    """The gamma of z = size; 0 where there are no more modes than that."""
    if modes.rank <= size:
        return 0.0
    lam = modes.eigenvalues
    lows = [modes.tail / size]
    place = int(np.floor(size))  # z > size where even the first `place + 1` modes are enough
    if place < len(lam):
        lows.append(0.5 * lam[place] * ((place + 1) / size - 1.0))
    return _root(lambda gamma: size - modes.dof(gamma), max(lows), modes.trace / size)


def solve_gamma(modes: Modes, n: float, k: float, ridge: float) -> float:
    """The gamma of (1)."""
    size = min(n, k)
    least = ridgeless_gamma(modes, size)
    if ridge == 0.0:
        return least

    def excess(gamma):
        z = modes.dof(gamma)
        return gamma * (n - z) * (1.0 - z / k) - ridge

    low = max(least, ridge / n)  # the right side of (1) is at most gamma n
    high = max(2.0 * modes.trace / size, 4.0 * ridge / n)  # z <= size / 2 there
    return _root(excess, low, high)


def _root(function, low, high):
    """The root of an increasing function between positive ends, found on a logarithmic scale."""
    if function(low) >= 0.0:  # rounding, where the root is an end
        return low
    found = brentq(lambda t: function(np.exp(t)), np.log(low), np.log(high), xtol=1e-300, rtol=XTOL)
    return float(np.exp(found))


def kappa_of(n: float, k: float, gamma: float, z: float, ridge: float | None) -> float:
    """kappa = gamma (1 - z / k) = delta / (n - z), by whichever keeps its digits."""
    if k < n and ridge is not None:
        return ridge / (n - z)
    return max(gamma * (1.0 - z / k), 0.0)


def fixed_point(modes: Modes, n: float, k: float, ridge: float) -> tuple[float, float]:
    """kappa and gamma."""
    gamma = solve_gamma(modes, n, k, ridge)
    return (kappa_of(n, k, gamma, modes.dof(gamma), ridge) if gamma > 0.0 else 0.0), gamma


def risk_at(
    modes: Modes, n: float, k: float, gamma: float, noise: float, ridge: float | None = None
) -> Risk:
    """Errors at a fixed point, with or without the ridge that leads to it.

    With q = sum L_i^2 and x = (q (1 - 2 z / k) + z^2 / k) / (n (1 - q / k)),

        test  = [ sum_i b_i v_i^2 + V + noise ] / (1 - x),
        b_i   = gamma / (lam_i + gamma) - kappa lam_i / (lam_i + gamma)^2 / (1 - q / k),
        train = ((n - z) / n)^2 test.

    Parameters
    ----------
    modes : Modes
        Of the kernel and the target.
    n, k : float
        Numbers of rows and features; k may be infinite.
    gamma : float
        From `solve_gamma`; 0 where all modes are learned.
    noise : float
        Variance of the noise.
    ridge : float, default=None
        The ridge that leads to gamma, if it is known: kappa and a small training error then keep
        more digits.

    Returns
    -------
    Risk
        The errors.
    """
    if gamma == 0.0:
        return _all_learned(modes, n, noise)
    inverse = 1.0 / (modes.eigenvalues + gamma)
    L = modes.eigenvalues * inverse
    z, q = float(L.sum() + modes.tail / gamma), float(L @ L)
    z = min(z, n, k)  # beyond rounding z <= min(n, k)
    kappa = kappa_of(n, k, gamma, z, ridge)
    room = 1.0 - q / k
    b = inverse * (gamma - kappa / room * L)
    x = (q * (1.0 - 2.0 * z / k) + z * z / k) / (n * room)
    base = float(b @ modes.squares) + modes.tail_squares + noise
    test = _amplified(base, 1.0 - x)
    residual = ridge / (n * kappa) if ridge and kappa > 0.0 else (n - z) / n
    return Risk(test, _train(test, residual), kappa, gamma, z)


def _all_learned(modes, n, noise):
    """Ridge 0 with at least as many rows and features as modes: only noise is amplified."""
    never = modes.eigenvalues == 0.0
    z = float(np.count_nonzero(~never))
    base = float(modes.squares[never].sum()) + modes.tail_squares + noise
    test = _amplified(base, 1.0 - z / n) if base > 0.0 else 0.0
    return Risk(test, _train(test, (n - z) / n), 0.0, 0.0, z)


def _amplified(base, share):
    """base / share, infinite at the pole of as many features as rows."""
    return base / share if share > 64.0 * np.finfo(float).eps else np.inf


def _train(test, residual):
    return residual**2 * test if residual > 0.0 else 0.0
