"""What fits to many samples agree on: frequencies of edges, and the penalty that steadies them."""

import numpy as np


def edge_frequency(fits, d):
    """Share (d, d) of the fits that did not fail with each edge; raises if all failed."""
    n_fits = sum(fit.error is None for fit in fits)
    if n_fits == 0:
        raise fits[0].error
    places = np.concatenate([fit.edges for fit in fits])
    return np.bincount(places, minlength=d * d).reshape(d, d) / n_fits


def total_weight(fits, d):
    """Sum (d, d) of the magnitudes of the weights over the fits."""
    places = np.concatenate([fit.edges for fit in fits])
    magnitude = np.concatenate([fit.magnitude for fit in fits])
    return np.bincount(places, magnitude, minlength=d * d).reshape(d, d)


def rank_of_pairs(first, second):
    """Rank (d, d) of the entries by `first`, and by `second` where it is equal."""
    order = np.lexsort((second.ravel(), first.ravel()))
    rank = np.empty(first.size)
    rank[order] = np.arange(first.size)
    return rank.reshape(first.shape)


def most_permissive_stable(instability, limit):
    """Index of the last alpha before the instability first exceeds the limit; 0 if all do."""
    unstable = np.flatnonzero(instability > limit)
    first = unstable[0] if len(unstable) else len(instability)
    return max(first - 1, 0)
