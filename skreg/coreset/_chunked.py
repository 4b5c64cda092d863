"""The function `chunked_coreset`: for memory-mapped files."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._coreset import Coreset
from skreg.coreset._passes import MERGEABLE_SCORES, Design, MergeableScore, bernoulli_coreset
from skreg.rows import READ_BYTES, SlicedRows, rows_per_chunk, sliceable


@validate_params(
    {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "scores": [StrOptions(set(MERGEABLE_SCORES))],
        "floor": [Interval(Real, 0, None, closed="left")],
        "include_y": [StrOptions({"regression"}), None],
        "fit_intercept": ["boolean"],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def chunked_coreset(
    X: Any,
    y: Any = None,
    *,
    p: float = 2,
    n_samples: int,
    scores: MergeableScore = "lewis",
    floor: float = 0.01,
    include_y: Literal["regression"] | None = "regression",
    fit_intercept: bool = True,
    sample_weight: Any = None,
    chunk_size: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Coreset:
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
    scores : {"uniform", "leverage", "root_leverage", "lewis", "lewis+leverage", "distance"}, \
default="lewis"
        As in `SensitivitySampler`. Lewis weights take five to ten passes, the others three.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    include_y : {"regression"} or None, default="regression"
        Append y to the scored matrix, or not.
    fit_intercept : bool, default=True
        Append a column of ones to the scored matrix.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the loss.
    chunk_size : int, default=None
        Rows of a chunk; 64 MiB of X if None.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.
    verbose : int, default=0
        Show a progress bar for each pass over the chunks if positive (needs tqdm).

    Returns
    -------
    Coreset
        Named tuple of ``X``, ``y``, ``sample_weight`` and ``indices``.

    Raises
    ------
    ValueError
        If X or y has NaN or infinity, if weights are negative, or if n_samples is below the rank.
    ImportError
        If `verbose` is positive and tqdm is not installed.

    See Also
    --------
    SensitivitySampler : For data in memory.
    dask_coreset : For dask arrays and data frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import chunked_coreset
    >>> X = np.random.default_rng(0).standard_normal((5000, 3))
    >>> coreset = chunked_coreset(X, p=1, n_samples=200, chunk_size=1000, random_state=0)
    >>> other = chunked_coreset(X, p=1, n_samples=200, chunk_size=777, random_state=0)
    >>> bool((coreset.indices == other.indices).all())
    True
    """
    X, y, sample_weight = sliceable(X), sliceable(y), sliceable(sample_weight)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(f"X must be a matrix with rows and columns; got shape {X.shape}")
    check_consistent_length(X, y, sample_weight)
    if chunk_size is None:
        chunk_size = rows_per_chunk(X.shape[1], X.dtype.itemsize, n_bytes=READ_BYTES)
    rows = SlicedRows(X, y, sample_weight, chunk_size, verbose, "chunked_coreset")
    design = Design(float(p), fit_intercept, include_y)
    seed = check_random_state(random_state).randint(2**31)
    return bernoulli_coreset(rows.reduce, design, scores, floor, n_samples, seed)
