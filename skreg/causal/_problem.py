"""The problem that CoLiDE solves, in the unit in which it is solved."""

from typing import NamedTuple

import numpy as np

from skreg._summary import summary
from skreg.causal._adam import EXCLUDED
from skreg.causal._equations import (
    EqualNoise,
    Noise,
    UnequalNoise,
    UnitNoise,
    residual_mean_squares,
    set_noise_scale,
)
from skreg.causal._regressions import SMALLEST_SHARE, residual_scale

# the unit of scale="global" in noise levels: data of the paper with variances 0.5 to 10 keep theirs
NOISE_IN_UNITS = 0.5
LARGEST_SINGLE = 1e18  # squared gradients stay below the largest single-precision number, 3e38


class Problem(NamedTuple):
    """What is solved: the columns that vary, in units of `unit`.

    Attributes
    ----------
    covariance : ndarray of shape (n_varying, n_varying)
        Covariance matrix.
    noise : EqualNoise, UnequalNoise or UnitNoise
        Kind of the score.
    penalty : ndarray of shape (n_varying, n_varying)
        Weights of the absolute values; -1 forbids an edge.
    sigma : ndarray of shape (n_varying,)
        Noise scale at the start.
    included : ndarray of shape (n_varying, n_varying)
        Required edges.
    unit : float
        Unit of the columns during the fit.
    nodes : ndarray of shape (n_varying,)
        Numbers of the columns that vary.
    mean : ndarray of shape (n_features,)
        Means of all columns.
    """

    covariance: np.ndarray
    noise: Noise
    penalty: np.ndarray
    sigma: np.ndarray
    included: np.ndarray
    unit: float
    nodes: np.ndarray
    mean: np.ndarray

    def __repr__(self) -> str:
        return summary(self)

    def among_all(self, values: np.ndarray) -> np.ndarray:
        """Values of the columns that vary, or of their pairs, and zeros for the others."""
        d = len(self.mean)
        everywhere = np.zeros((d,) * values.ndim, values.dtype)
        everywhere[np.ix_(*[self.nodes] * values.ndim)] = values
        return everywhere


def noise_at_start(kind: str, deviations: np.ndarray, floor: float) -> tuple[Noise, np.ndarray]:
    """Kind of the score by its name, and the noise scale (d,) at the start.

    Levels are at least the share `floor` of where they start: at the deviations of the columns, or
    the smallest of them for one level.
    """
    share = max(float(floor), SMALLEST_SHARE)
    if kind == "ev":
        smallest = deviations.min()
        return EqualNoise(float(share * smallest)), np.full_like(deviations, smallest)
    if kind == "nv":
        return UnequalNoise(share * deviations), deviations
    return UnitNoise(), np.ones_like(deviations)


def noise_levels(problem: Problem, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Noise levels (d,) of given weights in the unit of the columns, and which are at a floor."""
    C = problem.covariance
    sigma, on_floor = residual_scale(C, weights)
    if not isinstance(problem.noise, UnitNoise):
        set_noise_scale(problem.noise, residual_mean_squares(C, weights), sigma)
        on_floor = sigma <= problem.noise.floor
    return sigma * problem.unit, on_floor


def largest_strength(problem: Problem) -> float:
    """Smallest penalty at which no edge lowers the score of the empty graph.

    That is the largest |C_ij| / sigma_j, i != j, with the optimal noise scale of W = 0, where the
    gradient of h vanishes. Forbidden edges do not count.
    """
    C, sigma = problem.covariance, problem.sigma.copy()
    set_noise_scale(problem.noise, np.diagonal(C).copy(), sigma)
    gradient = np.abs(C) / sigma
    np.fill_diagonal(gradient, 0.0)
    return float(gradient[problem.penalty != EXCLUDED].max(initial=0.0))


def check_single_precision(C: np.ndarray) -> None:
    """Raise ValueError if variances are beyond what the fast mode can square."""
    smallest, largest = np.diagonal(C).min(), np.diagonal(C).max()
    if max(largest, 1 / smallest) > LARGEST_SINGLE:
        raise ValueError(
            f"mode='fast' works in single precision, with variances up to {LARGEST_SINGLE:g} "
            f"and from {1 / LARGEST_SINGLE:g}; they are {smallest:.1e} to {largest:.1e}. "
            "Rescale columns of X or use mode='reference'."
        )


def noise_level(C: np.ndarray) -> float:
    r"""Geometric mean of the noise levels of any linear acyclic model with covariance C (d, d).

    Since :math:`C = (I - W)^{-\top} \mathrm{diag}(\sigma^2) (I - W)^{-1}` and
    :math:`\det(I - W) = 1` for every acyclic W, :math:`\det C = \prod_j \sigma_j^2`. Directions
    without variation, as with fewer rows than columns, are left out.
    """
    deviations = np.sqrt(np.diagonal(C))
    correlation = C / deviations / deviations[:, None]
    eigenvalues = np.linalg.eigvalsh(correlation)
    seen = eigenvalues > len(C) * np.finfo(float).eps
    return float(np.exp(np.log(deviations).mean() + 0.5 * np.log(eigenvalues[seen]).mean()))
