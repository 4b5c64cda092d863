"""The estimator `LinearNaiveBayes`."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from skreg._estimator import Estimator
from skreg._sklearn import (
    Interval,
    StrOptions,
    _convert_to_numpy,
    _fit_context,
    check_same_namespace,
    get_namespace,
)
from skreg.moments import expand_classes, merge_over_classes
from skreg.probe._input import (
    checked_moments,
    read_labelled_rows,
    read_rows,
    refuse_dask_frame,
)
from skreg.probe._labels import labels_beside
from skreg.probe._leave_one_out import loo_scores
from skreg.probe._linear_form import linear_form, pooled_variance
from skreg.probe._merging import Merging
from skreg.probe._regularisation import (
    checked_priors,
    choose_regularisation,
    require_fixed_regularisation,
    rule_of,
)
from skreg.probe._scores import log_probabilities, score_chunks, score_dtype
from skreg.probe._state import (
    check_classes,
    moments_of_state,
    require_squares,
    same_rows,
)
from skreg.rows import (
    converter_to,
    dask_rows,
    device_keyword,
    in_main_memory,
    is_dask_collection,
    map_rows,
)


class LinearNaiveBayes(Merging, ClassifierMixin, Estimator):
    r"""Gaussian naive Bayes with one variance per feature, a linear probe fitted in one pass.

    Every class k has its own mean and every feature j one variance, shared by all classes. The
    log-posterior is then linear in x,

    .. math::
        \log p(k \mid x) = \sum_j \frac{\mu_{kj} - \bar\mu_j}{s_j^2} x_j
            + \log \pi_k - \frac12 \sum_j \frac{\mu_{kj}^2 - \bar\mu_j^2}{s_j^2} + \text{const},

    as that of logistic regression, but its coefficients are closed-form functions of class counts,
    class means and the pooled within-class scatter: one pass over X, exactly mergeable, no
    iterations and hence no convergence to certify. Zheng et al. [1]_ show that it reaches its own
    plateau with far fewer labels than logistic regression, whose plateau is lower: use it with few
    labels per class, on streams, with thousands of classes, or as the reference next to logistic
    regression. The same classifier is known as diagonal linear discriminant analysis [2]_.
    `sklearn.naive_bayes.GaussianNB` is a different, quadratic method with a variance per class.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), default=None
        Prior probabilities :math:`\pi_k` of the classes; the class frequencies if None.
    var_smoothing : float, default=1e-9
        Variance that is added to every feature, in the unit set by `smoothing`.
    smoothing : {"relative", "absolute"}, default="relative"
        Whether `var_smoothing` is a multiple of the largest variance of a feature, which keeps the
        model equivariant to the scale of X, or a variance in squared units of X.
    shrinkage : float or "loo", default=0.0
        Share :math:`\lambda \in [0, 1]` of the mean variance in every variance. 1 gives the
        nearest-class-mean classifier. "loo" chooses it from a grid by the exact leave-one-out
        log-loss at its best temperature. Worth its cost with one to three labels per class.
    ddof : int, default=0
        Delta degrees of freedom of the variance, whose divisor is ``n_samples - ddof``. The
        method's own value is 0; ``n_classes`` gives the unbiased estimate.
    temperature : float or "loo", default=1.0
        Divisor of all scores, prior included. Correlated features make naive Bayes overconfident;
        "loo" fits the temperature to the exact leave-one-out log-loss.
    chunk_size : int, default=None
        Rows that are processed at once; None keeps the work arrays of a chunk at about 16 MiB.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_count_ : ndarray of shape (n_classes,)
        Number of samples (sum of weights) of each class.
    class_prior_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    theta_ : ndarray of shape (n_classes, n_features)
        Mean of each feature in each class; 0 for a class without samples.
    var_ : ndarray of shape (n_features,)
        Regularised pooled within-class variance of each feature.
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the linear scores; for two classes, those of the log-odds of the second.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Offsets of the linear scores; minus infinity for a class without samples or of prior 0,
        whose probability is then 0. For two classes, plus infinity if this is the first.
    epsilon_ : float
        Variance that was added to every feature.
    shrinkage_ : float
        Shrinkage in use.
    temperature_ : float
        Temperature in use.
    n_samples_seen_ : int or float
        Number of samples; the sum of weights if weights were given.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    probe_learning_curve : Error against number of labels, for this and other probes.
    sklearn.naive_bayes.GaussianNB : Naive Bayes with one variance per class and feature.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Full pooled covariance.

    Notes
    -----
    Memory beyond X: the statistics, ``n_classes * (n_features + 1) + n_features`` numbers in
    float64, and chunks of about 16 MiB. float16 and bfloat16 features are widened chunk by chunk.
    CSR input is never densified, except for the rows of one chunk during leave-one-out. Torch
    and CuPy arrays stay on their device under ``sklearn.config_context(array_api_dispatch=True)``;
    only the statistics travel. Dask arrays are reduced block by block to the same statistics.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting Discriminative vs.
       Generative Classifiers: Theory and Implications", ICML 2023.
    .. [2] S. Dudoit, J. Fridlyand, T. P. Speed, "Comparison of Discrimination Methods for the
       Classification of Tumors Using Gene Expression Data", JASA 97, 2002.

    Examples
    --------
    >>> from skreg.probe import LinearNaiveBayes
    >>> X, y = [[0, 0], [2, 0], [4, 2], [6, 4]], ["low", "low", "high", "high"]
    >>> probe = LinearNaiveBayes(var_smoothing=0).fit(X, y)
    >>> probe.coef_, probe.intercept_
    (array([[-4., -6.]]), array([21.]))
    >>> probe.predict([[3, 2], [1, 1]])
    array(['high', 'low'], dtype='<U4')
    >>> probe.predict_proba([[3, 2]]).round(4)
    array([[0.9526, 0.0474]])
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "priors": ["array-like", None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
        "smoothing": [StrOptions({"relative", "absolute"})],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"loo"})],
        "ddof": [Interval(Integral, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"loo"})],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        priors: ArrayLike | None = None,
        var_smoothing: float = 1e-9,
        smoothing: Literal["relative", "absolute"] = "relative",
        shrinkage: float | Literal["loo"] = 0.0,
        ddof: int = 0,
        temperature: float | Literal["loo"] = 1.0,
        chunk_size: int | None = None,
    ) -> None:
        self.priors = priors
        self.var_smoothing = var_smoothing
        self.smoothing = smoothing
        self.shrinkage = shrinkage
        self.ddof = ddof
        self.temperature = temperature
        self.chunk_size = chunk_size

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the class means and the pooled variances in one pass over X.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features, of any real dtype.
        y : array-like of shape (n_samples,)
            Class labels: numbers, strings or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. An integer weight equals that many copies of the row.

        Returns
        -------
        LinearNaiveBayes
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y has NaN or infinity, if squares of X overflow or underflow, if fewer than
            two classes have samples, if a weight is negative, if `priors` is not a distribution
            over the classes, if ``ddof >= n_samples``, or if "loo" is asked for and no class has
            two samples.
        """
        fresh = copy(self)
        fit = fresh._fit_blocks if is_dask_collection(X) else fresh._fit
        fit(X, y, sample_weight)
        return self._become(fresh)

    def _fit(self, X, y, sample_weight):
        rows = read_labelled_rows(self, X, y, sample_weight, reset=True)
        statistics = checked_moments(rows, self.chunk_size)
        check_classes(rows.classes, statistics, sample_weight is not None)
        require_squares(statistics)  # before anything is chosen by them
        shrinkage, temperature = choose_regularisation(self, rows, statistics)
        self._set_state(
            rows.classes,
            statistics,
            weighted=sample_weight is not None,
            like=rows.X,
            shrinkage=shrinkage,
            temperature=temperature,
        )

    def _fit_blocks(self, X, y, sample_weight):
        """Fit to a dask array; only moments leave the workers."""
        require_fixed_regularisation(self, "a dask array")
        refuse_dask_frame(X)
        rows = dask_rows(X, y, sample_weight, by="LinearNaiveBayes")
        classes, statistics = rows.reduce(clone(self)._chunk_state, merge_over_classes)
        check_classes(classes, statistics, sample_weight is not None)
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = X.shape[1]
        self._set_state(classes, statistics, weighted=sample_weight is not None, like=X._meta)

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add a batch of rows; any split into batches gives the same model as one `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the batch.
        y : array-like of shape (n_samples,)
            Labels of the batch; it may lack classes.
        classes : array-like of shape (n_classes,), default=None
            All labels that may ever occur. If it was never given, the classes are those seen so
            far and may grow with every batch.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; those of a later batch may all be zero.

        Returns
        -------
        LinearNaiveBayes
            The updated estimator, unchanged if an error is raised or the call is interrupted.

        Raises
        ------
        ValueError
            As in `fit`; also if a label is not in `classes`, if `classes` differs from that of an
            earlier call, or if `shrinkage` or `temperature` is "loo", which needs all rows at once.
        """
        self._validate_params()  # also of a fitted estimator, whose parameters may have been set
        require_fixed_regularisation(self, "partial_fit")
        fresh = copy(self)
        fresh._add_batch(X, y, classes, sample_weight)
        return self._become(fresh)

    def _add_batch(self, X, y, classes, sample_weight):
        first = not hasattr(self, "_moments")
        rows = read_labelled_rows(self, X, y, sample_weight, reset=first, all_zero=not first)
        batch_classes, batch = rows.classes, checked_moments(rows, self.chunk_size)
        declared = self._declared_classes(classes, first)
        if declared is not None:
            unknown = np.setdiff1d(batch_classes, declared)
            if unknown.size:
                raise ValueError(f"y has the labels {unknown} that are not in classes={declared}")
            batch = expand_classes(batch, np.searchsorted(declared, batch_classes), len(declared))
            batch_classes = declared
        merged = batch_classes, batch
        weighted = sample_weight is not None
        if not first:
            merged = merge_over_classes((self._known_classes(), self._moments), merged)
            weighted = weighted or self._weighted
        self._set_state(*merged, weighted=weighted, like=rows.X, declared=declared)

    def fit_batches(
        self, batches: Iterable[Sequence[Any]], classes: ArrayLike | None = None
    ) -> Self:
        """Fit on an iterable of batches, for instance a torch ``DataLoader``.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            Batches in any order; a batch may lack classes.
        classes : array-like of shape (n_classes,), default=None
            All labels that may occur; those that occur if None.

        Returns
        -------
        LinearNaiveBayes
            The estimator, fitted on these batches alone. If the iteration is interrupted by an
            exception, the estimator is fitted on the batches read before it.

        Raises
        ------
        ValueError
            As in `partial_fit`, or if there is no batch or fewer than two classes have samples.
        """
        fresh = clone(self)
        try:
            for X, y, *weight in batches:
                fresh.partial_fit(X, y, classes, *weight)
        finally:
            if hasattr(fresh, "_moments"):
                self._become(fresh)
        if not hasattr(fresh, "_moments"):
            raise ValueError("batches is empty: give at least one (X, y)")
        check_classes(self._known_classes(), self._moments, self._weighted)
        return self

    @classmethod
    def from_state(cls, state: Mapping[str, ArrayLike], **params: Any) -> Self:
        """Probe with the statistics of `get_state`.

        Parameters
        ----------
        state : dict
            As returned by `get_state`.
        **params
            Parameters of the new estimator.

        Returns
        -------
        LinearNaiveBayes
            The fitted estimator.

        Raises
        ------
        ValueError
            If the shapes do not fit together, if a number is not finite, or if a count or scatter
            is negative.
        """
        probe = cls(**params)
        probe._validate_params()
        require_fixed_regularisation(probe, "from_state")
        classes, statistics = moments_of_state(state)
        probe.n_features_in_ = statistics.scatter.size
        total = statistics.total
        probe._set_state(classes, statistics, weighted=not total.is_integer())
        return probe

    def decision_function(self, X: Any) -> Any:
        """Linear scores of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of the second class for two classes, else the log-posterior up to a constant
            in each row. Infinite for a class of probability 0.
        """
        if is_dask_collection(X):
            width = None if self._n_classes == 2 else self._n_classes
            return self._mapped(self.decision_function, X, self.coef_.dtype, width)
        X, xp = read_rows(self, X, "decision_function")
        width = self.intercept_.shape[0]
        dtype = score_dtype(X, self.coef_, xp)
        out = xp.empty((X.shape[0], width), dtype=dtype, **device_keyword(X, xp))
        for rows, scores in self._chunks_of_scores(X, xp):
            out[rows, ...] = scores
        return out[:, 0] if self._n_classes == 2 else out

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
        if is_dask_collection(X):
            return self._mapped(self.predict, X, self.classes_.dtype)
        X, xp = read_rows(self, X, "predict")
        index = np.empty(X.shape[0], dtype=np.intp)
        for rows, scores in self._chunks_of_scores(X, xp):
            best = scores[:, 0] > 0 if self._n_classes == 2 else xp.argmax(scores, axis=1)
            index[rows] = best if xp is np else _convert_to_numpy(best, xp)
        labels = self._known_classes()[index]
        if xp is np or labels.dtype.kind not in "biuf":
            return labels
        return xp.asarray(labels, **device_keyword(X, xp))

    def predict_proba(self, X: Any) -> Any:
        """Posterior probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        if is_dask_collection(X):
            return self._mapped(self.predict_proba, X, self.coef_.dtype, self._n_classes)
        xp, _ = get_namespace(X)
        return xp.exp(self._log_proba(X, "predict_proba"))

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the posterior probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of `classes_`.
        """
        if is_dask_collection(X):
            return self._mapped(self.predict_log_proba, X, self.coef_.dtype, self._n_classes)
        return self._log_proba(X, "predict_log_proba")

    def loo_decision_function(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Scores of every training row under the model fitted without it, exactly.

        Costs two matrix products in double precision. Shrinkage and temperature stay as they are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows that the probe was fitted on.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights; a row is left out with its whole weight.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            As `decision_function`; NaN for a row of weight zero or whose class has no other row.

        Raises
        ------
        ValueError
            If X and y are not the rows that the probe was fitted on.
        """
        check_is_fitted(self)
        rows = read_labelled_rows(self, X, y, sample_weight, reset=False)
        classes = self._known_classes()
        if not np.isin(rows.classes, classes).all():
            raise ValueError("X and y must be the rows that the probe was fitted on")
        codes = np.searchsorted(classes, rows.classes)[rows.codes]
        statistics = checked_moments(rows._replace(codes=codes, classes=classes), self.chunk_size)
        if not same_rows(statistics, self._moments):
            raise ValueError("X, y and sample_weight must be those that the probe was fitted on")
        priors = None if self.priors is None else np.asarray(self.priors, dtype=float)
        scores = np.full((len(codes), len(classes)), np.nan)
        rules = [rule_of(self, self.shrinkage_)]
        chunks = loo_scores(rows.X, codes, rows.weights, statistics, rules, priors)
        for left_out, (chunk,) in chunks:
            scores[left_out] = chunk / self.temperature_
        return scores[:, 1] - scores[:, 0] if len(classes) == 2 else scores

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags

    def _chunk_state(self, chunk):
        rows = chunk.X, chunk.y, chunk.sample_weight
        rows = read_labelled_rows(self, *rows, reset=True, all_zero=True)
        return rows.classes, checked_moments(rows, self.chunk_size)

    def _chunks_of_scores(self, X, xp):
        return score_chunks(X, self.coef_, self.intercept_, xp, self.chunk_size)

    def _mapped(self, method, X, dtype, width=None):
        refuse_dask_frame(X)
        return map_rows(method, X, dtype, width, by="LinearNaiveBayes")

    def _log_proba(self, X, method):
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="coef_", method=method)
        return log_probabilities(self.decision_function(X), like=X)

    def _declared_classes(self, classes, first):
        declared = None if first else self._declared
        if classes is None:
            return declared
        given = np.unique(in_main_memory(classes))
        known = given[:0] if first else self._known_classes()
        if (declared is not None and len(declared) != len(given)) or np.setdiff1d(
            known, given
        ).size:
            raise ValueError(f"classes={given} differs from those of earlier calls, {known}")
        return given

    @property
    def _n_classes(self):
        return self._moments.weight.size

    def _keeps_sums(self):
        return True

    def _known_classes(self):
        return in_main_memory(self.classes_)

    def _of_merged(self, classes, moments, other):
        """Where both were given the same `classes`, no others may follow."""
        require_fixed_regularisation(self, "merge")
        same = self._declared is not None and np.array_equal(self._declared, other._declared)
        both = copy(self)
        both._set_state(
            classes,
            moments,
            weighted=self._weighted or other._weighted,
            like=self.coef_,
            declared=self._declared if same else None,
        )
        return both

    def _set_state(
        self,
        classes,
        statistics,
        *,
        weighted,
        like=None,
        declared=None,
        shrinkage=None,
        temperature=None,
    ):
        """Derive and store all that is learned, in the namespace and precision of `like`."""
        shrinkage = float(self.shrinkage) if shrinkage is None else shrinkage
        temperature = float(self.temperature) if temperature is None else temperature
        if statistics.total <= 0:
            raise ValueError("the sum of sample_weight must be positive")
        require_squares(statistics)
        prior = checked_priors(self.priors, statistics)
        if not ((prior > 0) & (statistics.weight > 0)).any():
            raise ValueError(
                f"every class with samples has prior 0 (priors={prior}), so that no probability "
                "is defined; give a positive prior to a class that has samples"
            )
        variance, epsilon = pooled_variance(statistics, rule_of(self, shrinkage))
        weights, offsets = linear_form(statistics, variance, prior)
        if len(classes) == 2:
            weights, offsets = weights[1:] - weights[:1], offsets[1:] - offsets[:1]

        self._moments, self._weighted, self._declared = statistics, weighted, declared
        convert = converter_to(like)
        self.classes_ = labels_beside(classes, like)
        self.class_count_ = convert(statistics.weight)
        self.class_prior_ = convert(prior)
        self.theta_ = convert(statistics.mean)
        self.var_ = convert(variance)
        self.mean_ = convert(statistics.grand_mean)
        self.coef_ = convert(weights / temperature)
        self.intercept_ = convert(offsets / temperature)
        self.epsilon_ = float(epsilon)
        self.shrinkage_, self.temperature_ = shrinkage, temperature
        self.n_samples_seen_ = statistics.total if weighted else round(statistics.total)
