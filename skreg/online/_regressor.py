"""The estimator `OptimisticOMDRegressor`."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._sklearn import Interval, StrOptions
from skreg.online._losses import REGRESSION
from skreg.online._mirror_descent import Hint, MirrorDescent
from skreg.online._stream import FLOATS, squeezed


class OptimisticOMDRegressor(RegressorMixin, MirrorDescent):
    r"""Linear regression on a stream, by optimistic online mirror descent.

    Each row is a round: the model predicts, is told the target, and moves. Two points move, the one
    that is played and a shadow; the played one is a step ahead of the shadow, along a hint at the
    gradient that comes next, which is the last one unless told otherwise [1]_:

    .. math::
        x_t &= \operatorname{argmin}_{x \in X} \langle M_t, x \rangle + r(x)
               + \tfrac{1}{2 \eta_t} \lVert x - \hat x_t \rVert^2 , \\
        \hat x_{t+1} &= \operatorname{argmin}_{x \in X} \langle g_t, x \rangle + r(x)
               + \tfrac{1}{2 \eta_t} \lVert x - \hat x_t \rVert^2 .

    Regret, the loss beyond that of the best fixed coefficients of norm at most `radius`, grows with
    what hints miss and not with the number of rounds: with noise and with drift, each as far as
    there is any. No learning rate is tuned, and `regret_certificate_` bounds the regret of what was
    learned so far, whatever came.

    Parameters
    ----------
    loss : str or callable, default="squared_error"
        Loss of a prediction: "squared_error" (half the squared error), "huber", "absolute_error" or
        "epsilon_insensitive". A callable
        ``loss(prediction, target)`` returns the value of a convex loss and its derivative by the
        prediction, and is as slow as Python.
    domain : {"l2", "box"} or None, default="l2"
        Where coefficients and intercept together stay: in a ball, in a box, or anywhere.
    radius : float, default=10.0
        Radius of the ball, or half the width of the box. It sets the unit of the steps, and says
        with which coefficients the certificate compares also if `domain` is None.
    geometry : {"euclidean", "newton"}, default="euclidean"
        "newton" has online Newton steps for the squared loss, which cost the square of the number
        of columns.
    curvature : {"convex", "strongly_convex"}, default="convex"
        "strongly_convex" uses the curvature that `alpha` gives, with steps 2 / (alpha t). The
        regret then grows like log t, but what decays so fast cannot follow drift.
    step_size : {"adaptive", "sachs"} or float, default="adaptive"
        "adaptive": :math:`D / \sqrt{\delta + 4 G^2 + V_{t-1}}` with the diameter D of the domain
        and :math:`V = \sum \lVert g_s - M_s \rVert^2`. "sachs": dual averaging with the steps of
        [2]_, nu = `delta` (2 D G if `lipschitz` is given). A number is a constant step.
    hint : {"last_gradient", "none", "auto"} or callable, default="last_gradient"
        What the next gradient may be. "none" is adaptive online gradient descent; "auto" shrinks
        the last gradient as far as it did worse than no hint. A callable
        ``hint(gradient, hint, t)`` is called after each round with its gradient, its hint and the
        number of rounds, and returns the next hint: arrays of length ``n_features + 1`` with an
        intercept, which is last, else ``n_features``.
    update : {"explicit", "implicit"}, default="explicit"
        "implicit": the hint is the gradient of the last loss at the new point, so that the played
        point is a proximal step. It is stable for any step, and made for losses with kinks.
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
    epsilon : float, default=0.1
        Where "huber" turns linear, and below which "epsilon_insensitive" is 0.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients of the next round; with `average`, their mean so far.
    intercept_ : float
        Its intercept.
    shadow_coef_ : ndarray of shape (n_features,)
        Coefficients of the shadow point.
    hint_ : ndarray of shape (n_features,)
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
    OptimisticOMDClassifier : The same for classes.
    DriftAdaptiveEnsemble : Several steps at once, when the best coefficients move.
    RegretTracker : Regret itself, by solving for the best coefficients in hindsight.

    Notes
    -----
    Rows cost time in proportion to their nonzero entries for the euclidean geometry on a ball or
    everywhere without l1, to the number of columns otherwise, and to its square for "newton".
    Any cut of a stream into calls of `partial_fit` gives the same numbers to the last bit, with
    pickles in between or not. Features should be of one scale: large ones make steps small.

    The penalties are part of both steps (proximal steps) and not of the gradients: for strongly
    convex losses the certificate is then at most the theorem's.

    References
    ----------
    .. [1] S. Chen, Y.-J. Zhang, W.-W. Tu, P. Zhao, L. Zhang, "Optimistic Online Mirror Descent for
       Bridging Stochastic and Adversarial Online Convex Optimization", JMLR 25(178), 2024.
    .. [2] S. Sachs, H. Hadiji, T. van Erven, C. Guzmán, "Between Stochastic and Adversarial Online
       Convex Optimization: Improved Regret Bounds via Smoothness", NeurIPS 2022, theorem 5.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.online import OptimisticOMDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 3))
    >>> y = X @ [1.0, -2.0, 3.0] + 0.1 * rng.normal(size=1000)
    >>> model = OptimisticOMDRegressor(radius=5.0)
    >>> for rows in np.array_split(np.arange(1000), 10):
    ...     model = model.partial_fit(X[rows], y[rows])
    >>> model.coef_.round()
    array([ 1., -2.,  3.])
    >>> best = 0.5 * np.sum((y - X @ [1.0, -2.0, 3.0]) ** 2)
    >>> bool(model.cumulative_loss_ - best <= model.regret_certificate_)
    True
    """

    _kinds: ClassVar[dict[str, int]] = REGRESSION
    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions(set(REGRESSION)), callable],
        **MirrorDescent._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
    }
    _targets: ClassVar[dict] = {"y_numeric": True}
    _n_outputs = 1

    def __init__(
        self,
        loss: str | Callable[..., Any] = "squared_error",
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
        epsilon: float = 0.1,
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
        self.epsilon = epsilon

    def _encoded(self, y, classes, begin):  # noqa: ARG002  as the classifier's
        return y.astype(np.float64)

    def _shaped(self, points):
        return points.coef[0], float(points.intercept[0])

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on with a stream: any cut of it into calls gives the same numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        OptimisticOMDRegressor
            The estimator.

        Raises
        ------
        ValueError
            As `fit`, and if a parameter or the number of columns has changed since the beginning.
        """
        self._learn(X, y, sample_weight, None, anew=False)
        return self

    def progressive_fit_predict(self, X: Any, y: Any, sample_weight: Any = None) -> np.ndarray:
        """Predict each row, then learn it; goes on with a stream as `partial_fit` does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            What `predict` says of each row before it is learned; 0 before there was any.
        """
        return self._learn(X, y, sample_weight, None, anew=False)[:, 0]

    def predict(self, X: Any) -> np.ndarray:
        """Predict with the coefficients of the next round.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return squeezed(safe_sparse_dot(X, self.coef_[:, None]).T) + self.intercept_
