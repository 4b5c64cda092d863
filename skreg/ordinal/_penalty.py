"""The penalty on the flattened increments: block b of the penalty is entry b."""

import numpy as np

from skreg._jit import kernel
from skreg.optim.penalties import ElasticNet, block_conjugate, block_gauge, block_value


def elastic_net(alpha, l1_ratio, weights):
    """Penalty on the flattened increments; `weights` (n_boundaries, 1 + n_features)."""
    return ElasticNet(float(alpha), float(l1_ratio), np.ascontiguousarray(weights).reshape(-1))


@kernel
def penalty_value(penalty, theta):
    """Penalty of the flattened increments; block b of the penalty is entry b."""
    total = 0.0
    for b in range(theta.shape[0]):
        if theta[b] != 0.0:
            total += block_value(penalty, b, theta[b : b + 1])
    return total


def penalty_at(penalty, theta):
    """Penalty of theta (n_boundaries, 1 + n_features)."""
    return penalty_value(penalty, theta.reshape(-1))


@kernel
def gauge_of(penalty, q):
    """Smallest c >= 0 with q in c times the subdifferential at 0, over entries with a kink."""
    largest = 0.0
    for b in range(q.shape[0]):
        largest = max(largest, block_gauge(penalty, b, q[b : b + 1]))
    return largest


@kernel
def penalty_conjugate(penalty, q):
    """Conjugate of the penalty at q."""
    total = 0.0
    for b in range(q.shape[0]):
        total += block_conjugate(penalty, b, q[b : b + 1])
    return total
