"""What is asked of time series before and after a fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length, validate_data

from skreg._warnings import warn
from skreg.causal._fit_warnings import in_words
from skreg.causal._unit_roots import CRITICAL, dickey_fuller
from skreg.causal._validation import check_columns
from skreg.moments import Moments


def checked_series(estimator: Any, X: ArrayLike, reset: bool) -> np.ndarray:
    """Rows as float64; raises a ValueError that says what to do about missing values."""
    values = validate_data(
        estimator,
        X,
        dtype=np.float64,
        reset=reset,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
    )
    rows = np.flatnonzero(np.isnan(values).any(axis=1))
    if len(rows):
        raise ValueError(
            f"Input X contains NaN, first in row {rows[0]}: lags need every row. Fill the gaps, or "
            "leave the rows out and give the parts between them as groups"
        )
    return values


def series_slices(X: np.ndarray, groups: ArrayLike | None, order: int, n_rows: int) -> list[slice]:
    """Where each series stands in X; raises if fewer than `n_rows` rows have all their lags."""
    if groups is None:
        parts = [slice(0, len(X))]
    else:
        labels = column_or_1d(groups)
        check_consistent_length(X, labels)
        # of what is missing, nan and others do not equal themselves
        missing = [label is None or (label == label) is not True for label in labels.tolist()]
        if any(missing):
            raise ValueError(f"groups has no label in row {missing.index(True)}")
        starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
        if len(set(labels[starts])) < len(starts):
            raise ValueError("groups must hold the rows of each series together, one after another")
        stops = [*starts[1:], len(X)]
        parts = [slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]
    complete = sum(max(part.stop - part.start - order, 0) for part in parts)
    if complete < n_rows:
        where = "" if groups is None else f" in {len(parts)} groups"
        raise ValueError(
            f"X has {len(X)} rows{where}, of which {complete} have all their lags at "
            f"order={order}; at least {n_rows} are needed"
        )
    return parts


def check_variables(data: Moments, d: int, names: Sequence[str]) -> None:
    """Raise a ValueError that names a variable without variation; its lags are as it is."""
    check_columns(Moments(data.weight, data.mean[:d], data.scatter[:d, :d]), names)


def warn_of_unstable(radius: float) -> None:
    """Warn if the fitted process does not stay in bounds."""
    if radius >= 1.0:
        warn(
            f"the fitted autoregression is not stable, spectral_radius_={radius:.3f} is not below "
            "1: forecasts and impulse responses grow without bound. Take differences or remove "
            "trends."
        )


def warn_of_unit_roots(
    X: np.ndarray, series: Sequence[slice], order: int, names: Sequence[str]
) -> None:
    """Warn of variables that the longest series cannot tell from random walks."""
    if order == 0:
        return
    longest = max(series, key=lambda part: part.stop - part.start)
    found = np.array([dickey_fuller(x, order - 1) for x in X[longest].T])
    walking = np.flatnonzero(found > CRITICAL)
    if len(walking):
        listed = in_words(walking, names, [f"{value:.2f}" for value in found[walking]])
        warn(
            f"{listed} cannot be told from a random walk, by Dickey-Fuller statistics above "
            f"{CRITICAL}. Edges between such series may be spurious: take differences, or use more "
            "rows."
        )
