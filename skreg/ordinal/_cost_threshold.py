"""The threshold on the probability of an event at which acting costs least, out of fold."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skreg._sklearn import Interval, validate_params
from skreg.ordinal._out_of_fold import event_position, ordered_out_of_fold


class CostThreshold(NamedTuple):
    """Result of `cost_threshold`; all costs are means over the rows.

    Attributes
    ----------
    threshold : float
        Act where the probability of the event is at least this: the smallest cost out of fold.
        Infinite if it is best never to act.
    cost : float
        What the rule costs, with the threshold for each fold chosen on the other folds.
    apparent_cost : float
        What `threshold` costs on the rows that chose it: too good on average.
    bayes_threshold : float
        ``alarm_cost / (alarm_cost + miss_cost)``, the best threshold of calibrated probabilities.
    bayes_cost : float
        What that costs out of fold. Nothing was chosen, so that it is fair.
    cost_of_never : float
        What it costs never to act.
    cost_of_always : float
        What it costs always to act.
    thresholds : ndarray of shape (n_thresholds,)
        Thresholds between which the decisions change, increasing, from 0 to infinity.
    costs : ndarray of shape (n_thresholds,)
        Their costs.
    """

    threshold: float
    cost: float
    apparent_cost: float
    bayes_threshold: float
    bayes_cost: float
    cost_of_never: float
    cost_of_always: float
    thresholds: np.ndarray
    costs: np.ndarray

    def __repr__(self) -> str:
        return (
            f"CostThreshold({self.threshold:.3g}: cost {self.cost:.3g}; the threshold of "
            f"calibrated probabilities {self.bayes_threshold:.3g}: {self.bayes_cost:.3g}; never to "
            f"act: {self.cost_of_never:.3g}; always: {self.cost_of_always:.3g})"
        )


@validate_params(
    {
        "miss_cost": [Interval(Real, 0, None, closed="neither")],
        "alarm_cost": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def cost_threshold(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    miss_cost: float,
    alarm_cost: float = 1.0,
    label: Any = None,
    class_order: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    cv: Any = None,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    params: dict[str, Any] | None = None,
) -> CostThreshold:
    """Find the probability from which on it pays to act, by costs out of fold.

    The event is that a class or one after it occurs. An event without action costs `miss_cost`, an
    action without event `alarm_cost`. Calibrated probabilities need no search: acting from
    ``alarm_cost / (alarm_cost + miss_cost)`` on is then best. Where the threshold that is found
    lies far from that, and costs less, look at the calibration first.

    Parameters
    ----------
    estimator : classifier
        Classifier with `predict_proba`, fitted or not, as in `out_of_fold_proba`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels: numbers, strings, or an ordered categorical.
    miss_cost : float
        Cost of an event where nothing was done.
    alarm_cost : float, default=1.0
        Cost of an action where no event came.
    label : label, default=None
        First class of the event, which is this class or any after it; the last class if None.
    class_order : array-like of shape (n_levels,), default=None
        As in `out_of_fold_proba`.
    offset : array-like of shape (n_samples,), default=None
        As in `out_of_fold_proba`.
    cv : int, cross-validation generator or iterable, default=None
        Two folds or more, as in `out_of_fold_proba`.
    groups : array-like of shape (n_samples,), default=None
        As in `out_of_fold_proba`.
    n_jobs : int, default=None
        As in `out_of_fold_proba`.
    params : dict, default=None
        As in `out_of_fold_proba`. Costs count each row once.

    Returns
    -------
    CostThreshold
        The threshold, and what it costs beside others.

    Raises
    ------
    ValueError
        If `label` is the first class or none, and as `out_of_fold_proba`.

    See Also
    --------
    RareReliabilityDisplay : Whether probabilities are calibrated.
    sklearn.model_selection.TunedThresholdClassifierCV : Two unordered classes.

    References
    ----------
    .. [1] C. Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier, cost_threshold
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> found = cost_threshold(ProportionalOddsClassifier(), X, y, miss_cost=9.0)
    >>> found.bayes_threshold
    0.1
    >>> found.bayes_cost < found.cost_of_never < found.cost_of_always
    True
    """
    labels, proba, fold = ordered_out_of_fold(
        estimator, X, y, class_order, offset=offset, cv=cv, groups=groups, n_jobs=n_jobs,
        params=params,
    )  # fmt: skip
    if fold.max() == 0:
        raise ValueError("cv has one fold; the threshold of a fold is chosen on the others")
    first = event_position(label, labels)
    if first == 0:
        raise ValueError(
            f"label={label!r} is the first class, at or after which every row lies: no event"
        )
    event, probability = labels.codes >= first, proba[:, first:].sum(axis=1)
    costs = {"miss_cost": miss_cost, "alarm_cost": alarm_cost}
    thresholds, curve = cost_curve(event, probability, **costs)
    bayes = alarm_cost / (alarm_cost + miss_cost)
    return CostThreshold(
        threshold=best_threshold(thresholds, curve),
        cost=_cost_of_others_choice(event, probability, fold, costs),
        apparent_cost=float(curve.min()),
        bayes_threshold=bayes,
        bayes_cost=float(np.mean(losses(event, probability >= bayes, **costs))),
        cost_of_never=float(curve[-1]),
        cost_of_always=float(curve[0]),
        thresholds=thresholds,
        costs=curve,
    )


def losses(event, act, miss_cost, alarm_cost):
    """What each decision costs."""
    return np.where(act, alarm_cost * ~event, miss_cost * event)


def cost_curve(event, probability, miss_cost, alarm_cost):
    """(thresholds, mean costs): 0, the midpoints of distinct probabilities, and infinity.

    Between two neighbours of the thresholds no decision changes.
    """
    distinct, position = np.unique(probability, return_inverse=True)
    thresholds = np.concatenate([[0.0], 0.5 * (distinct[1:] + distinct[:-1]), [np.inf]])
    missed = np.append(0, np.cumsum(np.bincount(position, weights=event)))
    spared = np.append(0, np.cumsum(np.bincount(position, weights=~event)))
    return thresholds, (miss_cost * missed + alarm_cost * (spared[-1] - spared)) / len(event)


def best_threshold(thresholds, costs):
    """Threshold of the smallest cost; the largest of several, as it acts least."""
    smallest = np.flatnonzero(costs <= costs.min() * (1.0 + 1e-12))
    return float(thresholds[smallest[-1]])


def _cost_of_others_choice(event, probability, fold, costs):
    """Mean cost with the threshold of each fold from the rows of the others."""
    act = np.empty(len(event), dtype=bool)
    for number in range(fold.max() + 1):
        here = fold == number
        chosen = best_threshold(*cost_curve(event[~here], probability[~here], **costs))
        act[here] = probability[here] >= chosen
    return float(np.mean(losses(event, act, **costs)))
