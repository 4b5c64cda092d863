"""What all cumulative-link classifiers share: input, prediction, and the repair of crossings."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._selected_features import SelectsFeatures
from skreg._sklearn import Interval, StrOptions, _check_sample_weight
from skreg.ordinal._labels import (
    OrderedLabels,
    check_class_weights,
    from_categorical,
    order_labels,
    warn_if_guessed,
    warn_if_lost_by_encoding,
)
from skreg.ordinal._likelihood import (
    log_class_probabilities,
    log_cumulative,
    repair_crossing,
)
from skreg.ordinal._linear_predictors import check_offset, linear_predictors, warn_if_left_out
from skreg.ordinal._link import LINKS

PENALTY_CONSTRAINTS = {
    "link": [StrOptions(set(LINKS))],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "penalty_weights": ["array-like", dict, None],
    "standardize": ["boolean"],
    "class_order": ["array-like", None],
    "tol": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
}


class Data(NamedTuple):
    """Validated input: features, ordered labels, weights of which the largest is one, offset."""

    X: Any
    labels: OrderedLabels
    sample_weight: np.ndarray
    offset: np.ndarray | None

    def rows(self, indices):
        """The samples with the given indices; classes that they lack stay known."""
        codes = self.labels.codes[indices]
        labels = self.labels._replace(codes=codes)
        offset = None if self.offset is None else self.offset[indices]
        return Data(self.X[indices], labels, self.sample_weight[indices], offset)


class CumulativeLinkClassifier(SelectsFeatures, ClassifierMixin, Estimator):
    """P(Y <= k | x) = G(alpha_k + x^T beta_k) for the ordered classes k.

    Subclasses fit `coef_` and `intercept_`.
    """

    _has_offset = False

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _validate(self, X, y, sample_weight, offset=None):
        """Checked `Data`; sets `classes_`, `class_order_` and `link_`."""
        y, levels = from_categorical(y)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        labels = order_labels(y, self.class_order, levels)
        if isinstance(sample_weight, Real):
            sample_weight = np.full(X.shape[0], sample_weight)  # else a nan would not be seen
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        sample_weight = sample_weight / sample_weight.max()
        sample_weight[sample_weight / sample_weight.sum() == 0.0] = 0.0  # beside the others, none
        check_class_weights(labels, sample_weight)
        offset = check_offset(offset, X.shape[0])
        warn_if_guessed(labels)
        warn_if_lost_by_encoding(labels)
        self.classes_, self.class_order_ = labels.classes, labels.order
        self._order_origin, self.link_ = labels.origin, self.link
        self._has_offset = offset is not None
        return Data(X, labels, sample_weight, offset)

    def _feature_names(self):
        """Names of the columns, or x0, x1, .. where X had none."""
        unnamed = [f"x{j}" for j in range(self.n_features_in_)]
        return np.asarray(getattr(self, "feature_names_in_", unnamed), dtype=object)

    def _predictors(self, X, offset):
        """Linear predictor of every boundary, unrepaired."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        warn_if_left_out(self, offset)
        return linear_predictors(X, self.coef_, self.intercept_, check_offset(offset, X.shape[0]))

    def _ordered_log_proba(self, X, offset):
        eta = repair_crossing(self._predictors(X, offset))
        return log_class_probabilities(LINKS[self.link_], eta)

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Logarithms of the class probabilities, accurate for tiny probabilities too.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, 0 if None.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns as in `classes_`; -inf where the repair of a crossing left no probability.
        """
        ordered = self._ordered_log_proba(X, offset)
        result = np.empty_like(ordered)
        result[:, np.searchsorted(self.classes_, self.class_order_)] = ordered
        return result

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Class probabilities.

        Where boundaries cross, the linear predictor of a boundary is lowered to the smallest of
        those above it, which leaves the probability of the last class of `class_order_` as it is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, 0 if None.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns as in `classes_`, rows sum to one.
        """
        return np.exp(self.predict_log_proba(X, offset))

    def predict_cumulative_proba(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Probabilities P(Y <= k) of lying at or below each boundary.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, 0 if None.

        Returns
        -------
        ndarray of shape (n_samples, n_classes - 1)
            Column k belongs to ``class_order_[k]``; rows do not decrease.
        """
        eta = repair_crossing(self._predictors(X, offset))
        return np.exp(log_cumulative(LINKS[self.link_], eta))

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, 0 if None.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = np.argmax(self._ordered_log_proba(X, offset), axis=1)
        return self.class_order_[best]

    def score(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """Accuracy of the most probable classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictor of every boundary, 0 if None.

        Returns
        -------
        float
            Share of the labels that are right.
        """
        return accuracy_score(y, self.predict(X, offset), sample_weight=sample_weight)


def check_penalty_weights(
    penalty_weights: ArrayLike | dict[str, float] | None,
    n_features: int,
    feature_names: Iterable[str] | None = None,
) -> np.ndarray:
    """Array of nonnegative weights, one per feature; inf excludes a feature."""
    if isinstance(penalty_weights, dict):
        penalty_weights = _weights_by_name(penalty_weights, feature_names)
    weights = np.ones(n_features) if penalty_weights is None else np.asarray(penalty_weights, float)
    if weights.shape != (n_features,):
        raise ValueError(
            f"penalty_weights has shape {weights.shape}; it must have one entry for each of the "
            f"{n_features} features"
        )
    if not np.all(weights >= 0.0):
        raise ValueError(
            f"penalty_weights must be nonnegative; its smallest entry is {np.min(weights)}"
        )
    return weights


def _weights_by_name(weights, feature_names):
    """Weights of all features from those of some, by name; the others have weight one."""
    if feature_names is None:
        raise ValueError(
            "penalty_weights names features, but X has no column names; give an array with one "
            "entry for each feature"
        )
    names = list(feature_names)
    unknown = [name for name in weights if name not in names]
    if unknown:
        raise ValueError(
            f"penalty_weights names {unknown[:5]}, which X does not have; its columns are "
            f"{names[:10]}" + (", .." if len(names) > 10 else "")
        )
    return [weights.get(name, 1.0) for name in names]
