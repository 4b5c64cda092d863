"""The strength that its scores on held-out folds speak for."""

from typing import NamedTuple

import numpy as np

from skreg._warnings import warn

SELECTION_RULES = {"min", "one_standard_error"}


class Choice(NamedTuple):
    """Positions of the chosen strengths on a decreasing sequence."""

    best: int
    one_standard_error: int


def choose_strength(scores):
    """Best mean score, and the strongest penalty within one standard error of it.

    The standard error is that of the mean of the best strength's scores over the folds. Ties are
    broken in favour of the stronger penalty.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_folds)
        Scores of decreasing strengths on the folds; greater is better.

    Returns
    -------
    Choice
        Positions along the first axis.
    """
    mean = scores.mean(axis=1)
    best = int(np.argmax(mean))
    n_folds = scores.shape[1]
    error = scores[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
    return Choice(best, int(np.argmax(mean >= mean[best] - error)))


def check_scores(scores, scoring):
    """Raise ValueError if a score is nan."""
    if np.isnan(scores).any():
        raise ValueError(f"scoring={scoring!r} gave nan on {np.isnan(scores).sum()} fits")


def warn_at_edge(by, alphas, position, *, from_null):
    """Warn where the best strength may lie beyond the strengths that were tried.

    Parameters
    ----------
    by : str
        Name of the estimator.
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths.
    position : int
        The chosen one.
    from_null : bool
        Whether the largest strength leaves no feature in the model: nothing lies beyond it.

    Returns
    -------
    bool
        Whether the choice lies at an edge beyond which there is more. A single strength has no
        edge, and nothing lies below zero.
    """
    alpha, last = alphas[position], len(alphas) - 1
    below = position == last > 0 and alpha > 0.0
    above = position == 0 < last and not from_null
    if below or above:
        side, direction = ("smallest", "below") if below else ("largest", "above")
        remedy = "lower eps, or give alphas" if below else "give alphas"
        warn(
            f"{by} chose alpha={alpha:.3g}, the {side} of the {len(alphas)} strengths that it "
            f"tried: the best one may lie {direction}. To look there, {remedy} {direction} it."
        )
    return below or above
