"""The plan of an ensemble: its pool of steps, its rates, and where it begins anew."""

from typing import Any, NamedTuple

import numpy as np

from skreg.online import _hedge
from skreg.online._hedge import Mixing, Pool
from skreg.online._learner import Points
from skreg.online._losses import Loss
from skreg.online._rows import rows_of
from skreg.online._steps import HINTS, ROUNDS

FIRST_STEP, N_STEPS = 0.02, 8  # of the practical pool, over the largest squared norm of a row
FIRST_EPOCH = 64  # rounds before the first restart, of a stream of unknown length
NEVER = 2.0**62  # rounds
FIXED = {  # parameters of a base that an ensemble has no other value for
    "geometry": "euclidean",
    "curvature": "convex",
    "update": "explicit",
    "mode": "sample",
    "alpha": 0.0,
    "l1": 0.0,
    "average": False,
}


class EnsembleState(NamedTuple):
    """Arrays of the `Pool`, and of the rounds between two beginnings.

    `limit` is how many there are, `NEVER` if it goes on without end; `done` and `certified` are
    rounds and certificate of those that are over. The others are those of the pool.
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
    limit: np.ndarray
    done: np.ndarray
    certified: np.ndarray

    @property
    def pool(self) -> Pool:
        """What the kernel knows."""
        return Pool(*self[: len(Pool._fields)])


class EnsemblePlan(NamedTuple):
    """Learners of fixed steps, mixed: see `skreg.online._hedge`.

    Attributes
    ----------
    loss : Loss
        Loss of a prediction.
    mixing : Mixing
        What stays the same over the rounds.
    pool : ndarray or None
        Steps; those of theory for the length of a span if None.
    n_rounds : int or None
        Length of the stream, for the steps of theory.
    gradient, smoothness : float
        Bounds of theory.
    """

    loss: Loss
    mixing: Mixing
    pool: np.ndarray | None
    n_rounds: int | None
    gradient: float
    smoothness: float

    @property
    def state_of(self) -> type[EnsembleState]:
        """Class of its states."""
        return EnsembleState

    def steps(self, limit: float) -> np.ndarray:
        """The pool for a span of that many rounds: doubling from D / (G sqrt T) to 1 / (8 L)."""
        if self.pool is not None:
            return self.pool
        rounds = limit if self.n_rounds is None else self.n_rounds
        largest = 1.0 / (8.0 * self.smoothness)
        least = min(2.0 * self.mixing.radius / (self.gradient * np.sqrt(rounds)), largest)
        n_steps = int(np.ceil(np.log2(largest / least))) + 1
        return np.minimum(least * 2.0 ** np.arange(n_steps), largest)

    def start(self, n_outputs: int, n_features: int) -> EnsembleState:
        """The state before the first round: all points are 0."""
        begins_anew = self.pool is None and self.n_rounds is None
        limit = float(FIRST_EPOCH) if begins_anew else NEVER
        point = Points(np.zeros((n_outputs, n_features)), np.zeros(n_outputs))
        numbers = np.zeros(_hedge.N_NUMBERS)
        hint = np.zeros(n_features), np.zeros(n_outputs), np.zeros(n_outputs)
        return self._begin(point, hint, numbers, (limit, 0.0, 0.0))

    def _begin(self, point, hint, numbers, span):
        """All learners at one point; the last gradient stays what is expected next."""
        m, c, before = hint
        n_learners = len(self.steps(span[0]))
        n_outputs = len(point.intercept)
        own = np.zeros((n_learners, _hedge.N_OWN))
        own[:, _hedge.SCALE] = own[:, _hedge.SHRINK] = 1.0
        own[:, _hedge.NORM2] = np.sum(point.coef**2) + np.sum(point.intercept**2)
        at_row = point.coef @ m + point.intercept * self.mixing.one
        return EnsembleState(
            v=np.repeat(point.coef[None], n_learners, axis=0),
            b=np.repeat(point.intercept[None], n_learners, axis=0),
            m=m,
            c=c,
            before=before,
            c_before=np.zeros(n_outputs),
            kept=np.repeat(at_row[None], n_learners, axis=0),
            kept_before=np.zeros((n_learners, n_outputs)),
            own=own,
            weights=np.full(n_learners, 1.0 / n_learners),
            numbers=numbers,
            limit=np.array([span[0]]),
            done=np.array([span[1]]),
            certified=np.array([span[2]]),
        )

    def learn(self, state: EnsembleState, X: Any, y: np.ndarray, weight: np.ndarray) -> tuple:
        """Learn rows one after another; what was predicted before, and the state."""
        rows, out = rows_of(X), np.empty((len(y), len(state.c)))
        read = 0
        while True:
            limit = state.limit[0]
            arguments = self.loss, self.steps(limit), self.mixing, limit, state.pool, out
            read += _hedge.learn_together(rows, y, weight, *arguments, read)
            if state.numbers[ROUNDS] < limit:
                return out, state
            state = self._begin_anew(state)

    def _begin_anew(self, state):
        """Twice as many rounds as before, from the point that would be played next."""
        certified = state.certified[0] + self.span_certificate(state)
        span = 2.0 * state.limit[0], state.done[0] + state.numbers[ROUNDS], certified
        numbers = state.numbers.copy()
        numbers[[ROUNDS, _hedge.META_VARIATION]] = 0.0
        point = self.decision(state)
        return self._begin(point, (state.m, state.c, state.before), numbers, span)

    def span_certificate(self, state: EnsembleState) -> float:
        """The least, over learners, of what it lost less and its own certificate."""
        own = state.own
        bounds = own[:, _hedge.BEHIND] + own[:, _hedge.PULL] + own[:, _hedge.STABILITY]
        return float(bounds.min())

    def current_steps(self, state: EnsembleState) -> np.ndarray:
        """Steps of the next round; 0 before there was a row to go by."""
        steps, pool = self.steps(state.limit[0]), state.pool
        return np.array([_hedge.step_of(self.mixing, pool, steps, i) for i in range(len(steps))])

    def points(self, state: EnsembleState) -> Points:
        """Points of all learners in the next round: (N, n_outputs, n_features) and (N, n_outputs).

        It also sets the weights of the mixture.
        """
        pool = state.pool
        _hedge.play(self.mixing, pool, self.steps(state.limit[0]))
        of_shadow = (pool.own[:, _hedge.SHADOW] * pool.own[:, _hedge.SCALE])[:, None]
        of_hint = -pool.own[:, _hedge.HINT][:, None] * pool.c
        coef = of_shadow[:, :, None] * pool.v + of_hint[:, :, None] * pool.m
        return Points(coef, of_shadow * pool.b + of_hint * self.mixing.one)

    def decision(self, state: EnsembleState) -> Points:
        """The point of the next round."""
        coef, intercept = self.points(state)
        weights = state.weights
        return Points(np.tensordot(weights, coef, axes=1), weights @ intercept)


def ensemble_plan(params: dict[str, Any], base: dict[str, Any], loss: Loss) -> EnsemblePlan:
    """The plan that parameters of an ensemble and of its base amount to.

    Raises
    ------
    ValueError
        If the base has settings that an ensemble lacks, or the theory lacks a bound.
    """
    for name, needed in FIXED.items():
        if base[name] != needed:
            raise ValueError(
                f"the base has {name}={base[name]!r}, but an ensemble needs {name}={needed!r}: its "
                "learners share one gradient and one row"
            )
    if base["domain"] == "box" or callable(base["hint"]) or callable(base["loss"]):
        raise ValueError(
            "the base of an ensemble has domain='l2' or None, and loss and hint by name; got "
            f"domain={base['domain']!r}, loss={base['loss']!r}, hint={base['hint']!r}"
        )
    theory = params["tuning"] == "theory"
    pool, relative = params["pool"], params["pool"] is None and not theory
    if pool is not None:
        pool = _checked_pool(pool)
    elif relative:
        pool = FIRST_STEP * 2.0 ** np.arange(N_STEPS)
    if theory and (params["smoothness"] is None or base["lipschitz"] is None):
        raise ValueError(
            "tuning='theory' needs a bound on the norm of gradients, lipschitz of the base, and "
            "one on the curvature of the losses, smoothness (for the squared error the largest "
            f"squared norm of a row); got lipschitz={base['lipschitz']} and "
            f"smoothness={params['smoothness']}"
        )
    radius = float(base["radius"])
    smoothness = float(params["smoothness"] or 0.0)
    switch = params["switch_penalty"]
    if switch is None:
        switch = 2.0 * smoothness if theory else 0.0
    mixing = Mixing(
        hint=HINTS[base["hint"]],
        ball=radius if base["domain"] == "l2" else np.inf,
        radius=radius,
        one=float(base["fit_intercept"]),
        relative=relative,
        switch=float(switch),
        scale=0.0 if theory else float(params["meta_lr_scale"]),
        largest_rate=1.0 / (8.0 * (2.0 * radius) ** 2 * smoothness) if theory else 0.0,
    )
    gradient = float(base["lipschitz"] or 0.0)
    return EnsemblePlan(loss, mixing, pool, params["n_rounds"], gradient, smoothness)


def _checked_pool(pool):
    steps = np.asarray(pool, dtype=float)
    if steps.ndim != 1 or not len(steps) or not (np.isfinite(steps) & (steps > 0.0)).all():
        raise ValueError(
            f"pool must be a list of positive steps, or None for one by `tuning`; got {pool!r}"
        )
    return steps
