"""Designs whose rows are sorted by class, and the quadratic model of the loss on them.

Increments psi_l = beta_l - beta_{l-1} (psi_0 = beta_0) are the coordinates of the solver. A step t
in the increments of feature j moves a row of class c with entry x by

    da = x (t_0 + .. + t_c),     db = x (t_0 + .. + t_{c-1}),

so every product that the solver needs is a few sums over the contiguous rows of each class. Feature
0 is the constant 1, whose increments are those of the intercepts.

What is asked of a design stands here; `SortedDense` and `SortedCsc` answer.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import generic


class QuadraticModel(NamedTuple):
    """Second-order model of the weighted mean loss around the current predictors.

    `sa`, `sb`, `r` (n_samples,) make up the Hessian of each row. The gradient of the model with
    respect to a is qa + sa A + r (A - B), with respect to a and b together q + sa A + sb B, where
    A and B are the cumulated `offset` (n_boundaries,) at the two boundaries of the row's class.
    `total` (5, n_classes) sums these two gradients, sa, sb and r over each class.
    """

    sa: np.ndarray
    sb: np.ndarray
    r: np.ndarray
    qa: np.ndarray
    q: np.ndarray
    offset: np.ndarray
    total: np.ndarray


@generic
def n_columns(design):
    """Number of columns, the constant included."""


@generic
def class_sums(design, j, first, model, out):
    """out[0, c] <- sum over class c of x qa, out[1, c] <- sum of x q, for classes c >= first.

    q of class 0 and qa of the last class are never needed.
    """


@generic
def class_squares(design, j, model, out):
    """out[:, c] <- sums over class c of x^2 sa, x^2 sb, x^2 r."""


@generic
def step_model(design, j, first, step, model):
    """Move the model by `step` (n_boundaries,) in the increments of column j; no step below
    `first`."""


@generic
def shift_predictors(design, j, step, a, b, offset):
    """Add `step` in the increments of column j to the predictors, but for the centre: that goes
    to `offset`."""
