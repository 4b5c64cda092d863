"""The record `Coreset`."""

from typing import NamedTuple

import numpy as np


class Coreset(NamedTuple):
    """Weighted rows that stand for all rows.

    Parameters
    ----------
    X : ndarray of shape (m, n_features)
        Rows.
    y : ndarray of shape (m,), or None
        Their targets.
    sample_weight : ndarray of shape (m,)
        Their weights.
    indices : ndarray of shape (m,), or None
        Their numbers among all rows, increasing; None after merge-and-reduce.
    """

    X: np.ndarray
    y: np.ndarray | None
    sample_weight: np.ndarray
    indices: np.ndarray | None
