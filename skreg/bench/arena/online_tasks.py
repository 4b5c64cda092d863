"""Streams, learners on them, and what they lost beyond others.

A learner is a function of a `Stream` that returns what it predicted of each row before it learned
it. Linear losses <c, x> are absolute errors against a target that is far below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from skreg.online import DriftAdaptiveEnsemble, OptimisticOMDClassifier, OptimisticOMDRegressor

FAR = -1000.0
N_DIGITS, FLIPPED_AFTER = 1797, 300


class Stream(NamedTuple):
    """Rows with targets, and what learners are told beforehand.

    Attributes
    ----------
    X, y : ndarray
        Rows and targets; -1 and 1 for classes.
    loss : str
        "linear", "squared_error" or "log_loss".
    radius, lipschitz : float
        Radius of the domain, bound of the gradients.
    ridge : float
        Strength of alpha / 2 |x|^2, part of the losses.
    truth : ndarray or None
        Predictions to compare with; the best fixed point of a linear loss if None.
    """

    X: np.ndarray
    y: np.ndarray
    loss: str
    radius: float
    lipschitz: float
    ridge: float = 0.0
    truth: np.ndarray | None = None


class Said(NamedTuple):
    """Predictions before learning; the norms of the points, and the certificate if there is one."""

    predictions: np.ndarray
    norms2: np.ndarray | None = None
    certificate: float = np.nan


Learner = Callable[[Stream], Said]

# ------------------------------------------------------------------------------------------------
# streams


def linear_stream(c: np.ndarray, lipschitz: float = 2.0, ridge: float = 0.0) -> Stream:
    """Losses <c_t, x> on the unit ball."""
    return Stream(c, np.full(len(c), FAR), "linear", 1.0, lipschitz, ridge)


def directions(
    seed: int, *, kind: str, lengths: tuple[int, ...], period: int = 500
) -> list[Stream]:
    """Unit vectors in five dimensions: constant, with noise, turning or alternating."""
    streams = []
    for n in lengths:
        rng = np.random.default_rng(seed)
        c, t = np.zeros((n, 5)), np.arange(n)
        c[:, 0] = 1.0
        if kind == "noise":
            c += rng.normal(size=(n, 5)) / np.sqrt(5)
        elif kind == "turning":
            angle = 2 * np.pi * (t / period + rng.random())
            c[:, 0], c[:, 1] = np.cos(angle), np.sin(angle)
        elif kind == "alternating":
            c[:, 0] = np.where(t % 2, -1.0, 1.0)
        streams.append(linear_stream(c))
    return streams


def centres(seed: int, *, drift: bool, lengths: tuple[int, ...]) -> list[Stream]:
    """1/2 |x - c_t|^2 as <-c_t, x> + 1/2 |x|^2: c_t with noise, or on a circle."""
    streams = []
    for n in lengths:
        rng = np.random.default_rng(seed)
        c = 0.3 / np.sqrt(5) * rng.normal(size=(n, 5))
        if drift:
            angle = 2 * np.pi * (np.arange(n) / 1000 + rng.random())
            c = np.zeros((n, 5))
            c[:, 0], c[:, 1] = 0.5 * np.cos(angle), 0.5 * np.sin(angle)
        streams.append(linear_stream(-c, lipschitz=2.5, ridge=1.0))
    return streams


def moving_coefficients(seed: int, *, kind: str, n_rounds: int) -> list[Stream]:
    """Regression in the unit ball of R^5 with unit coefficients: fixed, jumping or turning."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n_rounds, 5))
    a *= (rng.random(n_rounds) ** 0.2 / np.linalg.norm(a, axis=1))[:, None]
    stages = rng.normal(size=(6, 5))
    stages /= np.linalg.norm(stages, axis=1, keepdims=True)
    t = np.arange(n_rounds)
    u = np.repeat(stages[:1], n_rounds, axis=0)
    if kind == "jumping":
        u = stages[t * 6 // n_rounds]
    elif kind == "turning":
        angle = 2 * np.pi * 6 * t / n_rounds
        u = np.zeros((n_rounds, 5))
        u[:, 0], u[:, 1] = np.cos(angle), np.sin(angle)
    truth = np.sum(a * u, axis=1)
    y = truth + 0.05 * rng.normal(size=n_rounds)
    return [Stream(a, y, "squared_error", 1.0, 2.0, truth=truth)]


def digits(seed: int, *, flipped: bool, n_rounds: int = N_DIGITS) -> list[Stream]:
    """Digits of at least 5 against the rest, in random order; labels flip every 300 rows."""
    from sklearn.datasets import load_digits
    from sklearn.preprocessing import StandardScaler

    X, digit = load_digits(return_X_y=True)
    X = np.column_stack([StandardScaler().fit_transform(X) / 8.0, np.ones(len(X))])
    order = np.random.default_rng(seed).permutation(len(X))[:n_rounds]
    y = np.where(digit[order] >= 5, 1.0, -1.0)
    if flipped:
        y *= np.where(np.arange(n_rounds) // FLIPPED_AFTER % 2, -1.0, 1.0)
    return [Stream(np.ascontiguousarray(X[order]), y, "log_loss", 10.0, np.nan)]


# ------------------------------------------------------------------------------------------------
# learners


def _model(stream: Stream, **params: Any) -> Any:
    known = params.pop("known", False)
    params |= {"radius": stream.radius, "fit_intercept": False, "alpha": stream.ridge}
    params["lipschitz"] = stream.lipschitz if known else None
    if stream.loss == "log_loss":
        return OptimisticOMDClassifier(**params)
    loss = "absolute_error" if stream.loss == "linear" else stream.loss
    return OptimisticOMDRegressor(loss, **params)


def _said(model: Any, stream: Stream) -> Said:
    if stream.loss == "log_loss":
        said = model.progressive_fit_predict(
            stream.X, stream.y, classes=[-1, 1], method="decision_function"
        )
    else:
        said = model.progressive_fit_predict(stream.X, stream.y)
    return Said(said, certificate=model.regret_certificate_)


def mirror_descent(**params: Any) -> Learner:
    """Our learner; ``known=True`` tells it the bound of the gradients."""

    def learner(stream: Stream) -> Said:
        if stream.ridge > 0.0:
            return _with_norms(_model(stream, **params), stream)
        return _said(_model(stream, **params), stream)

    return learner


def _with_norms(model: Any, stream: Stream) -> Said:
    """One row after another, below validation, to see the points, whose norms are in the loss."""
    n, d = stream.X.shape
    model.n_features_in_ = d
    plan = model._plan(model.get_params(deep=False))
    state, points, weight = plan.start(1, d), np.zeros((n, d)), np.ones(1)
    for t in range(n):
        points[t] = plan.decision(state).coef[0]
        _, state = plan.learn(state, stream.X[t : t + 1], stream.y[t : t + 1], weight)
    model._read_off(plan, state)
    said = np.sum(points * stream.X, axis=1)
    return Said(said, np.sum(points**2, axis=1), model.regret_certificate_)


def fixed_descent(scale: float = 1.0) -> Learner:
    """Online gradient descent with the step scale D / (G sqrt T)."""

    def learner(stream: Stream) -> Said:
        step = scale * 2 * stream.radius / (stream.lipschitz * np.sqrt(len(stream.X)))
        return mirror_descent(step_size=step, hint="none")(stream)

    return learner


def ensemble(hint: str = "last_gradient", **params: Any) -> Learner:
    """Our ensemble; `pool` is over the largest squared norm of a row."""

    def learner(stream: Stream) -> Said:
        given = dict(params)
        if "pool" in given:
            given["pool"] = np.array(given["pool"]) / np.max(np.sum(stream.X**2, axis=1))
        theory = given.get("tuning") == "theory"
        if theory:
            given |= {"n_rounds": len(stream.X), "smoothness": 1.0}
        base = _model(stream, hint=hint, known=theory)
        return _said(DriftAdaptiveEnsemble(base, **given), stream)

    return learner


def adagrad_norm(stream: Stream) -> Said:
    """x_{t+1} = P[x_t - D / sqrt(2 sum_{s <= t} |g_s|^2) g_t] (Streeter and McMahan 2010)."""
    x, total, said = np.zeros(stream.X.shape[1]), 0.0, np.empty(len(stream.X))
    for t, (a, y) in enumerate(zip(stream.X, stream.y, strict=True)):
        said[t] = a @ x
        g = slope(stream.loss, said[t], y) * a
        total += g @ g
        if total > 0.0:
            x = x - 2 * stream.radius / np.sqrt(2 * total) * g
        x *= min(1.0, stream.radius / max(float(np.linalg.norm(x)), 1e-300))
    return Said(said)


def decaying_descent(stream: Stream) -> Said:
    """Online gradient descent with the steps 1 / (lambda t), on the whole losses."""
    x, points = np.zeros(stream.X.shape[1]), np.empty(stream.X.shape)
    for t, a in enumerate(stream.X):
        points[t] = x
        x = x - (a + stream.ridge * x) / (stream.ridge * (t + 1))
        x *= min(1.0, stream.radius / max(float(np.linalg.norm(x)), 1e-300))
    return Said(np.sum(points * stream.X, axis=1), np.sum(points**2, axis=1))


def scikit_learn(**params: Any) -> Learner:
    """SGDRegressor or SGDClassifier, one row after another."""

    def learner(stream: Stream) -> Said:
        from sklearn.linear_model import SGDClassifier, SGDRegressor

        from skreg.online._regret_display import scores_one_by_one

        classes = np.array([-1.0, 1.0]) if stream.loss == "log_loss" else None
        kind = SGDRegressor if classes is None else SGDClassifier
        loss = {"loss": stream.loss, "fit_intercept": False, "random_state": 0}
        return Said(scores_one_by_one(kind(**loss | params), stream.X, stream.y, classes))

    return learner


def slope(loss: str, z: float, y: float) -> float:
    """Derivative of a loss by the prediction."""
    if loss == "linear":
        return 1.0
    return z - y if loss == "squared_error" else -y / (1.0 + np.exp(y * z))


# ------------------------------------------------------------------------------------------------
# what is measured


def measure(
    streams: list[Stream], methods: Mapping[str, Learner], _seed: int
) -> Iterator[dict[str, Any]]:
    """Regret of linear losses, excess over the truth of squared ones, mean of log-losses."""
    for stream in streams:
        for name, learner in methods.items():
            said = learner(stream)
            yield {"method": name, "n_rounds": len(stream.X)} | MEASURES[stream.loss](stream, said)


def regret(stream: Stream, said: Said) -> dict[str, float]:
    """Loss beyond that of the best fixed point of the unit ball, and over its certificate.

    The best point of sum <c, x> + n ridge / 2 |x|^2 is -sum c, scaled into the ball.
    """
    total = float(np.linalg.norm(stream.X.sum(axis=0)))
    n, ridge = len(stream.X), stream.ridge
    size = min(1.0, total / (n * ridge)) if ridge > 0.0 else 1.0
    best = -size * total + 0.5 * n * ridge * size**2
    own = said.predictions.sum()
    if said.norms2 is not None:
        own += 0.5 * ridge * said.norms2.sum()
    return {"regret": own - best, "certified": (own - best) / said.certificate}


def excess(stream: Stream, said: Said) -> dict[str, float]:
    """Squared errors, halved, beyond those of the true coefficients."""
    theirs = np.sum((stream.truth - stream.y) ** 2)
    return {"excess": 0.5 * float(np.sum((said.predictions - stream.y) ** 2) - theirs)}


def log_loss(stream: Stream, said: Said) -> dict[str, float]:
    """Mean of the log-losses."""
    return {"log_loss": float(np.logaddexp(0.0, -stream.y * said.predictions).mean())}


MEASURES = {"linear": regret, "squared_error": excess, "log_loss": log_loss}
