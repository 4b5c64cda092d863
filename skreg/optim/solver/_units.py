"""Origins and units in which a problem is solved.

A problem with an intercept is the same with its columns moved, (x_j - shift_j) in place of x_j,
and, for a loss of z - y, with its target moved. An unpenalised column is the same in any unit.
Columns and targets far from zero are moved to where double precision has digits for them, and
unpenalised columns take a unit in which they are about as long as the others, a power of two. The
units of penalised columns are part of the penalty's meaning and stay.
"""

import numpy as np

from skreg.optim.kernels._blocks import members_of
from skreg.optim.kernels._designs import (
    as_design,
    far_columns,
    in_units,
    shape,
    stored_numbers,
    summarise,
)
from skreg.optim.losses import location
from skreg.optim.solver._problem import unpenalised

FEW_DIGITS = 1e4


def in_own_units(problem, penalties):
    """The problem with the origins and units of the solver, for penalties of one path."""
    weight, design = problem.weight, problem.design
    shift, scale = np.zeros(problem.n_features), np.ones(problem.n_features)
    if problem.fit_intercept:
        far, values = far_columns(design, weight)
        shift[far] = values
        place = location(problem.loss, problem.target, weight)
        problem = problem._replace(target=problem.target - place[:, None], target_shift=place)
    design = in_units(design, shift, scale)
    always = np.logical_and.reduce([unpenalised(penalty) for penalty in penalties])
    free, _ = members_of(problem.blocks, np.flatnonzero(always))
    if len(free):
        mean, square = np.empty((2, problem.n_features))
        nothing = np.empty((0, len(weight)))
        everything = np.arange(problem.n_features)
        summarise(design, everything, weight, nothing, mean, square, np.empty((0, len(mean))))
        length = np.sqrt(square if problem.fit_intercept else square + mean**2)
        others = np.delete(length, free)
        usual = np.median(others[others > 0.0]) if np.any(others > 0.0) else 1.0
        with np.errstate(divide="ignore"):
            exponent = np.log2(usual / length[free])
        scale[free] = np.exp2(np.round(np.where(np.isfinite(exponent), exponent, 0.0)))
        design = in_units(design, shift, scale)
    return problem._replace(design=design)


def columns_of_few_digits(X, weight):
    """Columns so far from zero that the numbers of X hold few digits of their spread.

    Parameters
    ----------
    X : Dense, Csc, ndarray or scipy sparse matrix of shape (n_samples, n_features)
        Design.
    weight : ndarray of shape (n_samples,)
        Nonnegative weights of the samples.

    Returns
    -------
    ndarray of shape (n_columns,)
        Columns that vary by less than `FEW_DIGITS` roundings of their values, constant ones not.
    """
    design = as_design(X)
    far, values = far_columns(design, weight)
    if len(far) == 0:
        return far
    shift, (mean, square) = np.zeros(shape(design)[1]), np.zeros((2, shape(design)[1]))
    shift[far] = values
    moved = in_units(design, shift, np.ones(len(shift)))
    nothing = np.empty((0, len(weight)))
    summarise(moved, far, weight / weight.sum(), nothing, mean, square, np.empty((0, len(mean))))
    spread, size = np.sqrt(square[far]), np.abs(values)
    rounding = np.finfo(stored_numbers(design).dtype).eps
    return far[(spread > 0.0) & (spread < FEW_DIGITS * rounding * size)]


def to_own_units(problem, coef, intercept):
    """Coefficients and intercepts of the user in the solver's units, `in_own_units`."""
    if len(problem.design.shift) == 0:
        return coef, None if intercept is None else intercept - problem.target_shift
    shift, scale = problem.design.shift, problem.design.scale
    if intercept is not None:
        moved = np.zeros(len(intercept)) if coef is None else coef @ shift
        intercept = intercept + moved - problem.target_shift
    return None if coef is None else coef / scale, intercept


def to_user_units(problem, coef, intercept):
    """Coefficients and intercepts of the solver in the user's units, the inverse of the above."""
    if len(problem.design.shift) == 0:
        return coef.copy(), intercept + problem.target_shift
    coef = coef * problem.design.scale
    return coef, intercept + problem.target_shift - coef @ problem.design.shift
