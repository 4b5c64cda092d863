"""Arguments that the functions on linear boundaries have in common."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skreg.robustness._linear_boundary import LinearBoundary
from skreg.rows import checked_weights


class LabelledRows(NamedTuple):
    """Rows with the positions of their classes and their weights."""

    X: Any
    codes: np.ndarray
    weight: np.ndarray

    def centroids(self, n_classes: int) -> np.ndarray:
        """Weighted mean of each class, (n_classes, n_features); nan for one without rows."""
        n = len(self.codes)
        members = sparse.csr_array((self.weight, (self.codes, np.arange(n))), (n_classes, n))
        sums = members @ self.X
        sums = sums.toarray() if sparse.issparse(sums) else sums
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums / np.bincount(self.codes, self.weight, n_classes)[:, None]

    def of_classes(self, positions: tuple[int, int]) -> "LabelledRows":
        """The same with weight only on rows of some classes."""
        return self._replace(weight=np.where(np.isin(self.codes, positions), self.weight, 0.0))


def checked_p(p: Any) -> float:
    """p as a number from 1 to infinity."""
    if isinstance(p, bool) or not isinstance(p, Real) or not float(p) >= 1.0:
        raise ValueError(f"p={p!r} is no norm of perturbations: give a number from 1 to numpy.inf")
    return float(p)


def labelled_rows(
    boundary: LinearBoundary, X: Any, y: ArrayLike, sample_weight: ArrayLike | None
) -> LabelledRows:
    """Rows whose labels are all among the classifier's, with weights."""
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    weight = checked_weights(sample_weight, X)
    return LabelledRows(X, positions_of(boundary, labels), weight)


def positions_of(boundary: LinearBoundary, labels: np.ndarray) -> np.ndarray:
    """Positions of labels among the classes."""
    found, inverse = np.unique(labels, return_inverse=True)
    matches = found[:, None] == boundary.classes
    unknown = found[~matches.any(axis=1)]
    if len(unknown):
        raise ValueError(
            f"y has the label(s) {unknown[:3].tolist()}, but the classes of the estimator are "
            f"{boundary.classes[:10].tolist()}"
        )
    return matches.argmax(axis=1)[inverse]


def pair_of(boundary: LinearBoundary, pair: Any) -> tuple[int, int]:
    """Positions of the negative and the positive class of a pair of labels."""
    classes = boundary.classes
    if pair is None:
        if not boundary.is_binary:
            raise ValueError(
                f"the estimator has {len(classes)} classes: choose two of them by pair, such as "
                f"pair={tuple(classes[:2].tolist())}, or call adversarial_strength for all pairs"
            )
        return 0, 1
    labels = list(pair) if isinstance(pair, (tuple, list, np.ndarray)) else []
    positions = [int(i) for label in labels for i in np.flatnonzero(classes == label)]
    if len(labels) != 2 or len(set(positions)) != 2:
        raise ValueError(
            f"pair={pair!r} must be two different labels out of {classes[:10].tolist()}, the "
            "negative one first"
        )
    return positions[0], positions[1]


def require_rows_of(boundary: LinearBoundary, rows: LabelledRows, positions: Any) -> None:
    """Raise ValueError if a class has no row of positive weight."""
    total = np.bincount(rows.codes, rows.weight, len(boundary.classes))
    missing = boundary.classes[[k for k in positions if not total[k] > 0.0]].tolist()
    if missing:
        raise ValueError(
            f"y has no rows (of positive weight) of class {missing[0]!r}, but centroids are those "
            "of every class"
        )
