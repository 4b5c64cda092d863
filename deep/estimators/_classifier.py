"""Classification with regularized networks, as a scikit-learn estimator."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..frame._nets import RegularizedNetClassifier
from ._estimator import ATTRIBUTES, PARAMETERS, DeepEstimator, as_array


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

    def fit(self, X, y, sample_weight=None):
        """Fit the network.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs.
        y : array of shape (n,)
            Labels: numbers, strings or booleans.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        DeepClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid.
        """
        return self._fit_labels(X, y, None, sample_weight, self.max_epochs, not self._goes_on())

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs. The first call sets the sizes and scales.
        y : array of shape (n,)
            Labels.
        classes : array of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call unless they are all in `y`.
        sample_weight : array of shape (n,), default=None
            Weights.

        Returns
        -------
        DeepClassifier
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, or `early_stopping` is on.
        """
        self._forbid_early_stopping()
        return self._fit_labels(X, y, classes, sample_weight, 1, not hasattr(self, "net_"))

    def _fit_labels(self, X, y, classes, sample_weight, epochs, reset):
        self._validate_params()
        self.check_regularizers()
        X, y = validate_data(self, as_array(X), as_array(y), allow_nd=True, reset=reset)
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has labels {unknown.tolist()} that are not among the classes")
        return self._fit(X, y, sample_weight, epochs=epochs, reset=reset)

    def _targets(self, y):
        return np.searchsorted(self.classes_, y)

    @property
    def _n_outputs(self):
        return len(self.classes_)

    def _task_arguments(self):
        return {"classes": np.arange(len(self.classes_))}

    def predict_proba(self, X):
        """Class probabilities.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._raw_predictions(X)

    def predict(self, X):
        """Most probable labels.

        Parameters
        ----------
        X : array, DataFrame or Tensor of shape (n, n_features), or what `module` takes
            Inputs.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
