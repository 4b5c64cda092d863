r"""Multinomial logistic regression in few steps, and its left-out probabilities.

With eta_i = V^T z_i + b and p_i = softmax(eta_i), the head minimises

    sum_i w_i (logsumexp(eta_i) - eta_i,y_i) + (alpha/2) ||V||^2,    alpha = trace / v,

where trace is the mean of ||z_i||^2, so that v is the variance of a score under the normal prior
that the penalty stands for. It starts at zero and stops early: it is weighed as what it is. More
strengths, more steps, or a start at the best closed form found nothing better in the average.

Leaving out one copy of weight w of row i changes the score of class k by a Newton step [1]. With
the curvature of one class at a time, H_k = sum_i w_i h_ik z_i z_i^T + alpha, h_ik = p_ik (1 - p_ik)
K / (K - 1), and a_ik = z_i^T H_k^-1 z_i, rows extended by a one,

    eta_ik^(-i) = eta_ik + w a_ik (p_ik - [k = y_i]) / (1 - w a_ik h_ik).

The step is that of all classes at once for two classes, and for K equally probable ones. Else it
leaves out curvature between classes: the matrix of all would take K times as long and gave no
better a choice. Two short cuts: other classes k with p_ik < `RIVAL` (1 - p_iy) stay as they are,
whose steps move the log-probability by less than that share of the step of class y; and rows of
less than `FLAT` of the mean curvature are no part of H_k, which then lacks less than that share of
its trace.

[1] K. Rahnama Rad, A. Maleki, "A scalable estimate of the out-of-sample prediction error via
approximate leave-one-out cross-validation", JRSS B 82, 2020.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from skreg._jit import kernel
from skreg.probe._mixture import LEAST_PROBABILITY

FREE = 1e-6  # penalty of intercepts over the weight of all rows, which fixes their common shift
LARGEST_LEVERAGE = 0.999
RIVAL, FLAT = 0.1, 0.01
MAX_ITER, TOLERANCE, DECREASE = 12, 1e-4, 1e-9  # of L-BFGS


class Head(NamedTuple):
    """Coefficients (r, K) and intercepts (K,) of a logistic regression, and its penalty."""

    coef: np.ndarray
    intercept: np.ndarray
    alpha: float


def logistic_head(rows, second, codes, weights, n_classes, variance):
    """`Head` for a variance v of scores: L-BFGS in units of the curvature at equal probabilities.

    `rows` (n, r + 1) end in a one. Their other columns should be uncorrelated, which makes these
    units good ones; `second` (r,) are their sums of squares.
    """
    trace = second.sum() / weights.sum() or 1.0  # any penalty will do for columns of zeros
    r, alpha, curvature = second.size, trace / variance, 1.0 / n_classes
    unit = 1.0 / np.sqrt(np.append(curvature * second + alpha, curvature * weights.sum()))
    ridge = np.append(np.full(r, alpha), FREE * weights.sum())

    def objective(flat):
        theta = flat.reshape(n_classes, r + 1) * unit
        scores = rows @ theta.T
        value = loss_and_residual(scores, codes, weights) + 0.5 * (ridge * theta**2).sum()
        return value, ((scores.T @ rows + ridge * theta) * unit).ravel()

    options = {"maxiter": MAX_ITER, "gtol": TOLERANCE, "ftol": DECREASE}
    start = np.zeros((r + 1) * n_classes)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    theta = found.x.reshape(n_classes, r + 1) * unit
    return Head(theta[:, :r].T, theta[:, r], alpha)


@kernel
def loss_and_residual(scores, codes, weights):
    """Sum of w_i (logsumexp(eta_i) - eta_i,y_i); puts w_i (p_ik - [k = y_i]) in place of scores."""
    loss = 0.0
    for i in range(codes.size):
        most = scores[i].max()
        own, total = scores[i, codes[i]] - most, 0.0
        for k in range(scores.shape[1]):
            scores[i, k] = np.exp(scores[i, k] - most)
            total += scores[i, k]
        loss += weights[i] * (np.log(total) - own)
        for k in range(scores.shape[1]):
            scores[i, k] *= weights[i] / total
        scores[i, codes[i]] -= weights[i]
    return loss


def left_out_head(rows, codes, weights, kept, unit, head):
    """Left-out probabilities of the own class (len(kept),), by Newton steps.

    `unit` (n,) are the weights of the copies that leave, one for each row.
    """
    ridge = np.append(np.full(len(head.coef), head.alpha), FREE * weights.sum())
    scores = rows @ np.vstack([head.coef, head.intercept])
    p, n_classes = softmax(scores, axis=1), scores.shape[1]
    curvature = p * (1.0 - p) * (n_classes / (n_classes - 1))
    scores, y = scores[kept], codes[kept]
    others = RIVAL * (1.0 - p[kept, y])
    for k in range(n_classes):
        own = y == k
        near = np.flatnonzero(own | (p[kept, k] > others))
        some = kept[near]
        weighted = weights * curvature[:, k]
        bent = np.flatnonzero(weighted > FLAT * weighted.mean())
        half = rows[bent] * np.sqrt(weighted[bent])[:, None]
        root = linalg.cholesky(half.T @ half + np.diag(ridge), lower=True, check_finite=False)
        inverse, _ = linalg.lapack.dtrtri(root, lower=1)
        leverage = unit[some] * ((rows[some] @ inverse.T) ** 2).sum(axis=1)
        push = leverage * (p[some, k] - own[near])
        scores[near, k] += push / (
            1.0 - np.minimum(leverage * curvature[some, k], LARGEST_LEVERAGE)
        )
    own = np.exp(log_softmax(scores, axis=1)[np.arange(y.size), y])
    return np.maximum(own, LEAST_PROBABILITY)
