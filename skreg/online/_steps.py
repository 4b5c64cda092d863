r"""Step sizes, and the certificate of regret that any of them has.

Round t plays x_t, receives g_t, and moves the shadow point s_t, with weights w = 1 / step:

    x_t     = argmin_X  <M_t, x> + r(x) + w_h/2 |x - s_t|^2          (1)
    s_{t+1} = argmin_X  <g_t, x> + r(x) + w_g/2 |x - s_t|^2          (2)

r is the penalty, `ridge`-strongly convex. The optimality of both lines (and w_g >= w_h), summed
over t, bounds the regret against every u of size at most R, path by path and without any
assumption on the losses but convexity, as |u - s_t| <= R + |s_t|:

    sum_t f_t(x_t) + r(x_t) - f_t(u) - r(u)
      <= sum_t |g_t - M_t|^2 / (2 (w_h + ridge))                                   (stability)
       + sum_t 1/2 max(w_{g,t} - w_{g,t-1} - ridge [t > 1], 0) (R + |s_t|)^2       (pull)

With the steps of the paper it is at most the right side of its theorems: for "adaptive" steps
D/2 sqrt(delta + 4 G^2 + V) + D (sqrt(delta + V) - sqrt(delta)), for strongly convex ones
ridge D^2/16 + sum_t |g_t - M_t|^2 / (ridge (t + 2)).
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel

KNOWN, RUNNING, FIXED, CURVED, CENTRED = 0, 1, 2, 3, 4
# numbers that a learner keeps
ROUNDS, SCALE, NORM2, HINT_NORM2, VARIATION, MAX_GRADIENT = 0, 1, 2, 3, 4, 5
PULL, STABILITY, ANCHORED, LOSS, BETWEEN, ALONE, KAPPA, CORRECTED = 6, 7, 8, 9, 10, 11, 12, 13
N_NUMBERS = 14
NO_HINT, LAST_GRADIENT, AUTO, CALLABLE = 0, 1, 2, 3
HINTS = {"none": NO_HINT, "last_gradient": LAST_GRADIENT, "auto": AUTO}


class Step(NamedTuple):
    """How the weight of a step is found.

    Attributes
    ----------
    kind : int
        `KNOWN`: sqrt(delta + 4 G^2 + V) / D; `RUNNING`: the same with delta = 0 and the largest
        gradient so far for G; `FIXED`: 1 / size; `CURVED`: ridge t / 2; `CENTRED`: that of
        Sachs et al. (2022), (delta + sum of steps times |g - M|^2) / D^2.
    diameter : float
        D.
    radius : float
        R, the size of those points that the certificate speaks of.
    delta : float
        delta, or nu for `CENTRED`.
    lipschitz : float
        G.
    size : float
        Step of `FIXED`.
    ridge : float
        Strength of the squared penalty.
    """

    kind: int
    diameter: float
    radius: float
    delta: float
    lipschitz: float
    size: float
    ridge: float


@kernel
def weight_of(step, s):
    """Weight of the next step, as known now; 0 if there was no gradient yet to go by."""
    if step.kind == KNOWN:
        return np.sqrt(step.delta + 4.0 * step.lipschitz**2 + s[VARIATION]) / step.diameter
    if step.kind == RUNNING:
        return np.sqrt(4.0 * s[MAX_GRADIENT] ** 2 + s[VARIATION]) / step.diameter
    if step.kind == FIXED:
        return 1.0 / step.size
    if step.kind == CURVED:
        return 0.5 * step.ridge * (s[ROUNDS] + 1.0)
    return (step.delta + s[CORRECTED]) / step.diameter**2


@kernel
def certify(step, s, w_hint, w, deviation, shadow_norm):
    """Add a round to the certificate; `deviation` is |g - M|^2."""
    if step.kind == CENTRED:
        s[CORRECTED] += deviation / w
        s[STABILITY] += 0.25 * deviation / w
        s[PULL] = step.radius**2 * w
        return
    before = w_hint if w_hint > 0.0 else w  # without a hint x_t = s_t, and (2) alone bounds it
    s[STABILITY] += 0.5 * deviation / (before + step.ridge)
    s[PULL] += 0.5 * max(w - s[ANCHORED], 0.0) * (step.radius + shadow_norm) ** 2
    s[ANCHORED] = w + step.ridge


@kernel
def share_of_hint(hint, s):
    """How much of the last gradient is the hint.

    "auto" weighs it against no hint by what each would have deviated so far.
    """
    if hint == AUTO:
        return 1.0 / (1.0 + np.exp(2.0 * (s[BETWEEN] - s[ALONE])))
    return 1.0 if hint == LAST_GRADIENT else 0.0
