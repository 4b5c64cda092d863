"""Embeddings with class labels: validation and distances in blocks of rows."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils import check_array, check_consistent_length, column_or_1d, gen_batches
from sklearn.utils.multiclass import check_classification_targets

_BLOCK_ENTRIES = 2**22  # entries of one block of distances: 32 MB in float64


class Embedded(NamedTuple):
    """Embeddings with class numbers.

    Attributes
    ----------
    rows : ndarray of shape (n_samples, n_features)
        The embeddings.
    codes : ndarray of shape (n_samples,)
        Position of each label in `classes`.
    classes : ndarray of shape (n_classes,)
        The labels that occur, sorted.
    counts : ndarray of shape (n_classes,)
        How often each occurs.
    """

    rows: np.ndarray
    codes: np.ndarray
    classes: np.ndarray
    counts: np.ndarray


def check_embeddings(embeddings, labels, normalize):
    """Validate embeddings and labels, and scale rows to length one if `normalize`.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or `normalize` meets a row of zeros.
    """
    rows = check_array(embeddings, dtype=np.float64, input_name="embeddings")
    labels = column_or_1d(labels)
    check_consistent_length(rows, labels)
    check_classification_targets(labels)
    if normalize:
        largest = np.abs(rows).max(axis=1, keepdims=True)
        if not largest.all():
            raise ValueError(
                f"embeddings must not be zero, row {int(np.argmin(largest))} is; "
                "normalize=False takes them as they are"
            )
        rows = rows / largest
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return Embedded(rows, codes, classes, counts)


def distance_blocks(rows, start=0, stop=None):
    """Yield slices of rows from start to stop, with their Euclidean distances to all rows.

    Distances come from differences, not from inner products: equal rows are exactly 0 apart.
    """
    stop = len(rows) if stop is None else stop
    for part in gen_batches(stop - start, max(1, _BLOCK_ENTRIES // len(rows))):
        block = slice(start + part.start, start + part.stop)
        yield block, cdist(rows[block], rows)


def classwise_distance_blocks(embedded):
    """Yield blocks of rows of one class with their distances to all rows, sorted by class.

    Yields
    ------
    code : int
        Position of the class.
    own : slice
        Columns of the rows of this class.
    distance : ndarray of shape (n_block, n_samples)
        The distances.
    """
    rows = embedded.rows[np.argsort(embedded.codes, kind="stable")]
    stops = np.cumsum(embedded.counts)
    for code, (start, stop) in enumerate(zip(stops - embedded.counts, stops, strict=True)):
        for _, distance in distance_blocks(rows, int(start), int(stop)):
            yield code, slice(int(start), int(stop)), distance
