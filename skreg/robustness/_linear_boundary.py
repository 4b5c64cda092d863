"""Linear boundaries as arrays: scores, distances in any norm, distances to the cells of classes.

A perturbation of length r in the norm L_p changes a score w.x by at most r ||w||_q, with q dual to
p (1/p + 1/q = 1), and some perturbation does so. Every distance below follows from that.
"""

from typing import Any, NamedTuple

import numpy as np


class Hyperplane(NamedTuple):
    """Where w.x + b = 0; its positive side is where w.x + b > 0."""

    w: np.ndarray
    b: float


class LinearBoundary(NamedTuple):
    """What a linear classifier decides by, in the space of X.

    Two classes have one score, and the second class is predicted where it is positive. Of more
    classes each has its score, the largest wins, and among equal ones the first.
    """

    coef: np.ndarray
    intercept: np.ndarray
    classes: np.ndarray

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    def scores(self, X: Any) -> np.ndarray:
        """X coef^T + intercept, (n_samples, 1) or (n_samples, n_classes)."""
        return X @ self.coef.T + self.intercept

    def by_class(self) -> "LinearBoundary":
        """The same with a score for each class: those of two are 0 and the one that there is."""
        if not self.is_binary:
            return self
        coef = np.vstack([np.zeros_like(self.coef), self.coef])
        return self._replace(coef=coef, intercept=np.append(0.0, self.intercept))

    def between(self, negative: int, positive: int) -> Hyperplane:
        """The boundary of two classes, given by their positions."""
        each = self.by_class()
        w = each.coef[positive] - each.coef[negative]
        return Hyperplane(w, float(each.intercept[positive] - each.intercept[negative]))


def dual_exponent(p: float) -> float:
    """q with 1/p + 1/q = 1."""
    if p == 1.0:
        return np.inf
    return 1.0 if np.isinf(p) else p / (p - 1.0)


def norm(vectors: np.ndarray, p: float) -> np.ndarray:
    """L_p norms along the last axis, of numbers of any size."""
    size = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(size > 0.0, size, 1.0)
    return size[..., 0] * np.linalg.norm(scaled, ord=p, axis=-1)


def distances_to_rivals(
    scores: np.ndarray, boundary: LinearBoundary, c: int, p: float
) -> np.ndarray:
    """Signed distances of rows to the boundaries of class c with each class, inf with itself.

    (s_c - s_k) / ||w_c - w_k||_q; where the weights are equal the sign of the numerator alone
    decides, however far a row is moved.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores by `LinearBoundary.by_class`.
    boundary : LinearBoundary
        With a score for each class.
    c : int
        Position of the class.
    p : float
        Norm of the perturbations.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Negative where the rival's score is larger.
    """
    lengths = norm(boundary.coef[c] - boundary.coef, dual_exponent(p))
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead = scores[:, [c]] - scores
        distances = np.where(ahead == 0.0, 0.0, ahead / lengths)
    distances[np.isnan(distances)] = np.inf  # two classes that both have the score minus infinity
    distances[:, c] = np.inf
    return distances


def distance_within_cell(boundary: LinearBoundary, X: Any, p: float) -> np.ndarray:
    """Distance of each row to the nearest point that gets another class."""
    each = boundary.by_class()
    scores = each.scores(X)
    predicted = scores.argmax(axis=1)
    nearest = np.empty(len(scores))
    for c in np.unique(predicted):
        rows = predicted == c
        nearest[rows] = distances_to_rivals(scores[rows], each, c, p).min(axis=1)
    return nearest


def has_boundary(boundary: LinearBoundary) -> bool:
    """Whether any two classes have different weights."""
    each = boundary.by_class()
    return bool(np.any(each.coef != each.coef[0]))
