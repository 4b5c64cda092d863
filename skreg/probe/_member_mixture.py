"""Members of a `LinearProbe` as a `Mixture`: those of a fit that have weight, or one from sums."""

import numpy as np

from skreg.probe._eigenframe import column_scale, frame_of_scatter
from skreg.probe._mixture import Mixture
from skreg.probe._quadratic import quadratic_form


def mixture_of(centre, count, frames, heads, parts, grid):
    """The members of positive weight as a `Mixture`."""
    with np.errstate(divide="ignore"):
        log_prior = np.log(count) - np.log(count.sum())
    coefs, offsets, constants, weights = [], [], [], []
    for frame, table in zip(frames, parts.closed, strict=True):
        for precision, share in zip(frame.precision(grid.shrinkages), table, strict=True):
            if not share.any():
                continue
            scaled = frame.means * precision
            coefs.append(scaled @ frame.back.T)
            offsets.append(-0.5 * (scaled * frame.means).sum(axis=1))
            constants.append(log_prior)
            weights.append(share)
    unit = np.argmin(np.abs(grid.sharpnesses - 1.0))
    for (coef, intercept), share in zip(heads, parts.logistic, strict=True):
        if share > 0:
            coefs.append(coef.T / grid.sharpnesses[unit])
            offsets.append(np.zeros_like(intercept))
            constants.append(np.where(count > 0, intercept, -np.inf))
            weights.append(np.where(np.arange(len(grid.sharpnesses)) == unit, share, 0.0))
    shape = (-1, len(count))
    return Mixture(
        np.reshape(coefs, (*shape, len(centre))),
        np.reshape(offsets, shape),
        np.reshape(constants, shape),
        grid.sharpnesses,
        np.reshape(weights, (-1, len(grid.sharpnesses))),
        count / count.sum(),
        centre,
        np.empty((0, *shape[1:], len(centre))),
        1.0,
    )


def with_quadratic(mixture, spreads, weights, grid):
    """The mixture with the quadratic members of positive weight beside those it has."""
    coefs, curvatures, offsets, shares = [], [], [], []
    for spread, table in zip(spreads, weights, strict=True):
        for prior_rows, share in zip(grid.prior_rows, table, strict=True):
            if share.any():
                coef, curvature, offset = quadratic_form(spread, prior_rows)
                coefs.append(coef)
                curvatures.append(curvature)
                offsets.append(offset)
                shares.append(share)
    with np.errstate(divide="ignore"):
        log_prior = np.log(mixture.frequencies)
    return mixture._replace(
        coef=np.concatenate([mixture.coef, coefs]),
        offset=np.concatenate([mixture.offset, offsets]),
        constant=np.concatenate([mixture.constant, [log_prior] * len(coefs)]),
        weights=np.concatenate([mixture.weights, shares]),
        curvature=np.array(curvatures),
    )


def member_of_moments(moments, grid):
    """Grid of one closed form, its shrinkage if that was NaN, and the member as a `Mixture`.

    `moments` are `Moments` of the classes with a full scatter.
    """
    centre, mass = moments.grand_mean, moments.total
    present = (moments.weight > 0)[:, None]
    means = np.where(present, moments.mean - centre, 0.0)
    scatter = moments.covariance
    within = np.diagonal(scatter)
    total = within + moments.weight @ means**2 / mass
    scale = column_scale(within, total, mass, grid.scalings[0])
    frame = frame_of_scatter(means, scatter, scale)
    if grid.shrinkages[0] == 0.0:
        frame.require_regular()
    if np.isnan(grid.shrinkages[0]):
        grid = grid._replace(shrinkages=np.array([oas_shrinkage(frame.eigenvalues, mass)]))
    return grid, mixture_of(centre, moments.weight, [frame], [], grid.alone(), grid)


def oas_shrinkage(eigenvalues, n):
    """Share rho of the identity by the oracle approximating shrinkage of Chen et al. (2010).

    With p columns, a = tr(C^2) / p^2 and m = tr(C) / p it is the least of 1 and

        (a + m^2) / ((n + 1) (a - m^2 / p)),

    their equation 23 without the terms 2 / p, as scikit-learn has it.
    """
    p = eigenvalues.size
    square, mean_square = (eigenvalues**2).sum() / p**2, (eigenvalues.sum() / p) ** 2
    apart = (n + 1.0) * (square - mean_square / p)
    return min((square + mean_square) / apart, 1.0) if apart > 0 else 1.0
