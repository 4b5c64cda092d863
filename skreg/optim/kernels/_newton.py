"""Newton steps on the face of the penalty that holds the current coefficients.

Where the zero pattern (and the signs) are right, the objective restricted to the nonzero
coefficients is smooth, and a Newton step converges quadratically; for a quadratic loss with an L1
penalty it is exact. A step that would cross a kink is put back onto the kink (two-metric
projection on the whole support), so that many coefficients may leave the support at once.
"""

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotri

from skreg._jit import kernel
from skreg.optim.kernels._blocks import face, return_to_face
from skreg.optim.penalties import separable

MAX_CHOLESKY = 3000
HALVINGS = 8
STEPS = 10
SINGULAR = 1e-8
FLAT = 1e-13  # relative change of an objective that rounding hides


@kernel
def submatrix(matrix, chosen):
    """matrix[chosen][:, chosen]."""
    out = np.empty((len(chosen), len(chosen)))
    for i in range(len(chosen)):
        row, target = matrix[chosen[i]], out[i]
        for j in range(len(chosen)):
            target[j] = row[chosen[j]]
    return out


@kernel
def add_rows(matrix, chosen, factors, n, out):
    """out[k, :n] <- out[k, :n] + sum_i factors[k, i] matrix[chosen[i], :n]."""
    for i in range(len(chosen)):
        row = matrix[chosen[i]]
        for k in range(len(out)):
            factor = factors[k, i]
            if factor != 0.0:
                target = out[k]
                for j in range(n):
                    target[j] += factor * row[j]


def add_face_curvature(hessian, coef, starts, diagonal, rank_one):
    """hessian += diag(a) + blockwise c w w^T, for one output, in place."""
    hessian.flat[:: len(hessian) + 1] += diagonal[0]
    for b in np.flatnonzero(rank_one):
        block = slice(starts[b], starts[b + 1])
        hessian[block, block] += rank_one[b] * np.outer(coef[0, block], coef[0, block])


def solve_positive(hessian, rhs):
    """Solve a symmetric system that should be positive definite; None if it is not.

    The coordinates are scaled to a diagonal of one, so that their units do not matter. A hair is
    added to the diagonal of a singular matrix (more coefficients than samples, duplicated
    columns). Overwrites the matrix, which is in C order: LAPACK sees its transpose and leaves one
    triangle as it was.
    """
    diagonal = np.diagonal(hessian)
    unit = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    hessian *= unit
    hessian *= unit[:, None]
    diagonal, scaled = np.diagonal(hessian).copy(), rhs * unit
    _, solution, info = dposv(hessian.T, scaled, lower=1, overwrite_a=1)
    if info != 0:
        hessian = np.tril(hessian, -1)
        hessian += hessian.T
        np.fill_diagonal(hessian, diagonal + 1e-12)
        _, solution, info = dposv(hessian.T, scaled, lower=1, overwrite_a=1)
    solution = solution * unit
    if info != 0 or not np.all(np.isfinite(solution)):
        return None
    return solution


def inverse_positive(matrix):
    """Inverse of a symmetric matrix that should be positive definite; None if it is not.

    A hair is added to the diagonal of a singular one.
    """
    hair = np.array([0.0, 1e-12]) * np.diagonal(matrix).max(initial=0.0)
    for amount in hair:
        factor, info = dpotrf(matrix + amount * np.eye(len(matrix)), lower=1)
        if info == 0:
            inverse, _ = dpotri(factor, lower=1)
            return np.tril(inverse) + np.tril(inverse, -1).T
    return None


def solve_outputs(hessian, starts, diagonal, rank_one, coef, rhs):
    """Solve (I (x) M + blockwise c w w^T) x = r with M = H + diag(a), all outputs together.

    The outputs share M, and c <= 0. With C = -diag(c), one column of W for each block and
    G = sum_k w_k w_k^T over the outputs k, Woodbury's identity needs systems of one output only:

        x = y + M^-1 W C^1/2 S^-1 C^1/2 W^T y,    y = M^-1 r,
        S = I - C^1/2 (W^T M^-1 W) C^1/2,         W^T M^-1 W = blockwise sums of M^-1 * G,

    where * multiplies entries. S is singular where neither the loss nor the penalty curves, along
    the w of more blocks than samples, and gets a hair then. None if M or S is not positive.
    """
    matrix = hessian + np.diag(diagonal[0])
    inverse = inverse_positive(matrix)
    if inverse is None:
        return None
    solution = rhs @ inverse
    root, sizes = np.sqrt(np.maximum(-rank_one, 0.0)), np.diff(starts)
    curved = inverse * (coef.T @ coef)
    for axis in (0, 1):
        curved = np.add.reduceat(curved, starts[:-1], axis=axis)
    small = np.eye(len(root)) - root[:, None] * curved * root
    along = root * np.add.reduceat(np.sum(coef * solution, axis=0), starts[:-1])
    amount = solve_positive(np.ascontiguousarray(small), along)
    if amount is None:
        return None
    solution += (coef * np.repeat(root * amount, sizes)) @ inverse
    return solution if np.all(np.isfinite(solution)) else None


def solve_each_output(hessian, diagonal, frozen, rhs):
    """Solve (H + diag(a)) x = r for each output on the entries that are not frozen."""
    solution = np.zeros_like(rhs)
    for k in range(len(rhs)):
        chosen = np.flatnonzero(~frozen[k])
        if len(chosen) == 0:
            continue
        matrix = submatrix(hessian, chosen)
        matrix.flat[:: len(chosen) + 1] += diagonal[k, chosen]
        answer = solve_positive(matrix, rhs[k, chosen])
        if answer is None:
            return None
        solution[k, chosen] = answer
    return solution


def solve_through_rows(matrix, starts, diagonal, rank_one, coef, rhs):
    """Solve (A^T A + diag(a) + blockwise c w w^T) x = r by a system of A's rows; None if singular.

    For more coefficients than samples. All of `diagonal` must be positive; the curvature of a block
    along w_b itself, a + c ||w_b||^2, may vanish. With D+ = (I - u u^T) / a, u_b = w_b / ||w_b||,
    and x = D+ (r - A^T y) + U z, the images y = A x and the lengths z along the u_b solve

        (I + A D+ A^T) y = A D+ r + A U z,
        U^T A^T y + diag(a + c ||w||^2) z = U^T r.

    Blocks with c = 0 take part without their u. Overwrites `matrix`, (n_samples, n) in Fortran
    order.
    """
    radial = np.flatnonzero(rank_one)
    root = 1.0 / np.sqrt(diagonal)
    unit, along = np.zeros_like(coef), np.empty(len(radial))
    images = np.empty((len(matrix), len(radial)), order="F")
    for k, b in enumerate(radial):
        block = slice(starts[b], starts[b + 1])
        length = np.linalg.norm(coef[block])
        unit[block] = coef[block] / length
        along[k] = max(diagonal[starts[b]] + rank_one[b] * length**2, 0.0)
        images[:, k] = matrix[:, block] @ unit[block]
        matrix[:, block] -= np.outer(images[:, k], unit[block])
    matrix *= root

    def sums(values):
        return np.add.reduceat(unit * values, starts[:-1])[radial]

    system = matrix @ matrix.T
    system.flat[:: len(system) + 1] += 1.0
    projected = rhs.copy()
    for b, amount in zip(radial, sums(rhs), strict=True):
        block = slice(starts[b], starts[b + 1])
        projected[block] -= amount * unit[block]
    projected *= root
    right = np.column_stack([images, matrix @ projected])
    _, answers, info = dposv(system.T, right, lower=1, overwrite_a=1)
    if info != 0:
        return None
    y = answers[:, -1]
    solution = np.zeros_like(rhs)
    if len(radial):
        small = images.T @ answers[:, :-1]
        small.flat[:: len(small) + 1] += along
        z = solve_positive(small, sums(rhs) - images.T @ y)
        if z is None:
            return None
        y = y + answers[:, :-1] @ z
        lengths = np.zeros(len(starts) - 1)
        lengths[radial] = z
        solution += unit * np.repeat(lengths, np.diff(starts))
    solution += root * (projected - matrix.T @ y)
    return solution if np.all(np.isfinite(solution)) else None


def face_preconditioner(square, coef, starts, diagonal, rank_one):
    """Function r -> M^-1 r for M = diag(square + a) + blockwise c w w^T, all outputs together.

    Without the second part the curvature along w_b, where the penalty has none, would be taken for
    that across it.
    """
    total = square + diagonal
    total = np.where(total > 0.0, total, 1.0)
    if not rank_one.any():
        return lambda r: r / total
    scaled = coef / total
    inner = np.add.reduceat(np.sum(coef * scaled, axis=0), starts[:-1])
    factor = rank_one / np.maximum(1.0 + rank_one * inner, SINGULAR)
    sizes = np.diff(starts)

    def precondition(r):
        along = np.add.reduceat(np.sum(scaled * r, axis=0), starts[:-1])
        return r / total - scaled * np.repeat(factor * along, sizes)

    return precondition


def conjugate_gradient(product, rhs, precondition, max_iter, tol):
    """Preconditioned conjugate gradient; stops early at a direction without curvature."""
    x = np.zeros_like(rhs)
    r = rhs.copy()
    z = precondition(r)
    p = z.copy()
    rz = np.vdot(r, z)
    target = tol**2 * np.vdot(rhs, rhs)
    for _ in range(max_iter):
        hp = product(p)
        curvature = np.vdot(p, hp)
        if not curvature > 0.0:
            break
        step = rz / curvature
        x += step * p
        r -= step * hp
        if np.vdot(r, r) <= target:
            break
        z = precondition(r)
        rz, previous = np.vdot(r, z), rz
        p = z + (rz / previous) * p
    return x


def block_rank_one_product(coef, starts, rank_one, v):
    """Blockwise c w (w^T v), all outputs together."""
    inner = np.add.reduceat(np.sum(coef * v, axis=0), starts[:-1])
    return coef * np.repeat(rank_one * inner, np.diff(starts))


def newton_direction(hessian, gradient, penalty, starts, ids, coef, frozen):
    """Newton direction of the quadratic loss plus penalty on the face.

    Entries in `frozen` stay; no penalty has both those and a curvature c. The Hessian is shared by
    the outputs. Returns the direction, the penalty and whether the step is the exact minimum of the
    face (Cholesky, penalty without curvature c).
    """
    face_grad, diagonal = np.empty_like(coef), np.empty_like(coef)
    rank_one = np.empty(len(ids))
    value = face(penalty, starts, ids, coef, face_grad, diagonal, rank_one)
    rhs = -(gradient + face_grad)
    if len(coef) == 1 and not frozen.any() and len(hessian) <= MAX_CHOLESKY:
        matrix = hessian.copy()
        add_face_curvature(matrix, coef, starts, diagonal, rank_one)
        solution = solve_positive(matrix, rhs[0])
        direction = None if solution is None else solution[None]
        return direction, value, not rank_one.any()
    if len(coef) > 1 and len(hessian) <= MAX_CHOLESKY:
        if rank_one.any():
            return solve_outputs(hessian, starts, diagonal, rank_one, coef, rhs), value, False
        return solve_each_output(hessian, diagonal, frozen, rhs), value, True
    rhs[frozen] = 0.0

    def product(v):
        out = v @ hessian + diagonal * v + block_rank_one_product(coef, starts, rank_one, v)
        out[frozen] = 0.0
        return out

    precondition = face_preconditioner(np.diagonal(hessian), coef, starts, diagonal, rank_one)
    return conjugate_gradient(product, rhs, precondition, 100, 1e-6), value, False


def first_crossing(coef, direction):
    """Step that takes the first coefficient to zero, a hair beyond, or 1 if that is shorter.

    On a singular face (as many coefficients as samples) a Newton direction is long and lowers the
    objective all the way to there.
    """
    towards_zero = coef * direction < 0.0
    ratios = coef[towards_zero] / -direction[towards_zero]
    return min(1.0, ratios.min(initial=np.inf) * (1.0 + 1e-9))


def compress(hessian, coef, gradient, starts, ids, kept):
    """Keep some blocks of a compact quadratic problem."""
    sizes = np.diff(starts)
    coordinates = np.flatnonzero(np.repeat(kept, sizes))
    new_starts = np.concatenate([[0], np.cumsum(sizes[kept])])
    hessian = hessian[np.ix_(coordinates, coordinates)]
    return (
        hessian,
        coef.take(coordinates, axis=1),  # in C order, unlike an index
        gradient.take(coordinates, axis=1),
        new_starts,
        ids[kept],
        coordinates,
    )


def descend_face(hessian, penalty, starts, ids, coef, gradient, magnitude, fixed):
    """Newton steps on the support of a compact quadratic problem; returns (coef, exact).

    `fixed` flags blocks that never leave (unpenalised ones). `magnitude` is the size of the
    objective, to which the flatness of a step is compared. `exact` says that the last full step
    kept every coefficient.
    """
    everything = np.arange(coef.shape[1])
    answer = coef.copy()
    for _ in range(STEPS):
        kept = np.logical_or.reduceat((coef != 0.0).any(axis=0), starts[:-1]) | fixed
        if not kept.any():
            return answer, False
        if not kept.all():
            hessian, coef, gradient, starts, ids, inside = compress(
                hessian, coef, gradient, starts, ids, kept
            )
            everything, fixed = everything[inside], fixed[kept]
        frozen = np.zeros(coef.shape, dtype=bool)
        if len(coef) > 1 and separable(penalty):
            frozen = (coef == 0.0) & ~np.repeat(fixed, np.diff(starts))
        direction, value, exact = newton_direction(
            hessian, gradient, penalty, starts, ids, coef, frozen
        )
        if direction is None:
            return answer, False
        found = _search(
            hessian, gradient, penalty, starts, ids, coef, direction, value, FLAT * magnitude
        )
        if found is None:
            return answer, False
        coef, gradient, whole = found
        answer[:, everything] = coef
        if exact and whole:
            return answer, True
    return answer, False


def _search(hessian, gradient, penalty, starts, ids, coef, direction, value, flatness):
    """(coef, gradient, whether the step was whole) along a Newton direction; None if all ascend.

    The step is halved until the objective falls, or changes by no more than `flatness`.
    """

    def at(step):
        new = coef + step * direction
        raw = new.copy()
        new_value = return_to_face(penalty, starts, ids, coef, new)
        move = new - coef
        curved = move @ hessian
        change = np.vdot(gradient, move) + 0.5 * np.vdot(move, curved) + new_value - value
        return new, curved, change, not np.array_equal(raw, new)

    step = 1.0
    for _ in range(HALVINGS):
        new, curved, change, returned = at(step)
        if change < 0.0 or (abs(change) <= flatness and not returned):
            return new, gradient + curved, step == 1.0 and not returned
        step *= 0.5
    new, curved, change, _ = at(first_crossing(coef, direction))
    return (new, gradient + curved, False) if change < 0.0 else None
