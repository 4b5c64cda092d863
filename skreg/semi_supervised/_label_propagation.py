"""The estimator `GraphLabelPropagation`."""

import warnings
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg.optim.descent._problems import check_every_component_is_labelled, checked_weights
from skreg.semi_supervised._propagation import (
    choose_solver,
    hard_system,
    huber_values,
    soft_system,
    solve_system,
)


class GraphLabelPropagation(ClassifierMixin, BaseEstimator):
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
        A sparse LU or a Cholesky decomposition; conjugate gradients; or block coordinate descent
        on greedy forests with exact message passing. "auto" takes "descent" for "huber", which
        only it can solve, otherwise "direct" up to 3000 unknowns and "cg" beyond, which are faster
        there.
    tol : float, default=1e-8
        Relative residual at which "cg" and "descent" stop.
    max_iter : int, default=10000
        Largest number of iterations of "cg" and "descent", for each class.
    n_jobs : int, default=None
        Number of threads of the neighbour search.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels other than -1.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Values of all samples, scaled to sum to one.
    transduction_ : ndarray of shape (n_samples,)
        Label of each sample.
    affinity_matrix_ : ndarray or scipy.sparse.csr_array of shape (n_samples, n_samples)
        Weights, without diagonal.
    solver_ : str
        Solver that was used.
    kkt_residual_ : float
        Relative residual of the optimality conditions that was reached.
    n_iter_ : int
        Largest number of iterations of a class; 1 for a direct solve.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
    }

    def __init__(
        self,
        affinity="knn",
        *,
        n_neighbors=7,
        gamma=20.0,
        alpha=None,
        coupling="quadratic",
        delta=0.1,
        solver="auto",
        tol=1e-8,
        max_iter=10_000,
        n_jobs=None,
    ):
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.affinity == "precomputed"
        return tags

    def fit(self, X, y):
        """Spread the labels over the graph of the samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labelled and unlabelled samples; with ``affinity="precomputed"`` the weights, of shape
            (n_samples, n_samples).
        y : array-like of shape (n_samples,)
            Labels, -1 (in an array of strings, "-1") for unlabelled samples.

        Returns
        -------
        GraphLabelPropagation
            The fitted estimator.

        Raises
        ------
        ValueError
            If no sample is labelled, unlabelled samples are connected to no labelled one, given
            weights are not symmetric and nonnegative, or "huber" meets `alpha` or a linear solver.
        """
        self._validate_params()
        if self.coupling == "huber" and self.alpha is not None:
            raise ValueError(f"alpha must be None with coupling='huber', not {self.alpha!r}")
        if self.coupling == "huber" and self.solver in ("direct", "cg"):
            raise ValueError(
                f"solver={self.solver!r} solves linear systems; coupling='huber' needs 'descent'"
            )
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=(np.float64, np.float32))
        labelled = y != ("-1" if y.dtype.kind in "US" else -1)
        if not labelled.any():
            raise ValueError("y has no labelled sample: every label is -1")
        check_classification_targets(y[labelled])
        self.classes_, codes = np.unique(y[labelled], return_inverse=True)
        Y = np.zeros((len(y), len(self.classes_)))
        Y[np.flatnonzero(labelled), codes] = 1.0
        self.affinity_matrix_ = self._weights(X)
        check_every_component_is_labelled(self.affinity_matrix_, labelled)
        self._solve(Y, labelled)
        return self

    def _weights(self, X):
        """Weights of the graph; keeps what predictions for new samples need."""
        if self.affinity == "precomputed":
            W = checked_weights(X)
            return W if scipy.sparse.issparse(X) else W.toarray()
        if self.affinity == "rbf":
            self._samples = X
            W = np.exp(-self.gamma * euclidean_distances(X, squared=True)).astype(np.float64)
            np.fill_diagonal(W, 0.0)
            return W
        n_neighbors = min(self.n_neighbors, X.shape[0] - 1)
        self._search = NearestNeighbors(n_neighbors=max(n_neighbors, 1), n_jobs=self.n_jobs).fit(X)
        if n_neighbors == 0:
            return scipy.sparse.csr_array((1, 1))
        near = scipy.sparse.csr_array(self._search.kneighbors_graph(), dtype=np.float64)
        return scipy.sparse.csr_array(near.maximum(near.T))

    def _solve(self, Y, labelled):
        W = self.affinity_matrix_
        hard = self.alpha is None
        n_free = int(np.sum(~labelled)) if hard else len(Y)
        self.solver_ = choose_solver(self.solver, self.coupling, n_free)
        F, self.n_iter_, self.kkt_residual_ = Y.copy(), 1, 0.0
        if n_free and len(self.classes_) > 1:
            if self.coupling == "huber":
                found = huber_values(W, Y, labelled, self.delta, self.tol, self.max_iter)
            else:
                A, B = hard_system(W, Y, labelled) if hard else soft_system(W, Y, self.alpha)
                found = solve_system(A, B, self.solver_, self.tol, self.max_iter)
            F[~labelled if hard else slice(None)] = found.values
            self.n_iter_, self.kkt_residual_ = found.n_iter, found.residual
            if self.solver_ != "direct" and found.residual > 1.01 * self.tol:
                warnings.warn(
                    f"GraphLabelPropagation stopped at max_iter={self.max_iter} with the relative "
                    f"residual {found.residual:.1e}; tol={self.tol:.1e} was asked for",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        elif n_free:
            F[:] = 1.0
        self.label_distributions_ = _distributions(F)
        self.transduction_ = self.classes_[self.label_distributions_.argmax(axis=1)]

    def predict_proba(self, X):
        """Weighted mean of the values of the neighbours among the samples of `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New samples; with ``affinity="precomputed"`` their weights to the samples of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Values that sum to one, in the order of `classes_`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=(np.float64, np.float32))
        if self.affinity == "precomputed":
            weights = X
        elif self.affinity == "rbf":
            distance = euclidean_distances(X, self._samples, squared=True)
            # relative to the nearest sample, so that far ones do not underflow
            weights = np.exp(-self.gamma * (distance - distance.min(axis=1, keepdims=True)))
        else:
            weights = self._search.kneighbors_graph(X)
        return _distributions(weights @ self.label_distributions_)

    def predict(self, X):
        """Predict labels of new samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New samples; with ``affinity="precomputed"`` their weights to the samples of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]


def _distributions(F):
    """Rows scaled to sum to one; uniform where nothing arrived."""
    F = np.maximum(np.asarray(F, dtype=np.float64), 0.0)
    total = F.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, F / np.where(total > 0.0, total, 1.0), 1.0 / F.shape[1])
