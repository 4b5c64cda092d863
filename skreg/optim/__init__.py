"""The engine below the estimators: losses, penalties, designs and one certified solver.

It minimises, over coefficients w and an optional unpenalised intercept b,

    P(w, b) = sum_i s_i l(x_i^T w + b, y_i) + penalty(w),       s = sample_weight /
    sum(sample_weight),

for any pair of a loss and a penalty, and proves its answer by a duality gap. Arrays go in, a
`Solution` (a NamedTuple) comes out; labels, data frames and warnings are the estimators' matter.

Losses, for a target of shape (n_samples,) unless stated otherwise:

- `Quadratic()`: half squared error; also a target (n_samples, n_outputs) for multi-task problems;
- `Huber(delta)`; `Poisson()`: half deviance of the mean exp(z), target >= 0;
- `Logistic()`: target -1 or 1; `Multinomial()`: one-hot target (n_samples, n_classes).

A loss or penalty of one's own is a NamedTuple with the functions of `skreg.optim.losses` or
`skreg.optim.penalties`, as CONTRIBUTING.md shows.

Penalties hold their strength; `weights` has one entry per feature (per group for `GroupL2`), 0
frees and inf excludes:

- `L1(alpha, weights)`; `ElasticNet(alpha, l1_ratio, weights)`;
- `NonNegative(alpha, l1_ratio, weights)`: the elastic net on w >= 0;
- `GroupL2(alpha, groups, weights, l1_ratio)`: `groups` labels each feature's group 0, 1, ..; None
  makes
  rows of the (n_features, n_outputs) coefficients the groups.

Designs: an ndarray, a scipy sparse matrix, or `as_design` of one of them. Fortran-ordered float
arrays and canonical CSC matrices are used in place.

- `solve(design, target, loss, penalty, *, sample_weight, fit_intercept, coef_init,
  intercept_init, tol,
  max_iter, working_set_size, memory_budget)` returns a `Solution(coef, intercept, objective, gap,
  kkt, n_iter, converged, dual)`; coef is (n_features,) or (n_outputs, n_features).
- `solve_path(design, target, loss, penalties, ...)` returns a list of them, each started warm.
- `penalty_max(design, target, loss, penalty, *, sample_weight, fit_intercept)` is the smallest
  alpha
  with all penalised coefficients zero.
- `duality_gap(design, target, loss, penalty, coef, intercept, *, sample_weight, fit_intercept)`
  computes a
  certificate from the answer alone, in plain numpy.

- `BlockCoordinateDescent` composes other methods, from the parts in `skreg.optim.descent`.

The gap is relative to P at w = 0 with the best intercept. Unpenalised columns are orthogonalised
for it. Where non-negativity alone holds a column, or where there are too many unpenalised ones,
`gap` is nan and the solver stops on the relative KKT residual.
"""

from skreg.optim.descent import BlockCoordinateDescent
from skreg.optim.kernels._designs import Csc, Dense, as_design
from skreg.optim.losses import LOSSES, Huber, Logistic, Multinomial, Poisson, Quadratic
from skreg.optim.penalties import L1, PENALTIES, ElasticNet, GroupL2, NonNegative
from skreg.optim.solver._certificate import Certificate, duality_gap
from skreg.optim.solver._solution import Solution
from skreg.optim.solver._solve import penalty_max, solve, solve_path

globals().update(LOSSES | PENALTIES)

__all__ = [
    "L1",
    "BlockCoordinateDescent",
    "Certificate",
    "Csc",
    "Dense",
    "ElasticNet",
    "GroupL2",
    "Huber",
    "Logistic",
    "Multinomial",
    "NonNegative",
    "Poisson",
    "Quadratic",
    "Solution",
    "as_design",
    "duality_gap",
    "penalty_max",
    "solve",
    "solve_path",
]
__all__ += sorted((LOSSES | PENALTIES).keys() - set(__all__))
