"""Stability of the edges over bootstrap samples, and of the penalty that gives them."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from threadpoolctl import threadpool_limits

from skreg._progress import progress
from skreg._sklearn import HasMethods, Interval, _fit_context
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.causal._alpha_choice import checked_alphas, warn_of_stability
from skreg.causal._colide import CoLiDE
from skreg.causal._constraints import constraint_masks
from skreg.causal._cycles import break_cycles
from skreg.causal._fit_warnings import in_words, warn_of_equal_variances, warn_of_floor
from skreg.causal._linear_dag import LinearDAG
from skreg.causal._regressions import SMALLEST_SHARE, regress_on_parents, residual_scale
from skreg.causal._resamples import draw_counts, fit_sample, with_alpha
from skreg.causal._stability import (
    edge_frequency,
    instability,
    most_permissive_stable,
    rank_of_pairs,
    total_weight,
)
from skreg.causal._structural_var import StructuralVAR
from skreg.causal._validation import check_columns, validate_rows
from skreg.graphs import topological_order
from skreg.moments import moments, resampled_moments


class BootstrapDAG(LinearDAG):
    r"""Acyclic graph of the edges that bootstrap samples agree on, with their frequencies.

    The estimator is fitted to `n_bootstraps` samples of the rows with replacement. Edges that at
    least the share `min_frequency` of the fits has make the graph, whose weights are least squares
    of each node on its parents.

    With several `alphas`, each is tried on the same samples, and the smallest whose graphs are
    stable is chosen, in the manner of stability selection [1]_: the instability is the mean over
    pairs (i, j), :math:`i \ne j`, of :math:`2 f_{ij} (1 - f_{ij})`, the probability that two fits
    disagree about the edge, where :math:`f_{ij}` is its frequency. Cross-validated likelihood
    cannot replace this: it does not see the direction of most edges.

    A column with few distinct values may be constant in a sample. Such a sample says nothing about
    the column's edges, and has none: that is the limit of any penalised fit as the variance goes to
    zero. The other columns are fitted as if it were not there. (Drawing another sample instead
    would condition all other edges on events that they have nothing to do with.)
    `constant_frequency_` counts these samples.

    Parameters
    ----------
    estimator : estimator, default=None
        Estimator with `adjacency_matrix_` after a fit; ``CoLiDE("ev", mode="fast")`` if None. Rows
        are drawn by weights for estimators that take `sample_weight`, and copied for others.
    n_bootstraps : int, default=50
        Number of samples.
    alphas : int or array-like of shape (n_alphas,), default=None
        Values of the estimator's `alpha` to choose from; its own if None. A number means that many,
        evenly spaced on a logarithmic scale from the smallest at which no edge lowers the score of
        the empty graph, for `CoLiDE`. A warning is given where the smallest is chosen and the graph
        still changed from the alpha before it.
    eps : float, default=1e-3
        The smallest alpha divided by the largest, if `alphas` is a number.
    max_instability : float, default=0.05
        Largest instability of the chosen alpha; without effect if `alphas` is None.
    min_frequency : float, default=0.5
        Smallest frequency of an edge in the graph.
    n_jobs : int, default=None
        Number of fits at once, in threads.
    random_state : int, RandomState or None, default=None
        Seed of the samples.
    verbose : int, default=0
        Show a bar of the fits if positive, which needs tqdm.

    Attributes
    ----------
    edge_frequency_ : ndarray of shape (n_features, n_features)
        Share of the fits with an edge from i to j, at the chosen alpha; 1 for required edges.
    edge_frequencies_ : ndarray of shape (n_alphas, n_features, n_features)
        The same at all alphas.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas, decreasing.
    instability_ : ndarray of shape (n_alphas,)
        Instability at the alphas.
    alpha_ : float
        The chosen alpha.
    adjacency_matrix_ : ndarray of shape (n_features, n_features)
        Weights of the stable graph; ``adjacency_matrix_[i, j] != 0`` is an edge from i to j. Should
        frequent edges close a cycle, the rarest edge of the cycle goes, or of equally frequent ones
        the weaker. Edges that the estimator requires (`include_edges`) stay.
    sigma_ : ndarray of shape (n_features,)
        Residual standard deviations.
    mean_ : ndarray of shape (n_features,)
        Means of the columns.
    causal_order_ : ndarray of shape (n_features,)
        The nodes, causes before effects.
    n_not_converged_ : int
        Number of fits that did not converge.
    n_failed_ : int
        Number of fits that raised an error; frequencies are shares of the others.
    constant_frequency_ : ndarray of shape (n_features,)
        Share of the samples in which the column was constant.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X has string column names.

    See Also
    --------
    CoLiDE : One fit.
    DAGDisplay : Draws the graph with frequencies as line widths.

    References
    ----------
    .. [1] H. Liu, K. Roeder, L. Wasserman, "Stability Approach to Regularization Selection (StARS)
       for High Dimensional Graphical Models", NeurIPS 2010.

    Examples
    --------
    >>> from skreg.causal import BootstrapDAG
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(300, 6, edges_per_node=1, random_state=0)
    >>> model = BootstrapDAG(n_bootstraps=10, random_state=0).fit(sem.X)
    >>> bool(((model.adjacency_matrix_ != 0) == (sem.adjacency != 0)).all())
    True
    >>> float(model.edge_frequency_[sem.adjacency != 0].min())
    1.0
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [None, HasMethods(["fit", "set_params"])],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "alphas": [None, Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "max_instability": [Interval(Real, 0, 0.5, closed="both")],
        "min_frequency": [Interval(Real, 0, 1, closed="right")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_bootstraps: int = 50,
        alphas: int | ArrayLike | None = None,
        eps: float = 1e-3,
        max_instability: float = 0.05,
        min_frequency: float = 0.5,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.n_bootstraps = n_bootstraps
        self.alphas = alphas
        self.eps = eps
        self.max_instability = max_instability
        self.min_frequency = min_frequency
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Fit all samples, choose alpha, and fit the weights of the stable graph to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Values of all nodes.
        y : None
            Ignored.

        Returns
        -------
        BootstrapDAG
            The fitted estimator.

        Raises
        ------
        ValueError
            If an alpha is negative, `alphas` is a number for another estimator than `CoLiDE`, and
            as the estimator's `fit` on all rows, or if it fails for all samples.
        TypeError
            If the estimator is for time series.
        """
        rows, once = validate_rows(self, X, None)
        names = self._names()
        base = CoLiDE("ev", mode="fast") if self.estimator is None else self.estimator
        if isinstance(base, StructuralVAR):
            raise TypeError(
                f"estimator={base!r} needs rows in the order of time, which samples of single rows "
                "do not have; rolling_evaluation says which of its edges come and go"
            )
        required = _required_edges(base, names)
        data = moments(rows, once)
        check_columns(data, names)
        alphas = self._alphas(base, data, names)
        models = [with_alpha(base, alpha) for alpha in alphas]
        counts = draw_counts(len(rows), self.n_bootstraps, self.random_state)
        samples = resampled_moments(rows, counts)
        fits = self._fit_samples(models, rows, counts, samples, names)
        self.alphas_, self.constant_frequency_ = alphas, _constant_frequency(samples)
        on_floor = self._store(fits, data, required)
        if isinstance(base, LinearDAG) and base._directions_come_from_variances():
            warn_of_equal_variances(np.diagonal(data.covariance))
        warn_of_floor(on_floor, self.sigma_, names, f"{SMALLEST_SHARE:g} of the column's deviation")
        self._warn_of_samples(names)
        self._warn_of_fits([fit for of_alpha in fits for fit in of_alpha])
        return self

    def _fit_samples(self, models, X, counts, samples, names):
        """One list of fits for each model, all on the same samples."""
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # counted instead
            results = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
                delayed(fit_sample)(model, X, count, sample, names)
                for model in models
                for count, sample in zip(counts, samples, strict=True)
            )
            n = len(counts)
            fits = list(
                progress(results, total=n * len(models), verbose=self.verbose, by="BootstrapDAG")
            )
        return [fits[k * n : (k + 1) * n] for k in range(len(models))]

    def _alphas(self, base, data, names):
        if self.alphas is None:
            own = getattr(base, "alpha", None)
            return np.array([float(own) if isinstance(own, Real) else np.nan])
        if isinstance(self.alphas, Integral):
            return self._spaced_alphas(int(self.alphas), base, data, names)
        return checked_alphas(self.alphas)

    def _spaced_alphas(self, n_alphas, base, data, names):
        if not hasattr(base, "_largest_alpha"):
            raise ValueError(
                f"alphas={n_alphas} asks for that many up to the largest useful one, which is "
                f"known for CoLiDE, not for {type(base).__name__}; give the alphas themselves"
            )
        largest = base._largest_alpha(data, names)
        return largest * np.geomspace(1.0, self.eps, n_alphas)

    def _store(self, fits, data, required):
        """Store what the fits agree on; returns where, (d,) bool, the deviation is at its floor."""
        d = len(data.mean)
        f = np.array([edge_frequency(of_alpha, d) for of_alpha in fits])
        f[:, required] = 1.0
        self.edge_frequencies_ = f
        self.instability_ = instability(f)
        chosen = most_permissive_stable(self.instability_, self.max_instability)
        self.alpha_, self.edge_frequency_ = float(self.alphas_[chosen]), f[chosen]
        strength = rank_of_pairs(self.edge_frequency_, total_weight(fits[chosen], d))
        frequent = self.edge_frequency_ >= self.min_frequency
        stable = break_cycles(frequent | required, strength, required)
        self.adjacency_matrix_ = regress_on_parents(data.covariance, stable)
        self.sigma_, on_floor = residual_scale(data.covariance, self.adjacency_matrix_)
        self.mean_ = data.mean
        self.causal_order_ = topological_order(stable)
        done = [fit for of_alpha in fits for fit in of_alpha if fit.error is None]
        self.n_failed_ = len(fits) * len(fits[0]) - len(done)
        self.n_not_converged_ = sum(not fit.converged for fit in done)
        return on_floor

    def _warn_of_samples(self, names):
        constant = np.flatnonzero(self.constant_frequency_)
        if len(constant):
            shares = [f"{share:.0%}" for share in self.constant_frequency_[constant]]
            warn(
                "some samples have constant columns, and no edges there: "
                f"{in_words(constant, names, shares)}. Their edges can be in the other samples "
                "only; more rows, or columns with less rare values, would help."
            )

    def _warn_of_alphas(self):
        warn_of_stability(
            "BootstrapDAG",
            self.alphas_,
            self.edge_frequencies_,
            self.instability_,
            int(np.flatnonzero(self.alphas_ == self.alpha_)[-1]),
            self.max_instability,
            self.min_frequency,
        )

    def _warn_of_fits(self, fits):
        if self.n_failed_:
            first = next(fit.error for fit in fits if fit.error is not None)
            warn(
                f"{self.n_failed_} of {len(fits)} fits failed and are left out, the first of them "
                f"with {type(first).__name__}: {first}",
                FitFailedWarning,
            )
        if self.alphas is not None:
            self._warn_of_alphas()
        n_on_floor = sum(fit.on_floor for fit in fits)
        if n_on_floor:
            warn(
                f"{n_on_floor} of {len(fits)} fits have noise levels at their floor: parents "
                "determine a node, as where rows are few. Use more rows or a larger alpha."
            )
        if self.n_not_converged_:
            warn(
                f"{self.n_not_converged_} of {len(fits)} fits did not converge; increase the "
                "estimator's max_iter or tol.",
                ConvergenceWarning,
            )


def _required_edges(estimator, names):
    """Edges (d, d) that the estimator must keep; raises what its constraints cannot mean."""
    excluded, included, tiers = (
        getattr(estimator, name, None) for name in ("exclude_edges", "include_edges", "tiers")
    )
    return constraint_masks(excluded, included, tiers, names)[1]


def _constant_frequency(samples):
    return np.mean([sample.constant for sample in samples], axis=0)
