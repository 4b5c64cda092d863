"""The normal link.

With the density phi, the tail Q(x) = 1 - Phi(x) and its hazard h = phi / Q, the score of the
density is s(t) = -t. A row is reflected, (a, b) -> (-b, -a), where this brings it to the upper
tail, in which no difference of numbers close to 1 is needed.
"""

import math

from skreg._jit import kernel
from skreg.ordinal._link import (
    Probit,
    conjugate_by_chord,
    first_derivatives,
    log_below,
    mean_conjugate,
    reflected,
    row_derivatives,
    row_loss,
)

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
_LOG_ROOT_2_PI = math.log(_ROOT_2_PI)
# from here on the continued fraction of the tail has full accuracy with so many terms
_FRACTION_FROM, _FRACTION_TERMS = 3.0, 40
# nodes and weights of the Gauss-Legendre rule on [0, 1]
_NODES = (
    0.01985507175123188, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
    0.5917173212478249, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681,
)  # fmt: skip
_WEIGHTS = (
    0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.1813418916891810,
    0.1813418916891810, 0.15685332293894363, 0.11119051722668724, 0.05061426814518813,
)  # fmt: skip


@kernel
def _tail(x):
    """Q(x)."""
    return 0.5 * math.erfc(x / _ROOT_2)


@kernel
def _hazard(x):
    """h(x) and its excess over x, h(x) - x > 0.

    In the tail the excess is Laplace's continued fraction 1 / (x + 2 / (x + 3 / (x + ..))), whose
    end is taken for the fixed point t = x + n / t.
    """
    if x < _FRACTION_FROM:
        h = math.exp(-0.5 * x * x) / (_ROOT_2_PI * _tail(x))
        return h, h - x
    t = 0.5 * (x + math.sqrt(x * x + 4.0 * _FRACTION_TERMS))
    for n in range(_FRACTION_TERMS - 1, 1, -1):
        t = x + n / t
    return x + 1.0 / t, 1.0 / t


@kernel
def _log_tail(x):
    """log Q(x)."""
    if x <= 0.0:
        return math.log1p(-_tail(-x))
    if x < _FRACTION_FROM:
        return math.log(_tail(x))
    return -0.5 * x * x - _LOG_ROOT_2_PI - math.log(_hazard(x)[0])


@kernel
def _narrow(b, d):
    """Integrals over u in [0, 1] of phi(b + d u) / phi(b) times 1, 1 - u and u."""
    whole, upper = 0.0, 0.0
    for node, weight in zip(_NODES, _WEIGHTS):  # noqa: B905 (numba knows no strict)
        mass = weight * math.exp(-d * node * (b + 0.5 * d * node))
        whole += mass
        upper += mass * node
    return whole, whole - upper, upper


@kernel
def _remaining(b, a):
    """Q(a) / Q(b) for b >= 0, by the exact difference of the squares."""
    d = a - b
    return math.exp(-d * (b + 0.5 * d)) * _hazard(b)[0] / _hazard(a)[0]


@reflected.register(Probit)
def _(link):
    return Probit()


@log_below.register(Probit)
def _(link, z):
    return _log_tail(-z)


@first_derivatives.register(Probit)
def _(link, a):
    h, excess = _hazard(-a)
    return -h, h * excess


@row_loss.register(Probit)
def _(link, a, b):
    """Narrow intervals by quadrature, those of the tail by its ratio, others by both tails."""
    if not a > b:
        return math.inf
    if a + b < 0.0:
        a, b = -b, -a
    d = a - b
    if a * d < 1.0:
        return 0.5 * b * b + _LOG_ROOT_2_PI - math.log(d * _narrow(b, d)[0])
    if b > 0.0:
        return -_log_tail(b) - math.log1p(-_remaining(b, a))
    return -math.log1p(-(_tail(a) + _tail(-b)))


@kernel
def _upper_derivatives(a, b):
    """`row_derivatives` for a + b >= 0.

    With the mean E T of the normal distribution between b and a,

        sa = m_a (a - E T),     sb = m_b (E T - b).

    Narrow intervals have E T - b = d E u, in the tail, with rho = Q(a) / Q(b),

        m_b = h(b) / (1 - rho),     E T - b = (h(b) - b - rho (h(a) - a + d)) / (1 - rho).
    """
    d = a - b
    if a * d < 1.0:
        whole, upper, lower = _narrow(b, d)
        mb = 1.0 / (d * whole)
        ma = mb * math.exp(-d * (b + 0.5 * d))
        return -ma, mb, ma * d * upper / whole, mb * d * lower / whole, ma * mb
    if b > 0.0:
        rho = _remaining(b, a)
        h, excess = _hazard(b)
        h_above, excess_above = _hazard(a)
        mb, ma = h / (1.0 - rho), h_above * rho / (1.0 - rho)
        beyond = (excess - rho * (excess_above + d)) / (1.0 - rho)
        return -ma, mb, ma * (d - beyond), mb * beyond, ma * mb
    inside = _ROOT_2_PI * (1.0 - (_tail(a) + _tail(-b)))
    ma, mb = math.exp(-0.5 * a * a) / inside, math.exp(-0.5 * b * b) / inside
    mean = mb - ma
    return -ma, mb, ma * (a - mean), mb * (mean - b), ma * mb


@row_derivatives.register(Probit)
def _(link, a, b):
    if a + b >= 0.0:
        return _upper_derivatives(a, b)
    ga, gb, sa, sb, r = _upper_derivatives(-b, -a)
    return -gb, -ga, sb, sa, r


mean_conjugate.register(Probit)(conjugate_by_chord)
