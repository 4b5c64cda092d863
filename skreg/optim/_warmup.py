"""First runs that compile the kernels of block coordinate descent ahead, for `skreg warmup`.

What the solver behind the estimators needs is compiled by the families of the estimators.
"""

from typing import Any

import numpy as np
from scipy import sparse

from skreg.optim import L1, ElasticNet, GroupL2, NonNegative
from skreg.optim.descent import (
    BlockCoordinateDescent,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Multinomial,
)

_FEW: dict[str, Any] = {"max_iter": 5, "random_state": 0}


def _designs():
    X = np.random.default_rng(0).normal(size=(40, 8))
    return X, sparse.csr_array(np.where(X > 0.5, X, 0.0))


def smooth() -> None:
    """Problems without a penalty, by rules with and without the gradient."""
    y = np.where(np.arange(40) % 2 == 0, 1.0, -1.0)
    for X in _designs():
        for problem in (LeastSquares(X, y), Logistic(X, y), Multinomial(X, (y > 0).astype(int))):
            for selection in ("random", "gs", "gsd"):
                BlockCoordinateDescent(selection=selection, block_size=2, **_FEW).minimize(problem)
        for selection in ("gsq", "gsn"):
            BlockCoordinateDescent(selection=selection, **_FEW).minimize(LeastSquares(X, y))


def graphs() -> None:
    """Exact message passing on the trees of a graph."""
    A = sparse.diags_array(
        [np.full(7, -1.0), np.full(8, 3.0), np.full(7, -1.0)], offsets=[-1, 0, 1]
    )
    problem = GraphQuadratic(A.tocsr(), np.ones(8))
    for partition in ("auto", "tree", "red_black"):
        BlockCoordinateDescent(partition, **_FEW).minimize(problem)


def penalised() -> None:
    """Every penalty, by its default rule."""
    y, pairs = np.arange(40.0), np.arange(8) // 2
    for X in _designs():
        for penalty in (L1(0.1), ElasticNet(0.1), NonNegative(0.1), GroupL2(0.1, pairs)):
            BlockCoordinateDescent(**_FEW).minimize(LeastSquares(X, y, penalty))


FITS = smooth, graphs, penalised
