"""Means over seeds with their intervals, and what may be said of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over seeds with its 95% t interval."""

    mean: float
    low: float
    high: float

    def side_of(self, value: float) -> int:
        """-1 if the whole interval lies below a value, 1 if above, 0 if it covers the value."""
        return int(self.low > value) - int(self.high < value)

    def text(self, digits: int = 2) -> str:
        """Mean and ends, as ``0.59 [0.50, 0.70]``."""
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mean_over_seeds(values: ArrayLike) -> Interval:
    """Mean of one value for each seed; without ends (nan) where there is a single seed."""
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, np.nan, np.nan)
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    half = float(quantile * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def mean_ratio(ours: ArrayLike, theirs: ArrayLike) -> Interval:
    """Geometric mean of paired ratios of positive numbers, its interval from their logarithms."""
    logs = np.log(np.asarray(ours, dtype=np.float64) / np.asarray(theirs, dtype=np.float64))
    return Interval(*(float(np.exp(value)) for value in mean_over_seeds(logs)))


def in_words(seconds: float) -> str:
    """A time in the unit that a reader would take."""
    for unit, size in (("hours", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1.0 else f"{1000 * seconds:.0f} ms"
