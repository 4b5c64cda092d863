"""The picture of PRESTO's regularisation path."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._inside import fitted_inside
from skreg.ordinal._presto_path import PrestoPath
from skreg.pictures import RED, ordered_colours, panels, pyplot

CHOSEN = {"color": "0.45", "linestyle": (0, (4, 3)), "linewidth": 0.9}
CHOSEN_AT_EDGE = {"color": RED, "linestyle": "-", "linewidth": 1.6}
SEPARATION = {"marker": "o", "markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.8}


class PrestoPathDisplay:
    """Coefficients of all boundaries along the path, one panel for each feature.

    The boundaries of a feature share one line while their coefficients are equal. A dot marks the
    largest alpha at which a boundary separates from the one before it.

    Use `from_estimator` with a fitted `PrestoClassifierCV`, or `from_path` with the result of
    `presto_path`. All parameters are stored as attributes.

    Parameters
    ----------
    path : PrestoPath
        Coefficients along the path.
    feature_names : sequence of str of length n_features, default=None
        Names of the features; ``x0``, ``x1``, ... if None.
    alpha : float, default=None
        Chosen alpha, marked by a vertical line.
    at_edge : bool, default=False
        Whether a better alpha may lie beyond those of the path, which the mark and the legend say.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        One for each feature drawn.
    features_ : ndarray of shape (n_panels,)
        Indices of the features drawn: those with the largest standardised coefficients.
    legend_ : matplotlib Legend
        Legend of all panels.
    lines_ : list of list of matplotlib Line2D
        Line of each boundary in each panel.
    separation_alphas_ : ndarray of shape (n_classes - 1, n_features)
        Largest alpha with a nonzero increment at the boundary, NaN if there is none.

    See Also
    --------
    presto_path : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifierCV, PrestoPathDisplay
    >>> X, y, _ = make_ordinal(random_state=0)
    >>> model = PrestoClassifierCV(scoring="neg_log_loss").fit(X, y)
    >>> PrestoPathDisplay.from_estimator(model, max_features=6).axes_.shape
    (6,)
    """

    def __init__(
        self,
        *,
        path: PrestoPath,
        feature_names: Sequence[str] | np.ndarray | None = None,
        alpha: float | None = None,
        at_edge: bool = False,
    ) -> None:
        self.path = path
        self.feature_names = feature_names
        self.alpha = alpha
        self.at_edge = at_edge

    def __repr__(self) -> str:
        _, n_features, n_alphas = self.path.coefs.shape
        chosen = "" if self.alpha is None else f", alpha={self.alpha:.3g}"
        edge = " at the edge" if self.at_edge else ""
        return f"PrestoPathDisplay({n_features} features, {n_alphas} alphas{chosen}{edge})"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, max_features: int = 12) -> Self:
        """Draw the path of a fitted `PrestoClassifierCV`.

        Parameters
        ----------
        estimator : PrestoClassifierCV
            Fitted estimator, or a Pipeline or the like that holds one.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: an Axes whose place is divided into panels, or one Axes for each panel;
            a new figure if None.
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no path.
        """
        check_is_fitted(estimator)
        inside = [inner for inner in fitted_inside(estimator) if hasattr(inner, "path_")]
        if not inside:
            raise ValueError(
                f"{type(estimator).__name__} holds no fitted PrestoClassifierCV, which has a path"
            )
        names = getattr(inside[0], "feature_names_in_", None)
        display = cls(
            path=inside[0].path_,
            feature_names=names,
            alpha=inside[0].alpha_,
            at_edge=inside[0].alpha_at_edge_,
        )
        return display.plot(ax, max_features=max_features)

    @classmethod
    def from_path(
        cls,
        path: PrestoPath,
        *,
        feature_names: Sequence[str] | np.ndarray | None = None,
        alpha: float | None = None,
        ax: Any = None,
        max_features: int = 12,
    ) -> Self:
        """Draw the result of `presto_path`.

        Parameters
        ----------
        path : PrestoPath
            Result of `presto_path`.
        feature_names : sequence of str of length n_features, default=None
            Names of the features.
        alpha : float, default=None
            Alpha to mark.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: an Axes whose place is divided into panels, or one Axes for each panel;
            a new figure if None.
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display, drawn.
        """
        display = cls(path=path, feature_names=feature_names, alpha=alpha)
        return display.plot(ax, max_features=max_features)

    def plot(self, ax: Any = None, *, max_features: int = 12) -> Self:
        """Draw one panel for each of the features with the largest coefficients.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: an Axes whose place is divided into panels, or one Axes for each panel;
            a new figure if None.
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `feature_names` does not name every feature, if the path has fewer than two alphas
            above zero, or if the number of Axes given is not that of the panels.
        ImportError
            If matplotlib is not installed.
        """
        names = self._names()
        coefs = self.path.coefs * self.path.scale[:, None]
        self.separation_alphas_ = separation_alphas(self.path)
        size = np.abs(coefs).max(axis=(0, 2))
        self.features_ = np.sort(np.argsort(-size, kind="stable")[:max_features])
        n_panels = len(self.features_)
        n_columns = min(n_panels, 4)
        n_rows = -(-n_panels // n_columns)
        self.figure_, self.axes_, above = panels(
            "PrestoPathDisplay", (n_rows, n_columns), ax, n_panels=n_panels, room_above=0.3,
            figsize=(1.2 + 2.1 * n_columns, 1.1 + 1.7 * n_rows), sharex=True, sharey=True,
        )  # fmt: skip
        self.lines_ = [
            self._draw_feature(panel, j, coefs[:, j], names[j])
            for panel, j in zip(self.axes_, self.features_, strict=True)
        ]
        for i, panel in enumerate(self.axes_):
            self._label(panel, left=i % n_columns == 0, lowest=i + n_columns >= n_panels)
        self._draw_legend(above)
        return self

    def _names(self):
        n_features = self.path.coefs.shape[1]
        n_positive = np.count_nonzero(self.path.alphas)
        if n_positive < 2:
            raise ValueError(
                "a picture of the path needs at least two alphas above zero, on a logarithmic "
                f"axis; path has {n_positive}"
            )
        if self.feature_names is None:
            return [f"x{j}" for j in range(n_features)]
        if len(self.feature_names) != n_features:
            raise ValueError(
                f"feature_names has {len(self.feature_names)} names for {n_features} features"
            )
        return list(self.feature_names)

    def _draw_feature(self, panel, j, coefs, name):
        """Draw the coefficients of one feature, (n_boundaries, n_alphas)."""
        panel.axhline(0, color="0.75", linewidth=0.8, zorder=0)
        if self.alpha is not None:
            panel.axvline(self.alpha, zorder=0, **(CHOSEN_AT_EDGE if self.at_edge else CHOSEN))
        lines = []
        for k, colour in enumerate(ordered_colours(len(coefs))):
            # lower boundaries are drawn wider, so that they show behind those that coincide
            width = 1.4 + 1.6 * (len(coefs) - 1 - k)
            lines += panel.plot(self.path.alphas, coefs[k], color=colour, linewidth=width)
            separation = self.separation_alphas_[k, j]
            if k > 0 and np.isfinite(separation):
                at = max(np.searchsorted(-self.path.alphas, -separation) - 1, 0)
                panel.plot(self.path.alphas[at], coefs[k, at], color=colour, zorder=3, **SEPARATION)
        panel.set_title(name, fontsize="small", loc="left", pad=3)
        panel.spines[["top", "right"]].set_visible(False)
        return lines

    def _label(self, panel, *, left, lowest):
        positive = self.path.alphas[self.path.alphas > 0.0]
        margin = (positive[0] / positive[-1]) ** 0.03  # so that a mark at the edge shows
        style_log_axis(panel, positive[0] * margin, positive[-1] / margin)
        panel.tick_params(labelsize="small")
        if left:
            panel.set_ylabel("coefficient per s.d.", fontsize="small")
        if lowest:
            panel.set_xlabel("α (decreasing)", fontsize="small")

    def _draw_legend(self, above):
        ax, anchor = (self.axes_[0], (0, 1.15)) if above is None else (above, (0, 0))
        handles, labels = self._legend_entries()
        self.legend_ = ax.legend(
            handles, labels, loc="lower left", bbox_to_anchor=anchor, ncols=3, frameon=False,
            fontsize="small", borderaxespad=0,
        )  # fmt: skip

    def _legend_entries(self):
        plt = pyplot("PrestoPathDisplay")
        handles = list(self.lines_[0])
        labels = [f"P(Y ≤ {label})" for label in self.path.class_order.tolist()[:-1]]
        if len(labels) > 1:
            handles.append(plt.Line2D([], [], color="0.35", linestyle="", **SEPARATION))
            labels.append("separates from the one before")
        if self.alpha is not None:
            style = CHOSEN_AT_EDGE if self.at_edge else CHOSEN
            handles.append(plt.Line2D([], [], **style))
            edge = " at the edge of the grid" if self.at_edge else ""
            labels.append(f"chosen α = {self.alpha:.2g}{edge}")
        return handles, labels


def style_log_axis(ax, largest, smallest):
    """Decreasing logarithmic axis with few labels, also if it spans less than a power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    ax.set_xlim(largest, smallest)
    if largest < 100 * smallest:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def separation_alphas(path):
    """Largest alpha with a nonzero increment, (n_classes - 1, n_features); NaN if there is none."""
    nonzero = path.coef_diffs != 0.0
    first = nonzero.argmax(axis=-1)
    return np.where(nonzero.any(axis=-1), path.alphas[first], np.nan)
