"""What fits to many samples agree on: frequencies of edges, and the penalty that steadies them."""

from collections.abc import Sequence

import numpy as np

from skreg.causal._resamples import Fit


def edge_frequency(fits: Sequence[Fit], d: int) -> np.ndarray:
    """Share (d, d) of the fits that did not fail with each edge; raises if all failed."""
    failures = [fit.error for fit in fits if fit.error is not None]
    if len(failures) == len(fits):
        raise failures[0]
    places = np.concatenate([fit.edges for fit in fits])
    return np.bincount(places, minlength=d * d).reshape(d, d) / (len(fits) - len(failures))


def instability(frequencies: np.ndarray) -> np.ndarray:
    """Mean over pairs of the probability 2 f (1 - f) that two fits disagree, for f (.., d, d)."""
    f, d = frequencies, frequencies.shape[-1]
    return 2 * (f * (1 - f)).sum(axis=(-2, -1)) / (d * (d - 1))


def total_weight(fits: Sequence[Fit], d: int) -> np.ndarray:
    """Sum (d, d) of the magnitudes of the weights over the fits."""
    places = np.concatenate([fit.edges for fit in fits])
    magnitude = np.concatenate([fit.magnitude for fit in fits])
    return np.bincount(places, magnitude, minlength=d * d).reshape(d, d)


def rank_of_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rank (d, d) of the entries by `first`, and by `second` where it is equal."""
    order = np.lexsort((second.ravel(), first.ravel()))
    rank = np.empty(first.size)
    rank[order] = np.arange(first.size)
    return rank.reshape(first.shape)


def most_permissive_stable(instability: np.ndarray, limit: float) -> int:
    """Index of the last alpha before the instability first exceeds the limit; 0 if all do."""
    unstable = np.flatnonzero(instability > limit)
    first = unstable[0] if len(unstable) else len(instability)
    return max(int(first) - 1, 0)
