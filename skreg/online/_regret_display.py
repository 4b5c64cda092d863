"""The picture of learners along a stream: regret, steps, weights."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier

from skreg.online._classes import codes_of
from skreg.online._ensemble import DriftAdaptiveEnsemble, base_of
from skreg.online._hindsight import values_and_slopes
from skreg.online._mirror_descent import MirrorDescent
from skreg.online._regret_tracker import RegretTracker
from skreg.pictures import PALETTE, ordered_colours, panels


class RegretDisplay:
    """Cumulative regret of learners along a stream, with the steps and weights of ours.

    Use `from_estimator` to compute and draw. All parameters are stored as attributes.

    Parameters
    ----------
    regrets : mapping of str to array-like of shape (n_rounds,)
        Regret of each learner up to each round, by its name.
    places : array-like of shape (n_places,)
        Rounds at which steps and weights were read.
    steps : array-like of shape (n_places, n_steps)
        Steps there: one, or those of an ensemble.
    weights : array-like of shape (n_places, n_steps), default=None
        Weights of an ensemble there.
    certificate : array-like of shape (n_places,), default=None
        Certificate of the static regret there.

    Attributes
    ----------
    axes_ : ndarray of Axes
        The panels: regret, steps, and weights if there are any.
    figure_ : matplotlib Figure
        Figure of the picture.
    lines_ : dict of str to matplotlib Line2D
        The regrets.

    See Also
    --------
    RegretTracker : The numbers alone, for one learner.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from sklearn.linear_model import SGDRegressor
    >>> from skreg.online import OptimisticOMDRegressor, RegretDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> y = X @ [1.0, -2.0, 0.5]
    >>> model = OptimisticOMDRegressor(radius=3.0)
    >>> RegretDisplay.from_estimator(model, X, y, rivals={"SGD": SGDRegressor()})
    RegretDisplay(2 learners, 100 rounds)
    """

    def __init__(
        self,
        *,
        regrets: Mapping[str, ArrayLike],
        places: ArrayLike,
        steps: ArrayLike,
        weights: ArrayLike | None = None,
        certificate: ArrayLike | None = None,
    ) -> None:
        self.regrets = regrets
        self.places = places
        self.steps = steps
        self.weights = weights
        self.certificate = certificate

    def __repr__(self) -> str:
        n_rounds = len(np.asarray(next(iter(self.regrets.values()))))
        return f"RegretDisplay({len(self.regrets)} learners, {n_rounds} rounds)"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        rivals: Mapping[str, Any] | None = None,
        comparators: ArrayLike | None = None,
        n_places: int = 200,
        ax: Any = None,
    ) -> Self:
        """Let learners go through a stream, one row after another, and draw their regret.

        Parameters
        ----------
        estimator : OptimisticOMDRegressor, OptimisticOMDClassifier or DriftAdaptiveEnsemble
            Cloned, with a loss of two classes or of numbers.
        X : array-like of shape (n_rounds, n_features)
            Rows, the oldest first.
        y : array-like of shape (n_rounds,)
            Targets or labels.
        rivals : mapping of str to estimator, default=None
            Other learners with `partial_fit` by their names; cloned. Their predictions, or decision
            values, count with the loss of the estimator.
        comparators : array-like of shape (n_rounds, n_features + 1), default=None
            Coefficients to compare with, intercepts in the last column (or without it). If None,
            the best fixed ones for the whole stream, within the domain of the estimator.
        n_places : int, default=200
            How often steps and weights are read.
        ax : matplotlib Axes or array-like of Axes, default=None
            One Axes to be divided, or one for each panel; a new figure if None.

        Returns
        -------
        RegretDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is none of ours.
        ValueError
            If there are more than two classes.
        ImportError
            If matplotlib is not installed.
        """
        if not isinstance(estimator, (MirrorDescent, DriftAdaptiveEnsemble)):
            raise TypeError(
                "RegretDisplay draws the steps of OptimisticOMDRegressor, OptimisticOMDClassifier "
                f"or DriftAdaptiveEnsemble; got {type(estimator).__name__}: give it as a rival"
            )
        X, y = np.asarray(X), np.asarray(y)
        model = clone(estimator)
        classes = np.unique(y) if is_classifier(model) else None
        if classes is not None and len(classes) != 2:
            raise ValueError(f"RegretDisplay is for numbers or two classes; got {len(classes)}")
        scores, record = _followed(model, X, y, classes, n_places)
        all_scores = {type(model).__name__: scores}
        for name, rival in (rivals or {}).items():
            all_scores[name] = scores_one_by_one(clone(rival), X, y, classes)
        regrets = _regrets(model, X, y, classes, all_scores, comparators)
        if comparators is not None:
            record.pop("certificate")
        return cls(regrets=regrets, **record).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One Axes to be divided, or one for each panel; a new figure if None.

        Returns
        -------
        RegretDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_panels = 2 if self.weights is None else 3
        drawn = panels(
            "RegretDisplay", (1, n_panels), ax, figsize=(4.0 * n_panels, 3.4), sharex=True
        )
        self.figure_, self.axes_ = drawn.figure, drawn.axes
        self._draw_regrets(self.axes_[0])
        colours = ordered_colours(np.shape(self.steps)[1])
        parts = [(self.steps, "step size", "log"), (self.weights, "weight", "linear")]
        for panel, (values, label, scale) in zip(self.axes_[1:], parts, strict=False):
            for column, colour in zip(np.asarray(values).T, colours, strict=True):
                panel.plot(self.places, column, color=colour, linewidth=1.2)
            panel.set(xlabel="round", ylabel=label, yscale=scale)
        return self

    def _draw_regrets(self, panel):
        self.lines_ = {}
        for i, (name, regret) in enumerate(self.regrets.items()):
            rounds = np.arange(1, len(np.asarray(regret)) + 1)
            colour = PALETTE[i % len(PALETTE)]
            (self.lines_[name],) = panel.plot(rounds, regret, label=name, color=colour)
        if self.certificate is not None:
            panel.plot(
                self.places, self.certificate, color=PALETTE[0], linestyle=":", label="certificate"
            )
        panel.set(xlabel="round", ylabel="cumulative regret", yscale="symlog")
        panel.legend(frameon=False, fontsize="small")


def _followed(model, X, y, classes, n_places):
    """Scores of every row before it is learned, and what is read in between."""
    parts = np.array_split(np.arange(len(X)), min(n_places, len(X)))
    ensemble = isinstance(model, DriftAdaptiveEnsemble)
    asked = {} if classes is None else {"classes": classes, "method": "decision_function"}
    scores, places, steps, weights, certificate = [], [], [], [], []
    for rows in parts:
        scores.append(model.progressive_fit_predict(X[rows], y[rows], **asked))
        places.append(rows[-1] + 1)
        certificate.append(model.regret_certificate_)
        steps.append(np.atleast_1d(model.step_pool_ if ensemble else model.step_size_))
        weights.append(model.meta_weights_ if ensemble else None)
    return np.concatenate(scores), {
        "places": np.array(places),
        "steps": np.array(steps),
        "weights": np.array(weights) if ensemble else None,
        "certificate": np.array(certificate),
    }


def scores_one_by_one(rival: Any, X: np.ndarray, y: np.ndarray, classes: Any) -> np.ndarray:
    """What a learner with `partial_fit` says of each row before it learns it; 0 of the first.

    Parameters
    ----------
    rival : estimator
        Not fitted.
    X : ndarray of shape (n, n_features)
        Rows.
    y : ndarray of shape (n,)
        Targets or labels.
    classes : ndarray or None
        Labels, for classifiers.

    Returns
    -------
    ndarray of shape (n,)
        Predictions or decision values.
    """
    keywords = {} if classes is None else {"classes": classes}
    said = "predict" if classes is None else "decision_function"
    scores = np.zeros(len(X))
    for t in range(len(X)):
        if t:
            scores[t] = getattr(rival, said)(X[t : t + 1])[0]
        rival.partial_fit(X[t : t + 1], y[t : t + 1], **keywords)
    return scores


def _regrets(model, X, y, classes, all_scores, comparators):
    """Cumulative losses less those of the comparators, by name."""
    base = base_of(model) if isinstance(model, DriftAdaptiveEnsemble) else model
    tracker = RegretTracker(
        base.loss,
        domain=base.domain or "l2",
        radius=base.radius,
        fit_intercept=base.fit_intercept,
        epsilon=getattr(base, "epsilon", 0.1),
        comparator="static" if comparators is None else "sequence",
    )
    first = next(iter(all_scores.values()))
    tracker.update(X, y, first, classes=classes, comparators=comparators)
    if comparators is not None:
        theirs = tracker.cumulative_loss_ - tracker.dynamic_regret_
    else:
        point = np.append(tracker.best_coef_, tracker.best_intercept_)
        z = X @ point[:-1] + point[-1]
        theirs = np.cumsum(values_and_slopes(model._loss, z, _numbers(y, classes))[0])
    return {
        name: np.cumsum(values_and_slopes(model._loss, scores, _numbers(y, classes))[0]) - theirs
        for name, scores in all_scores.items()
    }


def _numbers(y, classes):
    return y.astype(float) if classes is None else codes_of(y, classes)
