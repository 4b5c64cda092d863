"""The estimator `DriftAdaptiveEnsemble`."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import Interval, StrOptions
from skreg.online._classes import codes_of, known_classes, labels_of, probabilities, said_before
from skreg.online._classifier import OptimisticOMDClassifier
from skreg.online._ensemble_plan import ensemble_plan
from skreg.online._losses import CLASSIFICATION, REGRESSION, SOFTMAX, Loss
from skreg.online._regressor import OptimisticOMDRegressor
from skreg.online._steps import LOSS, MAX_GRADIENT, ROUNDS, VARIATION
from skreg.online._stream import FLOATS, StreamLearner


def base_of(ensemble: Any) -> Any:
    """The base of an ensemble, the default for None."""
    return OptimisticOMDRegressor() if ensemble.base is None else ensemble.base


def _of_classes(ensemble):
    return is_classifier(base_of(ensemble))


def _has_probabilities(ensemble):
    return _of_classes(ensemble) and base_of(ensemble).loss == "log_loss"


class DriftAdaptiveEnsemble(MetaEstimatorMixin, StreamLearner):
    r"""Learners with many step sizes on one stream, mixed by what each has lost.

    When the best coefficients move, the best step depends on how fast they do. Here learners with
    steps from small to large, each twice the one before, share the gradient at their mixture, and
    optimistic Hedge weighs them [1]_. Regret against moving coefficients then grows with the length
    of their path, without knowing it.

    Parameters
    ----------
    base : OptimisticOMDRegressor or OptimisticOMDClassifier, default=None
        Loss, domain, radius, hint and intercept of the learners; a regressor of squared error if
        None. Its steps are those of the pool. It is not fitted.
    n_rounds : int, default=None
        Length of the stream, for the pool of theory; if None, that pool begins anew after 64, 128,
        256, ... rounds, from where it is.
    pool : array-like of shape (n_learners,), default=None
        Steps. If None, those of `tuning`.
    tuning : {"practical", "theory"}, default="practical"
        "practical": 0.02, 0.04, ..., 2.56 over the largest squared norm of a row so far, and a rate
        of the mixture that grows with what learners differ. "theory": the steps and rates for which
        bounds are proved [1]_, [2]_; they are small. It needs `lipschitz` of the base, and
        `smoothness`.
    switch_penalty : float, default=None
        Price of the squared distance that a learner moves, in the losses of the mixture. If None,
        0 for "practical" and 2 L for "theory".
    meta_lr_scale : float, default=4.0
        Factor of the rate of the mixture, for "practical".
    smoothness : float, default=None
        A bound L on the curvature of the losses, for "theory".

    Attributes
    ----------
    step_pool_ : ndarray of shape (n_learners,)
        Steps of the next round; 0 before there was a row to go by.
    meta_weights_ : ndarray of shape (n_learners,)
        Weights of the next round.
    base_coefs_ : ndarray of shape (n_learners, n_features) or (n_learners, n_classes, n_features)
        Coefficients of the learners in the next round.
    base_intercepts_ : ndarray of shape (n_learners,) or (n_learners, n_classes)
        Their intercepts.
    classes_ : ndarray of shape (n_classes,)
        Labels, if the base is a classifier.
    t_ : int
        Number of rounds.
    gradient_variation_ : float
        Sum of squared distances of gradients to their hints.
    max_grad_norm_ : float
        The largest norm of a gradient.
    cumulative_loss_ : float
        Sum of the losses of what was played.
    regret_certificate_ : float
        No fixed coefficients of norm at most the radius of the base have a cumulative loss that is
        lower by more than this.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are all strings.

    See Also
    --------
    OptimisticOMDRegressor : One learner, with adaptive steps.
    RegretDisplay : A picture of regret, steps and weights along a stream.

    Notes
    -----
    Any cut of a stream into calls of `partial_fit` gives the same numbers to the last bit. A row
    costs what its entries cost, times the number of learners.

    References
    ----------
    .. [1] S. Chen, Y.-J. Zhang, W.-W. Tu, P. Zhao, L. Zhang, "Optimistic Online Mirror Descent for
       Bridging Stochastic and Adversarial Online Convex Optimization", JMLR 25(178), 2024.
    .. [2] P. Zhao, Y.-J. Zhang, L. Zhang, Z.-H. Zhou, "Adaptivity and Non-stationarity:
       Problem-dependent Dynamic Regret for Online Convex Optimization", JMLR 25(98), 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.online import DriftAdaptiveEnsemble, OptimisticOMDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 3))
    >>> coef = np.where(np.arange(2000)[:, None] < 1000, [1.0, -2.0, 0.5], [-1.0, 0.0, 2.0])
    >>> y = np.sum(X * coef, axis=1) + 0.1 * rng.normal(size=2000)
    >>> ensemble = DriftAdaptiveEnsemble(OptimisticOMDRegressor(radius=3.0))
    >>> said = ensemble.progressive_fit_predict(X, y)
    >>> float(np.mean((said - y)[1200:] ** 2)) < 0.03
    True
    >>> ensemble.meta_weights_.shape
    (8,)
    """

    _parameter_constraints: ClassVar[dict] = {
        "base": [OptimisticOMDRegressor, OptimisticOMDClassifier, None],
        "n_rounds": [Interval(Integral, 1, None, closed="left"), None],
        "pool": ["array-like", None],
        "tuning": [StrOptions({"practical", "theory"})],
        "switch_penalty": [Interval(Real, 0, None, closed="left"), None],
        "meta_lr_scale": [Interval(Real, 0, None, closed="neither")],
        "smoothness": [Interval(Real, 0, None, closed="neither"), None],
    }
    classes_: np.ndarray

    def __init__(
        self,
        base: OptimisticOMDRegressor | OptimisticOMDClassifier | None = None,
        *,
        n_rounds: int | None = None,
        pool: ArrayLike | None = None,
        tuning: Literal["practical", "theory"] = "practical",
        switch_penalty: float | None = None,
        meta_lr_scale: float = 4.0,
        smoothness: float | None = None,
    ) -> None:
        self.base = base
        self.n_rounds = n_rounds
        self.pool = pool
        self.tuning = tuning
        self.switch_penalty = switch_penalty
        self.meta_lr_scale = meta_lr_scale
        self.smoothness = smoothness

    @property
    def _targets(self):
        return {} if _of_classes(self) else {"y_numeric": True}

    @property
    def _n_outputs(self):
        if not _of_classes(self) or len(self.classes_) == 2:
            return 1
        return len(self.classes_)

    @property
    def _loss(self):
        base = base_of(self)
        if not _of_classes(self):
            return Loss(REGRESSION.get(base.loss, -1), float(base.epsilon))
        if base.loss == "log_loss" and self._n_outputs > 1:
            return Loss(SOFTMAX)
        return Loss(CLASSIFICATION[base.loss])

    def _plan(self, params):
        base = base_of(self)
        return ensemble_plan(params, base.get_params(), self._loss)

    def _validate_params(self):
        super()._validate_params()
        base_of(self)._validate_params()

    def _encoded(self, y, classes, begin):
        if not _of_classes(self):
            self.__dict__.pop("classes_", None)
            if classes is not None:
                raise ValueError("classes are for a base that is a classifier")
            return y.astype(np.float64)
        if begin:
            self.classes_ = known_classes(y, classes, type(self).__name__)
        return codes_of(y, self.classes_)

    def _read_off(self, plan, state):
        numbers = state.numbers
        coef, intercept = plan.points(state)
        one = self._n_outputs == 1
        self.step_pool_ = plan.current_steps(state)
        self.meta_weights_ = state.weights.copy()
        self.base_coefs_ = coef[:, 0] if one else coef
        self.base_intercepts_ = intercept[:, 0] if one else intercept
        self._coef = np.tensordot(self.meta_weights_, coef, axes=1)
        self._intercept = self.meta_weights_ @ intercept
        self.t_ = int(state.done[0] + numbers[ROUNDS])
        self.gradient_variation_ = float(numbers[VARIATION])
        self.max_grad_norm_ = float(numbers[MAX_GRADIENT])
        self.cumulative_loss_ = float(numbers[LOSS])
        self.regret_certificate_ = float(state.certified[0] + plan.span_certificate(state))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on with a stream: any cut of it into calls gives the same numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.
        y : array-like of shape (n_samples,)
            Targets or labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that may come; asked for by the first call of a classifier, unless y has all
            of them.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        DriftAdaptiveEnsemble
            The estimator.

        Raises
        ------
        ValueError
            As `fit`, and if a label is none of the classes, or if a parameter or the number of
            columns has changed since the beginning.
        """
        self._learn(X, y, sample_weight, classes, anew=False)
        return self

    def progressive_fit_predict(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        method: str = "predict",
    ) -> np.ndarray:
        """Predict each row, then learn it; goes on with a stream as `partial_fit` does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.
        y : array-like of shape (n_samples,)
            Targets or labels.
        classes : array-like of shape (n_classes,), default=None
            As for `partial_fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.
        method : {"predict", "decision_function", "predict_proba"}, default="predict"
            What is said of each row.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            What that method says of each row before it is learned.
        """
        scores = self._learn(X, y, sample_weight, classes, anew=False)
        if _of_classes(self):
            return said_before(method, scores, self.classes_, base_of(self).loss)
        if method != "predict":
            raise ValueError(f"method must be 'predict' for a regressor; got {method!r}")
        return scores[:, 0]

    def _said(self, scores):
        return labels_of(scores, self.classes_) if _of_classes(self) else scores[:, 0]

    def _scores(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return safe_sparse_dot(X, self._coef.T) + self._intercept

    def predict(self, X: Any) -> np.ndarray:
        """Predict with the mixture of the next round.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Numbers or labels.
        """
        return self._said(self._scores(X))

    @available_if(_of_classes)
    def decision_function(self, X: Any) -> np.ndarray:
        """Linear scores of the mixture, if the base is a classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One score for two classes, else one for each.
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, if the base has ``loss="log_loss"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return probabilities(self._scores(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of right labels, or of explained variance for numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Targets or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            The score.
        """
        measure = accuracy_score if _of_classes(self) else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(base_of(self))
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        return tags
