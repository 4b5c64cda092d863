"""Scores of a path of strengths on held-out rows, some of which may lack a class."""

import numpy as np

from skreg.ordinal._likelihood import log_class_probabilities, repair_crossing
from skreg.ordinal._linear_predictors import linear_predictors
from skreg.ordinal._link import LINKS
from skreg.ordinal._presto import presto_problem
from skreg.ordinal._problem import original_scale
from skreg.ordinal._solve_path import null_solution, solve_path

SMALLEST_PROBABILITY = 1e-8


def negative_brier(model, rows, params):
    """Minus the weighted mean of sum_k (1[y = k] - pi_k)^2."""
    codes = rows.labels.codes
    error = np.exp(_log_probabilities(model, rows))
    error[np.arange(len(codes)), codes] -= 1.0
    return -np.average((error**2).sum(axis=1), weights=rows.sample_weight)


def negative_log_loss(model, rows, params):
    """Weighted mean of log pi of the observed class, with pi at least 1e-8."""
    codes = rows.labels.codes
    observed = _log_probabilities(model, rows)[np.arange(len(codes)), codes]
    floored = np.maximum(observed, np.log(SMALLEST_PROBABILITY))
    return np.average(floored, weights=rows.sample_weight)


def score_by(model, rows, params, scorer):
    """What a scorer of scikit-learn says, given its metadata of these rows."""
    return scorer(model, rows.X, rows.labels.order[rows.labels.codes], **params)


BUILT_IN_SCORES = {"brier": negative_brier, "neg_log_loss": negative_log_loss}


def _log_probabilities(model, rows):
    eta = linear_predictors(rows.X, model.coef_, model.intercept_, rows.offset)
    return log_class_probabilities(LINKS[model.link_], repair_crossing(eta))


def score_path(model, train, test, alphas, score):
    """(scores of a path on held-out rows, number of inexact fits).

    Parameters
    ----------
    model : PrestoClassifier
        Knows its classes and columns; is given coefficients.
    train, test : Data
        Rows of the fits, with all classes, and of the scores.
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths.
    score : callable
        Function of (model, test); greater is better.

    Returns
    -------
    scores : ndarray of shape (n_alphas,)
        Scores.
    n_missed : int
        How many fits did not reach their tolerance.
    """
    limits = {"tol": model.tol, "max_iter": model.max_iter}
    problem = presto_problem(model, train)
    null = null_solution(problem, **limits)
    scores, n_missed = np.empty(len(alphas)), 0
    for i, solution in enumerate(solve_path(problem, null, alphas, **limits)):
        model.intercept_, model.coef_, _ = original_scale(problem, solution.point.theta)
        scores[i] = score(model, test)
        n_missed += not solution.converged
    return scores, n_missed
