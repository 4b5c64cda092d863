"""The regression problem of this folder: six nodes, nine edges, known to the last digit."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def regression_problem():
    W = np.zeros((6, 6))
    for i, j, w in [
        (0, 1, 1.5), (0, 2, -0.8), (1, 3, 0.7), (2, 3, 1.2), (3, 4, -1.0), (1, 5, 0.9), (4, 5, 0.6),
    ]:  # fmt: skip
        W[i, j] = w
    sd = np.array([1, 0.7, 1.3, 0.9, 1.1, 0.8])
    Z = np.random.default_rng(0).standard_normal((500, 6)) * sd
    X = (Z @ np.linalg.inv(np.eye(6) - W))[:, [3, 0, 5, 1, 4, 2]]
    assert X.sum() == pytest.approx(-91.186116, abs=1e-6)
    assert (X**2).sum() == pytest.approx(9250.508091, abs=1e-6)
    return X
