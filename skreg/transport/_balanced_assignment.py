"""Assignment of rows to clusters of limited capacity."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg.transport._sides import FLOATS
from skreg.transport._sparse import sparse_transport
from skreg.transport._sparse_transformer import SCALES, scale_of

WHOLE = 1e-4  # share of a row's mass that may go elsewhere where the row counts as assigned


class BalancedAssignment(Estimator):
    """Assign each row of a cost matrix to one column, at most `max_nz` rows to each.

    Rows are what is assigned (customers, points, tokens), columns where to (depots, cluster
    centres, experts). The plan of `sparse_transport` between equal masses of the rows, and masses
    of the columns in proportion to their capacities, decides nearly all rows; the few that it
    splits get the free places of least total cost. Capacities always hold.

    Parameters
    ----------
    max_nz : int or array-like of shape (n_columns,), default=None
        Capacity: the largest number of rows of a column, or of each column. None means the least
        that is enough for all rows, ``ceil(n_rows / n_columns)``.
    gamma : float, default=1.0
        Strength of the quadratic term of the plan, for costs divided by their scale. It does not
        change the cost of whole assignments; a weaker one leaves fewer rows split.
    maximize : bool, default=False
        Whether X has affinities, the larger the better, in place of costs.
    cost_scaling : {"max", "median"} or None, default="max"
        What the costs are divided by before `gamma` applies.
    tol : float, default=1e-8
        Largest marginal error and gap of the plan.
    max_iter : int, default=200
        Largest number of proximal steps.
    verbose : int, default=0
        1 shows how many proximal steps were done.

    Attributes
    ----------
    labels_ : ndarray of shape (n_rows,)
        Column of each row.
    capacity_ : ndarray of shape (n_columns,)
        Places of each column.
    capacity_used_ : ndarray of shape (n_columns,)
        Number of rows of each column.
    cost_ : float
        Sum of the costs (the affinities, if X has those) of the assignment.
    n_split_ : int
        Number of rows that the plan did not decide.
    plan_ : scipy.sparse.csc_array of shape (n_rows, n_columns)
        The plan, of mass 1.
    prices_ : ndarray of shape (n_columns,)
        What a place in a column costs beyond the cost itself, the least 0: in the optimum rows go
        where cost plus price is least.
    marginal_error_ : float
        L1 distance of the plan's row and column sums to the masses.
    n_iter_ : int
        Number of Newton steps.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    sparse_transport : The plan alone, also between masses that are not equal.

    Notes
    -----
    Each column takes a share of the rows in proportion to its capacity. Where capacities leave
    room, the rows are nevertheless spread like that: it is a balanced assignment, and a cheaper
    one may exist that fills some columns and leaves others empty.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.transport import BalancedAssignment
    >>> cost = np.array([[0.0, 1.0], [0.1, 1.0], [0.2, 1.0], [0.3, 1.0]])
    >>> BalancedAssignment().fit_predict(cost)
    array([0, 0, 1, 1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "max_nz": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "maximize": ["boolean"],
        "cost_scaling": [StrOptions(set(SCALES)), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        max_nz: int | ArrayLike | None = None,
        *,
        gamma: float = 1.0,
        maximize: bool = False,
        cost_scaling: Literal["max", "median"] | None = "max",
        tol: float = 1e-8,
        max_iter: int = 200,
        verbose: int = 0,
    ) -> None:
        self.max_nz = max_nz
        self.gamma = gamma
        self.maximize = maximize
        self.cost_scaling = cost_scaling
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002  scikit-learn's convention
        """Assign the rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            Costs, or affinities.
        y : Ignored
            Not used.

        Returns
        -------
        BalancedAssignment
            The fitted estimator.

        Raises
        ------
        ValueError
            If the capacities are too small for all rows, or are not positive integers, one for
            each column.

        Warns
        -----
        ConvergenceWarning
            If the plan's marginal error or its gap is above `tol`.
        """
        self._validate_params()
        X = validate_data(self, X, dtype=FLOATS)
        n_rows, n_columns = X.shape
        capacity = self._capacities(n_rows, n_columns)
        cost = -X if self.maximize else X
        scale = scale_of(cost, self.cost_scaling)
        result = sparse_transport(
            np.full(n_rows, 1.0 / n_rows), capacity / capacity.sum(), cost / scale,
            max_nz=int(capacity.max()), gamma=self.gamma, tol=self.tol, max_iter=self.max_iter,
            verbose=self.verbose,
        )  # fmt: skip
        labels, n_split = _whole(result.plan, cost, capacity)
        self.labels_, self.n_split_ = labels, n_split
        self.capacity_ = capacity
        self.capacity_used_ = np.bincount(labels, minlength=n_columns)
        self.cost_ = float(X[np.arange(n_rows), labels].sum(dtype=np.float64))
        self.plan_ = result.plan
        self.prices_ = scale * (result.beta.max() - result.beta)
        self.marginal_error_, self.n_iter_ = result.marginal_error, result.n_iter
        return self

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Assign the rows and return `labels_`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            Costs, or affinities.
        y : Ignored
            Not used.

        Returns
        -------
        ndarray of shape (n_rows,)
            Column of each row.
        """
        return self.fit(X, y).labels_

    def predict(self, X: Any) -> np.ndarray:
        """Columns for further rows, at the prices that balance the rows of `fit`.

        Parameters
        ----------
        X : array-like of shape (n, n_columns)
            Costs, or affinities, of other rows. Capacities do not bind them.

        Returns
        -------
        ndarray of shape (n,)
            Where cost plus price is least.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return np.argmin((-X if self.maximize else X) + self.prices_, axis=1)

    def _capacities(self, n_rows: int, n_columns: int) -> np.ndarray:
        needed = -(-n_rows // n_columns)
        capacity = np.asarray(needed if self.max_nz is None else self.max_nz)
        if capacity.ndim > 1 or capacity.size not in (1, n_columns):
            raise ValueError(
                f"max_nz must be one number or one for each of the {n_columns} columns, not of "
                f"shape {capacity.shape}"
            )
        if not np.all(np.isfinite(capacity)) or np.any(capacity != np.floor(capacity)):
            raise ValueError(f"max_nz must be whole numbers, not {self.max_nz!r}")
        capacity = np.broadcast_to(capacity.astype(np.int64), n_columns).copy()
        if capacity.min() < 1:
            raise ValueError(
                f"max_nz must be positive, but column {np.argmin(capacity)} has "
                f"{capacity.min()}; leave out columns without capacity"
            )
        if capacity.sum() < n_rows:
            raise ValueError(
                f"{n_rows} rows need as many places, but max_nz leaves {n_columns} columns "
                f"{capacity.sum()}; {needed} for each column are enough"
            )
        return capacity


def _whole(plan: Any, cost: np.ndarray, capacity: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels of all rows, and how many the plan did not decide."""
    n_rows, n_columns = plan.shape
    labels = np.full(n_rows, -1)
    for column in range(n_columns):
        entries = slice(plan.indptr[column], plan.indptr[column + 1])
        mass, rows = plan.data[entries] * n_rows, plan.indices[entries]
        whole = np.argsort(-mass, kind="stable")[: capacity[column]]
        labels[rows[whole[mass[whole] >= 1.0 - WHOLE]]] = column
    rest = np.flatnonzero(labels < 0)
    if len(rest):
        free = capacity - np.bincount(labels[labels >= 0], minlength=n_columns)
        # more places than rows that are left are never needed
        places = np.repeat(np.arange(n_columns), np.minimum(free, len(rest)))
        rows, chosen = linear_sum_assignment(cost[np.ix_(rest, places)])
        labels[rest[rows]] = places[chosen]
    return labels, len(rest)
