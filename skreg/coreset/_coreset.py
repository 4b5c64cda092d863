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

    def __repr__(self) -> str:
        rows, columns = self.X.shape
        beside = "" if self.y is None else ", with y"
        total = np.sum(self.sample_weight)
        return f"Coreset({rows:,} rows of {columns} columns{beside}, weights of sum {total:,.6g})"
