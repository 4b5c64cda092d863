"""Random numbers from whatever stands for a seed."""

from typing import Any

import numpy as np


def generator(random_state: Any) -> np.random.Generator:
    """Generator of a seed, a RandomState or a Generator; a RandomState moves on by one draw."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    return np.random.default_rng(random_state)
