"""What the regressor and the classifier by optimistic mirror descent share."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np

from skreg._sklearn import Interval, StrOptions
from skreg.online._learner import DensePlan, plan_of
from skreg.online._losses import Loss
from skreg.online._steps import (
    HINTS,
    LOSS,
    MAX_GRADIENT,
    PULL,
    ROUNDS,
    STABILITY,
    VARIATION,
    weight_of,
)
from skreg.online._stream import StreamLearner, squeezed

Hint = Literal["last_gradient", "none", "auto"] | Callable[..., Any]


class MirrorDescent(StreamLearner):
    """Linear models by optimistic online mirror descent."""

    _kinds: ClassVar[dict[str, int]]
    _parameter_constraints: ClassVar[dict] = {
        "domain": [StrOptions({"l2", "box"}), None],
        "radius": [Interval(Real, 0, None, closed="neither")],
        "geometry": [StrOptions({"euclidean", "newton"})],
        "curvature": [StrOptions({"convex", "strongly_convex"})],
        "step_size": [StrOptions({"adaptive", "sachs"}), Interval(Real, 0, None, closed="neither")],
        "hint": [StrOptions(set(HINTS)), callable],
        "update": [StrOptions({"explicit", "implicit"})],
        "lipschitz": [Interval(Real, 0, None, closed="neither"), None],
        "delta": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "average": ["boolean"],
        "mode": [StrOptions({"sample", "batch"})],
    }
    # what constructors of subclasses set
    loss: Any
    radius: float

    @property
    def _loss(self):
        if callable(self.loss):
            return self.loss
        return Loss(self._kinds[self.loss], float(getattr(self, "epsilon", 0.0)))

    def _plan(self, params):
        return plan_of(params, self._loss, self._n_outputs, self.n_features_in_)

    def _read_off(self, plan, state):
        numbers, points = state.numbers, plan.decision(state)
        self.coef_, self.intercept_ = self._shaped(points)
        self.t_ = int(numbers[ROUNDS])
        weight = 1.0 if isinstance(plan, DensePlan) and plan.newton else weight_of(
            plan.step, numbers
        )  # fmt: skip
        self.step_size_ = 1.0 / weight if weight > 0.0 else 0.0
        self.gradient_variation_ = float(numbers[VARIATION])
        self.max_grad_norm_ = float(numbers[MAX_GRADIENT])
        self.cumulative_loss_ = float(numbers[LOSS])
        self.regret_certificate_ = float(numbers[PULL] + numbers[STABILITY])

    @property
    def shadow_coef_(self) -> np.ndarray:
        """Coefficients of the shadow point, of the shape of `coef_`."""
        return squeezed_coef(self, self._points("shadow").coef)

    @property
    def hint_(self) -> np.ndarray:
        """The hint of the next round, for the coefficients; of the shape of `coef_`."""
        return squeezed_coef(self, self._points("hint").coef)


def squeezed_coef(estimator: Any, coef: np.ndarray) -> np.ndarray:
    """In the shape of `coef_`."""
    return coef if np.ndim(estimator.coef_) == 2 else squeezed(coef)
