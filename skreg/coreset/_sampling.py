"""From scores to inclusion probabilities, and from these to weighted rows."""

import numpy as np


def mixed_scores(scores, floor, sample_weight=None):
    """s_i / sum(s) + floor omega_i / sum(omega): no row with positive weight has score 0."""
    total = scores.sum()
    share = scores / total if total > 0 else np.zeros_like(scores)
    if sample_weight is None:
        return share + floor / len(scores)
    return share + floor * (sample_weight / sample_weight.sum())


def water_filling(scores, n_samples):
    """q_i = min(1, c s_i), with the c for which sum_i q_i is `n_samples`.

    At most n_samples rows are capped, so the largest n_samples scores and the sum of the others
    decide; see `scale_of_scores`.
    """
    positive = np.count_nonzero(scores)
    if n_samples >= positive:
        return (scores > 0).astype(np.float64)
    split = len(scores) - n_samples
    parted = np.partition(scores, split)
    return np.minimum(
        1.0, scale_of_scores(parted[split:], parted[:split].sum(), n_samples) * scores
    )


def scale_of_scores(largest, rest, n_samples):
    """The c of `water_filling` from the `n_samples` largest scores and the sum of the rest.

    With k capped rows, c = (n_samples - k) / (sum of the uncapped scores); the right k is the first
    for which the largest uncapped score obeys c s <= 1.
    """
    largest = np.sort(largest)[::-1]
    uncapped = rest + np.cumsum(largest[::-1])[::-1]
    c = (n_samples - np.arange(n_samples)) / uncapped
    return c[np.argmax(c * largest <= 1.0 + 1e-12)]


def hashed_uniform(seed, ids):
    """Uniform numbers in [0, 1) that depend on the seed and the row number alone (SplitMix64)."""
    with np.errstate(over="ignore"):
        state = _mix(np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(1))
        values = _mix(state + np.asarray(ids).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return (values >> np.uint64(11)) * 2.0**-53


def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bernoulli(q, u):
    """Rows that are kept independently with probability q_i."""
    return np.flatnonzero(u < q)


def systematic(q, rng):
    """About sum(q) rows: one offset on the cumulated q of a random permutation."""
    order = rng.permutation(len(q))
    steps = np.floor(np.cumsum(q[order]) + rng.uniform())
    return np.sort(order[np.diff(steps, prepend=0.0) > 0])


def draw(scores, n_samples, method, seed, certain=()):
    """Kept rows, their inclusion probabilities (expected counts), and 1 / q_i for them.

    The rows `certain`, chosen by nothing random, are kept for certain: q_i = 1.

    Returns
    -------
    q : ndarray of shape (n,)
    kept : ndarray of shape (m,)
    factor : ndarray of shape (m,)
    """
    if n_samples >= np.count_nonzero(scores):
        kept = np.flatnonzero(scores)
        return water_filling(scores, n_samples), kept, np.ones(len(kept))
    if len(certain):
        return _draw_beside(certain, scores, n_samples, method, seed)
    if method == "with_replacement":
        share = scores / scores.sum()
        counts = np.random.default_rng(seed).multinomial(n_samples, share)
        kept = np.flatnonzero(counts)
        q = -np.expm1(n_samples * np.log1p(-np.minimum(share, 1.0 - 1e-16)))
        return q, kept, counts[kept] / (n_samples * share[kept])
    q = water_filling(scores, n_samples)
    if method == "systematic":
        kept = systematic(q, np.random.default_rng(seed))
    else:
        kept = bernoulli(q, hashed_uniform(seed, np.arange(len(q))))
    return q, kept, 1 / q[kept]


def _draw_beside(certain, scores, n_samples, method, seed):
    """`draw` of the rows that are left beside `certain`, and these with q_i = 1."""
    others = scores.copy()
    others[certain] = 0.0
    if n_samples <= len(certain) and others.any():
        raise ValueError(
            f"n_samples={n_samples} is not above the number of rows that are kept for certain, one "
            f"of each of {len(certain)} classes: nothing would stand for the others"
        )
    q, kept, factor = np.zeros(len(scores)), np.empty(0, dtype=np.intp), np.empty(0)
    if n_samples > len(certain):
        q, kept, factor = draw(others, n_samples - len(certain), method, seed)
    q[certain] = 1.0
    kept = np.concatenate([kept, certain])
    order = np.argsort(kept)
    return q, kept[order], np.concatenate([factor, np.ones(len(certain))])[order]
