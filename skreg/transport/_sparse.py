"""`sparse_transport` and its result."""

from numbers import Integral, Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skreg._progress import counter
from skreg._sklearn import Interval, StrOptions, validate_params
from skreg._summary import summary
from skreg._warnings import warn
from skreg.transport._envelope import Problem, first_potentials, solve_envelope
from skreg.transport._recovery import sparsest

BALANCE = 1e-8  # relative difference of the sums of the weights that counts as rounding


class SparseTransportResult(NamedTuple):
    """Plan of `sparse_transport`, with its certificate.

    Attributes
    ----------
    plan : scipy.sparse.csc_array of shape (n_sources, n_targets)
        Mass that goes from each source to each target.
    value : float
        Cost of the plan: <T, C> + gamma/2 ||T||^2 where every column has at most `max_nz` entries,
        else with the squares of the columns' k-support norms in place of ||T||^2.
    dual_value : float
        What no plan with at most `max_nz` entries in every column, and no relaxed plan, falls
        below.
    alpha : ndarray of shape (n_sources,)
        Potentials of the sources, up to a constant that `beta` loses: the derivative of the value
        in `a`.
    beta : ndarray of shape (n_targets,)
        Potentials of the targets: the derivative of the value in `b`.
    gap : float
        (value - dual_value) / (value - min(C) sum(a)): relative to what the plan costs above the
        smallest entry of C.
    marginal_error : float
        L1 distance of the plan's row and column sums to `a` and `b`, relative to their sum.
    n_nonzero_per_column : ndarray of shape (n_targets,)
        Number of sources of each target.
    exact : bool
        Whether the plan is proved to be a global minimum over the plans with at most `max_nz`
        entries in every column: it is one of them, with `marginal_error` and `gap` at most `tol`.
    n_iter : int
        Number of Newton steps.
    """

    plan: sparse.csc_array
    value: float
    dual_value: float
    alpha: np.ndarray
    beta: np.ndarray
    gap: float
    marginal_error: float
    n_nonzero_per_column: np.ndarray
    exact: bool
    n_iter: int

    def __repr__(self) -> str:
        return summary(self)


@validate_params(
    {
        "max_nz": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "method": [StrOptions({"semi_dual", "dual"})],
        "recovery": [StrOptions({"relaxed", "k_sparse", "dual"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": [SparseTransportResult, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def sparse_transport(
    a: ArrayLike,
    b: ArrayLike,
    C: ArrayLike,
    *,
    max_nz: int,
    gamma: float = 1.0,
    method: Literal["semi_dual", "dual"] = "semi_dual",
    recovery: Literal["relaxed", "k_sparse", "dual"] = "relaxed",
    tol: float = 1e-8,
    max_iter: int = 200,
    warm_start: SparseTransportResult | None = None,
    verbose: int = 0,
) -> SparseTransportResult:
    r"""Optimal transport in which every target takes mass from at most `max_nz` sources.

    .. math:: \min_{T \in U(a, b)} \langle T, C \rangle + \frac{\gamma}{2} \|T\|_F^2
              \quad \text{subject to} \quad \|t_j\|_0 \leq k \text{ for all columns } j,

    with U(a, b) the nonnegative plans with row sums a and column sums b (the paper's problem, in
    its notation). The problem is not convex. Its dual, which is, has the value of

    .. math:: \min_{T \in U(a, b)} \langle T, C \rangle
              + \frac{\gamma}{2} \sum_j \left(\|t_j\|_k^{sp}\right)^2,

    where the k-support norm is the convex envelope of the constraint. That is what is solved. Where
    its plan has at most k entries in each column it solves the problem itself, and `exact` says so.

    Parameters
    ----------
    a : array-like of shape (n_sources,)
        Masses of the sources, nonnegative.
    b : array-like of shape (n_targets,)
        Masses of the targets, positive, of the same sum.
    C : array-like of shape (n_sources, n_targets)
        Costs, in float32 or float64, which are not copied. For a constraint on the rows, transpose
        the problem.
    max_nz : int
        k, the largest number of sources of a target; more than n_sources are n_sources.
    gamma : float, default=1.0
        Strength of the quadratic term, in the unit of the costs times that of the masses: with
        larger costs, scale it along, or divide the costs by their largest.
    method : {"semi_dual", "dual"}, default="semi_dual"
        Which potentials `dual_value` and ``recovery="dual"`` are taken at: "semi_dual" has for
        `alpha` the best `beta`, at which the dual's plan has exactly the column sums b; "dual" has
        those where the last step ended.
    recovery : {"relaxed", "k_sparse", "dual"}, default="relaxed"
        Which plan: "relaxed", the minimum of the envelope, meets the marginals but may have more
        than k entries in a column. "k_sparse" allows k entries in each column, the largest of these
        first, then those that would cost least, and takes the best plan on them; where none
        lies there, it begins with relaxed plans for smaller k. "dual" has the
        maximisers of the dual's columns, at most k entries each, which meet the marginals only
        where the dual is differentiable.
    tol : float, default=1e-8
        Largest marginal error and largest gap of the relaxed plan; its last move is at most a
        thousand times as large.
    max_iter : int, default=200
        Largest number of proximal steps.
    warm_start : SparseTransportResult, default=None
        A result for other `max_nz`, `gamma` or costs of the same shape, whose potentials to start
        from.
    verbose : int, default=0
        1 shows how many proximal steps were done.

    Returns
    -------
    SparseTransportResult
        The plan, its cost, the bound of the dual and what the plan lacks.

    Raises
    ------
    ValueError
        For weights that are negative, do not have one sum or (b) are zero; for costs that are not
        finite or of another shape; for n_sources > k n_targets with ``recovery="k_sparse"``, where
        no plan exists.

    Warns
    -----
    ConvergenceWarning
        If the plan's marginal error, or the gap of a relaxed plan, is above `tol`, with both.

    See Also
    --------
    SparseTransportTransformer : Domain adaptation by such plans.
    BalancedAssignment : Targets of limited capacity.

    Notes
    -----
    Proximal steps on the plan, each solved by semismooth Newton steps for the potentials. One pass
    over the costs gives the dual's value, gradient and plan: the k largest entries of a column come
    from a partial selection among its positive ones. Memory beside the costs is that of
    a dense system of the smaller side and of two or three plans, of which the first ones have far
    more entries than the last.

    For given alpha, the best beta do not change which entries of a column are the k largest, so
    that the semi-dual is the dual maximised over beta: both have the same maximum.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.transport import sparse_transport
    >>> a, b = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    >>> result = sparse_transport(a, b, [[0.0, 1.0], [1.0, 0.0]], max_nz=2)
    >>> result.plan.toarray().round(3)
    array([[0.25, 0.25],
           [0.  , 0.5 ]])
    >>> result.exact
    True
    """
    problem, mass = checked_problem(a, b, C, max_nz, gamma)
    if recovery == "k_sparse":
        require_room(problem)
    alpha, beta = _start(problem, warm_start)
    with counter(verbose=verbose, by="sparse_transport", unit="proximal step") as tick:
        found = solve_envelope(problem, alpha, beta, tol, max_iter, tick)
    bound = found.bound
    if method == "dual":
        bound = problem.bound(found.point.alpha, found.point.beta)
    if recovery == "k_sparse":
        point, n_iter, hint = sparsest(problem, found, tol, max_iter)
    else:
        point, n_iter, hint = bound if recovery == "dual" else found.point, found.n_iter, ""
    result = _result(problem, point, bound, n_iter, tol)
    if result.marginal_error > tol or (recovery == "relaxed" and result.gap > tol):
        warn(
            f"the plan's row and column sums are off by {result.marginal_error:.1e} of the mass, "
            f"and its gap is {result.gap:.1e}, with tol = {tol:g}.{hint}", ConvergenceWarning,
        )  # fmt: skip
    return _of_mass(result, mass)


def checked_problem(a, b, C, max_nz, gamma):
    """The problem for shares of the mass, in arrays that kernels take, and the mass.

    ValueError names the argument that is wrong.
    """
    C = check_array(C, dtype=[np.float64, np.float32], input_name="C")
    a, b = _masses(a, "a", C.shape[0]), _masses(b, "b", C.shape[1])
    if not np.all(b > 0.0):
        raise ValueError(
            f"b must be positive, but b[{np.argmin(b)}] is 0; leave out targets without mass"
        )
    if not np.isclose(a.sum(), b.sum(), rtol=BALANCE, atol=0.0):
        raise ValueError(
            f"a and b must have the same sum, not {a.sum():.10g} and {b.sum():.10g}: transport "
            "between unequal masses is another problem. Divide each by its sum if only shares count"
        )
    mass = float(a.sum())
    k = min(int(max_nz), len(a))
    return Problem(C, a / mass, b / b.sum(), k, float(gamma) * mass), mass


def _masses(values, name, size):
    values = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    if values.shape != (size,):
        raise ValueError(
            f"{name} must have one entry for each {'row' if name == 'a' else 'column'} of C, "
            f"shape ({size},), not {values.shape}"
        )
    if values.min() < 0.0:
        raise ValueError(f"{name} must not be negative, but {name}[{np.argmin(values)}] is "
                         f"{values.min():.6g}")  # fmt: skip
    if values.sum() <= 0.0:
        raise ValueError(f"{name} has no mass")
    return values


def require_room(problem):
    """Raise where k entries in each column are too few for all sources."""
    n_sources, room = np.count_nonzero(problem.a), problem.k * len(problem.b)
    if n_sources > room:
        raise ValueError(
            f"no plan exists: {n_sources} sources need an entry each, but max_nz = {problem.k} "
            f"leaves {len(problem.b)} targets {room}; max_nz must be at least "
            f"{-(-n_sources // len(problem.b))}"
        )


def _start(problem, warm_start):
    if warm_start is None:
        return first_potentials(problem)
    if warm_start.plan.shape != problem.cost.shape:
        raise ValueError(
            f"warm_start is of a problem of shape {warm_start.plan.shape}, not {problem.cost.shape}"
        )
    return warm_start.alpha, warm_start.beta


def _result(problem, point, bound, n_iter, tol):
    plan = point.plan
    counts = np.diff(plan.starts)
    value = problem.value(plan)
    gap = problem.gap(value, bound.value)
    exact = counts.max() <= problem.k and point.error <= tol and gap <= tol
    matrix = sparse.csc_array((plan.mass, plan.sources, plan.starts), shape=problem.cost.shape)
    return SparseTransportResult(
        plan=matrix, value=float(value), dual_value=float(bound.value), alpha=bound.alpha,
        beta=bound.beta, gap=float(gap), marginal_error=float(point.error),
        n_nonzero_per_column=counts, exact=bool(exact), n_iter=n_iter,
    )  # fmt: skip


def _of_mass(result, mass):
    """The result for shares, in the unit of the masses."""
    return result._replace(
        plan=result.plan * mass, value=result.value * mass, dual_value=result.dual_value * mass
    )
