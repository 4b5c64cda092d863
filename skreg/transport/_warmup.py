"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np

from skreg.transport import sparse_transport

_N, _M = 24, 6


def plans() -> None:
    """All recoveries, for more sources than targets and the other way round, in both layouts."""
    rng = np.random.default_rng(0)
    a, b = np.full(_N, 1 / _N), np.full(_M, 1 / _M)
    for dtype in (np.float64, np.float32):
        for order in ("C", "F"):
            cost = np.asarray(rng.random((_N, _M)), dtype, order)
            sparse_transport(a, b, cost, max_nz=5, recovery="k_sparse")
            sparse_transport(b, a, cost.T, max_nz=2)


FITS = (plans,)
