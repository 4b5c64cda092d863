"""How much more a fit on a coreset costs than the best one on all rows, bounded from above.

For a subset S drawn with unbiased weights, F_S(w) = sum_{i in S} omega_i / q_i f_i(w) has the mean
F(w), the cost of w on all rows, so that

    E min_w F_S(w) <= min_w F(w)        and        E [F_S(v) - min_w F_S(w)] >= F(v) - min_w F(w)

for every v that was found without S (Mak, Morton and Wood 1999, equations 2 to 4). The differences
of a few independent subsets of the same size have a mean whose upper confidence limit bounds the
excess of v, whatever the loss. Of quadratic losses it is about twice the excess.

A t interval knows of the rows that were drawn only. A row that decides F, and that none of the
subsets holds, shows in F(v): this is known, and is the mean of the F_S(v) too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import stdtrit
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import column_or_1d

from skreg._sklearn import _safe_indexing
from skreg.coreset._target import checked_target

LEVEL = 0.95
LEVEL_OF_MISSING = 0.999  # of the interval beyond which rows are taken to be missing
ROUNDING = 1e-9
NEVER = 1e-9  # of the mean probability
MARGIN, GROWTH = 1.2, (1.5, 4.0)
LEAST_PROBABILITY = np.finfo(np.float64).eps  # of a label, as scikit-learn's log_loss has it

Loss = Callable[[Any, Any, Any], Any]


def loss_of(estimator: Any, p: float) -> Loss:
    """Cost of each row that an estimator is taken to minimise.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator.
    p : float
        Power of residuals.

    Returns
    -------
    callable
        Costs, shape (n,), from a fitted estimator, X and y.

    Raises
    ------
    ValueError
        If it is not known what the estimator minimises.
    """
    if is_classifier(estimator) and hasattr(estimator, "predict_proba"):
        return log_loss
    if is_regressor(estimator):
        return lambda model, X, y: power_loss(model, X, y, p)
    if hasattr(estimator, "cluster_centers_") and hasattr(estimator, "transform"):
        return squared_distance
    raise ValueError(
        f"loss='auto' does not know what {type(estimator).__name__} minimises: give a function "
        "that takes the fitted estimator, X and y and returns the cost of each row"
    )


def log_loss(model: Any, X: Any, y: Any) -> np.ndarray:
    """Minus the logarithm of the probability of each label."""
    y, order = column_or_1d(y), np.argsort(model.classes_)
    place = np.searchsorted(model.classes_, y, sorter=order)
    position = order[np.minimum(place, len(order) - 1)]
    proba = model.predict_proba(X)[np.arange(len(position)), position]
    proba = np.where(model.classes_[position] == y, proba, 0.0)  # 0 of labels that it never saw
    return -np.log(np.maximum(proba, LEAST_PROBABILITY))


def power_loss(model: Any, X: Any, y: Any, p: float) -> np.ndarray:
    """The p-th power of each residual, summed over targets."""
    target, fitted = checked_target(y), np.asarray(model.predict(X))
    n = len(target)
    with np.errstate(over="ignore"):
        return (np.abs(target.reshape(n, -1) - fitted.reshape(n, -1)) ** p).sum(axis=1)


def squared_distance(model: Any, X: Any, y: Any) -> np.ndarray:  # noqa: ARG001
    """Squared distance of each row to the nearest centre."""
    return np.min(model.transform(X), axis=1) ** 2


def costs(loss: Loss, model: Any, X: Any, y: Any, weight: np.ndarray) -> float:
    """Sum of the costs of rows times their weights; rows without weight are not looked at.

    Parameters
    ----------
    loss : callable
        Costs of rows.
    model : estimator
        A fitted estimator.
    X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
        Rows.
    y : array-like of shape (n,) or (n, n_targets), or None
        Their target.
    weight : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    float
        The sum.

    Raises
    ------
    ValueError
        If the loss does not return one finite number for each row.
    """
    if not weight.all():
        rows = np.flatnonzero(weight)
        X, weight = _safe_indexing(X, rows), weight[rows]
        y = None if y is None else _safe_indexing(y, rows)
    values = np.asarray(loss(model, X, y), dtype=np.float64)
    if values.shape != weight.shape:
        raise ValueError(
            f"loss must return one finite cost for each of the {len(weight)} rows, got an array of "
            f"shape {values.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(values @ weight)
    if not np.isfinite(total):
        raise ValueError(
            "loss must return finite costs with a finite sum; "
            f"{np.count_nonzero(~np.isfinite(values))} of {len(weight)} are not, and the sum is "
            f"{total}"
        )
    return total


def require_all_may_be_drawn(q: np.ndarray) -> None:
    """Raise if some rows are next to never drawn, so that no subset tells what they cost.

    Parameters
    ----------
    q : ndarray of shape (n,)
        Probabilities that rows are drawn.

    Raises
    ------
    ValueError
        If one is zero, or what rounding left of a score of zero.
    """
    if q.min() <= NEVER * q.mean():
        raise ValueError(
            "an excess is certified only where every row may be drawn, but the score of some is "
            "zero, or next to it, and the sampler has no floor: give it a floor > 0"
        )


def excess_limit(costs_of_fit: np.ndarray, least_costs: np.ndarray, cost: float) -> float:
    """Upper confidence limit of the excess of a fit, at 95 %.

    Parameters
    ----------
    costs_of_fit, least_costs : ndarray of shape (n_checks,)
        F_S(v) and min_w F_S(w) on further subsets.
    cost : float
        F(v) on all rows.

    Returns
    -------
    float
        That of the mean difference; infinite if `cost` is beyond what the subsets say of it, as
        they lack rows that decide it.
    """
    if cost > upper_limit(costs_of_fit, LEVEL_OF_MISSING) * (1.0 + ROUNDING):
        return np.inf
    return upper_limit(costs_of_fit - least_costs)


def upper_limit(values: np.ndarray, level: float = LEVEL) -> float:
    """Upper confidence limit of a mean.

    Parameters
    ----------
    values : ndarray of shape (n_checks,)
        Independent numbers of this mean, with n_checks > 1.
    level : float, default=0.95
        The confidence.

    Returns
    -------
    float
        Mean plus Student's quantile times the standard error, at least zero.
    """
    k, unit = len(values), np.abs(values).max() or 1.0  # squares of values may overflow
    margin = stdtrit(k - 1, level) * (values / unit).std(ddof=1) / np.sqrt(k)
    return max(float(unit * ((values / unit).mean() + margin)), 0.0)


def share_above_least(gap: float, cost: float) -> float:
    """Share by which a cost is above the least one, if it is at most `gap` above.

    Parameters
    ----------
    gap : float
        Bound of the difference.
    cost : float
        The cost.

    Returns
    -------
    float
        gap / (cost - gap), inf if nothing is known of the least cost.

    Raises
    ------
    ValueError
        If the cost is negative, so that shares of it mean nothing.
    """
    if cost < 0.0:
        raise ValueError(
            f"the cost on all rows is {cost:g}: a share of it means something only if it is "
            "positive. Give a loss of positive costs, for instance one less its least value"
        )
    if gap == 0.0:
        return 0.0
    return gap / (cost - gap) if gap < cost else np.inf


def next_size(n_samples: int, reached: float, wanted: float) -> int:
    """Number of rows to try next, as the excess falls with its inverse.

    Parameters
    ----------
    n_samples : int
        Number of rows tried.
    reached, wanted : float
        Their excess, and the one that is wanted.

    Returns
    -------
    int
        From 1.5 to 4 times as many.
    """
    factor = MARGIN * reached / wanted if wanted > 0.0 else np.inf
    return int(np.ceil(n_samples * np.clip(factor, *GROWTH)))
