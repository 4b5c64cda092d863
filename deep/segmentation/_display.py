"""The picture of when each class began to be memorised."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import pyplot, series_style

from ..frame._fitted import trained_with
from ._adele_regularizer import ADELE


class MemorizationOnsetDisplay:
    """Agreement of predictions and training masks by class and epoch, with the onsets.

    Dots are intersections over union between predictions and training masks, lines the saturating
    curves fitted to them up to the onset, which is a vertical line. Use `from_estimator` with a
    `DeepSegmenter` that was trained with `skreg.deep.regularizers.ADELE`.

    Parameters
    ----------
    iou_history : array-like of shape (n_epochs, n_classes)
        The intersections over union.
    onset_epoch : array-like of shape (n_classes,)
        Epoch after which each class was corrected, -1 for those that were not.
    classes : array-like of shape (n_classes,), default=None
        Names of the classes; numbers if None.
    fits : dict of int to CurveFit, default=None
        Fitted curves by number of the class, none if None.
    name : str, default=None
        Name of the model, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The dots of each class.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.deep import MemorizationOnsetDisplay
    >>> MemorizationOnsetDisplay(
    ...     iou_history=[[0.5, 0.2], [0.8, 0.5], [0.9, 0.6]], onset_epoch=[-1, 2]
    ... ).plot()
    MemorizationOnsetDisplay(3 epochs, onsets: 1 after 2)
    """

    def __init__(
        self,
        *,
        iou_history: ArrayLike,
        onset_epoch: ArrayLike,
        classes: ArrayLike | None = None,
        fits: dict[int, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.iou_history: Any = iou_history
        self.onset_epoch: Any = onset_epoch
        self.classes: Any = classes
        self.fits = fits
        self.name = name

    def __repr__(self) -> str:
        pairs = zip(self._names(), self.onset_epoch, strict=True)
        onsets = ", ".join(f"{label} after {epoch}" for label, epoch in pairs if epoch > 0)
        return (
            f"MemorizationOnsetDisplay({len(self.iou_history)} epochs, onsets: {onsets or 'none'})"
        )

    def _names(self):
        return range(len(self.onset_epoch)) if self.classes is None else self.classes

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the curves of a fitted model.

        Parameters
        ----------
        estimator : DeepSegmenter or skorch.NeuralNet
            The fitted model, or a Pipeline or search that holds one.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title; the class's name if None.

        Returns
        -------
        MemorizationOnsetDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the model was trained without ADELE.
        """
        model, adele = trained_with(estimator, ADELE)
        onsets = adele.onset_epoch_
        display = cls(
            iou_history=adele.iou_history_,
            onset_epoch=onsets,
            classes=getattr(model, "classes_", None),
            fits={c: adele.onset(c, epoch) for c, epoch in enumerate(onsets.tolist()) if epoch > 0},
            name=name or type(model).__name__,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        MemorizationOnsetDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("MemorizationOnsetDisplay")
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        history = np.asarray(self.iou_history, dtype=float)
        epochs = np.arange(1, len(history) + 1)
        self.lines_ = []
        for c, (label, onset) in enumerate(zip(self._names(), self.onset_epoch, strict=True)):
            style = series_style(c)
            text = f"{label}, corrected after epoch {onset}" if onset > 0 else f"{label}"
            self.lines_ += ax.plot(
                epochs, history[:, c], linestyle="", markersize=4, label=text, **style
            )
            if onset > 0:
                ax.axvline(onset, color=style["color"], linestyle=":", linewidth=1)
            fit = None if self.fits is None or c not in self.fits else self.fits[c].fit
            if fit is not None:
                ax.plot(epochs, fit(epochs), color=style["color"], linewidth=1)
        ax.set(
            xlabel="Epoch",
            ylabel="Intersection over union with the training masks",
            ylim=(0, 1),
            title=self.name,
        )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False, loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
