"""The reliability diagram of a rare class."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from skreg.ordinal._calibration import bin_samples, check_event
from skreg.ordinal._class_order import class_order_of, order_unknown
from skreg.ordinal._labels import GUESSED, from_categorical
from skreg.ordinal._out_of_fold import ordered_out_of_fold
from skreg.pictures import MARKERS, PALETTE, pyplot


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
    out_of_fold_proba : What `from_estimator` draws if it is given folds.
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

    def __init__(
        self,
        *,
        predicted: ArrayLike,
        n_events: ArrayLike,
        n_samples: ArrayLike,
        name: str | None = None,
    ) -> None:
        self.predicted = predicted
        self.n_events = n_events
        self.n_samples = n_samples
        self.name = name

    def __repr__(self) -> str:
        n_events, n_samples = np.asarray(self.n_events), np.asarray(self.n_samples)
        name = "" if self.name is None else f"{self.name!r}, "
        return (
            f"RareReliabilityDisplay({name}{n_events.sum():.0f} events among "
            f"{n_samples.sum():.0f} samples in {n_samples.size} bins)"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        label: Any = None,
        class_order: ArrayLike | None = None,
        cv: Any = None,
        groups: ArrayLike | None = None,
        n_jobs: int | None = None,
        params: dict[str, Any] | None = None,
        n_bins: int = 10,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Predict the probability of one class and draw its reliability.

        Parameters
        ----------
        estimator : classifier
            Classifier with `predict_proba`, such as a Pipeline or a search. It must be fitted,
            on other rows than these if the picture is to be fair, unless `cv` is given.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        label : label, default=None
            The class; the last one, in the order of the classes, if None.
        class_order : array-like of shape (n_levels,), default=None
            The labels from the first class to the last. If None, the order that the classifier was
            fitted with, wherever it is wrapped; or else that of an ordered categorical `y`, or of
            labels that are numbers.
        cv : int, cross-validation generator or iterable, default=None
            Folds for clones of the estimator: each row is predicted by a fit that has not seen it,
            as by `out_of_fold_proba`. If None, the estimator itself predicts.
        groups : array-like of shape (n_samples,), default=None
            As in `out_of_fold_proba`.
        n_jobs : int, default=None
            As in `out_of_fold_proba`.
        params : dict, default=None
            As in `out_of_fold_proba`.
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
            If `label` is not a class, or if it is None and the order of the classes is not known.
        """
        if cv is None:
            event, probability = _predicted(estimator, X, y, label, class_order)
        else:
            options = {"cv": cv, "groups": groups, "n_jobs": n_jobs, "params": params}
            event, probability = _out_of_fold(estimator, X, y, label, class_order, options)
        return cls.from_predictions(
            event,
            probability,
            n_bins=n_bins,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        n_bins: int = 10,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
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

    def plot(self, ax: Any = None) -> Self:
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
        style = {"color": PALETTE[n_drawn % len(PALETTE)]}
        some = np.asarray(self.n_events) > 0
        predicted, (low, high) = np.asarray(self.predicted), self.interval_
        self.points_ = ax.errorbar(
            predicted[some], self.rate_[some],
            yerr=[(self.rate_ - low)[some], (high - self.rate_)[some]],
            fmt=MARKERS[n_drawn % len(MARKERS)], markersize=5, elinewidth=1, label=self.name,
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


def _predicted(estimator, X, y, label, class_order):
    """Whether the class happened, and its probability by a fitted estimator."""
    check_is_fitted(estimator)
    if label is None:
        label = class_order_of(estimator, class_order, y)[-1]
    column = _position(label, estimator.classes_)
    return column_or_1d(from_categorical(y)[0]) == label, estimator.predict_proba(X)[:, column]


def _out_of_fold(estimator, X, y, label, class_order, options):
    """The same by clones of the estimator that have not seen the row."""
    labels, proba = ordered_out_of_fold(estimator, X, y, class_order, **options)
    if label is None and labels.origin == GUESSED and len(labels.order) == 2:
        raise order_unknown(labels.classes, "y")
    column = len(labels.order) - 1 if label is None else _position(label, labels.order)
    return labels.codes == column, proba[:, column]


def _position(label, classes):
    classes = np.asarray(classes).tolist()
    if label not in classes:
        raise ValueError(f"label={label!r} is not one of the classes {classes}")
    return classes.index(label)


def clopper_pearson(n_events, n_samples, level=0.95):
    """Exact interval of a binomial rate, shape (2, n_bins)."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, n_events, n_samples - n_events + 1)
    high = beta.ppf(1 - tail, n_events + 1, n_samples - n_events)
    return np.array([np.where(n_events == 0, 0.0, low), np.where(n_events == n_samples, 1.0, high)])
