r"""Means and covariances of rows with missing values, by maximum likelihood.

Rows are taken to be normal with mean mu and covariance C, and what is missing to depend on what was
observed in the row only (missing at random). EM (Dempster, Laird and Rubin 1977; Little and Rubin,
"Statistical Analysis with Missing Data", 2002, sec. 11.2) repeats: with K = C^{-1}, the missing
values M of a row with observed values O have mean and covariance

    mu_M + B (x_O - mu_O),   B = -K_MM^{-1} K_MO,      and      K_MM^{-1},

and mu and C become mean and covariance of the completed rows, plus the mean of these covariances.
No step lowers the likelihood of what was observed. Rows with the same values missing enter by their
weight, mean and scatter, so that a step takes no longer for more rows of the same patterns.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning

from skreg._warnings import warn
from skreg.moments import Moments, moments

TOL = 1e-8  # change of a mean or a covariance by a step, in deviations of the columns
MAX_ITER = 2000
SMALLEST_PIVOT = 1e-9  # share of a column's variance that the columns before it leave


class Pattern(NamedTuple):
    """Rows with the same columns observed, and the `Moments` of these."""

    observed: np.ndarray
    missing: np.ndarray
    data: Moments


def em_moments(X: np.ndarray, sample_weight: np.ndarray, names: list[str]) -> Moments:
    """`Moments` of rows X (n, d), in which nan is missing, with weights (n,).

    Constant columns have no scatter; covariances of the others do not depend on them.

    Raises
    ------
    ValueError
        If a column or a pair of columns has no values, or columns determine one another.
    """
    seen = ~np.isnan(X) & (sample_weight > 0)[:, None]
    _check_seen(seen, names)
    alone = [moments(X[rows, j : j + 1], sample_weight[rows]) for j, rows in enumerate(seen.T)]
    mean = np.array([float(column.mean[0]) for column in alone])
    deviation = np.sqrt([column.covariance[0, 0] for column in alone])
    total = float(sample_weight[seen.any(axis=1)].sum())
    scatter = np.diag(total * deviation**2)
    nodes = np.flatnonzero((deviation > 0) & np.isfinite(deviation))
    if len(nodes):
        unit = deviation[nodes]
        Z = (X[:, nodes] - mean[nodes]) / unit
        offset, C = _maximize(patterns_of(Z, sample_weight), [names[j] for j in nodes])
        mean[nodes] += unit * offset
        scatter[np.ix_(nodes, nodes)] = total * C * unit * unit[:, None]
    return Moments(total, mean, scatter)


def _check_seen(seen, names):
    together = seen.T.astype(float) @ seen
    unseen = np.flatnonzero(np.diagonal(together) == 0)
    pairs = np.argwhere(together == 0)
    if len(unseen):
        what = f"column {names[unseen[0]]!r} has no value"
    elif len(pairs):
        what = "no row has values of both {!r} and {!r}".format(*(names[j] for j in pairs[0]))
    else:
        return
    raise ValueError(f"{what}: nothing tells its covariance; leave a column out")


def patterns_of(X: np.ndarray, sample_weight: np.ndarray) -> list[Pattern]:
    """The rows by what is missing; rows without values or weight are left out."""
    masks, which = np.unique(np.isnan(X), axis=0, return_inverse=True)
    found = []
    for k, mask in enumerate(masks):
        rows = (which.ravel() == k) & (sample_weight > 0)
        if rows.any() and not mask.all():
            observed, missing = np.flatnonzero(~mask), np.flatnonzero(mask)
            data = moments(X[np.ix_(rows, observed)], sample_weight[rows])
            found.append(Pattern(observed, missing, data))
    return found


def em_step(
    patterns: list[Pattern], mean: np.ndarray, C: np.ndarray, names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) after one step from these."""
    K = _inverse(C, names)
    total, first, second = 0.0, np.zeros_like(mean), np.zeros_like(C)
    for observed, missing, data in patterns:
        inner = np.linalg.inv(K[np.ix_(missing, missing)])
        completing = np.zeros((len(mean), len(observed)))
        completing[observed, np.arange(len(observed))] = 1.0
        completing[missing] = -inner @ K[np.ix_(missing, observed)]
        apart = completing @ (data.mean - mean[observed])
        total += data.weight
        first += data.weight * apart
        second += data.weight * np.outer(apart, apart)
        if data.scatter.any():  # most patterns of many have one row
            second += completing @ data.scatter @ completing.T
        second[np.ix_(missing, missing)] += data.weight * inner
    moved = first / total
    return mean + moved, second / total - np.outer(moved, moved)


def _inverse(C, names):
    """Inverse of a covariance; raises if the columns determine one of them."""
    L, failed = scipy.linalg.lapack.dpotrf(C, lower=True)
    pivots = np.diagonal(L) ** 2 / np.diagonal(C)
    if failed or pivots.min() < SMALLEST_PIVOT:
        column = names[failed - 1 if failed else int(np.argmin(pivots))]
        raise ValueError(
            f"the other columns determine column {column!r} where values are missing, as where it "
            "is computed from them or rows are few; leave it out or use more rows"
        )
    half = scipy.linalg.solve_triangular(L, np.eye(len(C)), lower=True)
    return half.T @ half


def _maximize(patterns, names):
    """Mean and covariance of largest likelihood, for columns of about mean 0 and variance 1."""
    mean, C = np.zeros(len(names)), np.eye(len(names))
    for _ in range(MAX_ITER):
        before = mean, C
        mean, C = em_step(patterns, mean, C, names)
        change = max(np.abs(mean - before[0]).max(), np.abs(C - before[1]).max())
        if change <= TOL:
            return mean, C
    warn(
        f"moments of rows with missing values still changed by {change:.1e} after {MAX_ITER} steps "
        f"of EM, more than {TOL:g} of the columns' deviations: much is missing. Leave out columns "
        "with few values.",
        ConvergenceWarning,
    )
    return mean, C
