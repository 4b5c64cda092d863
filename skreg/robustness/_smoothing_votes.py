"""Running sums of what candidates make of the scores of one input."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from skreg.robustness._bounds import (
    Bounds,
    betting_bound,
    clopper_pearson,
    empirical_bernstein_bound,
)
from skreg.robustness._simplex_maps import ARGMAX, SOFT, Candidate

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
    def means(self) -> np.ndarray:
        """Means of the draws, shape (n_candidates, n_classes)."""
        return self.sums / self.n

    @property
    def stds(self) -> np.ndarray:
        """Standard deviations of the draws, their largest possible one after a single draw."""
        if self.n < 2:
            return np.full_like(self.sums, LARGEST_STD)
        spread = np.maximum(self.squares - self.sums * self.means, 0.0)
        return np.sqrt(spread / (self.n - 1))

    def bounds(self, delta: float) -> Bounds:
        """Bounds of every candidate and class, shape (n_candidates, n_classes)."""
        if self.keep:
            return self._bounds_of_draws(delta)
        return foreseen(self, self.means, self.n, delta)

    def _bounds_of_draws(self, delta):
        lower, upper = np.empty_like(self.sums), np.empty_like(self.sums)
        for j, kept in enumerate(self._kept):
            if kept:
                found = betting_bound(np.concatenate(kept, axis=1), delta)
            else:
                found = clopper_pearson(self.sums[j], self.n, delta)
            lower[j], upper[j] = found
        return Bounds(lower, upper)


def votes_of(z: np.ndarray) -> np.ndarray:
    """How often each class has the largest score; of several that tie, the first."""
    counts = np.count_nonzero(z == z.max(axis=0), axis=1)
    if counts.sum() == z.shape[1]:
        return counts
    return np.bincount(z.argmax(axis=0), minlength=len(z))


def foreseen(tally: Tally, means: np.ndarray, n: int, delta: float) -> Bounds:
    """Bounds from n draws with these means and the tally's standard deviations.

    Those of betting are narrower than these, in about the same order.
    """
    means = np.clip(means, 0.0, 1.0)
    hard = [candidate.name == ARGMAX for candidate in tally.candidates]
    soft = np.logical_not(hard)
    lower, upper = np.empty_like(means), np.empty_like(means)
    lower[hard], upper[hard] = clopper_pearson(means[hard] * n, n, delta)
    if soft.any():
        lower[soft], upper[soft] = empirical_bernstein_bound(
            means[soft], tally.stds[soft], n, delta
        )
    return Bounds(lower, upper)
