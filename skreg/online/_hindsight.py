r"""The best fixed point in hindsight, with a bound on how much better another may be.

min F(u) = sum_t w_t l(a_t.u, y_t) over a ball or a box, by accelerated projected gradients. For
every point v of the domain F(v) >= F(u) + <F'(u), v - u>, whose least value is known: the gap
<F'(u), u> - min_v <F'(u), v> bounds what is left. A loss with a kink is smoothed by at most mu / 2
a row, which is added to the gap.
"""

from typing import NamedTuple

import numpy as np

from skreg._warnings import warn
from skreg.online._losses import Loss, evaluate_rows

MAX_ITERATIONS = 20_000
BLURS = (1000.0, 100.0, 10.0, 1.0)  # a kink is made sharp step by step
CURVATURE = {  # bounds of the second derivative
    "squared_error": 1.0,
    "huber": 1.0,
    "log_loss": 0.25,
    "squared_hinge": 2.0,
    "modified_huber": 2.0,
}


class Hindsight(NamedTuple):
    """A point, its cumulative loss, and by how much the best may be lower."""

    point: np.ndarray
    loss: float
    gap: float


def project(point: np.ndarray, domain: str, radius: float) -> np.ndarray:
    """The nearest point of the ball or the box."""
    if domain == "box":
        return np.clip(point, -radius, radius)
    norm = np.linalg.norm(point)
    return point if norm <= radius else point * (radius / norm)


def gap_of(point: np.ndarray, gradient: np.ndarray, domain: str, radius: float) -> float:
    """<gradient, point> - min over the domain of <gradient, v>."""
    size = np.abs(gradient).sum() if domain == "box" else np.linalg.norm(gradient)
    return float(gradient @ point + radius * size)


def values_and_slopes(loss: Loss, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses of predictions (n,), and their derivatives."""
    values, slopes = np.empty(len(z)), np.empty((len(z), 1))
    evaluate_rows(loss, np.ascontiguousarray(z[:, None]), y, values, slopes)
    return values, slopes[:, 0]


def smoothed_slope(name: str, loss: Loss, z: np.ndarray, y: np.ndarray, mu: float) -> np.ndarray:
    """Derivative of the loss, or of its Moreau envelope min_v l(v) + (v - z)^2 / (2 mu)."""
    if name == "absolute_error":
        return np.clip((z - y) / mu, -1.0, 1.0)
    if name == "epsilon_insensitive":
        r = z - y
        return np.sign(r) * np.clip((np.abs(r) - loss.epsilon) / mu, 0.0, 1.0)
    if name == "hinge":
        return -y * np.clip((1.0 - y * z) / mu, 0.0, 1.0)
    return values_and_slopes(loss, z, y)[1]


def best_in_hindsight(
    name: str,
    loss: Loss,
    A: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    *,
    domain: str,
    radius: float,
    tol: float,
    start: np.ndarray | None = None,
) -> Hindsight:
    """The best fixed point for rows A, to `tol` of the loss at 0.

    Parameters
    ----------
    name : str
        Name of the loss.
    loss : Loss
        The same for kernels.
    A : ndarray of shape (n, d)
        Rows.
    y, weight : ndarray of shape (n,)
        Targets (-1 and 1 for classes) and weights.
    domain : {"l2", "box"}
        Where points lie.
    radius : float
        Its size.
    tol : float
        Gap at which to stop, over the loss at 0.
    start : ndarray of shape (d,), default=None
        Where to begin.

    Returns
    -------
    Hindsight
        Point, loss and gap.
    """
    at_zero = weight @ values_and_slopes(loss, np.zeros(len(y)), y)[0]
    goal = tol * max(at_zero, np.finfo(float).tiny)
    stretch = np.linalg.norm(np.sqrt(weight)[:, None] * A, 2) ** 2
    u = np.zeros(A.shape[1]) if start is None else project(start, domain, radius)
    for blurred in (1.0,) if name in CURVATURE else BLURS:
        mu = blurred * goal / max(weight.sum(), np.finfo(float).tiny)
        blur = 0.0 if name in CURVATURE else 0.5 * mu * weight.sum()
        lipschitz = CURVATURE.get(name, 1.0 / mu) * stretch

        def gradient(x, mu=mu):
            return A.T @ (weight * smoothed_slope(name, loss, A @ x, y, mu))

        u, gap = _descend(u, gradient, lipschitz, domain, radius, blurred * goal - blur)
    gap += blur
    if gap > goal:
        warn(
            f"The best point in hindsight is known to {gap / max(at_zero, 1e-300):.1e} of the loss "
            f"at 0, but tol is {tol:.1e}: raise tol, or scale the columns."
        )
    value = weight @ values_and_slopes(loss, A @ u, y)[0]
    return Hindsight(u, float(value), float(gap))


def _descend(u, gradient, lipschitz, domain, radius, goal):
    """Accelerated projected gradients from u until the gap meets the goal: point and gap."""
    ahead, momentum = u, 1.0
    best, least = u, np.inf
    for _ in range(MAX_ITERATIONS):
        gap = gap_of(u, gradient(u), domain, radius)
        if gap < least:
            best, least = u, gap
        if gap <= goal or lipschitz == 0.0:
            break
        after = project(ahead - gradient(ahead) / lipschitz, domain, radius)
        if (ahead - after) @ (after - u) > 0.0:  # it swings back: begin without momentum
            momentum = 1.0
        grown = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = after + (momentum - 1.0) / grown * (after - u)
        u, momentum = after, grown
    return best, least
