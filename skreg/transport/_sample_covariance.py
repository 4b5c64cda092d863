"""Covariances of samples, shrunk where rows are few, from sums that can be merged.

With deviations c_i = x_i - mean and weights w_i of sum n, the covariance
S = sum w_i c_i c_i^T / n is shrunk to (1 - rho) S + rho (tr S / d) I. Ledoit and Wolf (2004) take

    rho = min(beta, delta) / delta,      beta  = (sum w_i |c_i|^4 / n - |S|_F^2) / (n d),
                                         delta = (|S|_F^2 - (tr S)^2 / d) / d,

and Chen, Wiesel, Eldar and Hero (2010) what needs the trace and norm of S alone. The sum of fourth
powers moves with the mean: for c' = c - h, with t = sum w |c|^2 c and the scatter G = sum w c c^T,

    sum w |c'|^2 c' = t - (tr G) h - 2 G h - n |h|^2 h,
    sum w |c'|^4    = sum w |c|^4 - 4 h^T t + 4 h^T G h + 2 |h|^2 tr G + n |h|^4.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from skreg._summary import summary
from skreg.moments import Moments, moments
from skreg.transport._spread import Spread


class Scale(NamedTuple):
    """n, d, tr S, |S|_F^2 and the mean of |c|^4: what the strength of shrinkage depends on."""

    n: float
    d: int
    trace: float
    squared_norm: float
    fourth: float


def no_shrinkage(_: Scale) -> float:
    """Rho = 0."""
    return 0.0


def ledoit_wolf(scale: Scale) -> float:
    """Ledoit's and Wolf's rho, as in `sklearn.covariance.ledoit_wolf_shrinkage`."""
    n, d, trace, squared_norm, fourth = scale
    delta = (squared_norm - trace**2 / d) / d
    beta = min((fourth - squared_norm) / (n * d), delta)
    return 0.0 if d == 1 or beta <= 0.0 else beta / delta


def oracle_approximating(scale: Scale) -> float:
    """Rho of the oracle approximating shrinkage, as in `sklearn.covariance.oas`."""
    n, d, trace, squared_norm, _ = scale
    apart = (n + 1.0) * (squared_norm - trace**2 / d)
    if d == 1:
        return 0.0
    return 1.0 if apart <= 0.0 else min((squared_norm + trace**2) / apart, 1.0)


INTENSITIES: dict[str, Callable[[Scale], float]] = {
    "empirical": no_shrinkage,
    "ledoit_wolf": ledoit_wolf,
    "oas": oracle_approximating,
}


class Estimate(NamedTuple):
    """Mean (d,), covariance and strength of shrinkage of one side."""

    mean: np.ndarray
    covariance: Spread
    shrinkage: float | None


class SampleMoments(NamedTuple):
    """Moments of rows up to the second, and of their lengths up to the fourth.

    Parameters
    ----------
    n_rows : int
        Number of rows of positive weight.
    moments : Moments
        With a full scatter.
    cubic : ndarray of shape (d,)
        Sum of w |c|^2 c.
    quartic : float
        Sum of w |c|^4.
    """

    n_rows: int
    moments: Moments
    cubic: np.ndarray
    quartic: float

    def __repr__(self) -> str:
        return summary(self)

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # seen in the covariance, or of no matter there
    def of_rows(cls, X: np.ndarray, weight: np.ndarray) -> Self:
        """Those of rows (n, d) with weights (n,)."""
        record = moments(X.astype(np.float64, copy=False), weight)
        deviations = X - record.mean
        lengths = np.einsum("ij,ij->i", deviations, deviations)
        return cls(
            int(np.count_nonzero(weight)),
            record,
            (weight * lengths) @ deviations,
            weight @ lengths**2,
        )

    @np.errstate(over="ignore", invalid="ignore")
    def merge(self, other: Self) -> Self:
        """Those of the rows of both."""
        merged = self.moments.merge(other.moments)
        parts = [part._about(merged.mean) for part in (self, other)]
        return self._replace(
            n_rows=self.n_rows + other.n_rows,
            moments=merged,
            cubic=parts[0][0] + parts[1][0],
            quartic=parts[0][1] + parts[1][1],
        )

    def _about(self, centre):
        n, mean, G = self.moments
        h = centre - mean
        Gh, trace, square = G @ h, np.trace(G), h @ h
        cubic = self.cubic - trace * h - 2.0 * Gh - n * square * h
        quartic = (
            self.quartic
            - 4.0 * h @ self.cubic
            + 4.0 * h @ Gh
            + 2.0 * square * trace
            + n * square**2
        )
        return cubic, quartic

    @np.errstate(over="ignore", invalid="ignore")
    def estimate(self, kind: str) -> Estimate:
        """The covariance with shrinkage of a kind in `INTENSITIES`."""
        S, n, d = self.moments.covariance, self.moments.total, len(self.moments.mean)
        trace = np.trace(S)
        rho = INTENSITIES[kind](Scale(n, d, trace, np.sum(S**2), self.quartic / n))
        inside = (1.0 - rho) * S
        inside[np.diag_indices(d)] += rho * trace / d
        return Estimate(self.moments.mean, Spread(inside), rho)


class FewRows(NamedTuple):
    """Rows, fewer than columns, and their weights."""

    X: np.ndarray
    weight: np.ndarray

    def __repr__(self) -> str:
        return summary(self)

    @property
    def mean(self) -> np.ndarray:
        """Mean of the rows."""
        first = self.X[0].astype(np.float64)  # so that what is far from zero keeps its digits
        return first + (self.weight / self.weight.sum()) @ (self.X - first)

    def factor(self) -> np.ndarray:
        """C (n, d) with S = C^T C."""
        return np.sqrt(self.weight / self.weight.sum())[:, None] * (self.X - self.mean)

    def estimate(self, kind: str, coordinates: np.ndarray, basis: np.ndarray) -> Estimate:
        """As `SampleMoments.estimate`, within a basis (d, k) in which C is `coordinates` (n, k)."""
        gram, (d, k) = coordinates @ coordinates.T, basis.shape
        n, trace, squares = self.weight.sum(), np.trace(gram), np.diag(gram) ** 2
        share = np.divide(n, self.weight, out=np.zeros(len(gram)), where=self.weight > 0)
        rho = INTENSITIES[kind](Scale(n, d, trace, np.sum(gram**2), squares @ share))
        inside = (1.0 - rho) * (coordinates.T @ coordinates)
        outside = rho * trace / d
        inside[np.diag_indices(k)] += outside
        return Estimate(self.mean, Spread(inside, outside, basis), rho)


@np.errstate(over="ignore", invalid="ignore")
def joint_estimates(samples: list[FewRows], kind: str) -> list[Estimate]:
    """Estimates of samples of fewer rows than columns, in one basis of what they span together."""
    factors = [sample.factor() for sample in samples]
    scales = [max(np.abs(factor).max(), np.finfo(float).tiny) for factor in factors]
    scaled = [factor / scale for factor, scale in zip(factors, scales, strict=True)]
    basis, triangle = np.linalg.qr(np.concatenate(scaled).T)
    ends = np.cumsum([len(factor) for factor in factors])[:-1]
    return [
        sample.estimate(kind, scale * part.T, basis)
        for sample, scale, part in zip(
            samples, scales, np.split(triangle, ends, axis=1), strict=True
        )
    ]
