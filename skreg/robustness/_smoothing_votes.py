"""Running sums of what candidates make of the scores of one input."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np

from skreg.robustness._bounds import (
    Bounds,
    betting_bound,
    clopper_pearson,
    empirical_bernstein_bound,
)
from skreg.robustness._simplex_maps import ARGMAX, SLOPES, SOFT, Candidate

LARGEST_STD = 0.5  # of numbers in [0, 1]


class Tally:
    """Sums and sums of squares over draws, in double precision, for several candidates.

    Parameters
    ----------
    candidates : sequence of Candidate
        Maps to the simplex.
    n_classes : int
        Number of classes.
    keep : bool, default=False
        Keep every draw of the soft maps, as betting needs their order.
    """

    def __init__(self, candidates: Sequence[Candidate], n_classes: int, keep: bool = False) -> None:
        self.candidates = list(candidates)
        self.keep = keep
        self.n = 0
        self.sums = np.zeros((len(self.candidates), n_classes))
        self.squares = np.zeros_like(self.sums)
        self._kept: list[list[np.ndarray]] = [[] for _ in self.candidates]
        self._groups = [
            (name, list(places))
            for name, places in groupby(
                range(len(self.candidates)), lambda j: self.candidates[j].name
            )
        ]

    def add(self, z: np.ndarray) -> None:
        """Count scores of shape (n_classes, n_draws) in."""
        if np.isnan(z).any():
            raise ValueError(
                "the estimator's scores of noisy inputs are NaN: X or sigma may be too large for it"
            )
        self.n += z.shape[1]
        for name, places in self._groups:
            if name == ARGMAX:
                counts = votes_of(z)
                self.sums[places] += counts
                self.squares[places] += counts
                continue
            temperatures = np.array([self.candidates[j].temperature for j in places], z.dtype)
            p = np.minimum(SOFT[name](z, temperatures), 1.0)
            self.sums[places] += p.sum(axis=-1, dtype=np.float64)
            self.squares[places] += np.einsum("tkn,tkn->tk", p, p, dtype=np.float64)
            if self.keep:
                for j, part in zip(places, p, strict=True):
                    self._kept[j].append(part)

    @property
    def stds(self) -> np.ndarray:
        """Standard deviations of the draws, their largest possible one after a single draw."""
        if self.n < 2:
            return np.full_like(self.sums, LARGEST_STD)
        spread = np.maximum(self.squares - self.sums**2 / self.n, 0.0)
        return np.sqrt(spread / (self.n - 1))

    def kept(self, j: int) -> np.ndarray:
        """Draws of the j-th candidate, shape (n_classes, n)."""
        return np.concatenate(self._kept[j], axis=1)


def votes_of(z: np.ndarray) -> np.ndarray:
    """How often each class has the largest score; of several that tie, the first."""
    counts = np.count_nonzero(z == z.max(axis=0), axis=1)
    if counts.sum() == z.shape[1]:
        return counts
    return np.bincount(z.argmax(axis=0), minlength=len(z))


class Moments(NamedTuple):
    """Tallies of several inputs, stacked.

    Attributes
    ----------
    n : int
        Number of draws.
    means, stds : ndarray of shape (n_samples, n_candidates, n_classes)
        Means and standard deviations of the draws.
    hard : ndarray of bool of shape (n_samples, n_candidates)
        Where the draws are votes.
    slopes : ndarray of shape (n_samples, n_candidates)
        Lipschitz constants of the maps in L2.
    """

    n: int
    means: np.ndarray
    stds: np.ndarray
    hard: np.ndarray
    slopes: np.ndarray

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> Self:
        """Those of tallies with the same number of draws and of candidates."""
        candidates = [tally.candidates for tally in tallies]
        n = tallies[0].n
        return cls(
            n,
            np.minimum(np.stack([tally.sums for tally in tallies]) / n, 1.0),
            np.stack([tally.stds for tally in tallies]),
            np.array([[name == ARGMAX for name, _ in row] for row in candidates]),
            np.array([[SLOPES[name] * t for name, t in row] for row in candidates]),
        )

    def bounds(self, delta: float) -> Bounds:
        """Bounds from the draws themselves, shape (n_samples, n_candidates, n_classes)."""
        return self.foreseen(self.means, self.n, delta)

    def foreseen(self, means: np.ndarray, n: int, delta: float) -> Bounds:
        """Bounds that n draws with other means and the same deviations would give."""
        lower, upper = np.empty_like(means), np.empty_like(means)
        hard, soft = self.hard, ~self.hard
        if hard.any():
            lower[hard], upper[hard] = clopper_pearson(means[hard] * n, n, delta)
        if soft.any():
            lower[soft], upper[soft] = empirical_bernstein_bound(
                means[soft], self.stds[soft], n, delta
            )
        return Bounds(lower, upper)


def bounds_of(tallies: Sequence[Tally], moments: Moments, delta: float) -> Bounds:
    """Bounds from the moments or, for what was kept, by betting."""
    found = moments.bounds(delta)
    for i, j in np.argwhere(~moments.hard):
        if tallies[i].keep:
            found.lower[i, j], found.upper[i, j] = betting_bound(tallies[i].kept(j), delta)
    return found
