"""The picture of a training run."""

from typing import Any, Self

from numpy.typing import ArrayLike

from skreg.pictures import pyplot

from ..frame._fitted import fitted_net


class LossCurveDisplay:
    """Training loss by epoch, and validation loss if there is one, with the best epoch marked.

    Use `from_estimator` with a fitted `DeepClassifier`, `DeepRegressor` or skorch net, or
    `from_history` with a skorch history. All parameters are stored as attributes.

    Parameters
    ----------
    train_loss : array-like of shape (n_epochs,)
        Training loss of each epoch.
    valid_loss : array-like of shape (n_epochs,), default=None
        Validation loss of each epoch.
    name : str, default=None
        Name of the model, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The curves: training, then validation.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier, LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(early_stopping=True, max_epochs=10, random_state=0).fit(X, y)
    >>> len(LossCurveDisplay.from_estimator(model).lines_)
    2
    """

    def __init__(
        self, *, train_loss: ArrayLike, valid_loss: ArrayLike | None = None, name: str | None = None
    ) -> None:
        self.train_loss: Any = train_loss
        self.valid_loss: Any = valid_loss
        self.name = name

    def __repr__(self) -> str:
        best = (
            "" if self.valid_loss is None else f", best validation loss {min(self.valid_loss):.3g}"
        )
        return f"LossCurveDisplay({len(self.train_loss)} epochs{best})"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the loss curve of a fitted model.

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
        LossCurveDisplay
            The display, drawn.
        """
        model, net = fitted_net(estimator)
        return cls.from_history(net.history, ax=ax, name=name or type(model).__name__)

    @classmethod
    def from_history(cls, history: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the loss curve of a skorch history.

        Parameters
        ----------
        history : skorch.history.History
            The history of a net.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no epoch.
        """
        if not len(history):
            raise ValueError("the history has no epochs, thus no losses to draw")
        has_valid = all("valid_loss" in epoch for epoch in history)
        display = cls(
            train_loss=history[:, "train_loss"],
            valid_loss=history[:, "valid_loss"] if has_valid else None,
            name=name,
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
        LossCurveDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("LossCurveDisplay")
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        epochs = range(1, len(self.train_loss) + 1)
        marker = "." if len(self.train_loss) < 20 else None
        self.lines_ = ax.plot(epochs, self.train_loss, marker=marker, label="training")
        if self.valid_loss is not None:
            self.lines_ += ax.plot(epochs, self.valid_loss, marker=marker, label="validation")
            best = min(epochs, key=lambda epoch: self.valid_loss[epoch - 1])
            ax.axvline(best, color="0.6", linestyle=":", label=f"best epoch: {best}")
            ax.legend(frameon=False)
        ax.set(xlabel="Epoch", ylabel="Loss", title=self.name)
        if self.valid_loss is None:
            ax.set_ylabel("Training loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
