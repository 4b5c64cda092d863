"""Learners as plans: what their parameters amount to, how they start, learn and decide.

A plan holds what stays the same; its state is a NamedTuple of arrays, that `learn` changes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg.online import _dense, _lazy
from skreg.online._dense import Course, Dense
from skreg.online._lazy import Lazy, Way
from skreg.online._losses import EXP_CONCAVE, Loss, evaluate_rows
from skreg.online._rows import rows_of
from skreg.online._steps import (
    CALLABLE,
    CENTRED,
    CURVED,
    FIXED,
    HINTS,
    KAPPA,
    KNOWN,
    LOSS,
    N_NUMBERS,
    NORM2,
    PULL,
    ROUNDS,
    RUNNING,
    SCALE,
    Step,
    weight_of,
)

DOMAINS = {"l2": _dense.BALL, "box": _dense.BOX, None: _dense.EVERYWHERE}


class Points(NamedTuple):
    """Coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""

    coef: np.ndarray
    intercept: np.ndarray


class LazyPlan(NamedTuple):
    """A learner with scaled vectors: see `skreg.online._lazy`."""

    loss: Loss
    step: Step
    way: Way

    @property
    def state_of(self) -> type[Lazy]:
        """Class of its states."""
        return Lazy

    def start(self, n_outputs: int, n_features: int) -> Lazy:
        """The state before the first round: all points are 0."""
        numbers = np.zeros(N_NUMBERS)
        numbers[SCALE] = 1.0
        shape = (n_outputs, n_features)
        return Lazy(
            v=np.zeros(shape),
            b=np.zeros(n_outputs),
            m=np.zeros(n_features),
            c=np.zeros(n_outputs),
            before=np.zeros(n_outputs),
            kept=np.zeros(n_outputs),
            total=np.zeros(shape if self.way.average else (0, n_features)),
            total_b=np.zeros(n_outputs),
            numbers=numbers,
        )

    def learn(self, state: Lazy, X: Any, y: np.ndarray, weight: np.ndarray) -> tuple:
        """Learn rows one after another; what was predicted before, and the state."""
        out = np.empty((len(y), len(state.b)))
        _lazy.learn_lazily(rows_of(X), y, weight, self.loss, self.step, self.way, state, out)
        return out, state

    def decision(self, state: Lazy) -> Points:
        """What predicts next: the point of the next round, or the mean of those so far."""
        if self.way.average and state.numbers[ROUNDS]:
            part, n = state.numbers[KAPPA], state.numbers[ROUNDS]
            return Points((state.total + part * state.v) / n, (state.total_b + part * state.b) / n)
        _, of_shadow, of_hint = _lazy.factors(self.step, self.way.ball, state)
        shadow, hint = of_shadow * state.numbers[SCALE], -of_hint * state.c
        return Points(
            shadow * state.v + np.outer(hint, state.m), shadow * state.b + hint * self.way.one
        )

    def shadow(self, state: Lazy) -> Points:
        """The shadow point."""
        factor = state.numbers[SCALE]
        if self.step.kind == CENTRED:
            factor = -0.5 / weight_of(self.step, state.numbers)
            size = abs(factor) * np.sqrt(state.numbers[NORM2])
            factor *= min(1.0, self.way.ball / size) if size > 0.0 else 1.0
        return Points(factor * state.v, factor * state.b)

    def hint(self, state: Lazy) -> Points:
        """The hint of the next round."""
        return Points(np.outer(state.c, state.m), state.c * self.way.one)


class DensePlan(NamedTuple):
    """A learner on whole vectors: see `skreg.online._dense`."""

    loss: Loss | Callable
    step: Step
    course: Course
    newton: bool
    batch: bool
    hint_function: Callable[..., Any] | None = None

    @property
    def state_of(self) -> type[Dense]:
        """Class of its states."""
        return Dense

    def start(self, n_outputs: int, n_features: int) -> Dense:
        """The state before the first round: all points are 0."""
        n = n_features + int(self.course.one)
        size = n if self.newton else 0
        curvature = 1.0
        if self.newton:  # beta/2 G^2 for the largest beta, 1 / (8 G D)
            curvature += self.step.lipschitz / (16.0 * self.step.diameter)
        numbers = np.zeros(N_NUMBERS)
        if self.newton:
            numbers[PULL] = 0.5 * curvature * self.step.radius**2
        return Dense(
            shadow=np.zeros((n_outputs, n)),
            hint=np.zeros((n_outputs, n)),
            before=np.zeros((n_outputs, n)),
            total=np.zeros((n_outputs, n)),
            H=curvature * np.eye(size),
            inverse=np.eye(size) / curvature,
            numbers=numbers,
        )

    def learn(self, state: Dense, X: Any, y: np.ndarray, weight: np.ndarray) -> tuple:
        """Learn rows one after another, or as one round; what was predicted, and the state."""
        if self.batch:
            return self._learn_batch(state, X, y, weight), state
        if callable(self.loss) or self.hint_function is not None:
            return self._learn_by_hand(state, X, y, weight), state
        out = np.empty((len(y), len(state.shadow)))
        rows = rows_of(X)
        _dense.learn_densely(rows, y, weight, self.loss, self.step, self.course, state, out)
        return out, state

    def _learn_by_hand(self, state, X, y, weight):
        """Rounds that call functions of Python."""
        out = np.empty((len(y), len(state.shadow)))
        for i in range(len(y)):
            out[i] = self._round(state, X[i : i + 1], y[i : i + 1], weight[i : i + 1])[0]
        return out

    def _learn_batch(self, state, X, y, weight):
        """One round with the mean of the losses."""
        total = weight.sum()
        return self._round(state, X, y, weight / total if total > 0.0 else weight)

    def _round(self, state, X, y, weight):
        rows = self._with_ones(X)
        x = np.empty_like(state.shadow)
        w_hint = _dense.decide(self.step, self.course, state, x)
        z = rows @ x.T
        out = rows @ self._mean(state).T if self.course.average else z
        if not weight.any():
            return out
        values, slopes = self._losses(z, y)
        state.numbers[LOSS] += weight @ values
        gradient = np.ascontiguousarray((rows.T @ (weight[:, None] * slopes)).T)
        alpha = self._exp_concavity(rows, z, y, weight)
        _dense.learn(self.step, self.course, state, x, w_hint, gradient, alpha)
        if self.hint_function is not None:
            self._ask_for_hint(self.hint_function, state, gradient)
        return out

    def _with_ones(self, X):
        X = X.toarray() if sparse.issparse(X) else X
        X = X.astype(np.float64, copy=False)
        return np.column_stack([X, np.ones(len(X))]) if self.course.one else X

    def _mean(self, state):
        return state.total / max(state.numbers[ROUNDS], 1.0)

    def _losses(self, z, y):
        values, slopes = np.empty(len(y)), np.empty_like(z)
        if not callable(self.loss):
            evaluate_rows(self.loss, np.ascontiguousarray(z), y, values, slopes)
            return values, slopes
        for i in range(len(y)):
            values[i], slopes[i, 0] = _checked_pair(self.loss(float(z[i, 0]), float(y[i])))
        return values, slopes

    def _exp_concavity(self, rows, z, y, weight):
        """Of the loss of a round: for a mean, that of the loss with the least."""
        if not self.newton:
            return 0.0
        used = np.flatnonzero(weight)
        reach = self.course.bound * np.linalg.norm(rows, axis=1)
        of_rows = [_dense.exp_concavity(self.loss, z[i, 0], y[i], reach[i]) for i in used]
        return float(min(of_rows) / weight.sum())

    def _ask_for_hint(self, function, state, gradient):
        one = len(gradient) == 1
        asked = gradient[0] if one else gradient
        before = state.hint[0] if one else state.hint
        rounds = int(state.numbers[ROUNDS])
        answer = function(asked.copy(), before.copy(), rounds)
        hint = np.asarray(answer, dtype=np.float64)
        if hint.shape != asked.shape or not np.isfinite(hint).all():
            raise ValueError(
                f"hint returned an array of shape {hint.shape}; it must return finite numbers of "
                f"the shape {asked.shape} of its first argument, the last gradient"
            )
        state.hint[:] = hint

    def decision(self, state: Dense) -> Points:
        """What predicts next: the point of the next round, or the mean of those so far."""
        if self.course.average and state.numbers[ROUNDS]:
            return self._points(self._mean(state))
        x = np.empty_like(state.shadow)
        _dense.decide(self.step, self.course, state, x)
        return self._points(x)

    def shadow(self, state: Dense) -> Points:
        """The shadow point."""
        return self._points(state.shadow)

    def hint(self, state: Dense) -> Points:
        """The hint of the next round."""
        return self._points(state.hint)

    def _points(self, x):
        if self.course.one:
            return Points(x[:, :-1].copy(), x[:, -1].copy())
        return Points(x.copy(), np.zeros(len(x)))


def _checked_pair(returned):
    try:
        value, slope = returned
        return float(value), float(slope)
    except (TypeError, ValueError):
        raise ValueError(
            f"loss returned {returned!r}; a callable loss(prediction, target) must return a pair "
            "of numbers, its value and its derivative by the prediction"
        ) from None


def plan_of(params: dict[str, Any], loss: Any, n_outputs: int, n_features: int) -> Any:
    """The plan that parameters of an estimator amount to.

    Parameters
    ----------
    params : dict
        Parameters of `OptimisticOMDRegressor` or `OptimisticOMDClassifier`.
    loss : Loss or callable
        Their loss.
    n_outputs, n_features : int
        Size of the coefficients.

    Returns
    -------
    LazyPlan or DensePlan
        The plan.

    Raises
    ------
    ValueError
        If parameters contradict one another.
    """
    _refuse_contradictions(params, n_outputs)
    length = n_outputs * (n_features + bool(params["fit_intercept"]))
    step = _step(params, length)
    hint, one = params["hint"], float(params["fit_intercept"])
    kind = CALLABLE if callable(hint) else HINTS[hint]
    ball = params["radius"] if params["domain"] == "l2" else np.inf
    if _needs_whole_vectors(params):
        course = Course(
            hint=kind,
            domain=DOMAINS[params["domain"]],
            bound=float(params["radius"]),
            l1=float(params["l1"]),
            average=bool(params["average"]),
            one=one,
        )
        return DensePlan(
            loss=loss,
            step=step,
            course=course,
            newton=params["geometry"] == "newton",
            batch=params["mode"] == "batch",
            hint_function=hint if callable(hint) else None,
        )
    implicit = params["update"] == "implicit"
    way = Way(kind, float(ball), implicit, bool(params["average"]), one)
    return LazyPlan(loss, step, way)


def _needs_whole_vectors(params):
    return (
        params["geometry"] == "newton"
        or params["domain"] == "box"
        or params["l1"] > 0.0
        or params["mode"] == "batch"
        or callable(params["hint"])
        or callable(params["loss"])
    )


def _step(params, length):
    radius = float(params["radius"])
    if params["domain"] == "box":
        radius *= np.sqrt(length)
    lipschitz, size = params["lipschitz"], params["step_size"]
    delta = float(params["delta"])
    if params["curvature"] == "strongly_convex":
        kind = CURVED
    elif size == "sachs":
        kind = CENTRED
        if lipschitz is not None:
            delta = 2.0 * (2.0 * radius) * lipschitz
    elif size != "adaptive":
        kind = FIXED
    else:
        kind = RUNNING if lipschitz is None else KNOWN
    return Step(
        kind=kind,
        diameter=2.0 * radius,
        radius=radius,
        delta=delta,
        lipschitz=0.0 if lipschitz is None else float(lipschitz),
        size=0.0 if isinstance(size, str) else float(size),
        ridge=float(params["alpha"]),
    )


def _refuse_contradictions(params, n_outputs):
    """Raise for what cannot be meant together."""
    if params["curvature"] == "strongly_convex":
        _refuse_strongly_convex(params)
    if params["step_size"] == "sachs":
        _refuse_centred(params)
    if params["update"] == "implicit":
        _refuse_implicit(params, n_outputs)
    if params["geometry"] == "newton":
        _refuse_newton(params, n_outputs)


def _refuse_strongly_convex(params):
    if params["alpha"] == 0.0:
        raise ValueError(
            "curvature='strongly_convex' takes its strength from alpha, which is 0; give alpha > "
            "0, or curvature='convex'"
        )
    if params["step_size"] != "adaptive":
        raise ValueError(
            "curvature='strongly_convex' has its own steps, 2 / (alpha t); got step_size="
            f"{params['step_size']!r}, which goes with curvature='convex'"
        )


def _refuse_centred(params):
    if _penalised(params) or _needs_whole_vectors(params) or params["update"] == "implicit":
        raise ValueError(
            "step_size='sachs' is for the euclidean geometry on a ball or everywhere, without "
            "penalties, with explicit updates, losses and hints by name and mode='sample'"
        )
    if params["lipschitz"] is None and params["delta"] == 0.0:
        raise ValueError("step_size='sachs' needs delta > 0, or lipschitz; got delta=0")


def _refuse_implicit(params, n_outputs):
    if _needs_whole_vectors(params):
        raise ValueError(
            "update='implicit' is for the euclidean geometry on a ball or everywhere, without l1, "
            "with losses and hints by name and mode='sample'"
        )
    if n_outputs > 1 and params["loss"] == "log_loss":
        raise ValueError(
            f"update='implicit' has no step for loss='log_loss' with {n_outputs} classes; take "
            "another loss, which is one class against the rest, or update='explicit'"
        )


def _penalised(params):
    return params["alpha"] > 0.0 or params["l1"] > 0.0


def _refuse_newton(params, n_outputs):
    if params["loss"] not in EXP_CONCAVE:
        raise ValueError(
            f"geometry='newton' needs an exp-concave loss, one of {sorted(EXP_CONCAVE)}; got "
            f"loss={params['loss']!r}"
        )
    if n_outputs > 1:
        raise ValueError(
            f"geometry='newton' is for two classes; got {n_outputs}: take geometry='euclidean', or "
            "OneVsRestClassifier"
        )
    if params["domain"] != "l2" or _penalised(params) or params["step_size"] != "adaptive":
        raise ValueError(
            "geometry='newton' goes with domain='l2', step_size='adaptive', alpha=0 and l1=0; got "
            f"domain={params['domain']!r}, step_size={params['step_size']!r}, "
            f"alpha={params['alpha']}, l1={params['l1']}"
        )
