"""The picture of a tilted boundary, in the plane in which it is tilted."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import GREY, INK, pyplot, series_style
from skreg.robustness._linear_boundary_input import (
    labelled_rows,
    pair_of,
    require_rows_of,
)
from skreg.robustness._linear_boundary_of import boundary_and_rows
from skreg.robustness._tilting import require_line_and_normal
from skreg.robustness._tilting_angle import Tilt, tilt_of


class TiltingDisplay:
    """Two classes and the boundary between them, seen along the plane in which it is tilted.

    The horizontal axis is the line through the centroids, the vertical one the direction n^ of the
    tilt; both in the unit of X, so that lengths and angles are true. The boundary stands
    perpendicular to this plane and shows as a line. All other directions are left out. Pictures of
    two classifiers of the same rows differ in more than the line: with the boundary the plane
    turns, and the rows are seen from another side.

    Use `from_estimator` to draw. All parameters are stored as attributes.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Coordinates of the rows along z^ and n^, from the midpoint of the centroids.
    target : ndarray of shape (n_samples,)
        Labels of the rows.
    classes : ndarray of shape (2,)
        The negative and the positive label.
    angle : float
        Deviation angle of the boundary.
    offset : float
        Signed distance of the midpoint to the boundary.
    half_distance : float
        Half of the distance of the centroids, the place of the positive one on the first axis.
    is_tilted : bool, default=True
        Whether n^ is a direction; if not, the vertical axis is an arbitrary one across z^.
    mirror : int, default=None
        Position of a row to show with its nearest point of the boundary and its mirror image.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Its figure.
    points_ : list of matplotlib PathCollection
        The rows, class by class.
    boundary_ : matplotlib AxLine
        The boundary.
    centroids_ : matplotlib PathCollection
        The centroids.
    mirror_ : matplotlib Line2D or None
        The row, the point on the boundary and the mirror image.

    See Also
    --------
    boundary_tilting : The numbers.
    TiltingPathDisplay : Errors and strength along a regularization path.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import TiltingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y == 3) | (y == 8)] / 16, y[(y == 3) | (y == 8)]
    >>> TiltingDisplay.from_estimator(LogisticRegression(C=100).fit(X, y), X, y)
    TiltingDisplay(357 rows, classes 3 and 8, angle=0.605)
    """

    def __init__(
        self,
        *,
        points: np.ndarray,
        target: np.ndarray,
        classes: np.ndarray,
        angle: float,
        offset: float,
        half_distance: float,
        is_tilted: bool = True,
        mirror: int | None = None,
    ) -> None:
        self.points = points
        self.target = target
        self.classes = classes
        self.angle = angle
        self.offset = offset
        self.half_distance = half_distance
        self.is_tilted = is_tilted
        self.mirror = mirror

    def __repr__(self) -> str:
        return (
            f"TiltingDisplay({len(self.points)} rows, classes {self.classes[0]} and "
            f"{self.classes[1]}, angle={self.angle:.3g})"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        pair: Any = None,
        sample_weight: ArrayLike | None = None,
        mirror: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the boundary of a fitted linear classifier.

        Parameters
        ----------
        estimator : estimator
            Fitted linear classifier, or what holds one, as for `boundary_tilting`.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows; of more than two classes those of the pair are shown.
        y : array-like of shape (n_samples,)
            Labels.
        pair : (label, label), default=None
            Negative and positive class, for classifiers of more than two.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the centroids.
        mirror : int, default=None
            Position in X of a row of the pair to show with its mirror image.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TiltingDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is no linear classifier.
        ValueError
            As by `boundary_tilting`, or if `mirror` is no position of a row of the pair.
        ImportError
            If matplotlib is not installed.
        """
        boundary, checked = boundary_and_rows(estimator, X)
        rows = labelled_rows(boundary, checked, y, sample_weight)
        positions = pair_of(boundary, pair)
        require_rows_of(boundary, rows, positions)
        centroids = rows.centroids(len(boundary.classes))[list(positions)]
        require_line_and_normal(boundary, positions, centroids)
        w, b = boundary.between(*positions)
        difference, midpoint = centroids[1] - centroids[0], centroids.mean(axis=0)
        tilt = tilt_of(w, difference)
        plane = np.column_stack([tilt.centroid_direction, _second_axis(tilt)])
        members = np.flatnonzero(np.isin(rows.codes, positions))
        return cls(
            points=rows.X[members] @ plane - midpoint @ plane,
            target=boundary.classes[rows.codes[members]],
            classes=boundary.classes[list(positions)],
            angle=tilt.angle,
            offset=float(w @ midpoint + b) / float(np.linalg.norm(w)),
            half_distance=0.5 * float(np.linalg.norm(difference)),
            is_tilted=tilt.is_tilted,
            mirror=None if mirror is None else _place_of_row(mirror, members, len(rows.codes)),
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw rows, centroids and boundary.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TiltingDisplay
            The display itself.
        """
        plt = pyplot("TiltingDisplay")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.points_ = [self._draw_class(ax, k) for k in range(2)]
        ends = np.array([[-self.half_distance, 0.0], [self.half_distance, 0.0]])
        ax.plot(*ends.T, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=3)
        self.centroids_ = ax.scatter(
            *ends.T, s=90, marker="*", color="white", edgecolors=INK, label="centroids", zorder=4
        )
        normal = np.array([np.cos(self.angle), np.sin(self.angle)])
        along = np.array([-normal[1], normal[0]])
        point = -self.offset * normal
        self.boundary_ = ax.axline(
            point, point + along * self.half_distance, color=INK, label="boundary", zorder=3
        )
        self.mirror_: Any = None
        if self.mirror is not None:
            self._draw_mirror(ax, normal)
        across = "direction of the tilt" if self.is_tilted else "a direction across (no tilt)"
        ax.set(
            xlabel="along the line through the centroids",
            ylabel=across,
            title=f"angle {np.degrees(self.angle):.1f}°, strength {_strength(self.angle):.3g}",
        )
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(loc="best")
        return self

    def _draw_class(self, ax: Any, k: int) -> Any:
        members = self.target == self.classes[k]
        style = series_style(k)
        return ax.scatter(
            *self.points[members].T,
            s=14,
            alpha=0.6,
            linewidths=0,
            label=str(self.classes[k]),
            zorder=2,
            **style,
        )

    def _draw_mirror(self, ax: Any, normal: np.ndarray) -> None:
        row = self.points[self.mirror]
        steps = np.array([0.0, 1.0, 2.0])[:, None]
        path = row - steps * (row @ normal + self.offset) * normal
        (self.mirror_,) = ax.plot(
            *path.T,
            color=GREY,
            marker="o",
            markeredgecolor=INK,
            markersize=6,
            label="row and mirror image",
            zorder=5,
        )


def _second_axis(tilt: Tilt) -> np.ndarray:
    """n^, or where there is none the coordinate axis most across z^, made perpendicular to it."""
    if tilt.is_tilted:
        return tilt.tilt_direction
    z = tilt.centroid_direction
    axis = np.zeros_like(z)
    axis[np.abs(z).argmin()] = 1.0
    across = axis - (axis @ z) * z
    length = np.linalg.norm(across)
    return across / length if length > 0.0 else across  # of one feature there is no second axis


def _strength(angle: float) -> float:
    return float(1.0 / np.cos(angle)) if np.cos(angle) > 0.0 else np.inf


def _place_of_row(mirror: int, members: np.ndarray, n_samples: int) -> int:
    """Position among the rows of the pair."""
    places = np.flatnonzero(members == (mirror + n_samples if mirror < 0 else mirror))
    if not len(places):
        raise ValueError(f"mirror={mirror!r} must be the position of a row of the two classes in X")
    return int(places[0])
