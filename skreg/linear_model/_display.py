"""The picture of a regularization path and of the choice of a strength on it."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skreg.pictures import PALETTE, RED, panels
from skreg.strengths import describe_strengths, standard_error

_N_LABELLED = len(PALETTE)


class RegularizationPathDisplay:
    """Coefficients along a path of strengths and, for cross-validated models, the errors.

    Use `from_estimator` to compute and draw. All parameters are stored as attributes.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths in decreasing order.
    coefs : ndarray of shape (n_features, n_alphas) or (n_outputs, n_features, n_alphas)
        Coefficients. Of several outputs the Euclidean norm over the outputs is drawn.
    feature_names : list of str, default=None
        Names for the legend; "x0", "x1", .. if None.
    errors : ndarray of shape (n_alphas, n_folds), default=None
        Errors on the folds of a cross-validation; smaller is better.
    error_name : str, default="error"
        Label of the errors.
    alpha_best : float, default=None
        Strength of the smallest mean error.
    alpha_one_standard_error : float, default=None
        Largest strength within one standard error of it.
    at_edge : bool, default=False
        Whether a better strength may lie beyond those that were tried.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of the coefficients and, below, of the errors if there are any.
    figure_ : matplotlib Figure
        Figure of the picture.
    coef_lines_ : list of matplotlib Line2D
        Coefficients of the features that are nonzero anywhere on the path.
    error_line_ : matplotlib Line2D
        Mean error over the folds, if there are errors.
    error_band_ : matplotlib PolyCollection
        Band of one standard error of that mean on both sides.
    alpha_lines_ : dict of str to list of matplotlib Line2D
        Vertical lines at the two chosen strengths, on all axes.
    edge_mark_ : matplotlib Line2D
        Mark of a choice at the edge of the strengths, if `at_edge`.

    See Also
    --------
    RegularizationPath : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.linear_model import LassoCV, RegularizationPathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LassoCV().fit(X, y)
    >>> display = RegularizationPathDisplay.from_estimator(model, X, y)
    >>> len(display.axes_), len(display.coef_lines_)
    (2, 10)
    """

    def __init__(
        self,
        *,
        alphas: np.ndarray,
        coefs: np.ndarray,
        feature_names: Any = None,
        errors: np.ndarray | None = None,
        error_name: str = "error",
        alpha_best: float | None = None,
        alpha_one_standard_error: float | None = None,
        at_edge: bool = False,
    ) -> None:
        self.alphas = alphas
        self.coefs = coefs
        self.feature_names = feature_names
        self.errors = errors
        self.error_name = error_name
        self.alpha_best = alpha_best
        self.alpha_one_standard_error = alpha_one_standard_error
        self.at_edge = at_edge

    def __repr__(self) -> str:
        sizes = self._sizes()
        chosen = "" if self.alpha_best is None else f", best at {self.alpha_best:.3g}"
        edge = ", at an edge of them" if self.at_edge else ""
        return (
            f"{type(self).__name__}({describe_strengths(self.alphas)}, "
            f"{np.count_nonzero(sizes.any(axis=1))} of {len(sizes)} features{chosen}{edge})"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        alphas: int | ArrayLike | None = None,
        eps: float = 1e-3,
        sample_weight: Any = None,
        ax: Any = None,
    ) -> Self:
        """Compute the path of an estimator on all samples and draw it.

        Parameters
        ----------
        estimator : estimator of skreg.linear_model
            A fitted cross-validated model, whose strengths and errors are drawn, or a model with
            or without a fit; or a fitted Pipeline or search that ends in one.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features, as the estimator takes them. The legend has the names of the features that
            reach the model: those of a data frame here or at its fit, or those of the transformers.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        alphas : int or array-like of shape (n_alphas,), default=None
            Strengths or their number; those of a cross-validated model, else 100, if None.
        eps : float, default=1e-3
            Ratio of the smallest strength to the largest, if `alphas` is a number.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.
        ax : matplotlib Axes or array of two, default=None
            Where to draw the coefficients, and the errors; a new figure if None. A single Axes is
            divided where both are drawn.

        Returns
        -------
        RegularizationPathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator has no path, or as its `path`.
        """
        model, X, names = _reaching(estimator, X, _names_of(X))
        if not hasattr(model, "path"):
            raise ValueError(f"{type(model).__name__} has no regularization path")
        validated = hasattr(model, "selection_rule")
        if validated:
            check_is_fitted(model)
        if alphas is None and not validated:
            alphas = 100
        path = model.path(X, y, alphas=alphas, eps=eps, sample_weight=sample_weight)
        display = cls(
            alphas=path.alphas,
            coefs=path.coefs,
            feature_names=names,
            **(_errors_of(model) if validated else {}),
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw coefficients, errors with a band of one standard error, and chosen strengths.

        The legend names the features whose coefficients grow largest along the path.

        Parameters
        ----------
        ax : matplotlib Axes or array of two, default=None
            Where to draw the coefficients, and the errors; a new figure if None. A single Axes is
            divided where both are drawn.

        Returns
        -------
        RegularizationPathDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the number of axes or of names does not fit.
        """
        n_panels, height = (1, 3.6) if self.errors is None else (2, 6.0)
        self.figure_, self.axes_, _ = panels(
            "RegularizationPathDisplay", (n_panels, 1), ax, figsize=(7.2, height), sharex=True
        )
        self._draw_coefficients(self.axes_[0])
        if self.errors is not None:
            self._draw_errors(self.axes_[1], self.errors)
        self._draw_strengths()
        if self.at_edge and self.errors is not None:
            self._mark_edge(self.axes_[-1], self.errors)
        self._draw_legend_of_strengths(self.axes_[-1])
        return self

    def _draw_coefficients(self, ax: Any) -> None:
        size = self._sizes()
        shown = np.flatnonzero(size.any(axis=1))
        names = self._names(len(size))
        order = shown[np.argsort(-np.abs(size[shown]).max(axis=1), kind="stable")]
        self.coef_lines_ = []
        for rank, j in enumerate(order):
            labelled = rank < _N_LABELLED
            style = (
                {"color": PALETTE[rank], "label": names[j], "linewidth": 1.6}
                if labelled
                else {"color": "0.7", "linewidth": 0.8, "zorder": 1}
            )
            self.coef_lines_ += ax.plot(self.alphas, size[j], **style)
        ax.set_ylabel("norm of the coefficients" if self._has_outputs() else "coefficient")
        if len(order):
            rest = len(order) - _N_LABELLED
            ax.legend(
                handles=self.coef_lines_[:_N_LABELLED],
                title=f"largest of {len(order)}" if rest > 0 else None,
                loc="center left", bbox_to_anchor=(1, 0.5), frameon=False,
                fontsize="small", title_fontsize="small",
            )  # fmt: skip
        ax.axhline(0, color="0.5", linewidth=0.8, zorder=0)
        _style_axis(ax, self.alphas)
        if self.errors is None:
            ax.set_xlabel("penalty strength α (log scale)")

    def _has_outputs(self) -> bool:
        return self.coefs.ndim == 3 and len(self.coefs) > 1

    def _sizes(self) -> np.ndarray:
        """What is drawn of each feature along the path."""
        if self._has_outputs():
            return np.linalg.norm(self.coefs, axis=0)
        return self.coefs.reshape(-1, len(self.alphas))

    def _names(self, n_features: int) -> list[str]:
        if self.feature_names is None:
            return [f"x{j}" for j in range(n_features)]
        if len(self.feature_names) != n_features:
            raise ValueError(
                f"feature_names must name {n_features} features, it holds {len(self.feature_names)}"
            )
        return [str(name) for name in self.feature_names]

    def _draw_errors(self, ax: Any, errors: np.ndarray) -> None:
        mean = errors.mean(axis=1)
        (self.error_line_,) = ax.plot(self.alphas, mean, color=PALETTE[0], linewidth=1.6)
        error = np.array([standard_error(folds) for folds in errors])
        self.error_band_ = ax.fill_between(
            self.alphas, mean - error, mean + error, color=PALETTE[0], alpha=0.2, linewidth=0
        )
        ax.set_ylabel(f"{self.error_name}\n({errors.shape[1]} folds, ± 1 standard error)")
        ax.set_xlabel("penalty strength α (log scale)")
        _style_axis(ax, self.alphas)

    def _draw_strengths(self) -> None:
        chosen = {
            "best": (self.alpha_best, "-"),
            "one standard error": (self.alpha_one_standard_error, (0, (4, 3))),
        }
        self.alpha_lines_ = {}
        for name, (alpha, dashes) in chosen.items():
            if alpha is not None:
                label = f"{name}: α = {alpha:.3g}"
                self.alpha_lines_[name] = [
                    ax.axvline(alpha, color="0.25", lw=1.0, ls=dashes, label=label, zorder=0)
                    for ax in self.axes_
                ]

    def _mark_edge(self, ax: Any, errors: np.ndarray) -> None:
        """A triangle that points beyond the strengths, where the choice was made."""
        ends = self.alphas[[0, -1]]
        alpha = self.alpha_best if self.alpha_best in ends else self.alpha_one_standard_error
        below = alpha == ends[1]  # which is on the right
        error = errors[np.argmax(self.alphas == alpha)].mean()
        (self.edge_mark_,) = ax.plot(
            alpha,
            error,
            marker=">" if below else "<",
            color=RED,
            linestyle="none",
            clip_on=False,
            zorder=5,
            label=f"edge of the strengths: try {'smaller' if below else 'larger'} ones",
        )

    def _draw_legend_of_strengths(self, ax: Any) -> None:
        handles = [lines[-1] for lines in self.alpha_lines_.values()]
        if handles:
            if self.at_edge and self.errors is not None:
                handles.append(self.edge_mark_)
            ax.legend(handles=handles, loc="best", frameon=False, fontsize="small")


def _reaching(estimator: Any, X: Any, names: list[str] | None) -> tuple[Any, Any, Any]:
    """(model, features, names): the model within an estimator, and what reaches it of X."""
    if hasattr(estimator, "best_estimator_"):
        return _reaching(estimator.best_estimator_, X, names)
    if hasattr(estimator, "steps"):
        check_is_fitted(estimator)
        before, last = estimator[:-1], estimator[-1]
        if len(before.steps):
            names = _names_after(before, names)
            X = before.transform(X)
            names = names if _names_of(X) is None else _names_of(X)
        return _reaching(last, X, names)
    if names is None and hasattr(estimator, "feature_names_in_"):
        names = list(estimator.feature_names_in_)
    return estimator, X, names


def _names_of(X: Any) -> list[str] | None:
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def _names_after(transformers: Any, names: list[str] | None) -> list[str] | None:
    """Names of the outputs of a pipeline's transformers, None where one does not name its own."""
    steps = [step for _, step in transformers.steps if step not in (None, "passthrough")]
    if not all(hasattr(step, "get_feature_names_out") for step in steps):
        return None
    known = names is None or hasattr(transformers, "feature_names_in_")
    after = transformers.get_feature_names_out(None if known else names)
    return None if after is None else list(after)


def _errors_of(model: Any) -> dict[str, Any]:
    """What the display needs to know of a fitted cross-validation."""
    scores = model.score_path_
    if scores.ndim == 3:
        scores = scores[model._chosen_ratio()]
    name = model._error_name if model.scoring is None else f"minus {model.scoring}"
    return {
        "errors": -scores,
        "error_name": name,
        "alpha_best": model.alpha_best_,
        "alpha_one_standard_error": model.alpha_one_standard_error_,
        "at_edge": model.alpha_at_edge_,
    }


def _style_axis(ax: Any, alphas: np.ndarray) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    positive = alphas[alphas > 0.0]  # there is no 0 on a logarithmic axis
    ax.set_xlim(positive[0] * 1.1, positive[-1] / 1.1)
    if positive[0] < 100 * positive[-1]:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
