"""Small problems with their values, gradients and Hessians in plain numpy, and dense matrices."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from scipy.special import expit, softmax

from skreg.optim import L1, ElasticNet, GroupL2, NonNegative
from skreg.optim.descent import GraphHuber, GraphQuadratic, LeastSquares, Logistic, Multinomial

N_FEATURES = 12
GROUPS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4])
PENALTIES = {
    "l1": lambda scale: L1(0.2 * scale),
    "elastic net": lambda scale: ElasticNet(0.2 * scale, 0.7),
    "nonnegative": lambda scale: NonNegative(0.1 * scale),
    "groups": lambda scale: GroupL2(0.2 * scale, GROUPS),
}


class Case(NamedTuple):
    """A problem, and its functions as an outsider writes them.

    `bound` is an upper bound of every Hessian, `majorant(x)` one that a model may use at x.
    """

    problem: tuple
    value: callable
    gradient: callable
    hessian: callable
    bound: np.ndarray
    majorant: callable
    n: int


def penalty_value(penalty, x, n_classes=1):
    """Penalty of all coordinates."""
    if penalty is None:
        return 0.0
    if isinstance(penalty, GroupL2):
        groups = np.repeat(penalty.groups, n_classes)
        return penalty.alpha * sum(np.linalg.norm(x[groups == g]) for g in np.unique(groups))
    share = getattr(penalty, "l1_ratio", 1.0)
    if isinstance(penalty, NonNegative) and np.any(x < 0.0):
        return np.inf
    return penalty.alpha * (share * np.abs(x).sum() + (1 - share) * 0.5 * x @ x)


def lattice(n_rows, n_columns, rng):
    """Weighted adjacency of a lattice, its nodes numbered column by column."""
    n = n_rows * n_columns
    W = np.zeros((n, n))
    for i in range(n):
        for j in (i + 1, i + n_rows):
            if j < n and (j != i + 1 or j % n_rows):
                W[i, j] = W[j, i] = rng.uniform(0.5, 1.5)
    return W


def graph_case(W, values, penalty):
    free = np.isnan(values)
    A = (np.diag(W.sum(axis=1)) - W)[np.ix_(free, free)]
    b = W[np.ix_(free, ~free)] @ values[~free]
    return Case(
        GraphQuadratic.from_labels(W, values, penalty),
        lambda x: 0.5 * x @ A @ x - b @ x,
        lambda x: A @ x - b,
        lambda x: A,
        A,
        lambda x: A,
        len(b),
    )


def huber_case(W, values, penalty):
    free = np.isnan(values)
    delta = 0.6
    i, j = np.nonzero(np.triu(W))
    w = W[i, j]

    def differences(x):
        full = values.copy()
        full[free] = x
        return full[i] - full[j]

    B = np.zeros((len(w), 16))
    B[np.arange(len(w)), i], B[np.arange(len(w)), j] = 1.0, -1.0
    B = B[:, free]

    def value(x):
        r = np.abs(differences(x))
        return float(w @ np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)))

    def majorant(x):
        return B.T @ np.diag(w * delta / np.maximum(delta, np.abs(differences(x)))) @ B

    return Case(
        GraphHuber(W, values, delta, penalty),
        value,
        lambda x: B.T @ (w * np.clip(differences(x), -delta, delta)),
        lambda x: B.T @ np.diag(w * (np.abs(differences(x)) <= delta)) @ B,
        B.T @ np.diag(w) @ B,
        majorant,
        B.shape[1],
    )


def least_squares_case(X, signal, penalty, weight, rng):
    gram = X.T @ np.diag(weight) @ X
    return Case(
        LeastSquares(X, signal, penalty, weight),
        lambda x: 0.5 * weight @ (X @ x - signal) ** 2,
        lambda x: X.T @ (weight * (X @ x - signal)),
        lambda x: gram,
        gram,
        lambda x: gram,
        N_FEATURES,
    )


def logistic_case(X, signal, penalty, weight, rng):
    gram = X.T @ np.diag(weight) @ X
    y = np.where(signal + rng.normal(size=18) > 0, 1.0, -1.0)

    def logistic_hessian(x):
        p = expit(X @ x)
        return X.T @ np.diag(weight * p * (1 - p)) @ X

    return Case(
        Logistic(scipy.sparse.csr_array(X), y, penalty, weight),
        lambda x: weight @ np.logaddexp(0.0, -y * (X @ x)),
        lambda x: X.T @ (-weight * y * expit(-y * (X @ x))),
        logistic_hessian,
        0.25 * gram,
        lambda x: 0.25 * gram,
        N_FEATURES,
    )


def multinomial_case(X, signal, penalty, weight, rng):
    gram = X.T @ np.diag(weight) @ X
    k = 3
    y = rng.integers(0, k, 18)
    Y = np.eye(k)[y]

    def multinomial_hessian(x):
        P = softmax(X @ x.reshape(-1, k), axis=1)
        inner = np.einsum("ic,cd->icd", P, np.eye(k)) - np.einsum("ic,id->icd", P, P)
        H = np.einsum("i,if,ig,icd->fcgd", weight, X, X, inner)
        return H.reshape(N_FEATURES * k, -1)

    bound = np.kron(gram, 0.5 * (np.eye(k) - 1.0 / k))
    return Case(
        Multinomial(X, y, penalty, weight),
        lambda x: (
            weight
            @ (
                np.logaddexp.reduce(X @ x.reshape(-1, k), axis=1)
                - np.sum(Y * (X @ x.reshape(-1, k)), axis=1)
            )
        ),
        lambda x: (X.T @ (weight[:, None] * (softmax(X @ x.reshape(-1, k), axis=1) - Y))).ravel(),
        multinomial_hessian,
        bound,
        lambda x: bound,
        N_FEATURES * k,
    )


OF_GRAPHS = {"graph": graph_case, "huber": huber_case}
OF_DESIGNS = {
    "least squares": least_squares_case,
    "logistic": logistic_case,
    "multinomial": multinomial_case,
}


def make_case(kind, penalty_name):
    """A case by name; None if the penalty makes no sense there."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(18, N_FEATURES)) * rng.uniform(0.5, 2.0, N_FEATURES)
    X[rng.random(X.shape) < 0.3] = 0.0
    weight = rng.integers(1, 3, 18).astype(float)
    signal = X[:, :4].sum(axis=1) + 0.5 * rng.normal(size=18)
    strength = 0.5 if kind in OF_GRAPHS else 4.0
    penalty = None if penalty_name is None else PENALTIES[penalty_name](strength)
    if kind in OF_DESIGNS:
        return OF_DESIGNS[kind](X, signal, penalty, weight, rng)
    if penalty_name == "groups":
        return None
    W = lattice(4, 4, rng)
    values = np.full(16, np.nan)
    values[[0, 7, 9, 15]] = [1.0, -1.0, 2.0, 0.5]
    return OF_GRAPHS[kind](W, values, penalty)


@pytest.fixture(scope="session")
def cases():
    """Function (kind, penalty name) -> Case."""
    return make_case


@pytest.fixture(scope="session")
def penalty_of():
    """Function (penalty, x, n_classes) -> value."""
    return penalty_value
