"""Questions about effects that every fitted linear graph answers."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skreg.causal._average_effect import AverageEffect, average_effect
from skreg.causal._effects import Intervention, counterfactual, intervention, setting, total_effects
from skreg.causal._names import node_number
from skreg.causal._paths import EffectPath, effect_paths
from skreg.causal._resamples import draw_counts
from skreg.causal._validation import check_number_of_rows, complete_rows
from skreg.rows import checked_weights

GRAPHS = ("fixed", "relearned")


class EffectsMixin:
    """Effects in a graph with `adjacency_matrix_`, `mean_` and `sigma_`, and names of its nodes.

    All of them are effects if the graph is right: no data contradict a wrong direction here.
    """

    adjacency_matrix_: np.ndarray
    mean_: np.ndarray
    sigma_: float | np.ndarray
    _names: Callable[[], list[str]]

    def total_effects(self) -> np.ndarray:
        r"""Effect of one more unit of each node on each other, along all directed paths.

        Returns
        -------
        ndarray of shape (n_features, n_features)
            :math:`(I - W)^{-1} - I` for the weights W; entry [i, j] is the change of the mean of
            node j if node i is raised by one from outside, 0 if no directed path leads from i to j.

        Raises
        ------
        ValueError
            If the graph has a cycle.

        Examples
        --------
        >>> from skreg.causal import SortNRegress
        >>> from skreg.datasets import make_linear_sem
        >>> chain = [[0, 2, 0], [0, 0, 3], [0, 0, 0]]
        >>> X = make_linear_sem(5000, adjacency=chain, random_state=0).X
        >>> model = SortNRegress(threshold=0.3).fit(X)
        >>> model.total_effects().round(1)
        array([[0., 2., 6.],
               [0., 0., 3.],
               [0., 0., 0.]])
        >>> model.average_effect("x0", "x2", X, random_state=0)  # doctest: +ELLIPSIS
        AverageEffect(effect=...
        """
        check_is_fitted(self)
        return total_effects(self.adjacency_matrix_)

    def effect_paths(
        self, cause: int | str, effect: int | str, *, max_paths: int = 1000
    ) -> list[EffectPath]:
        """Split a total effect into what each directed path carries.

        Parameters
        ----------
        cause, effect : int or str
            Columns, by number or name.
        max_paths : int, default=1000
            Largest number of paths to list. Dense graphs can have more than any memory holds.

        Returns
        -------
        list of EffectPath
            Paths with the products of their weights, which add up to the total effect; those of
            largest magnitude first. Empty without a directed path.

        Raises
        ------
        ValueError
            If there are more paths, a column does not exist, or the two are the same.
        """
        check_is_fitted(self)
        names = self._names()
        pair = _two_nodes(cause, effect, names)
        if not isinstance(max_paths, Integral) or max_paths < 1:
            raise ValueError(f"max_paths={max_paths!r} must be a positive integer")
        return effect_paths(self.adjacency_matrix_, names, *pair, int(max_paths))

    def intervene(self, values: Mapping[Any, float]) -> Intervention:
        r"""Distribution of all nodes while some are set from outside, do(x = v).

        Edges into the nodes that are set are cut, so that nothing flows back to their causes: that
        is the difference from rows in which these values were observed.

        Parameters
        ----------
        values : dict of {int or str: float}
            Values of the columns that are set, by number or name.

        Returns
        -------
        Intervention
            Means and covariances of all nodes, and samples.

        Raises
        ------
        ValueError
            If `values` is empty, names no column, one twice or no finite number, or the graph has a
            cycle.
        """
        check_is_fitted(self)
        names = self._names()
        return intervention(
            self.adjacency_matrix_, self.mean_, self.sigma_, names, setting(values, names)
        )

    def counterfactual(self, X: ArrayLike, values: Mapping[Any, float]) -> np.ndarray:
        """Rows as they would have been, had some of their values been set from outside.

        Each row keeps its own noise. For nodes that the intervention does not reach, that is what
        was observed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as they were observed; not changed.
        values : dict of {int or str: float}
            Values of the columns that are set, by number or name.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows after the intervention.

        Raises
        ------
        ValueError
            As `intervene`, and if X has NaN or infinity.
        """
        check_is_fitted(self)
        rows = complete_rows(self, X, "counterfactual")
        return counterfactual(rows, self.adjacency_matrix_, setting(values, self._names()))

    def average_effect(
        self,
        cause: int | str,
        effect: int | str,
        X: ArrayLike,
        *,
        graph: Literal["fixed", "relearned"] = "fixed",
        n_bootstraps: int = 200,
        confidence_level: float = 0.95,
        n_jobs: int | None = None,
        random_state: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> AverageEffect:
        """Estimate a total effect with a bootstrap interval.

        Weights are least squares of each node on its parents among the rows X, not the fitted ones,
        which a penalty may have shrunken: around shrunken weights no interval is right.

        Parameters
        ----------
        cause, effect : int or str
            Columns, by number or name.
        X : array-like of shape (n_samples, n_features)
            Rows, usually those of the fit.
        graph : {"fixed", "relearned"}, default="fixed"
            What the interval takes for granted. "fixed": the graph is the true one, and only the
            sizes of its weights are uncertain. "relearned": a copy of the estimator learns the
            graph of every sample anew, so that edges come, go and turn round; such intervals are
            wider, may include 0 although the fixed graph has a path, and take one fit a sample. A
            graph that is wrong in the same way in all samples widens neither.
        n_bootstraps : int, default=200
            Number of samples of the rows with replacement.
        confidence_level : float, default=0.95
            Share of the samples between the ends of the interval, which are percentiles.
        n_jobs : int, default=None
            Number of fits at once, in threads, for "relearned".
        random_state : int, RandomState or None, default=None
            Seed of the samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Numbers of copies of the rows. A sample draws as many rows as they add up to, with
            chances in proportion to them; weights that are no numbers of copies give an effect, but
            no right interval.

        Returns
        -------
        AverageEffect
            Estimate, interval, standard error and the estimates on the samples. Without a directed
            path in a fixed graph all of them are 0.

        Raises
        ------
        ValueError
            If a column does not exist, both are the same, X has NaN or infinity, the cause is
            constant in X, a variance overflows, weights are negative or add up to less than 2, no
            sample gives an estimate, or an argument is out of its range.

        Warns
        -----
        UserWarning
            If parents of a node between the two determine one another, so that the effect is
            arbitrary.

        References
        ----------
        .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
        """
        check_is_fitted(self)
        names = self._names()
        pair = _two_nodes(cause, effect, names)
        if graph not in GRAPHS:
            raise ValueError(f"graph={graph!r} must be one of {GRAPHS}")
        if not isinstance(n_bootstraps, Integral) or n_bootstraps < 2:
            raise ValueError(f"n_bootstraps={n_bootstraps!r} must be an integer of at least 2")
        if not isinstance(confidence_level, Real) or not 0 < confidence_level < 1:
            raise ValueError(f"confidence_level={confidence_level!r} must lie between 0 and 1")
        X = complete_rows(self, X, "average_effect", ensure_min_samples=2)
        weights = checked_weights(sample_weight, X)
        check_number_of_rows(weights.sum(), "average_effect")
        return average_effect(
            self.adjacency_matrix_ != 0,
            X,
            names,
            *pair,
            weights=weights,
            counts=draw_counts(len(X), int(n_bootstraps), random_state, weights),
            learner=self._learner_of_samples() if graph == "relearned" else None,
            confidence_level=float(confidence_level),
            n_jobs=n_jobs,
        )

    def _learner_of_samples(self):
        return self


def _two_nodes(cause, effect, names):
    pair = node_number(cause, names, "cause"), node_number(effect, names, "effect")
    if pair[0] == pair[1]:
        raise ValueError(f"cause and effect are both {names[pair[0]]!r}; they must differ")
    return pair
