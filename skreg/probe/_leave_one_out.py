"""Exact leave-one-out scores in O(m K n), and the choices that they allow.

Leaving out the row (x, y = k) of weight w changes the statistics in closed form:

    c_k' = c_k - w,   mu_k' = mu_k - (w / c_k') (x - mu_k),   mubar' = mubar - (w / m') (x - mubar),
    M2'  = M2 - (w c_k / c_k') (x - mu_k)^2,   T' = T - (w m / m') (x - mubar)^2,   m' = m - w,

T being the scatter about the grand mean, from which the relative smoothing follows. The scores of
all other classes are then two matrix products per chunk of rows, with z = x - mubar and
nu_l = mu_l - mubar:

    score_l = log pi_l' + sum_j [q(nu_lj) - q(nubar_j')] / s2_j',    q(nu) = z_j nu - nu^2 / 2.

A row whose class has no other member has no leave-one-out score.
"""

import numpy as np
from scipy.special import logsumexp

from skreg._jit import kernel
from skreg.rows import chunk_slices, dense_rows, rows_per_chunk

SHRINKAGE_GRID = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
TEMPERATURE_RANGE = (0.1, 1e6)
_ARRAYS_PER_ROW = 4


def loo_scores(X, codes, weights, statistics, rules, priors=None):
    """Leave-one-out scores, chunk by chunk, for each of several variance rules.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The rows from which `statistics` were computed.
    codes, weights : ndarray of shape (n_samples,)
        Class index of every row, and the weight of it that leaves.
    statistics : Moments
        Statistics of all rows.
    rules : sequence of VarianceRule
        Regularisations of the variance.
    priors : ndarray of shape (K,) or None
        Fixed priors; the class frequencies without the row if None.

    Yields
    ------
    rows : ndarray of int
        Rows of this chunk that have a leave-one-out score.
    scores : list of ndarray of shape (len(rows), K)
        One array per rule.
    """
    count, mean, scatter = statistics
    mass, centre, total_scatter = statistics.total, statistics.grand_mean, statistics.total_scatter
    nu = np.where(count[:, None] > 0, mean - centre, 0.0)
    half_nu2_T = 0.5 * (nu**2).T
    chunk_size = rows_per_chunk(max(nu.shape), arrays=_ARRAYS_PER_ROW + len(rules))
    for chunk in chunk_slices(X.shape[0], chunk_size):
        own_count = count[codes[chunk]]
        defined = (own_count - weights[chunk] > 1e-12 * own_count) & (weights[chunk] > 0)
        if not defined.any():
            continue
        rows = np.arange(chunk.start, chunk.stop)[defined]
        k, w = codes[rows], weights[rows]
        z = dense_rows(X, chunk)[defined] - centre
        log_prior = _log_priors_left_out(count, mass - w, k, count[k] - w, priors)
        precision, scaled = np.empty_like(z), np.empty_like(z)
        own, shift = np.empty((2, k.size))
        results = []
        for rule in rules:
            _left_out(
                *(z, k, w, count, mass, nu, scatter, total_scatter),
                *(rule.shrinkage, rule.var_smoothing, rule.relative, float(rule.ddof)),
                *(precision, scaled, own, shift),
            )
            scores = scaled @ nu.T
            scores -= precision @ half_nu2_T
            scores[np.arange(k.size), k] = own
            scores -= shift[:, None]
            results.append(scores + log_prior)
        yield rows, results


@kernel(reassociate=True)
def _left_out(
    z,
    codes,
    weights,
    count,
    mass,
    nu,
    scatter,
    total_scatter,
    shrinkage,
    var_smoothing,
    relative,
    ddof,
    precision,
    scaled,
    own,
    shift,
):
    """Per row: 1 / s2', z / s2', and the sums of q / s2' of the own class and of the centre."""
    n_rows, n_features = z.shape
    for i in range(n_rows):
        k, w = codes[i], weights[i]
        mass_left, own_left = mass - w, count[k] - w
        own_factor, total_factor = w * count[k] / own_left, w * mass / mass_left
        raw_sum, largest = 0.0, 0.0
        for j in range(n_features):
            distance = z[i, j] - nu[k, j]
            raw = max(scatter[j] - own_factor * distance * distance, 0.0)
            precision[i, j] = raw
            raw_sum += raw
            largest = max(largest, total_scatter[j] - total_factor * z[i, j] * z[i, j])
        added = var_smoothing * largest / mass_left if relative else var_smoothing
        added += shrinkage * raw_sum / ((mass_left - ddof) * n_features)
        factor = (1.0 - shrinkage) / (mass_left - ddof)
        nearest_mean = raw_sum * factor + added == 0.0
        own_move, centre_move = w / own_left, w / mass_left
        own_sum, centre_sum = 0.0, 0.0
        for j in range(n_features):
            variance = 1.0 if nearest_mean else factor * precision[i, j] + added
            inverse = 1.0 / variance if variance > 0.0 else 0.0
            own_nu = nu[k, j] - own_move * (z[i, j] - nu[k, j])
            precision[i, j] = inverse
            scaled[i, j] = z[i, j] * inverse
            own_sum += (z[i, j] - 0.5 * own_nu) * own_nu * inverse
            centre_sum -= (1.0 + 0.5 * centre_move) * centre_move * z[i, j] * z[i, j] * inverse
        own[i], shift[i] = own_sum, centre_sum


def _log_priors_left_out(count, mass_left, codes, own_left, priors):
    with np.errstate(divide="ignore"):
        if priors is not None:
            row = np.where(count > 0, np.log(priors), -np.inf)
            return np.broadcast_to(row, (codes.size, count.size))
        table = np.log(count) - np.log(mass_left)[:, None]
    table[np.arange(codes.size), codes] = np.log(own_left / mass_left)
    return table


def choose_shrinkage(X, codes, weights, statistics, rule_of, priors):
    """Shrinkage on the grid with the least leave-one-out log-loss at its own best temperature.

    Profiling the temperature out keeps overconfidence, which every shrinkage would mend a little,
    from deciding. Ties go to the larger shrinkage.
    """
    rules = [rule_of(shrinkage) for shrinkage in reversed(SHRINKAGE_GRID)]
    _, loss = _best_inverse_temperatures(
        X, codes, weights, statistics, rules, priors, tolerance=1e-2
    )
    return rules[int(np.argmin(loss))].shrinkage


def choose_temperature(X, codes, weights, statistics, rule, priors):
    """Temperature with the least leave-one-out log-loss."""
    inverse, _ = _best_inverse_temperatures(
        X, codes, weights, statistics, [rule], priors, tolerance=1e-6
    )
    return 1.0 / inverse[0]


def _best_inverse_temperatures(X, codes, weights, statistics, rules, priors, tolerance):
    """Minimise the convex f(beta) = mean of logsumexp(beta s) - beta s_y within a bracket.

    Newton steps, or a bisection of log beta wherever the last step left the slope's sign as it was:
    on separated classes f decays exponentially and Newton would crawl. Every evaluation streams
    over the rows once for all rules together; no scores are kept. Of a row that stands for several
    one copy is left out.
    """
    copies = np.minimum(weights, 1.0)
    lower = np.full(len(rules), 1.0 / TEMPERATURE_RANGE[1])
    upper = np.full(len(rules), 1.0 / TEMPERATURE_RANGE[0])
    beta, last_sign = np.ones(len(rules)), np.zeros(len(rules))
    while True:
        loss, slope, curvature = np.zeros((3, len(rules)))
        for rows, scores in loo_scores(X, codes, copies, statistics, rules, priors):
            for i, score in enumerate(scores):
                terms = _log_loss_terms(score, codes[rows], beta[i])
                loss[i], slope[i], curvature[i] = (
                    total + weights[rows] @ term
                    for total, term in zip((loss[i], slope[i], curvature[i]), terms, strict=True)
                )
        lower, upper = np.where(slope < 0, beta, lower), np.where(slope < 0, upper, beta)
        step = np.where(slope == 0, 0.0, np.inf)
        newton = beta - np.divide(slope, curvature, out=step, where=curvature > 0)
        crawls = np.sign(slope) == last_sign
        inside = (newton >= lower) & (newton <= upper)
        settled = np.abs(newton - beta) <= tolerance * beta
        following = np.where(inside & (settled | ~crawls), newton, np.sqrt(lower * upper))
        if (np.abs(following - beta) <= tolerance * beta).all():
            return beta, loss
        beta, last_sign = following, np.where(crawls, 0.0, np.sign(slope))


def _log_loss_terms(scores, codes, beta):
    """Log-loss of every row at inverse temperature beta, and its two derivatives in beta.

    Rows of classes of prior 0 have an infinite loss at every temperature; they count as 0.
    """
    own = scores[np.arange(codes.size), codes]
    possible = np.isfinite(own)
    if not possible.all():
        terms = np.zeros((3, codes.size))
        if possible.any():
            terms[:, possible] = _log_loss_terms(scores[possible], codes[possible], beta)
        return tuple(terms)
    present = np.isfinite(scores[0])
    gap = scores[:, present] - own[:, None]
    log_total = logsumexp(beta * gap, axis=1)
    probability = np.exp(beta * gap - log_total[:, None])
    mean = (probability * gap).sum(axis=1)
    return log_total, mean, (probability * (gap - mean[:, None]) ** 2).sum(axis=1)
