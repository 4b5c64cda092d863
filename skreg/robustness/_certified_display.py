"""The picture of certificates: how many rows are proved right, up to which radius."""

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg.pictures import GREY, PALETTE, pyplot
from skreg.robustness._certification_result import CertificationResult
from skreg.robustness._smoothing_classifier import RandomizedSmoothingClassifier

# what a comparison changes, by name; the last row is the estimator as it is
RULES: dict[str, dict[str, Any]] = {
    "Cohen": {"maps": ("argmax",), "radius": "mono", "lipschitz": None, "selection": "split"},
    "R_multi": {"maps": ("argmax",), "radius": "multi", "lipschitz": None, "selection": "split"},
    "LVM-RS": {},
}


class CertifiedAccuracyDisplay:
    """Certified accuracy against the radius, for one or several ways to certify.

    Use `from_estimator` or `from_results` to draw. A curve falls at the radii of rows that are
    right; beside its name stand the area below it, which is the average certified radius, and the
    share of abstentions, which count as errors. All parameters are stored as attributes.

    Parameters
    ----------
    radii : array-like of shape (n_radii,)
        Radii.
    accuracy : mapping of str to array-like of shape (n_radii,)
        Certified accuracy at each radius, by name of the curve.
    average_radius : mapping of str to float
        Average certified radii.
    abstained : mapping of str to float
        Shares of abstentions.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    lines_ : list of matplotlib Line2D
        The curves.
    marks_ : list of matplotlib Line2D
        At radius 0, what the curve would reach there if all abstentions were right.

    See Also
    --------
    RandomizedSmoothingClassifier.certified_accuracy : The numbers behind the picture.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import CertifiedAccuracyDisplay, RandomizedSmoothingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomizedSmoothingClassifier(LogisticRegression(max_iter=1000), random_state=0)
    >>> CertifiedAccuracyDisplay.from_estimator(model.fit(X, y), X, y)
    CertifiedAccuracyDisplay(1 curve, radii from 0 to 0.789)
    """

    def __init__(
        self,
        *,
        radii: ArrayLike,
        accuracy: Mapping[str, ArrayLike],
        average_radius: Mapping[str, float],
        abstained: Mapping[str, float],
    ) -> None:
        self.radii = radii
        self.accuracy = accuracy
        self.average_radius = average_radius
        self.abstained = abstained

    def __repr__(self) -> str:
        radii, n = np.asarray(self.radii, dtype=float), len(self.accuracy)
        curves = f"{n} curve{'s' if n != 1 else ''}"
        return f"CertifiedAccuracyDisplay({curves}, radii from 0 to {radii.max():.3g})"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        compare: bool = False,
        n_radii: int = 200,
        ax: Any = None,
    ) -> Self:
        """Certify rows and draw.

        Parameters
        ----------
        estimator : RandomizedSmoothingClassifier, or Pipeline or search that ends in one
            Fitted; steps of a Pipeline before it transform X, and radii refer to what they return.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their true classes.
        compare : bool, default=False
            Draw two other rules too, on the same draws: that of Cohen et al., which knows of the
            top class alone, and the radius of two classes with argmax alone (R_multi).
        n_radii : int, default=200
            Number of radii, from 0 to the largest that is reached.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CertifiedAccuracyDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is, or ends in, no RandomizedSmoothingClassifier.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        smoothed, X = _smoothed_and_its_input(estimator, X)
        rules = RULES if compare else {type(smoothed.estimator).__name__: {}}
        results = {
            name: copy(smoothed).set_params(**params).certify(X) for name, params in rules.items()
        }
        return cls.from_results(results, y, n_radii=n_radii, ax=ax)

    @classmethod
    def from_results(
        cls,
        results: Mapping[str, CertificationResult],
        y: ArrayLike,
        *,
        n_radii: int = 200,
        ax: Any = None,
    ) -> Self:
        """Draw what `certify` returned.

        Parameters
        ----------
        results : mapping of str to CertificationResult
            Certificates of the same rows, by name of the curve.
        y : array-like of shape (n,)
            True classes of the rows.
        n_radii : int, default=200
            Number of radii, from 0 to the largest that is reached.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CertifiedAccuracyDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no result, or one of another number of rows than `y`.
        ImportError
            If matplotlib is not installed.
        """
        if not results:
            raise ValueError("results holds none: give at least one, by name")
        largest = max(float(result.radius.max()) for result in results.values())
        radii = np.linspace(0.0, largest, n_radii)
        return cls(
            radii=radii,
            accuracy={name: one.certified_accuracy(y, radii) for name, one in results.items()},
            average_radius={name: one.average_radius(y) for name, one in results.items()},
            abstained={name: float(one.abstain.mean()) for name, one in results.items()},
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        CertifiedAccuracyDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("CertifiedAccuracyDisplay")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_, self.marks_ = [], []
        for i, (name, accuracy) in enumerate(self.accuracy.items()):
            colour, dashes = PALETTE[i % len(PALETTE)], ("-", "--", ":", "-.")[i % 4]
            share = self.abstained[name]
            label = f"{name}: average {self.average_radius[name]:.3g}, {share:.1%} abstained"
            accuracy = np.asarray(accuracy, dtype=float)
            self.lines_ += ax.step(
                self.radii, accuracy, where="pre", color=colour, linestyle=dashes, label=label
            )
            self.marks_ += ax.plot(
                [0.0, 0.0], [accuracy[0], accuracy[0] + share], color=colour, linewidth=7,
                alpha=0.4, solid_capstyle="butt", clip_on=False,
            )  # fmt: skip
        ax.set(xlabel="L2 radius", ylabel="certified accuracy", ylim=(0.0, 1.02))
        ax.set_xlim(left=0.0)
        ax.legend(frameon=False, loc="lower left")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=GREY, alpha=0.2, linewidth=0.8)
        return self


def _smoothed_and_its_input(estimator, X):
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        return _smoothed_and_its_input(estimator.steps[-1][1], X)
    if not isinstance(estimator, RandomizedSmoothingClassifier):
        raise TypeError(
            "CertifiedAccuracyDisplay needs a RandomizedSmoothingClassifier, or a Pipeline or "
            f"search that ends in one; got {type(estimator).__name__}"
        )
    return estimator, X
