"""How well predicted regions of images cover the true ones."""

from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from skreg._sklearn import StrOptions, validate_params

BLOCK = 2**24  # pixels that are counted at a time


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "labels": ["array-like", None],
        "ignore_index": [Real, None],
        "average": [StrOptions({"macro", "micro"}), None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def intersection_over_union_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ignore_index: float | None = None,
    average: Literal["macro", "micro"] | None = "macro",
    sample_weight: ArrayLike | None = None,
) -> Any:
    """Intersection over union of the regions of each class, counted over all images.

    Parameters
    ----------
    y_true : array-like of shape (n, ...)
        True classes of the pixels or positions.
    y_pred : array-like of shape (n, ...)
        Predicted classes.
    labels : array-like of shape (n_classes,), default=None
        Classes to look at, in this order. By default all that are there, sorted.
    ignore_index : int, default=None
        Value in `y_true` that marks pixels which are left out.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the classes that are there, in truth or prediction (the "mean IoU"); the ratio of
        the sums over classes; or None for a number for each class.
    sample_weight : array-like of shape (n,), default=None
        Weights of the images.

    Returns
    -------
    float or ndarray of shape (n_classes,)
        The score; nan for a class that is neither in truth nor in prediction.

    Raises
    ------
    ValueError
        If shapes differ, or no pixel is left.

    See Also
    --------
    sklearn.metrics.jaccard_score : The same of flat arrays, without pixels to ignore.

    Examples
    --------
    >>> from skreg.metrics import intersection_over_union_score
    >>> truth, predicted = [[0, 1, 1, 255]], [[0, 0, 1, 1]]
    >>> intersection_over_union_score(truth, predicted, ignore_index=255)
    0.5
    """
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    check_consistent_length(truth, predicted)
    if truth.shape != predicted.shape or not truth.ndim:
        raise ValueError(
            f"y_true and y_pred must have one shape, got {truth.shape} and {predicted.shape}"
        )
    weight = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, float)
    if weight.shape != (len(truth),) or not np.isfinite(weight).all() or weight.min() < 0:
        raise ValueError(
            f"sample_weight must be {len(truth)} finite numbers that are not negative, one for "
            f"each image, got shape {weight.shape}"
        )
    valid = np.ones(truth.shape, dtype=bool) if ignore_index is None else truth != ignore_index
    present = np.union1d(truth[valid], predicted[valid])
    if not len(present):
        raise ValueError("no pixel is left to look at: y_true is empty, or ignore_index throughout")
    both, either = _counts(truth, predicted, valid, weight, present)
    wanted = present if labels is None else np.asarray(labels)
    place = np.searchsorted(present, wanted).clip(max=len(present) - 1)
    there = present[place] == wanted
    both, either = np.where(there, both[place], 0.0), np.where(there, either[place], 0.0)
    if average == "micro":
        return float(both.sum() / either.sum()) if either.sum() else float("nan")
    scores = np.divide(both, either, out=np.full(len(wanted), np.nan), where=either > 0)
    if average is None:
        return scores
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def _counts(truth, predicted, valid, weight, labels):
    """Weighted pixels of each class in the intersection and in the union."""
    both, true, found = (np.zeros(len(labels)) for _ in range(3))
    step = max(1, BLOCK // max(1, truth[0].size))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        inside = valid[rows]
        pixels = np.broadcast_to(weight[rows].reshape(-1, *[1] * (truth.ndim - 1)), inside.shape)[
            inside
        ]
        first = np.searchsorted(labels, truth[rows][inside])
        second = np.searchsorted(labels, predicted[rows][inside])
        true += np.bincount(first, pixels, len(labels))
        found += np.bincount(second, pixels, len(labels))
        agree = first == second
        both += np.bincount(first[agree], pixels[agree], len(labels))
    return both, true + found - both
