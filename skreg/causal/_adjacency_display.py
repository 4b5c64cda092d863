"""Heat maps of true and estimated weights."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skreg._inside import holder_of
from skreg.causal._names import checked_names, in_numbers
from skreg.graphs import as_square, is_acyclic, topological_order
from skreg.pictures import DIVERGING, panels

MOST_NAMES = 30


class AdjacencyDisplay:
    """Heat maps of a weight matrix: estimated, and with a truth also true and difference.

    Rows are causes, columns effects. The nodes are in causal order, of the truth if there is one,
    so that edges in the right direction lie above the diagonal.

    Use `from_estimator` with a fitted estimator or `from_matrices`. All parameters are stored as
    attributes.

    Parameters
    ----------
    adjacency : ndarray of shape (n_features, n_features)
        Estimated weights.
    truth : ndarray of shape (n_features, n_features), default=None
        True weights.
    feature_names : array-like of shape (n_features,), default=None
        Names of the nodes; ``x0``, ``x1``, ... if None.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        One axes for each heat map.
    images_ : list of matplotlib AxesImage
        The heat maps: true, estimated, difference, or estimated alone.
    order_ : ndarray of shape (n_features,)
        Nodes in the order of rows and columns.

    See Also
    --------
    DAGDisplay : Draws the graph.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.causal import AdjacencyDisplay, SortNRegress
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(200, 8, edges_per_node=2, random_state=0)
    >>> model = SortNRegress().fit(sem.X)
    >>> len(AdjacencyDisplay.from_estimator(model, truth=sem.adjacency).axes_)
    3
    """

    def __init__(
        self,
        *,
        adjacency: ArrayLike,
        truth: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
    ) -> None:
        self.adjacency = adjacency
        self.truth = truth
        self.feature_names = feature_names

    def __repr__(self) -> str:
        return f"AdjacencyDisplay({in_numbers(self.adjacency)}, truth={self.truth is not None})"

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, truth: ArrayLike | None = None, ax: Any = None
    ) -> Self:
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `adjacency_matrix_`, or a Pipeline or search with one.
        truth : array-like of shape (n_features, n_features), default=None
            True weights.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, see `plot`.

        Returns
        -------
        AdjacencyDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        model = holder_of(estimator, "adjacency_matrix_", cls.__name__)
        names = getattr(model, "feature_names_in_", None)
        return cls.from_matrices(model.adjacency_matrix_, truth=truth, feature_names=names, ax=ax)

    @classmethod
    def from_matrices(
        cls,
        adjacency: ArrayLike,
        *,
        truth: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw weight matrices.

        Parameters
        ----------
        adjacency : array-like of shape (n_features, n_features)
            Estimated weights.
        truth : array-like of shape (n_features, n_features), default=None
            True weights.
        feature_names : array-like of shape (n_features,), default=None
            Names of the nodes.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, see `plot`.

        Returns
        -------
        AdjacencyDisplay
            The display, drawn.
        """
        return cls(adjacency=adjacency, truth=truth, feature_names=feature_names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the heat maps.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw: one Axes, whose place is divided and which itself is turned off, or one
            for each heat map; a new figure if None.

        Returns
        -------
        AdjacencyDisplay
            The display itself.

        Raises
        ------
        ValueError
            If shapes do not match, or `ax` has not as many Axes as there are heat maps.
        ImportError
            If matplotlib is not installed.
        """
        W = as_square("adjacency", self.adjacency)
        matrices = {"estimated": W}
        if self.truth is not None:
            truth = as_square("truth", self.truth)
            if truth.shape != W.shape:
                raise ValueError(f"truth has shape {truth.shape}, adjacency {W.shape}")
            matrices = {"true": truth, "estimated": W, "estimated − true": W - truth}
        names = checked_names(self.feature_names, len(W))
        self.order_ = self._order(W)
        limit = max(np.abs(matrix).max() for matrix in matrices.values()) or 1.0
        self.figure_, self.axes_, _ = panels(
            "AdjacencyDisplay",
            (1, len(matrices)),
            ax,
            figsize=(1.2 + 3.6 * len(matrices), 4.5),
            sharey=True,
        )
        self.images_ = [
            self._draw(ax, title, matrix, names, limit)
            for ax, (title, matrix) in zip(self.axes_, matrices.items(), strict=True)
        ]
        self.axes_[0].set_ylabel("from")
        bar = self.figure_.colorbar(self.images_[-1], ax=list(self.axes_), shrink=0.85, pad=0.02)
        bar.set_label("weight")
        bar.outline.set_visible(False)
        return self

    def _order(self, W):
        for matrix in (self.truth, W):
            if matrix is not None and is_acyclic(matrix):
                return topological_order(np.asarray(matrix) != 0)
        return np.arange(len(W))

    def _draw(self, ax, title, matrix, names, limit):
        sorted_matrix = matrix[np.ix_(self.order_, self.order_)]
        image = ax.imshow(sorted_matrix, cmap=DIVERGING, vmin=-limit, vmax=limit)
        ax.grid(False)  # a style's grid would lie above the cells
        ax.axline((0, 0), slope=1, color="0.8", linewidth=0.7, zorder=1)
        step = -(-len(names) // MOST_NAMES)
        ticks = np.arange(0, len(names), step)
        labels = [names[self.order_[t]] for t in ticks]
        size = float(np.clip(170 / len(ticks), 5, 9))
        ax.set_xticks(ticks, labels, rotation=90, fontsize=size)
        ax.set_yticks(ticks, labels, fontsize=size)
        ax.tick_params(length=2)
        ax.set_xlabel("to")
        ax.set_title(title, loc="left", fontsize="medium")
        ax.spines[:].set_color("0.7")
        return image
