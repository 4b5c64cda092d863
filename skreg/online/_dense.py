r"""Rounds on whole vectors: any geometry, domain and hint, in time proportional to their length.

Both lines of a round are the same step from the shadow point, along the hint or the gradient:

    euclidean: soft threshold by l1 / w, shrinkage by 1 / (1 + ridge / w), projection
    newton:    P^H[s - H^{-1} g], with H_{t+1} = H_t + beta_t / 2 g_t g_t^T

On the box and the ball the minimiser of (1) in `skreg.online._steps` is the projection of that
without constraint: on the ball the multiplier only scales it.

For an alpha-exp-concave loss, beta_t = 1/2 min(1 / (4 G D), alpha) makes
f(x) - f(u) <= <g, x - u> - beta_t/2 <g, x - u>^2, and with it, for every u in the ball,

    regret <= 1/2 |u|^2_{H_1} + sum_t 1/2 |g_t - M_t|^2_{H_t^{-1}} + beta_t/2 <g_t, x_t - s_{t+1}>^2

beta_t may use the loss of its own round: its curvature is used after it only. The paper bounds the
last term by |g_t - M_t|^2_{H_t^{-1}}, for which H_1 has a multiple of G^2.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.online._losses import evaluate, exp_concavity
from skreg.online._rows import add_row
from skreg.online._steps import (
    ALONE,
    AUTO,
    BETWEEN,
    LAST_GRADIENT,
    LOSS,
    MAX_GRADIENT,
    ROUNDS,
    STABILITY,
    VARIATION,
    certify,
    share_of_hint,
    weight_of,
)

BALL, BOX, EVERYWHERE = 0, 1, 2
PROJECTIONS = 200  # halvings of the multiplier of a projection


class Dense(NamedTuple):
    """State of a learner on whole vectors; a point has the intercept in its last column.

    Attributes
    ----------
    shadow, hint, before, total : ndarray of shape (n_outputs, n)
        Shadow point, hint of the next round, last gradient, and sum of the points that were played.
    H, inverse : ndarray of shape (n, n)
        The matrix of the geometry and its inverse; empty if it is euclidean.
    numbers : ndarray of shape (N_NUMBERS,)
        See `skreg.online._steps`.
    """

    shadow: np.ndarray
    hint: np.ndarray
    before: np.ndarray
    total: np.ndarray
    H: np.ndarray
    inverse: np.ndarray
    numbers: np.ndarray


class Course(NamedTuple):
    """What stays the same over the rounds of a learner on whole vectors."""

    hint: int
    domain: int
    bound: float
    l1: float
    average: bool
    one: float


@kernel
def _square(x):
    total = 0.0
    for k in range(x.shape[0]):
        for j in range(x.shape[1]):
            total += x[k, j] * x[k, j]
    return total


@kernel
def _copy(x, factor, out):
    for k in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[k, j] = factor * x[k, j]


@kernel
def _move(step, course, shadow, along, w, out):
    """argmin_X <along, x> + r(x) + w/2 |x - shadow|^2; the intercept has no l1 penalty."""
    n_penalised = shadow.shape[1] - (1 if course.one else 0)
    shrink = 1.0 / (1.0 + step.ridge / w)
    threshold = course.l1 / w
    for k in range(shadow.shape[0]):
        for j in range(shadow.shape[1]):
            x = shadow[k, j] - along[k, j] / w
            if j < n_penalised:
                x = max(x - threshold, 0.0) + min(x + threshold, 0.0)
            x *= shrink
            if course.domain == BOX:
                x = min(max(x, -course.bound), course.bound)
            out[k, j] = x
    if course.domain == BALL:
        norm = np.sqrt(_square(out))
        if norm > course.bound:
            for k in range(out.shape[0]):
                for j in range(out.shape[1]):
                    out[k, j] *= course.bound / norm


@kernel
def project(H, z, radius):
    """The point of a ball that is nearest to z in the norm of H.

    (H + mu I) x = H z with the multiplier mu at which |x| is the radius.
    """
    if z @ z <= radius * radius:
        return z.copy()
    values, vectors = np.linalg.eigh(H)
    b = values * (vectors.T @ z)
    low, high = 0.0, np.sqrt(b @ b) / radius
    for _ in range(PROJECTIONS):
        mu = 0.5 * (low + high)
        if mu in (low, high):
            break
        size = 0.0
        for j in range(len(b)):
            size += (b[j] / (values[j] + mu)) ** 2
        if size > radius * radius:
            low = mu
        else:
            high = mu
    return vectors @ (b / (values + high))


@kernel
def _move_newton(course, state, along, out):
    x = project(state.H, state.shadow[0] - state.inverse @ along[0], course.bound)
    for j in range(len(x)):
        out[0, j] = x[j]


@kernel
def decide(step, course, state, out):
    """The point that is played next, and the weight of the hint."""
    if state.H.shape[0]:
        _move_newton(course, state, state.hint, out)
        return 1.0
    w = weight_of(step, state.numbers)
    if w > 0.0:
        _move(step, course, state.shadow, state.hint, w, out)
    else:
        _copy(state.shadow, 1.0, out)
    return w


@kernel
def learn(step, course, state, x, w_hint, gradient, alpha):
    """End a round in which x was played: certificate, shadow point and next hint.

    `alpha` is the exp-concavity of its loss, for the Newton geometry.
    """
    s, hint = state.numbers, state.hint
    difference = gradient - hint
    deviation = _square(difference)
    gradient2 = _square(gradient)
    s[MAX_GRADIENT] = max(s[MAX_GRADIENT], np.sqrt(gradient2))
    if state.H.shape[0]:
        _learn_newton(step, course, state, x, gradient, difference, alpha)
    else:
        w = weight_of(step, s)
        if w > 0.0:
            if w_hint == 0.0:  # no hint was used
                deviation = gradient2
            certify(step, s, w_hint, w, deviation, np.sqrt(_square(state.shadow)))
            moved = np.empty_like(gradient)
            _move(step, course, state.shadow, gradient, w, moved)
            _copy(moved, 1.0, state.shadow)
    s[VARIATION] += deviation
    s[ROUNDS] += 1.0
    if course.average:
        for k in range(x.shape[0]):
            for j in range(x.shape[1]):
                state.total[k, j] += x[k, j]
    if course.hint == AUTO:
        s[ALONE] += gradient2
        s[BETWEEN] += _square(gradient - state.before)
        _copy(gradient, 1.0, state.before)
    if course.hint == AUTO or course.hint == LAST_GRADIENT:
        _copy(gradient, share_of_hint(course.hint, s), hint)


@kernel
def _learn_newton(step, course, state, x, gradient, difference, alpha):
    s, g, d = state.numbers, gradient[0], difference[0]
    largest = step.lipschitz if step.lipschitz > 0.0 else s[MAX_GRADIENT]
    beta = 0.0
    if largest > 0.0:
        beta = 0.5 * min(1.0 / (4.0 * largest * step.diameter), alpha)
    s[STABILITY] += 0.5 * (d @ (state.inverse @ d))
    moved = np.empty_like(gradient)
    _move_newton(course, state, gradient, moved)
    s[STABILITY] += 0.5 * beta * (g @ (x[0] - moved[0])) ** 2
    _copy(moved, 1.0, state.shadow)
    u = state.inverse @ g
    denominator = 1.0 + 0.5 * beta * (g @ u)
    for i in range(len(g)):
        for j in range(len(g)):
            state.H[i, j] += 0.5 * beta * g[i] * g[j]
            state.inverse[i, j] -= 0.5 * beta * u[i] * u[j] / denominator


@kernel
def learn_densely(rows, y, weight, loss, step, course, state, out):
    """Play and learn rows one after another; `out` receives what is predicted before learning."""
    s = state.numbers
    n_outputs, n = state.shadow.shape
    a, x = np.zeros((1, n)), np.empty((n_outputs, n))
    gradient, z, slope = np.empty((n_outputs, n)), np.empty(n_outputs), np.empty(n_outputs)
    n_features = n - (1 if course.one else 0)
    for i in range(len(y)):
        for j in range(n):
            a[0, j] = 0.0
        add_row(rows, i, 1.0, a[0, :n_features])
        if course.one:
            a[0, n - 1] = 1.0
        w_hint = decide(step, course, state, x)
        for k in range(n_outputs):
            z[k] = x[k] @ a[0]
            out[i, k] = z[k]
            if course.average and s[ROUNDS] > 0.0:
                out[i, k] = (state.total[k] @ a[0]) / s[ROUNDS]
        if weight[i] == 0.0:
            continue
        s[LOSS] += weight[i] * evaluate(loss, z, y[i], slope)
        for k in range(n_outputs):
            for j in range(n):
                gradient[k, j] = weight[i] * slope[k] * a[0, j]
        alpha = 0.0
        if state.H.shape[0]:
            reach = course.bound * np.sqrt(_square(a))
            alpha = exp_concavity(loss, z[0], y[i], reach) / weight[i]
        learn(step, course, state, x, w_hint, gradient, alpha)
