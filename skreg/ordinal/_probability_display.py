"""The picture of class probabilities along one feature."""

from numbers import Integral

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skreg.ordinal._style import boundary_colours, pyplot


class OrdinalProbabilityDisplay:
    """Bands of the class probabilities along one feature, and the rare class on a log scale.

    The other features are held at a reference row. The upper panel stacks the probabilities of the
    classes in their order; the lower one shows the last class alone, where it is not lost to the
    eye.

    Use `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    values : array-like of shape (n_points,)
        Values of the feature.
    probabilities : array-like of shape (n_points, n_classes)
        Class probabilities at the values, in the order of the classes.
    class_order : array-like of shape (n_classes,)
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

    def __init__(self, *, values, probabilities, class_order, feature_name):
        self.values = values
        self.probabilities = probabilities
        self.class_order = class_order
        self.feature_name = feature_name

    @classmethod
    def from_estimator(cls, estimator, X, feature, *, n_points=200, reference=None, axes=None):
        """Vary one feature over the range of X and draw what the estimator predicts.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with `predict_proba`; a Pipeline works. The order of the classes is
            its `class_order_` or that of its last step, `classes_` if it has none.
        X : {ndarray, dataframe} of shape (n_samples, n_features)
            Features, in the form that the estimator was fitted on.
        feature : int or str
            Column of X; its name if X is a data frame.
        n_points : int, default=200
            Number of values.
        reference : int, default=None
            Row of X at which the other features are held. If None, at their medians, or their most
            frequent values if they are not numbers.
        axes : array-like of two matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        OrdinalProbabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `feature` is not a column of X or is not numeric.
        """
        check_is_fitted(estimator)
        column, name = _find_column(X, feature)
        observed = np.asarray(_safe_indexing(X, column, axis=1))
        if not np.issubdtype(observed.dtype, np.number):
            raise ValueError(f"feature={feature!r} must be numeric, not of dtype {observed.dtype}")
        values = np.linspace(observed.min(), observed.max(), n_points)
        proba = estimator.predict_proba(_grid(X, column, values, reference))
        order = _class_order(estimator)
        position = [np.flatnonzero(estimator.classes_ == label)[0] for label in order]
        display = cls(
            values=values,
            probabilities=proba[:, position],
            class_order=order,
            feature_name=name,
        )
        return display.plot(axes)

    def plot(self, axes=None):
        """Draw the bands and the rare class.

        Parameters
        ----------
        axes : array-like of two matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        OrdinalProbabilityDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("OrdinalProbabilityDisplay")
        if axes is None:
            _, axes = plt.subplots(
                2, 1, figsize=(5.6, 5.2), sharex=True, height_ratios=[3, 2], layout="constrained"
            )
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self._draw_bands(self.axes_[0])
        self._draw_rare(self.axes_[1])
        return self

    def _draw_bands(self, ax):
        colours = boundary_colours(len(self.class_order))
        self.bands_ = ax.stackplot(
            self.values, np.asarray(self.probabilities).T, colors=colours,
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
        colour = boundary_colours(len(self.class_order))[-1]
        rare = np.asarray(self.probabilities)[:, -1]
        (self.line_,) = ax.plot(self.values, rare, color=colour, linewidth=1.8)
        ax.set_yscale("log")
        ax.set_ylabel(f"P(Y = {self.class_order[-1]}), log scale")
        ax.set_xlabel(self.feature_name)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)


def _class_order(estimator):
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    last = getattr(last, "best_estimator_", last)
    return np.asarray(getattr(last, "class_order_", estimator.classes_))


def _find_column(X, feature):
    names = list(getattr(X, "columns", range(np.shape(X)[1])))
    if feature in names:
        return names.index(feature), str(feature) if hasattr(X, "columns") else f"x{feature}"
    if isinstance(feature, Integral) and 0 <= feature < len(names):
        return int(feature), str(names[feature])
    raise ValueError(f"feature={feature!r} is not a column of X; those are {names[:10]}")


def _grid(X, column, values, reference):
    """Copies of the reference row with the values in `column`."""
    if hasattr(X, "iloc"):
        row = X.iloc[[reference]] if reference is not None else _typical_row(X)
        grid = row.iloc[np.zeros(len(values), dtype=int)].reset_index(drop=True)
        return grid.assign(**{str(X.columns[column]): values})
    row = X[reference] if reference is not None else np.median(X, axis=0)
    grid = np.tile(np.asarray(row, dtype=float), (len(values), 1))
    grid[:, column] = values
    return grid


def _typical_row(X):
    row = X.iloc[[0]].copy()
    for name in X.columns:
        numeric = np.issubdtype(np.asarray(X[name]).dtype, np.number)
        row[name] = [X[name].median() if numeric else X[name].mode().iloc[0]]
    return row
