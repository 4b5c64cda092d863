"""Where maximum likelihood has no unique answer: dependent columns, and separable classes."""

import numpy as np
from scipy.linalg.lapack import dpstrf
from scipy.optimize import linprog

from skreg.ordinal._gram import gram, row_block

# a column of which the others leave less than this share of its variance depends on them
LEFT_OF_VARIANCE = 1e-11
# largest change of a predictor, in a direction with entries up to 1, that rounding explains
ROUNDING_DIRECTION = 1e-5


def dependent_columns(problem, columns):
    """Features that are constant or a combination of others, of the `columns`, 0 the constant."""
    rows = problem.rows
    features = np.asarray(columns)[np.asarray(columns) > 0]
    deviation = rows.design.deviation[features]
    if len(features) == 0:
        return features
    correlation = gram(rows.design, features, 0, rows.start[-1], rows.weight)
    correlation /= np.outer(deviation, deviation)
    _, order, rank, _ = dpstrf(correlation, tol=LEFT_OF_VARIANCE, lower=1)
    return np.sort(features[order[rank:] - 1]) - 1


def separating_direction(problem, free):
    """Direction in which the likelihood never falls, and rises or stays; None if there is none.

    The loss of a row falls for ever, or stays, along a direction in which its upper predictor a
    does not fall and its lower predictor b does not rise. If one such direction of the increments
    moves some row, the likelihood has no maximum (Albert and Anderson 1984 for unordered classes).
    The linear program asks for the direction in the unit cube with the largest sum of these
    movements.

    Parameters
    ----------
    problem : Problem
        The data.
    free : ndarray of shape (n_free,)
        Flat positions of the increments that may move.

    Returns
    -------
    ndarray of shape (n_free,) or None
        The direction.
    """
    above, below = _movements(problem, free)
    wanted = np.vstack([above, -below])
    found = linprog(
        -wanted.mean(axis=0), A_ub=-wanted, b_ub=np.zeros(len(wanted)), bounds=(-1.0, 1.0)
    )
    if found.x is None or np.max(wanted @ found.x) <= ROUNDING_DIRECTION:
        return None
    return found.x


def _movements(problem, free):
    """Derivatives of the predictors a (but of the last class) and b (but of the first) of each row
    in the increments `free`."""
    design = problem.rows.design
    start, last = design.start, len(design.start) - 2
    boundary, column = np.divmod(free, problem.weights.shape[1])
    features, position = np.unique(column, return_inverse=True)
    above, below = [], []
    for c in range(last + 1):
        x = row_block(design, features, slice(start[c], start[c + 1]))[position].T
        if c < last:
            above.append(x * (boundary <= c))
        if c > 0:
            below.append(x * (boundary < c))
    return np.vstack(above), np.vstack(below)
