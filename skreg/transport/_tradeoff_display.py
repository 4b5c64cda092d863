"""The picture of what realism costs: error against distance to real data, along alpha."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import BLUE, RED, pyplot


class TransportTradeoffDisplay:
    """Squared error against Wasserstein distance of restored signals, a point for each alpha.

    Use `from_estimator` to compute and draw. All parameters are stored as attributes.

    Parameters
    ----------
    alpha : array-like of shape (n_alphas,)
        Values of alpha, in the order in which they are joined.
    mse : array-like of shape (n_alphas,)
        Mean over rows of the squared error summed over columns.
    w2 : array-like of shape (n_alphas,)
        Wasserstein distance to true signals, not squared.
    chosen_alpha : float, default=None
        Which one is marked as the estimator's own.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    line_ : matplotlib Line2D
        The points.
    labels_ : list of matplotlib Annotation
        Alphas beside the points.
    chosen_ : matplotlib Line2D or None
        Mark of the estimator's own alpha, if it is among them.

    See Also
    --------
    LinearTransportRestorer.score_path : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skreg.transport import LinearTransportRestorer, TransportTradeoffDisplay
    >>> X_true = np.random.default_rng(0).normal(size=(200, 3))
    >>> X = 0.6 * X_true
    >>> restorer = LinearTransportRestorer(alpha=0.5).fit(X, X_target=X_true)
    >>> TransportTradeoffDisplay.from_estimator(restorer, X, X_true, alphas=[0, 0.5, 1])
    TransportTradeoffDisplay(3 alphas from 0 to 1)
    """

    def __init__(
        self,
        *,
        alpha: ArrayLike,
        mse: ArrayLike,
        w2: ArrayLike,
        chosen_alpha: float | None = None,
    ) -> None:
        self.alpha = alpha
        self.mse = mse
        self.w2 = w2
        self.chosen_alpha = chosen_alpha

    def __repr__(self) -> str:
        alpha = np.asarray(self.alpha)
        return (
            f"TransportTradeoffDisplay({alpha.size} alphas from {alpha.min():g} to {alpha.max():g})"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        X_true: Any,
        *,
        alphas: ArrayLike = (0.0, 0.25, 0.5, 0.75, 1.0),
        ax: Any = None,
    ) -> Self:
        """Measure a fitted restorer at several alphas and draw.

        Parameters
        ----------
        estimator : LinearTransportRestorer, or Pipeline or search that ends in one
            Fitted; steps of a Pipeline before the restorer transform X.
        X : array-like of shape (n, n_features)
            What the estimator's `transform` takes.
        X_true : array-like of shape (n, n_signals)
            The true signals, row by row.
        alphas : array-like of shape (n_alphas,), default=(0, 0.25, 0.5, 0.75, 1)
            Values of alpha.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TransportTradeoffDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is, or ends in, no LinearTransportRestorer.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        restorer, X = _restorer_and_its_input(estimator, X)
        scores = restorer.score_path(X, X_true, alphas)
        return cls(
            alpha=scores["alpha"],
            mse=scores["mse"],
            w2=scores["w2"],
            chosen_alpha=restorer.alpha,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        TransportTradeoffDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("TransportTradeoffDisplay")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        alpha, mse, w2 = (np.asarray(v, dtype=float) for v in (self.alpha, self.mse, self.w2))
        (self.line_,) = ax.plot(mse, w2, color=BLUE, marker="o", markersize=5)
        self.labels_ = [
            ax.annotate(
                f"α = {a:g}", (x, y), xytext=(6, 4), textcoords="offset points", fontsize="small"
            )
            for a, x, y in zip(alpha, mse, w2, strict=True)
        ]
        own = np.flatnonzero(alpha == self.chosen_alpha)
        self.chosen_ = None
        if own.size:
            (self.chosen_,) = ax.plot(
                mse[own[:1]], w2[own[:1]], color=RED, marker="D", markersize=7, linestyle="none",
                label="the estimator's own α",
            )  # fmt: skip
            ax.legend(frameon=False)
        ax.set(xlabel="squared error per row", ylabel="Wasserstein distance to true signals")
        ax.margins(0.12)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92", linewidth=0.8)
        return self


def _restorer_and_its_input(estimator, X):
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        return _restorer_and_its_input(estimator.steps[-1][1], X)
    if not hasattr(estimator, "score_path"):
        raise TypeError(
            "TransportTradeoffDisplay needs a LinearTransportRestorer, or a Pipeline or search "
            f"that ends in one; got {type(estimator).__name__}"
        )
    return estimator, X
