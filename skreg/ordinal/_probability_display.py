"""The picture of class probabilities along one feature."""

from collections import Counter
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skreg._sklearn import _safe_indexing
from skreg.ordinal._class_order import class_order_of
from skreg.pictures import ordered_colours, panels


class OrdinalProbabilityDisplay:
    """Bands of the class probabilities along one feature, and the rare class on a log scale.

    The other features are held at a reference row. The upper panel stacks the probabilities of the
    classes in their order; the lower one shows the last class alone, where it is not lost to the
    eye.

    Use `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Values of the feature.
    probabilities : ndarray of shape (n_points, n_classes)
        Class probabilities at the values, in the order of the classes.
    class_order : ndarray of shape (n_classes,)
        Labels from the first class to the last.
    feature_name : str
        Name of the feature.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of matplotlib Axes of shape (2,)
        The bands, and the rare class.
    bands_ : list of matplotlib PolyCollection
        Band of each class.
    line_ : matplotlib Line2D
        Probability of the last class.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import OrdinalProbabilityDisplay, PrestoClassifier
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> model = PrestoClassifier(0.01).fit(X, y)
    >>> display = OrdinalProbabilityDisplay.from_estimator(model, X, feature=2)
    >>> len(display.bands_)
    4
    """

    def __init__(
        self,
        *,
        values: np.ndarray,
        probabilities: np.ndarray,
        class_order: np.ndarray,
        feature_name: str,
    ) -> None:
        self.values = values
        self.probabilities = probabilities
        self.class_order = class_order
        self.feature_name = feature_name

    def __repr__(self) -> str:
        classes = " < ".join(str(label) for label in self.class_order.tolist())
        along = f"{self.feature_name!r}, {len(self.values)} points"
        return f"OrdinalProbabilityDisplay({classes} along {along})"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        feature: int | str,
        *,
        class_order: ArrayLike | None = None,
        n_points: int = 200,
        reference: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Vary one feature over the range of X and draw what the estimator predicts.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with `predict_proba`, such as a Pipeline or a search.
        X : {ndarray, dataframe} of shape (n_samples, n_features)
            Features, in the form that the estimator was fitted on; NaN is left out of ranges and
            medians.
        feature : int or str
            Column of X; its name if X is a data frame, or else its position.
        class_order : array-like of shape (n_levels,), default=None
            The labels from the first class to the last. If None, the order that the classifier was
            fitted with, wherever it is wrapped, or else that of labels that are numbers.
        n_points : int, default=200
            Number of values.
        reference : int, default=None
            Row of X at which the other features are held. If None, at their medians, or their most
            frequent values if they are not numbers.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: an Axes whose place is divided into panels, or one Axes for each panel;
            a new figure if None.

        Returns
        -------
        OrdinalProbabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `feature` is not a column of X, is not numeric or does not vary, or if the order of
            the classes is not known.
        """
        check_is_fitted(estimator)
        order = class_order_of(estimator, class_order)
        column, name = _find_column(X, feature)
        observed = np.asarray(_safe_indexing(X, column, axis=1))
        if not np.issubdtype(observed.dtype, np.number):
            raise ValueError(f"feature={feature!r} must be numeric, not of dtype {observed.dtype}")
        first, last = np.nanmin(observed), np.nanmax(observed)
        if first == last:
            raise ValueError(f"feature={feature!r} is {first} in all rows of X: nothing to vary")
        values = np.linspace(first, last, n_points)
        proba = estimator.predict_proba(_grid(X, column, values, reference))
        classes = np.asarray(estimator.classes_).tolist()
        position = [classes.index(label) for label in order.tolist()]
        display = cls(
            values=values,
            probabilities=proba[:, position],
            class_order=order,
            feature_name=name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the bands and the rare class.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: an Axes whose place is divided into panels, or one Axes for each panel;
            a new figure if None.

        Returns
        -------
        OrdinalProbabilityDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the number of Axes given is not two.
        ImportError
            If matplotlib is not installed.
        """
        self.figure_, self.axes_, _ = panels(
            "OrdinalProbabilityDisplay", (2, 1), ax, figsize=(5.6, 5.2), sharex=True,
            height_ratios=[3, 2],
        )  # fmt: skip
        self._draw_bands(self.axes_[0])
        self._draw_rare(self.axes_[1])
        return self

    def _draw_bands(self, ax):
        colours = ordered_colours(len(self.class_order))
        self.bands_ = ax.stackplot(
            self.values, self.probabilities.T, colors=colours,
            labels=[str(label) for label in self.class_order], edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        ax.set_xlim(self.values[0], self.values[-1])
        ax.set_ylim(0, 1)
        ax.set_ylabel("probability of each class")
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(
            handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5), frameon=False
        )

    def _draw_rare(self, ax):
        colour = ordered_colours(len(self.class_order))[-1]
        rare = self.probabilities[:, -1]
        (self.line_,) = ax.plot(self.values, rare, color=colour, linewidth=1.8)
        ax.set_yscale("log")
        ax.set_ylabel(f"P(Y = {self.class_order[-1]}), log scale")
        ax.set_xlabel(self.feature_name)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)


def _find_column(X, feature):
    names = list(getattr(X, "columns", range(np.shape(X)[1])))
    if feature in names:
        return names.index(feature), str(feature) if hasattr(X, "columns") else f"x{feature}"
    if isinstance(feature, int | np.integer) and 0 <= feature < len(names):
        return int(feature), str(names[feature])
    raise ValueError(f"feature={feature!r} is not a column of X; those are {names[:10]}")


def _grid(X, column, values, reference):
    """Copies of the reference row with the values in `column`."""
    if not hasattr(X, "columns"):
        row = np.nanmedian(X, axis=0) if reference is None else X[reference]
        grid = np.tile(np.asarray(row, dtype=float), (len(values), 1))
        grid[:, column] = values
        return grid
    n = len(values)
    grid = _safe_indexing(X, [0 if reference is None else reference] * n)
    if reference is None:
        for j in range(X.shape[1]):
            _replace_column(grid, j, _typical(_safe_indexing(X, j, axis=1), n))
    _replace_column(grid, column, values)
    return grid


def _replace_column(frame, j, values):
    """Replace a column of a data frame of pandas or polars, in place."""
    if hasattr(frame, "isetitem"):
        frame.isetitem(j, getattr(values, "array", values))
    else:
        frame.replace_column(j, type(frame[:, j])(frame.columns[j], values))


def _typical(column, n):
    """n copies of the median of numbers, or of the most frequent of other entries."""
    entries = np.asarray(column)
    if np.issubdtype(entries.dtype, np.number):
        return np.full(n, np.nanmedian(entries))
    entries = entries.tolist()
    most_frequent = Counter(entries).most_common(1)[0][0]
    return _safe_indexing(column, [entries.index(most_frequent)] * n)
