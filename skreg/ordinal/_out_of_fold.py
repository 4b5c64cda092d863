"""Out-of-fold probabilities that know the order of the classes."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.utils import column_or_1d

from skreg.ordinal._labels import from_categorical, order_labels, warn_if_guessed
from skreg.strengths import folds_of


def out_of_fold_proba(
    estimator, X, y, *, class_order=None, cv=None, groups=None, n_jobs=None, params=None
):
    """Probabilities of every row by a fit that has not seen it, in the order of the classes.

    `sklearn.model_selection.cross_val_predict` encodes `y` by its sorted labels, which loses the
    order of an ordered categorical or a `class_order`. Here the estimator is fitted on the
    positions of the labels in their order, integers from 0, so that it also survives in whatever
    encodes the labels within the estimator.

    Parameters
    ----------
    estimator : classifier
        Classifier with `predict_proba`, fitted or not; a Pipeline or a search works. Its
        `class_order`, and that of the estimators within it, gives the order of the labels.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels: numbers, strings, or an ordered categorical.
    class_order : array-like of shape (n_levels,), default=None
        The labels from the first class to the last, rare one, in place of the order of the
        estimator or of `y`.
    cv : int, cross-validation generator or iterable, default=None
        Folds, each row in exactly one test set; an integer is the number of stratified folds
        without shuffling, None five of them. Splits may be indices or boolean masks.
    groups : array-like of shape (n_samples,), default=None
        Groups for the splitter. With metadata routing enabled, pass them in `params`.
    n_jobs : int, default=None
        Number of folds fitted at once.
    params : dict, default=None
        Parameters of `estimator.fit`, such as ``{"sample_weight": weight}``, or of whatever asks
        for them by metadata routing.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Columns belong to the *sorted* labels, as in `predict_proba` and for scikit-learn's
        metrics.

    Raises
    ------
    ValueError
        If the order is contradictory or lacks a label, or if the test sets do not cover every row
        once.

    Warns
    -----
    UserWarning
        If the order was guessed.
    RuntimeWarning
        If a class is missing from a training set; its probability is 0 for the fold.

    Examples
    --------
    >>> import pandas as pd
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> from skreg.ordinal import ProportionalOddsClassifier, out_of_fold_proba
    >>> X, stage = load_ordinal_diabetes(return_X_y=True)
    >>> names = ["none", "mild", "severe", "critical"]
    >>> y = pd.Categorical.from_codes(stage, names, ordered=True)
    >>> proba = out_of_fold_proba(ProportionalOddsClassifier(), X, y, cv=5)
    >>> critical = sorted(names).index("critical")
    >>> round(float(proba[stage == 3, critical].mean()), 2)
    0.17
    """
    labels, proba = ordered_out_of_fold(
        estimator, X, y, class_order, cv=cv, groups=groups, n_jobs=n_jobs, params=params
    )
    return proba[:, np.argsort(np.searchsorted(labels.classes, labels.order))]


def ordered_out_of_fold(estimator, X, y, class_order, *, cv, **options):
    """Ordered labels, and out-of-fold probabilities with the columns in that order."""
    if isinstance(estimator, FrozenEstimator):
        raise ValueError("a FrozenEstimator is not fitted on the folds: pass what it holds")
    estimator, own_order = without_class_order(estimator)
    values, levels = from_categorical(y)
    order = own_order if class_order is None else class_order
    labels = order_labels(column_or_1d(values), order, levels)
    warn_if_guessed(labels)
    folds = index_folds(cv, len(labels.codes))
    proba = cross_val_predict(
        estimator,
        X,
        labels.codes,
        cv=folds,
        method="predict_proba",
        **options,
    )
    return labels, proba


def without_class_order(estimator):
    """Clone whose estimators take labels as they come, and the order that they had.

    Raises
    ------
    ValueError
        If estimators within it contradict each other.
    """
    estimator = clone(estimator)
    given = {
        name: list(value)
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "class_order" and value is not None
    }
    orders = list(given.values())
    if any(order != orders[0] for order in orders):
        raise ValueError(f"the estimator holds several orders: {given}; they must agree")
    estimator.set_params(**dict.fromkeys(given))
    return estimator, orders[0] if orders else None


def index_folds(cv, n_samples):
    """`cv`, with an iterable of splits turned into folds of positions."""
    if cv is None or isinstance(cv, Integral) or hasattr(cv, "split"):
        return cv
    return folds_of(cv, n_samples)
