"""Stability of the edges over bootstrap samples, and of the penalty that gives them."""

import warnings
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from threadpoolctl import threadpool_limits

from skreg.causal._base import LinearDAG, regress_on_parents, residual_scale
from skreg.causal._colide import CoLiDE
from skreg.causal._graph import drop_until_acyclic
from skreg.causal._moments import moments, validate_rows
from skreg.datasets._linear_sem import topological_order


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

    Parameters
    ----------
    estimator : estimator, default=None
        Estimator with `adjacency_matrix_` after a weighted fit; ``CoLiDE("ev", mode="fast")`` if
        None.
    n_bootstraps : int, default=50
        Number of samples.
    alphas : array-like of shape (n_alphas,), default=None
        Values of the estimator's `alpha` to choose from; its own if None.
    max_instability : float, default=0.05
        Largest instability of the chosen alpha; without effect if `alphas` is None.
    min_frequency : float, default=0.5
        Smallest frequency of an edge in the graph.
    n_jobs : int, default=None
        Number of fits at once, in threads.
    random_state : int, RandomState or None, default=None
        Seed of the samples.

    Attributes
    ----------
    edge_frequency_ : ndarray of shape (n_features, n_features)
        Share of the fits with an edge from i to j, at the chosen alpha.
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
        frequent edges close a cycle, the rarest of them go.
    sigma_ : ndarray of shape (n_features,)
        Residual standard deviations.
    mean_ : ndarray of shape (n_features,)
        Means of the columns.
    causal_order_ : ndarray of shape (n_features,)
        The nodes, causes before effects.
    n_not_converged_ : int
        Number of fits that did not converge.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
        "alphas": [None, "array-like"],
        "max_instability": [Interval(Real, 0, 0.5, closed="both")],
        "min_frequency": [Interval(Real, 0, 1, closed="right")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_bootstraps=50,
        alphas=None,
        max_instability=0.05,
        min_frequency=0.5,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_bootstraps = n_bootstraps
        self.alphas = alphas
        self.max_instability = max_instability
        self.min_frequency = min_frequency
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
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
            If an alpha is negative, and as the estimator's `fit`.
        """
        X, once = validate_rows(self, X, None)
        data = moments(X, once, names=self._names())
        base = CoLiDE("ev", mode="fast") if self.estimator is None else self.estimator
        self.alphas_ = self._alphas(base)
        samples = self._samples(len(X))
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # counted instead
            fits = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_fit_sample)(base, alpha, X, counts)
                for alpha in self.alphas_
                for counts in samples
            )
        edges = np.array([graph for graph, _ in fits], dtype=float)
        self.n_not_converged_ = sum(not converged for _, converged in fits)
        d = X.shape[1]
        self.edge_frequencies_ = edges.reshape(len(self.alphas_), -1, d, d).mean(axis=1)
        f = self.edge_frequencies_
        self.instability_ = 2 * (f * (1 - f)).sum(axis=(1, 2)) / (d * (d - 1))
        chosen = most_permissive_stable(self.instability_, self.max_instability)
        self.alpha_, self.edge_frequency_ = float(self.alphas_[chosen]), f[chosen]
        self._warn(chosen, len(fits))
        return self._store(data)

    def _alphas(self, base):
        if self.alphas is None:
            return np.array([getattr(base, "alpha", np.nan)], dtype=float)
        alphas = np.sort(np.asarray(self.alphas, dtype=float))[::-1]
        if alphas.ndim != 1 or len(alphas) == 0 or not np.all(alphas >= 0):
            raise ValueError(f"alphas={self.alphas!r} must be nonnegative numbers")
        return alphas

    def _samples(self, n):
        """How often each row is in each sample, (n_bootstraps, n)."""
        rng = check_random_state(self.random_state)
        return rng.multinomial(n, np.full(n, 1 / n), size=self.n_bootstraps).astype(float)

    def _warn(self, chosen, n_fits):
        if self.alphas is not None and self.instability_[chosen] > self.max_instability:
            warnings.warn(
                f"no alpha reaches max_instability={self.max_instability:g}; the largest one has "
                f"{self.instability_[chosen]:.3f}. Add larger alphas.",
                UserWarning,
                stacklevel=4,
            )
        if self.n_not_converged_:
            warnings.warn(
                f"{self.n_not_converged_} of {n_fits} fits did not converge; increase the "
                "estimator's max_iter or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _store(self, data):
        frequent = self.edge_frequency_ >= self.min_frequency
        stable = drop_until_acyclic(np.where(frequent, self.edge_frequency_, 0.0)) != 0
        self.adjacency_matrix_ = regress_on_parents(data.covariance, stable)
        self.sigma_ = residual_scale(data.covariance, self.adjacency_matrix_)
        self.mean_ = data.mean
        self.causal_order_ = topological_order(stable)
        return self


def _fit_sample(estimator, alpha, X, counts):
    """Edges of one fit, and whether it converged."""
    model = clone(estimator)
    if not np.isnan(alpha):
        model.set_params(alpha=float(alpha))
    model.fit(X, sample_weight=counts)
    return model.adjacency_matrix_ != 0, getattr(model, "converged_", True)


def most_permissive_stable(instability, limit):
    """Index of the last alpha before the instability first exceeds the limit; 0 if all do."""
    unstable = np.flatnonzero(instability > limit)
    first = unstable[0] if len(unstable) else len(instability)
    return max(first - 1, 0)
