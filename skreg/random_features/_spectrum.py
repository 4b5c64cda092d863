"""Ridge regression in the singular vectors of its features: one decomposition for all strengths.

With rows scaled by the roots of their weights and centred if there is an intercept,

    B = U diag(s) V^T,    lam = s^2,    c = U^T y,

the coefficients of strength delta are theta = V diag(s / (lam + delta)) c. Three ways lead to U,
lam and c: the Gram matrix B^T B (k x k), which many rows fill chunk by chunk; the kernel matrix
B B^T (n x n), which many features fill block by block; and the singular value decomposition, which
squares no condition number and costs several times as much.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import linalg

from skreg._summary import summary
from skreg.moments import JointMoments, Moments, joint_moments

RANK_MARGIN = 10.0  # eigenvalues below so many roundings of the largest count as zero
# what is made of features that overflow is asked for finiteness, once and as a whole
OVERFLOW_IS_CHECKED = np.errstate(over="ignore", invalid="ignore")


class Spectrum(NamedTuple):
    """What errors of all strengths are made of.

    Attributes
    ----------
    eigenvalues : ndarray of shape (r,)
        lam = s^2 > 0.
    loadings : ndarray of shape (r, n_outputs)
        c = U^T y.
    rest : ndarray of shape (n_outputs,)
        Squared norm of what of y is not in the span of U.
    weight : float
        Sum of the weights.
    n_observations : float
        Number of observations: each row is one, or as many as its weight says if that is more.
    centred : bool
        Whether there is an intercept.
    size : float
        Number of eigenvalues, those counted that are zero: observations or features.
    """

    eigenvalues: np.ndarray
    loadings: np.ndarray
    rest: np.ndarray
    weight: float
    n_observations: float
    centred: bool
    size: float

    def __repr__(self) -> str:
        return summary(self)

    @property
    def n_free(self) -> float:
        """Observations beyond the rank and the intercept."""
        return max(self.n_observations - self.centred - len(self.eigenvalues), 0.0)


class Centred(NamedTuple):
    """Targets and weights of rows: y about its mean, times the roots of the weights."""

    y: np.ndarray
    mean: np.ndarray
    root: np.ndarray
    weight: float

    @classmethod
    def of(cls, y: np.ndarray, sample_weight: np.ndarray, centre: bool) -> Self:
        """Of targets (n, n_outputs) and positive weights (n,)."""
        total = float(sample_weight.sum())
        mean = sample_weight @ y / total if centre else np.zeros(y.shape[1])
        root = np.sqrt(sample_weight)
        return cls((y - mean) * root[:, None], mean, root, total)


class Gathered(NamedTuple):
    """Moments of features and targets, of rows with positive weights; of two places they merge."""

    moments: JointMoments
    n_observations: float

    def merge(self, other: Self) -> Self:
        """Those of the rows of both."""
        return self._replace(
            moments=self.moments.merge(other.moments),
            n_observations=self.n_observations + other.n_observations,
        )


@OVERFLOW_IS_CHECKED
def gather(
    features: np.ndarray, y: np.ndarray, sample_weight: np.ndarray, *, centre: bool
) -> Gathered:
    """Moments of some rows.

    Parameters
    ----------
    features : ndarray of shape (n, k)
        Features, of any floating type; sums are of float64.
    y : ndarray of shape (n, n_outputs)
        Targets.
    sample_weight : ndarray of shape (n,)
        Positive weights.
    centre : bool
        Whether there is an intercept.

    Returns
    -------
    Gathered
        Their moments.
    """
    total, k, n_outputs = float(sample_weight.sum()), features.shape[1], y.shape[1]
    if total == 0.0:  # a chunk of rows without weight
        nothing = (
            Moments(0.0, np.zeros(k), np.zeros((k, k))),
            Moments(0.0, np.zeros(n_outputs), np.zeros(n_outputs)),
        )
        return Gathered(JointMoments(*nothing, np.zeros((n_outputs, k))), 0.0)
    origin = np.zeros(k)
    found = joint_moments(features, y.T, sample_weight / total, origin=origin, centre=centre)
    return Gathered(found.of_weight(total), observations(sample_weight))


def observations(sample_weight: np.ndarray) -> float:
    """How many observations weighted rows are: weights count copies, less than one is one row."""
    return float(np.maximum(sample_weight, 1.0).sum())


class GramSide(NamedTuple):
    """Decomposition of B^T B.

    Attributes
    ----------
    spectrum : Spectrum
        Eigenvalues and loadings.
    vectors : ndarray of shape (k, r)
        V.
    mean, target_mean : ndarray
        Of the features and of the targets.
    """

    spectrum: Spectrum
    vectors: np.ndarray
    mean: np.ndarray
    target_mean: np.ndarray

    @classmethod
    def of(cls, gathered: Gathered, centred: bool) -> Self:
        """From moments."""
        features, targets, cross = gathered.moments
        lam, V = positive_part(features.scatter)
        c = (cross @ V).T / np.sqrt(lam)[:, None]
        rest = np.maximum(targets.scatter - np.sum(c**2, axis=0), 0.0)
        n = gathered.n_observations
        spectrum = Spectrum(lam, c, rest, targets.weight, n, centred, min(n, len(V)))
        return cls(spectrum, V, features.mean, targets.mean)

    def coef(self, alpha: float) -> np.ndarray:
        """theta, of shape (k, n_outputs)."""
        lam, c = self.spectrum.eigenvalues, self.spectrum.loadings
        return self.vectors @ (c * (np.sqrt(lam) / (lam + alpha))[:, None])

    def left(self, features: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Rows of U for features (n, k) of rows with these roots of weights; overwrites them."""
        features = features.astype(np.float64, copy=False)
        features -= self.mean
        features *= root[:, None]
        return features @ (self.vectors / np.sqrt(self.spectrum.eigenvalues))


class RowSide(NamedTuple):
    """Decomposition with all rows in memory, of B B^T or of B.

    Attributes
    ----------
    spectrum : Spectrum
        Eigenvalues and loadings.
    left : ndarray of shape (n, r)
        U.
    targets : Centred
        Targets and roots of weights.
    """

    spectrum: Spectrum
    left: np.ndarray
    targets: Centred

    @classmethod
    def of(
        cls, lam: np.ndarray, U: np.ndarray, targets: Centred, centred: bool, n_features: float
    ) -> Self:
        """From eigenvalues and left singular vectors."""
        c = U.T @ targets.y
        rest = np.sum((targets.y - U @ c) ** 2, axis=0)
        n = observations(targets.root**2)
        spectrum = Spectrum(lam, c, rest, targets.weight, n, centred, min(n, n_features))
        return cls(spectrum, U, targets)

    @classmethod
    def of_kernel(cls, K: np.ndarray, targets: Centred, centred: bool, n_features: float) -> Self:
        """From B B^T, which is overwritten."""
        found = positive_part_beside(K, targets.root) if centred else positive_part(K)
        return cls.of(*found, targets, centred, n_features)

    @classmethod
    def of_features(cls, B: np.ndarray, targets: Centred, centred: bool) -> Self:
        """From B, by its singular value decomposition."""
        U, s, _ = linalg.svd(B, full_matrices=False, overwrite_a=True, check_finite=False)
        kept = s > RANK_MARGIN * max(B.shape) * np.finfo(float).eps * s.max(initial=0.0)
        return cls.of(s[kept] ** 2, U[:, kept], targets, centred, B.shape[1])

    def dual_coef(self, alpha: float) -> np.ndarray:
        """Weights a of the rows, (n, n_outputs), such that theta = sum_i a_i x_i."""
        lam, c = self.spectrum.eigenvalues, self.spectrum.loadings
        return self.targets.root[:, None] * (self.left @ (c / (lam + alpha)[:, None]))


def positive_part(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above rounding of a positive semidefinite matrix, and their eigenvectors."""
    return _above_rounding(*linalg.eigh(matrix, driver="evd", check_finite=False))


def positive_part_beside(matrix: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of a matrix with a known vector of eigenvalue zero, exactly orthogonal to it.

    Rounding mixes it with eigenvectors of small eigenvalues. So it gets an eigenvalue far above all
    others, in place, by which it is recognised and left out.
    """
    unit = null / np.linalg.norm(null)
    matrix += 2.0 * (np.linalg.norm(matrix) or 1.0) * np.outer(unit, unit)
    lam, vectors = linalg.eigh(matrix, driver="evd", check_finite=False)
    return _above_rounding(lam[:-1], vectors[:, :-1])


def _above_rounding(lam, vectors):
    bound = RANK_MARGIN * len(vectors) * np.finfo(float).eps * lam.max(initial=0.0)
    first = np.searchsorted(lam, bound, "right")
    return lam[first:], vectors[:, first:]


@OVERFLOW_IS_CHECKED
def kernel_of_features(
    blocks: Iterable[np.ndarray], root: np.ndarray, *, centre: bool
) -> np.ndarray:
    """B B^T of features that come in blocks of columns (n, b)."""
    K = np.zeros((len(root), len(root)))
    for block in blocks:
        B = centred_features(block, root, centre=centre)
        K += B @ B.T
    return K


@OVERFLOW_IS_CHECKED
def centred_features(features: np.ndarray, root: np.ndarray, *, centre: bool) -> np.ndarray:
    """B: features (n, b) about their weighted means, times the roots of the weights."""
    if centre:
        weight = root**2
        features = features - weight @ features / weight.sum()
    return features * root[:, None]


@OVERFLOW_IS_CHECKED
def centred_kernel(K: np.ndarray, root: np.ndarray, *, centre: bool) -> np.ndarray:
    """B B^T of the features behind a kernel matrix K (n, n)."""
    if centre:
        share = root**2 / np.sum(root**2)
        mean = K @ share
        K = K - mean - mean[:, None] + share @ mean
    return K * root * root[:, None]


def is_full(spectrum: Spectrum) -> bool:
    """Whether nothing is left beside the span of U and the intercept: ridge 0 interpolates."""
    return spectrum.n_free == 0.0


def training_error(spectrum: Spectrum, alpha: float) -> Any:
    """Mean squared residuals on the training rows, (n_outputs,)."""
    kept = alpha / (spectrum.eigenvalues + alpha)
    return (spectrum.rest + kept**2 @ spectrum.loadings**2) / spectrum.weight


def effective_dof(spectrum: Spectrum, alpha: float) -> float:
    """Trace of the hat matrix: sum lam / (lam + delta), and one for the intercept."""
    lam = spectrum.eigenvalues
    return float(np.sum(lam / (lam + alpha)) + spectrum.centred)
