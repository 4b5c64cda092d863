"""Averages of softmax probabilities of linear and quadratic scores, at several sharpnesses."""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel
from skreg._summary import summary
from skreg.rows import chunk_slices, dense_rows, rows_per_chunk

SHARPNESSES = 2.0 ** np.arange(-5, 3)  # 1/32, 1/16, ..., 4
LEAST_PROBABILITY = 1e-300
FARTHEST = 1e140  # what is squared stays below, so that scores are finite


class Mixture(NamedTuple):
    """p(x) = a_0 pi + sum_gt a_gt softmax(t (W_g z - P_g (f z)^2 / 2 + b_g) + c_g), z = x - centre.

    Attributes
    ----------
    coef : ndarray of shape (G, K, d)
        W.
    offset, constant : ndarray of shape (G, K)
        b, which the sharpness t multiplies, and c, which it does not; c may be minus infinity.
    sharpnesses : ndarray of shape (T,)
        t, each twice the one before.
    weights : ndarray of shape (G, T)
        a.
    frequencies : ndarray of shape (K,)
        pi, of weight a_0 = 1 - sum of a.
    centre : ndarray of shape (d,)
        Where the columns lie.
    curvature : ndarray of shape (Q, K, d)
        P of the last Q groups, the quadratic ones; it is 0 for the others.
    factor : float
        f, which keeps squares within the range of floats.
    """

    coef: np.ndarray
    offset: np.ndarray
    constant: np.ndarray
    sharpnesses: np.ndarray
    weights: np.ndarray
    frequencies: np.ndarray
    centre: np.ndarray
    curvature: np.ndarray
    factor: float

    def __repr__(self):
        return summary(self)

    def probabilities(self, X):
        """Average probabilities (n, K) of rows."""
        n_groups, n_classes, width = self.coef.shape
        stacked, n_quadratic = self.coef.reshape(-1, width).T, len(self.curvature)
        curvature = 0.5 * self.curvature.reshape(-1, width).T
        rest = max(1.0 - self.weights.sum(), 0.0)
        out = np.tile(rest * self.frequencies, (X.shape[0], 1))
        with np.errstate(under="ignore"):
            share = np.exp(self.constant - self.constant.max(axis=1, keepdims=True))
        for rows in chunk_slices(X.shape[0], rows_per_chunk(max(width, stacked.shape[1]))):
            z = dense_rows(X, rows) - self.centre
            scores = (z @ stacked).reshape(-1, n_groups, n_classes) + self.offset
            if n_quadratic:
                bent = np.clip(self.factor * z, -FARTHEST, FARTHEST) ** 2 @ curvature
                scores[:, -n_quadratic:] -= bent.reshape(-1, n_quadratic, n_classes)
            add_softmax(scores, share, self.sharpnesses[0], self.weights, out[rows])
        return out

    def times(self, factor):
        """The same for columns that are divided by a factor."""
        return self._replace(
            coef=self.coef * factor, centre=self.centre / factor, factor=self.factor * factor
        )

    def linear_form(self):
        """Coefficients (K, d) and intercepts (K,) of a single linear member."""
        if not self.weights.any():  # the class frequencies
            with np.errstate(divide="ignore"):
                return np.zeros_like(self.coef[0]), np.log(self.frequencies)
        (sharpness,) = self.sharpnesses[self.weights[0] > 0]
        coef = sharpness * self.coef[0]
        return coef, sharpness * self.offset[0] + self.constant[0] - coef @ self.centre


@kernel
def add_softmax(scores, share, smallest, weights, out):
    """Add a_gt softmax(t s_g + c_g) for t = smallest, 2 smallest, ..., with share = exp(c_g)."""
    n, n_groups, n_classes = scores.shape
    power = np.empty(n_classes)
    for i in range(n):
        for g in range(n_groups):
            most = -np.inf
            for k in range(n_classes):
                if share[g, k] > 0.0:
                    most = max(most, scores[i, g, k])
            for k in range(n_classes):
                power[k] = np.exp(smallest * min(scores[i, g, k] - most, 0.0))
            _add_at_every_sharpness(power, share[g], weights[g], out[i])


@kernel
def _add_at_every_sharpness(power, share, weights, out):
    """Doubling the sharpness squares the powers."""
    for weight in weights:
        if weight > 0.0:
            total = 0.0
            for k in range(power.size):
                total += share[k] * power[k]
            for k in range(power.size):
                out[k] += weight * share[k] * power[k] / total
        for k in range(power.size):
            power[k] *= power[k]
