"""Which coefficients a table has a row for, and what the rows are called."""

from typing import NamedTuple

import numpy as np

ALL_BOUNDARIES, THRESHOLD = "all boundaries", "threshold"


class Terms(NamedTuple):
    """Coefficients of their own: that of `feature` at `boundary`, both of shape (n_terms,).

    One that holds at all boundaries is `common`, and stands at the first.
    """

    boundary: np.ndarray
    feature: np.ndarray
    common: np.ndarray

    def of(self, coef):
        """Their values, (n_terms,), from all coefficients (n_boundaries, n_features)."""
        return coef[self.boundary, self.feature]


def distinct_terms(free):
    """The common coefficients, then those of each boundary.

    `free` (n_boundaries, n_features) says which increments are in the model. A feature that has
    none after the first boundary has one coefficient.
    """
    differs = free[1:].any(axis=0)
    common = np.flatnonzero(free.any(axis=0) & ~differs)
    boundary, feature = np.nonzero(np.broadcast_to(differs, free.shape))
    return Terms(
        np.concatenate([np.zeros_like(common), boundary]),
        np.concatenate([common, feature]),
        np.arange(len(common) + len(boundary)) < len(common),
    )


def levels_of(terms, feature_names, boundaries, by_boundary):
    """Levels of the index of a table of terms and thresholds, by their names.

    `boundaries` (n_boundaries,) are named by the classes on their two sides. With `by_boundary`
    the boundary of a term is a level of its own.
    """
    features, boundaries = list(feature_names[terms.feature]), list(boundaries)
    if not by_boundary:
        return {"term": features + boundaries}
    everywhere = ALL_BOUNDARIES if len(boundaries) > 1 else boundaries[0]
    at = [
        everywhere if common else boundaries[k]
        for k, common in zip(terms.boundary, terms.common, strict=True)
    ]
    return {"term": features + [THRESHOLD] * len(boundaries), "boundary": at + boundaries}
