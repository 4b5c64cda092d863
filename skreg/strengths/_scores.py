"""Scores of paths on held-out folds."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed

from skreg._progress import progress
from skreg._warnings import warn
from skreg.strengths._choice import check_scores
from skreg.strengths._folds import Fold


class FoldScores(NamedTuple):
    """Scores of several paths on the folds.

    Parameters
    ----------
    scores : ndarray of shape (n_paths, n_alphas, n_folds)
        Scores; greater is better.
    n_inexact : int
        Number of fits that did not reach their tolerance.
    """

    scores: np.ndarray
    n_inexact: int


def score_folds(
    paths: Sequence[Callable[[Fold], tuple[ArrayLike, int]]],
    folds: Sequence[Fold],
    *,
    by: str,
    scoring: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> FoldScores:
    """Fit and score every path on every fold.

    Parameters
    ----------
    paths : sequence of callable
        Called with a `Fold`, each fits a path of decreasing strengths on the training rows and
        returns its scores on the held-out ones, of shape (n_alphas,) with the same number of
        strengths for all, and how many of its fits did not reach their tolerance. There is one for
        each value of what is chosen besides the strength, such as the mixture of two penalties.
    folds : sequence of Fold
        The folds.
    by : str
        Name of the estimator, the label of the progress bar.
    scoring : object, default=None
        What the scores are called in an error.
    n_jobs : int, default=None
        Number of threads over paths and folds.
    verbose : int, default=0
        Whether to show progress over the fits, one for each path and fold.

    Returns
    -------
    FoldScores
        Scores in the order of the paths and the folds.

    Raises
    ------
    ValueError
        If a score is nan.
    """
    fits = [delayed(path)(fold) for path in paths for fold in folds]
    # not all backends of joblib can return one result at a time
    return_as = "generator" if verbose > 0 else "list"
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as=return_as)(fits)
    shown = progress(results, total=len(fits), verbose=verbose, by=by)
    scores, inexact = zip(*shown, strict=True)
    table = np.array(scores, dtype=np.float64)
    check_scores(table, scoring)
    shape = (len(paths), len(folds), -1)
    return FoldScores(table.reshape(shape).transpose(0, 2, 1), sum(inexact))


def warn_of_inexact_fits(by: str, n_inexact: int, tol: float) -> None:
    """Warn where fits on the folds did not reach their tolerance.

    Parameters
    ----------
    by : str
        Name of the estimator.
    n_inexact : int
        Number of such fits.
    tol : float
        The tolerance.
    """
    if n_inexact:
        warn(
            f"{by}: {n_inexact} fits on the folds did not reach tol={tol}. "
            "Increase max_iter or tol, or leave out the smallest strengths.",
            ConvergenceWarning,
        )
