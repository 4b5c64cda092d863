r"""Weights of experts by optimistic exponentiated gradients.

    p_t  proportional to  exp(-rate_t (g_1 + ... + g_{t-1} + M_t))                    (1)

With one rate this is mirror descent with the entropy, from the uniform weights. For rates that
never rise, the optimality of (1) and of its regularised leader give for all weights u

    sum <g_t, p_t - u>  <=  ln N / rate_T + sum_t min(rate_t / 2 d_t^2, 2 d_t) ,

where d_t is half the range of g_t - M_t: a constant added to all experts changes no weight.
"""

from typing import Any, NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.online._losses import Loss, scalar_loss

ROUNDS, VARIATION, LARGEST, INVERSE_RATE, STABILITY, LOSS = 0, 1, 2, 3, 4, 5
N_NUMBERS = 6


class Weights(NamedTuple):
    """State: sum of gradients, hint, and numbers."""

    total: np.ndarray
    hint: np.ndarray
    numbers: np.ndarray


@kernel
def rate_of(eta, n, s):
    """`eta`, or for 0 the adaptive sqrt(ln N / (V + largest d^2)); infinite before any d."""
    if eta > 0.0:
        return eta
    seen = s[VARIATION] + s[LARGEST] ** 2
    return np.sqrt(np.log(n) / seen) if seen > 0.0 else np.inf  # seen is 0 for one expert


@kernel
def weigh(eta, state, p):
    """Fill in the weights of the next round; their rate."""
    total, hint, s = state.total, state.hint, state.numbers
    n = len(p)
    rate = rate_of(eta, n, s)
    least = np.inf
    for i in range(n):
        least = min(least, total[i] + hint[i])
    whole = 0.0
    for i in range(n):
        behind = total[i] + hint[i] - least
        p[i] = np.exp(-rate * behind) if np.isfinite(rate) else 1.0
        whole += p[i]
    for i in range(n):
        p[i] /= whole
    return rate


@kernel
def learn_weights(X, y, weight, loss, of_losses, eta, hinted, state, out):
    """Weigh and learn rows one after another: forecasts of experts, or their losses."""
    total, hint, s = state.total, state.hint, state.numbers
    n = len(total)
    p, g = np.empty(n), np.empty(n)
    for t in range(len(y)):
        rate = weigh(eta, state, p)
        z = 0.0
        for i in range(n):
            z += p[i] * X[t, i]
        out[t, 0] = z
        if weight[t] == 0.0:
            continue
        value, slope = (z, 1.0) if of_losses else scalar_loss(loss, z, y[t])
        s[LOSS] += weight[t] * value
        low, high = np.inf, -np.inf
        for i in range(n):
            g[i] = weight[t] * slope * X[t, i]
            low, high = min(low, g[i] - hint[i]), max(high, g[i] - hint[i])
            total[i] += g[i]
            hint[i] = g[i] if hinted else 0.0
        half = 0.5 * (high - low)
        s[STABILITY] += min(0.5 * rate * half, 2.0) * half if half > 0.0 else 0.0
        s[VARIATION] += half * half
        s[LARGEST] = max(s[LARGEST], half)
        s[ROUNDS] += 1.0
        s[INVERSE_RATE] = 1.0 / rate


class SimplexPlan(NamedTuple):
    """What stays the same over the rounds."""

    loss: Loss
    of_losses: bool
    eta: float
    hinted: bool

    @property
    def state_of(self) -> type[Weights]:
        """Class of its states."""
        return Weights

    def start(self, n_outputs: int, n_experts: int) -> Weights:  # noqa: ARG002  as other plans
        """The state before the first round: all experts have one weight."""
        return Weights(np.zeros(n_experts), np.zeros(n_experts), np.zeros(N_NUMBERS))

    def learn(self, state: Weights, X: Any, y: np.ndarray, weight: np.ndarray) -> tuple:
        """Learn rows one after another; what was predicted before, and the state."""
        out = np.empty((len(X), 1))
        X = X.astype(np.float64, copy=False)
        learn_weights(X, y, weight, self.loss, self.of_losses, self.eta, self.hinted, state, out)
        return out, state

    def weights(self, state: Weights) -> tuple[np.ndarray, float]:
        """Weights and rate of the next round."""
        p = np.empty(len(state.total))
        rate = weigh(self.eta, state, p)
        return p, float(rate)

    def certificate(self, state: Weights) -> float:
        """Bound of the regret so far."""
        n, s = len(state.total), state.numbers
        return float(np.log(n) * s[INVERSE_RATE] + s[STABILITY])
