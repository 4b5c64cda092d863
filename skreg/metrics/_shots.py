"""Errors of a regression by how often such targets occur in training."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skreg._sklearn import Interval, validate_params


class ShotScore(NamedTuple):
    """Errors on the test samples of one region of the targets; NaN where there are none.

    Attributes
    ----------
    n_samples : int
        Number of test samples.
    mean_absolute_error : float
        Mean of the absolute errors.
    mean_squared_error : float
        Mean of the squared errors.
    geometric_mean : float
        Geometric mean of the absolute errors, each at least the floor.
    """

    n_samples: int
    mean_absolute_error: float
    mean_squared_error: float
    geometric_mean: float


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "y_train": ["array-like"],
        "many": [Interval(Real, 0, None, closed="left")],
        "few": [Interval(Real, 0, None, closed="left")],
        "bin_width": [Interval(Real, 0, None, closed="neither")],
        "floor": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def shot_scores(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_train: ArrayLike,
    *,
    many: float = 100,
    few: float = 20,
    bin_width: float = 1.0,
    floor: float = 1e-10,
) -> dict[str, ShotScore]:
    """Errors where training targets are frequent, rare, or in between.

    Training targets are counted in bins of width `bin_width`, centred at its multiples. Test
    samples belong to "many" if the bin of their target has more than `many` training samples, to
    "few" if it has fewer than `few`, and else to "median".

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Targets of the test samples.
    y_pred : array-like of shape (n_samples,)
        Predictions.
    y_train : array-like of shape (n_train,)
        Targets of the training samples.
    many : float, default=100
        Count above which a target is frequent.
    few : float, default=20
        Count below which it is rare.
    bin_width : float, default=1.0
        Width of a bin, in units of the targets.
    floor : float, default=1e-10
        Smallest absolute error in the geometric mean, which an exact hit would make zero.

    Returns
    -------
    dict of str to ShotScore
        Errors by region: ``"all"``, ``"many"``, ``"median"``, ``"few"``.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or `few` exceeds `many`.

    References
    ----------
    .. [1] Y. Yang, K. Zha, Y. Chen, H. Wang, D. Katabi, "Delving into Deep Imbalanced Regression",
       ICML 2021.

    Examples
    --------
    >>> from skreg.metrics import shot_scores
    >>> scores = shot_scores([1, 1, 7], [1.5, 0.5, 3.0], y_train=[1] * 200 + [7], many=100, few=20)
    >>> scores["many"].mean_absolute_error, scores["few"].mean_absolute_error
    (0.5, 4.0)
    """
    if few > many:
        raise ValueError(f"few must not exceed many, got {few} and {many}")
    true, predicted, train = (
        column_or_1d(check_array(y, ensure_2d=False, dtype=np.float64, input_name=name))
        for name, y in (("y_true", y_true), ("y_pred", y_pred), ("y_train", y_train))
    )
    check_consistent_length(true, predicted)
    bins, counts = np.unique(np.rint(train / bin_width), return_counts=True)
    wanted = np.rint(true / bin_width)
    place = np.minimum(np.searchsorted(bins, wanted), len(bins) - 1)
    shots = np.where(bins[place] == wanted, counts[place], 0)
    error = np.abs(true - predicted)
    regions = {
        "all": np.ones(len(error), dtype=bool),
        "many": shots > many,
        "median": (shots >= few) & (shots <= many),
        "few": shots < few,
    }
    return {name: _score(error[chosen], floor) for name, chosen in regions.items()}


def _score(error, floor):
    if not len(error):
        return ShotScore(0, np.nan, np.nan, np.nan)
    return ShotScore(
        len(error),
        float(error.mean()),
        float((error**2).mean()),
        float(np.exp(np.log(np.maximum(error, floor)).mean())),
    )
