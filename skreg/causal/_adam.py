"""Adam on the objective of CoLiDE at a fixed point of the central path, many steps in one call.

One step of the reference iteration needs an inverse and one matrix product. The product serves
both the update of the noise scale after a step and the gradient of the next step; gradient, moments
and step are one pass over the entries. All is in double precision: an inverse and an update
C (W_new - W_old) of the product in single precision would save a third of the time at 200 nodes,
but a weight near zero that changes sign by rounding moves by the learning rate, so that runs part
within a thousand steps, and graphs of 100 nodes differed in up to 50 edges.

The fast iteration takes the same kind of steps in single precision. It keeps the residual
covariance R = C (I - W) up to date by R <- R - C (W_new - W_old): the product is then with a small
matrix, so that rounding in single precision is small against R, and it is computed afresh in double
precision every `REFRESH` steps. The inverse, which changes as slowly as W, is renewed every `LAG`
steps only. Adam averages gradients over about a hundred steps anyway. The residual bears no lag: at
one of two steps the stages oscillate, and graphs of 20 nodes have twice the wrong edges.

The inverse is that of a full matrix. That of a nearly triangular one would need fewer operations,
but no order of the nodes brings W o W near a triangle before the end of the last stage: without
entries whose sum is .1 in some row, all nodes still stand in one strong component.

W may have more rows than columns: the d columns are the nodes that have equations, and the rows
beyond the first d are nodes that can only be causes, such as past values. C is then the covariance
matrix of all n nodes, and acyclicity concerns the first d rows. With n = d all nodes are equal.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg.causal._equations import set_noise_scale
from skreg.causal._inverse import invert_m_matrix, workspace_size

LAG = 10
REFRESH = 100
TILE = 16
SMALLEST_RATE = 1e-16
EXCLUDED = -1.0

# what ended a call of `reference_steps` or `fast_steps`
DONE, LEFT_DOMAIN, RATE_VANISHED = 0, 1, 2


class Rates(NamedTuple):
    """Adam's decay rates, and the constant added to the root in its denominator."""

    beta_1: float = 0.99
    beta_2: float = 0.999
    epsilon: float = 1e-8


class State(NamedTuple):
    """Buffers of a stage: iterate, moments, noise scale and scratch space, all overwritten.

    Attributes
    ----------
    W : ndarray of shape (n, d)
        Weights.
    sigma : ndarray of shape (d,)
        Standard deviations.
    m : ndarray of shape (n, d)
        Mean of gradients.
    v : ndarray of shape (n, d)
        Mean of squared gradients.
    product : ndarray of shape (n, d)
        C W in the reference iteration, C (W_new - W_old) in the fast one.
    inverse : ndarray of shape (n, d)
        Transpose of (s I - W o W)^-1, of the current or a recent W, above rows of zeros.
    residual : ndarray of shape (n, d)
        C (I - W) in the fast iteration; unused in the other.
    step : ndarray of shape (n, d)
        W_new - W_old in the fast iteration; unused in the other.
    safe : ndarray of shape (n, d)
        In the fast iteration, the last W whose inverse was computed.
    q : ndarray of shape (d,)
        Mean squared residuals.
    work : ndarray
        For the inverse.
    """

    W: np.ndarray
    sigma: np.ndarray
    m: np.ndarray
    v: np.ndarray
    product: np.ndarray
    inverse: np.ndarray
    residual: np.ndarray
    step: np.ndarray
    safe: np.ndarray
    q: np.ndarray
    work: np.ndarray


def reference_state(C, W, sigma):
    """Double-precision state at weights W and noise scale sigma (both copied)."""
    d = len(sigma)
    unused = np.empty((0, 0))
    return State(
        W=np.array(W, order="C"),
        sigma=sigma.copy(),
        m=np.zeros(W.shape),
        v=np.zeros(W.shape),
        product=C @ W,
        inverse=np.zeros(W.shape),
        residual=unused,
        step=unused,
        safe=unused,
        q=np.empty(d),
        work=np.empty(workspace_size(d)),
    )


def fast_state(C, W, sigma):  # noqa: ARG001  arguments of `reference_state`
    """Single-precision state at weights W and noise scale sigma (both copied)."""
    d = len(sigma)
    single = np.float32
    return State(
        W=np.array(W, dtype=single, order="C"),
        sigma=sigma.astype(single),
        m=np.zeros(W.shape, single),
        v=np.zeros(W.shape, single),
        product=np.empty(W.shape, single),
        inverse=np.zeros(W.shape, single),
        residual=np.empty(W.shape, single),
        step=np.empty(W.shape, single),
        safe=np.array(W, dtype=single, order="C"),
        q=np.empty(d, single),
        work=np.empty(workspace_size(d), single),
    )


@kernel
def _invert_in_domain(W, s, inverse, work):
    """Write (s I - W o W)^-T into `inverse`; False outside the domain of M-matrices."""
    d = W.shape[1]
    for row in range(0, d, TILE):
        for column in range(0, d, TILE):
            for i in range(row, min(row + TILE, d)):
                for j in range(column, min(column + TILE, d)):
                    inverse[j, i] = -W[i, j] * W[i, j]
    for i in range(d):
        inverse[i, i] += W.dtype.type(s)
    return invert_m_matrix(inverse[:d], work)


@kernel
def _update_noise_scale(C, noise, state):
    """Mean squared residuals q_j = R_jj - sum_i W_ij R_ij with R = C - C W, and sigma from them."""
    W, product, q = state.W, state.product, state.q
    d = len(q)
    np.dot(C, W, product)
    for j in range(d):
        q[j] = C[j, j] - product[j, j]
    for i in range(len(W)):
        for j in range(d):
            q[j] -= W[i, j] * (C[i, j] - product[i, j])
    set_noise_scale(noise, q, state.sigma)


@kernel
def _move_along_last_step(state, penalty, rates, t, length):
    """W <- W + length * (step of iteration t)."""
    W, m, v = state.W, state.m, state.v
    unbias_1 = 1.0 - rates.beta_1**t
    unbias_2 = 1.0 - rates.beta_2**t
    for i in range(len(W)):
        for j in range(W.shape[1]):
            if penalty[i, j] != EXCLUDED:
                step = (m[i, j] / unbias_1) / (np.sqrt(v[i, j] / unbias_2) + rates.epsilon)
                W[i, j] += length * step


@kernel
def _step(C, state, penalty, rates, mu, rate, t):
    """One step of Adam with the gradient of mu (S + ||penalty o W||_1) + h_s."""
    W, m, v, product, inverse, precision = (
        state.W, state.m, state.v, state.product, state.inverse, state.q,
    )  # fmt: skip
    beta_1, beta_2 = rates.beta_1, rates.beta_2
    unbias_1 = 1.0 / (1.0 - beta_1**t)
    unbias_2 = 1.0 / (1.0 - beta_2**t)
    d = W.shape[1]
    for j in range(d):
        precision[j] = 1.0 / state.sigma[j]  # q is free until the step is done
    for i in range(len(W)):
        for j in range(d):
            w, free = W[i, j], penalty[i, j] != EXCLUDED
            sign = (1.0 if w > 0.0 else 0.0) - (1.0 if w < 0.0 else 0.0)
            score_gradient = penalty[i, j] * sign - (C[i, j] - product[i, j]) * precision[j]
            gradient = mu * score_gradient + 2.0 * w * inverse[i, j]
            mean = beta_1 * m[i, j] + (1.0 - beta_1) * gradient
            square = beta_2 * v[i, j] + (1.0 - beta_2) * gradient * gradient
            m[i, j] = mean
            v[i, j] = square
            moved = w - rate * (mean * unbias_1 / (np.sqrt(square * unbias_2) + rates.epsilon))
            W[i, j] = moved if free else 0.0


@kernel
def reference_steps(C, noise, state, penalty, rates, mu, s, rate, first, n_steps):
    """Iterations first .. first + n_steps - 1 of a stage, exactly as DAGMA and CoLiDE define them.

    Where a step leaves the domain, it is halved until it does not, and the learning rate stays
    halved. In the first iteration, or with s at most 0.9, the stage fails instead.

    Parameters
    ----------
    C : ndarray of shape (n, n)
        Covariance matrix.
    noise : EqualNoise, UnequalNoise or UnitNoise
        Kind of the score.
    state : State
        From `reference_state`; overwritten.
    penalty : ndarray of shape (n, d)
        Weights of the absolute values; -1 keeps an entry of W at zero.
    rates : Rates
        Decay rates.
    mu : float
        Weight of the score.
    s : float
        Bound of the domain.
    rate : float
        Learning rate.
    first : int
        Number of the first iteration, from 1.
    n_steps : int
        Number of iterations.

    Returns
    -------
    outcome : int
        `DONE`, `LEFT_DOMAIN` (the stage failed) or `RATE_VANISHED` (halved to nothing).
    rate : float
        Learning rate at the end.
    n_done : int
        Completed iterations.
    """
    for t in range(first, first + n_steps):
        halved = False
        while not _invert_in_domain(state.W, s, state.inverse, state.work):
            if t == 1 or s <= 0.9:
                return LEFT_DOMAIN, rate, t - first
            _move_along_last_step(state, penalty, rates, t - 1, rate)
            rate *= 0.5
            if rate <= SMALLEST_RATE:
                return RATE_VANISHED, rate, t - first
            _move_along_last_step(state, penalty, rates, t - 1, -rate)
            halved = True
        if halved:
            _update_noise_scale(C, noise, state)
        _step(C, state, penalty, rates, mu, rate, t)
        _update_noise_scale(C, noise, state)
    return DONE, rate, n_steps


@kernel(reassociate=True)
def _fast_step(state, penalty, rates, mu, rate, t):
    """As `_step`, in the precision of the state, and with W_new - W_old kept."""
    W, m, v, residual, inverse, step, precision = (
        state.W, state.m, state.v, state.residual, state.inverse, state.step, state.q,
    )  # fmt: skip
    single = W.dtype.type
    zero, one, two = single(0.0), single(1.0), single(2.0)
    beta_1, beta_2 = single(rates.beta_1), single(rates.beta_2)
    rest_1, rest_2 = single(1.0 - rates.beta_1), single(1.0 - rates.beta_2)
    unbias_1 = single(rate / (1.0 - rates.beta_1**t))
    unbias_2 = single(1.0 / (1.0 - rates.beta_2**t))
    epsilon, weight = single(rates.epsilon), single(mu)
    d = W.shape[1]
    for j in range(d):
        precision[j] = one / state.sigma[j]  # q is free until the step is done
    for i in range(len(W)):
        for j in range(d):
            w, free = W[i, j], penalty[i, j] >= zero
            sign = (one if w > zero else zero) - (one if w < zero else zero)
            score_gradient = penalty[i, j] * sign - residual[i, j] * precision[j]
            gradient = weight * score_gradient + two * w * inverse[i, j]
            mean = beta_1 * m[i, j] + rest_1 * gradient
            square = beta_2 * v[i, j] + rest_2 * gradient * gradient
            m[i, j] = mean
            v[i, j] = square
            moved = w - mean * unbias_1 / (np.sqrt(square * unbias_2) + epsilon)
            moved = moved if free else zero
            step[i, j] = moved - w
            W[i, j] = moved


@kernel(reassociate=True)
def _fast_residual(state):
    """R <- R - C (W_new - W_old), whose product is there already, and q_j = R_jj - (W^T R)_jj."""
    W, residual, product, q = state.W, state.residual, state.product, state.q
    d = len(q)
    q[:] = W.dtype.type(0.0)
    for i in range(len(W)):
        for j in range(d):
            r = residual[i, j] - product[i, j]
            residual[i, j] = r
            q[j] -= W[i, j] * r
    for j in range(d):
        q[j] += residual[j, j]


@kernel
def _refresh_residual(C, state, D, R):
    """R = C (I - W) in double precision, then rounded."""
    W, residual = state.W, state.residual
    d = W.shape[1]
    for i in range(len(W)):
        for j in range(d):
            D[i, j] = -W[i, j]
    for j in range(d):
        D[j, j] += 1.0
    np.dot(C, D, R)
    for i in range(len(W)):
        for j in range(d):
            residual[i, j] = R[i, j]


@kernel
def _copy_matrix(source, target):
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@kernel
def fast_steps(C, C_single, noise, state, penalty, rates, mu, s, rate, first, n_steps):
    """Iterations of a stage with single-precision steps and an inverse that lags behind.

    Where an inverse finds W outside the domain, W goes back to where the last one was computed, and
    the learning rate is halved. Parameters and returns are those of `reference_steps`, with C in
    double and in single precision, and `state` from `fast_state`.
    """
    D, R = np.empty(state.W.shape), np.empty(state.W.shape)
    for t in range(first, first + n_steps):
        stale = t == first or (t - 1) % REFRESH == 0
        if t == first or (t - 1) % LAG == 0:
            while not _invert_in_domain(state.W, s, state.inverse, state.work):
                if t == 1 or s <= 0.9:
                    return LEFT_DOMAIN, rate, t - first
                rate *= 0.5
                if rate <= SMALLEST_RATE:
                    return RATE_VANISHED, rate, t - first
                _copy_matrix(state.safe, state.W)
                stale = True
            _copy_matrix(state.W, state.safe)
        if stale:
            _refresh_residual(C, state, D, R)
        _fast_step(state, penalty, rates, mu, rate, t)
        np.dot(C_single, state.step, state.product)
        _fast_residual(state)
        set_noise_scale(noise, state.q, state.sigma)
    return DONE, rate, n_steps
