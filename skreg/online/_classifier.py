"""The estimator `OptimisticOMDClassifier`."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import StrOptions
from skreg.online._classes import codes_of, known_classes, labels_of, probabilities, said_before
from skreg.online._losses import CLASSIFICATION, SOFTMAX, Loss
from skreg.online._mirror_descent import Hint, MirrorDescent
from skreg.online._stream import FLOATS


def _has_probabilities(estimator):
    return estimator.loss == "log_loss"


class OptimisticOMDClassifier(ClassifierMixin, MirrorDescent):
    r"""Linear classification on a stream, by optimistic online mirror descent.

    The method is that of `OptimisticOMDRegressor`, whose documentation has the equations, on losses
    of classes. Two classes have one vector of coefficients. More have a matrix, whose Frobenius
    norm the ball bounds: with the multinomial "log_loss", and with the sum over the classes of one
    against the rest for the other losses.

    Parameters
    ----------
    loss : {"log_loss", "hinge", "squared_hinge", "modified_huber"}, default="log_loss"
        Loss of a decision value, as in `sklearn.linear_model.SGDClassifier`.
    domain : {"l2", "box"} or None, default="l2"
        Where coefficients and intercept together stay: in a ball, in a box, or anywhere.
    radius : float, default=10.0
        Radius of the ball, or half the width of the box. It sets the unit of the steps, and says
        with which coefficients the certificate compares also if `domain` is None.
    geometry : {"euclidean", "newton"}, default="euclidean"
        "newton" has online Newton steps, for two classes and "log_loss" or "squared_hinge"; they
        cost the square of the number of columns.
    curvature : {"convex", "strongly_convex"}, default="convex"
        "strongly_convex" uses the curvature that `alpha` gives, with steps 2 / (alpha t). The
        regret then grows like log t, but what decays so fast cannot follow drift.
    step_size : {"adaptive", "sachs"} or float, default="adaptive"
        "adaptive": :math:`D / \sqrt{\delta + 4 G^2 + V_{t-1}}` with the diameter D of the domain
        and :math:`V = \sum \lVert g_s - M_s \rVert^2`. "sachs": dual averaging with the steps of
        Sachs et al. (2022), nu = `delta` (2 D G if `lipschitz` is given). A number is a constant
        step.
    hint : {"last_gradient", "none", "auto"} or callable, default="last_gradient"
        What the next gradient may be. "none" is adaptive online gradient descent; "auto" shrinks
        the last gradient as far as it did worse than no hint. A callable
        ``hint(gradient, hint, t)`` is called after each round with its gradient, its hint and the
        number of rounds, and returns the next hint: arrays of length ``n_features + 1`` with an
        intercept, which is last, else ``n_features``; with a row for each class if there are more
        than two.
    update : {"explicit", "implicit"}, default="explicit"
        "implicit": the hint is the gradient of the last loss at the new point, so that the played
        point is a proximal step; for "hinge" the step of passive-aggressive learning. Not for
        "log_loss" with more than two classes.
    lipschitz : float, default=None
        A bound G on the norm of gradients, if one is known. If None, the largest norm so far takes
        its place and `delta` that of 0, so that the unit of the losses does not matter.
    delta : float, default=1.0
        Constant below the root of the adaptive step, if `lipschitz` is given.
    alpha : float, default=0.0
        Strength of the penalty ``alpha / 2 * (|coef|^2 + intercept^2)``.
    l1 : float, default=0.0
        Strength of the penalty ``l1 * |coef|_1``, which sets coefficients to zero.
    fit_intercept : bool, default=True
        Whether to append a column of ones, whose coefficient lies inside of the domain.
    average : bool, default=False
        Predict with the mean of all points that were played, for streams without drift.
    mode : {"sample", "batch"}, default="sample"
        Whether each row is a round, or each call, with the mean of its losses.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the next round; with `average`, their mean so far.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Its intercepts.
    shadow_coef_ : ndarray of the shape of `coef_`
        Coefficients of the shadow point.
    hint_ : ndarray of the shape of `coef_`
        The hint of the next round.
    t_ : int
        Number of rounds.
    step_size_ : float
        Step of the next round; 0 before there was a gradient.
    gradient_variation_ : float
        V, the sum of squared distances of gradients to their hints.
    max_grad_norm_ : float
        The largest norm of a gradient.
    cumulative_loss_ : float
        Sum of the losses of what was played, without penalties.
    regret_certificate_ : float
        No coefficients of norm at most `radius` (in the box: no larger ones) have a cumulative
        loss, penalties included, that is lower by more than this.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are all strings.

    See Also
    --------
    OptimisticOMDRegressor : The same for numbers, with the equations.
    DriftAdaptiveEnsemble : Several steps at once, when the best coefficients move.
    RegretTracker : Regret itself, by solving for the best coefficients in hindsight.

    References
    ----------
    S. Chen, Y.-J. Zhang, W.-W. Tu, P. Zhao, L. Zhang, "Optimistic Online Mirror Descent for
    Bridging Stochastic and Adversarial Online Convex Optimization", JMLR 25(178), 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from sklearn.utils import shuffle
    >>> from skreg.online import OptimisticOMDClassifier
    >>> X, y = shuffle(*load_iris(return_X_y=True), random_state=0)
    >>> model = OptimisticOMDClassifier()
    >>> said = model.progressive_fit_predict(scale(X), y)
    >>> float((said[75:] == y[75:]).mean()) > 0.85
    True
    >>> model.regret_certificate_ > 0.0
    True
    """

    _kinds: ClassVar[dict[str, int]] = CLASSIFICATION
    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions(set(CLASSIFICATION))],
        **MirrorDescent._parameter_constraints,
    }
    _targets: ClassVar[dict] = {}

    def __init__(
        self,
        loss: str = "log_loss",
        *,
        domain: Literal["l2", "box"] | None = "l2",
        radius: float = 10.0,
        geometry: Literal["euclidean", "newton"] = "euclidean",
        curvature: Literal["convex", "strongly_convex"] = "convex",
        step_size: float | Literal["adaptive", "sachs"] = "adaptive",
        hint: Hint = "last_gradient",
        update: Literal["explicit", "implicit"] = "explicit",
        lipschitz: float | None = None,
        delta: float = 1.0,
        alpha: float = 0.0,
        l1: float = 0.0,
        fit_intercept: bool = True,
        average: bool = False,
        mode: Literal["sample", "batch"] = "sample",
    ) -> None:
        self.loss = loss
        self.domain = domain
        self.radius = radius
        self.geometry = geometry
        self.curvature = curvature
        self.step_size = step_size
        self.hint = hint
        self.update = update
        self.lipschitz = lipschitz
        self.delta = delta
        self.alpha = alpha
        self.l1 = l1
        self.fit_intercept = fit_intercept
        self.average = average
        self.mode = mode

    @property
    def _n_outputs(self):
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    @property
    def _loss(self):
        if self.loss == "log_loss" and self._n_outputs > 1:
            return Loss(SOFTMAX)
        return Loss(CLASSIFICATION[self.loss])

    def _encoded(self, y, classes, begin):
        if begin:
            self.classes_ = known_classes(y, classes, type(self).__name__)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes is {np.unique(classes).tolist()}, but the stream began with "
                f"{self.classes_.tolist()}; give the same ones, or none"
            )
        return codes_of(y, self.classes_)

    def _shaped(self, points):
        return points.coef, points.intercept

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on with a stream: any cut of it into calls gives the same numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that may come; asked for by the first call, unless y has all of them.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        OptimisticOMDClassifier
            The estimator.

        Raises
        ------
        ValueError
            As `fit`, and if a label is none of the classes, or if a parameter, the classes or the
            number of columns have changed since the beginning.
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
            Labels.
        classes : array-like of shape (n_classes,), default=None
            As for `partial_fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.
        method : {"predict", "decision_function", "predict_proba"}, default="predict"
            What is said of each row.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            What that method says of each row before it is learned; the first class before any was.
        """
        scores = self._learn(X, y, sample_weight, classes, anew=False)
        return said_before(method, scores, self.classes_, self.loss)

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear scores with the coefficients of the next round.

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

    def _scores(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return safe_sparse_dot(X, self.coef_.T) + self.intercept_

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels with the coefficients of the next round.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        return labels_of(self._scores(X), self.classes_)

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, for ``loss="log_loss"``.

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
