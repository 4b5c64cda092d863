"""The picture of how many weights of each layer are left."""

from typing import Any, Self

from skreg.pictures import PALETTE, pyplot

from ..frame._fitted import fitted_net
from ._report import sparsity_report


class SparsityDisplay:
    """Share of the weights of each layer that is not zero, with their numbers.

    Use `from_estimator` with a fitted `DeepClassifier`, `DeepRegressor` or skorch net, or
    `from_module` with a network. The length of a bar is the share of the layer's weights that is
    left, beside it stand how many of how many that are, and the pattern.

    Parameters
    ----------
    report : pandas.DataFrame
        Table as of `skreg.deep.torch.sparsity_report`.
    name : str, default=None
        Name of the network, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        Its figure.
    bars_ : matplotlib BarContainer
        The bars.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import torch
    >>> from skreg.deep import SparsityDisplay
    >>> from skreg.deep.torch import apply_masks, magnitude_masks
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> SparsityDisplay.from_module(apply_masks(net, magnitude_masks(net, 0.5)))
    SparsityDisplay(2 layers, 20 of 40 weights)
    """

    def __init__(self, *, report: Any, name: str | None = None) -> None:
        self.report = report
        self.name = name

    def __repr__(self) -> str:
        return f"SparsityDisplay({len(self.report)} layers, {self._total()})"

    def _total(self):
        return f"{self.report['nonzero'].sum():,} of {self.report['weights'].sum():,} weights"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the layers of the network in a fitted model.

        Parameters
        ----------
        estimator : DeepClassifier, DeepRegressor or skorch.NeuralNet
            The fitted model, or a Pipeline or search that holds one.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title; the class's name if None.

        Returns
        -------
        SparsityDisplay
            The display, drawn.
        """
        model, net = fitted_net(estimator)
        return cls.from_module(net.module_, ax=ax, name=name or type(model).__name__)

    @classmethod
    def from_module(cls, module: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the layers of a network.

        Parameters
        ----------
        module : torch.nn.Module
            The network.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title; the class's name if None.

        Returns
        -------
        SparsityDisplay
            The display, drawn.
        """
        display = cls(report=sparsity_report(module), name=name or type(module).__name__)
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        SparsityDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("SparsityDisplay")
        n_layers = len(self.report)
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 1.2 + 0.35 * n_layers), layout="constrained")
        places = range(n_layers)
        ax.barh(places, [1] * n_layers, color="0.92")
        self.bars_ = ax.barh(places, self.report["density"], color=PALETTE[0])
        for place, row in zip(places, self.report.itertuples(), strict=True):
            numbers = f"{row.nonzero:,} of {row.weights:,}"
            text = numbers if row.pattern == "unstructured" else f"{numbers}, {row.pattern}"
            ax.text(1.02, place, text, va="center", fontsize="small")
        ax.set_yticks(places, [name or row for row, name in enumerate(self.report["layer"])])
        ax.set(xlim=(0, 1), ylim=(n_layers - 0.4, -0.6), xlabel="Share of weights that is not zero")
        ax.set_title(f"{self.name}: {self._total()}" if self.name else self._total())
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
