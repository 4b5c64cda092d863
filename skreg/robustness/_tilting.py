"""How far the boundary of a linear classifier is tilted, and what its closeness costs."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from skreg.robustness._linear_boundary import LinearBoundary, dual_exponent, norm
from skreg.robustness._linear_boundary_input import (
    LabelledRows,
    checked_p,
    labelled_rows,
    pair_of,
    require_rows_of,
)
from skreg.robustness._linear_boundary_of import boundary_and_rows
from skreg.robustness._tilting_angle import coincide, half_advance, strength, tilt_of


class BoundaryTilting(Bunch):
    """What `boundary_tilting` returns: a Bunch that prints its numbers and not its vectors."""

    def __repr__(self) -> str:
        return (
            f"BoundaryTilting(angle={self.angle:.3g}, strength={self.strength:.3g}, "
            f"adversarial_distance={self.adversarial_distance:.3g}, "
            f"error_rate={self.error_rate:.3g})"
        )


def boundary_tilting(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    p: float = 2,
    pair: Any = None,
) -> BoundaryTilting:
    """Angle, strength and distances of the boundary between two classes.

    How close does the boundary lie to the data, in comparison with the best that any hyperplane
    could do on these classes? The nearest-centroid classifier, whose normal z^ goes from one
    centroid to the other, keeps the largest mean distance. A classifier whose unit normal w^ stands
    at an angle theta to z^ keeps cos(theta) of it, whatever its accuracy is: its *adversarial
    strength* is 1 / cos(theta).

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier, of scikit-learn, skreg or elsewhere; a Pipeline of affine steps
        and one; or a search, FrozenEstimator or meta-estimator that predicts by one.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they may be perturbed: what a Pipeline is given. Rows of the
        training set give the paper's numbers, held-out ones an unbiased check.
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in means and errors. An integer weight equals that many copies.
    p : float, default=2
        Norm of the perturbations, from 1 to infinity, by which all distances and `strength_p` are
        measured; angles are Euclidean.
    pair : (label, label), default=None
        Negative and positive class, for classifiers of more than two; rows of other classes do not
        count. `classes_` if there are two.

    Returns
    -------
    BoundaryTilting
        A Bunch with

        - ``angle``, ``cos_angle``: the deviation angle in [0, pi] and its cosine;
        - ``strength``, ``strength_p``: 1 / cos(angle), and the same for perturbations measured in
          the norm p; inf where the classifier points backwards;
        - ``adversarial_distance``: class-balanced mean of the signed distances to the boundary, in
          the unit of X. It does not depend on the intercept, and rows on the wrong side count
          negatively;
        - ``max_adversarial_distance``: half of the distance of the centroids, which no hyperplane
          exceeds;
        - ``error_distance``, ``error_rate``: sum of the distances of the rows on the wrong side
          divided by the number of rows, and their share;
        - ``centroids``: ndarray of shape (2, n_features), the negative class first;
        - ``centroid_direction``, ``tilt_direction``, ``unit_normal``: ndarrays of shape
          (n_features,), z^, n^ and w^ with w^ = cos(angle) z^ + sin(angle) n^;
        - ``offset``: intercept of the boundary with the normal w^;
        - ``variance_ratio``: variance within the classes along n^ over that along z^. Where it is
          small the boundary tilts into directions in which the data hardly vary;
        - ``is_tilted``: False where the angle is too close to 0 (or pi) for n^ to have a direction;
          n^ is then zero and ``variance_ratio`` nan;
        - ``classes``: the negative and the positive label;
        - ``p``: the norm.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier, naming the class or step that is not linear.
    ValueError
        If X, y or weights do not fit or are not finite, if a class has no rows, if the centroids
        coincide, if the weights are zero, if `p` is below 1, or if there are more than two classes
        and no `pair`.

    Warns
    -----
    UserWarning
        If scores of the estimator are lost in rounding, as in single precision at a large offset.

    See Also
    --------
    adversarial_strength : The strengths of all pairs of classes.
    tilting_path : All of it along a regularization path.
    TiltingDisplay : The picture.

    References
    ----------
    T. Tanay and L. D. Griffin, "A Boundary Tilting Persepective on the Phenomenon of Adversarial
    Examples", arXiv:1608.07690, 2016; "A New Angle on L2 Regularization", arXiv:1806.11186, 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import boundary_tilting
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y == 3) | (y == 8)] / 16, y[(y == 3) | (y == 8)]
    >>> boundary_tilting(LogisticRegression(C=0.1).fit(X, y), X, y)
    BoundaryTilting(angle=0.254, strength=1.03, adversarial_distance=0.772, error_rate=0.0112)
    """
    p = checked_p(p)
    boundary, checked = boundary_and_rows(estimator, X)
    rows = labelled_rows(boundary, checked, y, sample_weight)
    return tilting_of_pair(boundary, rows, pair_of(boundary, pair), p)


def tilting_of_pair(
    boundary: LinearBoundary, rows: LabelledRows, positions: tuple[int, int], p: float
) -> BoundaryTilting:
    """The report on the boundary of two classes, given by their positions."""
    negative, positive = positions
    require_rows_of(boundary, rows, positions)
    rows = rows.of_classes(positions)
    w, b = boundary.between(negative, positive)
    centroids = rows.centroids(len(boundary.classes))[list(positions)]
    require_line_and_normal(boundary, positions, centroids)
    difference = centroids[1] - centroids[0]
    tilt = tilt_of(w, difference)
    directions = np.stack([tilt.unit_normal, tilt.tilt_direction, tilt.centroid_direction])
    along = rows.X @ directions.T
    offset = b / float(norm(w, 2.0))
    margin = np.where(rows.codes == positive, 1.0, -1.0) * (along[:, 0] + offset)
    wins_ties = rows.codes == min(positions)
    is_right = (margin > 0.0) | ((margin == 0.0) & wins_ties)
    shortfall = np.maximum(-margin, 0.0) / norm(tilt.unit_normal, dual_exponent(p))
    return BoundaryTilting(
        angle=tilt.angle,
        cos_angle=tilt.cos_angle,
        strength=float(strength(w, difference, 2.0)),
        strength_p=float(strength(w, difference, p)),
        adversarial_distance=float(half_advance(w, difference, p)),
        max_adversarial_distance=0.5 * float(norm(difference, p)),
        error_distance=float(np.average(shortfall, weights=rows.weight)),
        error_rate=float(np.average(~is_right, weights=rows.weight)),
        centroids=centroids,
        centroid_direction=tilt.centroid_direction,
        tilt_direction=tilt.tilt_direction,
        unit_normal=tilt.unit_normal,
        offset=offset,
        variance_ratio=_variance_ratio(along[:, 1:], rows) if tilt.is_tilted else np.nan,
        is_tilted=tilt.is_tilted,
        classes=boundary.classes[list(positions)],
        p=p,
    )


def require_line_and_normal(
    boundary: LinearBoundary, positions: tuple[int, int], centroids: np.ndarray
) -> None:
    """Raise ValueError if a pair of classes has no boundary, or no line through its centroids."""
    w, b = boundary.between(*positions)
    names = boundary.classes[list(positions)].tolist()
    if not w.any() or not np.isfinite(b):
        raise ValueError(
            f"there is no boundary between the classes {names}: their weights are equal (a zero "
            "weight vector between them), or one of them is never predicted"
        )
    if coincide(*centroids):
        raise ValueError(
            f"the centroids of the classes {names} coincide: there is no line through them, and no "
            "angle to it"
        )


def _variance_ratio(along: np.ndarray, rows: LabelledRows) -> float:
    """Pooled variance within the classes along the first of two directions over the second."""
    within = np.zeros(2)
    for c in np.unique(rows.codes[rows.weight > 0.0]):
        members = rows.codes == c
        weight = rows.weight[members]
        deviation = along[members] - np.average(along[members], axis=0, weights=weight)
        within += weight @ deviation**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(within[0] / within[1])


def adversarial_strength(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    p: float = 2,
    average: Literal["mean", "max"] | None = None,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """How many times closer the boundary lies than that of the nearest centroid, at least 1.

    The mean distance of the classes to the bisecting hyperplane of their centroids, over that to
    the boundary: ``||j - i||_p ||w||_q / w.(j - i)``, for p = 2 the inverse cosine of the deviation
    angle. It needs no attack, and says nothing of errors.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they may be perturbed.
    y : array-like of shape (n_samples,)
        Labels, with rows of every class.
    p : float, default=2
        Norm of the perturbations, from 1 to infinity.
    average : {"mean", "max"} or None, default=None
        One number for more than two classes: mean or largest strength over the pairs. None gives
        the strengths of all pairs.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the centroids.

    Returns
    -------
    float or ndarray of shape (n_classes, n_classes)
        The strength; inf for a classifier that points backwards. For more than two classes and no
        `average` a symmetric matrix in the order of `classes_`, its diagonal nan: the pair (a, b)
        has the boundary with the weights w_b - w_a and the rows of a and b.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier.
    ValueError
        If `average` or `p` is not one of those above, or as by `boundary_tilting`, for any pair.

    See Also
    --------
    boundary_tilting : The same for one pair, with the angle and what it comes from.
    robust_accuracy_score : Accuracy under perturbations of a given length.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn.neighbors import NearestCentroid
    >>> from skreg.robustness import adversarial_strength
    >>> X, y = [[0, 0], [0, 2], [2, 1], [3, 3], [2, 5]], [0, 0, 1, 1, 1]
    >>> adversarial_strength(NearestCentroid().fit(X, y), X, y)
    1.0
    >>> round(adversarial_strength(LinearDiscriminantAnalysis().fit(X, y), X, y), 3)
    1.258
    """
    p = checked_p(p)
    if average not in (None, "mean", "max"):
        raise ValueError(f"average={average!r} must be None, 'mean' or 'max'")
    boundary, checked = boundary_and_rows(estimator, X)
    rows = labelled_rows(boundary, checked, y, sample_weight)
    require_rows_of(boundary, rows, range(len(boundary.classes)))
    strengths = _strengths(boundary, rows.centroids(len(boundary.classes)), p)
    if boundary.is_binary:
        return float(strengths[0, 1])
    if average is None:
        return strengths
    each = strengths[np.triu_indices_from(strengths, 1)]
    return float(each.mean() if average == "mean" else each.max())


def _strengths(boundary: LinearBoundary, centroids: np.ndarray, p: float) -> np.ndarray:
    """Strengths of all pairs of classes, (n_classes, n_classes)."""
    coef = boundary.by_class().coef
    strengths = np.full((len(coef), len(coef)), np.nan)
    for a in range(len(coef)):
        for b in range(a + 1, len(coef)):
            require_line_and_normal(boundary, (a, b), centroids[[a, b]])
        w, difference = coef[a + 1 :] - coef[a], centroids[a + 1 :] - centroids[a]
        strengths[a, a + 1 :] = strengths[a + 1 :, a] = strength(w, difference, p)
    return strengths
