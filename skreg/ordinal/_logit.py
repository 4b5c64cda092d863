"""The logistic link.

P = sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(-d)),     d = a - b.
"""

import math

from skreg._jit import kernel
from skreg.ordinal._link import (
    Logit,
    first_derivatives,
    log_below,
    mean_conjugate,
    reflected,
    row_derivatives,
    row_loss,
)

_LOG_2 = math.log(2.0)
_SMALLEST = 2.0**-1022  # normal number
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


@reflected.register(Logit)
def _(link):
    return Logit()


@log_below.register(Logit)
def _(link, z):
    return -softplus(-z)


@first_derivatives.register(Logit)
def _(link, a):
    ga = -sigmoid(-a)
    return ga, -ga * (1.0 + ga)


@row_loss.register(Logit)
def _(link, a, b):
    """softplus(-a) + softplus(b) - log(1 - exp(-d))."""
    d = a - b
    if not d > 0.0:
        return math.inf
    return softplus(-a) + softplus(b) - log_one_minus_exp(d)


@row_derivatives.register(Logit)
def _(link, a, b):
    """dL/da = -sigma(-a) - 1/(e^d - 1),     dL/db = sigma(b) + 1/(e^d - 1),

    sa = sigma(a) sigma(-a),     sb = sigma(b) sigma(-b),     r = 1 / (4 sinh^2(d/2)).
    """
    down, up = sigmoid(-a), sigmoid(b)
    gap = -math.expm1(-(a - b))
    e = (1.0 - gap) / gap
    return -down - e, up + e, down * (1.0 - down), up * (1.0 - up), e / gap


@kernel
def _small_root(product):
    """Root m <= 1/2 of m (1 - m) = product."""
    return 2.0 * product / (1.0 + math.sqrt(max(1.0 - 4.0 * product, 0.0)))


@kernel
def _logit(probability, product):
    """logit(P), given P roughly and P (1 - P) to full relative accuracy.

    Where the latter underflows it is finite; `row_conjugate` multiplies it with a smaller number.
    """
    if 0.1 < probability < 0.9:
        return math.log(probability / (1.0 - probability))
    m = max(_small_root(product), _SMALLEST)
    tail = math.log1p(-m) - math.log(m)
    return tail if probability > 0.5 else -tail


@kernel
def entropy(p):
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
        return entropy(max(p, q)) if m == 0.0 else math.inf
    if abs(p - q) >= 1.0:
        inside = abs(p - q) <= 1.0 + ROUNDING * (1.0 + m)
        return m * math.log(m) - (m + 1.0) * math.log(m + 1.0) if inside else math.inf
    pi = (1.0 - (p - q)) * (1.0 + (p - q)) / (math.sqrt(1.0 + 4.0 * p * q) + p + q)
    s = 1.0 - p + q
    a, b = _logit(0.5 * (s + pi), p * pi), _logit(0.5 * (s - pi), q * pi)
    return -p * a + q * b + math.log(pi)


@mean_conjugate.register(Logit)
def _(link, share, a, b, ga, g, weight, start):
    """The closed form; the last class has p = 0, the first q = 0, and softplus alone."""
    last = start.shape[0] - 2
    total = 0.0
    for i in range(start[0], start[1]):
        total += weight[i] * entropy(-share[0] * ga[i] / weight[i])
    for c in range(1, last):
        for i in range(start[c], start[c + 1]):
            p, q = -share[c] * ga[i] / weight[i], share[c] * (g[i] - ga[i]) / weight[i]
            total += weight[i] * row_conjugate(p, q)
    for i in range(start[last], start[last + 1]):
        total += weight[i] * entropy(share[last] * g[i] / weight[i])
    return total
