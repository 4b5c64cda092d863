"""The cumulative-logit likelihood of one row, in the symbols of Faletto and Bien (2023).

Classes are 0 .. K-1, boundaries 0 .. K-2. Boundary k has the linear predictor

    eta_k(x) = alpha_k + x^T beta_k,     F_k(x) = P(Y <= k | x) = sigma(eta_k(x)).

A row of class c only sees its upper boundary a = eta_c and its lower boundary b = eta_{c-1}:

    pi_c = sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(-d)),     d = a - b,

with a = +inf for the last class and b = -inf for the first, so that one formula serves all
classes. The loss is jointly convex in (a, b) and infinite unless d > 0.
"""

import math

import numpy as np

from skreg._jit import kernel

_LOG_2 = math.log(2.0)
ROUNDING = 1e-12


@kernel
def softplus(z):
    """log(1 + exp(z))."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


@kernel
def sigmoid(z):
    """sigma(z) = 1 / (1 + exp(-z)), accurate in both tails."""
    t = math.exp(-abs(z))
    return 1.0 / (1.0 + t) if z >= 0.0 else t / (1.0 + t)


@kernel
def log_one_minus_exp(d):
    """log(1 - exp(-d)) for d > 0."""
    return math.log(-math.expm1(-d)) if d < _LOG_2 else math.log1p(-math.exp(-d))


@kernel
def row_loss(a, b):
    """L(a, b) = -log pi = softplus(-a) + softplus(b) - log(1 - exp(-d)); inf where d <= 0."""
    d = a - b
    if not d > 0.0:
        return math.inf
    return softplus(-a) + softplus(b) - log_one_minus_exp(d)


@kernel
def row_derivatives(a, b):
    """Derivatives of L: (ga, gb, sa, sb, r).

    ga = dL/da = -sigma(-a) - 1/(e^d - 1)       gb = dL/db = sigma(b) + 1/(e^d - 1)

    Hessian = [[sa + r, -r], [-r, sb + r]],     sa = sigma(a) sigma(-a), sb = sigma(b) sigma(-b),
                                                r = 1 / (4 sinh^2(d/2)).
    """
    down, up = sigmoid(-a), sigmoid(b)
    gap = -math.expm1(-(a - b))
    e = (1.0 - gap) / gap
    return -down - e, up + e, down * (1.0 - down), up * (1.0 - up), e / gap


@kernel
def mean_loss(a, b, weight, start):
    """sum_i w_i L(a_i, b_i) over rows sorted by class; infinite as soon as one row's boundaries
    cross.

    The first and the last class have softplus alone.
    """
    n_classes = start.shape[0] - 1
    total = 0.0
    for i in range(start[0], start[1]):
        total += weight[i] * softplus(-a[i])
    for i in range(start[1], start[n_classes - 1]):
        total += weight[i] * row_loss(a[i], b[i])
    for i in range(start[n_classes - 1], start[n_classes]):
        total += weight[i] * softplus(b[i])
    return total


@kernel
def _small_root(product):
    """Root m <= 1/2 of m (1 - m) = product."""
    return 2.0 * product / (1.0 + math.sqrt(max(1.0 - 4.0 * product, 0.0)))


@kernel
def _logit(probability, product):
    """logit(P), given P roughly and P (1 - P) to full relative accuracy."""
    if 0.1 < probability < 0.9:
        return math.log(probability / (1.0 - probability))
    m = _small_root(product)
    tail = math.log1p(-m) - math.log(m)
    return tail if probability > 0.5 else -tail


@kernel
def _entropy(p):
    """p log p + (1 - p) log(1 - p), the conjugate of softplus; inf outside of [0, 1]."""
    if not 0.0 <= p <= 1.0:
        return math.inf
    value = 0.0
    if p > 0.0:
        value += p * math.log(p)
    if p < 1.0:
        value += (1.0 - p) * math.log1p(-p)
    return value


@kernel
def row_conjugate(p, q):
    """L*(-p, q) = sup_{a, b} -p a + q b - L(a, b) of a middle class.

    Its domain is p, q >= 0, |p - q| <= 1. The supremum is at P = sigma(a), Q = sigma(b) with

        pi = P - Q = sqrt(1 + 4 p q) - (p + q),     P + Q = 1 - p + q,
        P (1 - P) = p pi,                           Q (1 - Q) = q pi,

    where L* = -p logit(P) + q logit(Q) + log(pi). At |p - q| = 1, up to rounding, it is approached
    as a and b go to infinity together: m log m - (m + 1) log(m + 1) with m = min(p, q).
    """
    m = min(p, q)
    if m <= 0.0:
        return _entropy(max(p, q)) if m == 0.0 else math.inf
    if abs(p - q) >= 1.0:
        inside = abs(p - q) <= 1.0 + ROUNDING * (1.0 + m)
        return m * math.log(m) - (m + 1.0) * math.log(m + 1.0) if inside else math.inf
    pi = (1.0 - (p - q)) * (1.0 + (p - q)) / (math.sqrt(1.0 + 4.0 * p * q) + p + q)
    s = 1.0 - p + q
    a, b = _logit(0.5 * (s + pi), p * pi), _logit(0.5 * (s - pi), q * pi)
    return -p * a + q * b + math.log(pi)


@kernel
def mean_conjugate(p, q, weight, start):
    """sum_i w_i L*(-p_i, q_i) over rows sorted by class; the last class has p = 0, the first q = 0.

    The first and the last class have the conjugate of softplus alone.
    """
    n_classes = start.shape[0] - 1
    total = 0.0
    for i in range(start[0], start[1]):
        total += weight[i] * _entropy(p[i])
    for i in range(start[1], start[n_classes - 1]):
        total += weight[i] * row_conjugate(p[i], q[i])
    for i in range(start[n_classes - 1], start[n_classes]):
        total += weight[i] * _entropy(q[i])
    return total


def log_class_probabilities(eta):
    """log pi of all classes, shape (n_samples, n_classes), from predictors that do not decrease.

    Parameters
    ----------
    eta : ndarray of shape (n_samples, n_classes - 1)
        Finite linear predictors, non-decreasing along the boundaries.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        -inf where two boundaries coincide.
    """
    with np.errstate(divide="ignore"):
        d = np.diff(eta, axis=1)
        log_gap = np.where(
            d < _LOG_2, np.log(-np.expm1(-d)), np.log1p(-np.exp(-np.maximum(d, _LOG_2)))
        )
    log_below, log_above = -np.logaddexp(0.0, -eta), -np.logaddexp(0.0, eta)
    middle = log_below[:, 1:] + log_above[:, :-1] + log_gap
    return np.hstack([log_below[:, :1], middle, log_above[:, -1:]])


def repair_crossing(eta):
    """Running minimum from the last boundary down: min over m >= k of eta_m.

    The probability of the last class, 1 - sigma(eta_{K-2}), stays as it is; all others become
    nonnegative and sum to one with it. Where nothing crosses, nothing changes.
    """
    return np.minimum.accumulate(eta[:, ::-1], axis=1)[:, ::-1]


def boundaries_cross(eta):
    """Whether some class of a row has a negative probability, shape (n_samples,)."""
    return np.any(np.diff(eta, axis=1) < 0.0, axis=1)
