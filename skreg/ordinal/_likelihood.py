"""The cumulative-link likelihood, in the symbols of Faletto and Bien (2023).

Classes are 0 .. K-1, boundaries 0 .. K-2. Boundary k has the linear predictor

    eta_k(x) = alpha_k + x^T beta_k,     F_k(x) = P(Y <= k | x) = G(eta_k(x)),

with a link G (`skreg.ordinal._link`), the logistic one in the paper. A row of class c only sees its
upper boundary a = eta_c and its lower boundary b = eta_{c-1}. With a = +inf for the last class and
b = -inf for the first, all have the probability

    pi_c = G(a) - G(b).

The loss -log pi_c is jointly convex in (a, b) and infinite unless a > b.
"""

from functools import singledispatch

import numpy as np
from scipy.special import ndtri

from skreg._jit import kernel
from skreg.ordinal import _cloglog, _logit, _probit  # noqa: F401 (the bodies of the links)
from skreg.ordinal._link import (
    Cloglog,
    Logit,
    Loglog,
    Probit,
    log_below,
    reflected,
    row_loss,
)

_LOG_2 = np.log(2.0)


@kernel
def mean_loss(link, a, b, weight, start):
    """sum_i w_i L(a_i, b_i) over rows sorted by class; infinite as soon as one row's boundaries
    cross.

    The first and the last class have one boundary.
    """
    n_classes = start.shape[0] - 1
    total = 0.0
    for i in range(start[0], start[1]):
        total -= weight[i] * log_below(link, a[i])
    for i in range(start[1], start[n_classes - 1]):
        total += weight[i] * row_loss(link, a[i], b[i])
    for i in range(start[n_classes - 1], start[n_classes]):
        total -= weight[i] * log_below(reflected(link), -b[i])
    return total


@singledispatch
def log_cumulative(link, eta):
    """log G of each entry of an array.

    Parameters
    ----------
    link : Logit, Probit, Cloglog or Loglog
        The link.
    eta : ndarray
        Finite numbers.

    Returns
    -------
    ndarray
        Of the shape of `eta`.
    """
    out = np.empty(eta.size)
    _fill_log_cumulative(link, eta.reshape(-1), out)
    return out.reshape(eta.shape)


@log_cumulative.register(Logit)
def _(link, eta):
    return -np.logaddexp(0.0, -eta)


@kernel
def _fill_log_cumulative(link, eta, out):
    for i in range(eta.shape[0]):
        out[i] = log_below(link, eta[i])


def log_complement(link, eta):
    """log(1 - G) of each entry of an array."""
    return log_cumulative(reflected(link), -eta)


@singledispatch
def log_class_probabilities(link, eta):
    """log pi of all classes, shape (n_samples, n_classes), from predictors that do not decrease.

    Parameters
    ----------
    link : Logit, Probit, Cloglog or Loglog
        The link.
    eta : ndarray of shape (n_samples, n_classes - 1)
        Finite linear predictors, non-decreasing along the boundaries.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        -inf where two boundaries coincide.
    """
    middle = np.empty((len(eta), eta.shape[1] - 1))
    _fill_log_middle(link, np.ascontiguousarray(eta), middle)
    first, last = log_cumulative(link, eta[:, :1]), log_complement(link, eta[:, -1:])
    return np.hstack([first, middle, last])


@kernel
def _fill_log_middle(link, eta, out):
    for i in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[i, c] = -row_loss(link, eta[i, c + 1], eta[i, c])


@log_class_probabilities.register(Logit)
def _(link, eta):
    with np.errstate(divide="ignore"):
        d = np.diff(eta, axis=1)
        log_gap = np.where(
            d < _LOG_2, np.log(-np.expm1(-d)), np.log1p(-np.exp(-np.maximum(d, _LOG_2)))
        )
    below, above = log_cumulative(link, eta), log_complement(link, eta)
    middle = below[:, 1:] + above[:, :-1] + log_gap
    return np.hstack([below[:, :1], middle, above[:, -1:]])


@singledispatch
def boundaries_of_shares(link, below, above):
    """Predictors at which G has the values `below`, given them and 1 - `below` to full accuracy.

    Parameters
    ----------
    link : Logit, Probit, Cloglog or Loglog
        The link.
    below, above : ndarray of shape (n_boundaries,)
        Positive numbers that sum to one.

    Returns
    -------
    ndarray of shape (n_boundaries,)
        Predictors.
    """
    name = type(link).__name__
    raise TypeError(f"{name} has no body of boundaries_of_shares, asked at {below}, {above}")


@boundaries_of_shares.register(Logit)
def _(link, below, above):
    return np.log(below) - np.log(above)


@boundaries_of_shares.register(Probit)
def _(link, below, above):
    return np.where(below < above, ndtri(below), -ndtri(above))


@boundaries_of_shares.register(Cloglog)
def _(link, below, above):
    return np.log(-_log_share(above, below))


@boundaries_of_shares.register(Loglog)
def _(link, below, above):
    return -np.log(-_log_share(below, above))


def _log_share(share, rest):
    """log(share), near 1 from the rest."""
    return np.where(share < rest, np.log(share), np.log1p(-rest))


def repair_crossing(eta):
    """Running minimum from the last boundary down: min over m >= k of eta_m.

    The probability of the last class, 1 - G(eta_{K-2}), stays as it is; all others become
    nonnegative and sum to one with it. Where nothing crosses, nothing changes.
    """
    return np.minimum.accumulate(eta[:, ::-1], axis=1)[:, ::-1]


def boundaries_cross(eta):
    """Whether some class of a row has a negative probability, shape (n_samples,)."""
    return np.any(np.diff(eta, axis=1) < 0.0, axis=1)
