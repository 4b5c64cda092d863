"""Retrieval by nearest neighbours among embeddings."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from skreg._sklearn import Interval, validate_params
from skreg.metrics._embeddings import check_embeddings, distance_blocks


@validate_params(
    {
        "embeddings": ["array-like"],
        "labels": ["array-like"],
        "k": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def recall_at_k(
    embeddings: ArrayLike, labels: ArrayLike, k: int = 1, *, normalize: bool = True
) -> float:
    """Share of samples with one of their own class among their k nearest others.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_features)
        Embeddings.
    labels : array-like of shape (n_samples,)
        Their classes. A sample that is alone in its class cannot be recalled and is left out.
    k : int, default=1
        Number of neighbours. Of equally near ones, the earlier rows are taken.
    normalize : bool, default=True
        Scale embeddings to length one first.

    Returns
    -------
    float
        The share.

    Raises
    ------
    ValueError
        If no class has two samples, or `k` is not below the number of samples.

    Examples
    --------
    >>> from skreg.metrics import recall_at_k
    >>> recall_at_k([[0.0], [0.1], [1.0], [1.5], [0.9]], [0, 0, 1, 1, 0], normalize=False)
    0.6
    """
    embedded = check_embeddings(embeddings, labels, normalize)
    n_samples = len(embedded.codes)
    if k >= n_samples:
        raise ValueError(f"k must be below the number of samples, got {k} for {n_samples}")
    has_partner = embedded.counts[embedded.codes] >= 2
    if not has_partner.any():
        raise ValueError("no class has two samples, so that there is nothing to recall")
    found = np.zeros(n_samples, dtype=bool)
    for block, distance in distance_blocks(embedded.rows):
        own = np.arange(len(distance))
        distance[own, np.arange(n_samples)[block]] = np.inf
        same = embedded.codes[block, None] == embedded.codes
        found[block] = _nearest_same(distance, same, k)
    return float(found[has_partner].mean())


def _nearest_same(distance, same, k):
    """Whether fewer than k of the other class come before the nearest of the same class."""
    nearest = np.where(same, distance, np.inf).argmin(axis=1)[:, None]
    radius = np.take_along_axis(distance, nearest, axis=1)
    earlier = np.arange(distance.shape[1]) < nearest
    before = (distance < radius) | ((distance == radius) & earlier)
    return (before & ~same).sum(axis=1) < k
