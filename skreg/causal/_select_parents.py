"""The transformer `SelectParents`."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from skreg._estimator import Estimator
from skreg._sklearn import HasMethods, _fit_context
from skreg._state import all_or_nothing
from skreg.causal._colide import CoLiDE
from skreg.causal._linear_dag import LinearDAG
from skreg.causal._names import default_names


class SelectParents(SelectorMixin, Estimator):
    """Keep the columns that are parents of the target in a learned acyclic graph.

    The target joins the columns as one more node. Parents are the direct causes: a regression on
    them alone keeps its meaning when other parts of the system change, which one on effects of the
    target does not, though it may predict better where nothing changes.

    Parameters
    ----------
    estimator : estimator, default=None
        Estimator with `adjacency_matrix_`; ``CoLiDE("ev")`` if None. Its constraints on edges can
        name the columns, and the target by the name that it has as a column of a data frame, or
        else ``"y"``; the target's number is that after the last column.

    Attributes
    ----------
    estimator_ : estimator
        The estimator fitted to columns and target; the target is its last node.
    parent_weights_ : ndarray of shape (n_features,)
        Weights of the edges from the columns to the target, 0 where there is none.
    selected_features_ : ndarray of shape (n_parents,)
        Names of the parents; ``x0``, ``x1``, ... if X has no string column names.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X has string column names.

    See Also
    --------
    CoLiDE : Estimates the graph; see there on units.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skreg.causal import SelectParents
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(500, 6, edges_per_node=1, random_state=0)
    >>> sem.adjacency[:, 2].nonzero()[0]
    array([4])
    >>> others = [0, 1, 3, 4, 5]
    >>> model = make_pipeline(SelectParents(), LinearRegression())
    >>> model = model.fit(sem.X[:, others], sem.X[:, 2])
    >>> model[0].get_support()
    array([False, False, False,  True, False])
    >>> model[0].selected_features_
    array(['x3'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {"estimator": [None, HasMethods(["fit"])]}

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    @_fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the graph of columns and target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights of the rows, for estimators that take them.

        Returns
        -------
        SelectParents
            The fitted transformer.

        Raises
        ------
        ValueError
            If X, y or the weights have NaN or infinity, a column or the target is constant, or the
            estimator does not take the weights that are given.
        """
        target = getattr(y, "name", None)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        nodes = np.column_stack([X, y])
        base = CoLiDE("ev") if self.estimator is None else clone(self.estimator)
        weights: dict[str, Any] = {} if sample_weight is None else {"sample_weight": sample_weight}
        if weights and not has_fit_parameter(base, "sample_weight"):
            raise ValueError(
                f"sample_weight was given, but {type(base).__name__} takes none; leave it out or "
                "choose another estimator"
            )
        if isinstance(base, LinearDAG):
            base._node_names = self._node_names("y" if target is None else str(target))
        self.estimator_ = base.fit(nodes, **weights)
        self.parent_weights_ = self.estimator_.adjacency_matrix_[:-1, -1].copy()
        self.selected_features_ = self.get_feature_names_out()
        return self

    def _node_names(self, target):
        columns = getattr(self, "feature_names_in_", default_names(self.n_features_in_))
        taken = target in columns
        return [*map(str, columns), f"{target} (target)" if taken else target]

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Put zeros for the columns that `transform` dropped.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_selected)
            Selected columns, none of them if the target has no parents.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            All columns.
        """
        if self._get_support_mask().any():
            return super().inverse_transform(X)
        nothing = check_array(X, dtype=None, ensure_min_features=0)
        return np.zeros((len(nothing), self.n_features_in_), dtype=nothing.dtype)

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.parent_weights_ != 0

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
