r"""Multinomial logistic regression along a path of strengths, and its left-out probabilities.

With eta_i = V^T z_i + b and p_i = softmax(eta_i), a member of the path minimises

    sum_i w_i (logsumexp(eta_i) - eta_i,y_i) + (alpha/2) ||V||^2,    alpha = trace / v,

where trace is the mean of ||z_i||^2, so that v is the variance of a score under the normal prior
that the penalty stands for. Leaving out one copy of weight w of row i changes the score of class k
by a Newton step [1]. With the curvature of one class at a time, H_k = sum_i w_i h_ik z_i z_i^T +
alpha, h_ik = p_ik (1 - p_ik) K / (K - 1), and a_ik = z_i^T H_k^-1 z_i, rows extended by a one,

    eta_ik^(-i) = eta_ik + w a_ik (p_ik - [k = y_i]) / (1 - w a_ik h_ik).

The step is that of all classes at once for two classes, and for K equally probable ones. Else it
leaves out curvature between classes: the matrix of all would take K times as long and gave no
better a choice.

[1] K. Rahnama Rad, A. Maleki, "A scalable estimate of the out-of-sample prediction error via
approximate leave-one-out cross-validation", JRSS B 82, 2020.

The path starts at zero and the strongest penalty. A start at the coefficients of the best closed
form was tried: it took as many iterations and found nothing better.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from skreg.probe._mixture import LEAST_PROBABILITY

FREE = 1e-6  # penalty of intercepts over the weight of all rows, which fixes their common shift
LARGEST_LEVERAGE = 0.999
# of L-BFGS; a member that is not at its optimum is weighed as what it is
MAX_ITER, TOLERANCE, DECREASE = 25, 1e-4, 1e-9


class Head(NamedTuple):
    """Coefficients (r, K) and intercepts (K,) of one member of the path."""

    coef: np.ndarray
    intercept: np.ndarray
    alpha: float


def logistic_path(Z, one_hot, weights, variances):
    """`Head` for each variance v of scores, in rising order, each started at the one before."""
    second = weights @ Z**2
    trace = second.sum() / weights.sum() or 1.0  # any penalty will do for columns of zeros
    coef, intercept = np.zeros((Z.shape[1], one_hot.shape[1])), np.zeros(one_hot.shape[1])
    path = []
    for variance in variances:
        alpha = trace / variance
        coef, intercept = _minimise(Z, one_hot, weights, second, alpha, coef, intercept)
        path.append(Head(coef, intercept, alpha))
    return path


def _minimise(Z, one_hot, weights, second, alpha, coef, intercept):
    """L-BFGS on coefficients in units of the curvature at equal probabilities."""
    r, n_classes = coef.shape
    curvature = 1.0 / n_classes
    unit = 1.0 / np.sqrt(np.append(curvature * second + alpha, curvature * weights.sum()))[:, None]
    ridge = np.append(np.full(r, alpha), FREE * weights.sum())[:, None]
    extended = np.column_stack([Z, np.ones(len(Z))])

    def objective(flat):
        theta = flat.reshape(r + 1, n_classes) * unit
        log_p = log_softmax(extended @ theta, axis=1)
        slope = extended.T @ (weights[:, None] * (np.exp(log_p) - one_hot)) + ridge * theta
        value = 0.5 * (ridge * theta**2).sum() - weights @ (one_hot * log_p).sum(axis=1)
        return value, (slope * unit).ravel()

    start = np.vstack([coef, intercept]) / unit
    options = {"maxiter": MAX_ITER, "gtol": TOLERANCE, "ftol": DECREASE}
    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    theta = found.x.reshape(r + 1, n_classes) * unit
    return theta[:r], theta[r]


def left_out_head(Z, codes, weights, rows, unit, head):
    """Left-out probabilities of the own class (len(rows),), by Newton steps."""
    extended = np.column_stack([Z, np.ones(len(Z))])
    scores = Z @ head.coef + head.intercept
    p = softmax(scores, axis=1)
    some, y = extended[rows], codes[rows]
    ridge = np.append(np.full(Z.shape[1], head.alpha), FREE * weights.sum())
    n_classes = p.shape[1]
    for k in range(n_classes):
        h = p[:, k] * (1.0 - p[:, k]) * (n_classes / (n_classes - 1))
        half = extended * np.sqrt(weights * h)[:, None]
        root = linalg.cholesky(half.T @ half + np.diag(ridge), lower=True)
        leverage = unit * (linalg.solve_triangular(root, some.T, lower=True) ** 2).sum(axis=0)
        push = leverage * (p[rows, k] - (y == k))
        scores[rows, k] += push / (1.0 - np.minimum(leverage * h[rows], LARGEST_LEVERAGE))
    own = np.exp(log_softmax(scores[rows], axis=1)[np.arange(y.size), y])
    return np.maximum(own, LEAST_PROBABILITY)
