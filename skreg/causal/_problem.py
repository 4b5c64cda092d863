"""The problem that CoLiDE solves, in the unit in which it is solved."""

from typing import NamedTuple

import numpy as np

from skreg.causal._equations import EqualNoise, UnequalNoise, UnitNoise

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
    noise: EqualNoise | UnequalNoise | UnitNoise
    penalty: np.ndarray
    sigma: np.ndarray
    included: np.ndarray
    unit: float
    nodes: np.ndarray
    mean: np.ndarray

    def among_all(self, values):
        """Values of the columns that vary, or of their pairs, and zeros for the others."""
        d = len(self.mean)
        everywhere = np.zeros((d,) * values.ndim, values.dtype)
        everywhere[np.ix_(*[self.nodes] * values.ndim)] = values
        return everywhere


def noise_level(C):
    r"""Geometric mean of the noise levels of any linear acyclic model with covariance C (d, d).

    Since :math:`C = (I - W)^{-\top} \mathrm{diag}(\sigma^2) (I - W)^{-1}` and
    :math:`\det(I - W) = 1` for every acyclic W, :math:`\det C = \prod_j \sigma_j^2`. Directions
    without variation, as with fewer rows than columns, are left out.
    """
    deviations = np.sqrt(np.diagonal(C))
    correlation = C / deviations / deviations[:, None]
    eigenvalues = np.linalg.eigvalsh(correlation)
    seen = eigenvalues > len(C) * np.finfo(float).eps
    return np.exp(np.log(deviations).mean() + 0.5 * np.log(eigenvalues[seen]).mean())
