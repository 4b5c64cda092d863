"""Columns that wait until their gradient says that they count."""

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import block_gauge, block_threshold


def select_columns(penalty, theta, q, share):
    """Columns that take part in the next step.

    Those with a nonzero or unpenalised increment, and those whose gradient comes within `share`
    of its threshold: 1 takes the violators alone, a smaller share those that the sequential strong
    rule keeps (Tibshirani et al. 2012).
    """
    keep = np.zeros(theta.shape, dtype=np.bool_)
    _select_entries(penalty, theta.reshape(-1), q.reshape(-1), share, keep.reshape(-1))
    return np.flatnonzero(keep.any(axis=0))


@kernel
def _select_entries(penalty, theta, q, share, keep):
    for b in range(theta.shape[0]):
        if not np.isinf(penalty.weights[b]):
            keep[b] = (
                theta[b] != 0.0
                or block_threshold(penalty, b) == 0.0
                or block_gauge(penalty, b, q[b : b + 1]) >= share
            )
