"""The estimator `GraphLabelPropagation`."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._progress import counter
from skreg._sklearn import Interval, StrOptions, _fit_context
from skreg._state import all_or_nothing
from skreg._warnings import warn
from skreg.graphs import checked_weights, connected_to
from skreg.semi_supervised._huber import huber_values
from skreg.semi_supervised._linear_systems import (
    choose_solver,
    hard_system,
    soft_system,
    solve_system,
)
from skreg.semi_supervised._places import places
from skreg.semi_supervised._weights import symmetric_weights, unit_weights


class GraphLabelPropagation(ClassifierMixin, Estimator):
    r"""Labels spread from a few samples to all others along a graph.

    Samples are the nodes of a graph with weights :math:`w_{ij} \ge 0`. For every class, the values
    F of the unlabelled nodes minimise

    .. math::
        \sum_{i < j} w_{ij} \, \rho(F_i - F_j)

    with F one or zero on labelled nodes, and a sample gets the class of its largest value. The
    coupling :math:`\rho` is half the square, or Huber's function, which is linear beyond `delta`:
    a few wrong edges between classes then do not blur the boundary.

    Parameters
    ----------
    affinity : {"knn", "rbf", "precomputed"}, default="knn"
        Weights: 1 between a sample and its nearest neighbours, either way round;
        :math:`\exp(-\gamma \|x_i - x_j\|^2)`; or X itself, a symmetric matrix, best a sparse one.
        Positive weights of any size are edges, and only their ratios matter.
    n_neighbors : int, default=7
        Number of neighbours of "knn".
    gamma : float, default=20.0
        Width parameter of "rbf".
    alpha : float, default=None
        None keeps the labels as they are. A number between 0 and 1 lets every sample, labelled
        ones too, take that share of its value from its neighbours (label spreading).
    coupling : {"quadratic", "huber"}, default="quadratic"
        Coupling of neighbours. "huber" needs ``alpha=None``.
    delta : float, default=0.1
        Difference of values beyond which "huber" is linear; values lie between 0 and 1.
    solver : {"auto", "direct", "cg", "descent"}, default="auto"
        Elimination without subtraction, exact to rounding for weights of all sizes; conjugate
        gradients; or block coordinate descent on greedy forests with exact message passing. "auto"
        takes "descent" for "huber", which only it can solve, otherwise "direct" up to 3000 unknowns
        and "cg" beyond, where elimination takes more time and memory.
    tol : float, default=1e-8
        Relative residual at which "cg" and "descent" stop, see `kkt_residual_`.
    max_iter : int, default=10000
        Largest number of iterations of "cg" and "descent", for each class.
    n_jobs : int, default=None
        Number of threads of the neighbour search.
    unlabelled_components : {"raise", "leave"}, default="raise"
        What to do with samples that are connected to no labelled one: raise an error, or leave
        them unlabelled, with a warning, and label the others.
    verbose : int, default=0
        1 counts the iterations of "cg" and "descent", of all classes, on stderr; needs tqdm.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels other than -1.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Values of all samples, scaled to sum to one; zeros for a sample that is left unlabelled.
    transduction_ : ndarray of shape (n_samples,)
        Label of each sample; -1 ("-1" among strings) for a sample that is left unlabelled.
    affinity_matrix_ : ndarray or scipy.sparse.csr_array of shape (n_samples, n_samples)
        Weights, without diagonal.
    solver_ : str
        Solver that was used.
    kkt_residual_ : float
        Relative residual that was reached: the largest difference of a value from the mean of
        its neighbours that it should be, divided by the sum of the sample's values, or (without
        `alpha`) of that sum from one. For "huber", the largest partial derivative divided by the
        largest where all unlabelled values are 0, or the largest force on a cluster without labels
        divided by what its outer edges can bear, whichever is larger. Factors of the weights change
        none of them.
    n_iter_ : int
        Number of iterations, that of the slowest class; 1 for a direct solve.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has string column names.

    See Also
    --------
    sklearn.semi_supervised.LabelPropagation : Power iteration for the same fixed point.
    sklearn.semi_supervised.LabelSpreading : Power iteration for ``alpha`` between 0 and 1.
    skreg.optim.BlockCoordinateDescent : The solver "descent", and others.

    Notes
    -----
    With ``affinity="rbf"`` the values are those of `LabelPropagation` (``alpha=None``) and
    `LabelSpreading` at convergence. New samples get the weighted mean of the values of their
    neighbours among the samples of `fit`.

    Clusters that hang together by edges 1e-12 times as heavy as those within, or less, are beyond
    "cg" and "descent" in double precision; they warn, and "direct" is right.

    References
    ----------
    .. [1] X. Zhu, Z. Ghahramani, J. Lafferty, "Semi-Supervised Learning Using Gaussian Fields and
       Harmonic Functions", ICML 2003.
    .. [2] D. Zhou, O. Bousquet, T. Lal, J. Weston, B. Schölkopf, "Learning with Local and Global
       Consistency", NeurIPS 2003.
    .. [3] J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block Coordinate Descent Converge Faster:
       Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence",
       JMLR 23, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_moons
    >>> from skreg.semi_supervised import GraphLabelPropagation
    >>> X, y = make_moons(200, noise=0.05, random_state=0)
    >>> few = np.where(np.arange(200) < 8, y, -1)
    >>> model = GraphLabelPropagation().fit(X, few)
    >>> float(np.mean(model.transduction_ == y))
    1.0
    >>> model.predict([[0.0, 1.0], [1.0, -0.5]])
    array([0, 1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "affinity": [StrOptions({"knn", "rbf", "precomputed"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "alpha": [None, Interval(Real, 0, 1, closed="neither")],
        "coupling": [StrOptions({"quadratic", "huber"})],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "solver": [StrOptions({"auto", "direct", "cg", "descent"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "unlabelled_components": [StrOptions({"raise", "leave"})],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        affinity: Literal["knn", "rbf", "precomputed"] = "knn",
        *,
        n_neighbors: int = 7,
        gamma: float = 20.0,
        alpha: float | None = None,
        coupling: Literal["quadratic", "huber"] = "quadratic",
        delta: float = 0.1,
        solver: Literal["auto", "direct", "cg", "descent"] = "auto",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        n_jobs: int | None = None,
        unlabelled_components: Literal["raise", "leave"] = "raise",
        verbose: int = 0,
    ) -> None:
        self.affinity = affinity
        self.n_neighbors = n_neighbors
        self.gamma = gamma
        self.alpha = alpha
        self.coupling = coupling
        self.delta = delta
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.unlabelled_components = unlabelled_components
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.affinity == "precomputed"
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Spread the labels over the graph of the samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labelled and unlabelled samples; with ``affinity="precomputed"`` the weights, of shape
            (n_samples, n_samples).
        y : array-like of shape (n_samples,)
            Labels, -1 (among strings, "-1" too) for unlabelled samples.

        Returns
        -------
        GraphLabelPropagation
            The fitted estimator.

        Raises
        ------
        ValueError
            If no sample is labelled, unlabelled samples are connected to no labelled one (unless
            `unlabelled_components` is "leave"), given weights are not symmetric and nonnegative, or
            "huber" meets `alpha` or a linear solver.

        Warns
        -----
        ConvergenceWarning
            If "cg" or "descent" did not reach `tol`.
        UserWarning
            If samples are left unlabelled.
        """
        self._check_combination()
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=(np.float64, np.float32))
        labelled, Y = self._encoded(y)
        self._fitted_affinity, self._fitted_gamma = self.affinity, self.gamma
        self.affinity_matrix_ = W = self._weights(X)
        reached = connected_to(W, labelled)
        if not reached.all():
            self._report_unlabelled(reached, "sample", W.shape[0])
            W = W[reached][:, reached]
        self.label_distributions_ = np.zeros(Y.shape)
        self.label_distributions_[reached] = self._solve(
            unit_weights(W), Y[reached], labelled[reached]
        )
        self.transduction_ = self._labels(self.label_distributions_)
        return self

    def _check_combination(self):
        if self.coupling == "huber" and self.alpha is not None:
            raise ValueError(f"alpha must be None with coupling='huber', not {self.alpha!r}")
        if self.coupling == "huber" and self.solver in ("direct", "cg"):
            raise ValueError(
                f"solver={self.solver!r} solves linear systems; coupling='huber' needs 'descent'"
            )

    def _encoded(self, y):
        """Which samples are labelled, and their classes one-hot; keeps the classes."""
        if y.dtype.kind == "O" and all(isinstance(label, Real) for label in y):
            y = np.array(y.tolist())
        labelled = _labelled(y)
        if not labelled.any():
            raise ValueError("y has no labelled sample: every label is -1")
        check_classification_targets(y[labelled])
        self.classes_, codes = np.unique(y[labelled], return_inverse=True)
        self._unlabelled = _mark_of_the_unlabelled(y, labelled)
        Y = np.zeros((len(y), len(self.classes_)))
        Y[np.flatnonzero(labelled), codes] = 1.0
        return labelled, Y

    def _report_unlabelled(self, reached, what, n):
        """An error, or a warning, on samples that are connected to no labelled one."""
        lonely = np.flatnonzero(~reached)
        message = (
            f"{len(lonely)} of {n} {what}s are connected to no labelled sample "
            f"(the first is number {lonely[0]})"
        )
        if self.unlabelled_components == "leave":
            warn(f"{message} and are left unlabelled")
            return
        advice = {
            "knn": "raise n_neighbors",
            "rbf": f"lower gamma or scale X, as weights are zero in double precision beyond a "
            f"distance of {np.sqrt(745.0 / self._fitted_gamma):.3g}",
            "precomputed": "give their components a label",
        }[self._fitted_affinity]
        raise ValueError(
            f"{message}: {advice}, or set unlabelled_components='leave' to label the others"
        )

    def _labels(self, distributions):
        """Label of the largest value, or the mark of the unlabelled where all are zero."""
        labels, known = self.classes_[distributions.argmax(axis=1)], distributions.any(axis=1)
        return labels if known.all() else np.where(known, labels, self._unlabelled)

    def _weights(self, X):
        """Weights of the graph; keeps what predictions for new samples need."""
        if self.affinity == "precomputed":
            W = symmetric_weights(checked_weights(X))
            return W if scipy.sparse.issparse(X) else W.toarray()
        self._places = places(X)
        if self.affinity == "rbf":
            return self._places.weights(self.gamma)
        n_neighbors = min(self.n_neighbors, X.shape[0] - 1)
        search = NearestNeighbors(n_neighbors=max(n_neighbors, 1), n_jobs=self.n_jobs)
        self._search = search.fit(self._places.points)
        if n_neighbors == 0:
            return scipy.sparse.csr_array((1, 1))
        near = scipy.sparse.csr_array(self._search.kneighbors_graph(), dtype=np.float64)
        return scipy.sparse.csr_array(near.maximum(near.T))

    def _solve(self, W, Y, labelled):
        """Values of all nodes of a graph whose components are all labelled."""
        hard = self.alpha is None
        free = ~labelled if hard else np.ones(len(Y), dtype=bool)
        self.solver_ = choose_solver(self.solver, self.coupling, int(free.sum()))
        F, self.n_iter_, self.kkt_residual_ = Y.copy(), 1, 0.0
        if len(self.classes_) == 1:
            F[:] = 1.0
        elif free.any():
            verbose = self.verbose if self.solver_ != "direct" else 0  # it has no iterations
            with counter(verbose=verbose, by="GraphLabelPropagation") as count:
                found = self._free_values(W, Y, labelled, count)
            F[free], self.n_iter_, self.kkt_residual_ = found
            if self.solver_ != "direct" and not found.residual <= 1.01 * self.tol:
                warn(
                    f"GraphLabelPropagation with max_iter={self.max_iter} stopped after "
                    f"{found.n_iter} iterations at the relative residual {found.residual:.1e}; "
                    f"tol={self.tol:.1e} was asked for. Raise max_iter or tol, or use "
                    "solver='direct' (with the quadratic coupling)",
                    ConvergenceWarning,
                )
        return _distributions(F)

    def _free_values(self, W, Y, labelled, count):
        if self.coupling == "huber":
            return huber_values(W, Y, labelled, self.delta, self.tol, self.max_iter, count)
        limits = self.solver_, self.tol, self.max_iter, count
        if self.alpha is None:
            return solve_system(hard_system(W, Y, labelled), *limits, sum_to_one=True)
        system, root = soft_system(W, Y, self.alpha)
        found = solve_system(system, *limits, sum_to_one=False)
        return found._replace(values=root * found.values)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Weighted mean of the values of the neighbours among the samples of `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New samples; with ``affinity="precomputed"`` their weights to the samples of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Values that sum to one, in the order of `classes_`; zeros for a sample whose neighbours
            are all unlabelled, if `unlabelled_components` is "leave".

        Raises
        ------
        ValueError
            If a sample has no weight to a labelled one, unless `unlabelled_components` is "leave".
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=(np.float64, np.float32))
        if self._fitted_affinity == "precomputed":
            weights = X
        elif self._fitted_affinity == "rbf":
            weights = self._places.relative_weights(X, self._fitted_gamma)
        else:
            weights = self._search.kneighbors_graph(self._places.of(X))
        distributions = _distributions(weights @ self.label_distributions_)
        reached = distributions.any(axis=1)
        if not reached.all():
            self._report_unlabelled(reached, "new sample", len(reached))
        return distributions

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels of new samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New samples; with ``affinity="precomputed"`` their weights to the samples of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels; -1 ("-1" among strings) where `predict_proba` is zero.
        """
        return self._labels(self.predict_proba(X))


def _labelled(y):
    """Whether a label is neither -1 nor, among strings and objects, "-1"."""
    if y.dtype.kind in "US":
        return y != "-1"
    if y.dtype.kind == "O":
        return np.array([not (label == -1 or label == "-1") for label in y], dtype=bool)
    return y != -1


def _mark_of_the_unlabelled(y, labelled):
    """The mark that y uses, in an array that `np.where` does not take for a Python scalar."""
    if not labelled.all():
        return y[~labelled][:1]
    if y.dtype.kind in "US":
        return np.array(["-1"])
    return np.array([-1], dtype=object if y.dtype.kind == "O" else np.int64)


def _distributions(F):
    """Rows scaled to sum to one; zeros stay where nothing arrived."""
    F = np.maximum(np.asarray(F, dtype=np.float64), 0.0)
    largest = F.max(axis=1, keepdims=True)
    F = F / np.where(largest > 0.0, largest, 1.0)  # their sum may underflow
    return F / np.maximum(F.sum(axis=1, keepdims=True), 1.0)
