"""Passes over chunks of rows that find a coreset of data that do not fit in memory.

Every score here is ||W^T a_i|| to some power, with a d x d matrix W that is found by sums over
chunks of rows. Water-filling needs the sum of all scores and the m largest ones. So no array with
one entry per row is ever held, and what travels between machines is O(d^2 + m d).
"""

from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.linalg import qr

from skreg.coreset._checks import require_finite
from skreg.coreset._coreset import Coreset
from skreg.coreset._lewis import moment_of_block
from skreg.coreset._lewis_iteration import lewis_form
from skreg.coreset._rows import Rows, blocks, gram, power_scale, squared_norms
from skreg.coreset._sampling import hashed_uniform, scale_of_scores
from skreg.coreset._scores import SAMPLING_ITER, SAMPLING_TOL, require_squares
from skreg.coreset._target import checked_target, residual_columns
from skreg.coreset._whitening import cholesky_whitening, qr_whitening, triangular_factor
from skreg.rows import stack_rows

MergeableScore = Literal[
    "uniform", "leverage", "root_leverage", "lewis", "lewis+leverage", "distance"
]
MERGEABLE_SCORES = get_args(MergeableScore)


class Design(NamedTuple):
    """What turns a chunk into rows of A, and rows into scores."""

    p: float
    fit_intercept: bool
    include_y: str | None


class Term(NamedTuple):
    """One part of a score: ||W^T a_i||^power, at most 1; the weight of the row where W is None."""

    W: np.ndarray | None
    power: float


def bernoulli_coreset(reduce_chunks, design, scores, floor, n_samples, seed):
    """Bernoulli sample: W by sums, the sum of the scores, the largest of them, then the rows."""
    G, weight_sum, n_rows, n_features = reduce_chunks(partial(_gram_of_chunk, design), _merge_grams)
    if weight_sum == 0.0:
        raise ValueError("all of sample_weight is zero: at least one weight must be positive")
    if scores == "distance":
        terms: tuple[Term, ...] = (_distance_to_mean(G, n_features, design),)
    else:
        basis = _basis(reduce_chunks, design, G, n_rows)
        if n_samples < basis.shape[1]:
            raise ValueError(
                f"n_samples={n_samples} is below the rank {basis.shape[1]} of the scored matrix"
            )
        terms = _terms(reduce_chunks, design, basis, scores)
    total = reduce_chunks(partial(_total_of_chunk, design, terms), _plus)
    mixture = partial(_mixed_of_chunk, design, terms, total, floor / weight_sum)
    largest, rest = reduce_chunks(
        partial(_largest_of_chunk, mixture, n_samples), partial(_merge_largest, n_samples)
    )
    constant = scale_of_scores(largest, rest, n_samples) if rest > 0 else np.inf
    return Coreset(*reduce_chunks(partial(_sample_of_chunk, mixture, constant, seed), _join))


def _basis(reduce_chunks, design, G, n_rows):
    """The W that whitens A."""
    basis = cholesky_whitening(G)
    if basis is None:
        R = reduce_chunks(partial(_factor_of_chunk, design), _merge_factors)
        basis = qr_whitening(R, n_rows)
    return basis


def _distance_to_mean(G, ones, design):
    """W^T a = (a - mu) / sqrt(sum_i omega_i ||a_i - mu||^2), by A^T A and its column of ones."""
    require_squares(design.p)
    if not design.fit_intercept:
        raise ValueError("scores='distance' needs fit_intercept=True: the mean comes from that")
    if not np.isfinite(G).all():
        raise ValueError("X has values whose squares overflow; rescale X")
    W = np.eye(len(G))
    W[ones] -= G[ones] / G[ones, ones]
    total = np.einsum("ij,ik,kj->", W, G, W)
    return Term(W / np.sqrt(total) if total > 0.0 else np.zeros_like(W), 2.0)


def _terms(reduce_chunks, design, basis, scores):
    """The terms of the scores, Lewis weights by one pass per iteration."""
    terms = []
    for name in scores.split("+"):
        if name == "uniform":
            terms.append(Term(None, 1.0))
        elif name == "lewis" and design.p != 2:
            terms.append(Term(_lewis_whitening(reduce_chunks, design, basis), design.p))
        else:
            terms.append(Term(basis, design.p if name == "root_leverage" else 2.0))
    return tuple(terms)


def _lewis_whitening(reduce_chunks, design, basis):
    def moment(W):
        return reduce_chunks(partial(_moment_of_chunk, design, W), _plus)

    return lewis_form(moment, basis, design.p, SAMPLING_TOL, SAMPLING_ITER).W


def _rows_of_chunk(design, chunk):
    X, y, weight = chunk.X, chunk.y, chunk.sample_weight
    if weight is not None and not (weight >= 0).all():
        raise ValueError("sample_weight must be finite and not negative")
    if design.include_y is not None and y is not None:
        y = checked_target(y)
    kind = None if y is None else design.include_y
    columns = residual_columns(X.shape[0], y, kind, design.fit_intercept)
    return Rows(X, columns, power_scale(weight, design.p))


def _gram_of_chunk(design, chunk):
    A = _rows_of_chunk(design, chunk)
    G = gram(A)
    require_finite(G, A)
    weight_sum = A.n_rows if chunk.sample_weight is None else chunk.sample_weight.sum()
    return G, weight_sum, A.n_rows, chunk.X.shape[1]


def _factor_of_chunk(design, chunk):
    return triangular_factor(_rows_of_chunk(design, chunk))


def _moment_of_chunk(design, W, chunk):
    parts = blocks(_rows_of_chunk(design, chunk))
    return sum(moment_of_block(part, W, design.p)[1] for _, part in parts)


def _scores_of_chunk(design, terms, chunk):
    A = _rows_of_chunk(design, chunk)
    scores = np.zeros(A.n_rows)
    for term in terms:
        if term.W is None:
            scores += 1.0 if chunk.sample_weight is None else chunk.sample_weight
        else:
            scores += np.minimum(squared_norms(A, term.W) ** (term.power / 2), 1.0)
    return scores


def _total_of_chunk(design, terms, chunk):
    return _scores_of_chunk(design, terms, chunk).sum()


def _mixed_of_chunk(design, terms, total, floor, chunk):
    """s_i / sum(s) + floor omega_i / sum(omega), as in `mixed_scores`."""
    share = _scores_of_chunk(design, terms, chunk) / (total if total > 0 else 1.0)
    return share + floor * (1.0 if chunk.sample_weight is None else chunk.sample_weight)


def _largest_of_chunk(mixture, n_samples, chunk):
    return _largest(mixture(chunk), n_samples)


def _largest(scores, n_samples):
    """The n_samples largest scores and the sum of the others."""
    if len(scores) <= n_samples:
        return scores, 0.0
    split = len(scores) - n_samples
    parted = np.partition(scores, split)
    return parted[split:], parted[:split].sum()


def _merge_largest(n_samples, a, b):
    largest, rest = _largest(np.concatenate([a[0], b[0]]), n_samples)
    return largest, a[1] + b[1] + rest


def _sample_of_chunk(mixture, constant, seed, chunk):
    """The rows with u_i < q_i = min(1, c s_i), u_i a hash of the row number; omega_i / q_i."""
    scores = mixture(chunk)
    q = np.minimum(1.0, constant * scores) if np.isfinite(constant) else (scores > 0) * 1.0
    ids = chunk.start + np.arange(len(q))
    kept = np.flatnonzero(hashed_uniform(seed, ids) < q)
    weight = 1 / q[kept] if chunk.sample_weight is None else chunk.sample_weight[kept] / q[kept]
    y = None if chunk.y is None else chunk.y[kept]
    return chunk.X[kept], y, weight, ids[kept]


def _plus(a, b):
    return a + b


def _merge_grams(a, b):
    *sums, n_features = a
    return (*(x + y for x, y in zip(sums, b[:-1], strict=True)), n_features)


def _merge_factors(a, b):
    return qr(np.concatenate([a, b]), mode="r")[0][: a.shape[1]]


def _join(a, b):
    return tuple(stack_rows(pair) for pair in zip(a, b, strict=True))
