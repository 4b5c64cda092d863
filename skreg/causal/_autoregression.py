r"""Equations of structural vector autoregressions, as plain functions on arrays.

With rows :math:`x_t^\top` the model is

    x_t^T = c^T + x_t^T W + sum_{l=1..p} x_{t-l}^T A_l + u_t^T ,

where W has an acyclic graph, so that I - W is invertible. Its reduced form is

    x_t^T = b^T + sum_l x_{t-l}^T B_l + u_t^T Theta_0 ,      B_l = A_l (I - W)^{-1} ,
                                                             Theta_0 = (I - W)^{-1} ,

and b = (I - W)^{-T} c. ``A[l - 1, i, j]`` is the effect of variable i at t - l on variable j at t.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skreg._companion import reduced_form
from skreg.causal._regressions import as_correlations


def lagged_rows(X: np.ndarray, order: int, series: Sequence[slice]) -> np.ndarray:
    """Rows (x_t, x_{t-1}, ..., x_{t-order}) of each series, (n_rows, (1 + order) d).

    Parameters
    ----------
    X : ndarray of shape (n_times, d)
        Series, one below the other.
    order : int
        Number of lags.
    series : sequence of slice
        Where each series stands; one of `order` rows or less has no row here.
    """
    pieces = []
    for part in series:
        x = X[part]
        n = max(len(x) - order, 0)
        pieces.append(np.hstack([x[order - lag :][:n] for lag in range(order + 1)]))
    return np.vstack(pieces)


def impulse_responses(W: np.ndarray, A: np.ndarray, steps: int) -> np.ndarray:
    """Theta_h = sum_l Theta_{h-l} B_l with Theta_0 = (I - W)^-1, for h = 0 .. steps.

    Entry [h, i, j] is the change of variable j at t + h after a noise of variable i at t that is
    larger by one.
    """
    d = len(W)
    B = reduced_form(W, A)
    theta = np.zeros((steps + 1, d, d))
    theta[0] = np.linalg.inv(np.eye(d) - W)
    for h in range(1, steps + 1):
        for lag in range(1, min(h, len(B)) + 1):
            theta[h] += theta[h - lag] @ B[lag - 1]
    return theta


class Autoregression(NamedTuple):
    """Reduced form: intercept b (d,) and coefficients B (order, d, d)."""

    intercept: np.ndarray
    coefficients: np.ndarray

    def forecast(self, history: np.ndarray, steps: int) -> np.ndarray:
        """Means of the next steps (steps, d) given the rows (n_times, d), the latest last."""
        order, d = len(self.coefficients), len(self.intercept)
        x = np.vstack([history[len(history) - order :], np.zeros((steps, d))])
        for t in range(order, order + steps):
            x[t] = self.intercept
            for lag in range(1, order + 1):
                x[t] += x[t - lag] @ self.coefficients[lag - 1]
        return x[order:]


def least_squares(X: np.ndarray, order: int) -> Autoregression:
    """Reduced form of one series (n_times, d) by least squares, without regard to a graph."""
    d = X.shape[1]
    rows = lagged_rows(X, order, [slice(None)])
    current, past = rows[:, :d], rows[:, d:]
    centre = past.mean(axis=0)
    deviation = past.std(axis=0)
    unit = np.where(deviation > 0, deviation, 1.0)  # which directions are small has no unit
    scaled = (past - centre) / unit
    B = np.linalg.lstsq(scaled, current - current.mean(axis=0), rcond=None)[0] / unit[:, None]
    return Autoregression(current.mean(axis=0) - centre @ B, B.reshape(order, d, d))


def innovation_covariance(C: np.ndarray, d: int) -> np.ndarray:
    """Covariance (d, d) of what all lags together leave of the first d of the columns behind C.

    For every acyclic W it is (I - W)^-T diag(sigma^2) (I - W)^-1 in the model.
    """
    R, unit = as_correlations(C)
    explained = R[:d, d:] @ np.linalg.lstsq(R[d:, d:], R[d:, :d], rcond=None)[0]
    return C[:d, :d] - (explained + explained.T) / 2 * unit[:d] * unit[:d, None]
