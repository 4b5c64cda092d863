"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np
from scipy import sparse

from skreg.semi_supervised import GraphLabelPropagation

_N = 40


def _fit(**params):
    y = np.full(_N, -1)
    y[[0, -1]] = 0, 1
    # a path: every other sample is as far from both of its neighbours
    weights = sparse.diags_array([np.ones(_N - 1), np.ones(_N - 1)], offsets=[-1, 1])
    GraphLabelPropagation(affinity="precomputed", **params).fit(weights.tocsr(), y)


def elimination() -> None:
    """The default: a sparse graph, solved directly."""
    _fit()


def descent() -> None:
    """Block coordinate descent on forests, quadratic and Huber couplings."""
    _fit(solver="descent")
    _fit(coupling="huber")
    points = np.random.default_rng(0).normal(size=(200, 3))  # blocks that touch few rows
    y = np.where(np.arange(200) < 20, np.arange(200) % 2, -1)
    GraphLabelPropagation(coupling="huber", n_neighbors=15).fit(points, y)
    GraphLabelPropagation(coupling="huber", n_neighbors=3).fit(points, y)


FITS = elimination, descent
