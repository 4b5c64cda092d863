"""Classification with regularized networks, as a scikit-learn estimator."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skreg._state import all_or_nothing

from ..frame._nets import RegularizedNetClassifier
from ._estimator import DeepEstimator
from ._parameters import ATTRIBUTES, PARAMETERS


class DeepClassifier(ClassifierMixin, DeepEstimator):
    __doc__ = (
        """Neural network classifier with regularizers.

    Builds a `RegularizedNetClassifier` in ``fit`` and keeps it in `net_`. Rows with weight zero
    take no part; with one batch for all data, integer weights are the same as repeated rows, up to
    the rounding of `dtype`. Ctrl-C ends the training and keeps the network as it is.

    Parameters
    ----------"""
        + PARAMETERS.format(criterion="``torch.nn.CrossEntropyLoss``", target="")
        + """
    Attributes
    ----------"""
        + ATTRIBUTES.format(net="RegularizedNetClassifier")
        + """    classes_ : ndarray of shape (n_classes,)
        The labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = DeepClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """
    )

    _net_class = RegularizedNetClassifier
    _split_class = StratifiedShuffleSplit

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs: tables of shape (n, n_features), images, or what `module` takes; the arrays of
            a dict are its keyword arguments.
        y : array of shape (n,), default=None
            Labels: numbers, strings or booleans. None only for a data set of pairs.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            Numbers under which regularizers remember the rows, all different and none negative,
            e.g. of rows that come again in other company. By default rows are numbered on from the
            largest number so far; a warm start on the very data of the last call keeps theirs.
        X_val, y_val : as `X` and `y`, default=None
            Data for the validation loss, and for early stopping if it is on, in place of a part of
            the training data; prepared as these are. skorch's ``predefined_split`` in
            ``net_params["train_split"]`` does the same.

        Returns
        -------
        DeepClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, or one that was changed cannot
            act on a warm start.
        """
        self._validate_params()
        self.check_regularizers()
        reset = not self._goes_on()
        X, y = self._checked(X, y, reset=reset)
        validation = self._checked_validation(X_val, y_val)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=None, reset=reset)

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs, as for `fit`. The first call sets the sizes and scales.
        y : array of shape (n,), default=None
            Labels. None only for a data set of pairs.
        classes : array of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call unless they are all in `y`.
        sample_weight : array of shape (n,), default=None
            Weights.
        sample_index : array of int of shape (n,), default=None
            As for `fit`; without it the rows of each call are new samples.

        Returns
        -------
        DeepClassifier
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, `early_stopping` is on, or a
            parameter that was changed cannot act on a network that is there.
        """
        self._validate_params()
        self._forbid_early_stopping()
        self.check_regularizers()
        reset = not hasattr(self, "net_")
        X, y = self._checked(X, y, reset=reset, classes=classes)
        validation = self._checked_validation(None, None)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=1, reset=reset)

    def _checked(self, X, y, *, reset, classes=None):
        X, y = super()._checked(X, y, reset=reset)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has labels {unknown.tolist()} that are not among the classes")
        return X, y

    def _targets(self, y, _inputs):
        return np.searchsorted(self.classes_, y)

    def _own_sizes(self):
        return {"n_outputs": len(self.classes_)}

    def _task_arguments(self):
        criterion = self.criterion
        kind = criterion if isinstance(criterion, type) else type(criterion)
        if self.module is None and issubclass(kind, torch.nn.NLLLoss):
            raise ValueError(
                "NLLLoss needs the probabilities of a module that ends with a softmax, and the "
                "default network puts out logits: leave criterion=None, which is the cross entropy "
                "of logits, or give a module"
            )
        return {"classes": np.arange(len(self.classes_))}

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs, as for `fit`.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._raw_predictions(X)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels.

        Parameters
        ----------
        X : array, DataFrame, Tensor, dict of arrays, or torch Dataset
            Inputs, as for `fit`.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
