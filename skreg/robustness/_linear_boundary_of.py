"""Which linear boundary a fitted classifier has, in the space of the X that it is given."""

from math import log
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaseEnsemble
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, NuSVC
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._inside import fitted_inside
from skreg._sklearn import _safe_indexing
from skreg._warnings import warn
from skreg.robustness._linear_boundary import LinearBoundary, has_boundary
from skreg.robustness._linear_boundary_steps import Scores, pull_back_through

N_COMPARED = 32  # rows on which a classifier's own answers are compared with the boundary
LOST = 1e-3  # share of the scores beyond which their rounding is told
ROUNDING = {"d": 1e-6, "f": 1e-3}  # of sums of products in double and single precision
# where the distribution function of a link of `skreg.ordinal` is one half
MEDIANS = {"logit": 0.0, "probit": 0.0, "cloglog": log(log(2.0)), "loglog": -log(log(2.0))}


def boundary_and_rows(estimator: Any, X: Any) -> tuple[LinearBoundary, Any]:
    """The boundary of a fitted classifier, and X as numbers.

    Parameters
    ----------
    estimator : estimator
        Fitted linear classifier, or what holds one.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Rows. The classifier's own answers to a few of them are compared with those of the boundary.

    Returns
    -------
    LinearBoundary
        In the space of X.
    {ndarray, csr} of shape (n_samples, n_features)
        The rows, float64 or float32.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier, naming the class or the step that is not linear.
    ValueError
        If X does not fit, or if no two classes have different weights.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Warns
    -----
    UserWarning
        If the scores are lost in rounding.
    """
    boundary = linear_boundary_of(estimator)
    rows = _checked_rows(estimator, X)
    n_features = boundary.coef.shape[1]
    if rows.shape[1] != n_features:
        raise ValueError(f"X has {rows.shape[1]} features, but the estimator has {n_features}")
    _require_agreement(estimator, X, rows, boundary)
    return boundary, rows


def _checked_rows(estimator: Any, X: Any) -> Any:
    """X as numbers; its names are those of the fit, if there the estimator saw some.

    A Pipeline whose first step is "passthrough" does not tell of names, though it saw some.
    """
    checks: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
    if hasattr(estimator, "feature_names_in_"):
        return validate_data(estimator, X, reset=False, **checks)
    return check_array(X, estimator=estimator, input_name="X", **checks)


def linear_boundary_of(estimator: Any) -> LinearBoundary:
    """The boundary that the learned attributes tell of; their word is taken for it."""
    if not is_classifier(estimator):
        raise TypeError(
            f"{_name(estimator)} is not a classifier; give a fitted linear classifier, or a "
            "Pipeline that ends with one"
        )
    check_is_fitted(estimator)
    scores, classes = _read(estimator)
    boundary = _two_scores_as_one(scores, classes, estimator)
    n_features = getattr(estimator, "n_features_in_", boundary.coef.shape[1])
    if boundary.coef.shape[1] != n_features:
        raise TypeError(
            f"{_name(estimator)} has {boundary.coef.shape[1]} coefficients for {n_features} "
            "columns of X: they belong to features that it makes, and its boundary need not be "
            "linear"
        )
    if not has_boundary(boundary):
        raise ValueError(
            f"all weights of {_name(estimator)} are equal over the classes (a zero weight vector), "
            "so that it has no boundary; fit it with less regularization"
        )
    return boundary


def _read(estimator: Any) -> tuple[Scores, np.ndarray]:
    """Scores and classes, in the estimator's own conventions."""
    for kinds, read in READERS:
        if isinstance(estimator, kinds):
            return read(estimator)
    if hasattr(estimator, "class_order_"):
        return _read_ordinal(estimator)
    if all(hasattr(estimator, name) for name in ("coef_", "intercept_", "classes_")):
        return _scores(estimator.coef_, estimator.intercept_), np.asarray(estimator.classes_)
    if hasattr(estimator, "best_estimator_"):
        return _read(estimator.best_estimator_)
    # a holder that passes on the scores of what it holds can be held to them, row by row; labels
    # alone would not tell of one that decides otherwise near the boundary, as smoothing does
    if hasattr(estimator, "estimator_") and hasattr(estimator, "decision_function"):
        return _read(estimator.estimator_)
    if hasattr(estimator, "refit") and not estimator.refit:
        raise TypeError(f"{_name(estimator)} was fitted with refit=False and holds no classifier")
    raise TypeError(
        f"{_name(estimator)} is not a linear classifier: it has no coef_ and intercept_ that "
        "decide between its classes. Give one that has, such as LogisticRegression or LinearSVC"
    )


def _scores(coef: Any, intercept: Any) -> Scores:
    coef = coef.toarray() if sparse.issparse(coef) else coef
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    intercept = np.asarray(intercept, dtype=np.float64).ravel()
    return Scores(coef, np.broadcast_to(intercept, len(coef)))


def _two_scores_as_one(scores: Scores, classes: np.ndarray, estimator: Any) -> LinearBoundary:
    """One score for two classes, or one for each of more; everything else is refused."""
    coef, intercept = scores
    if len(classes) == 2 and len(coef) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    n_scores = 1 if len(classes) == 2 else len(classes)
    if len(coef) != n_scores or len(classes) < 2:
        raise TypeError(
            f"{_name(estimator)} has {len(coef)} linear scores for {len(classes)} classes, but one "
            "for two classes or one for each of more make a linear classifier"
        )
    if not np.isfinite(coef).all() or np.isnan(intercept).any():
        raise ValueError(f"the weights of {_name(estimator)} are not finite; fit it again")
    return LinearBoundary(coef, intercept, classes)


# ------------------------------------------------------------------------------------------------
# classifiers and what holds them, each in its own conventions


def _read_pipeline(pipeline: Any) -> tuple[Scores, np.ndarray]:
    scores, classes = _read(pipeline.steps[-1][1])
    return pull_back_through(pipeline.steps[:-1], scores), classes


def _read_frozen(frozen: Any) -> tuple[Scores, np.ndarray]:
    return _read(frozen.estimator)


def _read_support_vectors(machine: Any) -> tuple[Scores, np.ndarray]:
    if machine.kernel != "linear":
        raise TypeError(
            f"{_name(machine)} with kernel={machine.kernel!r} is not linear in X; only that with "
            "kernel='linear' is"
        )
    if len(machine.classes_) > 2:
        raise TypeError(
            f"{_name(machine)} decides between {len(machine.classes_)} classes by votes of pairs, "
            "which are not linear scores; fit two classes, or LinearSVC, or OneVsRestClassifier"
        )
    return _scores(machine.coef_, machine.intercept_), machine.classes_


def _read_one_versus_rest(several: Any) -> tuple[Scores, np.ndarray]:
    if several.multilabel_:
        raise TypeError(f"{_name(several)} was fitted to several labels for each row")
    parts = [_two_scores_as_one(*_read(binary), binary) for binary in several.estimators_]
    if not all(hasattr(binary, "decision_function") for binary in several.estimators_):
        raise TypeError(f"{_name(several)} compares probabilities, which are not linear in X")
    scores = Scores(
        np.vstack([part.coef for part in parts]), np.hstack([part.intercept for part in parts])
    )
    return scores, several.classes_


def _read_nearest_centroid(model: Any) -> tuple[Scores, np.ndarray]:
    """-||x - m||^2 = 2 m.x - ||m||^2 - ||x||^2, the last the same for all classes."""
    uniform = np.allclose(model.class_prior_, 1.0 / len(model.classes_))
    if model.metric != "euclidean" or not uniform:
        raise TypeError(
            f"{_name(model)} with metric={model.metric!r} and priors={model.priors!r} is not known "
            "to be linear in X; only that with metric='euclidean' and priors='uniform' is"
        )
    m = np.asarray(model.centroids_, dtype=np.float64)
    return Scores(2.0 * m, -np.sum(m**2, axis=1)), model.classes_


def _read_multinomial(model: Any) -> tuple[Scores, np.ndarray]:
    return _scores(model.feature_log_prob_, model.class_log_prior_), model.classes_


def _read_complement(model: Any) -> tuple[Scores, np.ndarray]:
    return _scores(model.feature_log_prob_, 0.0), model.classes_


def _read_bernoulli(model: Any) -> tuple[Scores, np.ndarray]:
    if model.binarize is not None:
        raise TypeError(
            f"{_name(model)} with binarize={model.binarize!r} is not linear in X; only that with "
            "binarize=None is"
        )
    log_of_zero = np.log1p(-np.exp(model.feature_log_prob_))
    intercept = model.class_log_prior_ + log_of_zero.sum(axis=1)
    return _scores(model.feature_log_prob_ - log_of_zero, intercept), model.classes_


def _read_ordinal(model: Any) -> tuple[Scores, np.ndarray]:
    """Two classes have P(Y = first) = G(alpha + x.beta); of more, differences decide."""
    if len(model.classes_) > 2:
        raise TypeError(
            f"{_name(model)} compares differences of cumulative probabilities of "
            f"{len(model.classes_)} classes, which are not linear in X; fit two classes"
        )
    sign = -1.0 if model.class_order_[0] == model.classes_[0] else 1.0
    above = np.asarray(model.intercept_) - MEDIANS[model.link_]
    scores = _scores(sign * np.asarray(model.coef_), sign * above)
    return scores, np.asarray(model.classes_)


def _refuse(estimator: Any) -> tuple[Scores, np.ndarray]:
    raise TypeError(
        f"{_name(estimator)} changes or combines what the classifiers within it decide: it has no "
        "linear boundary, even if they have some. Give one of them, if it is linear"
    )


READERS: tuple[tuple[Any, Any], ...] = (
    (Pipeline, _read_pipeline),
    (FrozenEstimator, _read_frozen),
    ((SVC, NuSVC), _read_support_vectors),
    (OneVsRestClassifier, _read_one_versus_rest),
    (NearestCentroid, _read_nearest_centroid),
    (MultinomialNB, _read_multinomial),
    (ComplementNB, _read_complement),
    (BernoulliNB, _read_bernoulli),
    (
        (
            BaseEnsemble,
            CalibratedClassifierCV,
            FixedThresholdClassifier,
            RFE,
            TunedThresholdClassifierCV,
        ),
        _refuse,
    ),
)


# ------------------------------------------------------------------------------------------------
# the classifier's own answers


def _require_agreement(estimator: Any, X: Any, rows: Any, boundary: LinearBoundary) -> None:
    """Compare labels, and scores if the estimator has some, of a few rows.

    They may differ by rounding; a warning tells where that is no small part of the scores.
    """
    some = np.unique(np.linspace(0, rows.shape[0] - 1, N_COMPARED).astype(int))
    # names of columns are for the estimator; everything else is as good as numbers
    given, rows = _safe_indexing(X, some) if hasattr(X, "columns") else rows[some], rows[some]
    scores = boundary.scores(rows)
    rounding = ROUNDING[rows.dtype.char] * _size_of_terms(boundary, rows)
    told, labels = _own_scores(estimator, given), np.asarray(estimator.predict(given))
    agree = _labels_agree(labels, scores, rounding, boundary)
    exact = _labels_agree(labels, scores, LOST * np.abs(scores), boundary)
    if told is not None:
        agree = agree and told.shape == scores.shape and _numbers_agree(told, scores, rounding)
        exact = agree and exact and _numbers_agree(told, scores, LOST * _largest(scores))
    if not agree:
        raise TypeError(
            f"{_name(estimator)} does not decide by its coef_ and intercept_: it answers to rows "
            "of X otherwise than linear scores would. Only classifiers that are linear in X have a "
            "linear boundary"
        )
    if not exact:
        warn(
            f"scores of {_name(estimator)} are lost in rounding: its own differ from those of its "
            f"linear boundary by more than {LOST:g} of their size, so that distances and angles "
            "are not those that it decides by. Give X in double precision, with smaller offsets, "
            "or leave out directions without variance, as of a whitening PCA of few rows"
        )


def _largest(scores: np.ndarray) -> np.ndarray:
    """The largest finite score, for each of them."""
    finite = np.abs(scores[np.isfinite(scores)])
    return np.full_like(scores, finite.max(initial=0.0))


def _own_scores(estimator: Any, given: Any) -> np.ndarray | None:
    """The estimator's decision function; that of NearestCentroid is not what it predicts by."""
    by_centroids = any(hasattr(inner, "centroids_") for inner in fitted_inside(estimator))
    if by_centroids or not hasattr(estimator, "decision_function"):
        return None
    told = np.asarray(estimator.decision_function(given), dtype=np.float64)
    return told.reshape(len(told), -1)


def _numbers_agree(told: np.ndarray, scores: np.ndarray, rounding: np.ndarray) -> bool:
    with np.errstate(invalid="ignore"):  # infinite scores of a class without samples
        return bool(np.all((told == scores) | (np.abs(told - scores) <= rounding)))


def _labels_agree(
    predicted: np.ndarray, scores: np.ndarray, rounding: np.ndarray, boundary: LinearBoundary
) -> bool:
    """Whether the score of each predicted class is the largest one, up to rounding."""
    if predicted.ndim != 1 or not np.isin(predicted, boundary.classes).all():
        return False
    codes = (predicted[:, None] == boundary.classes).argmax(axis=1)
    if boundary.is_binary:
        scores, rounding = (np.hstack([np.zeros_like(part), part]) for part in (scores, rounding))
    chosen = np.take_along_axis(scores, codes[:, None], axis=1)[:, 0]
    return bool(np.all(chosen + 2.0 * rounding.max(axis=1) >= scores.max(axis=1)))


def _size_of_terms(boundary: LinearBoundary, rows: Any) -> np.ndarray:
    return abs(rows) @ np.abs(boundary.coef).T + np.abs(boundary.intercept)


def _name(estimator: Any) -> str:
    return type(estimator).__name__
