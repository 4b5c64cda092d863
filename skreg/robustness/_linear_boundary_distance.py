"""Distances to a linear boundary, points on it and beyond it, and accuracy under attack."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skreg.robustness._linear_boundary import (
    LinearBoundary,
    distance_within_cell,
    distances_to_rivals,
    dual_exponent,
    norm,
)
from skreg.robustness._linear_boundary_input import LabelledRows, checked_p, labelled_rows
from skreg.robustness._linear_boundary_of import boundary_and_rows
from skreg.robustness._tilting_angle import unit


def boundary_distance(estimator: Any, X: Any, *, p: float = 2, signed: bool = True) -> np.ndarray:
    """Distance of each row to the boundary of a linear classifier, in the unit of X.

    The length of the smallest perturbation that reaches another class: ``|s(x)| / ||w||_q`` for two
    classes, the minimum over the rivals k of ``(s_c - s_k) / ||w_c - w_k||_q`` for a row of the
    predicted class c among more.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they may be perturbed. Sparse ones stay sparse.
    p : float, default=2
        Norm of the perturbations, from 1 to infinity.
    signed : bool, default=True
        Two classes: positive on the side of ``classes_[1]``, negative on the other. With False, and
        for more than two classes, distances are not negative.

    Returns
    -------
    ndarray of shape (n_samples,)
        The distances. Infinite where no perturbation changes the class.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier, naming the class or step that is not linear.
    ValueError
        If X does not fit or is not finite, if `p` is below 1, or if the weights are zero.

    Warns
    -----
    UserWarning
        If scores of the estimator are lost in rounding, as in single precision at a large offset.

    See Also
    --------
    project_to_boundary : The points that are reached.
    robust_accuracy_score : Share of rows that stay right up to some distance.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> from skreg.robustness import boundary_distance
    >>> X = [[-3.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [3.0, 1.0]]
    >>> model = LinearSVC(C=1e6, random_state=0).fit(X, [0, 0, 1, 1])
    >>> boundary_distance(model, X).round(2)
    array([-2.82, -1.08,  1.08,  2.82])
    """
    p = checked_p(p)
    boundary, rows = boundary_and_rows(estimator, X)
    if not boundary.is_binary:
        return distance_within_cell(boundary, rows, p)
    distance = _signed_distance(boundary, rows, p)
    return distance if signed else np.abs(distance)


def _signed_distance(boundary: LinearBoundary, rows: Any, p: float) -> np.ndarray:
    return boundary.scores(rows)[:, 0] / norm(boundary.coef[0], dual_exponent(p))


def project_to_boundary(estimator: Any, X: Any) -> Any:
    """The nearest point of the boundary for each row: x - d(x) w^.

    These are the least perturbed rows of which the classifier no longer knows the class. Two
    classes, Euclidean distance.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier of two classes, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they are perturbed.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The points; a DataFrame of pandas with the same names for one. They are dense also where X
        is sparse, as every feature of nonzero weight changes: give blocks of rows if memory counts.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier.
    ValueError
        If it has more than two classes, or as by `boundary_distance`.

    See Also
    --------
    mirror_through_boundary : As far beyond the boundary as the row is before it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import boundary_distance, project_to_boundary
    >>> X = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> bool(np.allclose(boundary_distance(model, project_to_boundary(model, X)), 0.0))
    True
    """
    return _moved(estimator, X, 1.0, "project_to_boundary")


def mirror_through_boundary(estimator: Any, X: Any) -> Any:
    """The mirror image of each row in the boundary: x - 2 d(x) w^.

    The classifier is as sure of it as of the row, and gives it the other class. Two classes,
    Euclidean distance.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier of two classes, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they are perturbed.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The images, dense also where X is sparse; a DataFrame of pandas with the same names for one.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier.
    ValueError
        If it has more than two classes, or as by `boundary_distance`.

    See Also
    --------
    project_to_boundary : Half of the way.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import mirror_through_boundary
    >>> X = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> model.predict(mirror_through_boundary(model, X))
    array([1, 1, 0, 0])
    """
    return _moved(estimator, X, 2.0, "mirror_through_boundary")


def _moved(estimator: Any, X: Any, times: float, by: str) -> Any:
    """x - times d(x) w^, in the precision and with the names of X."""
    boundary, rows = boundary_and_rows(estimator, X)
    if not boundary.is_binary:
        raise ValueError(
            f"{by} is for two classes, and the estimator has {len(boundary.classes)}; "
            "boundary_distance gives the distances of more"
        )
    distance = _signed_distance(boundary, rows, 2.0)
    if not np.isfinite(distance).all():
        raise ValueError("the boundary is infinitely far away: one class is never predicted")
    step = (-times * distance).astype(rows.dtype)
    moved = np.multiply.outer(step, unit(boundary.coef[0]).astype(rows.dtype))
    moved = np.asarray(rows + moved) if sparse.issparse(rows) else np.add(moved, rows, out=moved)
    if hasattr(X, "iloc"):
        return type(X)(moved, index=X.index, columns=X.columns)
    return moved


def robust_accuracy_score(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    eps: ArrayLike,
    *,
    p: float = 2,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Share of rows that stay right under every perturbation of length eps.

    It is exact: no attack finds more errors, and some attack finds these. A row of class c stays
    right if it is farther than `eps` from the boundaries of c with every rival.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier, or what holds one, as for `boundary_tilting`.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows in the space in which they may be perturbed.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or array-like of shape (n_eps,)
        Largest length of a perturbation, in the unit of X, or several of them.
    p : float, default=2
        Norm by which the length is measured, from 1 to infinity.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float or ndarray of shape (n_eps,)
        The accuracy under perturbations of each length; at 0 the plain accuracy.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier.
    ValueError
        If X, y or weights do not fit, if `eps` is negative or not finite, if `p` is below 1, or if
        the weights are zero.

    See Also
    --------
    boundary_distance : The distances themselves.
    adversarial_strength : What part of the distance a tilted boundary gives away.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> from skreg.robustness import robust_accuracy_score
    >>> X, y = [[-3.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [3.0, 0.0]], [0, 0, 1, 1]
    >>> model = LinearSVC(C=1e6, random_state=0).fit(X, y)
    >>> robust_accuracy_score(model, X, y, [0.0, 0.5, 2.0])
    array([1. , 1. , 0.5])
    """
    p, lengths = checked_p(p), _checked_eps(eps)
    boundary, checked = boundary_and_rows(estimator, X)
    rows = labelled_rows(boundary, checked, y, sample_weight)
    beaten_beyond, beaten_at = _shortest_attacks(boundary, rows, p)
    share = [
        np.average((beaten_beyond >= length) & (beaten_at > length), weights=rows.weight)
        for length in lengths.ravel()
    ]
    return np.array(share) if lengths.ndim else float(share[0])


def _checked_eps(eps: ArrayLike) -> np.ndarray:
    refusal = f"eps={eps!r} must be one or several finite lengths, none of them negative"
    try:
        lengths = np.asarray(eps, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(refusal) from error
    if lengths.ndim > 1 or not np.all((lengths >= 0.0) & np.isfinite(lengths)):
        raise ValueError(refusal)
    return lengths


def _shortest_attacks(
    boundary: LinearBoundary, rows: LabelledRows, p: float
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances to the nearest rival that loses ties with the true class, and that wins.

    Among equal scores the first class is predicted: rivals after the true class must be ahead,
    those before it need only draw level.
    """
    each = boundary.by_class()
    scores = each.scores(rows.X)
    loses, wins = np.full((2, len(scores)), np.inf)
    for c in np.unique(rows.codes):
        members = rows.codes == c
        distances = distances_to_rivals(scores[members], each, c, p)
        loses[members] = distances[:, c:].min(axis=1)
        wins[members] = distances[:, : c + 1].min(axis=1)
    return loses, wins
