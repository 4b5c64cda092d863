r"""Rounds of an ensemble: learners of fixed steps on one gradient, mixed by optimistic Hedge.

Learner i plays x_i = A_i s_i - B_i c m^T as in `skreg.online._lazy`; what is played is
x = sum_i p_i x_i, and all learn from its gradient g. With the loss of the meta learner and its hint

    l_i = <g, x_i> + switch |x_i - x_i'|^2 ,    m_i = <M, x_i> + switch |x_i - x_i'|^2

(x_i' is played the round before) p_i is proportional to exp(-rate (sum of past l_i + m_i)).

For every learner, sum <g, x - u> is sum <g, x - x_i>, which is measured, plus sum <g, x_i - u>,
which the certificate of `skreg.online._steps` bounds: the least of these sums is a certificate.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.online._lazy import FOLD_AFTER, LEAST_SCALE
from skreg.online._losses import evaluate
from skreg.online._rows import add_row, dot, keep_row, sums
from skreg.online._steps import (
    ALONE,
    AUTO,
    BETWEEN,
    HINT_NORM2,
    LOSS,
    MAX_GRADIENT,
    ROUNDS,
    VARIATION,
    share_of_hint,
)

REGULARISER = 1e-3  # of the practical rate, before anything was lost
# numbers of an ensemble beyond those of a learner
LARGEST_ROW, META_VARIATION, BEFORE_NORM2, BETWEEN_ROWS = 14, 15, 16, 17
N_NUMBERS = 18
# numbers of one learner
SCALE, NORM2, PULL, STABILITY, ANCHORED, META, BEHIND = range(7)
# factors of its next and its last round
SHADOW, HINT, LAST_SHADOW, LAST_HINT, SHRINK, STRIDE = range(7, 13)
N_OWN = 13


class Pool(NamedTuple):
    """State of N learners with n_outputs each.

    Attributes
    ----------
    v, b : ndarray of shape (N, n_outputs, n_features) and (N, n_outputs)
        Shadow points, over their scales.
    m : ndarray of shape (n_features,)
        The kept row.
    c, before : ndarray of shape (n_outputs,)
        The hint and the last gradient are these times the kept row.
    c_before : ndarray of shape (n_outputs,)
        The hint of the last round is this times the row before the kept one.
    kept, kept_before : ndarray of shape (N, n_outputs)
        Shadow points times the kept row, and times the one before.
    own : ndarray of shape (N, N_OWN)
        Numbers of each learner: scale, squared norm, certificate, loss of the meta learner, what
        the mixture lost beyond it, and the factors of its last round.
    weights : ndarray of shape (N,)
        The mixture of the last round.
    numbers : ndarray of shape (N_NUMBERS,)
        Numbers of the ensemble.
    """

    v: np.ndarray
    b: np.ndarray
    m: np.ndarray
    c: np.ndarray
    before: np.ndarray
    c_before: np.ndarray
    kept: np.ndarray
    kept_before: np.ndarray
    own: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray


class Mixing(NamedTuple):
    """What stays the same over the rounds.

    Attributes
    ----------
    hint : int
        Kind of the hint.
    ball, radius : float
        Radius of the domain, infinite for none, and that which the certificate speaks of.
    one : float
        Entry of each row for the intercept, 0 without one.
    relative : bool
        Whether steps are divided by the largest squared norm of a row so far.
    switch : float
        Price of moving.
    scale : float
        Factor of the practical rate; 0 for that of theory.
    largest_rate : float
        Of theory.
    """

    hint: int
    ball: float
    radius: float
    one: float
    relative: bool
    switch: float
    scale: float
    largest_rate: float


@kernel
def step_of(mixing, state, steps, i):
    """Step of learner i as known now, 0 before there was a row to go by."""
    if not mixing.relative:
        return steps[i]
    largest = state.numbers[LARGEST_ROW]
    return steps[i] / largest if largest > 0.0 else 0.0


@kernel
def play(mixing, state, steps):
    """Set factors and weights of the next round; the loss that the meta learner expects."""
    own, c, numbers = state.own, state.c, state.numbers
    n_learners, n_outputs = state.kept.shape
    expected = np.empty(n_learners)
    for i in range(n_learners):
        step = step_of(mixing, state, steps, i)
        shadow, hint = 1.0, step
        crossed, squared = 0.0, 0.0
        for k in range(n_outputs):
            crossed += c[k] * state.kept[i, k]
            squared += c[k] * c[k]
        squared *= numbers[HINT_NORM2]
        norm2 = own[i, NORM2] - 2.0 * step * crossed + step * step * squared
        if norm2 > mixing.ball**2:
            shadow = mixing.ball / np.sqrt(norm2)
            hint *= shadow
        expected[i] = shadow * crossed - hint * squared
        if mixing.switch > 0.0 and numbers[ROUNDS] > 0.0:
            expected[i] += mixing.switch * moved2(state, i, shadow, hint)
        own[i, SHADOW], own[i, HINT] = shadow, hint
    rate = rate_of(mixing, state)
    least = np.inf
    for i in range(n_learners):
        least = min(least, own[i, META] + expected[i])
    total = 0.0
    for i in range(n_learners):
        state.weights[i] = np.exp(-rate * (own[i, META] + expected[i] - least))
        total += state.weights[i]
    for i in range(n_learners):
        state.weights[i] /= total
    return expected


@kernel
def rate_of(mixing, state):
    """Rate of the meta learner."""
    variation = state.numbers[META_VARIATION]
    if mixing.scale > 0.0:
        return mixing.scale * np.sqrt(np.log(len(state.own)) / (REGULARISER + variation))
    return min(mixing.largest_rate, 1.0 / np.sqrt(1.0 + variation))


@kernel
def moved2(state, i, shadow, hint):
    """|x_i - x_i'|^2 for the next point of learner i and its last one.

    The last round went from s' to s = shrink (s' - stride g), g = slope m^T, so that
    x' = A'/shrink s + A' stride g - B' c' m'^T, and the difference lies in the span of s, m, m'.
    """
    own, numbers = state.own, state.numbers
    of_shadow = shadow - own[i, LAST_SHADOW] / own[i, SHRINK]
    total = of_shadow * of_shadow * own[i, NORM2]
    for k in range(len(state.c)):
        of_kept = -hint * state.c[k] - own[i, LAST_SHADOW] * own[i, STRIDE] * state.before[k]
        of_before = own[i, LAST_HINT] * state.c_before[k]
        total += of_kept * of_kept * numbers[HINT_NORM2]
        total += of_before * of_before * numbers[BEFORE_NORM2]
        total += 2.0 * of_shadow * of_kept * state.kept[i, k]
        total += 2.0 * of_shadow * of_before * state.kept_before[i, k]
        total += 2.0 * of_kept * of_before * numbers[BETWEEN_ROWS]
    return max(total, 0.0)


@kernel
def fold_learner(state, i):
    """Multiply the scale of learner i into v, and recompute the norm."""
    v, b, own = state.v[i], state.b[i], state.own
    norm2 = 0.0
    for k in range(v.shape[0]):
        for j in range(v.shape[1]):
            v[k, j] *= own[i, SCALE]
            norm2 += v[k, j] * v[k, j]
        b[k] *= own[i, SCALE]
        norm2 += b[k] * b[k]
    own[i, SCALE], own[i, NORM2] = 1.0, norm2


@kernel
def learn_together(  # noqa: C901  one compiled loop
    rows, y, weight, loss, steps, mixing, limit, state, out, start
):
    """Play and learn rows from `start` on until `limit` rounds are done; how many were read."""
    own, c, numbers = state.own, state.c, state.numbers
    kept, kept_before, weights = state.kept, state.kept_before, state.weights
    n_learners, n_outputs = kept.shape
    inner, played = np.empty((n_learners, n_outputs)), np.empty((n_learners, n_outputs))
    z, slope = np.empty(n_outputs), np.empty(n_outputs)
    last = -1
    fold_after = max(FOLD_AFTER, state.m.shape[0])
    for t in range(start, len(y)):
        if numbers[ROUNDS] >= limit:
            return t - start
        first, crossed, norm2 = sums(rows, t, state.v[0, 0], state.m)
        crossed += mixing.one
        norm2 += mixing.one
        expected = play(mixing, state, steps)
        for k in range(n_outputs):
            z[k] = 0.0
        for i in range(n_learners):
            for k in range(n_outputs):
                along = first if i == 0 and k == 0 else dot(rows, t, state.v[i, k])
                inner[i, k] = own[i, SCALE] * (along + state.b[i, k] * mixing.one)
                played[i, k] = own[i, SHADOW] * inner[i, k] - own[i, HINT] * c[k] * crossed
                z[k] += weights[i] * played[i, k]
        for k in range(n_outputs):
            out[t, k] = z[k]
        if weight[t] == 0.0:
            continue
        numbers[LOSS] += weight[t] * evaluate(loss, z, y[t], slope)

        squared, hinted, mixed, at_mixture = 0.0, 0.0, 0.0, 0.0
        for k in range(n_outputs):
            slope[k] *= weight[t]
            squared += slope[k] * slope[k]
            hinted += c[k] * c[k]
            mixed += slope[k] * c[k]
            at_mixture += slope[k] * z[k]
        gradient2 = squared * norm2
        deviation = gradient2 - 2.0 * mixed * crossed + hinted * numbers[HINT_NORM2]
        deviation = max(deviation, 0.0)
        numbers[MAX_GRADIENT] = max(numbers[MAX_GRADIENT], np.sqrt(gradient2))
        numbers[VARIATION] += deviation

        surprise = np.empty(n_learners)
        mean_surprise = 0.0
        for i in range(n_learners):
            lost, guessed = 0.0, 0.0
            for k in range(n_outputs):
                lost += slope[k] * played[i, k]
                guessed += c[k] * (own[i, SHADOW] * kept[i, k])
                guessed -= c[k] * own[i, HINT] * c[k] * numbers[HINT_NORM2]
            surprise[i] = lost - guessed
            mean_surprise += surprise[i] / n_learners
            own[i, META] += lost + (expected[i] - guessed)
            own[i, BEHIND] += at_mixture - lost
        largest = 0.0
        for i in range(n_learners):
            centre = mean_surprise if mixing.scale > 0.0 else 0.0
            largest = max(largest, abs(surprise[i] - centre))
        numbers[META_VARIATION] += largest * largest

        before = numbers[LARGEST_ROW]
        numbers[LARGEST_ROW] = max(before, norm2)
        for i in range(n_learners):
            step = step_of(mixing, state, steps, i)
            moved_scale, towards = 1.0, 0.0
            if step > 0.0:
                earlier = steps[i] / before if mixing.relative and before > 0.0 else step
                shadow_norm = np.sqrt(own[i, NORM2])
                own[i, STABILITY] += 0.5 * deviation * earlier
                rise = max(1.0 / step - own[i, ANCHORED], 0.0)
                own[i, PULL] += 0.5 * rise * (mixing.radius + shadow_norm) ** 2
                own[i, ANCHORED] = 1.0 / step
            for k in range(n_outputs):
                towards += slope[k] * inner[i, k]
            after2 = own[i, NORM2] - 2.0 * step * towards + step * step * gradient2
            after2 = max(after2, 0.0)
            if after2 > mixing.ball**2:
                moved_scale = mixing.ball / np.sqrt(after2)
                after2 = mixing.ball**2
            for k in range(n_outputs):
                stride = -step * slope[k] / own[i, SCALE]
                if stride != 0.0:
                    add_row(rows, t, stride, state.v[i, k])
                    state.b[i, k] += stride * mixing.one
                kept_before[i, k] = moved_scale * (kept[i, k] - step * slope[k] * crossed)
                kept[i, k] = moved_scale * (inner[i, k] - step * slope[k] * norm2)
            own[i, SCALE] *= moved_scale
            own[i, NORM2] = after2
            own[i, SHRINK], own[i, STRIDE] = moved_scale, step
            own[i, LAST_SHADOW], own[i, LAST_HINT] = own[i, SHADOW], own[i, HINT]
        numbers[ROUNDS] += 1.0
        if numbers[ROUNDS] % fold_after == 0.0:
            for i in range(n_learners):
                fold_learner(state, i)
        else:
            for i in range(n_learners):
                if own[i, SCALE] < LEAST_SCALE:
                    fold_learner(state, i)

        for k in range(n_outputs):
            state.c_before[k] = c[k]
        numbers[BEFORE_NORM2], numbers[BETWEEN_ROWS] = numbers[HINT_NORM2], crossed
        if mixing.hint == AUTO:
            numbers[ALONE] += gradient2
            numbers[BETWEEN] += gradient2
            for k in range(n_outputs):
                change = state.before[k] * numbers[HINT_NORM2] - 2.0 * slope[k] * crossed
                numbers[BETWEEN] += state.before[k] * change
        share = share_of_hint(mixing.hint, numbers)
        for k in range(n_outputs):
            c[k] = share * slope[k]
            state.before[k] = slope[k]
        keep_row(rows, t, last, state.m)
        last, numbers[HINT_NORM2] = t, norm2
    return len(y) - start
