"""Which members a `LinearProbe` has, in what order, and their weights before any row."""

from typing import NamedTuple

import numpy as np

from skreg.probe._left_out import SHRINKAGES
from skreg.probe._mixture import SHARPNESSES
from skreg.probe._quadratic import PRIOR_ROWS

SCALINGS = (1.0, 0.5, 0.0)


class Parts(NamedTuple):
    """Weights of members by their kind."""

    closed: np.ndarray  # in the shape of the grid
    frequencies: float
    logistic: np.ndarray  # (1,), or (0,) without
    quadratic: np.ndarray  # in the shape of the grid's quadratic members


class Grid(NamedTuple):
    """Scalings a, shrinkages rho, sharpnesses t, which heads there are, and prior rows nu."""

    scalings: np.ndarray
    shrinkages: np.ndarray
    sharpnesses: np.ndarray
    logistic: bool
    average: bool
    prior_rows: np.ndarray  # of the quadratic members, none without them

    @property
    def shape(self):
        return len(self.scalings), len(self.shrinkages), len(self.sharpnesses)

    @property
    def quadratic_shape(self):
        return len(self.scalings), len(self.prior_rows), len(self.sharpnesses)

    def prior(self):
        """Prior `Parts`: equal shares of the heads; the frequencies count as one more sharpness."""
        share = 1.0 / (1 + self.logistic + (len(self.prior_rows) > 0))
        n_scalings, n_shrinkages, n_sharpnesses = self.shape
        levels = n_sharpnesses + (n_sharpnesses > 1 and self.average)
        closed = np.full(self.shape, share / (n_scalings * n_shrinkages * levels))
        logistic = np.full(int(self.logistic), share)
        size = int(np.prod(self.quadratic_shape))
        quadratic = np.full(self.quadratic_shape, share / max(size, 1))
        return Parts(closed, share - closed.sum(), logistic, quadratic)

    def split(self, a):
        """`Parts` of the weights of all members in their order."""
        size = int(np.prod(self.shape))
        ends = [size, size + 1, size + 1 + self.logistic]
        closed, rest, logistic, quadratic = np.split(a, ends)
        return Parts(
            closed.reshape(self.shape),
            float(rest[0]),
            logistic,
            quadratic.reshape(self.quadratic_shape),
        )

    def alone(self):
        """`Parts` of a grid of one closed form and nothing else."""
        return self.split(np.append(np.ones(self.shape), 0.0))


def grid_of(probe):
    """`Grid` of the parameters of a `LinearProbe`."""

    def values(value, grid):
        named = {"loo": grid, "oas": (np.nan,)}  # the latter follows from sums over the rows
        return np.array(named.get(value, (value,)), dtype=float)

    return Grid(
        values(probe.scaling, SCALINGS),
        values(probe.shrinkage, SHRINKAGES),
        values(probe.sharpness, SHARPNESSES),
        probe.logistic,
        probe.average,
        np.array(PRIOR_ROWS if probe.quadratic else ()),
    )


def is_mergeable(probe):
    """Whether sums over rows are all that the probe needs: one closed form, which is given."""
    chosen = "loo" in (probe.scaling, probe.shrinkage, probe.sharpness)
    return not (chosen or probe.logistic or probe.quadratic)
