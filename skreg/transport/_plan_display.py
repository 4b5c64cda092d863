"""The picture of a transport plan: lines between points, or the matrix with its counts."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skreg._inside import holder_of
from skreg.pictures import BLUE, GREY, INK, RED, pyplot

WIDEST = 2.0  # line of the largest entry, in points


class TransportPlanDisplay:
    """Two clouds of points joined by a plan, or the plan as a matrix above its column counts.

    Use `from_result` or `from_estimator` to draw. All parameters are stored as attributes.

    Parameters
    ----------
    plan : sparse array of shape (n_sources, n_targets)
        Mass that goes from each source to each target.
    source : array-like of shape (n_sources, 2), default=None
        Places of the sources; with `target`, lines between points are drawn.
    target : array-like of shape (n_targets, 2), default=None
        Places of the targets.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    ax_ : matplotlib Axes
        Axes of the points, or of the matrix.
    lines_ : matplotlib LineCollection or None
        One line for each entry of the plan, its width in proportion to the mass.
    image_ : matplotlib AxesImage or None
        The matrix.
    counts_ : matplotlib BarContainer or None
        Number of sources of each target, above the matrix.

    See Also
    --------
    sparse_transport : What is drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skreg.transport import TransportPlanDisplay, sparse_transport
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(20, 2)), rng.normal(size=(5, 2)) + 2
    >>> cost = ((x[:, None] - y) ** 2).sum(axis=2)
    >>> result = sparse_transport(np.full(20, 1 / 20), np.full(5, 1 / 5), cost, max_nz=4)
    >>> TransportPlanDisplay.from_result(result, x, y)
    TransportPlanDisplay(20 sources, 5 targets, 20 entries)
    """

    def __init__(
        self, *, plan: Any, source: ArrayLike | None = None, target: ArrayLike | None = None
    ) -> None:
        self.plan = plan
        self.source = source
        self.target = target

    def __repr__(self) -> str:
        n_sources, n_targets = self.plan.shape
        return (
            f"TransportPlanDisplay({n_sources} sources, {n_targets} targets, "
            f"{sparse.csc_array(self.plan).count_nonzero()} entries)"
        )

    @classmethod
    def from_result(
        cls,
        result: Any,
        source: ArrayLike | None = None,
        target: ArrayLike | None = None,
        *,
        ax: Any = None,
    ) -> Self:
        """Draw the plan of a result.

        Parameters
        ----------
        result : SparseTransportResult
            What holds the plan.
        source : array-like of shape (n_sources, 2), default=None
            Places of the sources.
        target : array-like of shape (n_targets, 2), default=None
            Places of the targets. Without both places the matrix is drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TransportPlanDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If places are given for one side only, or not two numbers for each point.
        ImportError
            If matplotlib is not installed.
        """
        return cls(plan=result.plan, source=source, target=target).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        source: ArrayLike | None = None,
        target: ArrayLike | None = None,
        *,
        ax: Any = None,
    ) -> Self:
        """Draw the plan of a fitted estimator.

        Parameters
        ----------
        estimator : SparseTransportTransformer, BalancedAssignment, or what holds one
            Fitted; a Pipeline or search may hold it.
        source : array-like of shape (n_sources, 2), default=None
            Places of the sources.
        target : array-like of shape (n_targets, 2), default=None
            Places of the targets. Without both places the matrix is drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TransportPlanDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator has no ``plan_``.
        ValueError
            As by `from_result`.
        """
        plan = holder_of(estimator, "plan_", "TransportPlanDisplay").plan_
        return cls(plan=plan, source=source, target=target).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the points or the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TransportPlanDisplay
            The display itself.
        """
        plt = pyplot("TransportPlanDisplay")
        plan = sparse.csc_array(self.plan)
        places = _checked_places(plan.shape, self.source, self.target)
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: Any = None
        self.image_: Any = None
        self.counts_: Any = None
        if places is None:
            self._draw_matrix(ax, plan)
        else:
            self._draw_points(ax, plan, *places)
        return self

    def _draw_points(self, ax: Any, plan: Any, source: np.ndarray, target: np.ndarray) -> None:
        from matplotlib.collections import LineCollection

        entries = plan.tocoo()
        ends = np.stack([source[entries.row], target[entries.col]], axis=1)
        widths = WIDEST * entries.data / max(entries.data.max(initial=0.0), np.finfo(float).tiny)
        self.lines_ = LineCollection(
            list(ends), linewidths=widths, colors=GREY, capstyle="round", zorder=1
        )
        ax.add_collection(self.lines_)
        ax.scatter(*source.T, s=16, color=BLUE, marker="o", label="sources", zorder=2)
        ax.scatter(*target.T, s=36, color=RED, marker="s", label="targets", zorder=3)
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, 1.12), ncols=2, borderaxespad=0.0)

    def _draw_matrix(self, ax: Any, plan: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        self.image_ = ax.imshow(plan.toarray(), aspect="auto", cmap="Blues", interpolation="none")
        ax.grid(False)
        ax.set(xlabel="target", ylabel="source")
        self.figure_.colorbar(self.image_, ax=ax, label="mass")
        above = ax.inset_axes((0.0, 1.03, 1.0, 0.2), sharex=ax)
        counts = np.diff(plan.indptr)
        self.counts_ = above.bar(np.arange(len(counts)), counts, width=0.9, color=INK)
        above.tick_params(labelbottom=False)
        above.set_ylabel("sources")
        above.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))


def _checked_places(
    shape: tuple[int, int], source: ArrayLike | None, target: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray] | None:
    if source is None and target is None:
        return None
    if source is None or target is None:
        missing = "source" if source is None else "target"
        raise ValueError(f"places are given for one side only; give {missing} too, or neither")
    places = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    for name, points, size in zip(("source", "target"), places, shape, strict=True):
        if points.shape != (size, 2):
            raise ValueError(
                f"{name} must have two coordinates for each of {size} points, shape ({size}, 2), "
                f"not {points.shape}"
            )
    return places
