"""Newton's linear system for the potentials, on whichever side is smaller.

With d, kappa and F as in `Plan`, the negative second derivative of the dual objective is

    [ diag(D) - U K U^T    W ]        D_i = sum_j d_ij,   W_ij = d_ij - kappa_j |F_j| [i in F_j],
    [ W^T            diag(B) ]        B_j = sum_i d_ij - kappa_j |F_j|^2,   U_ij = [i in F_j],

and a ridge is added to D and B. Either the target potentials are eliminated, which leaves a system
of the sources, or the source potentials are; then v = K U^T p joins the unknowns q, for targets
with fractional entries.
"""

import numpy as np

from skreg._jit import kernel


@kernel
def weights_of_entries(plan, whole, fractional, diagonal_rows, diagonal_columns, W):
    """D, B (to which ridges were added already) and the entries of W."""
    for j in range(len(plan.kappa)):
        count = 0
        for e in range(plan.starts[j], plan.starts[j + 1]):
            count += plan.fractional[e]
        coupled = plan.kappa[j] * count
        for e in range(plan.starts[j], plan.starts[j + 1]):
            d = fractional if plan.fractional[e] else whole
            diagonal_rows[plan.sources[e]] += d
            diagonal_columns[j] += d
            W[e] = d - coupled if plan.fractional[e] else d
        diagonal_columns[j] -= coupled * count


@kernel
def source_system(plan, D, B, W, r, e_, matrix, rhs):
    """System of the source potentials, in the lower triangle and above."""
    for i in range(len(D)):
        matrix[i, i] += D[i]
        rhs[i] += r[i]
    for j in range(len(B)):
        lo, hi = plan.starts[j], plan.starts[j + 1]
        for e in range(lo, hi):
            i = plan.sources[e]
            row = matrix[i]
            w, kappa = W[e] / B[j], plan.kappa[j] if plan.fractional[e] else 0.0
            rhs[i] -= w * e_[j]
            for f in range(lo, hi):
                row[plan.sources[f]] -= w * W[f] + (kappa if plan.fractional[f] else 0.0)


@kernel
def by_source(plan, n_sources):
    """(starts, targets, entries): the entries of the plan by source."""
    starts = np.zeros(n_sources + 1, dtype=np.int64)
    size = plan.starts[-1]
    for e in range(size):
        starts[plan.sources[e] + 1] += 1
    for i in range(n_sources):
        starts[i + 1] += starts[i]
    place, targets, entries = starts[:-1].copy(), np.empty(size, np.int64), np.empty(size, np.int64)
    for j in range(len(plan.kappa)):
        for e in range(plan.starts[j], plan.starts[j + 1]):
            i = plan.sources[e]
            targets[place[i]], entries[place[i]] = j, e
            place[i] += 1
    return starts, targets, entries


@kernel
def target_system(plan, slots, D, B, W, r, e_, matrix, rhs):
    """System of the target potentials q, then of v in the places `slots` of their targets."""
    starts, targets, entries = by_source(plan, len(D))
    for j in range(len(B)):
        matrix[j, j] += B[j]
        rhs[j] += e_[j]
        if slots[j] >= 0:
            matrix[slots[j], slots[j]] += 1.0 / plan.kappa[j]
    for i in range(len(D)):
        inverse = 1.0 / D[i]
        for a in range(starts[i], starts[i + 1]):
            j, w = targets[a], W[entries[a]] * inverse
            first = plan.fractional[entries[a]]
            rhs[j] -= w * r[i]
            if first:
                rhs[slots[j]] += inverse * r[i]
            for b in range(starts[i], starts[i + 1]):
                l = targets[b]
                matrix[j, l] -= w * W[entries[b]]
                if plan.fractional[entries[b]]:
                    matrix[j, slots[l]] += w
                    matrix[slots[l], j] += w
                    if first:
                        matrix[slots[j], slots[l]] -= inverse


@kernel
def source_step(plan, slots, D, W, r, solution):
    """p = D^-1 (r + U v - W q)."""
    p = r.copy()
    for j in range(len(plan.kappa)):
        for e in range(plan.starts[j], plan.starts[j + 1]):
            p[plan.sources[e]] -= W[e] * solution[j]
            if plan.fractional[e]:
                p[plan.sources[e]] += solution[slots[j]]
    for i in range(len(p)):
        p[i] /= D[i]
    return p


@kernel
def target_step(plan, B, W, e_, p):
    """q = B^-1 (e - W^T p)."""
    q = e_.copy()
    for j in range(len(B)):
        for e in range(plan.starts[j], plan.starts[j + 1]):
            q[j] -= W[e] * p[plan.sources[e]]
        q[j] /= B[j]
    return q
