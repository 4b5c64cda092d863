"""Problems of the race between sparse solvers, and the certificate that referees it.

With the mean loss over n samples, no intercept and coefficients w,

    P(w) = (1/n) sum_i l(x_i^T w, y_i) + alpha (l1_ratio Omega(w) + (1 - l1_ratio) ||w||^2 / 2),

where Omega is the 1-norm, or the sum of the 2-norms of groups of ten features in a row. The
relative gap (P(w) - D(w)) / P(0) bounds (P(w) - min P) / P(0); D is the dual value of the residuals
at w, scaled until they are feasible. Everything here is plain numpy and shares no code with any
contestant. Arrays have a leading axis over the strengths alpha.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from scipy.special import entr, expit, log_expit, logsumexp, softmax, xlogy
from sklearn.datasets import load_digits

GROUP_SIZE = 10
LASSO, ELASTIC_NET, GROUP_LASSO = "lasso", "elastic net", "group lasso"
LOGISTIC, MULTINOMIAL, POISSON = "L1 logistic", "L1 multinomial", "L1 Poisson"
LEAST_SQUARES = (LASSO, ELASTIC_NET, GROUP_LASSO)
SIGNAL_TO_NOISE = 3.0


class Problem(NamedTuple):
    """A design, a response and the strengths at which to solve.

    X is a Fortran-ordered array or a CSC matrix; y has shape (n,), in {-1, 1} for the L1 logistic
    problem, or (k, n) with one-hot columns for the multinomial one.
    """

    kind: str
    X: Any
    y: np.ndarray
    alphas: np.ndarray
    l1_ratio: float


def correlated_design(rng, n_samples, n_features):
    """Normal columns X_j = X_{j-1} / 2 + sqrt(3/4) Z_j, all of unit variance."""
    X = np.asfortranarray(rng.standard_normal((n_samples, n_features)))
    for j in range(1, n_features):
        X[:, j] *= np.sqrt(0.75)
        X[:, j] += 0.5 * X[:, j - 1]
    return X


def sparse_design(rng, n_samples, n_features, density=0.01):
    """Normal entries at uniform positions, duplicates dropped, int32 indices."""
    size = int(n_samples * n_features * density)
    cells = np.unique(rng.integers(n_samples * n_features, size=size))
    columns, rows = np.divmod(cells, n_samples)
    starts = np.searchsorted(columns, np.arange(n_features + 1)).astype(np.int32)
    return scipy.sparse.csc_matrix(
        (rng.standard_normal(len(cells)), rows.astype(np.int32), starts),
        shape=(n_samples, n_features),
    )


def short_design(rng, n_samples, n_features):
    """`sparse_design` with half the entries, so that passes over short columns are the cost."""
    return sparse_design(rng, n_samples, n_features, density=0.005)


def one_hot_design(rng, n_samples, n_features, n_categories=10):
    """Indicators of the levels of categories, the k-th level as frequent as 1 / k; not scaled."""
    n_levels = n_features // n_categories
    frequency = 1.0 / np.arange(1, n_levels + 1)
    levels = rng.choice(n_levels, size=(n_samples, n_categories), p=frequency / frequency.sum())
    columns = (levels + n_levels * np.arange(n_categories)).ravel().astype(np.int32)
    starts = np.arange(0, len(columns) + 1, n_categories, dtype=np.int32)
    shape = (n_samples, n_features)
    return scipy.sparse.csr_matrix((np.ones(len(columns)), columns, starts), shape=shape).tocsc()


@lru_cache(maxsize=1)
def design_and_predictor(draw, seed, n_samples, n_features, n_informative):
    """A design, X w for a sparse normal w, and noise of a third of its norm."""
    rng = np.random.default_rng(seed)
    X = draw(rng, n_samples, n_features)
    w = np.zeros(n_features)
    w[rng.choice(n_features, n_informative, replace=False)] = rng.standard_normal(n_informative)
    predictor = X @ w
    noise = rng.standard_normal(n_samples)
    noise *= np.linalg.norm(predictor) / (SIGNAL_TO_NOISE * np.linalg.norm(noise))
    return X, predictor, noise


def drawn_problem(kind, draw, seed, **shape):
    """Responses of one kind on a drawn design; the strengths are still to be set.

    Least squares take the noisy predictor, the logistic problem its sign, and Poisson counts have
    the predictor, scaled to unit variance, as the logarithm of their mean.
    """
    X, predictor, noise = design_and_predictor(draw, seed, **shape)
    y = predictor + noise
    if kind == LOGISTIC:
        y = np.where(y > 0, 1.0, -1.0)
    elif kind == POISSON:
        rate = np.exp(predictor / predictor.std())
        y = np.random.default_rng(seed).poisson(rate).astype(float)
    return Problem(kind, X, y, np.empty(0), 0.5 if kind == ELASTIC_NET else 1.0)


def digits_problem(n_samples):
    """Multinomial logistic regression on the bundled digits, pixels in [0, 1]."""
    X, labels = load_digits(return_X_y=True)
    X = np.asfortranarray(X[:n_samples] / 16)
    y = (np.arange(10)[:, None] == labels[:n_samples]).astype(float)
    return Problem(MULTINOMIAL, X, y, np.empty(0), 1.0)


def alpha_max(problem):
    """Smallest strength at which all coefficients are zero."""
    null_mean = {LOGISTIC: 0.0, MULTINOMIAL: 1 / len(problem.y), POISSON: 1.0}
    residual = problem.y - null_mean.get(problem.kind, 0.0)
    if problem.kind == LOGISTIC:
        residual = residual / 2
    return sizes(problem, correlation(problem, residual[None])).max() / problem.l1_ratio


def predict(problem, coefs):
    """X w of every strength (and class)."""
    flat = coefs.reshape(-1, coefs.shape[-1])
    return (problem.X @ flat.T).T.reshape(*coefs.shape[:-1], -1)


def correlation(problem, residuals):
    """X^T u / n of every strength (and class)."""
    flat = residuals.reshape(-1, residuals.shape[-1])
    product = (problem.X.T @ flat.T).T / problem.X.shape[0]
    return product.reshape(*residuals.shape[:-1], -1)


def sizes(problem, values):
    """What Omega sums: absolute values, or norms of groups."""
    if problem.kind == GROUP_LASSO:
        return np.linalg.norm(values.reshape(len(values), -1, GROUP_SIZE), axis=-1)
    return np.abs(values).reshape(len(values), -1)


def relative_gaps(problem, coefs):
    """(P - D) / P(0) of the coefficients at each strength.

    Parameters
    ----------
    problem : Problem
        With m strengths.
    coefs : ndarray of shape (m, n_features) or (m, n_classes, n_features)
        Coefficients, whoever computed them.

    Returns
    -------
    ndarray of shape (m,)
        Upper bounds of the relative suboptimality.
    """
    primal, dual, null = VALUES[problem.kind](problem, coefs)
    return (primal - dual) / null


def least_squares_values(problem, coefs):
    """P, D, P(0) with half squared errors.

    With r = y - X w, thresholds a1 = alpha l1_ratio and a2 = alpha (1 - l1_ratio), and
    q = X^T r / n - a2 w, the best multiple s of r that is feasible for the augmented design has

        D = s y^T r / n - s^2 B / 2,   B = ||r||^2 / n + a2 ||w||^2,   |s| <= a1 / max q;

    the elastic net takes the residual unscaled where that is better:

        D = y^T r / n - ||r||^2 / (2 n) - ||(|X^T r / n| - a1)_+||^2 / (2 a2).
    """
    a1 = problem.alphas * problem.l1_ratio
    a2 = problem.alphas * (1 - problem.l1_ratio)
    r = problem.y - predict(problem, coefs)
    q = correlation(problem, r)
    square, inner = np.mean(r * r, axis=1), r @ problem.y / len(problem.y)
    ridge = a2 * np.sum(coefs**2, axis=1)
    primal = (square + ridge) / 2 + a1 * sizes(problem, coefs).sum(axis=1)
    B = square + ridge
    limit = a1 / sizes(problem, q - a2[:, None] * coefs).max(axis=1)
    s = np.clip(inner / B, -limit, limit)
    dual = s * inner - s**2 * B / 2
    if problem.kind == ELASTIC_NET:
        excess = np.maximum(np.abs(q) - a1[:, None], 0.0)
        unscaled = inner - square / 2 - np.sum(excess**2, axis=1) / (2 * a2)
        dual = np.maximum(dual, unscaled)
    return primal, dual, np.mean(problem.y**2) / 2


def feasible_scale(problem, residuals):
    """min(1, alpha / max |X^T u / n|)."""
    largest = sizes(problem, correlation(problem, residuals)).max(axis=1)
    return np.minimum(1.0, problem.alphas / largest)


def logistic_values(problem, coefs):
    """P, D, P(0) with l = log(1 + exp(-y z)); D is the entropy of s sigma(-y z)."""
    margin = problem.y * predict(problem, coefs)
    u = expit(-margin)
    t = feasible_scale(problem, problem.y * u)[:, None] * u
    primal = -log_expit(margin).mean(axis=1) + problem.alphas * sizes(problem, coefs).sum(axis=1)
    return primal, np.mean(entr(t) + entr(1 - t), axis=1), np.log(2)


def multinomial_values(problem, coefs):
    """P, D, P(0) with l = logsumexp(z) - z_y; D is the entropy of Y moved towards softmax(z)."""
    z = predict(problem, coefs)
    probability = softmax(z, axis=1)
    s = feasible_scale(problem, problem.y - probability)[:, None, None]
    loss = logsumexp(z, axis=1) - np.sum(problem.y * z, axis=1)
    primal = loss.mean(axis=1) + problem.alphas * sizes(problem, coefs).sum(axis=1)
    moved = (1 - s) * problem.y + s * probability
    return primal, entr(moved).sum(axis=1).mean(axis=1), np.log(len(problem.y))


def poisson_values(problem, coefs):
    """P, D, P(0) with half the deviance, l = exp(z) - y z + y log y - y.

    D = mean(m - m log m + y log y - y) at the means m = y - s (y - exp(z)).
    """
    y, z = problem.y, predict(problem, coefs)
    saturated = np.mean(xlogy(y, y) - y)
    mean = np.exp(z)
    s = feasible_scale(problem, y - mean)[:, None]
    primal = np.mean(mean - y * z, axis=1) + problem.alphas * sizes(problem, coefs).sum(axis=1)
    moved = y - s * (y - mean)
    dual = np.mean(moved + entr(moved), axis=1)
    return primal + saturated, dual + saturated, 1.0 + saturated


VALUES = dict.fromkeys(LEAST_SQUARES, least_squares_values) | {
    LOGISTIC: logistic_values,
    MULTINOMIAL: multinomial_values,
    POISSON: poisson_values,
}
