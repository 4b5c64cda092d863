"""The small example that the oracles of these tests share."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit


class Example(NamedTuple):
    X: np.ndarray
    y: np.ndarray


def draw_example():
    """100 rows, 5 features, 4 classes."""
    rng = np.random.default_rng(0)
    X, u = rng.standard_normal((100, 5)), rng.uniform(size=100)
    beta = np.array([(1, -1, 0.5, 0, 0), (1, -1, 0.5, 0, 0), (1, -1, 0, 0, 0)])
    below = expit(np.array([-0.5, 1, 2.5]) + X @ beta.T)
    return Example(X, (u[:, None] > below).sum(axis=1))


@pytest.fixture(scope="session")
def example():
    example = draw_example()
    assert example.X.sum() == pytest.approx(-13.44494925900956)
    assert np.bincount(example.y).tolist() == [47, 28, 18, 7]
    return example
