"""The picture of what rows and features are worth: measured errors and the theory's."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, check_X_y

from skreg.pictures import BLUE, RED, panels
from skreg.random_features._eigenframework import RidgeEigenframework
from skreg.random_features._features import RandomFeatures
from skreg.random_features._ridge import RandomFeatureRidge
from skreg.random_features._spectrum import centred_kernel

N_PLACES = 6  # of a default axis
N_THEORY = 40  # places of a theory curve
FEWEST = 16
KERNEL_ROWS = 3000  # of which the eigenvalues are estimated, at most


class LearningCurveTheoryDisplay:
    """Test error of random feature ridge against rows and features, with its prediction.

    On the left the number of rows grows, on the right the number of features. Dots are means over
    draws of rows and features, with one standard error; lines are what `RidgeEigenframework` says
    of the limit kernel's eigenvalues, at the ridge of the estimator or at the best one.

    Use `from_estimator` to compute and draw. All parameters are stored as attributes.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of rows.
    errors_of_sizes : array-like of shape (n_sizes, n_repeats)
        Mean squared test errors, summed over outputs, at the estimator's number of features.
    n_components : array-like of shape (n_numbers,)
        Numbers of features.
    errors_of_components : array-like of shape (n_numbers, n_repeats)
        Test errors at the largest number of rows.
    theory_sizes, theory_of_sizes : array-like of shape (n_places,)
        The theory's curve along the number of rows.
    theory_components, theory_of_components : array-like of shape (n_places,)
        The same along the number of features.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Panels of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    dots_ : list of matplotlib ErrorbarContainer
        What was measured.
    lines_ : list of matplotlib Line2D
        What the theory says.

    See Also
    --------
    RidgeEigenframework : The theory.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skreg.random_features import LearningCurveTheoryDisplay, RandomFeatureRidge
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.abs(X[:, 0]) + X[:, 1]
    >>> LearningCurveTheoryDisplay.from_estimator(
    ...     RandomFeatureRidge(100), X, y, sizes=[50, 100], n_components=[20, 80], n_repeats=2
    ... )
    LearningCurveTheoryDisplay(2 numbers of rows, 2 of features, 2 repeats)
    """

    def __init__(
        self,
        *,
        sizes: ArrayLike,
        errors_of_sizes: ArrayLike,
        n_components: ArrayLike,
        errors_of_components: ArrayLike,
        theory_sizes: ArrayLike,
        theory_of_sizes: ArrayLike,
        theory_components: ArrayLike,
        theory_of_components: ArrayLike,
    ) -> None:
        self.sizes = sizes
        self.errors_of_sizes = errors_of_sizes
        self.n_components = n_components
        self.errors_of_components = errors_of_components
        self.theory_sizes = theory_sizes
        self.theory_of_sizes = theory_of_sizes
        self.theory_components = theory_components
        self.theory_of_components = theory_of_components

    def __repr__(self) -> str:
        return (
            f"LearningCurveTheoryDisplay({np.size(self.sizes)} numbers of rows, "
            f"{np.size(self.n_components)} of features, "
            f"{np.shape(self.errors_of_sizes)[1]} repeats)"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: RandomFeatureRidge,
        X: Any,
        y: ArrayLike,
        *,
        sizes: ArrayLike | None = None,
        n_components: ArrayLike | None = None,
        n_repeats: int = 5,
        random_state: int | np.random.RandomState | None = None,
        ax: Any = None,
    ) -> Self:
        """Fit clones on more and more rows and features, compute the theory, and draw.

        Parameters
        ----------
        estimator : RandomFeatureRidge
            Fitted or not. Where its `alpha` is a number, so is the theory's ridge; where it is
            chosen, the theory takes the best.
        X : {array-like, sparse matrix} of shape (N, n_features)
            Rows, as the estimator takes them. A quarter is kept for testing, anew in each repeat.
        y : array-like of shape (N,) or (N, n_outputs)
            Targets.
        sizes : array-like of int, default=None
            Numbers of rows, at most three quarters of N; 6 of them if None.
        n_components : array-like of int, default=None
            Numbers of features, for the largest number of rows; 6, up to 4 times that, if None.
        n_repeats : int, default=5
            Draws of rows and features.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.
        ax : matplotlib Axes or array-like of two, default=None
            Axes to divide, or one for each panel; a new figure if None.

        Returns
        -------
        LearningCurveTheoryDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is no RandomFeatureRidge.
        ValueError
            If its kind is a callable, whose limit kernel is not known, if its features are made of
            rows, or a size is too large.
        ImportError
            If matplotlib is not installed.
        """
        if not isinstance(estimator, RandomFeatureRidge):
            raise TypeError(
                f"estimator must be a RandomFeatureRidge; got {type(estimator).__name__}: of a "
                "Pipeline give the last step, and X as that step sees it"
            )
        if estimator.draw == "rows":
            raise ValueError("the theory is that of random weights: set draw='weights'")
        X, targets = check_X_y(X, y, accept_sparse="csr", multi_output=True, y_numeric=True)
        targets = targets.astype(np.float64).reshape(len(targets), -1)
        N = len(targets)
        n_test = max(1, N // 4)
        numbers = _checked("sizes", sizes, N - n_test, N - n_test)
        n_rows = int(numbers.max())
        components = _checked("n_components", n_components, 4 * n_rows, np.inf)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        k = estimator.n_components
        runs = [(int(n), k) for n in numbers] + [(n_rows, int(number)) for number in components]
        errors = _measured(estimator, X, targets, runs, n_test, n_repeats, rng)
        framework = _framework(estimator, X, targets, rng)
        ridge = "optimal" if isinstance(estimator.alpha, str) else estimator.alpha
        along_n, along_k = _places(numbers), _places(components)
        of_n = framework.learning_curve(along_n, np.inf if k == "inf" else k, ridge)
        of_k = framework.learning_curve(n_rows, along_k, ridge)
        return cls(
            sizes=numbers,
            errors_of_sizes=errors[: len(numbers)],
            n_components=components,
            errors_of_components=errors[len(numbers) :],
            theory_sizes=along_n,
            theory_of_sizes=of_n.test_mse,
            theory_components=along_k,
            theory_of_components=of_k.test_mse,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw both panels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two, default=None
            Axes to divide, or one for each panel; a new figure if None.

        Returns
        -------
        LearningCurveTheoryDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

        found = panels(type(self).__name__, (1, 2), ax, figsize=(8.0, 3.6), sharey=True)
        self.figure_, self.axes_ = found.figure, found.axes
        self.dots_: list[Any] = []
        self.lines_: list[Any] = []
        curves: tuple[tuple[str, Any, Any, Any, Any], ...] = (
            ("rows", self.sizes, self.errors_of_sizes, self.theory_sizes, self.theory_of_sizes),
            ("features", self.n_components, self.errors_of_components, self.theory_components,
             self.theory_of_components),
        )  # fmt: skip
        for panel, (what, at, errors, theory_at, theory) in zip(self.axes_, curves, strict=True):
            self._draw(panel, np.asarray(at), np.asarray(errors), theory_at, theory)
            panel.set(xlabel=f"number of {what}", xscale="log", yscale="log")
            panel.set_xticks(at, labels=[f"{number:g}" for number in at])
            panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_minor_formatter(NullFormatter())
            panel.grid(color="0.92", linewidth=0.8)
            panel.spines[["top", "right"]].set_visible(False)
        self.axes_[0].set_ylabel("mean squared test error")
        self.axes_[0].legend(frameon=False)
        return self

    def _draw(self, panel, at, errors, theory_at, theory):
        n_repeats = errors.shape[1]
        spread = errors.std(axis=1, ddof=1) / np.sqrt(n_repeats) if n_repeats > 1 else None
        (line,) = panel.plot(theory_at, theory, color=RED, label="theory")
        dots = panel.errorbar(
            at, errors.mean(axis=1), yerr=spread, fmt="o", color=BLUE, markersize=5,
            label="measured", zorder=3,
        )  # fmt: skip
        self.lines_.append(line)
        self.dots_.append(dots)


def _checked(name, numbers, default_end, largest):
    if numbers is None:
        start = min(FEWEST, default_end)
        return np.unique(np.rint(np.geomspace(start, default_end, N_PLACES)).astype(int))
    numbers = check_array(numbers, ensure_2d=False, dtype=None, input_name=name)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a list of integers; got {numbers!r}")
    if numbers.min() < 2 or numbers.max() > largest:
        raise ValueError(
            f"{name} must be from 2 to {largest:g}, as a quarter of the rows is for testing; got "
            f"{numbers.tolist()}" if np.isfinite(largest)
            else f"{name} must be 2 or more; got {numbers.tolist()}"
        )  # fmt: skip
    return numbers


def _places(numbers):
    return np.geomspace(numbers.min(), numbers.max(), N_THEORY)


def _measured(estimator, X, y, runs, n_test, n_repeats, rng):
    errors = np.empty((len(runs), n_repeats))
    for repeat in range(n_repeats):
        order = rng.permutation(len(y))
        test, train = order[:n_test], order[n_test:]
        seed = int(rng.integers(2**31 - 1))
        for place, (n, k) in enumerate(runs):
            model = clone(estimator).set_params(n_components=k, random_state=seed)
            found = model.fit(X[train[:n]], y[train[:n]]).predict(X[test])
            errors[place, repeat] = np.mean(np.sum((found - y[test]) ** 2, axis=1))
    return errors


def _framework(estimator, X, y, rng):
    """Of the limit kernel, about its mean where there is an intercept."""
    rows = rng.permutation(len(y))[:KERNEL_ROWS]
    features = RandomFeatures(**estimator._map_params()).set_params(n_components="inf")
    K = features.fit(X).limit_kernel(X[rows])
    y = y[rows]
    if estimator.fit_intercept:
        K = centred_kernel(K, np.ones(len(rows)), centre=True)
        y = y - y.mean(axis=0)
    return RidgeEigenframework.from_kernel(0.5 * (K + K.T), y, denoise=True)
