"""Training in stages, each with parameters of its own."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skreg._estimator import Estimator
from skreg._sklearn import HasMethods
from skreg._state import all_or_nothing

Delegated = TypeVar("Delegated", bound=Callable[..., Any])


def _has(method: str) -> Callable[[Delegated], Delegated]:
    return available_if(lambda self: hasattr(self.estimator, method) or None)


class StagedTraining(MetaEstimatorMixin, Estimator):
    """Train one network in stages: each goes on from the last with parameters of its own.

    A stage is a warm start of the estimator's ``fit`` on the same data. Its parameters are those of
    `estimator` with the stage's own in their place; the next stage begins with those of
    `estimator` again.

    Parameters
    ----------
    estimator : DeepClassifier, DeepRegressor or DeepAutoencoder
        What to train; it stays as it is.
    stages : list of (str, dict)
        Name of each stage and what `estimator.set_params` gets there, e.g. ``max_epochs``, ``lr``,
        ``regularizers__NAME__PARAM``, ``callbacks`` or ``trainable``.

    Attributes
    ----------
    estimator_ : estimator
        The trained estimator, with the parameters of the last stage.
    history_ : pandas.DataFrame
        That of the estimator, with a column ``stage``.
    n_iter_ : int
        Number of epochs of all stages.
    classes_ : ndarray of shape (n_classes,)
        The labels, if the estimator is a classifier.
    n_features_in_ : int
        Number of columns, or of channels.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if `X` has any.

    Examples
    --------
    First the head alone, then everything, slowly:

    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier, StagedTraining
    >>> X, y = load_iris(return_X_y=True)
    >>> stages = [
    ...     ("head", {"trainable": ["head.*"], "lr": 0.05, "max_epochs": 5}),
    ...     ("all", {"lr": 0.01, "max_epochs": 10}),
    ... ]
    >>> model = StagedTraining(DeepClassifier(random_state=0), stages).fit(X, y)
    >>> model.history_["stage"].value_counts().to_dict()
    {'all': 10, 'head': 5}
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "set_params", "check_regularizers"])],
        "stages": [list, tuple],
    }

    def __init__(self, estimator: Any, stages: Any) -> None:
        self.estimator = estimator
        self.stages = stages

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        for part in (
            "estimator_type", "classifier_tags", "regressor_tags", "transformer_tags",
            "input_tags", "target_tags", "non_deterministic",
        ):  # fmt: skip
            setattr(tags, part, getattr(inner, part))
        return tags

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Train through all stages, from the beginning.

        Parameters
        ----------
        X : array, or what the estimator takes
            Inputs.
        y : array, default=None
            Labels or targets, if the estimator takes them.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            Numbers of the rows, as for the estimator.
        X_val, y_val : as `X` and `y`, default=None
            Data for the validation loss, as for the estimator.

        Returns
        -------
        StagedTraining
            The fitted estimator.

        Raises
        ------
        ValueError
            If the stages are not valid, or as the estimator.
        """
        self._validate_params()
        self._check_stages()
        given = {
            "sample_weight": sample_weight,
            "sample_index": sample_index,
            "X_val": X_val,
            "y_val": y_val,
        }
        given = {name: value for name, value in given.items() if value is not None}
        model = clone(self.estimator)
        names: list[str] = []
        for name, params in self.stages:
            params_of_all = clone(self.estimator).get_params(deep=False)
            del params_of_all["module"]  # an instance is copied by clone, and would count as new
            model.set_params(**params_of_all)
            model.set_params(**params)
            model.set_params(warm_start=True)
            model.fit(X, y, **given)
            names += [name] * (model.n_iter_ - len(names))
        self.estimator_, self._stage_of_epochs = model, names
        return self

    def _check_stages(self):
        for stage in self.stages:
            if not (
                isinstance(stage, tuple | list)
                and len(stage) == 2
                and isinstance(stage[0], str)
                and isinstance(stage[1], dict)
            ):
                raise ValueError(f"stages must be pairs (name, dict of parameters), got {stage!r}")
            if "warm_start" in stage[1]:
                raise ValueError(f"stage {stage[0]!r} sets warm_start, which is what stages are")
        names = [name for name, _ in self.stages]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"stages must have one name or more, all different, got {names}")

    @property
    def history_(self) -> Any:
        """Losses, scores and seconds by epoch, as a pandas DataFrame, with the stage."""
        check_is_fitted(self)
        return self.estimator_.history_.assign(stage=self._stage_of_epochs)

    @property
    def n_iter_(self) -> int:
        """Number of epochs of all stages."""
        check_is_fitted(self)
        return self.estimator_.n_iter_

    @property
    def net_(self) -> Any:
        """The trained net."""
        return self._fitted_attribute("net_")

    @property
    def classes_(self) -> np.ndarray:
        """The labels."""
        return self._fitted_attribute("classes_")

    @property
    def n_features_in_(self) -> int:
        """Number of columns, or of channels."""
        return self._fitted_attribute("n_features_in_")

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns."""
        return self._fitted_attribute("feature_names_in_")

    def _fitted_attribute(self, name):
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} is not fitted, thus has no {name!r}")
        return getattr(self.estimator_, name)

    @_has("predict")
    def predict(self, X: Any) -> np.ndarray:
        """Predictions of the trained estimator.

        Parameters
        ----------
        X : array, or what the estimator takes
            Inputs.

        Returns
        -------
        ndarray
            Predictions.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities of the trained estimator.

        Parameters
        ----------
        X : array, or what the estimator takes
            Inputs.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_has("transform")
    def transform(self, X: Any) -> np.ndarray:
        """Codes of the trained estimator.

        Parameters
        ----------
        X : array, or what the estimator takes
            Inputs.

        Returns
        -------
        ndarray of shape (n, n_components)
            Codes.
        """
        check_is_fitted(self)
        return self.estimator_.transform(X)

    @_has("transform")
    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Train through all stages and return codes.

        Parameters
        ----------
        X, y : as for `fit`
            Data.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        ndarray of shape (n, n_components)
            Codes.
        """
        return self.fit(X, y, **fit_params).transform(X)

    @_has("inverse_transform")
    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Data that have given codes.

        Parameters
        ----------
        X : array of shape (n, n_components)
            Codes.

        Returns
        -------
        ndarray
            The data.
        """
        check_is_fitted(self)
        return self.estimator_.inverse_transform(X)

    @_has("get_feature_names_out")
    def get_feature_names_out(self, input_features: None = None) -> np.ndarray:
        """Names of the columns of codes.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
            The names.
        """
        check_is_fitted(self)
        return self.estimator_.get_feature_names_out(input_features)

    @_has("set_output")
    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Choose the container of codes.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As for every transformer of scikit-learn.

        Returns
        -------
        StagedTraining
            This estimator.
        """
        for inner in (self.estimator, getattr(self, "estimator_", None)):
            if inner is not None:
                inner.set_output(transform=transform)
        return self

    @_has("score")
    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Score of the trained estimator.

        Parameters
        ----------
        X, y : as for `fit`
            Data.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        float
            The score.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, sample_weight=sample_weight)
