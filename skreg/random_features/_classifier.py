"""Classification by ridge regression of indicators on random features."""

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._state import all_or_nothing
from skreg.random_features._features import FLOATS
from skreg.random_features._ridge import FeatureRidge
from skreg.random_features._rows import indicators
from skreg.rows import Chunk, checked_weights, dask_rows, is_dask_collection, map_rows


class RandomFeatureRidgeClassifier(ClassifierMixin, FeatureRidge):
    """Classification by ridge regression on random features: one target of 0 and 1 for each class.

    Of two classes there is one target, of -1 and 1. The class of the largest prediction wins. The
    strength is chosen as by :class:`RandomFeatureRidge`, for the squared errors of these targets.

    Parameters
    ----------
    n_components : int or "inf", default=1000
        Number k of random features. "inf" is the ridge regression of their limit kernel.
    kind : {"relu", "fourier", "erf", "gaussian"} or callable, default="relu"
        The features, see :class:`RandomFeatures`.
    gamma : float or "scale", default="scale"
        Of "fourier" and "erf"; "scale" is 1 / (n_features * variance of all entries of X).
    bias : bool, default=False
        Whether X gets a further column of ones, of "relu", "erf" and "gaussian".
    draw : {"weights", "rows"}, default="weights"
        What is drawn at random: weights of features, or rows that are landmarks of features, of
        which smooth kernels need fewer, see :class:`RandomFeatures`. The errors that choose the
        strength are exact for the features as they were drawn: landmarks that are left out stay
        landmarks. `RidgeEigenframework` knows random weights only.
    alphas : int or array-like of shape (n_alphas,), default=60
        Strengths among which `alpha` chooses. A number stands for 0 and that many from 1e-8 of
        the mean squared singular value to 1e3 times the largest, and for a refinement of the best.
    alpha : float, "loo" or "gcv", default="loo"
        The strength delta of the penalty on the **sum** of squared errors, for features that are
        divided by sqrt(k); or how it is chosen: by leave-one-out errors, which are exact, or by
        generalised cross-validation. 0 is the interpolation of least norm, or least squares.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    random_state : int, RandomState instance or None, default=None
        Seed of the features.
    dtype : {float32, float64} or None, default=None
        Precision in which features are computed; that of X if None. All sums are of float64.
    solver : {"auto", "gram", "kernel", "svd"}, default="auto"
        Which matrix is decomposed: B^T B (k x k), filled chunk by chunk; B B^T (n x n); or the
        features B themselves, which takes several times as long and keeps more digits where
        singular values span more than six decades and `alpha` is tiny. "auto" is the smaller of
        the first two.
    verbose : int, default=0
        Whether to show a bar for each pass over the rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1, k) or (n_classes, k)
        Weights of the features; not there for infinitely many.
    dual_coef_, X_fit_ : ndarray
        Weights of the training rows, shape (1, n) or (n_classes, n), and these; only there for
        infinitely many features.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercept.
    alpha_ : float
        The strength in use.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths that were compared, before refinement.
    cv_values_ : ndarray of shape (n_alphas,)
        Their mean squared leave-one-out errors, or values of generalised cross-validation.
    alpha_at_edge_ : bool
        Whether the best strength may lie beyond `alphas_`; then there is a warning.
    train_mse_ : float
        Mean squared error on the training rows.
    loo_mse_ : float or None
        Mean squared leave-one-out error; None for ``alpha="gcv"`` and after `partial_fit`.
    gcv_mse_ : float
        Its estimate by generalised cross-validation.
    fitting_ratio_ : float
        `train_mse_` over `loo_mse_` (or `gcv_mse_`): 0 if the model interpolates, near 1 if it
        fits no more than it predicts.
    effective_dof_ : float
        Trace of the hat matrix, intercept included.
    solver_ : {"gram", "kernel", "svd"}
        What was decomposed.
    feature_map_ : RandomFeatures
        The features, fitted.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    RandomFeatureRidge : The same for numbers, with notes on weights and on rows beyond memory.
    sklearn.linear_model.RidgeClassifierCV : The same on given features.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg.random_features import RandomFeatureRidgeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomFeatureRidgeClassifier(800, random_state=0).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.97)
    True
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients and choose the strength.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n, n_features)
            Features.
        y : array-like of shape (n,)
            Labels: numbers, strings or truth values.
        sample_weight : array-like of shape (n,), default=None
            Weights: an integer counts copies.

        Returns
        -------
        RandomFeatureRidgeClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            As :meth:`RandomFeatureRidge.fit`, or if there are fewer than two classes.
        """
        self._validate_params()
        self._single = False
        if is_dask_collection(X):
            labels = dask_rows(X, y, by=type(self).__name__)
            self._set_classes(labels.reduce(_labels_of, np.union1d))
            self._fit_dask(X, y, sample_weight, partial(indicators, classes=self.classes_))
            return self
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype="numeric")
        check_classification_targets(y)
        self._set_classes(np.unique(y))
        columns = indicators(y, self.classes_)
        self._fit_in_memory(X, columns, checked_weights(sample_weight, X))
        return self

    def _set_classes(self, classes):
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes; got one class, {classes[0]!r}"
            )
        self.classes_ = classes

    def decision_function(self, X: Any) -> Any:
        """Predicted targets of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            Of two classes, the prediction whose sign decides: positive for the second.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            width = None if len(self.classes_) == 2 else len(self.classes_)
            return map_rows(self.decision_function, X, np.float64, width, by=type(self).__name__)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        outputs = self._outputs(X)
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict(self, X: Any) -> Any:
        """Class of the largest prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        if is_dask_collection(X):
            check_is_fitted(self)
            return map_rows(self.predict, X, self.classes_.dtype, by=type(self).__name__)
        scores = self.decision_function(X)
        codes = (scores > 0.0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]


def _labels_of(chunk: Chunk) -> np.ndarray:
    y: Any = chunk.y
    return np.unique(y)
