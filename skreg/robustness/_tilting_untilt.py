"""A linear classifier turned back towards the line through the centroids."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import HasMethods, Interval, _fit_context
from skreg._state import all_or_nothing
from skreg.robustness._linear_boundary_input import LabelledRows, labelled_rows, require_rows_of
from skreg.robustness._linear_boundary_of import boundary_and_rows
from skreg.robustness._tilting import require_line_and_normal
from skreg.robustness._tilting_angle import Tilt, tilt_of
from skreg.robustness._tilting_weights import fit_with_weights
from skreg.rows import checked_weights

EQUAL = 1e-12  # share of the total weight by which errors may differ and be equal


class UntiltedClassifier(ClassifierMixin, Estimator):
    """A linear classifier of two classes whose boundary is turned back to a fraction of its angle.

    Its unit normal is cos(t theta) z^ + sin(t theta) n^, in the plane of the centroids' line z^ and
    of the normal of the classifier that it comes from; its intercept minimises the training error.

    Parameters
    ----------
    estimator : estimator
        Linear classifier, or what holds one; it is cloned and fitted, a `FrozenEstimator` is not.
    t : float, default=0.5
        Fraction of the angle: 0 points along the centroids' line, 1 as the classifier itself.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    coef_ : ndarray of shape (1, n_features)
        Unit normal, so that `decision_function` returns Euclidean distances.
    intercept_ : ndarray of shape (1,)
        Intercept.
    angle_ : float
        Angle of the classifier's own boundary; this one's is t times that.
    classes_ : ndarray of shape (2,)
        Labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "t": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, estimator: Any, *, t: float = 0.5) -> None:
        self.estimator = estimator
        self.t = t

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the classifier and turn its boundary back.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels of two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        UntiltedClassifier
            The fitted estimator.
        """
        _, labels = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(labels)
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}."
            )
        weight = None if sample_weight is None else checked_weights(sample_weight, X)
        estimator = fit_with_weights(clone(self.estimator), X, labels, weight)
        boundary, checked = boundary_and_rows(estimator, X)
        if not boundary.is_binary:
            raise ValueError(
                f"the estimator has {len(boundary.classes)} classes, but only the boundary of two "
                "can be turned back"
            )
        rows = labelled_rows(boundary, checked, labels, weight)
        require_rows_of(boundary, rows, (0, 1))
        centroids = rows.centroids(2)
        require_line_and_normal(boundary, (0, 1), centroids)
        tilt = tilt_of(boundary.coef[0], centroids[1] - centroids[0])
        normal = _normal_at(tilt, self.t)
        self.estimator_, self.classes_, self.angle_ = estimator, boundary.classes, tilt.angle
        self.coef_ = normal[None, :]
        self.intercept_ = np.array([-_threshold(rows, normal, centroids.mean(axis=0))])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Signed distance to the boundary, positive on the side of ``classes_[1]``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The distances.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        return X @ self.coef_[0] + self.intercept_[0]

    def predict(self, X: Any) -> np.ndarray:
        """Label of the side on which each row lies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0.0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


def untilt(
    estimator: Any, X: Any, y: ArrayLike, t: float, *, sample_weight: ArrayLike | None = None
) -> UntiltedClassifier:
    """The boundary of a fitted classifier turned back to a fraction t of its angle.

    Adversarial strength is given back without a new fit: the normal turns, in the plane in which it
    is tilted, towards the line through the centroids, and the intercept is placed anew where the
    training error is least.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier of two classes, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Training rows.
    y : array-like of shape (n_samples,)
        Labels.
    t : float
        Fraction of the angle in [0, 1]: 0 is the direction of the nearest centroid, 1 that of the
        estimator, both with an intercept that is placed anew.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in centroids and error.

    Returns
    -------
    UntiltedClassifier
        A fitted linear classifier with `predict`, `decision_function` (the signed distance),
        ``coef_``, ``intercept_`` and ``classes_``.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier.
    ValueError
        If it has more than two classes, if `t` is outside of [0, 1], or as by `boundary_tilting`.

    See Also
    --------
    tilting_path : Smaller angles by regularization.

    Notes
    -----
    Among equal errors the intercept lies in the middle of the widest gap between projections, or
    midway between the centroids if no threshold between two rows is as good as none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import boundary_tilting, untilt
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y == 3) | (y == 8)] / 16, y[(y == 3) | (y == 8)]
    >>> model = LogisticRegression(C=100).fit(X, y)
    >>> half = untilt(model, X, y, 0.5)
    >>> round(boundary_tilting(half, X, y).angle / boundary_tilting(model, X, y).angle, 9)
    0.5
    """
    check_is_fitted(estimator)
    if isinstance(t, bool) or not isinstance(t, Real) or not 0.0 <= t <= 1.0:
        raise ValueError(f"t={t!r} must be a fraction of the angle, from 0 to 1")
    frozen = UntiltedClassifier(FrozenEstimator(estimator), t=float(t))
    return frozen.fit(X, y, sample_weight=sample_weight)


def _normal_at(tilt: Tilt, t: float) -> np.ndarray:
    """The unit normal at a fraction of the angle, which needs a plane to turn in."""
    if not tilt.is_tilted and tilt.cos_angle < 0.0:
        raise ValueError(
            "the classifier points straight backwards, from the second centroid to the first: "
            "there is no plane in which it could be turned back"
        )
    return tilt.normal_at(t) if tilt.is_tilted else tilt.centroid_direction


def _threshold(rows: LabelledRows, normal: np.ndarray, midpoint: np.ndarray) -> float:
    """The threshold on the projections with the least weight of rows on the wrong side."""
    counted = rows.weight > 0.0
    projection, positive, weight = (
        part[counted] for part in (rows.X @ normal, rows.codes == 1, rows.weight)
    )
    order = np.argsort(projection, kind="stable")
    projection, change = projection[order], np.where(positive, weight, -weight)[order]
    # weight on the wrong side of a threshold above the first k rows, for k = 0, .., n
    error = np.append(0.0, np.cumsum(change)) + weight[~positive].sum()
    gap = np.diff(projection)
    attained = np.hstack([True, gap > 0.0, True])  # no threshold lies between equal projections
    least = error[attained].min() + EQUAL * weight.sum()
    usable = (gap > 0.0) & (error[1:-1] <= least)
    if not usable.any():
        return float(normal @ midpoint)
    k = int(np.argmax(np.where(usable, gap, 0.0)))
    return float(projection[k] + 0.5 * gap[k])
