"""Streams for tests, and regret by hand: losses in plain numpy, one row after another."""

import numpy as np


def rotating(rng, n, d, turns=3.0):
    """A regression whose coefficients turn in a plane."""
    angle = 2 * np.pi * turns * np.arange(n) / n
    coef = np.zeros((n, d))
    coef[:, 0], coef[:, 1] = np.cos(angle), np.sin(angle)
    X = rng.normal(size=(n, d)) / np.sqrt(d)
    return X, np.sum(X * coef, axis=1) + 0.1 * rng.normal(size=n)


def abrupt(rng, n, d, stages=4):
    """A regression whose coefficients jump."""
    coef = rng.normal(size=(stages, d))
    X = rng.normal(size=(n, d)) / np.sqrt(d)
    stage = np.arange(n) * stages // n
    return X, np.sum(X * coef[stage], axis=1) + 0.1 * rng.normal(size=n)


def random(rng, n, d):
    """Targets that have nothing to do with the rows."""
    return rng.normal(size=(n, d)), 3.0 * rng.normal(size=n)


def adversarial(rng, n, d):
    """Rows and targets that turn against whatever was just learned."""
    X = np.tile(rng.normal(size=d), (n, 1)) * np.where(np.arange(n) % 2, -1.0, 1.0)[:, None]
    X[n // 2 :] *= 20.0
    return X, np.where(np.arange(n) % 3, 5.0, -5.0)


STREAMS = {"rotating": rotating, "abrupt": abrupt, "random": random, "adversarial": adversarial}


def labels(y):
    """-1 and 1 from numbers."""
    return np.where(y > 0.0, 1, -1)


def loss_values(name, z, y, epsilon=0.1):
    """Losses of predictions, written anew: y is -1 or 1 for classes."""
    r, m = np.abs(z - y), y * z
    return {
        "squared_error": lambda: 0.5 * r**2,
        "huber": lambda: np.where(r <= epsilon, 0.5 * r**2, epsilon * r - 0.5 * epsilon**2),
        "absolute_error": lambda: r,
        "epsilon_insensitive": lambda: np.maximum(r - epsilon, 0.0),
        "log_loss": lambda: np.logaddexp(0.0, -m),
        "hinge": lambda: np.maximum(1.0 - m, 0.0),
        "squared_hinge": lambda: np.maximum(1.0 - m, 0.0) ** 2,
        "modified_huber": lambda: np.where(m >= -1, np.maximum(1.0 - m, 0.0) ** 2, -4.0 * m),
    }[name]()


def with_ones(X):
    """A column of ones behind the others."""
    return np.column_stack([X, np.ones(len(X))])


def in_ball(rng, n, d, radius):
    """Points of a ball, most of them on its surface."""
    u = rng.normal(size=(n, d))
    size = np.minimum(rng.uniform(0.0, 2.0, size=n), 1.0)
    return radius * size[:, None] * u / np.linalg.norm(u, axis=1, keepdims=True)


def penalty(estimator, points):
    """alpha/2 |x|^2 + l1 |coef|_1 of points with the intercept last."""
    sizes = np.abs(points[:, :-1] if estimator.fit_intercept else points).sum(axis=1)
    return 0.5 * estimator.alpha * (points**2).sum(axis=1) + estimator.l1 * sizes


class Walk:
    """An estimator that is given one row after another, below its validation."""

    def __init__(self, estimator, n_features, classes=None):
        self.estimator = estimator
        estimator.n_features_in_ = n_features
        if classes is not None:
            estimator.classes_ = np.array(classes)
        self.plan = estimator._plan(estimator.get_params(deep=False))
        self.state = self.plan.start(estimator._n_outputs, n_features)

    def learn(self, a, y):
        """Learn a row; what was predicted before, (n_outputs,)."""
        y, weight = np.array([y], dtype=float), np.ones(1)
        out, self.state = self.plan.learn(self.state, a[None], y, weight)
        self.estimator._read_off(self.plan, self.state)
        return out[0]


def walk(estimator, X, y, classes=None):
    """Points that were played, and certificate and cumulative loss after each round."""
    n = len(y)
    played = np.zeros((n, X.shape[1] + estimator.fit_intercept))
    certificates, losses = np.zeros(n), np.zeros(n)
    one_after_another = Walk(estimator, X.shape[1], classes)
    for t in range(n):
        if t:
            played[t] = point(estimator)
        one_after_another.learn(X[t], y[t])
        certificates[t], losses[t] = estimator.regret_certificate_, estimator.cumulative_loss_
    return played, certificates, losses


def point(estimator):
    """Coefficients with the intercept last."""
    coef = np.ravel(estimator.coef_)
    return np.append(coef, estimator.intercept_) if estimator.fit_intercept else coef
