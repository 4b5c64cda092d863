"""The picture of a probe learning curve."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import pyplot, series_style
from skreg.probe._crossover import Crossover, check_errors, check_sizes
from skreg.probe._learning_curve import probe_learning_curve


class ProbeLearningCurveDisplay:
    """Test error of probes against the number of labels, with the crossovers.

    Use `from_estimator` to compute and draw, or `from_curve` to draw the result of
    `probe_learning_curve`. All parameters are stored as attributes.

    Parameters
    ----------
    train_sizes : array-like of shape (n_sizes,)
        Numbers of training samples.
    errors : dict of str to array-like of shape (n_repeats, n_sizes)
        Test errors of each probe, as fractions.
    crossover : dict of str to Crossover, default=None
        Crossovers of one of the probes, the reference, with others, by their name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    lines_ : list of matplotlib Line2D
        Mean error of each probe.
    bands_ : list of matplotlib PolyCollection
        Band of one standard error of the mean over repeats, on both sides, for each probe.
    crossover_lines_ : dict of str to matplotlib Line2D
        Vertical line of each crossover that lies within the sizes.
    crossover_spans_ : dict of str to matplotlib Polygon
        Shaded confidence interval of each crossover that has one.

    See Also
    --------
    probe_learning_curve : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.probe import LinearNaiveBayes, ProbeLearningCurveDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> display = ProbeLearningCurveDisplay.from_estimator(
    ...     {"naive Bayes": LinearNaiveBayes(), "logistic": LogisticRegression()},
    ...     X[:400], y[:400], X[400:], y[400:], train_sizes=[8, 32, 128], random_state=0,
    ... )
    >>> [line.get_label() for line in display.lines_]
    ['naive Bayes', 'logistic']
    """

    def __init__(
        self,
        *,
        train_sizes: ArrayLike,
        errors: Mapping[str, ArrayLike],
        crossover: Mapping[str, Crossover] | None = None,
    ) -> None:
        self.train_sizes = train_sizes
        self.errors = errors
        self.crossover = crossover

    def __repr__(self) -> str:
        sizes = np.asarray(self.train_sizes)
        repeats = {len(np.atleast_2d(np.asarray(table))) for table in self.errors.values()}
        return (
            f"ProbeLearningCurveDisplay({', '.join(self.errors)}: {len(sizes)} sizes from "
            f"{sizes[0]:g} to {sizes[-1]:g}, {max(repeats)} repeats)"
        )

    @classmethod
    def from_curve(
        cls, curve: Any, *, ax: Any = None, crossovers: Sequence[str] | None = None
    ) -> Self:
        """Draw the result of `probe_learning_curve`.

        Parameters
        ----------
        curve : Bunch
            As returned by `probe_learning_curve`.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        crossovers : list of str, default=None
            As in `plot`.

        Returns
        -------
        ProbeLearningCurveDisplay
            The display, drawn.
        """
        display = cls(train_sizes=curve.train_sizes, errors=curve.errors, crossover=curve.crossover)
        return display.plot(ax, crossovers=crossovers)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        X_test: Any,
        y_test: ArrayLike,
        *,
        train_sizes: ArrayLike,
        n_repeats: int = 5,
        sampling: Literal["random", "per_class"] = "random",
        scaler: Literal["minmax"] | None = "minmax",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        ax: Any = None,
        crossovers: Sequence[str] | None = None,
    ) -> Self:
        """Compute the learning curve of one or several probes and draw it.

        Parameters
        ----------
        estimator : estimator, dict of str to estimator, or list of (str, estimator)
            A classifier, or several to compare. The first is the reference of the crossovers.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Pool of features that training subsets are drawn from.
        y : array-like of shape (n_samples,)
            Labels of the pool.
        X_test : {array-like, sparse matrix, dataframe} of shape (n_test, n_features)
            Test features.
        y_test : array-like of shape (n_test,)
            Test labels.
        train_sizes : array-like of int of shape (n_sizes,)
            Sizes of the training subsets.
        n_repeats : int, default=5
            Number of independent subsets per size.
        sampling : {"random", "per_class"}, default="random"
            How subsets are drawn.
        scaler : {"minmax"} or None, default="minmax"
            Scaling that is learned on every subset.
        random_state : int, RandomState instance or None, default=None
            Seed of the subsets and the bootstrap.
        n_jobs : int, default=None
            Number of joblib workers.
        verbose : int, default=0
            Show a progress bar if positive.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        crossovers : list of str, default=None
            As in `plot`.

        Returns
        -------
        ProbeLearningCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As `probe_learning_curve`, which documents the parameters further.
        """
        curve = probe_learning_curve(
            estimator,
            X,
            y,
            X_test,
            y_test,
            train_sizes=train_sizes,
            n_repeats=n_repeats,
            sampling=sampling,
            scaler=scaler,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        return cls.from_curve(curve, ax=ax, crossovers=crossovers)

    def plot(self, ax: Any = None, *, crossovers: Sequence[str] | None = None) -> Self:
        """Draw mean errors, bands of one standard error, and crossovers.

        The legend, above the axes, tells for every rival from which size on it is ahead of the
        reference, with the confidence interval. Figures with ``layout="constrained"`` make room
        for it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        crossovers : list of str, default=None
            Names of the probes whose crossover with the reference is marked by a line and a shaded
            confidence interval. By default the first rival, so that few things overlap.

        Returns
        -------
        ProbeLearningCurveDisplay
            The display itself.

        Raises
        ------
        ValueError
            If sizes and errors do not fit together, or if a name in `crossovers` has no crossover.
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("ProbeLearningCurveDisplay")
        sizes = check_sizes(self.train_sizes, "train_sizes")
        errors = {
            name: check_errors(table, sizes, f"errors[{name!r}]")
            for name, table in self.errors.items()
        }
        marked = self._checked_crossovers(crossovers)
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        self.crossover_lines_: dict[str, Any] = {}
        self.crossover_spans_: dict[str, Any] = {}
        self._draw_axes(sizes)
        for i, (name, table) in enumerate(errors.items()):
            self._draw_errors(sizes, name, table, series_style(i))
        for name in marked:
            self._draw_crossover(name, series_style(list(errors).index(name))["color"])
        ax.set_ylim(bottom=0)
        ax.legend(
            self.lines_,
            [self._legend_entry(name, sizes[-1]) for name in errors],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            frameon=False,
            fontsize="small",
        )
        return self

    def _checked_crossovers(self, crossovers):
        available = self.crossover or {}
        if crossovers is None:
            return list(available)[:1]
        unknown = [name for name in crossovers if name not in available]
        if unknown:
            raise ValueError(f"crossovers has {unknown}; available are {list(available)}")
        return list(crossovers)

    def _draw_axes(self, sizes):
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, StrMethodFormatter

        ax = self.ax_
        ax.set_xscale("log")
        ax.set_xlim(sizes[0] / 1.12, sizes[-1] * 1.12)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 * error:g}%"))
        ax.set_xlabel("labelled training samples m (number, log scale)")
        ax.set_ylabel("test error (% of test points)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)

    def _draw_errors(self, sizes, name, table, style):
        mean = table.mean(axis=0)
        self.lines_ += self.ax_.plot(sizes, mean, label=name, markersize=4.5, **style)
        if len(table) > 1:
            error = table.std(axis=0, ddof=1) / np.sqrt(len(table))
            self.bands_.append(
                self.ax_.fill_between(
                    sizes, mean - error, mean + error,
                    color=style["color"], alpha=0.2, linewidth=0,
                )
            )  # fmt: skip

    def _draw_crossover(self, name, colour):
        crossing = (self.crossover or {})[name]
        left, right = np.clip(crossing.confidence_interval, *self.ax_.get_xlim())
        if left < right:
            self.crossover_spans_[name] = self.ax_.axvspan(
                left, right, color=colour, alpha=0.1, linewidth=0, zorder=0
            )
        if crossing.censored is None:
            self.crossover_lines_[name] = self.ax_.axvline(
                crossing.size, color=colour, linestyle=(0, (4, 3)), linewidth=1.1
            )

    def _legend_entry(self, name, largest):
        """Name of a probe and, for a rival, when it overtakes the reference."""
        if name not in (self.crossover or {}):
            return f"{name} (reference)" if self.crossover else name
        crossing = (self.crossover or {})[name]
        if crossing.censored == "right":
            return f"{name}: behind at m = {largest:,.0f}"
        if crossing.censored == "left":
            return f"{name}: never behind"
        entry = f"{name}: ahead from m = {crossing.size:,.0f}"
        low, high = crossing.confidence_interval
        if np.isnan(low):
            return entry
        return f"{entry} [{low:,.0f}, {high:,.0f}]".replace("inf", "∞")
