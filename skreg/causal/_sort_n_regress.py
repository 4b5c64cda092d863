"""The baseline that reads the causal order off the columns' variances."""

from numbers import Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import lars_path_gram
from sklearn.utils import check_array

from skreg._sklearn import Interval, StrOptions, _fit_context
from skreg._state import all_or_nothing
from skreg.causal._fit_warnings import warn_of_equal_variances, warn_of_floor
from skreg.causal._moments_dag import MomentsDAG
from skreg.causal._regressions import SMALLEST_SHARE, as_correlations, residual_scale
from skreg.causal._validation import check_columns, check_number_of_rows
from skreg.graphs import as_square, is_acyclic

TIE = 1e-9
SMALLEST_SQUARE = 1e-12


class SortNRegress(MomentsDAG):
    r"""Sort the columns by variance and regress each on those before it.

    The baseline of [1]_: on simulated data variances tend to grow along the edges, so that the
    sorted columns are nearly a causal order. A method that does not beat it has not learned more
    than that from the data. Each regression is a lasso weighted by the least-squares coefficients,
    tuned by the Bayesian information criterion along its path, as in
    `sklearn.linear_model.LassoLarsIC`. Where a node has as many columns before it as
    there are rows, or no noise, the criterion takes the noise variance from each candidate, which
    may have half as many coefficients as there are rows.

    Parameters
    ----------
    sort_by : {"variance", "r2"}, default="variance"
        "r2" sorts by the share of variance that all other columns explain, which no change of units
        affects [2]_.
    threshold : float, default=0.0
        Edges of at most this magnitude are dropped.
    missing : {"raise", "em"}, default="raise"
        What `fit` does with NaN in rows in memory. "em" takes the means and covariances of largest
        normal likelihood given what was observed, which is right if whether a value is missing
        depends on observed values only. Rows stay, however much of them is missing; nothing is
        imputed. Columns that others determine are refused. `predict` then takes NaN too, all else
        wants complete rows.

    Attributes
    ----------
    adjacency_matrix_ : ndarray of shape (n_features, n_features)
        Weights; ``adjacency_matrix_[i, j] != 0`` is an edge from i to j.
    sigma_ : ndarray of shape (n_features,)
        Residual standard deviations.
    mean_ : ndarray of shape (n_features,)
        Means of the columns.
    causal_order_ : ndarray of shape (n_features,)
        The nodes in the order of `sort_by`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X has string column names.

    See Also
    --------
    var_sortability : How far variances follow a graph.

    References
    ----------
    .. [1] A. G. Reisach, C. Seiler, S. Weichwald, "Beware of the Simulated DAG! Causal Discovery
       Benchmarks May Be Easy To Game", NeurIPS 2021.
    .. [2] A. G. Reisach, M. Tami, C. Seiler, A. Chambaz, S. Weichwald, "A Scale-Invariant Sorting
       Criterion to Find a Causal Order in Additive Noise Models", NeurIPS 2023.

    Examples
    --------
    >>> from skreg.causal import SortNRegress
    >>> from skreg.causal.metrics import structural_hamming_distance
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(1000, 10, edges_per_node=2, random_state=0)
    >>> baseline = SortNRegress(threshold=0.3).fit(sem.X)
    >>> structural_hamming_distance(sem.adjacency, baseline.adjacency_matrix_)
    4
    """

    _parameter_constraints: ClassVar[dict] = {
        "sort_by": [StrOptions({"variance", "r2"})],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "missing": [StrOptions({"raise", "em"})],
    }

    def __init__(
        self,
        sort_by: Literal["variance", "r2"] = "variance",
        *,
        threshold: float = 0.0,
        missing: Literal["raise", "em"] = "raise",
    ) -> None:
        self.sort_by = sort_by
        self.threshold = threshold
        self.missing = missing

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Sort and regress.

        Parameters
        ----------
        X : {array-like, dask array, dask data frame} of shape (n_samples, n_features)
            Values of all nodes. Of a dask collection only moments leave the workers.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. An integer weight equals that many copies of the row.

        Returns
        -------
        SortNRegress
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or the weights have infinity, or NaN that `missing` does not allow, a column is
            constant, or the weights add up to less than 2 rows.
        """
        self._fit_described(*self._described(X, sample_weight))
        return self

    def _fit_described(self, names, data):
        check_number_of_rows(data.total, "the information criterion of SortNRegress")
        check_columns(data, names)
        on_floor = self._fit_moments(data, names)
        if self._directions_come_from_variances():
            warn_of_equal_variances(np.diagonal(data.covariance))
        warn_of_floor(on_floor, self.sigma_, names, f"{SMALLEST_SHARE:g} of the column's deviation")

    def _fit_moments(self, data, _):
        """Fit to `Moments`, without warnings; constant columns become nodes without edges.

        Returns at which nodes, (d,) bool, the residual deviation is at its floor.
        """
        C, n = data.covariance, data.total
        criterion = np.diagonal(C) if self.sort_by == "variance" else explained_variance(C)
        order = np.argsort(criterion, kind="stable")
        varying = order[~data.constant[order]]
        W = np.zeros_like(C)
        for k in range(1, len(varying)):
            before, node = varying[:k], varying[k]
            W[before, node] = adaptive_lasso(
                C[np.ix_(before, before)], C[before, node], C[node, node], n
            )
        self.adjacency_matrix_ = np.where(np.abs(W) > self.threshold, W, 0.0)
        self.sigma_, on_floor = residual_scale(C, self.adjacency_matrix_)
        self.mean_, self.causal_order_ = data.mean, order
        return on_floor

    def _directions_come_from_variances(self):
        return self.sort_by == "variance"


def explained_variance(C: np.ndarray) -> np.ndarray:
    """Share of each column's variance that all others explain, 1 - 1 / (R^-1)_jj.

    R are the correlations; -inf for constant columns.
    """
    correlation, _ = as_correlations(C)
    return 1.0 - 1.0 / np.diagonal(np.linalg.pinv(correlation, hermitian=True))


def adaptive_lasso(
    gram: np.ndarray, correlation: np.ndarray, variance: float, n: float
) -> np.ndarray:
    """Lasso on features times their least-squares coefficients, chosen by the BIC along its path.

    Parameters
    ----------
    gram : ndarray of shape (p, p)
        Covariance matrix of the features.
    correlation : ndarray of shape (p,)
        Covariances with the target.
    variance : float
        Variance of the target.
    n : float
        Number of samples.

    Returns
    -------
    ndarray of shape (p,)
        Coefficients.
    """
    standard, unit = as_correlations(gram)
    least_squares = np.linalg.lstsq(standard, correlation / unit, rcond=None)[0] / unit
    weight = np.abs(least_squares)
    # in units of the target's variance, since the path ends at absolute tolerances
    scale = n / variance
    _, _, shares = lars_path_gram(
        scale * correlation * weight, scale * gram * np.outer(weight, weight), n_samples=1,
        method="lasso",
    )  # fmt: skip
    coefs = shares * weight[:, None]

    def residual(w):
        return np.maximum(variance - 2 * correlation @ w + np.einsum("i...,i...", w, gram @ w), 0.0)

    n_nonzero = (np.abs(shares) > np.finfo(float).eps).sum(axis=0)
    noise = n * residual(least_squares) / (n - len(gram) - 1) if n > len(gram) + 1 else 0.0
    if noise > SMALLEST_SQUARE * variance:
        criterion = n * residual(coefs) / noise + np.log(n) * n_nonzero
    else:
        floor = SMALLEST_SQUARE * variance
        criterion = n * np.log(np.maximum(residual(coefs), floor)) + np.log(n) * n_nonzero
        criterion[n_nonzero > n / 2] = np.inf
    return coefs[:, np.argmin(criterion)]


def var_sortability(X: ArrayLike, W: ArrayLike) -> float:
    r"""Share of directed paths along which the variance grows.

    Pairs of nodes joined by a directed path count once for each length of such a path; a tie counts
    one half. Near 1, sorting by variance recovers the causal order (`SortNRegress`), and results of
    methods that use the variances say little about data in other units.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Values of all nodes.
    W : array-like of shape (n_features, n_features)
        Weights of an acyclic graph.

    Returns
    -------
    float
        Between 0 and 1; NaN for a graph without edges.

    Raises
    ------
    ValueError
        If X or W has NaN or infinity, the shapes do not match, or the graph has a cycle.

    References
    ----------
    .. [1] A. G. Reisach, C. Seiler, S. Weichwald, "Beware of the Simulated DAG! Causal Discovery
       Benchmarks May Be Easy To Game", NeurIPS 2021.

    Examples
    --------
    >>> from skreg.causal import var_sortability
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(random_state=0)
    >>> f"{var_sortability(sem.X, sem.adjacency):.2f}"
    '0.98'
    """
    rows, B = check_array(X, dtype=np.float64, input_name="X"), as_square("W", W) != 0
    if rows.shape[1] != len(B):
        raise ValueError(f"X has shape {rows.shape}, W {B.shape}")
    if not is_acyclic(B):
        raise ValueError("W has a cycle")
    largest = np.abs(rows).max()
    variance = (rows / largest if largest > 0 else rows).var(axis=0)  # no square overflows
    cause, effect = variance[:, None], variance[None, :]
    grows = np.where(
        effect > (1 + TIE) * cause, 1.0, np.where(effect >= (1 - TIE) * cause, 0.5, 0.0)
    )
    n_pairs, n_growing, paths = 0, 0.0, B
    while paths.any():
        n_pairs += paths.sum()
        n_growing += grows[paths].sum()
        paths = (paths.astype(np.int64) @ B) > 0
    return float(n_growing / n_pairs) if n_pairs else float("nan")
