"""What a link is to the model P(Y <= k | x) = G(eta_k(x)): a distribution function G.

A row of a middle class has the probability P = G(a) - G(b) between its upper boundary a and its
lower boundary b; the first class has G(a), the last one 1 - G(b). The density g = G' of every link
is log-concave, which gives all that the solver rests on.

Convexity. {(a, b, t): b < t < a} is convex and log g concave, so that P, an integral over t, is
log-concave jointly in (a, b) (Prekopa 1973): the loss L = -log P is convex where a > b.

Hessian. With m_a = g(a) / P, m_b = g(b) / P and s = g' / g, which does not increase,

    dL/da = -m_a,     dL/db = m_b,     Hessian = [[sa + r, -r], [-r, sb + r]],     r = m_a m_b,
    sa = m_a (E s(T) - s(a)) >= 0,     sb = m_b (s(b) - E s(T)) >= 0,

where T has the density g between b and a, as E s(T) = (g(a) - g(b)) / P = m_a - m_b.

A link is a NamedTuple without fields; the bodies stand in the file of each.
"""

from typing import NamedTuple

from skreg._jit import generic


class Logit(NamedTuple):
    """G(z) = 1 / (1 + exp(-z)), the logistic distribution."""


class Probit(NamedTuple):
    """G(z) = Phi(z), the normal distribution."""


class Cloglog(NamedTuple):
    """G(z) = 1 - exp(-exp(z)), the complementary log-log link: the Gumbel minimum."""


class Loglog(NamedTuple):
    """G(z) = exp(-exp(-z)), the log-log link: the Gumbel maximum."""


Link = Logit | Probit | Cloglog | Loglog
LOGIT = Logit()
LINKS = {"logit": LOGIT, "probit": Probit(), "cloglog": Cloglog(), "loglog": Loglog()}


@generic
def reflected(link):
    """The link of 1 - G(-z): that of the classes in the opposite order."""


@generic
def log_below(link, z):
    """log G(z)."""


@generic
def first_derivatives(link, a):
    """First and second derivative of -log G(a)."""


@generic
def row_loss(link, a, b):
    """L(a, b) = -log(G(a) - G(b)) of a middle class; inf where a > b is not true."""


@generic
def row_derivatives(link, a, b):
    """Derivatives of L: (dL/da, dL/db, sa, sb, r)."""


@generic
def mean_conjugate(link, share, a, b, ga, g, weight, start):
    """sum_i w_i L*(t_i u_i), or an upper bound of it, with the gradient u_i of L at (a_i, b_i).

    Rows are sorted by class; t_i <= 1 is the `share` of the class of row i. `ga` has w_i dL/da, `g`
    the sum of it and of w_i dL/db.
    """


def conjugate_by_chord(link, share, a, b, ga, g, weight, start):
    """Upper bound of the conjugate from its values at the gradient and at 0.

    L*(0) = -inf L = 0 and L* is convex, so that L*(t u) <= t L*(u), which Fenchel's equality at the
    gradient knows: L*(u) = u_a a + u_b b - L(a, b) = u_a (a - b) + (u_a + u_b) b - L(a, b). The
    bound is exact at t = 1.
    """
    last = start.shape[0] - 2
    total = 0.0
    for i in range(start[0], start[1]):
        total += share[0] * (ga[i] * a[i] + weight[i] * log_below(link, a[i]))
    for c in range(1, last):
        for i in range(start[c], start[c + 1]):
            pairing = ga[i] * (a[i] - b[i]) + g[i] * b[i]
            total += share[c] * (pairing - weight[i] * row_loss(link, a[i], b[i]))
    for i in range(start[last], start[last + 1]):
        total += share[last] * (g[i] * b[i] + weight[i] * log_below(reflected(link), -b[i]))
    return total
