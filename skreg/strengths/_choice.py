"""The strength that its scores on held-out folds speak for."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._warnings import warn

SELECTION_RULES = {"min", "one_standard_error"}


class Choice(NamedTuple):
    """Positions of the chosen strengths on a decreasing sequence.

    Parameters
    ----------
    best : int
        That of the best mean score.
    one_standard_error : int
        That of the largest strength within one standard error of it.
    """

    best: int
    one_standard_error: int


@dataclass(frozen=True, eq=False)
class ChosenStrength:
    """A strength chosen from several by cross-validation, and what the choice was made from.

    Parameters
    ----------
    path : int
        Position of the chosen path, of several that were scored.
    alpha : float
        Chosen strength.
    alpha_best : float
        Strength of the best mean score.
    alpha_one_standard_error : float
        Largest strength whose mean score is within one standard error of the best.
    alphas : ndarray of shape (n_alphas,) or (n_paths, n_alphas)
        Strengths in decreasing order.
    score_path : ndarray of shape (n_alphas, n_folds) or (n_paths, n_alphas, n_folds)
        Scores on the folds; greater is better.
    at_edge : bool
        Whether the choice was made at an end of the strengths and a better one may lie beyond it.
    """

    path: int
    alpha: float
    alpha_best: float
    alpha_one_standard_error: float
    alphas: np.ndarray
    score_path: np.ndarray
    at_edge: bool

    def store(self, estimator: Any) -> None:
        """Make the choice the learned state of an estimator.

        Parameters
        ----------
        estimator : object
            Gets `alpha_`, `alpha_best_`, `alpha_one_standard_error_`, `alphas_`, `score_path_` and
            `alpha_at_edge_`.
        """
        estimator.alpha_ = self.alpha
        estimator.alpha_best_ = self.alpha_best
        estimator.alpha_one_standard_error_ = self.alpha_one_standard_error
        estimator.alphas_ = self.alphas
        estimator.score_path_ = self.score_path
        estimator.alpha_at_edge_ = self.at_edge


def choose_by_scores(
    alphas: np.ndarray, scores: np.ndarray, *, by: str, selection_rule: str, from_null: bool
) -> ChosenStrength:
    """The path and the strength of the best scores, and a warning where more may lie beyond.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,) or (n_paths, n_alphas)
        Decreasing strengths, those of all paths or of each.
    scores : ndarray of shape (n_paths, n_alphas, n_folds)
        Scores on the folds; greater is better.
    by : str
        Name of the estimator, for the warning.
    selection_rule : {"min", "one_standard_error"}
        Take the strength of the best mean score, or the largest strength whose mean score is
        within one standard error of it.
    from_null : bool
        Whether the largest strength leaves no feature in the model: nothing lies beyond it.

    Returns
    -------
    ChosenStrength
        The choice.

    Warns
    -----
    UserWarning
        If the best mean score lies at an end of the strengths and still rises there by more than
        its noise, or if the one-standard-error rule ends at the largest strength.
    """
    path = int(np.argmax(scores.mean(axis=2).max(axis=1)))
    grid, table = alphas if alphas.ndim == 1 else alphas[path], scores[path]
    choice = choose_strength(table)
    chosen = choice.best if selection_rule == "min" else choice.one_standard_error
    return ChosenStrength(
        path=path,
        alpha=float(grid[chosen]),
        alpha_best=float(grid[choice.best]),
        alpha_one_standard_error=float(grid[choice.one_standard_error]),
        alphas=alphas,
        score_path=scores if len(scores) > 1 else table,
        at_edge=_warn_of_choice(by, grid, table, choice, chosen, from_null),
    )


def choose_strength(scores: np.ndarray) -> Choice:
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
    return Choice(best, int(np.argmax(mean >= mean[best] - standard_error(scores[best]))))


def standard_error(scores: np.ndarray) -> float:
    """Standard error of the mean of one strength's scores over the folds, 0 for a single fold.

    Parameters
    ----------
    scores : ndarray of shape (n_folds,)
        Scores.

    Returns
    -------
    float
        Standard error.
    """
    return float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0


def check_scores(scores: np.ndarray, scoring: Any) -> None:
    """Raise ValueError if a score is nan.

    Parameters
    ----------
    scores : ndarray
        Scores.
    scoring : object
        What they are called in the error.
    """
    if np.isnan(scores).any():
        raise ValueError(f"scoring={scoring!r} gave nan on {np.isnan(scores).sum()} fits")


def warn_at_edge(
    by: str,
    alphas: np.ndarray,
    position: int,
    *,
    from_null: bool,
    scores: np.ndarray | None = None,
) -> bool:
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
    scores : ndarray of shape (n_alphas, n_folds), default=None
        Scores on the folds. If given, an edge at which they are flat is none, see `edge_of`.

    Returns
    -------
    bool
        Whether the choice lies at an edge beyond which there is more. A single strength has no
        edge, and nothing lies below zero.
    """
    edge = edge_of(alphas, position, from_null=from_null, scores=scores)
    if edge is not None:
        _warn_of_edge(by, f"alpha={alphas[position]:.3g}", edge, len(alphas), from_null)
    return edge is not None


def edge_of(
    alphas: np.ndarray, position: int, *, from_null: bool, scores: np.ndarray | None = None
) -> str | None:
    """The end of a sequence of strengths at which a strength lies, if a better one may lie beyond.

    With scores that is asked of the data: if the mean score went on to rise as it does between the
    strength and its neighbour, ten times less (or more) of it would gain more than one standard
    error. Where the score is flat, as that of least squares on many rows is at small strengths, a
    wider grid would choose another strength and predict as well.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths.
    position : int
        The strength.
    from_null : bool
        Whether nothing lies beyond the largest.
    scores : ndarray of shape (n_alphas, n_folds), default=None
        Scores on the folds; None takes every end for an edge.

    Returns
    -------
    {None, "smallest", "largest"}
        The end.
    """
    alpha = alphas[position]
    if alphas[0] == alphas[-1]:
        return None
    if alpha == alphas[-1] and alpha > 0.0:
        edge, neighbour = "smallest", int(np.flatnonzero(alphas > alpha)[-1])
    elif alpha == alphas[0] and not from_null:
        edge, neighbour = "largest", int(np.flatnonzero(alphas < alpha)[0])
    else:
        return None
    if scores is None:
        return edge
    rise = scores[position].mean() - scores[neighbour].mean()
    # strength zero is infinitely many tenths away; its distance counts as one
    decades = abs(np.log10(alpha / alphas[neighbour])) if alphas[neighbour] > 0.0 else 1.0
    return edge if rise / decades > standard_error(scores[position]) else None


def _warn_of_choice(
    by: str, alphas: np.ndarray, scores: np.ndarray, choice: Choice, chosen: int, from_null: bool
) -> bool:
    """Whether the best strength, or else the chosen one, lies at an edge; the user is told."""
    edge = edge_of(alphas, choice.best, from_null=from_null, scores=scores)
    if edge is None and chosen != choice.best:  # that rule asks for the largest, not for the best
        edge = edge_of(alphas, chosen, from_null=from_null)
    if edge is not None:
        what = f"alpha={alphas[chosen]:.3g}"
        if chosen > 0 and chosen != choice.best:
            what += f" by the best score at alpha={alphas[choice.best]:.3g}"
        _warn_of_edge(by, what, edge, len(alphas), from_null)
    return edge is not None


def _warn_of_edge(by: str, what: str, edge: str, n_alphas: int, from_null: bool) -> None:
    direction = "below" if edge == "smallest" else "above"
    remedy = "lower eps, or give alphas" if from_null else "give alphas"  # which were given
    warn(
        f"{by} chose {what}, the {edge} of the {n_alphas} strengths that it "
        f"tried: the best one may lie {direction}. To look there, {remedy} {direction} it."
    )
