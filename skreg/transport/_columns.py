"""Plans of at most k sources per target: one pass over the cost gives value, gradient and plan.

For potentials alpha, beta and a plan T' of the last step, each target j maximises over its column t

    s^T t - gamma/2 (||t||_k^sp)^2 - mu/2 ||t||^2,    s_i = alpha_i + beta_j - c_ij + mu t'_i,

where the k-support norm is the convex envelope of a norm with at most k entries. With s > 0 only
and theta_i = clip((s_i / tau - 1) gamma / mu, 0, 1), where tau makes the theta_i add up to k,

    t_i = theta_i s_i / (gamma + mu theta_i)

and the maximum is s^T t / 2. Where at most k of the s_i are positive, their theta_i are 1. For
mu = 0 the k largest are taken, ties by their order. An entry with 0 < theta_i < 1 is *fractional*:
t_i = (s_i - tau) / mu there.
"""

from typing import NamedTuple

import numpy as np

from skreg._jit import kernel

BLOCK = 8  # targets whose costs are read together, where they lie beside one another
STEPS = 100  # of the search for tau, which ends after a few
SAME = 1e-14  # relative difference of two 1 / tau that is rounding


class Plan(NamedTuple):
    """Entries of all columns, one column after the other.

    Column j holds the entries from ``starts[j]`` to ``starts[j + 1]``. The second derivative of its
    maximum is diag(d) - kappa_j 1_F 1_F^T over its fractional entries F, with d = 1 / mu for them
    and 1 / (gamma + mu) for the others.
    """

    starts: np.ndarray
    sources: np.ndarray
    mass: np.ndarray
    fractional: np.ndarray
    kappa: np.ndarray

    @classmethod
    def empty(cls, n_targets, capacity):
        return cls(
            np.zeros(n_targets + 1, dtype=np.int64), np.empty(capacity, dtype=np.int32),
            np.empty(capacity), np.empty(capacity, dtype=np.bool_), np.empty(n_targets),
        )  # fmt: skip

    def trimmed(self):
        """The same plan without unused room."""
        size = self.starts[-1]
        return self._replace(
            sources=self.sources[:size], mass=self.mass[:size], fractional=self.fractional[:size]
        )


class Near(NamedTuple):
    """Entries of all columns that can be positive at certain potentials, with their costs.

    Without an entry it stands for all entries.
    """

    starts: np.ndarray
    sources: np.ndarray
    cost: np.ndarray

    @classmethod
    def empty(cls, cost, capacity):
        return cls(
            np.zeros(cost.shape[1] + 1, dtype=np.int64), np.empty(capacity, dtype=np.int32),
            np.empty(capacity, dtype=cost.dtype),
        )  # fmt: skip


@kernel
def _kth_largest(values, size, k):
    """The k-th largest of the first `size` values, which are reordered."""
    low, high, wanted = 0, size - 1, k - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@kernel
def _threshold(s, size, kth, k, ratio):  # noqa: C901  one compiled loop
    """tau such that the theta_i = clip(ratio (s_i / tau - 1), 0, 1) add up to k.

    Newton's method on the sum, which is piecewise linear in 1 / tau, kept in a bracket.
    """
    least = kth * ratio / (1.0 + ratio)  # no smaller entry is in the sum
    low, high = 1.0 / kth, 1.0 / least
    inverse = high
    for _ in range(STEPS):
        n_whole, n_fractional, total = 0, 0, 0.0
        for i in range(size):
            if s[i] > least:
                theta = ratio * (s[i] * inverse - 1.0)
                if theta >= 1.0:
                    n_whole += 1
                elif theta > 0.0:
                    n_fractional += 1
                    total += s[i]
        if n_whole + ratio * (total * inverse - n_fractional) >= k:
            high = inverse
        else:
            low = inverse
        if n_fractional == 0 and n_whole == k:
            break
        step = 0.5 * (low + high)
        if n_fractional > 0:
            newton = ((k - n_whole) / ratio + n_fractional) / total
            if abs(newton - inverse) <= SAME * inverse:
                inverse = newton
                break
            if low < newton < high:
                step = newton
        inverse = step
    return 1.0 / inverse


@kernel
def _keep_largest(s, sources, size, kth, k):
    """Move the k largest entries, ties by their order, to the front."""
    n_ties = k
    for i in range(size):
        n_ties -= s[i] > kth
    n_kept = 0
    for i in range(size):
        tie = s[i] == kth and n_ties > 0
        n_ties -= tie
        if s[i] > kth or tie:
            s[n_kept], sources[n_kept] = s[i], sources[i]
            n_kept += 1


@kernel
def _positive(cost, near, alpha, beta, first, width, mu, last, shift, s, sources, sizes):
    """Entries of `width` targets with s > 0, in the order of the sources.

    `shift` is zero everywhere, before and after.
    """
    for l in range(width):
        for e in range(last.starts[first + l], last.starts[first + l + 1]):
            shift[l, last.sources[e]] = mu * last.mass[e]
    if len(near.sources) > 0:
        _positive_of_near(near, alpha, beta, first, width, shift, s, sources, sizes)
    else:
        _positive_of_all(cost, alpha, beta, first, width, shift, s, sources, sizes)
    for l in range(width):
        for e in range(last.starts[first + l], last.starts[first + l + 1]):
            shift[l, last.sources[e]] = 0.0


@kernel
def _positive_of_near(near, alpha, beta, first, width, shift, s, sources, sizes):
    for l in range(width):
        sizes[l] = 0
        for e in range(near.starts[first + l], near.starts[first + l + 1]):
            i = near.sources[e]
            value = alpha[i] + beta[first + l] - near.cost[e] + shift[l, i]
            if value > 0.0:
                s[l, sizes[l]], sources[l, sizes[l]] = value, i
                sizes[l] += 1


@kernel
def _positive_of_all(cost, alpha, beta, first, width, shift, s, sources, sizes):
    for l in range(width):
        sizes[l] = 0
    for i in range(cost.shape[0]):
        for l in range(width):
            value = alpha[i] + beta[first + l] - cost[i, first + l] + shift[l, i]
            if value > 0.0:
                s[l, sizes[l]], sources[l, sizes[l]] = value, i
                sizes[l] += 1


@kernel
def entries_near(cost, alpha, beta, margin, mu, block, last, near):
    """Write the entries that are positive somewhere within `margin` of the potentials.

    Returns their number; those beyond the room of `near` are counted, not written.
    """
    n_sources, n_targets = cost.shape
    room, used = len(near.sources), 0
    every = Near(near.starts, near.sources[:0], near.cost[:0])
    s, shift = np.empty((block, n_sources)), np.zeros((block, n_sources))
    sources, sizes = np.empty((block, n_sources), dtype=np.int32), np.empty(block, dtype=np.int64)
    farthest = beta + margin
    for first in range(0, n_targets, block):
        width = min(block, n_targets - first)
        _positive(cost, every, alpha, farthest, first, width, mu, last, shift, s, sources, sizes)
        for l in range(width):
            near.starts[first + l] = used
            for e in range(sizes[l]):
                if used < room:
                    near.sources[used] = sources[l, e]
                    near.cost[used] = cost[sources[l, e], first + l]
                used += 1
    near.starts[n_targets] = used
    return used


@kernel
def semi_dual_potentials(cost, alpha, b, k, gamma):
    """beta that gives every column of the plan at mu = 0 the mass b_j: the dual's best for alpha.

    Of s = alpha - c_j the k largest are projected on the simplex of mass gamma b_j, and -beta_j is
    the threshold of that projection. The r largest of them are positive where
    (gamma b_j - u_1 - .. - u_r) / r > -u_r.
    """
    n_sources, n_targets = cost.shape
    s, beta = np.empty(n_sources), np.empty(n_targets)
    for j in range(n_targets):
        for i in range(n_sources):
            s[i] = alpha[i] - cost[i, j]
        _kth_largest(s, n_sources, k)
        largest = np.sort(s[:k])[::-1]
        total, best = 0.0, 0.0
        for r in range(k):
            total += largest[r]
            candidate = (gamma * b[j] - total) / (r + 1)
            if candidate <= -largest[r]:
                break
            best = candidate
        beta[j] = best
    return beta


@kernel
def evaluate(  # noqa: C901  one compiled loop
    cost, near, alpha, beta, k, gamma, mu, block, last, plan, row_sums, column_sums
):
    """Sum of the maxima, and the plan with its row and column sums, of the entries `near`.

    Returns (sum, number of entries). Entries beyond the room of `plan` are counted, not written.
    """
    n_sources, n_targets = cost.shape
    room, used, total = len(plan.sources), 0, 0.0
    s, work = np.empty((block, n_sources)), np.empty(n_sources)
    sources, sizes = np.empty((block, n_sources), dtype=np.int32), np.empty(block, dtype=np.int64)
    shift = np.zeros((block, n_sources))
    for i in range(n_sources):
        row_sums[i] = 0.0
    for first in range(0, n_targets, block):
        width = min(block, n_targets - first)
        _positive(cost, near, alpha, beta, first, width, mu, last, shift, s, sources, sizes)
        for l in range(width):
            j = first + l
            size, tau = sizes[l], 0.0
            if size > k:
                for e in range(size):
                    work[e] = s[l, e]
                kth = _kth_largest(work, size, k)
                if mu > 0.0:
                    tau = _threshold(s[l], size, kth, k, gamma / mu)
                else:
                    _keep_largest(s[l], sources[l], size, kth, k)
                    size = k
            plan.starts[j] = used
            column, fractional = 0.0, 0.0
            for e in range(size):
                value = s[l, e]
                theta = 1.0
                if tau > 0.0:
                    theta = min((value / tau - 1.0) * gamma / mu, 1.0)
                    if theta <= 0.0:
                        continue
                if theta < 1.0:
                    mass = (value - tau) / mu
                    fractional += value
                else:
                    mass = value / (gamma + mu)
                total += 0.5 * value * mass
                column += mass
                row_sums[sources[l, e]] += mass
                if used < room:
                    plan.sources[used], plan.mass[used] = sources[l, e], mass
                    plan.fractional[used] = theta < 1.0
                used += 1
            column_sums[j] = column
            plan.kappa[j] = tau / (mu * fractional) if fractional > 0.0 else 0.0
    plan.starts[n_targets] = used
    return total, used


@kernel
def evaluate_on_support(starts, sources, cost, alpha, beta, gamma, plan, row_sums, column_sums):
    """The same for mu = 0 and entries that are given, at most k in each column."""
    used, total = 0, 0.0
    for i in range(len(row_sums)):
        row_sums[i] = 0.0
    for j in range(len(starts) - 1):
        plan.starts[j] = used
        plan.kappa[j] = 0.0
        column = 0.0
        for e in range(starts[j], starts[j + 1]):
            value = alpha[sources[e]] + beta[j] - cost[e]
            if value > 0.0:
                mass = value / gamma
                total += 0.5 * value * mass
                column += mass
                row_sums[sources[e]] += mass
                plan.sources[used], plan.mass[used] = sources[e], mass
                plan.fractional[used] = False
                used += 1
        column_sums[j] = column
    plan.starts[len(starts) - 1] = used
    return total, used


@kernel
def widest_support(cost, alpha, beta, k, plan):
    """(starts, sources) of k entries in each column: the largest of a plan, then those with the
    largest alpha_i + beta_j - c_ij, ties by their order."""
    n_sources, n_targets = cost.shape
    starts, chosen = np.arange(n_targets + 1) * k, np.empty(n_targets * k, dtype=np.int32)
    s, work = np.empty(n_sources), np.empty(n_sources)
    sources = np.empty(n_sources, dtype=np.int32)
    for j in range(n_targets):
        highest = -np.inf
        for i in range(n_sources):
            s[i], sources[i] = alpha[i] + beta[j] - cost[i, j], i
            highest = max(highest, s[i])
        largest = 0.0
        for e in range(plan.starts[j], plan.starts[j + 1]):
            largest = max(largest, plan.mass[e])
        for e in range(plan.starts[j], plan.starts[j + 1]):
            s[plan.sources[e]] = highest + (1.0 + abs(highest)) * (1.0 + plan.mass[e] / largest)
        for i in range(n_sources):
            work[i] = s[i]
        _keep_largest(s, sources, n_sources, _kth_largest(work, n_sources, k), k)
        for e in range(k):
            chosen[j * k + e] = sources[e]
    return starts, chosen


@kernel
def distance(plan, other):
    """Sum of the absolute differences of two plans, whose columns are in the order of sources."""
    total = 0.0
    for j in range(len(plan.kappa)):
        e, f = plan.starts[j], other.starts[j]
        while e < plan.starts[j + 1] or f < other.starts[j + 1]:
            left = plan.sources[e] if e < plan.starts[j + 1] else np.iinfo(np.int64).max
            right = other.sources[f] if f < other.starts[j + 1] else np.iinfo(np.int64).max
            mass = 0.0
            if left <= right:
                mass += plan.mass[e]
                e += 1
            if right <= left:
                mass -= other.mass[f]
                f += 1
            total += abs(mass)
    return total


@kernel
def price(cost, least, plan):
    """<T, C - least>."""
    total = 0.0
    for j in range(len(plan.kappa)):
        for e in range(plan.starts[j], plan.starts[j + 1]):
            total += plan.mass[e] * (cost[plan.sources[e], j] - least)
    return total


@kernel
def support_norms(plan, k):
    """sum_j (||t_j||_k^sp)^2, the squares of the k-support norms of the columns.

    With the entries w_1 >= w_2 >= .. and r < k such that w_{k-r-1} > tail / (r + 1) >= w_{k-r},
    the first k - r - 1 count by their squares, and the tail from w_{k-r} on by tail^2 / (r + 1)
    (Argyriou, Foygel and Srebro, NeurIPS 2012, proposition 2.1).
    """
    total = 0.0
    for j in range(len(plan.kappa)):
        w = np.sort(plan.mass[plan.starts[j] : plan.starts[j + 1]])[::-1]
        if len(w) <= k:
            for i in range(len(w)):
                total += w[i] * w[i]
            continue
        tail = 0.0
        for i in range(k - 1, len(w)):
            tail += w[i]
        for r in range(k):
            first = k - r - 1  # of the tail
            if first == 0 or w[first - 1] > tail / (r + 1):
                for i in range(first):
                    total += w[i] * w[i]
                total += tail * tail / (r + 1)
                break
            tail += w[first - 1]
    return total
