"""Calibration error of the probabilities of one event."""

from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d

from skreg._sklearn import Interval, StrOptions, validate_params


@validate_params(
    {
        "y_true": ["array-like"],
        "y_prob": ["array-like"],
        "n_bins": [Interval(Integral, 1, None, closed="left"), None],
        "strategy": [StrOptions({"quantile", "uniform"})],
        "norm": [StrOptions({"l1", "l2", "max"})],
    },
    prefer_skip_nested_validation=True,
)
def calibration_error(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    n_bins: int | None = None,
    strategy: Literal["quantile", "uniform"] = "quantile",
    norm: Literal["l1", "l2", "max"] = "l2",
) -> float:
    """Distance of predicted probabilities from the event rates of their bins.

    Samples are binned by their predicted probability. The error of a sample is the difference
    between its prediction and the share of events in its bin.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Whether the event happened: booleans, or 0 and 1.
    y_prob : array-like of shape (n_samples,)
        Predicted probabilities of the event.
    n_bins : int, default=None
        Number of bins; ``max(round(n_samples / 100), 10)`` if None, as in the paper.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins with equal numbers of samples, or of equal width between 0 and 1. Samples with equal
        predictions may fall into neighbouring quantile bins.
    norm : {"l1", "l2", "max"}, default="l2"
        Mean of the absolute errors, mean of the squared errors, or largest difference between the
        mean prediction and the event rate of a bin.

    Returns
    -------
    float
        The calibration error.

    Raises
    ------
    ValueError
        If `y_true` is not binary or `y_prob` leaves [0, 1].

    References
    ----------
    .. [1] G. Faletto, J. Bien, "Predicting Rare Events by Shrinking Towards Proportional Odds",
       ICML 2023, section on real data.

    Examples
    --------
    >>> from skreg.ordinal import calibration_error
    >>> calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_bins=1)
    0.0
    """
    event, probability = check_event(y_true, y_prob)
    order, start = bin_samples(probability, n_bins, strategy)
    event, probability = event[order], probability[order]
    size = np.diff(np.append(start, len(order)))
    rate = np.add.reduceat(event, start) / size
    if norm == "max":
        return float(np.abs(np.add.reduceat(probability, start) / size - rate).max())
    error = np.abs(probability - np.repeat(rate, size))
    return float(np.mean(error if norm == "l1" else error**2))


def check_event(y_true, y_prob):
    """Events as 0.0 and 1.0, and probabilities, both of shape (n_samples,)."""
    event, probability = column_or_1d(y_true), column_or_1d(y_prob).astype(np.float64)
    check_consistent_length(event, probability)
    if len(event) == 0:
        raise ValueError("y_true and y_prob have no samples; at least one is needed")
    if not np.isin(event, [0, 1]).all():
        raise ValueError(f"y_true must hold 0 and 1 only, got {np.unique(event)[:5].tolist()}")
    if not np.all((probability >= 0.0) & (probability <= 1.0)):
        raise ValueError(
            "y_prob must lie in [0, 1], got values from "
            f"{probability.min():.6g} to {probability.max():.6g}"
        )
    return event.astype(np.float64), probability


def bin_samples(probability, n_bins, strategy):
    """Samples in the order of their probability, and where each nonempty bin starts in it."""
    n = len(probability)
    n_bins = max(round(n / 100), 10) if n_bins is None else n_bins
    order = np.argsort(probability, kind="stable")
    if strategy == "quantile":
        start = np.arange(n_bins) * n // n_bins
    else:
        start = np.searchsorted(probability[order], np.arange(n_bins) / n_bins)
    return order, np.unique(start[start < n])
