r"""Rounds in time proportional to the entries of a row: one scaled vector and one kept row.

For the euclidean geometry on a ball, or everywhere, gradients are c a^T for a row a. The shadow
point is `scale` times a vector v to which rows are added; the hint is c m^T for the kept row m of
the last round; the point that is played, A s - B c m^T, is never formed. Norms follow by

    |s - e c a^T|^2 = |s|^2 - 2 e c.(s a) + e^2 |c|^2 |a|^2,

and are recomputed every so often, when the scale is folded into v as well. For the centred steps
of Sachs et al. (2022) v is the sum of gradients and A is negative. The last column of a point is
that of the intercept, for which every row has the entry `one`.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.online._losses import HALVINGS, evaluate, implicit_slope
from skreg.online._rows import add_kept, add_row, dot, keep_row, sums
from skreg.online._steps import (
    ALONE,
    AUTO,
    BETWEEN,
    CENTRED,
    HINT_NORM2,
    KAPPA,
    LOSS,
    MAX_GRADIENT,
    NO_HINT,
    NORM2,
    ROUNDS,
    SCALE,
    VARIATION,
    certify,
    share_of_hint,
    weight_of,
)

LEAST_SCALE, FOLD_AFTER = 1e-100, 256


class Lazy(NamedTuple):
    """State of a learner with scaled vectors.

    Attributes
    ----------
    v, b : ndarray of shape (n_outputs, n_features) and (n_outputs,)
        The shadow point is `SCALE` times these.
    m : ndarray of shape (n_features,)
        The kept row.
    c, before : ndarray of shape (n_outputs,)
        The hint is c times the kept row, and the last gradient `before` times it.
    kept : ndarray of shape (n_outputs,)
        Shadow point times the kept row.
    total, total_b : ndarray
        Sum of the points that were played is this plus `KAPPA` times v and b; empty without
        averaging.
    numbers : ndarray of shape (N_NUMBERS,)
        See `skreg.online._steps`.
    """

    v: np.ndarray
    b: np.ndarray
    m: np.ndarray
    c: np.ndarray
    before: np.ndarray
    kept: np.ndarray
    total: np.ndarray
    total_b: np.ndarray
    numbers: np.ndarray


class Way(NamedTuple):
    """What stays the same over the rounds of a lazy learner."""

    hint: int
    ball: float
    implicit: bool
    average: bool
    one: float


@kernel
def factors(step, ball, state):
    """(w_h, A, B): the next point is A s - B c m^T."""
    s, c, kept = state.numbers, state.c, state.kept
    w = weight_of(step, s)
    if step.kind == CENTRED:
        shadow, hint = -0.5 / w, 0.5 / w
    elif w == 0.0:
        shadow, hint = 1.0, 0.0
    else:
        shadow = 1.0 / (1.0 + step.ridge / w)
        hint = shadow / w
    crossed, squared = 0.0, 0.0
    for k in range(len(c)):
        crossed += c[k] * kept[k]
        squared += c[k] * c[k]
    norm2 = shadow * shadow * s[NORM2] - 2.0 * shadow * hint * crossed
    norm2 += hint * hint * squared * s[HINT_NORM2]
    if norm2 > ball * ball:
        inward = ball / np.sqrt(norm2)
        return w, shadow * inward, hint * inward
    return w, shadow, hint


@kernel
def fold(state):
    """Multiply the scale into v, add its part of the played points, and recompute the norm."""
    v, b, total, total_b, s = state.v, state.b, state.total, state.total_b, state.numbers
    norm2 = 0.0
    for k in range(v.shape[0]):
        if total.shape[0]:
            for j in range(v.shape[1]):
                total[k, j] += s[KAPPA] * v[k, j]
            total_b[k] += s[KAPPA] * b[k]
        for j in range(v.shape[1]):
            v[k, j] *= s[SCALE]
            norm2 += v[k, j] * v[k, j]
        b[k] *= s[SCALE]
        norm2 += b[k] * b[k]
    s[SCALE], s[KAPPA], s[NORM2] = 1.0, 0.0, norm2


@kernel
def implicit_excess(loss, step, way, state, multiplier, y, weight):
    """Put into c the slopes of an implicit step with a multiplier of the ball; |x|^2 - ball^2.

    x (1 + multiplier) (1 + ridge / w) = s - c a / w, so that the prediction is start - length c.
    """
    s, c, kept = state.numbers, state.c, state.kept
    w = weight_of(step, s)
    shrink = (1.0 + multiplier) * (1.0 + step.ridge / w)
    length = s[HINT_NORM2] / (w * shrink)
    norm2 = s[NORM2]
    for k in range(len(c)):
        target = y if len(c) == 1 else (1.0 if k == y else -1.0)
        c[k] = implicit_slope(loss, kept[k] / shrink, length, target, weight)
        norm2 += (c[k] * s[HINT_NORM2] / w - 2.0 * kept[k]) * c[k] / w
    return norm2 / (shrink * shrink) - way.ball * way.ball


@kernel
def implicit_hint(loss, step, way, state, y, weight):
    """Slopes c of the loss at x = argmin f(x) + r(x) + w/2 |x - s|^2 on the ball."""
    if weight_of(step, state.numbers) == 0.0:
        for k in range(len(state.c)):
            state.c[k] = 0.0
        return
    if implicit_excess(loss, step, way, state, 0.0, y, weight) <= 0.0:
        return
    low, high = 0.0, 1.0
    while implicit_excess(loss, step, way, state, high, y, weight) > 0.0:
        low, high = high, 2.0 * high
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if implicit_excess(loss, step, way, state, middle, y, weight) > 0.0:
            low = middle
        else:
            high = middle


@kernel
def explicit_hint(way, state, slope, gradient2, crossed):
    """Put a share of the last slopes into c; "auto" compares what both hints deviated so far."""
    s, c, before = state.numbers, state.c, state.before
    if way.hint == AUTO:
        s[ALONE] += gradient2
        s[BETWEEN] += gradient2
        for k in range(len(c)):
            change = before[k] * s[HINT_NORM2] - 2.0 * slope[k] * crossed
            s[BETWEEN] += before[k] * change
            before[k] = slope[k]
    share = share_of_hint(way.hint, s)
    for k in range(len(c)):
        c[k] = share * slope[k]


@kernel
def learn_lazily(  # noqa: C901  one compiled loop
    rows, y, weight, loss, step, way, state, out
):
    """Play and learn rows one after another; `out` receives what is predicted before learning."""
    v, b, m, c, kept = state.v, state.b, state.m, state.c, state.kept
    total, total_b, s = state.total, state.total_b, state.numbers
    n_outputs = len(b)
    played, slope, inner = np.empty(n_outputs), np.empty(n_outputs), np.empty(n_outputs)
    last = -1
    fold_after = max(FOLD_AFTER, v.shape[1])
    for i in range(len(y)):
        first, crossed, norm2 = sums(rows, i, v[0], m)
        crossed += way.one
        norm2 += way.one
        w_hint, shadow, hint = factors(step, way.ball, state)
        for k in range(n_outputs):
            along = (first if k == 0 else dot(rows, i, v[k])) + b[k] * way.one
            inner[k] = s[SCALE] * along
            played[k] = shadow * inner[k] - hint * c[k] * crossed
            if way.average and s[ROUNDS] > 0.0:
                whole = dot(rows, i, total[k]) + total_b[k] * way.one + s[KAPPA] * along
                out[i, k] = whole / s[ROUNDS]
            else:
                out[i, k] = played[k]
        if weight[i] == 0.0:
            continue
        s[LOSS] += weight[i] * evaluate(loss, played, y[i], slope)
        if way.average:
            s[KAPPA] += shadow * s[SCALE]
            for k in range(n_outputs):
                add_kept(rows, last, -hint * c[k], m, total[k])
                total_b[k] -= hint * c[k] * way.one

        squared, hinted, mixed, towards = 0.0, 0.0, 0.0, 0.0
        for k in range(n_outputs):
            slope[k] *= weight[i]
            squared += slope[k] * slope[k]
            hinted += c[k] * c[k]
            mixed += slope[k] * c[k]
            towards += slope[k] * inner[k]
        gradient2 = squared * norm2
        deviation = max(gradient2 - 2.0 * mixed * crossed + hinted * s[HINT_NORM2], 0.0)
        s[MAX_GRADIENT] = max(s[MAX_GRADIENT], np.sqrt(gradient2))
        w = weight_of(step, s)
        if w > 0.0:
            certify(step, s, w_hint, w, deviation, np.sqrt(s[NORM2]))
        s[VARIATION] += deviation
        s[ROUNDS] += 1.0

        move, shrink = 0.0, 1.0
        if step.kind == CENTRED:
            move = -1.0
        elif w > 0.0:
            move = 1.0 / w
            shrink = 1.0 / (1.0 + step.ridge / w)
        moved2 = s[NORM2] - 2.0 * move * towards + move * move * gradient2
        moved2 = max(moved2, 0.0) * shrink * shrink
        if step.kind != CENTRED and moved2 > way.ball * way.ball:
            shrink *= way.ball / np.sqrt(moved2)
            moved2 = way.ball * way.ball
        for k in range(n_outputs):
            stride = -move * slope[k] / s[SCALE]
            if stride != 0.0:
                add_row(rows, i, stride, v[k])
                b[k] += stride * way.one
                if way.average:
                    add_row(rows, i, -s[KAPPA] * stride, total[k])
                    total_b[k] -= s[KAPPA] * stride * way.one
            kept[k] = shrink * (inner[k] - move * slope[k] * norm2)
        s[SCALE] *= shrink
        s[NORM2] = moved2
        if s[SCALE] < LEAST_SCALE or s[ROUNDS] % fold_after == 0.0:
            fold(state)

        if way.hint == NO_HINT and not way.implicit:
            continue
        if not way.implicit:
            explicit_hint(way, state, slope, gradient2, crossed)
        keep_row(rows, i, last, m)
        last, s[HINT_NORM2] = i, norm2
        if way.implicit:
            implicit_hint(loss, step, way, state, y[i], weight[i])
