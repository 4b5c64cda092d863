"""Coresets of data that do not fit in memory: memory-mapped files and dask collections.

Every score here is ||W^T a_i|| to some power, with a d x d matrix W that is found by sums over
chunks of rows. Water-filling needs the sum of all scores and the m largest ones. So no array with
one entry per row is ever held, and what travels between machines is O(d^2 + m d).
"""

from functools import partial
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import qr
from sklearn.base import clone
from sklearn.utils import check_consistent_length, check_random_state

from skreg._optional import require
from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._lewis import lewis_step_of_block, lewis_update
from skreg.coreset._rows import (
    Rows,
    blocks,
    gram,
    power_scale,
    require_finite,
    squared_norms,
)
from skreg.coreset._sampling import hashed_uniform, scale_of_scores
from skreg.coreset._scores import SAMPLING_ITER, SAMPLING_TOL
from skreg.coreset._streaming import StreamingCoreset
from skreg.coreset._target import checked_target, residual_columns
from skreg.coreset._whitening import cholesky_whitening, qr_whitening, triangular_factor

_CHUNK_BYTES = 2**26
_SCORES = ("uniform", "leverage", "root_leverage", "lewis", "lewis+leverage")


class Coreset(NamedTuple):
    """Weighted rows that stand for all rows.

    Parameters
    ----------
    X : ndarray of shape (m, n_features)
        Rows.
    y : ndarray of shape (m,), or None
        Their targets.
    sample_weight : ndarray of shape (m,)
        Their weights.
    indices : ndarray of shape (m,), or None
        Their numbers among all rows, increasing; None after merge-and-reduce.
    """

    X: np.ndarray
    y: np.ndarray | None
    sample_weight: np.ndarray
    indices: np.ndarray | None


class Chunk(NamedTuple):
    """Consecutive rows in memory; `start` is the number of the first."""

    X: np.ndarray
    y: np.ndarray | None
    sample_weight: np.ndarray | None
    start: int


class Design(NamedTuple):
    """What turns a chunk into rows of A, and rows into scores."""

    p: float
    fit_intercept: bool
    include_y: str | None


class Term(NamedTuple):
    """One part of a score: ||W^T a_i||^power, at most 1; the weight of the row where W is None."""

    W: np.ndarray | None
    power: float


@validate_params(
    {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "scores": [StrOptions(set(_SCORES))],
        "floor": [Interval(Real, 0, None, closed="left")],
        "include_y": [StrOptions({"regression"}), None],
        "fit_intercept": ["boolean"],
        "chunk_rows": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def chunked_coreset(
    X,
    y=None,
    *,
    p=2,
    n_samples,
    scores="lewis",
    floor=0.01,
    include_y="regression",
    fit_intercept=True,
    sample_weight=None,
    chunk_rows=None,
    random_state=None,
):
    """Coreset of rows that are read in chunks, in several passes.

    For memory-mapped files: beyond one chunk, memory is of the order d^2 + m d, whatever the
    number of rows. Rows are kept by a hash of their number, so that the result does not depend on
    the chunks.

    Parameters
    ----------
    X : {array-like, memmap, sparse matrix} of shape (n, n_features)
        The rows. Of arrays on disk (numpy's, or those of h5py and zarr) only slices of rows are
        taken.
    y : array-like of shape (n,), default=None
        Targets; may be memory-mapped too.
    p : float, default=2
        The power of the loss, p >= 1.
    n_samples : int
        Expected number m of rows to keep.
    scores : {"uniform", "leverage", "root_leverage", "lewis", "lewis+leverage"}, default="lewis"
        As in `SensitivitySampler`. Lewis weights take five to ten passes, the others three.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    include_y : {"regression"} or None, default="regression"
        Append y to the scored matrix, or not.
    fit_intercept : bool, default=True
        Append a column of ones to the scored matrix.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the loss.
    chunk_rows : int, default=None
        Rows of a chunk; 64 MiB of X if None.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    Coreset
        Named tuple of ``X``, ``y``, ``sample_weight`` and ``indices``.

    Raises
    ------
    ValueError
        If X or y has NaN or infinity, if weights are negative, or if n_samples is below the rank.

    See Also
    --------
    SensitivitySampler : For data in memory.
    dask_coreset : For dask arrays and data frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import chunked_coreset
    >>> X = np.random.default_rng(0).standard_normal((5000, 3))
    >>> coreset = chunked_coreset(X, p=1, n_samples=200, chunk_rows=1000, random_state=0)
    >>> other = chunked_coreset(X, p=1, n_samples=200, chunk_rows=777, random_state=0)
    >>> bool((coreset.indices == other.indices).all())
    True
    """
    X, y, sample_weight = _sliceable(X), _sliceable(y), _sliceable(sample_weight)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(f"X must be a matrix with rows and columns; got shape {X.shape}")
    check_consistent_length(X, y, sample_weight)
    if chunk_rows is None:
        chunk_rows = max(1, _CHUNK_BYTES // (X.shape[1] * X.dtype.itemsize))

    def read(start):
        rows = slice(start, min(start + chunk_rows, X.shape[0]))
        target = None if y is None else y[rows]
        weight = None if sample_weight is None else sample_weight[rows].astype(np.float64)
        return Chunk(X[rows], target, weight, start)

    def reduce_chunks(function, merge):
        total = None
        for start in range(0, X.shape[0], chunk_rows):
            value = function(read(start))
            total = value if total is None else merge(total, value)
        return total

    design = Design(float(p), fit_intercept, include_y)
    seed = check_random_state(random_state).randint(2**31)
    return _coreset(reduce_chunks, design, scores, floor, n_samples, seed)


@validate_params(
    {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "scores": [StrOptions(set(_SCORES))],
        "floor": [Interval(Real, 0, None, closed="left")],
        "include_y": [StrOptions({"regression"}), None],
        "fit_intercept": ["boolean"],
        "method": [StrOptions({"bernoulli", "merge_and_reduce"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def dask_coreset(
    X,
    y=None,
    *,
    p=2,
    n_samples,
    scores="lewis",
    floor=0.01,
    include_y="regression",
    fit_intercept=True,
    sample_weight=None,
    method="bernoulli",
    random_state=None,
):
    """Coreset of a dask array or data frame, on the workers that hold its blocks.

    Parameters
    ----------
    X : dask array or dask dataframe of shape (n, n_features)
        The rows, in blocks.
    y : dask array, dask series or array-like of shape (n,), default=None
        Targets; those in memory are cut into the blocks of X.
    p : float, default=2
        The power of the loss, p >= 1.
    n_samples : int
        Expected number m of rows to keep.
    scores : {"uniform", "leverage", "root_leverage", "lewis", "lewis+leverage"}, default="lewis"
        As in `SensitivitySampler`.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    include_y : {"regression"} or None, default="regression"
        Append y to the scored matrix, or not.
    fit_intercept : bool, default=True
        Append a column of ones to the scored matrix.
    sample_weight : dask array, dask series or array-like of shape (n,), default=None
        Weights of the rows in the loss.
    method : {"bernoulli", "merge_and_reduce"}, default="bernoulli"
        "bernoulli" goes over the blocks several times (``persist`` them where they fit in the
        workers' memory) and adds up d x d matrices; the result does not depend on the blocks.
        "merge_and_reduce" reads every block once and merges coresets pairwise, with a distortion
        that grows with the logarithm of the number of blocks.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    Coreset
        Named tuple of ``X``, ``y``, ``sample_weight`` and ``indices``, in memory.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        As `chunked_coreset`.

    See Also
    --------
    chunked_coreset : For memory-mapped files.

    Examples
    --------
    >>> import dask.array as da
    >>> from skreg.coreset import dask_coreset
    >>> X = da.random.default_rng(0).standard_normal((5000, 3), chunks=(1000, 3))
    >>> coreset = dask_coreset(X, p=1, n_samples=200, random_state=0)
    >>> coreset.X.shape[1], bool(coreset.indices.max() < 5000)
    (3, True)
    """
    dask = require("dask", "dask", "dask_coreset")
    da = require("dask.array", "dask", "dask_coreset")
    X = _dask_array(X, da).rechunk({1: -1})
    columns = [_column_blocks("y", y, X, da), _column_blocks("sample_weight", sample_weight, X, da)]
    starts = np.concatenate([[0], np.cumsum(X.chunks[0])[:-1]]).astype(int).tolist()
    delayed_chunk = dask.delayed(Chunk)
    chunks = [
        delayed_chunk(block, target, weight, start)
        for block, target, weight, start in zip(
            X.to_delayed().ravel(), *columns, starts, strict=True
        )
    ]

    def reduce_chunks(function, merge):
        values = [dask.delayed(function)(chunk) for chunk in chunks]
        merge = dask.delayed(merge)
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            values = [merge(a, b) for a, b in pairs] + values[len(values) & ~1 :]
        return dask.compute(values[0])[0]

    design = Design(float(p), fit_intercept, include_y)
    seed = check_random_state(random_state).randint(2**31)
    if method == "merge_and_reduce":
        reduction = StreamingCoreset(
            p=p, n_samples=n_samples, scores=scores, floor=floor, fit_intercept=fit_intercept,
            include_y=include_y,
        )  # fmt: skip
        stream = reduce_chunks(partial(_stream_of_chunk, reduction, seed), _merged_streams)
        return Coreset(*stream.get_coreset(reduce=True), None)
    return _coreset(reduce_chunks, design, scores, floor, n_samples, seed)


def _sliceable(array):
    """What slices of rows can be taken of: arrays on disk as they are, data frames as arrays."""
    if sparse.issparse(array):
        return array.tocsr()
    if array is None or (hasattr(array, "shape") and not hasattr(array, "iloc")):
        return array
    return np.asarray(array)


def _dask_array(collection, da):
    if hasattr(collection, "to_dask_array"):
        return collection.to_dask_array(lengths=True)
    if not isinstance(collection, da.Array):
        raise ValueError(f"dask_coreset takes dask collections; got {type(collection).__name__}")
    if np.isnan(collection.shape[0]):  # blocks of a data frame, whose lengths dask does not know
        collection = collection.copy().compute_chunk_sizes()
    return collection


def _column_blocks(name, column, X, da):
    """Delayed blocks of a target or of weights, cut as the rows of X are."""
    if column is None:
        return [None] * X.numblocks[0]
    lazy = isinstance(column, da.Array) or hasattr(column, "to_dask_array")
    column = _dask_array(column, da) if lazy else da.asarray(np.asarray(column))
    if column.shape != X.shape[:1]:
        raise ValueError(f"{name} has shape {column.shape}, but X has {X.shape[0]} rows")
    return column.rechunk((X.chunks[0],)).to_delayed()


def _stream_of_chunk(stream, seed, chunk):
    stream = clone(stream).set_params(random_state=(seed + chunk.start) % 2**31)
    return stream.fit(chunk.X, chunk.y, chunk.sample_weight)


def _merged_streams(a, b):
    return a + b


def _coreset(reduce_chunks, design, scores, floor, n_samples, seed):
    """Bernoulli sample: W by sums, the sum of the scores, the largest of them, then the rows."""
    G, weight_sum, n_rows = reduce_chunks(partial(_gram_of_chunk, design), _add)
    basis = cholesky_whitening(G)
    if basis is None:
        R = reduce_chunks(partial(_factor_of_chunk, design), _merge_factors)
        basis = qr_whitening(R, n_rows)
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
    W = basis
    for _ in range(SAMPLING_ITER):
        step = lewis_update(reduce_chunks(partial(_lewis_of_chunk, design, W), _plus), W, design.p)
        if step.change <= SAMPLING_TOL:
            break
        W = step.W
    return W * np.sqrt(step.scale)


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
    return G, weight_sum, A.n_rows


def _factor_of_chunk(design, chunk):
    return triangular_factor(_rows_of_chunk(design, chunk))


def _lewis_of_chunk(design, W, chunk):
    parts = blocks(_rows_of_chunk(design, chunk))
    return sum(lewis_step_of_block(part, W, design.p)[1] for _, part in parts)


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


def _add(a, b):
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _merge_factors(a, b):
    return qr(np.concatenate([a, b]), mode="r")[0][: a.shape[1]]


def _join(a, b):
    def join(x, y):
        if x is None:
            return None
        return sparse.vstack([x, y], format="csr") if sparse.issparse(x) else np.concatenate([x, y])

    return tuple(join(x, y) for x, y in zip(a, b, strict=True))
