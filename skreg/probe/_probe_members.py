"""The members of a `LinearProbe`: what is fitted, what is left out, and what is averaged.

Closed-form members are those of every scaling a, shrinkage rho and sharpness t of the grids, as in
`_eigenframe` and `_left_out`; t = 0 is one member for all, the class frequencies. A logistic member
is that of `_logistic_head`, in the frame of the closed-form member of the least left-out log-loss.
Quadratic members are those of every scaling, number of prior rows and sharpness
of `_quadratic`. `_stacking` weighs them by their left-out probabilities.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from skreg.probe._eigenframe import (
    RANK_TOLERANCE,
    class_rows,
    column_scale,
    frame_of_rows,
    frame_of_scatter,
    within_scatter,
)
from skreg.probe._left_out import left_out_distances, own_probabilities
from skreg.probe._logistic_head import left_out_head, logistic_head
from skreg.probe._member_grid import Parts
from skreg.probe._member_mixture import mixture_of, with_quadratic
from skreg.probe._mixture import Mixture
from skreg.probe._quadratic import class_spreads, left_out_deviances
from skreg.probe._stacking import stacking_weights, without_the_least
from skreg.rows import chunk_slices, rows_per_chunk

MOST_ROWS_LEFT_OUT = 1000
LEAST_SHARE = 0.01  # of all weight, which the dropped members may have together
SCORE_VARIANCE = 10.0  # of the logistic member, and as much more as there are rows for a direction


class FittedMembers(NamedTuple):
    """The average, and how it was chosen."""

    mixture: Mixture
    parts: Parts
    best: tuple[int, int, int]  # closed form of the least left-out log-loss
    log_loss: float  # left-out, of the average


def fit_members(X, codes, weights, n_classes, grid):
    """`FittedMembers` of rows X (n, d) in float64 with positive weights."""
    rows = class_rows(X, codes, weights, n_classes)
    scales, frames = scaled_frames(rows, grid.scalings)
    if 0.0 in grid.shrinkages:
        for frame in frames:
            frame.require_regular()
    unit = np.minimum(1.0, weights)  # of two copies of a row one is left out, half a row whole
    kept = rows_left_out(codes, rows.count, unit)
    closed = closed_left_out(rows, kept, unit, frames, grid)
    best = least_loss(closed, weights[kept], grid)
    heads, logistic = [], np.empty((0, kept.size))
    if grid.logistic:
        head, logistic = logistic_member(rows, kept, unit, frames[best[0]])
        heads = [head]
    spreads, quadratic = [], np.empty((0, kept.size))
    if len(grid.prior_rows):
        spreads = class_spreads(rows, scales)
        quadratic = quadratic_left_out(rows, kept, unit, spreads, grid)

    priors = grid.prior()
    prior = np.concatenate([np.ravel(part) for part in priors])
    size = int(np.prod(grid.shape))
    own = (rows.count[codes[kept]] - unit[kept]) / (rows.count.sum() - unit[kept])
    left_out = np.vstack([closed.reshape(size, kept.size), own, logistic, quadratic])
    if grid.average:
        a = without_the_least(stacking_weights(left_out, weights[kept], prior), LEAST_SHARE)
    else:
        losses = -(np.log(left_out[size + 1 :]) @ weights[kept])
        among = np.append(np.ravel_multi_index(best, grid.shape), np.arange(size + 1, prior.size))
        own_losses = np.append(-(np.log(closed[best]) @ weights[kept]), losses)
        a = (np.arange(prior.size) == among[np.argmin(own_losses)]).astype(float)
    log_loss = np.nan
    if kept.size:
        log_loss = -np.average(np.log(a @ left_out), weights=weights[kept])
    parts = grid.split(a)
    mixture = mixture_of(rows.centre, rows.count, frames, heads, parts, grid)
    if parts.quadratic.any():
        mixture = with_quadratic(mixture, spreads, parts.quadratic, grid)
    return FittedMembers(mixture, parts, best, float(log_loss))


def least_loss(closed, weights, grid):
    """Indices of the closed form of the least left-out log-loss.

    Without rows to leave out it is naive Bayes as it stands: the first scaling and shrinkage, and
    the sharpness nearest to 1.
    """
    if weights.size == 0:
        return 0, 0, int(np.argmin(np.abs(grid.sharpnesses - 1.0)))
    loss = -(np.log(closed) @ weights)
    return tuple(int(i) for i in np.unravel_index(np.argmin(loss), grid.shape))


def scaled_frames(rows, scalings):
    """Scales s (d,) and `Eigenframe` for each scaling."""
    mass, few = rows.weights.sum(), len(rows.X) - 1 < rows.X.shape[1]
    if few:
        within = rows.weights @ (rows.X - rows.means[rows.codes]) ** 2 / mass
    else:
        scatter = within_scatter(rows)
        within = np.diagonal(scatter)
    total = within + rows.count @ rows.means**2 / mass
    scales = [column_scale(within, total, mass, power) for power in scalings]
    if few:
        return scales, [frame_of_rows(rows, scale) for scale in scales]
    return scales, [frame_of_scatter(rows.means, scatter, scale) for scale in scales]


def rows_left_out(codes, count, unit):
    """Rows whose class has others, evenly spaced over the sorted classes if they are many."""
    order = np.argsort(codes, kind="stable")
    order = order[count[codes[order]] > unit[order] * (1.0 + 1e-9)]
    if order.size <= MOST_ROWS_LEFT_OUT:
        return order
    return order[np.linspace(0, order.size - 1, MOST_ROWS_LEFT_OUT).astype(int)]


def closed_left_out(rows, kept, unit, frames, grid):
    """Left-out probabilities of the own class, of the grid's shape and (len(kept),)."""
    out = np.empty((*grid.shape, kept.size))
    typical = float(np.average(unit, weights=rows.weights))
    at_once = rows_per_chunk(grid.shape[1] * rows.count.size)
    for part in chunk_slices(kept.size, at_once):
        X, codes, leaves = rows.X[kept[part]], rows.codes[kept[part]], unit[kept[part]]
        own = rows.count[codes] - leaves
        for frame, table in zip(frames, out, strict=True):
            q = left_out_distances(
                *(X @ frame.back, codes, frame, rows.count, leaves, typical, grid.shrinkages)
            )
            found = np.empty((*grid.shape[1:], codes.size))
            own_probabilities(q, codes, rows.count, own, grid.sharpnesses[0], found)
            table[:, :, part] = found
    return out


def logistic_member(rows, kept, unit, frame):
    """Coefficients (d, K) and intercepts of the logistic member; left-out probabilities.

    Those of a class without rows are 0.
    """
    mass, r = rows.count.sum(), frame.eigenvalues.size
    total = np.diag(mass * frame.eigenvalues) + (frame.means.T * rows.count) @ frame.means
    second, rotation = linalg.eigh(total, driver="evd")
    back = frame.back @ rotation
    Z = np.ones((len(rows.X), r + 1))
    np.matmul(rows.X, back, out=Z[:, :r])
    second = np.maximum(second, 0.0)
    rank = np.count_nonzero(second > RANK_TOLERANCE * second.max(initial=0.0))
    variance = SCORE_VARIANCE * (1.0 + mass / max(rank, 1))
    present = np.flatnonzero(rows.count)  # a class without rows would only cost it steps
    codes = np.searchsorted(present, rows.codes)
    head = logistic_head(Z, second, codes, rows.weights, present.size, variance)
    left_out = left_out_head(Z, codes, rows.weights, kept, unit, head)
    coef, intercept = np.zeros((len(back), rows.count.size)), np.zeros(rows.count.size)
    coef[:, present], intercept[present] = back @ head.coef, head.intercept
    return (coef, intercept), left_out


def quadratic_left_out(rows, kept, unit, spreads, grid):
    """Left-out probabilities of the own class, of the quadratic members and (len(kept),)."""
    out = np.empty((*grid.quadratic_shape, kept.size))
    at_once = rows_per_chunk(max(grid.quadratic_shape[1] * rows.count.size, rows.X.shape[1]))
    for part in chunk_slices(kept.size, at_once):
        X, codes, leaves = rows.X[kept[part]], rows.codes[kept[part]], unit[kept[part]]
        own = rows.count[codes] - leaves
        for spread, table in zip(spreads, out, strict=True):
            q = left_out_deviances(X, codes, spread, leaves, grid.prior_rows)
            found = np.empty((*grid.quadratic_shape[1:], codes.size))
            own_probabilities(q, codes, rows.count, own, grid.sharpnesses[0], found)
            table[:, :, part] = found
    return out.reshape(int(np.prod(grid.quadratic_shape)), kept.size)
