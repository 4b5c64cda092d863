"""Domain adaptation by sparse transport plans."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg.rows import checked_weights
from skreg.transport._sides import FLOATS, checked_target, target_of
from skreg.transport._sparse import SparseTransportResult, sparse_transport

SCALES: dict[str, Callable[[np.ndarray], Any]] = {"max": np.max, "median": np.median}


def scale_of(cost: np.ndarray, scaling: str | None) -> float:
    """What costs are divided by: a measure of their size, or 1."""
    scale = float(SCALES[scaling](np.abs(cost))) if scaling else 1.0
    return scale if scale > 0.0 else 1.0


class SparseTransportTransformer(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Move samples of one domain to another by a transport plan with few entries.

    Every target takes mass from at most `max_nz` sources (or the other way round), and a source
    moves to the mean of its targets, weighted by the plan. New samples move along with the nearest
    source.

    Parameters
    ----------
    max_nz : int, default=5
        Largest number of sources of a target; of targets of a source for ``constrain="source"``.
    gamma : float, default=1.0
        Strength of the quadratic term, for costs divided by their scale and masses that add up
        to 1.
    constrain : {"target", "source"}, default="target"
        Whose number of partners is limited. With "source" each source moves to a mean of at most
        `max_nz` targets.
    metric : str or callable, default="sqeuclidean"
        Cost of a pair, as `sklearn.metrics.pairwise_distances` takes it.
    cost_scaling : {"max", "median"} or None, default="max"
        What the costs are divided by before `gamma` applies.
    recovery : {"relaxed", "k_sparse", "dual"}, default="relaxed"
        Which plan; see `sparse_transport`.
    out_of_sample : {"nearest", "mean"}, default="nearest"
        What a sample moves by: as the nearest source does, or by the mean displacement.
    tol : float, default=1e-8
        Largest marginal error and gap.
    max_iter : int, default=200
        Largest number of proximal steps.
    verbose : int, default=0
        1 shows how many proximal steps were done.

    Attributes
    ----------
    plan_ : scipy.sparse.csc_array of shape (n_sources, n_targets)
        Mass that goes from each source to each target.
    value_, dual_value_ : float
        Cost of the plan in scaled costs, and what no plan falls below.
    gap_ : float
        Relative difference of both; see `SparseTransportResult`.
    marginal_error_ : float
        L1 distance of the plan's row and column sums to the masses.
    exact_ : bool
        Whether the plan is proved to be a global minimum under the constraint.
    cost_scale_ : float
        What the costs were divided by.
    displacement_ : ndarray of shape (n_sources, n_features)
        By how much each source moves.
    n_iter_ : int
        Number of Newton steps.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    sparse_transport : The plan alone.
    GaussianTransport : A linear map, without a plan.

    Notes
    -----
    The costs are a dense matrix (n_sources, n_targets). Sources without mass move like the nearest
    one that has some.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.transport import SparseTransportTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> X_target = [5.0, 0.0] + rng.normal(size=(40, 2))
    >>> transformer = SparseTransportTransformer(max_nz=3).fit(X, X_target=X_target)
    >>> bool(abs(transformer.transform(X).mean(axis=0) - X_target.mean(axis=0)).max() < 1e-6)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "max_nz": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "constrain": [StrOptions({"target", "source"})],
        "metric": [str, callable],
        "cost_scaling": [StrOptions(set(SCALES)), None],
        "recovery": [StrOptions({"relaxed", "k_sparse", "dual"})],
        "out_of_sample": [StrOptions({"nearest", "mean"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        max_nz: int = 5,
        *,
        gamma: float = 1.0,
        constrain: Literal["target", "source"] = "target",
        metric: Any = "sqeuclidean",
        cost_scaling: Literal["max", "median"] | None = "max",
        recovery: Literal["relaxed", "k_sparse", "dual"] = "relaxed",
        out_of_sample: Literal["nearest", "mean"] = "nearest",
        tol: float = 1e-8,
        max_iter: int = 200,
        verbose: int = 0,
    ) -> None:
        self.max_nz = max_nz
        self.gamma = gamma
        self.constrain = constrain
        self.metric = metric
        self.cost_scaling = cost_scaling
        self.recovery = recovery
        self.out_of_sample = out_of_sample
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_target: Any = None,
        source_mass: ArrayLike | None = None,
        target_mass: ArrayLike | None = None,
    ) -> Self:
        """Find the plan between the samples of two domains.

        Parameters
        ----------
        X : array-like of shape (n_sources, n_features)
            Samples of the source domain.
        y : array-like, default=None
            The target's samples, if it is a matrix and `X_target` is None; labels are ignored.
        X_target : array-like of shape (n_targets, n_features), default=None
            Samples of the target domain. Without any, X is transported to itself, which smooths it.
        source_mass : array-like of shape (n_sources,), default=None
            Masses of the sources, of which only the shares count. They are no weights of samples:
            two sources of half the mass are not one, because entries of the plan are counted.
        target_mass : array-like of shape (n_targets,), default=None
            Masses of the targets.

        Returns
        -------
        SparseTransportTransformer
            The fitted estimator.

        Raises
        ------
        ValueError
            If a side is not finite or has another number of columns; and as `sparse_transport`.

        Warns
        -----
        ConvergenceWarning
            If the plan's marginal error or its gap is above `tol`.
        """
        self._validate_params()
        X = validate_data(self, X, dtype=FLOATS)
        X_target = target_of(y, X_target, X.shape[1])
        X_target = X if X_target is None else checked_target(self, X_target, min_samples=1)
        a, b = checked_weights(source_mass, X), checked_weights(target_mass, X_target)
        used, wanted = a > 0.0, b > 0.0
        result = self._result(X[used], X_target[wanted], a[used], b[wanted])
        plan = _in_all_places(result.plan, used, wanted)
        self.plan_ = plan
        self.value_, self.dual_value_ = result.value, result.dual_value
        self.gap_, self.marginal_error_ = result.gap, result.marginal_error
        self.exact_, self.n_iter_ = result.exact, result.n_iter
        self._nearest = NearestNeighbors(n_neighbors=1).fit(X[used])
        self._displacement = _means_of_targets(plan[used], X[used], X_target) - X[used]
        self._mean_displacement = np.average(self._displacement, axis=0, weights=a[used])
        self._masses = b / b.sum()
        self.displacement_ = self._displacement_of(X)
        return self

    def _result(
        self, X: np.ndarray, X_target: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> SparseTransportResult:
        cost = pairwise_distances(X, X_target, metric=self.metric)
        self.cost_scale_ = scale_of(cost, self.cost_scaling)
        cost /= self.cost_scale_
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("max_nz", "gamma", "recovery", "tol", "max_iter", "verbose")
        }
        a, b = a / a.sum(), b / b.sum()
        if self.constrain == "target":
            return sparse_transport(a, b, cost, **options)
        result = sparse_transport(b, a, cost.T, **options)
        return result._replace(plan=result.plan.T.tocsc())

    def transform(self, X: Any) -> np.ndarray:
        """Move samples of the source domain.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Samples, those of `fit` or others.

        Returns
        -------
        ndarray of shape (n, n_features)
            Where they go.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        if self.out_of_sample == "mean":
            return X + self._mean_displacement.astype(X.dtype)
        return X + self._displacement_of(X).astype(X.dtype)

    def _displacement_of(self, X: np.ndarray) -> np.ndarray:
        return self._displacement[self._nearest.kneighbors(X, return_distance=False)[:, 0]]

    def transform_labels(self, y: ArrayLike) -> np.ndarray:
        """Bring labels of the sources to the targets.

        Parameters
        ----------
        y : array-like of shape (n_sources,)
            Labels of the rows given to `fit`.

        Returns
        -------
        ndarray of shape (n_targets, n_classes)
            The share of each class, in the order of ``numpy.unique(y)``, in the mass that each
            target takes. Rows add up to 1 but for the marginal error.

        Raises
        ------
        ValueError
            If there is not one label for each source.
        """
        check_is_fitted(self)
        labels = np.asarray(check_array(y, ensure_2d=False, dtype=None, input_name="y"))
        if labels.shape != (self.plan_.shape[0],):
            raise ValueError(
                f"y must have one label for each of the {self.plan_.shape[0]} sources, not the "
                f"shape {labels.shape}"
            )
        classes, codes = np.unique(labels, return_inverse=True)
        one_hot = sparse.csr_array(
            (np.ones(len(codes)), (np.arange(len(codes)), codes)),
            shape=(len(codes), len(classes)),
        )
        taken = (self.plan_.T @ one_hot).toarray()
        masses = self._masses[:, None]
        return np.divide(taken, masses, out=np.zeros_like(taken), where=masses > 0.0)


def _means_of_targets(plan: Any, X: np.ndarray, X_target: np.ndarray) -> np.ndarray:
    """Means of the targets of each source; sources that send nothing stay where they are."""
    sent = plan.sum(axis=1)[:, None]
    return np.divide(plan @ X_target, sent, out=X.copy(), where=sent > 0.0)


def _in_all_places(plan: sparse.csc_array, used: np.ndarray, wanted: np.ndarray) -> Any:
    """The plan with empty rows and columns for the samples without mass."""
    entries = plan.tocoo()
    rows, columns = np.flatnonzero(used)[entries.row], np.flatnonzero(wanted)[entries.col]
    return sparse.csc_array((entries.data, (rows, columns)), shape=(len(used), len(wanted)))
