"""The function `dask_coreset`: where the blocks are."""

from functools import partial
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._coreset import Coreset
from skreg.coreset._passes import MERGEABLE_SCORES, Design, MergeableScore, bernoulli_coreset
from skreg.coreset._streaming import StreamingCoreset
from skreg.rows import dask_rows


@validate_params(
    {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "scores": [StrOptions(set(MERGEABLE_SCORES))],
        "floor": [Interval(Real, 0, None, closed="left")],
        "include_y": [StrOptions({"regression"}), None],
        "fit_intercept": ["boolean"],
        "method": [StrOptions({"bernoulli", "merge_and_reduce"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def dask_coreset(
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
    method: Literal["bernoulli", "merge_and_reduce"] = "bernoulli",
    random_state: int | np.random.RandomState | None = None,
) -> Coreset:
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
    scores : {"uniform", "leverage", "root_leverage", "lewis", "lewis+leverage", "distance"}, \
default="lewis"
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
    rows = dask_rows(X, y, sample_weight, by="dask_coreset")
    design = Design(float(p), fit_intercept, include_y)
    seed = check_random_state(random_state).randint(2**31)
    if method == "merge_and_reduce":
        reduction = StreamingCoreset(
            p=p, n_samples=n_samples, scores=scores, floor=floor, fit_intercept=fit_intercept,
            include_y=include_y,
        )  # fmt: skip
        stream = rows.reduce(partial(_stream_of_chunk, reduction, seed), _merged_streams)
        X_kept, y_kept, weight = stream.get_coreset(reduce=True)
        return Coreset(X_kept, y_kept, weight, None)
    return bernoulli_coreset(rows.reduce, design, scores, floor, n_samples, seed)


def _stream_of_chunk(stream, seed, chunk):
    stream = clone(stream).set_params(random_state=(seed + chunk.start) % 2**31)
    return stream.partial_fit(chunk.X, chunk.y, chunk.sample_weight)


def _merged_streams(a, b):
    return a + b
