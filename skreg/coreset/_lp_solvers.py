"""min_y ||b - U y||_p^p for U with orthonormal columns, with a dual certificate."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq, linprog

_SMALLEST_SMOOTHING = 1e-12  # of max |b|
_ROUNDING = 100 * np.finfo(np.float64).eps  # of max |b|: an exact fit leaves no larger residuals
_ARMIJO, _BACKTRACK = 1e-4, 0.5


class LpSolution(NamedTuple):
    """Minimiser, norm of its residuals, duality gap of the objective, Newton or LP steps.

    The objective is the p-th power of the norm, for p = inf the norm. The gap is its share in the
    objective as computed: below zero or NaN, it certifies nothing; 0 where the fit is exact.
    """

    y: np.ndarray
    norm: float
    relative_gap: float
    n_iter: int


def solve_lp(U, b, p, tol, max_iter, start):
    """The solver for p: linear programs at 1 and infinity, Newton's method between.

    They get the residuals of least squares, divided by the largest: the same problem, in which no
    power overflows or underflows.
    """
    least_squares = U.T @ b
    r = b - U @ least_squares
    scale = np.abs(r).max(initial=0.0)
    if scale <= _ROUNDING * np.abs(b).max(initial=0.0):
        return LpSolution(least_squares, p_norm(r, p), 0.0, 0)
    if p == 1:
        unit = least_absolute_deviations(U, r / scale)
    elif np.isinf(p):
        unit = chebyshev(U, r / scale)
    else:
        start = None if start is None else (start - least_squares) / scale
        unit = newton(U, r / scale, p, tol, max_iter, start)
    norm = scale * unit.norm
    exact = norm <= _ROUNDING * p_norm(b, p)  # least squares on far columns may miss it
    gap = 0.0 if exact else unit.relative_gap
    return LpSolution(least_squares + scale * unit.y, norm, gap, unit.n_iter)


def null_norm(b, u, p):
    """The smallest ||b - t u||_p of all numbers t, for u > 0: zero where all b_i / u_i are equal.

    The best t is the centre of the range of b / u for p = inf, and otherwise where the gradient
    sum_i u_i sign(r_i) |r_i|^{p-1} changes its sign.
    """
    ratio = b / u
    low, high = ratio.min(), ratio.max()
    if low == high:
        return 0.0
    place, weight = (ratio - low) / (high - low), u / u.max()

    def gradient(t):
        r = weight * (place - t)
        return np.sum(weight * np.sign(r) * np.abs(r) ** (p - 1))

    t = 0.5 if np.isinf(p) else brentq(gradient, 0.0, 1.0)
    return (high - low) * u.max() * p_norm(weight * (place - t), p)


def p_norm(r, p):
    """||r||_p, in which no power overflows."""
    size = np.abs(r)
    largest = size.max(initial=0.0)
    if largest == 0.0 or np.isinf(p):
        return largest
    return largest * np.sum((size / largest) ** p) ** (1 / p)


def dual_gap(U, b, z, objective, p):
    """F - max(b^T z, 0)^p for U^T z = 0, ||z||_q = 1, 1/p + 1/q = 1: a bound of F - min F.

    It is negative by rounding at most.

    z is first projected onto the null space of U^T.
    """
    z = z - U @ (U.T @ z)
    largest = np.abs(z).max(initial=0.0)
    if largest == 0.0:
        return objective
    z = z / largest
    norm = 1.0 if p == 1 else np.sum(np.abs(z) ** (p / (p - 1.0))) ** (1.0 - 1.0 / p)
    bound = max(b @ z, 0.0) / norm
    return objective - bound**p


def share(gap, objective):
    """The gap's share in the objective, zero where that is zero: nothing is smaller."""
    return gap / objective if objective > 0.0 else 0.0


def newton(U, b, p, tol, max_iter, start):
    """Damped Newton steps on sum_i (r_i^2 + e^2)^{p/2}, r = b - U y, of size one or so.

    For p < 2, e falls by tens, each time when the Newton decrement is below the error that the
    smoothing makes: steps on a less smooth function would be short. For p > 2, e is 0 and the
    Newton direction is that of reweighted least squares divided by p - 1, from which Armijo's rule
    backtracks. All of it stops when the duality gap of the unsmoothed problem is at most tol times
    its value twice: the second step doubles the digits.
    """
    y = U.T @ b if start is None else start
    r = b - U @ y
    e = 0.0 if p >= 2 else max(np.abs(r).max(), _SMALLEST_SMOOTHING)
    met = False
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        square = r * r + e * e
        if e > 0:
            h = square ** (p / 2 - 1)
            curvature = p * square ** (p / 2 - 2) * ((p - 1) * r * r + e * e)
        else:
            h = np.abs(r) ** (p - 2)
            curvature = p * (p - 1) * h
        gradient = -p * (U.T @ (h * r))
        step, decrement = _newton_step(U, curvature, gradient)
        y, r, value = _line_search(U, b, y, r, step, -decrement, p, e)
        objective = np.sum(np.abs(r) ** p)
        z = r * (r * r + e * e) ** (p / 2 - 1) if e > 0 else np.sign(r) * np.abs(r) ** (p - 1)
        gap = dual_gap(U, b, z, objective, p)
        met_before, met = met, gap <= tol * objective
        if met_before and met:
            break
        if not met and decrement <= value - objective and e > _SMALLEST_SMOOTHING:
            e = max(0.1 * e, _SMALLEST_SMOOTHING)
    return LpSolution(y, objective ** (1 / p), share(gap, objective), n_iter)


def _newton_step(U, curvature, gradient):
    H = U.T @ (curvature[:, None] * U)
    H[np.diag_indices_from(H)] += 1e-14 * np.trace(H) + np.finfo(float).tiny
    step = -cho_solve(cho_factor(H), gradient)
    return step, -(gradient @ step)


def _line_search(U, b, y, r, step, slope, p, e):
    """The first t in 1, 1/2, 1/4, ... for which the smoothed loss falls by 1e-4 t |slope|."""
    image = U @ step
    value = np.sum((r * r + e * e) ** (p / 2))
    t = 1.0
    while t > 1e-10:
        trial = r - t * image
        reached = np.sum((trial * trial + e * e) ** (p / 2))
        if reached <= value + _ARMIJO * t * slope:
            y = y + t * step
            return y, b - U @ y, reached
        t *= _BACKTRACK
    return y, r, value


def least_absolute_deviations(U, b):
    """max b^T z such that U^T z = 0, |z_i| <= 1; the multipliers of the equations are -y."""
    solution = linprog(-b, A_eq=U.T, b_eq=np.zeros(U.shape[1]), bounds=(-1, 1), method="highs")
    return _from_linear_program(U, b, solution, 1)


def chebyshev(U, b):
    """max b^T (u - v) such that U^T (u - v) = 0, sum(u + v) = 1, u, v >= 0."""
    n, d = U.shape
    equations = np.concatenate([np.hstack([U.T, -U.T]), np.ones((1, 2 * n))])
    right = np.r_[np.zeros(d), 1.0]
    solution = linprog(np.r_[-b, b], A_eq=equations, b_eq=right, bounds=(0, None), method="highs")
    return _from_linear_program(U, b, solution, np.inf)


def _from_linear_program(U, b, solution, order):
    if solution.status != 0:
        raise RuntimeError(f"the linear program of l_{order} regression failed: {solution.message}")
    y = -solution.eqlin.marginals[: U.shape[1]]
    objective = float(np.linalg.norm(b - U @ y, order))
    return LpSolution(y, objective, share(objective + solution.fun, objective), solution.nit)
