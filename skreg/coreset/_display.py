"""The picture of a coreset: scores, inclusion probabilities, distortion against size."""

from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skreg._progress import progress
from skreg.pictures import BLUE, RED, panels

_N_BINS = 40


class CoresetDisplay:
    """Histogram of the scores with the probabilities to keep a row, and distortion against size.

    Use `from_estimator` to compute and draw. All parameters are stored as attributes.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Scores of the rows.
    inclusion_proba : array-like of shape (n,)
        Probabilities that the rows are kept.
    sizes : array-like of shape (n_sizes,)
        Expected numbers of rows.
    distortions : array-like of shape (n_repeats, n_sizes)
        Distortions of independent coresets of each size.
    chosen_size : float
        Number of rows of the coreset at hand.
    chosen_distortion : float
        Its distortion.
    p : float
        The power of the norm, for the labels.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of shape (2,)
        Axes of the histogram and of the curve.
    bars_ : matplotlib BarContainer
        Histogram of the scores.
    probability_line_ : matplotlib Line2D
        Mean probability to keep a row in each bin of the scores.
    distortion_line_ : matplotlib Line2D
        Median distortion at each size.
    band_ : matplotlib PolyCollection
        Smallest to largest distortion at each size.
    chosen_ : matplotlib Line2D
        The coreset at hand.

    See Also
    --------
    SensitivitySampler : What is drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skreg.coreset import CoresetDisplay, SensitivitySampler
    >>> X = np.random.default_rng(0).standard_t(3, size=(1000, 3))
    >>> sampler = SensitivitySampler(n_samples=100, random_state=0).fit(X)
    >>> display = CoresetDisplay.from_estimator(sampler, X, sizes=[50, 100, 200], n_repeats=3)
    >>> display.distortions.shape
    (3, 3)
    """

    def __init__(
        self,
        *,
        scores: ArrayLike,
        inclusion_proba: ArrayLike,
        sizes: ArrayLike,
        distortions: ArrayLike,
        chosen_size: float,
        chosen_distortion: float,
        p: float,
    ) -> None:
        self.scores = scores
        self.inclusion_proba = inclusion_proba
        self.sizes = sizes
        self.distortions = distortions
        self.chosen_size = chosen_size
        self.chosen_distortion = chosen_distortion
        self.p = p

    def __repr__(self) -> str:
        n_repeats, n_sizes = np.shape(self.distortions)
        return (
            f"CoresetDisplay({self.chosen_size:,} of {np.size(self.scores):,} rows, "
            f"{n_repeats} coresets of each of {n_sizes} sizes, p={self.p:g})"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        sizes: ArrayLike | None = None,
        n_repeats: int = 5,
        verbose: int = 0,
        ax: Any = None,
    ) -> Self:
        """Measure the distortion of coresets of several sizes and draw.

        Parameters
        ----------
        estimator : SensitivitySampler or CoresetEstimator
            A fitted sampler, or an estimator that holds one.
        X : {array-like, sparse matrix, dataframe} of shape (n, n_features)
            The rows given to its `fit`.
        y : array-like of shape (n,), default=None
            The target given to its `fit`.
        sample_weight : array-like of shape (n,), default=None
            The weights given to its `fit`.
        sizes : array-like of int of shape (n_sizes,), default=None
            Expected numbers of rows; a quarter of the sampler's to four times as many if None.
        n_repeats : int, default=5
            Number of coresets of each size.
        verbose : int, default=0
            Show a progress bar over these coresets if positive (needs tqdm).
        ax : matplotlib Axes or sequence of two, default=None
            Axes to draw on, one for each panel; the place of a single one is divided into both.
            A new figure if None.

        Returns
        -------
        CoresetDisplay
            The display, drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed, or tqdm where it is needed.
        """
        check_is_fitted(estimator)
        sampler = getattr(estimator, "sampler_", estimator)
        if sizes is None:
            doubled = sampler.n_samples_ * 2.0 ** np.arange(-2, 3)
            sizes = doubled[(doubled >= sampler.rank_) & (doubled < len(sampler.scores_))].astype(
                int
            )
        expected = np.asarray(sizes)
        data = {"y": y, "sample_weight": sample_weight}
        pairs = list(product(range(n_repeats), expected))
        distortions = [
            clone(sampler)
            .set_params(n_samples=int(size), random_state=seed)
            .fit(X, **data)
            .distortion(X, **data, random_state=0)
            for seed, size in progress(
                pairs, total=len(pairs), verbose=verbose, by="CoresetDisplay", unit="coreset"
            )
        ]
        return cls(
            scores=sampler.scores_,
            inclusion_proba=sampler.inclusion_proba_,
            sizes=expected,
            distortions=np.reshape(distortions, (n_repeats, len(expected))),
            chosen_size=len(sampler.sample_indices_),
            chosen_distortion=sampler.distortion(X, **data, random_state=0),
            p=sampler.p,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw both panels.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of two, default=None
            Axes to draw on, one for each panel; the place of a single one is divided into both.
            A new figure if None.

        Returns
        -------
        CoresetDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.axes_ = panels("CoresetDisplay", (1, 2), ax, figsize=(9.6, 3.8), wspace=0.45).axes
        self.figure_ = self.axes_[0].figure
        self._draw_scores(self.axes_[0])
        self._draw_distortion(self.axes_[1])
        return self

    def _draw_scores(self, ax):
        scores, q = np.asarray(self.scores), np.asarray(self.inclusion_proba)
        positive = scores > 0
        low, high = np.log10(scores[positive].min()), np.log10(scores[positive].max())
        edges = np.logspace(low - 1e-3, high + 1e-3, _N_BINS + 1)
        counts, _ = np.histogram(scores[positive], edges)
        self.bars_ = ax.bar(
            edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, alpha=0.35, linewidth=0
        )
        ax.set(xscale="log", xlabel="score of a row (log scale)", xlim=(edges[0], edges[-1]))
        ax.set_ylabel("rows", color=BLUE)
        totals, _ = np.histogram(scores[positive], edges, weights=q[positive])
        filled = counts > 0
        right = ax.twinx()
        right.grid(False)  # a style's grid would lie above the bars
        (self.probability_line_,) = right.plot(
            np.sqrt(edges[1:] * edges[:-1])[filled],
            totals[filled] / counts[filled],
            color=RED,
            marker="o",
            markersize=3,
        )
        right.set_ylim(0, 1.05)
        right.set_ylabel("probability to be kept", color=RED)
        ax.set_title(f"{np.count_nonzero(q >= 1):,} of {len(q):,} rows are kept for certain")
        ax.title.set_fontsize("medium")
        for panel in (ax, right):
            panel.spines["top"].set_visible(False)

    def _draw_distortion(self, ax):
        from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

        sizes, distortions = np.asarray(self.sizes), np.asarray(self.distortions)
        self.band_ = ax.fill_between(
            sizes, distortions.min(axis=0), distortions.max(axis=0), color=BLUE, alpha=0.2,
            linewidth=0,
        )  # fmt: skip
        (self.distortion_line_,) = ax.plot(
            sizes, np.median(distortions, axis=0), color=BLUE, marker="o", markersize=4,
            label=f"median and range of {len(distortions)} coresets",
        )  # fmt: skip
        (self.chosen_,) = ax.plot(
            [self.chosen_size], [self.chosen_distortion], color=RED, marker="D", linestyle="none",
            label=f"this one: {self.chosen_size:,} rows, {self.chosen_distortion:.2g}",
        )  # fmt: skip
        bound = "" if self.p == 2 else ", lower bound"
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="expected rows of the coreset (log scale)",
            ylabel=f"distortion of $\\|Ax\\|_p^p$, p = {self.p:g}{bound}",
        )
        ax.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:.3g}"))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92", linewidth=0.8)
        ax.legend(frameon=False, loc="upper right")
