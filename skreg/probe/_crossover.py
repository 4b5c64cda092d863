"""Where two error curves cross, and how many labels an error target needs."""

from numbers import Integral, Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params

# Mean differences of error rates below this are rounding, that is, ties.
_TIE = 1e-12


class Crossover(NamedTuple):
    """Size from which the second of two estimators is at least as good.

    Parameters
    ----------
    size : float
        Number of training samples; infinity if the first is still ahead at the largest size, the
        smallest size if it is ahead nowhere.
    confidence_interval : tuple of (float, float)
        Bootstrap interval of the size, with the same conventions at both ends; (nan, nan) if there
        is a single repeat.
    censored : {None, "left", "right"}
        "right" if the crossover, if any, lies beyond the largest size, "left" if it lies at or
        before the smallest one.
    """

    size: float
    confidence_interval: tuple[float, float]
    censored: Literal["left", "right"] | None


@validate_params(
    {
        "sizes": ["array-like"],
        "err_a": ["array-like"],
        "err_b": ["array-like"],
        "n_bootstrap": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def crossover_size(
    sizes: ArrayLike,
    err_a: ArrayLike,
    err_b: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> Crossover:
    r"""Training size at which estimator b overtakes estimator a for good.

    With :math:`\Delta_s` the mean over repeats of ``err_b - err_a`` at the s-th size
    :math:`m_s`, a is ahead where :math:`\Delta_s > 0`. Let s be the last size at which it is. The
    crossover follows by interpolation that is linear in :math:`\ln m`,

    .. math::
        \ln m^* = \ln m_s + \frac{\Delta_s}{\Delta_s - \Delta_{s+1}} (\ln m_{s+1} - \ln m_s).

    A tie counts as "b is at least as good". Earlier changes of the lead are ignored.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of training samples, positive and strictly increasing.
    err_a, err_b : array-like of shape (n_repeats, n_sizes) or (n_sizes,)
        Test errors of both estimators. Repeats are paired: the same row of both belongs to the
        same training subsets and test points.
    n_bootstrap : int, default=1000
        Number of bootstrap samples; repeats are drawn with replacement, in pairs.
    confidence_level : float, default=0.95
        Level of the percentile interval, rounded outward to bootstrap values.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    Crossover
        Named tuple of ``size``, ``confidence_interval`` and ``censored``.

    Raises
    ------
    ValueError
        If the shapes do not fit, sizes are not positive and increasing, or an error is not finite.

    Notes
    -----
    The interval speaks of the variation between training subsets. The test points are shared by
    all repeats, so it says nothing about another test set, and with few repeats it is too narrow.

    References
    ----------
    .. [1] A. Y. Ng, M. I. Jordan, "On Discriminative vs. Generative Classifiers: A Comparison of
       Logistic Regression and Naive Bayes", NIPS 2001 (the two regimes).

    Examples
    --------
    >>> from skreg.probe import crossover_size
    >>> naive_bayes, logistic = [0.2, 0.1, 0.1], [0.3, 0.12, 0.08]
    >>> crossing = crossover_size([10, 100, 1000], naive_bayes, logistic)
    >>> round(crossing.size, 1), crossing.censored
    (316.2, None)
    >>> crossover_size([10, 100], [0.2, 0.1], [0.3, 0.2]).size
    inf
    """
    m = check_sizes(sizes)
    a, b = check_errors(err_a, m, "err_a"), check_errors(err_b, m, "err_b")
    if a.shape != b.shape:
        raise ValueError(f"err_a and err_b must be paired; got {len(a)} and {len(b)} repeats")
    difference = b - a
    n_repeats = len(difference)
    point = _interpolated_crossovers(m, difference.mean(axis=0)[None])[0]
    interval = (np.nan, np.nan)
    if n_repeats > 1:
        rng = check_random_state(random_state)
        times_drawn = rng.multinomial(n_repeats, np.full(n_repeats, 1 / n_repeats), n_bootstrap)
        replicates = _interpolated_crossovers(m, times_drawn @ difference / n_repeats)
        tail = (1 - confidence_level) / 2
        interval = (
            float(np.quantile(replicates, tail, method="lower")),
            float(np.quantile(replicates, 1 - tail, method="higher")),
        )
    censored: Literal["left", "right"] | None = "right" if point == np.inf else None
    if not (difference.mean(axis=0) > _TIE).any():
        censored = "left"
    return Crossover(float(point), interval, censored)


def _interpolated_crossovers(sizes, delta):
    """Crossover of each row of mean differences `delta` (n_curves, n_sizes)."""
    delta = np.where(np.abs(delta) <= _TIE, 0.0, delta)
    ahead = delta > 0
    last = len(sizes) - 1 - np.argmax(ahead[:, ::-1], axis=1)
    following = np.minimum(last + 1, len(sizes) - 1)
    rows = np.arange(len(delta))
    here, there = delta[rows, last], delta[rows, following]
    log_size = np.log(sizes)
    share = np.divide(here, here - there, out=np.zeros_like(here), where=here > there)
    crossing = np.exp(log_size[last] + share * (log_size[following] - log_size[last]))
    crossing = np.where(ahead[:, -1], np.inf, crossing)
    return np.where(ahead.any(axis=1), crossing, sizes[0])


@validate_params(
    {
        "sizes": ["array-like"],
        "err": ["array-like"],
        "target": [Interval(Real, None, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def sample_complexity(sizes: ArrayLike, err: ArrayLike, target: float) -> float:
    """Smallest training size whose mean error is below a target.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of training samples, positive and strictly increasing.
    err : array-like of shape (n_repeats, n_sizes) or (n_sizes,)
        Test errors.
    target : float
        Error to fall below, for instance the Bayes error plus 0.01.

    Returns
    -------
    float
        The first such size; infinity if there is none.

    Raises
    ------
    ValueError
        If the shapes do not fit, sizes are not positive and increasing, or an error is not finite.

    Examples
    --------
    >>> from skreg.probe import sample_complexity
    >>> sample_complexity([10, 20, 40], [[0.3, 0.2, 0.1], [0.3, 0.1, 0.1]], target=0.16)
    20.0
    """
    m = check_sizes(sizes)
    reached = check_errors(err, m, "err").mean(axis=0) < target
    return float(m[np.argmax(reached)]) if reached.any() else np.inf


def check_sizes(sizes, name="sizes"):
    """Sizes as a float array; ValueError unless they are positive and strictly increasing."""
    sizes = np.asarray(sizes, dtype=np.float64)
    valid = sizes.ndim == 1 and sizes.size > 0 and np.isfinite(sizes).all()
    if not (valid and sizes[0] > 0 and (np.diff(sizes) > 0).all()):
        raise ValueError(
            f"{name} must be a non-empty list of positive, strictly increasing numbers; got {sizes}"
        )
    return sizes


def check_errors(errors, sizes, name):
    """Errors as a float array of shape (n_repeats, n_sizes); ValueError if they do not fit."""
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    if table.ndim != 2 or len(table) == 0 or table.shape[1] != len(sizes):
        raise ValueError(
            f"{name} must have shape (n_repeats, {len(sizes)}) or ({len(sizes)},), "
            f"one column per size; got {np.shape(errors)}"
        )
    if not np.isfinite(table).all():
        repeat, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"{name} must be finite; got {table[repeat, column]} in repeat {repeat} "
            f"at size {sizes[column]:g}"
        )
    return table
