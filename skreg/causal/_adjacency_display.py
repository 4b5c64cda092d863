"""Heat maps of true and estimated weights."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._inside import holder_of
from skreg.causal._names import checked_names, default_names
from skreg.graphs import as_square, topological_order
from skreg.pictures import DIVERGING, pyplot

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

    def __init__(self, *, adjacency, truth=None, feature_names=None):
        self.adjacency = adjacency
        self.truth = truth
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, *, truth=None):
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `adjacency_matrix_`.
        truth : array-like of shape (n_features, n_features), default=None
            True weights.

        Returns
        -------
        AdjacencyDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        model = holder_of(estimator, "adjacency_matrix_", cls.__name__)
        names = getattr(model, "feature_names_in_", None)
        return cls.from_matrices(model.adjacency_matrix_, truth=truth, feature_names=names)

    @classmethod
    def from_matrices(cls, adjacency, *, truth=None, feature_names=None):
        """Draw weight matrices.

        Parameters
        ----------
        adjacency : array-like of shape (n_features, n_features)
            Estimated weights.
        truth : array-like of shape (n_features, n_features), default=None
            True weights.
        feature_names : array-like of shape (n_features,), default=None
            Names of the nodes.

        Returns
        -------
        AdjacencyDisplay
            The display, drawn.
        """
        return cls(adjacency=adjacency, truth=truth, feature_names=feature_names).plot()

    def plot(self):
        """Draw the heat maps.

        Returns
        -------
        AdjacencyDisplay
            The display itself.

        Raises
        ------
        ValueError
            If shapes do not match.
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("AdjacencyDisplay")
        W = as_square("adjacency", self.adjacency)
        panels = {"estimated": W}
        if self.truth is not None:
            truth = as_square("truth", self.truth)
            if truth.shape != W.shape:
                raise ValueError(f"truth has shape {truth.shape}, adjacency {W.shape}")
            panels = {"true": truth, "estimated": W, "estimated − true": W - truth}
        names = checked_names(self.feature_names, len(W), default_names(len(W)))
        self.order_ = self._order(W)
        limit = max(np.abs(matrix).max() for matrix in panels.values()) or 1.0
        self.figure_, axes = plt.subplots(
            1, len(panels), figsize=(1.2 + 3.6 * len(panels), 4.5), sharey=True, squeeze=False,
            layout="constrained",
        )  # fmt: skip
        self.axes_ = axes[0]
        self.images_ = [
            self._draw(ax, title, matrix, names, limit)
            for ax, (title, matrix) in zip(self.axes_, panels.items(), strict=True)
        ]
        self.axes_[0].set_ylabel("from")
        bar = self.figure_.colorbar(self.images_[-1], ax=self.axes_, shrink=0.85, pad=0.02)
        bar.set_label("weight")
        bar.outline.set_visible(False)
        return self

    def _order(self, W):
        for matrix in (self.truth, W):
            if matrix is not None:
                order = topological_order(np.asarray(matrix) != 0)
                if order is not None:
                    return order
        return np.arange(len(W))

    def _draw(self, ax, title, matrix, names, limit):
        sorted_matrix = matrix[np.ix_(self.order_, self.order_)]
        image = ax.imshow(sorted_matrix, cmap=DIVERGING, vmin=-limit, vmax=limit)
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
