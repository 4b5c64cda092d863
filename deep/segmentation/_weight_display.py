"""The picture of how much the labels of each image count."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import PALETTE, pyplot

from ..frame._fitted import trained_with
from ._adawac_regularizer import AdaWAC


class SampleWeightDisplay:
    """Weights of the labels of training images by the share of labelled pixels.

    Each dot is an image: to the right those with many pixels that are not background, above those
    whose labels count much. Use `from_estimator` with a `DeepSegmenter` that was trained with
    `skreg.deep.regularizers.AdaWAC`.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,)
        The weights.
    labelled : array-like of shape (n_samples,)
        Shares of pixels that are not background.
    name : str, default=None
        Name of the model, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        Its figure.
    dots_ : matplotlib PathCollection
        The dots.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.deep import SampleWeightDisplay
    >>> SampleWeightDisplay(sample_weight=[0.9, 0.2], labelled=[0.3, 0.0]).plot()
    SampleWeightDisplay(2 samples, weights 0.2 to 0.9)
    """

    def __init__(
        self, *, sample_weight: ArrayLike, labelled: ArrayLike, name: str | None = None
    ) -> None:
        self.sample_weight: Any = sample_weight
        self.labelled: Any = labelled
        self.name = name

    def __repr__(self) -> str:
        low, high = np.min(self.sample_weight), np.max(self.sample_weight)
        return (
            f"SampleWeightDisplay({len(self.sample_weight)} samples, weights {low:.2g} to "
            f"{high:.2g})"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        y: ArrayLike,
        *,
        background: Any = 0,
        ax: Any = None,
        name: str | None = None,
    ) -> Self:
        """Draw the weights in a fitted model.

        Parameters
        ----------
        estimator : DeepSegmenter or skorch.NeuralNet
            The fitted model, or a Pipeline or search that holds one.
        y : array-like of shape (n_samples, height, width)
            The training masks.
        background : label, default=0
            Label of pixels that show nothing; those that are ignored count as such.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title; the class's name if None.

        Returns
        -------
        SampleWeightDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the model was trained without AdaWAC, or on another number of images.
        """
        model, adawac = trained_with(estimator, AdaWAC)
        masks, weights = np.asarray(y), adawac.sample_weight_
        if len(masks) != len(weights):
            raise ValueError(
                f"y must hold the {len(weights)} masks that the model was trained on, got "
                f"{len(masks)}"
            )
        shows = (masks != background) & (masks != getattr(model, "ignore_index", None))
        labelled = shows.reshape(len(masks), -1).mean(1)
        display = cls(sample_weight=weights, labelled=labelled, name=name or type(model).__name__)
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the dots.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        SampleWeightDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("SampleWeightDisplay")
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        self.dots_ = ax.scatter(
            self.labelled, self.sample_weight, s=18, color=PALETTE[0], alpha=0.7, linewidth=0
        )
        ax.axhline(0.5, color="0.6", linestyle=":", linewidth=1)
        ax.set(
            xlabel="Share of labelled pixels",
            ylabel="Weight of the labels",
            ylim=(-0.02, 1.02),
            title=self.name,
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
