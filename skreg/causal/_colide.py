"""The estimator `CoLiDE`."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.linalg  # noqa: F401  loads the BLAS of compiled kernels, so that it can be limited
from numpy.typing import ArrayLike
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skreg._sklearn import Interval, StrOptions, _fit_context
from skreg._state import all_or_nothing
from skreg.causal._acyclicity import acyclicity
from skreg.causal._adam import EXCLUDED, Rates
from skreg.causal._alpha_choice import checked_alphas, information_criterion, stability_of
from skreg.causal._central_path import follow_central_path
from skreg.causal._constraints import constraint_masks
from skreg.causal._cycles import acyclic_part
from skreg.causal._equations import residual_mean_squares, set_noise_scale
from skreg.causal._fit_warnings import (
    LARGEST_H,
    warn_of_cycles,
    warn_of_equal_variances,
    warn_of_floor,
    warn_of_no_convergence,
)
from skreg.causal._moments_dag import MomentsDAG
from skreg.causal._problem import (
    NOISE_IN_UNITS,
    Problem,
    check_single_precision,
    largest_strength,
    noise_at_start,
    noise_level,
    noise_levels,
)
from skreg.causal._regressions import SMALLEST_SHARE, regress_on_parents
from skreg.causal._schedule import make_schedule
from skreg.causal._validation import (
    check_columns,
    check_number_of_rows,
    refuse_missing,
    validate_rows,
)
from skreg.graphs import as_square, topological_order
from skreg.moments import about_zero, moments
from skreg.rows import is_dask_collection
from skreg.strengths import warn_at_edge

NO_ROWS = (
    "alpha='stability' draws samples of rows in memory, which are not given here; use a number or "
    "'bic'"
)


class CoLiDE(MomentsDAG):
    r"""Linear acyclic graph and its noise levels from observational data.

    Rows follow a linear structural equation model :math:`x = \mu + W^\top (x - \mu) + z` with
    independent noises of standard deviations :math:`\sigma_j`. CoLiDE [1]_ estimates weights and
    noise levels together, by a concomitant lasso along a path that ends at acyclic graphs:

    .. math::
        \min_{W, \sigma \ge \sigma_0} \; \mu_k \Big[ \sum_j \Big( \frac{q_j(W)}{2 \sigma_j}
        + \frac{\sigma_j}{2} \Big) + \alpha \|W\|_1 \Big] + h_{s_k}(W), \qquad
        q_j(W) = \frac{1}{n} \|x_j - X w_j\|^2,

    with the log-determinant acyclicity function h of DAGMA [2]_ and :math:`\mu_k \to 0`. Because
    the noise level is part of the problem, `alpha` needs less tuning when it changes.

    .. warning::
        The graph is not free of units. All these scores prefer small-variance nodes as roots and
        work where variances grow along the edges (`var_sortability` near 1). On standardised
        columns of dense random graphs they do no better than an empty graph; a warning is given
        then. Columns should have a common unit.

    Parameters
    ----------
    noise : {"ev", "nv", "ls"}, default="nv"
        "ev" has one noise level for all nodes, "nv" one for each; "ls" is least squares, the score
        of DAGMA, which takes all levels to be 1.
    alpha : float or {"bic", "stability"}, default=0.05
        Strength of the L1 penalty, the paper's :math:`\lambda`. Worth tuning: 0.02 was often better
        with strong edges, 0.1 with weak edges and many nodes. "bic" takes the one of `alphas` whose
        graph has the smallest Bayesian information criterion with weights of least squares, with
        one noise variance unless `noise` is "nv". "stability" takes the smallest one at which the
        graphs of 20 bootstrap samples disagree with a probability of at most 0.05 a pair, as
        `BootstrapDAG` does, which has these numbers as parameters.
    mode : {"reference", "fast"}, default="reference"
        "reference" takes the iterations of the paper, with ``scale=None`` the same up to rounding.
        "fast" takes larger steps in single precision and renews the acyclicity gradient every tenth
        step; its graphs differ in single edges and are as good on average.
    n_stages : int, default=4
        Number K of stages.
    mu_init : float, default=1.0
        Weight :math:`\mu_1` of the score in the first stage.
    mu_factor : float, default=0.1
        Factor of the weight from stage to stage.
    s : float or sequence of float, default=(1.0, 0.9, 0.8, 0.7)
        Bounds :math:`s_k` of the domain of h, not increasing; the last one is repeated.
    warm_iter : int, default=None
        Largest number of iterations of each stage but the last; 20000 if None.
    max_iter : int, default=None
        Largest number of iterations of the last stage; 70000 if None.
    learning_rate : float, default=None
        Learning rate of Adam; 3e-4 or 1e-3 if None.
    beta_1 : float, default=0.99
        Decay rate of Adam's mean gradient.
    beta_2 : float, default=0.999
        Decay rate of Adam's mean squared gradient.
    tol : float, default=1e-6
        A stage ends when its objective changed by at most this share between two checkpoints.
    checkpoint : int, default=None
        Iterations between two checkpoints; 1000 or 300 if None.
    threshold : float, default=0.3
        Edges of at most this magnitude are dropped at the end.
    sigma_floor : float, default=1e-4
        Noise levels are at least this share of where they start: the standard deviation of the
        column, or the smallest one for "ev"; without effect for "ls". It is meant for nodes that
        their parents determine; a warning names the nodes whose level ends there. Less than 1e-7,
        the accuracy of a residual's deviation, has the effect of 1e-7.
    scale : {"global", None}, default="global"
        "global" divides all columns by one number during the fit, so that a change of the common
        unit changes nothing. It is half the geometric mean of the noise levels, which is known
        before the graph is: it is :math:`(\det C)^{1 / 2d}` for the covariance matrix C of every
        linear acyclic model. None takes the columns as they are, as the authors' code does:
        multiplying X by c then acts like dividing `alpha` and multiplying `mu_init` by c, and far
        from unit noise the weights may not become acyclic.
    assume_centered : bool, default=False
        Take the means to be zero.
    missing : {"raise", "em"}, default="raise"
        What `fit` does with NaN in rows in memory. "em" takes the means and covariances of largest
        normal likelihood given what was observed, which is right if whether a value is missing
        depends on observed values only. Rows stay, however much of them is missing; nothing is
        imputed. Columns that others determine are refused. `predict` then takes NaN too, all else
        wants complete rows.
    exclude_edges : array-like, default=None
        Forbidden edges: pairs (from, to) of column numbers or names, or a boolean matrix.
    include_edges : array-like, default=None
        Required edges, in the same forms. They are not penalised and never dropped, and edges that
        would close a cycle with them are forbidden.
    tiers : array-like of shape (n_features,), default=None
        Tier of each column; no edge leads from a higher tier to a lower one.
    init : array-like of shape (n_features, n_features), default=None
        Weights to start from, instead of zero, with the noise levels that belong to them. For "nv"
        the `raw_adjacency_` of a fit with "ev" is a good start.
    warm_start : bool, default=False
        Start from the previous call of `fit`.
    refit : bool, default=False
        Replace the weights of the graph, which are shrunken, by least squares of each node on its
        parents, and the noise levels by their residuals.
    alphas : array-like of shape (n_alphas,), default=(0.4, 0.2, 0.1, 0.05, 0.02, 0.01)
        What "bic" and "stability" choose from; each takes a fit, or 20.
    random_state : int, RandomState or None, default=None
        Seed of the samples for "stability"; nothing else is random.
    n_blas_threads : int, default=1
        Threads of matrix products during the fit. More than one slow down all but the largest
        problems; run several fits at once instead.
    verbose : int, default=0
        Show a bar of the stages if positive, which needs tqdm. `checkpoints_` and
        `ConvergenceDisplay` say how a fit went.

    Attributes
    ----------
    adjacency_matrix_ : ndarray of shape (n_features, n_features)
        Weights of the acyclic graph. ``adjacency_matrix_[i, j] != 0`` is an edge *from i to j*;
        some packages, among them lingam, use the transpose.
    raw_adjacency_ : ndarray of shape (n_features, n_features)
        Weights at the end of the path, before small ones are dropped.
    sigma_ : float or ndarray of shape (n_features,)
        Noise standard deviations at `raw_adjacency_` (with `refit`, at `adjacency_matrix_`); one
        number for "ev".
    on_floor_ : ndarray of shape (n_features,)
        Whether the noise level of the node is at its floor, and so no estimate.
    mean_ : ndarray of shape (n_features,)
        Means of the columns.
    causal_order_ : ndarray of shape (n_features,)
        The nodes, causes before effects.
    n_iter_ : ndarray of shape (n_stages,)
        Iterations of each stage, repeated attempts included.
    s_ : list of float
        Bounds that were used; larger than `s` where a stage had to be repeated.
    alpha_ : float
        The strength that was used.
    criterion_ : ndarray of shape (n_alphas,) or None
        Information criterion or instability at `alphas`, in decreasing order of these; None for a
        number `alpha`.
    objective_ : float
        Objective of the last stage, in the unit of the fit: with ``scale="global"`` a number that
        no common unit of the columns and no factor of the sample weights changes.
    h_ : float
        Acyclicity of `raw_adjacency_`, the value of `logdet_acyclicity` at the last of `s_`; nearly
        0. It has no unit, and depends on those of the columns no more than `objective_`. A warning
        is given above 0.01.
    converged_ : bool
        Whether the last stage met `tol`, which is relative to the objective, and `h_` is at most
        0.01.
    checkpoints_ : list of Checkpoint
        Stage, iterations, objective, score, acyclicity and noise level at each checkpoint, for
        `ConvergenceDisplay`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X has string column names.

    See Also
    --------
    BootstrapDAG : How stable are the edges, and which alpha is.
    SortNRegress : The baseline that any such method should beat.
    var_sortability : Whether variances grow along the edges.

    Notes
    -----
    Only the covariance matrix is used: time and memory of the iterations do not depend on the
    number of rows. One iteration costs an inverse and a product of (n_features, n_features)
    matrices in reference mode.

    "nv" is not consistent under arbitrary unequal variances. On small graphs (20 nodes) "ev" and
    "ls" are often better even then; the advantage of "nv" shows from about 50 nodes with weak
    edges.

    Interrupting a fit leaves the estimator as it was.

    References
    ----------
    .. [1] S. S. Saboksayr, G. Mateos, M. Tepper, "CoLiDE: Concomitant Linear DAG Estimation",
       ICLR 2024.
    .. [2] K. Bello, B. Aragam, P. Ravikumar, "DAGMA: Learning DAGs via M-matrices and a
       Log-Determinant Acyclicity Characterization", NeurIPS 2022.

    Examples
    --------
    >>> from skreg.causal import CoLiDE
    >>> from skreg.causal.metrics import structural_hamming_distance
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(1000, 8, edges_per_node=1, noise_variance=3.0, random_state=0)
    >>> model = CoLiDE("ev").fit(sem.X)
    >>> structural_hamming_distance(sem.adjacency, model.adjacency_matrix_)
    0
    >>> f"{model.sigma_:.2f} for {sem.noise_scale[0]:.2f}"
    '1.73 for 1.73'
    """

    criterion_: Any  # an array, or None

    _parameter_constraints: ClassVar[dict] = {
        "noise": [StrOptions({"ev", "nv", "ls"})],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"bic", "stability"})],
        "mode": [StrOptions({"reference", "fast"})],
        "n_stages": [Interval(Integral, 1, None, closed="left")],
        "mu_init": [Interval(Real, 0, None, closed="neither")],
        "mu_factor": [Interval(Real, 0, 1, closed="neither")],
        "s": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "warm_iter": [None, Interval(Integral, 1, None, closed="left")],
        "max_iter": [None, Interval(Integral, 1, None, closed="left")],
        "learning_rate": [None, Interval(Real, 0, None, closed="neither")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "checkpoint": [None, Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "sigma_floor": [Interval(Real, 0, None, closed="left")],
        "scale": [None, StrOptions({"global"})],
        "assume_centered": ["boolean"],
        "missing": [StrOptions({"raise", "em"})],
        "exclude_edges": [None, "array-like"],
        "include_edges": [None, "array-like"],
        "tiers": [None, "array-like"],
        "init": [None, "array-like"],
        "warm_start": ["boolean"],
        "refit": ["boolean"],
        "alphas": ["array-like"],
        "random_state": ["random_state"],
        "n_blas_threads": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        noise: Literal["ev", "nv", "ls"] = "nv",
        alpha: float | Literal["bic", "stability"] = 0.05,
        *,
        mode: Literal["reference", "fast"] = "reference",
        n_stages: int = 4,
        mu_init: float = 1.0,
        mu_factor: float = 0.1,
        s: ArrayLike = (1.0, 0.9, 0.8, 0.7),
        warm_iter: int | None = None,
        max_iter: int | None = None,
        learning_rate: float | None = None,
        beta_1: float = 0.99,
        beta_2: float = 0.999,
        tol: float = 1e-6,
        checkpoint: int | None = None,
        threshold: float = 0.3,
        sigma_floor: float = 1e-4,
        scale: Literal["global"] | None = "global",
        assume_centered: bool = False,
        missing: Literal["raise", "em"] = "raise",
        exclude_edges: Any = None,
        include_edges: Any = None,
        tiers: ArrayLike | None = None,
        init: ArrayLike | None = None,
        warm_start: bool = False,
        refit: bool = False,
        alphas: ArrayLike = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01),
        random_state: Any = None,
        n_blas_threads: int = 1,
        verbose: int = 0,
    ) -> None:
        self.noise = noise
        self.alpha = alpha
        self.mode = mode
        self.n_stages = n_stages
        self.mu_init = mu_init
        self.mu_factor = mu_factor
        self.s = s
        self.warm_iter = warm_iter
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.tol = tol
        self.checkpoint = checkpoint
        self.threshold = threshold
        self.sigma_floor = sigma_floor
        self.scale = scale
        self.assume_centered = assume_centered
        self.missing = missing
        self.exclude_edges = exclude_edges
        self.include_edges = include_edges
        self.tiers = tiers
        self.init = init
        self.warm_start = warm_start
        self.refit = refit
        self.alphas = alphas
        self.random_state = random_state
        self.n_blas_threads = n_blas_threads
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate graph and noise levels.

        Parameters
        ----------
        X : {array-like, dask array, dask data frame} of shape (n_samples, n_features)
            Values of all nodes; not changed. Of a dask collection only moments leave the workers.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. An integer weight equals that many copies of the row.

        Returns
        -------
        CoLiDE
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or the weights have infinity, or NaN that `missing` does not allow, X has a
            constant column or fewer than two rows or columns, weights add up to less than 2 rows
            with ``alpha="bic"``, or a parameter does not fit the columns.
        """
        names, data = self._described(X, sample_weight)
        stable = self._stable_alpha(X, sample_weight) if self.alpha == "stability" else None
        self._fit_described(names, data, stable)
        return self

    def _fit_described(self, names, data, stable=None):
        if self.alpha == "bic":
            check_number_of_rows(data.total, "alpha='bic'")
        check_columns(self._centred(data), names)
        problem, solution = self._fit_moments(data, names, stable)
        self._warn(problem, solution, names)
        if self.alpha == "bic":
            alphas, chosen = self._alphas(), int(np.argmin(self.criterion_))
            # where the largest two give the same graph, it has ceased to change with alpha
            settled = len(alphas) > 1 and self.criterion_[0] == self.criterion_[1]
            from_null = settled or not self.adjacency_matrix_.any()
            warn_at_edge("CoLiDE", alphas, chosen, from_null=from_null)

    def _stable_alpha(self, X, sample_weight):
        """The chosen strength and the instabilities, from rows in memory."""
        if is_dask_collection(X):
            raise ValueError(f"X is a dask collection: {NO_ROWS}")
        X, sample_weight = validate_rows(self, X, sample_weight, allow_nan=True)
        refuse_missing(X, "alpha='stability' draws complete rows; use a number or 'bic'")
        names, alphas = self._names(), self._alphas()
        check_columns(self._centred(moments(X, sample_weight)), names)
        chosen, unstable = stability_of(self, alphas, X, sample_weight, names, self.random_state)
        return float(alphas[chosen]), unstable

    def _alphas(self):
        return checked_alphas(self.alphas)

    def _fit_moments(self, data, names, stable=None):
        """Fit to `Moments`, without warnings; constant columns become nodes without edges.

        `stable` has the strength that rows chose, and the instabilities that told.
        """
        if self.alpha == "bic":
            alphas = self._alphas()
            fits = [self._solve_at(alpha, data, names) for alpha in alphas]
            self.criterion_ = np.array(
                [information_criterion(fit[0], self._graph(*fit), data.total) for fit in fits]
            )
            best = int(np.argmin(self.criterion_))
            self.alpha_, (problem, solution) = float(alphas[best]), fits[best]
        else:
            if self.alpha == "stability" and stable is None:
                raise ValueError(NO_ROWS)
            self.alpha_, self.criterion_ = (float(self.alpha), None) if stable is None else stable
            problem, solution = self._solve_at(self.alpha_, data, names)
        self._store(problem, solution)
        return problem, solution

    def _solve_at(self, alpha, data, names):
        problem = self._problem(self._centred(data), names, alpha)
        with threadpool_limits(self.n_blas_threads, user_api="blas"):
            return problem, self._solve(problem, self._start())

    def _learner_of_samples(self):
        # resampling the rows of every sample once more would cost its square
        return clone(self).set_params(alpha=self.alpha_) if self.alpha == "stability" else self

    def _start(self):
        if self.warm_start and hasattr(self, "raw_adjacency_"):
            return self.raw_adjacency_
        return None if self.init is None else as_square("init", self.init)

    def _problem(self, data, names, alpha):
        """What to solve, at the unit in which it is solved, for the columns that vary."""
        excluded, included = constraint_masks(
            self.exclude_edges, self.include_edges, self.tiers, names
        )
        penalty = np.full(included.shape, float(alpha))
        penalty[included] = 0.0
        penalty[excluded] = EXCLUDED
        nodes = np.flatnonzero(~data.constant)
        block = np.ix_(nodes, nodes)
        C = data.covariance[block]
        unit = NOISE_IN_UNITS * noise_level(C) if self.scale else 1.0
        deviations = np.sqrt(np.diagonal(C)) / unit
        C = C / unit / unit
        if self.mode == "fast":
            check_single_precision(C)
        noise, sigma = noise_at_start(self.noise, deviations, self.sigma_floor)
        return Problem(C, noise, penalty[block], sigma, included[block], unit, nodes, data.mean)

    def _largest_alpha(self, data, names):
        """The smallest alpha at which no edge lowers the score of the empty graph."""
        return largest_strength(self._problem(self._centred(data), names, alpha=0.0))

    def _centred(self, data):
        return about_zero(data) if self.assume_centered else data

    def _schedule(self):
        return make_schedule(
            self.mode,
            n_stages=self.n_stages,
            mu_init=self.mu_init,
            mu_factor=self.mu_factor,
            s=self.s,
            warm_iter=self.warm_iter,
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            rates=Rates(float(self.beta_1), float(self.beta_2)),
            checkpoint=self.checkpoint,
            tol=self.tol,
        )

    def _solve(self, problem, start):
        C, sigma = problem.covariance, problem.sigma
        d = len(problem.mean)
        if start is None:
            W = np.zeros_like(C)
        elif start.shape != (d, d):
            before = start is getattr(self, "raw_adjacency_", None)
            by = "the previous fit" if before else "init"
            raise ValueError(f"{by} has shape {start.shape}; X has {d} columns")
        else:
            W = start[np.ix_(problem.nodes, problem.nodes)]
            W = np.where(problem.penalty == EXCLUDED, 0.0, W)
            sigma = sigma.copy()
            set_noise_scale(problem.noise, residual_mean_squares(C, W), sigma)
        return follow_central_path(
            C, problem.noise, problem.penalty, W, sigma, self._schedule(), self.verbose
        )

    def _warn(self, problem, solution, names):
        warn_of_equal_variances(np.diagonal(problem.covariance))
        where = f"{SMALLEST_SHARE:g} of the column's deviation"
        if self.noise != "ls" and self.sigma_floor > SMALLEST_SHARE:
            where = f"sigma_floor={self.sigma_floor:g} of where it starts"
        warn_of_floor(self.on_floor_, self.sigma_, names, where)
        remedy = "Increase n_stages or bring the columns to a common unit."
        warn_of_cycles(self.h_, remedy if self.scale else "Use scale='global' or more n_stages.")
        warn_of_no_convergence(solution, self.tol, "Increase max_iter, n_stages or tol.")

    def _graph(self, problem, solution):
        return acyclic_part(solution.W, self.threshold, problem.included)

    def _store(self, problem, solution):
        W, C = solution.W, problem.covariance
        graph = self._graph(problem, solution)
        if self.refit:
            graph = regress_on_parents(C, graph != 0)
        fitted = graph if self.refit else W
        sigma, on_floor = noise_levels(problem, fitted)
        self.raw_adjacency_ = problem.among_all(W)
        self.adjacency_matrix_ = problem.among_all(graph)
        self.sigma_ = float(sigma[0]) if self.noise == "ev" else problem.among_all(sigma)
        self.on_floor_ = problem.among_all(on_floor)
        self.mean_ = problem.mean
        self.causal_order_ = topological_order(self.adjacency_matrix_ != 0)
        self.n_iter_, self.s_ = np.array(solution.n_iter), solution.s
        self.checkpoints_ = [
            point._replace(noise_scale=point.noise_scale * problem.unit)
            for point in solution.checkpoints
        ]
        self.objective_ = solution.checkpoints[-1].objective
        self.h_ = acyclicity(W, solution.s[-1])
        self.converged_ = solution.converged and self.h_ <= LARGEST_H
