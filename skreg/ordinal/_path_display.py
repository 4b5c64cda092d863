"""The picture of PRESTO's regularisation path."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._inside import fitted_inside
from skreg.pictures import ordered_colours, pyplot


class PrestoPathDisplay:
    """Coefficients of all boundaries along the path, one panel for each feature.

    The boundaries of a feature share one line while their coefficients are equal. A dot marks the
    largest alpha at which a boundary separates from the one before it.

    Use `from_estimator` with a fitted `PrestoClassifierCV`, or `from_path` with the result of
    `presto_path`. All parameters are stored as attributes.

    Parameters
    ----------
    path : PrestoPath
        Coefficients along the path.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; ``x0``, ``x1``, ... if None.
    alpha : float, default=None
        Chosen alpha, marked by a vertical line.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        One for each feature drawn.
    features_ : ndarray of shape (n_panels,)
        Indices of the features drawn: those with the largest standardised coefficients.
    lines_ : list of list of matplotlib Line2D
        Line of each boundary in each panel.
    separation_alphas_ : ndarray of shape (n_classes - 1, n_features)
        Largest alpha with a nonzero increment at the boundary, NaN if there is none.

    See Also
    --------
    presto_path : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.datasets import make_ordinal
    >>> from skreg.ordinal import PrestoClassifierCV, PrestoPathDisplay
    >>> X, y, _ = make_ordinal(random_state=0)
    >>> model = PrestoClassifierCV(scoring="neg_log_loss").fit(X, y)
    >>> PrestoPathDisplay.from_estimator(model, max_features=6).axes_.shape
    (6,)
    """

    def __init__(self, *, path, feature_names=None, alpha=None):
        self.path = path
        self.feature_names = feature_names
        self.alpha = alpha

    @classmethod
    def from_estimator(cls, estimator, *, max_features=12):
        """Draw the path of a fitted `PrestoClassifierCV`.

        Parameters
        ----------
        estimator : PrestoClassifierCV
            Fitted estimator, or a Pipeline or the like that holds one.
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no path.
        """
        check_is_fitted(estimator)
        inside = [inner for inner in fitted_inside(estimator) if hasattr(inner, "path_")]
        if not inside:
            raise ValueError(
                f"{type(estimator).__name__} holds no fitted PrestoClassifierCV, which has a path"
            )
        names = getattr(inside[0], "feature_names_in_", None)
        display = cls(path=inside[0].path_, feature_names=names, alpha=inside[0].alpha_)
        return display.plot(max_features=max_features)

    @classmethod
    def from_path(cls, path, *, feature_names=None, alpha=None, max_features=12):
        """Draw the result of `presto_path`.

        Parameters
        ----------
        path : PrestoPath
            Result of `presto_path`.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features.
        alpha : float, default=None
            Alpha to mark.
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display, drawn.
        """
        display = cls(path=path, feature_names=feature_names, alpha=alpha)
        return display.plot(max_features=max_features)

    def plot(self, *, max_features=12):
        """Draw one panel for each of the features with the largest coefficients.

        Parameters
        ----------
        max_features : int, default=12
            Largest number of panels.

        Returns
        -------
        PrestoPathDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `feature_names` does not name every feature, or the path has a single alpha.
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("PrestoPathDisplay")
        names = self._names()
        coefs = self.path.coefs * self.path.scale
        self.separation_alphas_ = separation_alphas(self.path)
        size = np.abs(coefs).max(axis=(0, 1))
        self.features_ = np.sort(np.argsort(-size, kind="stable")[:max_features])
        n_columns = min(len(self.features_), 4)
        n_rows = -(-len(self.features_) // n_columns)
        self.figure_, axes = plt.subplots(
            n_rows, n_columns, figsize=(1.2 + 2.1 * n_columns, 1.1 + 1.7 * n_rows),
            sharex=True, sharey=True, squeeze=False, layout="constrained",
        )  # fmt: skip
        self.axes_ = axes.reshape(-1)[: len(self.features_)]
        for unused in axes.reshape(-1)[len(self.features_) :]:
            unused.remove()
        self.lines_ = [
            self._draw_feature(ax, j, coefs[:, :, j], names[j])
            for ax, j in zip(self.axes_, self.features_, strict=True)
        ]
        self._label(plt)
        return self

    def _names(self):
        n_features = self.path.coefs.shape[2]
        if len(self.path.alphas) < 2:
            raise ValueError("path has a single alpha; a picture of the path needs at least two")
        if self.feature_names is None:
            return [f"x{j}" for j in range(n_features)]
        if len(self.feature_names) != n_features:
            raise ValueError(
                f"feature_names has {len(self.feature_names)} names for {n_features} features"
            )
        return list(self.feature_names)

    def _draw_feature(self, ax, j, coefs, name):
        n_boundaries = coefs.shape[1]
        colours = ordered_colours(n_boundaries)
        ax.axhline(0, color="0.75", linewidth=0.8, zorder=0)
        if self.alpha is not None:
            ax.axvline(self.alpha, color="0.45", linestyle=(0, (4, 3)), linewidth=0.9, zorder=0)
        lines = []
        for k in range(n_boundaries):
            # lower boundaries are drawn wider, so that they show behind those that coincide
            width = 1.4 + 1.6 * (n_boundaries - 1 - k)
            lines += ax.plot(self.path.alphas, coefs[:, k], color=colours[k], linewidth=width)
            separation = self.separation_alphas_[k, j]
            if k > 0 and np.isfinite(separation):
                before = np.searchsorted(-self.path.alphas, -separation)
                at = max(before - 1, 0)
                ax.plot(
                    self.path.alphas[at], coefs[at, k], "o", color=colours[k], markersize=5,
                    markeredgecolor="white", markeredgewidth=0.8, zorder=3,
                )  # fmt: skip
        ax.set_title(name, fontsize="small", loc="left", pad=3)
        ax.spines[["top", "right"]].set_visible(False)
        return lines

    def _label(self, plt):
        ax = self.axes_[0]
        ax.set_xscale("log")
        ax.set_xlim(self.path.alphas[0], self.path.alphas[-1])
        order = self.path.class_order.tolist()
        labels = [f"P(Y ≤ {label})" for label in order[:-1]]
        handles = list(self.lines_[0])
        dot = plt.Line2D(
            [], [], marker="o", linestyle="", color="0.35", markersize=5, markeredgecolor="white"
        )
        if len(labels) > 1:
            handles, labels = [*handles, dot], [*labels, "separates from the boundary before"]
        if self.alpha is not None:
            chosen = plt.Line2D([], [], color="0.45", linestyle=(0, (4, 3)), linewidth=0.9)
            handles, labels = [*handles, chosen], [*labels, f"chosen α = {self.alpha:.2g}"]
        self.figure_.legend(
            handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize="small"
        )
        self.figure_.supxlabel("α (log scale, decreasing)", fontsize="medium")
        self.figure_.supylabel("coefficient per standard deviation", fontsize="medium")


def separation_alphas(path):
    """Largest alpha with a nonzero increment, (n_classes - 1, n_features); NaN if there is none."""
    nonzero = path.coef_diffs != 0.0
    first = nonzero.argmax(axis=0)
    return np.where(nonzero.any(axis=0), path.alphas[first], np.nan)
