"""The reliability diagram of a rare class."""

from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.ordinal._calibration import check_event
from skreg.ordinal._class_order import class_order_of, label_position
from skreg.ordinal._isotonic import BANDS, bootstrap_band, isotonic_rate, points_of, pool
from skreg.ordinal._labels import from_categorical
from skreg.ordinal._out_of_fold import check_takes_offset, event_position, ordered_out_of_fold
from skreg.pictures import PALETTE, pyplot

# marks of the displays on an Axes, by their `gid`: others may have drawn there too
DIAGONAL, CURVE, BAND = "reliability diagonal", "reliability curve", "reliability band"


class RareReliabilityDisplay:
    """Observed rate of a rare event against its predicted probability, both on log scales.

    The rate is the isotonic regression of the event on the prediction [1]_: it needs no bins. Where
    the curve lies below the diagonal, the event was predicted too often; a curve that falls out of
    the picture had no events among predictions so low.

    The band of bootstrap curves is of one of two kinds. The *consistency* band is around the
    diagonal: calibrated predictions would give a curve within it, at each point with probability
    `level`. The *confidence* band is around the curve, from samples drawn again; it has no width
    where no event was seen, and is too narrow where there were few.

    Use `from_estimator` or `from_predictions`. Drawing several on one Axes compares models. All
    parameters are stored as attributes.

    Parameters
    ----------
    predicted : array-like of shape (n_points,)
        Distinct predicted probabilities, increasing; if there are more than 2000, the steps of the
        curve and 2000 others.
    rate : array-like of shape (n_points,)
        Isotonic rate of the event at each.
    lower : array-like of shape (n_points,)
        Lower end of the band.
    upper : array-like of shape (n_points,)
        Upper end of the band.
    n_events : int
        Number of events.
    n_samples : int
        Number of samples.
    band : {"consistency", "confidence"}, default="consistency"
        Kind of the band.
    level : float, default=0.95
        Level of the band.
    name : str, default=None
        Name of the model in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    line_ : matplotlib Line2D
        The isotonic curve.
    band_ : matplotlib PolyCollection
        The band.

    See Also
    --------
    calibration_error : One number instead of a picture.
    out_of_fold_proba : What `from_estimator` draws if it is given folds.
    sklearn.calibration.CalibrationDisplay : Linear scales and bins, for common events.

    References
    ----------
    .. [1] T. Dimitriadis, T. Gneiting, A. I. Jordan, "Stable reliability diagrams for probabilistic
       classifiers", PNAS 118, 2021.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifierCV, RareReliabilityDisplay
    >>> X, y, _ = make_ordinal(5000, random_state=0)
    >>> model = PrestoClassifierCV().fit(X[:2500], y[:2500])
    >>> RareReliabilityDisplay.from_estimator(model, X[2500:], y[2500:])
    RareReliabilityDisplay('PrestoClassifierCV', 13 events among 2500 samples)
    """

    def __init__(
        self,
        *,
        predicted: ArrayLike,
        rate: ArrayLike,
        lower: ArrayLike,
        upper: ArrayLike,
        n_events: int,
        n_samples: int,
        band: Literal["consistency", "confidence"] = "consistency",
        level: float = 0.95,
        name: str | None = None,
    ) -> None:
        self.predicted = predicted
        self.rate = rate
        self.lower = lower
        self.upper = upper
        self.n_events = n_events
        self.n_samples = n_samples
        self.band = band
        self.level = level
        self.name = name

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name!r}, "
        return (
            f"RareReliabilityDisplay({name}{self.n_events} events among {self.n_samples} samples)"
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
        offset: ArrayLike | None = None,
        cv: Any = None,
        groups: ArrayLike | None = None,
        n_jobs: int | None = None,
        params: dict[str, Any] | None = None,
        band: Literal["consistency", "confidence"] = "consistency",
        level: float = 0.95,
        n_bootstraps: int = 200,
        random_state: int | np.random.RandomState | None = 0,
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
        offset : array-like of shape (n_samples,), default=None
            Known part of the predictors of these rows, for a classifier of `skreg.ordinal` itself.
        cv : int, cross-validation generator or iterable, default=None
            Folds for clones of the estimator: each row is predicted by a fit that has not seen it,
            as by `out_of_fold_proba`. If None, the estimator itself predicts.
        groups : array-like of shape (n_samples,), default=None
            As in `out_of_fold_proba`.
        n_jobs : int, default=None
            As in `out_of_fold_proba`.
        params : dict, default=None
            As in `out_of_fold_proba`.
        band : {"consistency", "confidence"}, default="consistency"
            Whether the band is around the diagonal, where the curve of calibrated predictions would
            lie, or around the curve.
        level : float, default=0.95
            Level of the band.
        n_bootstraps : int, default=200
            Number of bootstrap curves.
        random_state : int, RandomState instance or None, default=0
            Draws them; by default the picture is the same at every call.
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
            If `label` is not a class, if it is None and the order of the classes is not known, or
            if the estimator knows none of the labels of `y`.
        TypeError
            If there is an offset for another estimator than one of `skreg.ordinal`.
        """
        if cv is None:
            event, probability = _predicted(estimator, X, y, label, class_order, offset)
        else:
            options = {
                "offset": offset,
                "cv": cv,
                "groups": groups,
                "n_jobs": n_jobs,
                "params": params,
            }
            event, probability = _out_of_fold(estimator, X, y, label, class_order, options)
        return cls.from_predictions(
            event,
            probability,
            band=band,
            level=level,
            n_bootstraps=n_bootstraps,
            random_state=random_state,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    @validate_params(
        {
            "band": [StrOptions(BANDS)],
            "level": [Interval(Real, 0, 1, closed="neither")],
            "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        band: Literal["consistency", "confidence"] = "consistency",
        level: float = 0.95,
        n_bootstraps: int = 200,
        random_state: int | np.random.RandomState | None = 0,
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
        band : {"consistency", "confidence"}, default="consistency"
            Whether the band is around the diagonal, where the curve of calibrated predictions would
            lie, or around the curve.
        level : float, default=0.95
            Level of the band.
        n_bootstraps : int, default=200
            Number of bootstrap curves.
        random_state : int, RandomState instance or None, default=0
            Draws them; by default the picture is the same at every call.
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
        pooled = pool(event, probability)
        rate, rng = isotonic_rate(pooled), check_random_state(random_state)
        points = points_of(rate)
        lower, upper = bootstrap_band(pooled, points, band, level, n_bootstraps, rng)
        display = cls(
            predicted=pooled.predicted[points],
            rate=rate[points],
            lower=lower,
            upper=upper,
            n_events=int(event.sum()),
            n_samples=len(event),
            band=band,
            level=level,
            name=name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curve and its band.

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
        n_drawn = len(_marks(ax, CURVE))
        if n_drawn == 0:
            self._draw_axes(ax)
        self._draw_curve(ax, PALETTE[n_drawn % len(PALETTE)])
        _fit_limits(ax)
        _explain(ax)
        return self

    def _draw_axes(self, ax):
        ax.axline((1e-3, 1e-3), (1e-2, 1e-2), color="0.45", linewidth=0.9, gid=DIAGONAL)
        ax.set(xscale="log", yscale="log")
        ax.set_xlabel("predicted probability")
        ax.set_ylabel("observed rate of the event (isotonic)")
        ax.grid(color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)

    def _draw_curve(self, ax, colour):
        predicted = np.asarray(self.predicted)
        shown = predicted > 0.0
        (self.line_,) = ax.plot(
            predicted[shown], np.asarray(self.rate)[shown], color=colour, linewidth=1.8, gid=CURVE,
            label="isotonic rate" if self.name is None else self.name,
        )  # fmt: skip
        what = "if calibrated" if self.band == "consistency" else "of samples drawn again"
        self.band_ = ax.fill_between(
            predicted[shown], np.asarray(self.lower)[shown], np.asarray(self.upper)[shown],
            color=colour, alpha=0.15, linewidth=0, gid=BAND,
            label=f"shaded: {self.level:.0%} of curves {what}",
        )  # fmt: skip


def _marks(ax, gid):
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def _fit_limits(ax):
    """Cut off both axes below the lowest rate that is not zero, as a logarithm has no end there."""
    curves = [line.get_data() for line in _marks(ax, CURVE)]
    predicted, rate = np.concatenate(curves, axis=1)
    seen = rate > 0.0
    bottom = 0.3 * np.min(rate[seen], initial=1.0)
    ax.set_xlim(left=min(bottom, 0.5 * np.min(predicted[seen], initial=1.0)), auto=True)
    ax.set_ylim(bottom=bottom, top=1.0, auto=True)


def _explain(ax):
    """Legend of all marks: the diagonal, and each curve with its band."""
    handles, labels = _marks(ax, DIAGONAL), ["calibrated"]
    for line, band in zip(_marks(ax, CURVE), _marks(ax, BAND), strict=True):
        handles.append((band, line))
        labels.append(f"{line.get_label()} ({band.get_label()})")
    ax.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small"
    )


def _predicted(estimator, X, y, label, class_order, offset):
    """Whether the class happened, and its probability by a fitted estimator."""
    check_is_fitted(estimator)
    known = {}
    if offset is not None:
        check_takes_offset(estimator)
        known = {"offset": offset}
    if label is None:
        label = class_order_of(estimator, class_order, y)[-1]
    column = label_position(label, estimator.classes_)
    labels = column_or_1d(from_categorical(y)[0])
    known_labels = np.asarray(estimator.classes_).tolist()
    if set(labels.tolist()).isdisjoint(known_labels):
        raise ValueError(
            f"y has labels such as {labels[:3].tolist()}, but the estimator was fitted to "
            f"{known_labels}, and knows none of them"
        )
    happened = labels == label
    return happened, estimator.predict_proba(X, **known)[:, column]


def _out_of_fold(estimator, X, y, label, class_order, options):
    """The same by clones of the estimator that have not seen the row."""
    labels, proba, _ = ordered_out_of_fold(estimator, X, y, class_order, **options)
    column = event_position(label, labels)
    return labels.codes == column, proba[:, column]
