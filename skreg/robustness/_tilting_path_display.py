"""The picture of a path: errors against strength, with the types of its values."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import GREEN, GREY, INK, RED, pyplot, series_style
from skreg.robustness._tilting_path import TiltingPath, short, tilting_path

TYPES = {0: ("nearest centroid (type 0)", GREY), 1: ("pays (type 1)", GREEN),
         2: ("overfitting (type 2)", RED)}  # fmt: skip
ROOM = (30, 14)  # of a name: width and height in pixels


class TiltingPathDisplay:
    """Errors along a regularization path against the adversarial strength that they cost.

    Use `from_path` for what `tilting_path` returned, or `from_estimator` to compute it too. All
    parameters are stored as attributes.

    Parameters
    ----------
    path : TiltingPath
        What `tilting_path` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The curves of the held-out error and of the training error.
    points_ : list of matplotlib PathCollection
        Values of the parameter, type by type.
    chosen_ : matplotlib PathCollection
        Rings around the value of the least error, and the recommended one.

    See Also
    --------
    tilting_path : The numbers.
    TiltingDisplay : One boundary, in the plane of its tilt.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import TiltingPathDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y == 3) | (y == 8)] / 16, y[(y == 3) | (y == 8)]
    >>> TiltingPathDisplay.from_estimator(
    ...     LogisticRegression(), X, y, param_range=[1e-3, 0.01, 0.1, 1, 10]
    ... )
    TiltingPathDisplay(5 values of C, recommended C=0.01)
    """

    def __init__(self, *, path: TiltingPath) -> None:
        self.path = path

    def __repr__(self) -> str:
        path = self.path
        return (
            f"TiltingPathDisplay({len(path.param)} values of {path.param_name}, recommended "
            f"{path.param_name}={short(path.recommended_param)})"
        )

    @classmethod
    def from_path(cls, path: TiltingPath, *, ax: Any = None) -> Self:
        """Draw what `tilting_path` returned.

        Parameters
        ----------
        path : TiltingPath
            The path.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TiltingPathDisplay
            The display, drawn.
        """
        return cls(path=path).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, ax: Any = None, **params: Any
    ) -> Self:
        """Compute a path and draw it.

        Parameters
        ----------
        estimator : estimator
            Linear classifier, or a Pipeline of affine steps and one; it is cloned.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        **params : dict
            Further arguments of `tilting_path`, among them `param_range`.

        Returns
        -------
        TiltingPathDisplay
            The display, drawn.

        Raises
        ------
        TypeError, ValueError
            As by `tilting_path`.
        ImportError
            If matplotlib is not installed.
        """
        return cls.from_path(tilting_path(estimator, X, y, **params), ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw errors against strength.

        Values whose strength is infinite, or that have none, are left out.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TiltingPathDisplay
            The display itself.
        """
        plt = pyplot("TiltingPathDisplay")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        path = self.path
        shown = np.flatnonzero(np.isfinite(path.strength) & np.isfinite(path.test_error))
        shown = shown[np.argsort(path.strength[shown], kind="stable")]
        self.lines_ = [
            ax.plot(path.strength[shown], 100 * errors[shown], label=label, zorder=1, **style)[0]
            for label, errors, style in (
                ("held-out error", path.test_error, {"color": INK}),
                ("training error", path.train_error, {"color": GREY, "linestyle": (0, (3, 2))}),
            )
        ]
        self.points_ = [
            self._draw_type(ax, kind, shown[path.type[shown] == kind])
            for kind in TYPES
            if np.any(path.type[shown] == kind)
        ]
        self.chosen_ = self._draw_choice(ax)
        ax.set(xscale="log", xlabel="adversarial strength", ylabel="error, %")
        _label_log_axis(ax)
        self._name_values(ax, shown)
        ax.legend(loc="best")
        return self

    def _draw_type(self, ax: Any, kind: int, members: np.ndarray) -> Any:
        label, colour = TYPES[kind]
        marker = series_style(kind)["marker"]
        return ax.scatter(
            self.path.strength[members],
            100 * self.path.test_error[members],
            s=36,
            color=colour,
            marker=marker,
            label=label,
            zorder=2,
        )

    def _draw_choice(self, ax: Any) -> Any:
        path = self.path
        chosen = list(dict.fromkeys([path.recommended_index, path.best_index]))
        return ax.scatter(
            path.strength[chosen],
            100 * path.test_error[chosen],
            s=[150, 90][: len(chosen)],
            facecolors="none",
            edgecolors=INK,
            label="recommended, least error" if len(chosen) > 1 else "recommended",
            zorder=3,
        )

    def _name_values(self, ax: Any, shown: np.ndarray) -> None:
        """Values of the parameter above their points where there is room, the chosen ones first."""
        path = self.path
        places = np.column_stack([path.strength, 100 * path.test_error])
        named: list[int] = []
        for k in dict.fromkeys([path.recommended_index, path.best_index, *shown]):
            here = ax.transData.transform(places[[k]])
            apart = np.abs(ax.transData.transform(places[named]) - here) > ROOM if named else True
            if not np.all(np.any(apart, axis=-1)):
                continue
            named.append(k)
            ax.annotate(
                short(path.param[k]),
                (path.strength[k], 100 * path.test_error[k]),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize="small",
            )


def _label_log_axis(ax: Any) -> None:
    """Numbers at 1, 2 and 5 of every power of ten, as strengths hardly span two."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
