"""The estimator `StructuralVAR`."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.linalg  # noqa: F401  loads the BLAS of compiled kernels, so that it can be limited
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from skreg._companion import reduced_form, spectral_radius
from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions, _fit_context
from skreg._state import all_or_nothing
from skreg.causal._acyclicity import acyclicity
from skreg.causal._autoregression import Autoregression, impulse_responses, lagged_rows
from skreg.causal._central_path import follow_central_path
from skreg.causal._cycles import acyclic_part
from skreg.causal._exports_mixin import ExportsMixin
from skreg.causal._fit_warnings import (
    LARGEST_H,
    warn_of_cycles,
    warn_of_equal_variances,
    warn_of_floor,
    warn_of_no_convergence,
)
from skreg.causal._lagged_problem import FLOOR, lagged_problem
from skreg.causal._names import default_names
from skreg.causal._problem import noise_levels
from skreg.causal._regressions import SMALLEST_SHARE, regress_on_parents
from skreg.causal._schedule import make_schedule
from skreg.causal._series import (
    check_variables,
    checked_series,
    series_slices,
    warn_of_unit_roots,
    warn_of_unstable,
)
from skreg.graphs import topological_order
from skreg.moments import moments


class StructuralVAR(ExportsMixin, Estimator):
    r"""Structural vector autoregression with acyclic instantaneous effects, and its noise levels.

    The variables at one time depend on one another along an acyclic graph, and on their past:

    .. math::
        x_t = c + W^\top x_t + \sum_{l=1}^p A_l^\top x_{t-l} + u_t ,

    with independent noises of standard deviations :math:`\sigma_j`. Both kinds of weights and the
    noise levels are estimated together. The model and the penalties are those of DYNOTEARS [1]_,
    the score is that of `CoLiDE` [2]_, whose noise level is part of the problem, in place of least
    squares, and acyclicity is approached along its central path:

    .. math::
        \min_{W, A, \sigma \ge \sigma_0} \; \mu_k \Big[ \sum_j \Big( \frac{q_j(W, A)}{2 \sigma_j}
        + \frac{\sigma_j}{2} \Big) + \alpha \|W\|_1 + \alpha_A \sum_l \|A_l\|_1 \Big]
        + h_{s_k}(W) ,

    where :math:`q_j` is the mean squared residual of variable j. Past values can only be causes, so
    that acyclicity concerns W alone.

    .. warning::
        As in `CoLiDE`, the directions of instantaneous effects come from the variances of the
        noises and change with the units of single columns. The directions of lagged effects come
        from time.

    Parameters
    ----------
    order : int, default=1
        Number p of lags. With 0 the rows are independent, and the graph is that of `CoLiDE`.
    alpha : float, default=0.05
        Strength of the L1 penalty on instantaneous weights.
    alpha_lagged : float, default=None
        Strength :math:`\alpha_A` of the penalty on lagged weights; that of `alpha` if None. With 0
        the instantaneous weights are those of `CoLiDE` on the residuals of a vector autoregression
        by least squares. Worth tuning: where rows are few, larger values are better.
    noise : {"ev", "nv", "ls"}, default="nv"
        "ev" has one noise level for all variables, "nv" one for each; "ls" is least squares, the
        score of DYNOTEARS, which takes all levels to be 1.
    mode : {"reference", "fast"}, default="reference"
        Iterations of the solver, see `CoLiDE`.
    threshold : float, default=0.3
        Instantaneous weights of at most this magnitude are dropped.
    threshold_lagged : float, default=0.1
        Lagged weights of at most this magnitude are dropped. It may be smaller: no acyclicity
        leaves remains of edges that turned round.
    exclude_edges : array-like, default=None
        Forbidden instantaneous edges: pairs (from, to) of column numbers or names, or a boolean
        matrix.
    include_edges : array-like, default=None
        Required instantaneous edges, in the same forms. They are not penalised and never dropped.
    tiers : array-like of shape (n_variables,), default=None
        Tier of each column; no instantaneous edge leads from a higher tier to a lower one.
    exclude_lagged_edges : array-like, default=None
        Forbidden lagged edges, in the forms of `exclude_edges`, at all lags.
    refit : bool, default=False
        Replace the weights of the graph, which are shrunken, by least squares of each variable on
        its parents.
    warm_iter : int, default=None
        Largest number of iterations of each stage but the last; 20000 if None.
    max_iter : int, default=None
        Largest number of iterations of the last stage; 70000 if None.
    checkpoint : int, default=None
        Iterations between two checkpoints; 1000 or 300 if None.
    tol : float, default=1e-6
        A stage ends when its objective changed by at most this share between two checkpoints.
    n_blas_threads : int, default=1
        Threads of matrix products during the fit.

    Attributes
    ----------
    adjacency_matrix_ : ndarray of shape (n_variables, n_variables)
        Instantaneous weights W of an acyclic graph; ``adjacency_matrix_[i, j] != 0`` is an edge
        from i to j.
    lagged_adjacency_ : ndarray of shape (order, n_variables, n_variables)
        Lagged weights; ``lagged_adjacency_[l - 1, i, j]`` is the effect of variable i at t - l on
        variable j at t.
    intercept_ : ndarray of shape (n_variables,)
        The constants c.
    sigma_ : float or ndarray of shape (n_variables,)
        Noise standard deviations, those of the residuals of `adjacency_matrix_` and
        `lagged_adjacency_`; one number for "ev".
    on_floor_ : ndarray of shape (n_variables,)
        Whether the noise level of the variable is at its floor, and so no estimate.
    spectral_radius_ : float
        Largest modulus of the eigenvalues of the companion matrix of the reduced form. The process
        is stable if it is below 1; a warning is given otherwise.
    causal_order_ : ndarray of shape (n_variables,)
        The variables, instantaneous causes before effects.
    n_iter_ : ndarray of shape (4,)
        Iterations of each stage.
    h_ : float
        Acyclicity of the instantaneous weights at the end of the path; nearly 0. A warning is given
        above 0.01.
    converged_ : bool
        Whether the last stage met `tol` and `h_` is at most 0.01.
    checkpoints_ : list of Checkpoint
        Progress of the fit, for `ConvergenceDisplay`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_variables,)
        Names of the columns, if X has string column names.

    See Also
    --------
    CoLiDE : For rows that are independent.
    rolling_evaluation : Forecasts and edges as a window moves through a series.

    Notes
    -----
    Only moments are used. With z the variables and their lags side by side, C their covariance
    matrix of (1 + p) d columns and V the weights W above those of the lags, the residuals are
    :math:`(E - V)^\top z` with E the first d columns of the identity, and :math:`q_j` is
    :math:`[(E - V)^\top C (E - V)]_{jj}`. That is the problem of `CoLiDE` with columns of V for the
    variables at t only: an iteration costs the product C V and an inverse of d rows, whatever the
    order.

    Without a penalty on the lags, the best ones for given W are :math:`B_l (I - W)` with the
    least-squares autoregression B, and what is left of the score is that of `CoLiDE` on its
    residuals. The penalty makes the two steps one problem.

    The means of the variables and of each lag are subtracted, which is a constant by least squares.
    As in `CoLiDE` with ``scale="global"``, columns are divided by one number during the fit: half
    the geometric mean of the noise levels, which every acyclic W shares. It comes from the
    residuals of the least-squares autoregression, or where there are no more rows than columns and
    lags, from the columns themselves.

    References
    ----------
    .. [1] R. Pamfil, N. Sriwattanaworachai, S. Desai, P. Pilgerstorfer, P. Beaumont,
       K. Georgatzis, B. Aragam, "DYNOTEARS: Structure Learning from Time-Series Data", AISTATS
       2020.
    .. [2] S. S. Saboksayr, G. Mateos, M. Tepper, "CoLiDE: Concomitant Linear DAG Estimation",
       ICLR 2024.
    .. [3] S. Rey, G. Mateos, "Non-negative DAG Learning from Time-Series Data", arXiv 2512.07267,
       2025, which has the same model with least squares and nonnegative weights.
    .. [4] H. Lütkepohl, "New Introduction to Multiple Time Series Analysis", 2005, ch. 2 and 9.

    Examples
    --------
    >>> from skreg.causal import StructuralVAR
    >>> from skreg.causal.metrics import structural_hamming_distance
    >>> from skreg.datasets import make_structural_var
    >>> series = make_structural_var(500, 5, order=1, random_state=0)
    >>> model = StructuralVAR(order=1, mode="fast").fit(series.X)
    >>> structural_hamming_distance(series.adjacency, model.adjacency_matrix_)
    0
    >>> model.forecast(series.X, steps=3).shape
    (3, 5)
    """

    _parameter_constraints: ClassVar[dict] = {
        "order": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "alpha_lagged": [None, Interval(Real, 0, None, closed="left")],
        "noise": [StrOptions({"ev", "nv", "ls"})],
        "mode": [StrOptions({"reference", "fast"})],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "threshold_lagged": [Interval(Real, 0, None, closed="left")],
        "exclude_edges": [None, "array-like"],
        "include_edges": [None, "array-like"],
        "tiers": [None, "array-like"],
        "exclude_lagged_edges": [None, "array-like"],
        "refit": ["boolean"],
        "warm_iter": [None, Interval(Integral, 1, None, closed="left")],
        "max_iter": [None, Interval(Integral, 1, None, closed="left")],
        "checkpoint": [None, Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_blas_threads": [Interval(Integral, 1, None, closed="left")],
    }

    n_features_in_: int

    def __init__(
        self,
        order: int = 1,
        alpha: float = 0.05,
        *,
        alpha_lagged: float | None = None,
        noise: Literal["ev", "nv", "ls"] = "nv",
        mode: Literal["reference", "fast"] = "reference",
        threshold: float = 0.3,
        threshold_lagged: float = 0.1,
        exclude_edges: Any = None,
        include_edges: Any = None,
        tiers: ArrayLike | None = None,
        exclude_lagged_edges: Any = None,
        refit: bool = False,
        warm_iter: int | None = None,
        max_iter: int | None = None,
        checkpoint: int | None = None,
        tol: float = 1e-6,
        n_blas_threads: int = 1,
    ) -> None:
        self.order = order
        self.alpha = alpha
        self.alpha_lagged = alpha_lagged
        self.noise = noise
        self.mode = mode
        self.threshold = threshold
        self.threshold_lagged = threshold_lagged
        self.exclude_edges = exclude_edges
        self.include_edges = include_edges
        self.tiers = tiers
        self.exclude_lagged_edges = exclude_lagged_edges
        self.refit = refit
        self.warm_iter = warm_iter
        self.max_iter = max_iter
        self.checkpoint = checkpoint
        self.tol = tol
        self.n_blas_threads = n_blas_threads

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: ArrayLike, y: None = None, groups: ArrayLike | None = None) -> Self:
        """Estimate both graphs and the noise levels.

        Parameters
        ----------
        X : array-like of shape (n_times, n_variables)
            Rows in the order of time, at equal distances; not changed.
        y : None
            Ignored.
        groups : array-like of shape (n_times,), default=None
            Series that each row belongs to, where X holds several, one below the other. Lags do not
            reach from one into another; all have the same weights, constants and noise levels.

        Returns
        -------
        StructuralVAR
            The fitted estimator.

        Raises
        ------
        ValueError
            If X has NaN or infinity, too few rows or a column without variation, the past
            determines a column, rows of a group do not stand together, or a parameter does not fit
            the columns.
        """
        values = checked_series(self, X, True)
        series = series_slices(values, groups, self.order, 2)
        rows = lagged_rows(values, self.order, series)
        names, d = self._names(), values.shape[1]
        data = moments(rows, np.ones(len(rows)))
        check_variables(data, d, names)
        problem = lagged_problem(data, d, self, names)
        schedule = make_schedule(
            self.mode,
            warm_iter=self.warm_iter,
            max_iter=self.max_iter,
            checkpoint=self.checkpoint,
            tol=self.tol,
        )
        start = np.zeros_like(problem.penalty)
        with threadpool_limits(self.n_blas_threads, user_api="blas"):
            solution = follow_central_path(
                problem.covariance, problem.noise, problem.penalty, start, problem.sigma, schedule
            )
        self._store(problem, solution, data.mean)
        warn_of_equal_variances(values.var(axis=0))  # of all rows, the first ones included
        self._warn(solution, names)
        warn_of_unit_roots(values, series, self.order, names)
        return self

    def _store(self, problem, solution, mean):
        C, d, V = problem.covariance, problem.penalty.shape[1], solution.W
        graph = np.where(np.abs(V) > self.threshold_lagged, V, 0.0)
        graph[:d] = acyclic_part(V[:d], self.threshold, problem.included)
        if self.refit:
            graph = regress_on_parents(C, graph != 0)
        self.adjacency_matrix_ = graph[:d].copy()
        self.lagged_adjacency_ = graph[d:].reshape(self.order, d, d).copy()
        self.intercept_ = mean[:d] - mean @ graph
        sigma, self.on_floor_ = noise_levels(problem, graph)
        self.sigma_ = float(sigma[0]) if self.noise == "ev" else sigma
        self.spectral_radius_ = spectral_radius(
            reduced_form(self.adjacency_matrix_, self.lagged_adjacency_)
        )
        self.causal_order_ = topological_order(self.adjacency_matrix_ != 0)
        self.n_iter_ = np.array(solution.n_iter)
        self.checkpoints_ = [
            point._replace(noise_scale=point.noise_scale * problem.unit)
            for point in solution.checkpoints
        ]
        self.h_ = acyclicity(V[:d], solution.s[-1])
        self.converged_ = solution.converged and self.h_ <= LARGEST_H

    def _warn(self, solution, names):
        starts = f"{FLOOR:g} of where it starts"
        where = f"{SMALLEST_SHARE:g} of the column's deviation" if self.noise == "ls" else starts
        warn_of_floor(self.on_floor_, self.sigma_, names, where)
        warn_of_cycles(self.h_, "Bring the columns to a common unit.")
        warn_of_no_convergence(solution, self.tol, "Increase max_iter or tol.")
        warn_of_unstable(self.spectral_radius_)

    def _names(self):
        names = getattr(self, "feature_names_in_", None)
        return default_names(self.n_features_in_) if names is None else [str(n) for n in names]

    def _nodes(self):
        return self.unrolled()

    def unrolled(self) -> tuple[list[str], np.ndarray]:
        """Graph of the variables at t and of their lags, all as nodes of their own.

        Returns
        -------
        names : list of str
            Names of the variables at t, then at t - 1, and so on: ``x0``, ``x1``, ``x0(t-1)``.
        weights : ndarray of shape ((1 + order) * n_variables, (1 + order) * n_variables)
            Weights of an acyclic graph; all edges lead to variables at t. This is also the graph of
            `edges`, `to_networkx` and the other exports.

        Raises
        ------
        ValueError
            If a column has the name of another one's lag.
        """
        check_is_fitted(self)
        names, d = self._names(), self.n_features_in_
        lags = range(1, len(self.lagged_adjacency_) + 1)
        lagged = [f"{name}(t-{lag})" for lag in lags for name in names]
        both = sorted({*names}.intersection(lagged))
        if both:
            raise ValueError(
                f"a column is called {both[0]!r}, as the lag of another one is here; rename it, or "
                "leave it out if it holds that lag"
            )
        weights = np.zeros((len(names) + len(lagged),) * 2)
        weights[:, :d] = np.vstack([self.adjacency_matrix_, *self.lagged_adjacency_])
        return names + lagged, weights

    def innovations(self, X: ArrayLike, groups: ArrayLike | None = None) -> np.ndarray:
        r"""Structural residuals :math:`u_t` of every row that has all its lags.

        Parameters
        ----------
        X : array-like of shape (n_times, n_variables)
            Rows in the order of time.
        groups : array-like of shape (n_times,), default=None
            Series that each row belongs to, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_variables)
            Residuals of the rows of X without the first `order` of each series.

        Raises
        ------
        ValueError
            If X has NaN or infinity, or no row has all its lags.
        """
        check_is_fitted(self)
        values, order = checked_series(self, X, False), len(self.lagged_adjacency_)
        rows = lagged_rows(values, order, series_slices(values, groups, order, 1))
        current = rows[:, : values.shape[1]]
        V = np.vstack([self.adjacency_matrix_, *self.lagged_adjacency_])
        return current - self.intercept_ - rows @ V

    def score(self, X: ArrayLike, y: None = None, groups: ArrayLike | None = None) -> float:
        r"""Mean Gaussian log-likelihood of the rows given those before them.

        Parameters
        ----------
        X : array-like of shape (n_times, n_variables)
            Rows in the order of time.
        y : None
            Ignored.
        groups : array-like of shape (n_times,), default=None
            Series that each row belongs to, as in `fit`.

        Returns
        -------
        float
            Mean of :math:`-\frac12 \sum_j \log(2 \pi \sigma_j^2) + u_{tj}^2 / \sigma_j^2`, since
            the determinant of I - W is 1.

        Raises
        ------
        ValueError
            As `innovations`.
        """
        ratio = (self.innovations(X, groups) / self.sigma_) ** 2
        return float(-0.5 * (np.log(2 * np.pi * np.square(self.sigma_)) + ratio).sum(axis=1).mean())

    def reduced_form(self) -> np.ndarray:
        r"""Coefficients of the autoregression without instantaneous terms.

        Returns
        -------
        ndarray of shape (order, n_variables, n_variables)
            :math:`B_l = A_l (I - W)^{-1}`; entry [l - 1, i, j] leads from variable i at t - l to
            variable j at t. `statsmodels.tsa.api.VAR` has the transposes.
        """
        check_is_fitted(self)
        return reduced_form(self.adjacency_matrix_, self.lagged_adjacency_)

    def forecast(self, X: ArrayLike, steps: int = 1) -> np.ndarray:
        """Means of the rows that follow.

        Parameters
        ----------
        X : array-like of shape (n_times, n_variables)
            Rows of one series in the order of time, the last of which is the latest; at least
            `order`.
        steps : int, default=1
            How many rows to forecast.

        Returns
        -------
        ndarray of shape (steps, n_variables)
            Forecasts.

        Raises
        ------
        ValueError
            If X has NaN or infinity or fewer than `order` rows, or steps is not positive.
        """
        check_is_fitted(self)
        values, steps = checked_series(self, X, False), _checked_steps(steps, 1)
        order = len(self.lagged_adjacency_)
        if len(values) < order:
            raise ValueError(f"X has {len(values)} rows; order={order} lags are needed to forecast")
        intercept = self.intercept_ @ self.impulse_responses(0)[0]
        return Autoregression(intercept, self.reduced_form()).forecast(values, steps)

    def impulse_responses(self, steps: int = 10) -> np.ndarray:
        r"""Changes of all variables after a noise that is larger by one.

        Parameters
        ----------
        steps : int, default=10
            How far to follow the change.

        Returns
        -------
        ndarray of shape (steps + 1, n_variables, n_variables)
            :math:`\Theta_h = \sum_l \Theta_{h-l} B_l` with :math:`\Theta_0 = (I - W)^{-1}` for
            h = 0 .. steps; entry [h, i, j] is the change of variable j at t + h after the noise of
            variable i at t. Multiply by ``sigma_[:, None]``, or the number `sigma_`, for
            noises of one standard deviation.

        Raises
        ------
        ValueError
            If steps is negative or no integer.
        """
        check_is_fitted(self)
        steps = _checked_steps(steps, 0)
        return impulse_responses(self.adjacency_matrix_, self.lagged_adjacency_, steps)


def _checked_steps(steps, smallest):
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < smallest:
        raise ValueError(f"steps={steps!r} must be an integer of at least {smallest}")
    return int(steps)
