"""Out-of-fold probabilities that know the order of the classes."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.parallel import Parallel, delayed

from skreg._progress import progress
from skreg._sklearn import (
    MetadataRouter,
    MethodMapping,
    _check_method_params,
    _fit_and_predict,
    _routing_enabled,
    _safe_indexing,
    process_routing,
)
from skreg._warnings import warn
from skreg.ordinal._base import CumulativeLinkClassifier
from skreg.ordinal._class_order import label_position, order_unknown
from skreg.ordinal._labels import GUESSED, from_categorical, order_labels, warn_if_guessed
from skreg.ordinal._linear_predictors import check_offset
from skreg.strengths import folds_of


def out_of_fold_proba(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    class_order: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    cv: Any = None,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
) -> np.ndarray:
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
    offset : array-like of shape (n_samples,), default=None
        Known part of the predictors, in the fits and of the rows that they predict, for a
        classifier of `skreg.ordinal` itself. (In `params` it would reach the fits alone.)
    cv : int, cross-validation generator or iterable, default=None
        Folds, each row in exactly one test set; an integer is the number of stratified folds
        without shuffling, None five of them. Splits may be indices or boolean masks.
    groups : array-like of shape (n_samples,), default=None
        Groups for the splitter. With metadata routing enabled, pass them in `params`.
    n_jobs : int, default=None
        Number of folds fitted at once.
    verbose : int, default=0
        Whether to show the progress over the folds on stderr.
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
        If the order is contradictory or lacks a label, if the test sets do not cover every row
        once, or if `offset` does not fit the rows.
    TypeError
        If there is an offset for another estimator.

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
    labels, proba, _ = ordered_out_of_fold(
        estimator, X, y, class_order, offset=offset, cv=cv, groups=groups, n_jobs=n_jobs,
        params=params, verbose=verbose,
    )  # fmt: skip
    return proba[:, np.argsort(np.searchsorted(labels.classes, labels.order))]


def ordered_out_of_fold(
    estimator,
    X,
    y,
    class_order,
    *,
    cv,
    offset=None,
    groups=None,
    n_jobs=None,
    params=None,
    verbose=0,
):
    """Ordered labels, out-of-fold probabilities with the columns in that order, and the fold of
    each row."""
    if isinstance(estimator, FrozenEstimator):
        raise ValueError("a FrozenEstimator is not fitted on the folds: pass what it holds")
    estimator, own_order = without_class_order(estimator)
    values, levels = from_categorical(y)
    order = own_order if class_order is None else class_order
    labels = order_labels(column_or_1d(values), order, levels)
    warn_if_guessed(labels)
    X, codes = indexable(X, labels.codes)
    predict_fold = _predict_fold
    if offset is not None:
        check_takes_offset(estimator)
        predict_fold = partial(_predict_fold_with_offset, offset=check_offset(offset, len(codes)))
    cv = check_cv(cv, codes, classifier=True)
    splitting, fitting = _routed(estimator, cv, groups, params)
    folds = _partition(cv.split(X, codes, **splitting), len(codes))
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(predict_fold)(clone(estimator), X, codes, fold, fitting) for fold in folds
    )
    counted = progress(
        results, total=len(folds), verbose=verbose, by="out_of_fold_proba", unit="fold"
    )
    proba, fold_of_row = np.empty((len(codes), len(labels.order))), np.empty(len(codes), np.intp)
    for number, (fold, found) in enumerate(zip(folds, counted, strict=True)):
        proba[fold.test], fold_of_row[fold.test] = found, number
    return labels, proba, fold_of_row


def _predict_fold(estimator, X, codes, fold, fitting):
    return _fit_and_predict(estimator, X, codes, *fold, fitting, "predict_proba")


def _predict_fold_with_offset(estimator, X, codes, fold, fitting, offset):
    """The same with an offset on both sides, which scikit-learn does not pass on."""
    params = _check_method_params(X, fitting, indices=fold.train)
    estimator.fit(
        _safe_indexing(X, fold.train), codes[fold.train], offset=offset[fold.train], **params
    )
    found = estimator.predict_proba(_safe_indexing(X, fold.test), offset=offset[fold.test])
    n_classes, n_learned = codes.max() + 1, len(estimator.classes_)
    if n_learned < n_classes:
        warn(
            f"a training fold has {n_learned} of the {n_classes} classes; the others have the "
            "probability 0 in its test rows",
            RuntimeWarning,
        )
    proba = np.zeros((len(fold.test), n_classes))
    proba[:, estimator.classes_] = found
    return proba


def check_takes_offset(estimator):
    """Raise TypeError for estimators that cannot be given offsets."""
    if not isinstance(estimator, CumulativeLinkClassifier):
        raise TypeError(
            "offset is for a classifier of skreg.ordinal, whose fit and predict_proba take one; "
            f"got {type(estimator).__name__}"
        )


def event_position(label, labels):
    """Position of a label in the order, that of the last one if None.

    Raises
    ------
    ValueError
        If there is no such label, or it is None and the order of two labels was a guess.
    """
    if label is None:
        if labels.origin == GUESSED and len(labels.order) == 2:
            raise order_unknown(labels.classes, "y")
        return len(labels.order) - 1
    return label_position(label, labels.order)


def _routed(estimator, cv, groups, params):
    """Parameters of the splitter and of the fits, as `cross_val_predict` gives them."""
    params = {} if params is None else params
    if not _routing_enabled():
        return {"groups": groups}, params
    if groups is not None:
        raise ValueError("with metadata routing enabled, pass groups in params: {'groups': ...}")
    router = MetadataRouter(owner="out_of_fold_proba")
    router.add(splitter=cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
    router.add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    routed = process_routing(router, "fit", **params)
    return routed.splitter.split, routed.estimator.fit


def _partition(splits, n_samples):
    """Folds whose held-out rows are all rows, each once."""
    folds = folds_of(splits, n_samples)
    times = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=n_samples)
    if not np.all(times == 1):
        row = int(np.argmax(times != 1))
        raise ValueError(
            f"cv must hold out every row once, but row {row} is in {times[row]} test sets: "
            "out-of-fold probabilities need partitions, such as StratifiedKFold or GroupKFold"
        )
    return folds


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
