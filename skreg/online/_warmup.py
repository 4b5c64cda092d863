"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np
from scipy import sparse

from skreg.online import (
    DriftAdaptiveEnsemble,
    OnlineSimplexAggregator,
    OptimisticOMDClassifier,
    OptimisticOMDRegressor,
)


def streams() -> None:
    """Learners with scaled and with whole vectors, and ensembles, of all kinds of rows."""
    rng = np.random.default_rng(0)
    dense, y = rng.normal(size=(20, 3)), rng.integers(0, 2, size=20)
    for dtype in (np.float64, np.float32):
        for X in (dense.astype(dtype), sparse.csr_array(dense.astype(dtype))):
            OptimisticOMDClassifier().fit(X, y)
            OptimisticOMDRegressor(geometry="newton").fit(X, y)
            DriftAdaptiveEnsemble().fit(X, y)
    OnlineSimplexAggregator().fit(dense, y)


FITS = (streams,)
