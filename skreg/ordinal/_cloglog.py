"""The complementary log-log link, and the log-log link, which is its reflection.

    P = exp(-e^b) - exp(-e^a) = exp(-e^b) (1 - exp(-D)),     D = e^a - e^b = e^a (1 - exp(-d)).

The log-log link has L(a, b) of the other at (-b, -a).
"""

import math

from skreg._jit import kernel
from skreg.ordinal._link import (
    Cloglog,
    Loglog,
    conjugate_by_chord,
    first_derivatives,
    log_below,
    mean_conjugate,
    reflected,
    row_derivatives,
    row_loss,
)
from skreg.ordinal._logit import log_one_minus_exp

# exp of more overflows; a probability of exp(-exp(709)) is none
_LARGEST_EXPONENT = 709.0
# below, D / 2 is lost to rounding beside 1; exp(-D) is lost beside D above the last
_TINY, _SMALL, _LARGE = 1e-17, 0.25, 50.0
# B_n / n!: D / (1 - exp(-D)) = 1 + D / 2 + sum_n B_n D^n / n!, even n
_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)


@kernel
def _exp(z):
    return math.exp(min(z, _LARGEST_EXPONENT))


@kernel
def _ratios(D):
    """D / (e^D - 1), and how far it is below 1; D / (1 - e^-D) - 1.

    All three are positive and without cancellation.
    """
    if D < _SMALL:
        square = D * D
        even, power = 0.0, square
        for coefficient in _BERNOULLI:
            even += coefficient * power
            power *= square
        above = 0.5 * D + even
        return 1.0 + above - D, 0.5 * D - even, above
    below = D / math.expm1(D) if D < _LARGE else D * math.exp(-D)
    return below, 1.0 - below, D - 1.0 + below


@kernel
def _log_mass(a, u):
    """log(1 - exp(-D)) of D = e^a u."""
    D = _exp(a) * u
    return a + math.log(u) if D < _TINY else log_one_minus_exp(D)


@kernel
def _loss(a, b):
    """L(a, b) = e^b - log(1 - exp(-D))."""
    if not a > b:
        return math.inf
    return _exp(b) - _log_mass(a, -math.expm1(-(a - b)))


@kernel
def _derivatives(a, b):
    """m_a = e^a / (e^D - 1),     m_b = e^b / (1 - e^-D),

    sa = m_a (D / (1 - e^-D) - 1),     sb = m_b (1 - D / (e^D - 1)).
    """
    d = a - b
    u = -math.expm1(-d)
    D = _exp(a) * u
    below, lost, above = _ratios(D)
    ma = below / u
    mb = math.exp(-d) * (1.0 + above) / u if D < _SMALL else _exp(b) / -math.expm1(-D)
    return -ma, mb, ma * above, mb * lost, ma * mb


@reflected.register(Cloglog)
def _(link):
    return Loglog()


@reflected.register(Loglog)
def _(link):
    return Cloglog()


@log_below.register(Cloglog)
def _(link, z):
    return _log_mass(z, 1.0)


@log_below.register(Loglog)
def _(link, z):
    return -_exp(-z)


@first_derivatives.register(Cloglog)
def _(link, a):
    below, _, above = _ratios(_exp(a))
    return -below, below * above


@first_derivatives.register(Loglog)
def _(link, a):
    slope = _exp(-a)
    return -slope, slope


@row_loss.register(Cloglog)
def _(link, a, b):
    return _loss(a, b)


@row_loss.register(Loglog)
def _(link, a, b):
    return _loss(-b, -a)


@row_derivatives.register(Cloglog)
def _(link, a, b):
    return _derivatives(a, b)


@row_derivatives.register(Loglog)
def _(link, a, b):
    ga, gb, sa, sb, r = _derivatives(-b, -a)
    return -gb, -ga, sb, sa, r


mean_conjugate.register(Cloglog)(conjugate_by_chord)
mean_conjugate.register(Loglog)(conjugate_by_chord)
