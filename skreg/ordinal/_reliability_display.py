"""The reliability diagram of a rare class."""

import numpy as np
from scipy.stats import beta
from sklearn.utils.validation import check_is_fitted

from skreg.ordinal._calibration import bin_samples, check_event
from skreg.ordinal._style import pyplot

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


class RareReliabilityDisplay:
    """Observed rate of a rare event against its predicted probability, both on log scales.

    Samples are binned by their predicted probability, into bins with equal numbers of samples.
    Points below the diagonal are bins whose event was predicted too often. Bars are 95 % Clopper-
    Pearson intervals of the rate; a bin without events has only an upper end, drawn as an arrow
    down from it.

    Use `from_estimator` or `from_predictions`. Drawing several on one Axes compares models. All
    parameters are stored as attributes.

    Parameters
    ----------
    predicted : array-like of shape (n_bins,)
        Mean predicted probability of each bin.
    n_events : array-like of shape (n_bins,)
        Number of events in each bin.
    n_samples : array-like of shape (n_bins,)
        Number of samples in each bin.
    name : str, default=None
        Name of the model in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    points_ : matplotlib ErrorbarContainer
        Points and bars of the bins with events.
    rate_ : ndarray of shape (n_bins,)
        Observed rate of each bin.
    interval_ : ndarray of shape (2, n_bins)
        Lower and upper ends of the intervals.

    See Also
    --------
    calibration_error : One number instead of a picture.
    sklearn.calibration.CalibrationDisplay : Linear scales, for common events.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifierCV, RareReliabilityDisplay
    >>> X, y, _ = make_ordinal(5000, random_state=0)
    >>> model = PrestoClassifierCV().fit(X[:2500], y[:2500])
    >>> display = RareReliabilityDisplay.from_estimator(model, X[2500:], y[2500:], n_bins=5)
    >>> int(sum(display.n_events)), int((y[2500:] == 3).sum())
    (13, 13)
    """

    def __init__(self, *, predicted, n_events, n_samples, name=None):
        self.predicted = predicted
        self.n_events = n_events
        self.n_samples = n_samples
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, label=None, n_bins=10, name=None, ax=None):
        """Predict the probability of one class and draw its reliability.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier with `predict_proba`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        label : label, default=None
            The class; the last of `class_order_` of the estimator, or of `classes_`, if None.
        n_bins : int, default=10
            Number of bins.
        name : str, default=None
            Name in the legend; that of the estimator's class if None.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        RareReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `label` is not a class of the estimator.
        """
        check_is_fitted(estimator)
        classes = list(estimator.classes_)
        if label is None:
            label = getattr(estimator, "class_order_", classes)[-1]
        if label not in classes:
            raise ValueError(f"label={label!r} is not one of the classes {classes}")
        return cls.from_predictions(
            np.asarray(y) == label,
            estimator.predict_proba(X)[:, classes.index(label)],
            n_bins=n_bins,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(cls, y_true, y_prob, *, n_bins=10, name=None, ax=None):
        """Draw the reliability of given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Whether the event happened.
        y_prob : array-like of shape (n_samples,)
            Predicted probabilities of the event.
        n_bins : int, default=10
            Number of bins.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        RareReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `y_true` is not binary or `y_prob` leaves [0, 1].
        """
        event, probability = check_event(y_true, y_prob)
        order, start = bin_samples(probability, n_bins, "quantile")
        n_samples = np.diff(np.append(start, len(order)))
        display = cls(
            predicted=np.add.reduceat(probability[order], start) / n_samples,
            n_events=np.add.reduceat(event[order], start),
            n_samples=n_samples,
            name=name,
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw the bins.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, which may hold other reliability diagrams; a new figure if None.

        Returns
        -------
        RareReliabilityDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("RareReliabilityDisplay")
        if ax is None:
            _, ax = plt.subplots(figsize=(5.0, 4.6), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        n_events, n_samples = np.asarray(self.n_events), np.asarray(self.n_samples)
        self.rate_ = n_events / n_samples
        self.interval_ = clopper_pearson(n_events, n_samples)
        if not ax.has_data():
            self._draw_axes(ax)
        self._draw_bins(ax, sum(not c.get_label().startswith("_") for c in ax.containers))
        self._fit_limits(ax)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small")
        return self

    def _draw_axes(self, ax):
        ax.axline((1e-3, 1e-3), (1e-2, 1e-2), color="0.45", linewidth=0.9, label="calibrated")
        ax.set(xscale="log", yscale="log")
        ax.set_xlabel("predicted probability (mean of the bin)")
        ax.set_ylabel("observed rate of the event")
        ax.grid(color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)

    def _draw_bins(self, ax, n_drawn):
        style = {"color": _COLOURS[n_drawn % len(_COLOURS)]}
        some = np.asarray(self.n_events) > 0
        predicted, (low, high) = np.asarray(self.predicted), self.interval_
        self.points_ = ax.errorbar(
            predicted[some], self.rate_[some],
            yerr=[(self.rate_ - low)[some], (high - self.rate_)[some]],
            fmt=_MARKERS[n_drawn % len(_MARKERS)], markersize=5, elinewidth=1, label=self.name,
            **style,
        )  # fmt: skip
        if not some.all():
            ax.errorbar(
                predicted[~some], high[~some], yerr=0.5 * high[~some], uplims=True, fmt="none",
                elinewidth=1, alpha=0.6, **style,
            )  # fmt: skip

    def _fit_limits(self, ax):
        """Cut off the lower ends of bars, which reach down to almost zero for a single event."""
        drawn = [c.lines[0].get_data() for c in ax.containers if c.lines[0] is not None]
        lowest = min(np.min(data, initial=1.0) for data in drawn)
        ax.set_ylim(bottom=0.3 * lowest, auto=True)


def clopper_pearson(n_events, n_samples, level=0.95):
    """Exact interval of a binomial rate, shape (2, n_bins)."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, n_events, n_samples - n_events + 1)
    high = beta.ppf(1 - tail, n_events + 1, n_samples - n_events)
    return np.array([np.where(n_events == 0, 0.0, low), np.where(n_events == n_samples, 1.0, high)])
