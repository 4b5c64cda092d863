"""Layered drawing of an acyclic graph."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skreg._inside import holder_of
from skreg.causal._names import checked_names, in_numbers
from skreg.graphs import as_square, topological_order
from skreg.pictures import BLUE, GREY, INK, RED, pyplot

SWEEPS = 24
MANY = 20
WIDEST_GAP = 2.2
WIDEST, THINNEST = 3.2, 0.5


class DAGDisplay:
    """Acyclic graph in layers: every edge leads to the right.

    A node stands one layer to the right of its last parent; nodes without parents stand just
    before their first child. Positive weights are blue, negative
    ones red; the width of an edge shows its magnitude or, for `BootstrapDAG`, how often it was
    found.

    Use `from_estimator` with a fitted estimator or `from_matrix`. All parameters are stored as
    attributes.

    Parameters
    ----------
    adjacency : ndarray of shape (n_features, n_features)
        Weights of an acyclic graph.
    frequency : ndarray of shape (n_features, n_features), default=None
        Frequencies of the edges, shown by their width instead of the weights.
    feature_names : array-like of shape (n_features,), default=None
        Names of the nodes; ``x0``, ``x1``, ... if None.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    ax_ : matplotlib Axes
        Axes of the picture.
    layer_ : ndarray of shape (n_features,)
        Layer of each node, from 0.
    position_ : ndarray of shape (n_features, 2)
        Place of each node.
    edges_ : dict
        Arrow of each edge, by the pair of its nodes.

    See Also
    --------
    AdjacencyDisplay : For graphs too dense to draw.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.causal import DAGDisplay
    >>> display = DAGDisplay.from_matrix([[0, 1, 2], [0, 0, -1], [0, 0, 0]])
    >>> display.layer_
    array([0, 1, 2])
    """

    def __init__(
        self,
        *,
        adjacency: ArrayLike,
        frequency: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
    ) -> None:
        self.adjacency = adjacency
        self.frequency = frequency
        self.feature_names = feature_names

    def __repr__(self) -> str:
        return f"DAGDisplay({in_numbers(self.adjacency)})"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the graph of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `adjacency_matrix_`, or a Pipeline or search with one; its
            `edge_frequency_`, if it has one, sets the widths.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        DAGDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        model = holder_of(estimator, "adjacency_matrix_", cls.__name__)
        return cls(
            adjacency=model.adjacency_matrix_,
            frequency=getattr(model, "edge_frequency_", None),
            feature_names=getattr(model, "feature_names_in_", None),
        ).plot(ax=ax)

    @classmethod
    def from_matrix(
        cls,
        adjacency: ArrayLike,
        *,
        frequency: ArrayLike | None = None,
        feature_names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the graph of a weight matrix.

        Parameters
        ----------
        adjacency : array-like of shape (n_features, n_features)
            Weights of an acyclic graph.
        frequency : array-like of shape (n_features, n_features), default=None
            Frequencies of the edges.
        feature_names : array-like of shape (n_features,), default=None
            Names of the nodes.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        DAGDisplay
            The display, drawn.
        """
        display = cls(adjacency=adjacency, frequency=frequency, feature_names=feature_names)
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw nodes and edges.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        DAGDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the graph has a cycle or shapes do not match.
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("DAGDisplay")
        W = as_square("adjacency", self.adjacency)
        strength = np.abs(W)
        if self.frequency is not None:
            strength = as_square("frequency", self.frequency)
            if strength.shape != W.shape:
                raise ValueError(f"frequency has shape {strength.shape}, adjacency {W.shape}")
        names = checked_names(self.feature_names, len(W))
        self.layer_ = layers(W)
        self.position_ = positions(W, self.layer_)
        extent = np.ptp(self.position_, axis=0)
        if ax is None:
            longest = 0.6 * _font(names) * max(len(name) for name in names) / 72
            size = np.clip(1.2 + extent * [0.7 + longest, 0.75], [4.0, 2.4], [15.0, 9.0])
            _, ax = plt.subplots(figsize=size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.set_axis_off()
        ax.set_xlim(self.position_[:, 0].min() - 0.6, self.position_[:, 0].max() + 0.6)
        ax.set_ylim(self.position_[:, 1].min() - 0.8, self.position_[:, 1].max() + 0.8)
        self._draw(W, strength, names)
        return self

    def _draw(self, W, strength, names):
        many = len(names) > MANY
        boxes = [
            self.ax_.annotate(
                name, place, ha="center", va="center", fontsize=_font(names), color=INK, zorder=3,
                bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": GREY},
            ).get_bbox_patch()
            for name, place in zip(names, self.position_, strict=True)
        ]  # fmt: skip
        strongest = strength[W != 0].max() if W.any() else 1.0
        self.edges_ = {}
        # the strongest last, on top of the others
        pairs = np.argwhere(W)[np.argsort(strength[W != 0], kind="stable")]
        for i, j in pairs:
            share = strength[i, j] / strongest
            span = self.layer_[j] - self.layer_[i]
            level = self.position_[i, 1] == self.position_[j, 1]
            self.edges_[int(i), int(j)] = self.ax_.annotate(
                "",
                self.position_[j],
                self.position_[i],
                zorder=2,
                arrowprops={
                    "arrowstyle": "-|>,head_width=0.16,head_length=0.32",
                    "connectionstyle": f"arc3,rad={0.22 if span > 1 and level else 0.08}",
                    "color": BLUE if W[i, j] > 0 else RED,
                    "linewidth": THINNEST + (WIDEST - THINNEST) * share * (0.6 if many else 1.0),
                    "alpha": 0.35 + 0.5 * share if many else 0.85,
                    "patchA": boxes[i],
                    "patchB": boxes[j],
                    "shrinkA": 1.0,
                    "shrinkB": 2.0,
                },
            )


def _font(names):
    """Size of the names in points."""
    return 6.5 if len(names) > MANY else 9.0


def layers(W: np.ndarray) -> np.ndarray:
    """Layer of each node, (n_nodes,) int.

    That is the length of the longest directed path that ends at the node; nodes without parents
    then move right to just before their first child.
    """
    B = W != 0
    layer = np.zeros(len(W), dtype=int)
    for j in topological_order(B, "adjacency"):
        parents = np.flatnonzero(B[:, j])
        layer[j] = 1 + layer[parents].max() if len(parents) else 0
    for i in np.flatnonzero(~B.any(axis=0) & B.any(axis=1)):
        layer[i] = layer[B[i]].min() - 1
    return layer


def positions(W: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Places of the nodes (n_nodes, 2): layer, and height near the mean of the neighbours.

    Sweeps from left to right and back sort every layer by the mean height of its nodes' neighbours
    (the barycentre heuristic), which keeps crossings few.
    """
    adjacent = (W != 0) | (W.T != 0)
    members = [np.flatnonzero(layer == k) for k in range(layer.max() + 1)]
    largest = max(len(nodes) for nodes in members)
    height = np.zeros(len(W))
    for nodes in members:
        height[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2
    for sweep in range(SWEEPS):
        for nodes in members if sweep % 2 == 0 else members[::-1]:
            side = layer < layer[nodes[0]] if sweep % 2 == 0 else layer > layer[nodes[0]]
            near = adjacent[nodes] & side
            count = near.sum(axis=1)
            wanted = np.where(count > 0, near @ height / np.maximum(count, 1), height[nodes])
            rank = np.argsort(wanted, kind="stable")
            spread = np.arange(len(nodes)) - (len(nodes) - 1) / 2
            height[nodes[rank]] = spread * min(WIDEST_GAP, largest / len(nodes))
    return np.column_stack([layer.astype(float), height])
