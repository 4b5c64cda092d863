"""The estimator `LinearProbe`."""

from collections.abc import Mapping
from copy import copy
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions, _fit_context
from skreg._warnings import warn
from skreg.moments import expand_classes, merge_over_classes
from skreg.probe._dense_rows import (
    full_moments,
    power_of_two_above,
    read_dense_rows,
    require_two_classes,
)
from skreg.probe._input import refuse_dask_frame
from skreg.probe._member_grid import grid_of, is_mergeable
from skreg.probe._member_mixture import member_of_moments
from skreg.probe._merging import Merging
from skreg.probe._mixture import LEAST_PROBABILITY
from skreg.probe._probe_members import fit_members
from skreg.probe._state import moments_of_state
from skreg.rows import dask_rows, is_dask_collection, map_rows


class LinearProbe(Merging, ClassifierMixin, Estimator):
    r"""One family of linear probes, from nearest centroid to logistic regression, averaged.

    With class means :math:`m_k`, priors :math:`\pi_k`, column scales :math:`s` and the pooled
    within-class covariance :math:`C` of the scaled columns, a closed-form member has the scores

    .. math::
        \log \pi_k - \frac{t}{2} (x - m_k)^T D_s^{-1} [(1 - \rho) C + \rho I]^{-1}
            D_s^{-1} (x - m_k),

    linear in x up to a term that all classes share. Nearest centroid is :math:`\rho = 1` with
    equal scales, naive Bayes :math:`\rho = 1` with the standard deviations within classes as
    scales, linear discriminant analysis :math:`\rho = 0`. One member more is a multinomial logistic
    regression. Every row is left out of all of them: in closed form, exactly, of the first kind, by
    a Newton step of the second. The probabilities of the
    members are averaged with weights under which the left-out rows are likely [1]_, so that no
    choice between the members, nor of a single temperature, has to be right where labels are few.

    Parameters
    ----------
    scaling : float or "loo", default="loo"
        Power a in [0, 1] of the standard deviations within classes by which columns are divided:
        0 leaves them as they are, 1 makes them alike. "loo" averages over 1, 1/2 and 0.
    shrinkage : float, "loo" or "oas", default="loo"
        Share :math:`\rho \in [0, 1]` of the identity in the covariance. "loo" averages over eight
        values from 0.001 to 1. "oas" is the share of Chen et al. [2]_, which needs no rows but the
        covariance alone; only with `scaling` and `sharpness` given and ``logistic=False``.
    sharpness : float or "loo", default="loo"
        Factor t of the squared distances; below 1 for columns that repeat each other. "loo"
        averages over 0 and eight values from 1/32 to 4.
    logistic : bool, default=True
        Whether a member of the average is a logistic regression. Half of the time of a fit is its.
    average : bool, default=True
        Whether to average. If False, the member of the least left-out log-loss is taken alone: a
        linear classifier with ``coef_`` and ``intercept_``, unless there are quadratic members.
    quadratic : bool, default=False
        Whether members have a variance for each class and column: Gaussian naive Bayes with
        variances :math:`(n_k s_{kj}^2 + \nu s_j^2) / (n_k + \nu)`, those of the class shrunk
        towards the squared scales :math:`s_j^2` of `scaling`, with :math:`\nu` = 1, 4, 16 and 64.
        For classes that differ in spread. The scores are then quadratic in x, and there is no
        ``coef_``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_count_ : ndarray of shape (n_classes,)
        Number of rows (sum of weights) of each class.
    class_prior_ : ndarray of shape (n_classes,)
        Their shares.
    scaling_, shrinkage_, sharpness_ : float
        Those of the closed-form member of the least left-out log-loss, or the given ones.
    closed_form_weights_ : ndarray of shape (n_scalings, n_shrinkages, n_sharpnesses)
        Weights of the closed-form members in the average.
    logistic_weight_ : float
        Weight of the logistic regression in the average, 0 without one.
    quadratic_weights_ : ndarray of shape (n_scalings, 4 or 0, n_sharpnesses)
        Weights of the quadratic members, :math:`\nu` rising.
    head_ : {"closed form", "logistic", "quadratic"}
        Where most of the weight is.
    loo_log_loss_ : float
        Left-out log-loss of the average, NaN if no row could be left out; only where something was
        chosen. The weights were fitted to it, so it is a little too low.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the linear scores; only of a single linear member (``average=False`` and
        ``quadratic=False``, or all parameters given).
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Offsets of the linear scores; only of a single linear member.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    LinearNaiveBayes : One member in one pass, on devices and in batches.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Another member, with Ledoit-Wolf
        shrinkage.
    sklearn.linear_model.LogisticRegressionCV : Logistic regression, its strength chosen on folds.

    Notes
    -----
    An average of linear classifiers is itself none, and predicts at the cost of the members that
    have weight, at most 25 products with X, and 24 more if there are quadratic ones. At most 1000
    rows, evenly spaced over the classes, are left out. Rows whose class has no other cannot be.
    Weights are counts: of two copies of a row one is left out, and a row of a weight below one as a
    whole. The scales s are kept when a row is left out.

    Time: three eigendecompositions of size min(n_samples, n_features) and as many products of
    squares of that size with n_samples; with fewer rows than columns no matrix of columns by
    columns is formed. The logistic member takes a factorisation per class: set ``logistic=False``
    for hundreds of classes. X is worked on in float64, CSR input is made dense.

    With `scaling`, `shrinkage` and `sharpness` given and ``logistic=False`` counts, means and the
    scatter within classes are all that is needed: then there are `partial_fit`, `merge` and
    `get_state`, and `fit` takes dask arrays, of which only these sums leave the workers. What is
    chosen by leave-one-out needs the rows, since each is scored by itself: of sums only "oas" can
    choose, which minimises the expected error of a covariance under normality, not a log-loss.

    References
    ----------
    .. [1] P. Smyth, D. Wolpert, "Linearly combining density estimators via stacking", Machine
       Learning 36, 1999.
    .. [2] Y. Chen, A. Wiesel, Y. C. Eldar, A. O. Hero, "Shrinkage algorithms for MMSE covariance
       estimation", IEEE Transactions on Signal Processing 58, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg.probe import LinearProbe
    >>> X, X_test, y, y_test = train_test_split(
    ...     *load_wine(return_X_y=True), train_size=30, stratify=load_wine().target, random_state=0
    ... )
    >>> probe = LinearProbe().fit(X, y)
    >>> print(f"{probe.score(X_test, y_test):.2f}")
    0.93
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "scaling": [Interval(Real, 0, 1, closed="both"), StrOptions({"loo"})],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"loo", "oas"})],
        "sharpness": [Interval(Real, 0, None, closed="neither"), StrOptions({"loo"})],
        "logistic": ["boolean"],
        "average": ["boolean"],
        "quadratic": ["boolean"],
    }

    def __init__(
        self,
        *,
        scaling: float | Literal["loo"] = "loo",
        shrinkage: float | Literal["loo", "oas"] = "loo",
        sharpness: float | Literal["loo"] = "loo",
        logistic: bool = True,
        average: bool = True,
        quadratic: bool = False,
    ) -> None:
        self.scaling = scaling
        self.shrinkage = shrinkage
        self.sharpness = sharpness
        self.logistic = logistic
        self.average = average
        self.quadratic = quadratic

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the members and the weights of their average.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features; a dask array only where all parameters are given and ``logistic=False``.
        y : array-like of shape (n_samples,)
            Class labels: numbers, strings or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. An integer weight equals that many copies of the row; weights that
            sum to one, all rows together, say that there is a single one.

        Returns
        -------
        LinearProbe
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y has NaN or infinity, if squares of X overflow, if fewer than two classes have
            rows, if a weight is negative, if X is a dask array and something is to be chosen, or
            if `shrinkage` is "oas" and anything else is not given.
        """
        if self.shrinkage == "oas" and not is_mergeable(self):
            raise ValueError(
                'shrinkage="oas" is that of a single member: give numbers for scaling and '
                "sharpness, logistic=False and quadratic=False"
            )
        fresh = copy(self)
        if is_dask_collection(X):
            fresh._fit_blocks(X, y, sample_weight)
        else:
            fresh._fit(X, y, sample_weight)
        return self._become(fresh)

    def _fit(self, X, y, sample_weight):
        rows = read_dense_rows(self, X, y, sample_weight, reset=True)
        require_two_classes(rows.classes, rows.count)
        if rows.weights.sum() < np.count_nonzero(rows.count):
            warn(
                f"sample_weight sums to {rows.weights.sum():.3g}, less than one row a class: "
                "weights are counts of rows, so that LinearProbe takes the data for next to none; "
                "multiply them by a constant, as by len(y) if they were divided by it"
            )
        if is_mergeable(self):
            self._set_moments(rows.classes, full_moments(rows))
            return
        single = rows.classes[rows.has_single_row]
        if single.size:
            warn(
                f"the classes {single} have a single row, which cannot be left out: nothing that "
                "LinearProbe chooses is chosen on them"
            )
        # a common power of two changes no digit and keeps squares within the range of floats
        unit = power_of_two_above(rows.X)
        grid = grid_of(self)
        fitted = fit_members(rows.X / unit, rows.codes, rows.weights, len(rows.classes), grid)
        mixture = fitted.mixture.times(1.0 / unit)
        self._set(rows.classes, rows.count, mixture, fitted, grid)

    def _fit_blocks(self, X, y, sample_weight):
        """Fit to a dask array; only moments leave the workers."""
        if not is_mergeable(self):
            raise ValueError(
                "'loo', the logistic and the quadratic members need all rows at once, not a dask "
                "array; give numbers for scaling, shrinkage and sharpness, logistic=False and "
                "quadratic=False"
            )
        refuse_dask_frame(X)
        blocks = dask_rows(X, y, sample_weight, by="LinearProbe")
        classes, moments = blocks.reduce(clone(self)._chunk_moments, merge_over_classes)
        require_two_classes(classes, moments.weight)
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = X.shape[1]
        self._set_moments(classes, moments)

    def _chunk_moments(self, chunk):
        rows = read_dense_rows(
            self, chunk.X, chunk.y, chunk.sample_weight, reset=True, all_zero=True
        )
        return rows.classes, full_moments(rows)

    @available_if(is_mergeable)
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add a batch of rows; only where all parameters are given and ``logistic=False``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the batch.
        y : array-like of shape (n_samples,)
            Labels of the batch; it may lack classes.
        classes : array-like of shape (n_classes,), default=None
            All labels that may occur in this or later batches; those seen so far if None.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; those of a later batch may all be zero.

        Returns
        -------
        LinearProbe
            The updated estimator, unchanged if an error is raised.

        Raises
        ------
        ValueError
            As in `fit`; also if a label is not in `classes`.
        """
        self._validate_params()
        fresh = copy(self)
        first = not hasattr(self, "_moments")
        rows = read_dense_rows(fresh, X, y, sample_weight, reset=first, all_zero=not first)
        batch_classes, batch = rows.classes, full_moments(rows)
        if classes is not None:
            given = np.unique(classes)
            unknown = np.setdiff1d(batch_classes, given)
            if unknown.size:
                raise ValueError(f"y has the labels {unknown} that are not in classes={given}")
            batch = expand_classes(batch, np.searchsorted(given, batch_classes), len(given))
            batch_classes = given
        merged = batch_classes, batch
        if not first:
            merged = merge_over_classes((self.classes_, self._moments), merged)
        fresh._set_moments(*merged)
        return self._become(fresh)

    @classmethod
    def from_state(cls, state: Mapping[str, ArrayLike], **params: Any) -> Self:
        """Probe with the sums of `get_state`.

        Parameters
        ----------
        state : dict
            As returned by `get_state`.
        **params
            Parameters of the new estimator: all of them, as nothing can be chosen on sums but
            ``shrinkage="oas"``.

        Returns
        -------
        LinearProbe
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is to be chosen on rows, if the shapes do not fit together, if a number
            is not finite, if a count or variance is negative, or if fewer than two classes have
            rows.
        """
        probe = cls(**params)
        probe._validate_params()
        if not is_mergeable(probe):
            raise ValueError(
                "'loo', the logistic and the quadratic members need rows, not a state; give "
                "scaling, shrinkage and sharpness, logistic=False and quadratic=False"
            )
        classes, moments = moments_of_state(state, scatter_ndim=2)
        require_two_classes(classes, moments.weight)
        probe.n_features_in_ = moments.scatter.shape[0]
        probe._set_moments(classes, moments)
        return probe

    def decision_function(self, X: Any) -> Any:
        """Log-odds of the second of two classes, else log-probabilities of all.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            The scores. Of a single member they are linear in X.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            width = None if len(self.classes_) == 2 else len(self.classes_)
            return self._mapped(self.decision_function, X, np.float64, width)
        X = self._read_rows(X)
        if hasattr(self, "coef_"):
            scores = X @ self.coef_.T + self.intercept_
            return scores[:, 0] if len(self.classes_) == 2 else scores
        log_p = np.log(np.maximum(self._mixture.probabilities(X), LEAST_PROBABILITY))
        return log_p[:, 1] - log_p[:, 0] if len(self.classes_) == 2 else log_p

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            return self._mapped(self.predict_proba, X, np.float64, len(self.classes_))
        return self._mixture.probabilities(self._read_rows(X))

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities; minus infinity for a probability of 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Any:
        """Most probable class of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            return self._mapped(self.predict, X, self.classes_.dtype)
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _mapped(self, method, X, dtype, width=None):
        refuse_dask_frame(X)
        return map_rows(method, X, dtype, width, by="LinearProbe")

    def _read_rows(self, X):
        check_is_fitted(self)
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )

    def _keeps_sums(self):
        return is_mergeable(self)

    def _known_classes(self):
        return self.classes_

    def _of_merged(self, classes, moments, other):  # noqa: ARG002
        both = copy(self)
        both._set_moments(classes, moments)
        return both

    def _set_moments(self, classes, moments):
        """Derive the one member from sums over rows, and keep them for what may follow."""
        if moments.total <= 0:
            raise ValueError("the sum of sample_weight must be positive")
        grid, mixture = member_of_moments(moments, grid_of(self))
        self._set(classes, moments.weight, mixture, None, grid)
        self._moments = moments

    def _set(self, classes, count, mixture, fitted, grid):
        """Store all that is learned."""
        for name in ("coef_", "intercept_", "loo_log_loss_", "_moments"):
            self.__dict__.pop(name, None)
        parts = mixture.coef, mixture.offset, mixture.curvature
        if not all(np.isfinite(part).all() for part in parts):
            raise ValueError("X has columns on scales too far apart for squares; rescale them")
        self.classes_, self.class_count_ = classes, count
        self.class_prior_ = count / count.sum()
        best = fitted.best if fitted else (0, 0, 0)
        self.scaling_ = float(grid.scalings[best[0]])
        self.shrinkage_ = float(grid.shrinkages[best[1]])
        self.sharpness_ = float(grid.sharpnesses[best[2]])
        weights = fitted.parts if fitted else grid.alone()
        self.closed_form_weights_ = weights.closed
        self.logistic_weight_ = float(weights.logistic.sum())
        self.quadratic_weights_ = weights.quadratic
        heads = {
            "closed form": weights.closed,
            "logistic": weights.logistic,
            "quadratic": weights.quadratic,
        }
        self.head_ = max(heads, key=lambda name: heads[name].sum())
        if fitted:
            self.loo_log_loss_ = fitted.log_loss
        self._mixture = mixture
        if (not self.average and not self.quadratic) or fitted is None:
            coef, intercept = mixture.linear_form()
            if len(classes) == 2:
                coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
            self.coef_, self.intercept_ = coef, intercept
