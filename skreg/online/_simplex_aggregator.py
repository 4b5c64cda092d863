"""The estimator `OnlineSimplexAggregator`."""

from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import Interval, StrOptions
from skreg.online._losses import REGRESSION, Loss
from skreg.online._simplex import LOSS, ROUNDS, VARIATION, SimplexPlan
from skreg.online._stream import FLOATS, StreamLearner


class OnlineSimplexAggregator(RegressorMixin, StreamLearner):
    r"""Weights of experts on a stream, by optimistic exponentiated gradients.

    The columns of X are forecasts of experts, and the prediction is their mean with weights that
    sum to one. Experts that did well gain weight at once and in proportion:

    .. math:: w_{t,i} \propto \exp\Big( -\eta_t \Big( \sum_{s < t} g_{s,i} + M_{t,i} \Big) \Big) .

    Without targets, rows are losses of the experts themselves: for portfolios, for instance, minus
    the growth of each asset.

    Parameters
    ----------
    eta : float or "adaptive", default="adaptive"
        Rate. "adaptive" is :math:`\sqrt{\ln N / (V + \max d^2)}`, where d is half the range of what
        a hint missed and V the sum of its squares.
    hint : {"last_gradient", "none"}, default="last_gradient"
        What is expected of the experts next: what they did last, or nothing.
    loss : str, default="squared_error"
        Loss of the weighted forecast: "squared_error" (half the squared error), "huber",
        "absolute_error" or "epsilon_insensitive".
    epsilon : float, default=0.1
        Where "huber" turns linear, and below which "epsilon_insensitive" is 0.

    Attributes
    ----------
    weights_ : ndarray of shape (n_features,)
        Weights of the next round.
    t_ : int
        Number of rounds.
    eta_ : float
        Rate of the next round; 0 while all experts were alike.
    gradient_variation_ : float
        V.
    cumulative_loss_ : float
        Loss of what was predicted, summed.
    regret_certificate_ : float
        No fixed weights have a cumulative loss that is lower by more than this.
    n_features_in_ : int
        Number of experts.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the experts, if they are all strings.

    See Also
    --------
    DriftAdaptiveEnsemble : Experts that are linear models with steps from small to large.

    References
    ----------
    A. Rakhlin, K. Sridharan, "Online Learning with Predictable Sequences", COLT 2013.

    S. Chen, Y.-J. Zhang, W.-W. Tu, P. Zhao, L. Zhang, "Optimistic Online Mirror Descent for
    Bridging Stochastic and Adversarial Online Convex Optimization", JMLR 25(178), 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.online import OnlineSimplexAggregator
    >>> rng = np.random.default_rng(0)
    >>> y = np.sin(np.arange(200) / 20)
    >>> forecasts = y[:, None] + rng.normal(size=(200, 3)) * [0.1, 1.0, 2.0]
    >>> model = OnlineSimplexAggregator().fit(forecasts, y)
    >>> int(model.weights_.argmax())
    0
    """

    _parameter_constraints: ClassVar[dict] = {
        "eta": [Interval(Real, 0, None, closed="neither"), StrOptions({"adaptive"})],
        "hint": [StrOptions({"last_gradient", "none"})],
        "loss": [StrOptions(set(REGRESSION))],
        "epsilon": [Interval(Real, 0, None, closed="left")],
    }
    _n_outputs = 1

    def __init__(
        self,
        eta: float | Literal["adaptive"] = "adaptive",
        hint: Literal["last_gradient", "none"] = "last_gradient",
        *,
        loss: str = "squared_error",
        epsilon: float = 0.1,
    ) -> None:
        self.eta = eta
        self.hint = hint
        self.loss = loss
        self.epsilon = epsilon

    def _plan(self, params):
        return SimplexPlan(
            loss=Loss(REGRESSION[params["loss"]], float(params["epsilon"])),
            of_losses=self._of_losses,
            eta=0.0 if params["eta"] == "adaptive" else float(params["eta"]),
            hinted=params["hint"] == "last_gradient",
        )

    def _validated(self, X, y, begin):
        self._of_losses = y is None
        if y is not None:
            return validate_data(self, X, y, dtype=FLOATS, order="C", reset=begin, y_numeric=True)
        X = validate_data(self, X, dtype=FLOATS, order="C", reset=begin)
        return X, np.zeros(len(X))

    def _encoded(self, y, classes, begin):  # noqa: ARG002  as that of a classifier
        return y.astype(np.float64)

    def _read_off(self, plan, state):
        numbers = state.numbers
        self.weights_, rate = plan.weights(state)
        self.eta_ = rate if np.isfinite(rate) else 0.0
        self.t_ = int(numbers[ROUNDS])
        self.gradient_variation_ = float(numbers[VARIATION])
        self.cumulative_loss_ = float(numbers[LOSS])
        self.regret_certificate_ = plan.certificate(state)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn a stream from its beginning: one pass over the rows, in their order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_experts)
            Forecasts, or losses of the experts if y is None; the oldest first.
        y : array-like of shape (n_samples,), default=None
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the losses; rows of weight 0 are left out.

        Returns
        -------
        OnlineSimplexAggregator
            The fitted estimator.
        """
        self._learn(X, y, sample_weight, None, anew=True)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Go on with a stream: any cut of it into calls gives the same numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_experts)
            Further forecasts, or losses of the experts if y is None.
        y : array-like of shape (n_samples,), default=None
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        OnlineSimplexAggregator
            The estimator.
        """
        self._learn(X, y, sample_weight, None, anew=False)
        return self

    def progressive_fit_predict(
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> np.ndarray:
        """Weigh each row, then learn it; goes on with a stream as `partial_fit` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_experts)
            Further forecasts, or losses of the experts if y is None.
        y : array-like of shape (n_samples,), default=None
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Weighted means of the rows, with the weights from before each.
        """
        return self._learn(X, y, sample_weight, None, anew=False)[:, 0]

    def predict(self, X: Any) -> np.ndarray:
        """Weighted means of forecasts, with the weights of the next round.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_experts)
            Forecasts.

        Returns
        -------
        ndarray of shape (n_samples,)
            Their means.
        """
        check_is_fitted(self)
        return validate_data(self, X, dtype=FLOATS, reset=False) @ self.weights_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.target_tags.required = False
        tags.regressor_tags.poor_score = True  # a mean of columns is no regression on them
        return tags
