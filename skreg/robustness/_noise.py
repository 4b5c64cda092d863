"""Gaussian noise that is a function of a seed, whatever the sizes of blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

TRAINING, SELECTION, ESTIMATION = range(3)  # draws for one never serve another


def seed_of(random_state: Any) -> int:
    """An integer as it is; one that is drawn from anything else."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def stream(seed: int, *key: int) -> np.random.Generator:
    """Generator that depends on the seed and the key only (Philox, a counter-based one)."""
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    return np.random.Generator(np.random.Philox(sequence))


def noise_blocks(
    rng: np.random.Generator, n: int, width: int, batch_size: int
) -> Iterator[np.ndarray]:
    """Standard normal draws in single precision, together n rows, the same for any batch."""
    for start in range(0, n, batch_size):
        yield rng.standard_normal((min(batch_size, n - start), width), dtype=np.float32)
