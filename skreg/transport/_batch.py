"""Many transport problems of one shape."""

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from skreg._progress import progress
from skreg.transport._sparse import SparseTransportResult, sparse_transport


def sparse_transport_batch(
    a: ArrayLike,
    b: ArrayLike,
    C: ArrayLike,
    *,
    n_jobs: int | None = None,
    verbose: int = 0,
    **options: Any,
) -> list[SparseTransportResult]:
    """`sparse_transport` for each of several problems of one shape.

    Parameters
    ----------
    a : array-like of shape (n_sources,) or (n_problems, n_sources)
        Masses of the sources, the same for all problems or one row for each.
    b : array-like of shape (n_targets,) or (n_problems, n_targets)
        Masses of the targets.
    C : array-like of shape (n_problems, n_sources, n_targets)
        Costs.
    n_jobs : int, default=None
        Number of threads; the compiled loops hold no lock.
    verbose : int, default=0
        1 shows how many problems are solved.
    **options : dict
        Passed on to `sparse_transport`: `max_nz`, `gamma`, `recovery` and so on.

    Returns
    -------
    list of SparseTransportResult
        One result for each problem.

    Raises
    ------
    ValueError
        If C has not three dimensions, if a or b have another number of rows than there are
        problems, or as by `sparse_transport`, with the number of the problem.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.transport import sparse_transport_batch
    >>> costs = np.random.default_rng(0).random((3, 4, 2))
    >>> results = sparse_transport_batch(np.full(4, 1 / 4), np.full(2, 1 / 2), costs, max_nz=2)
    >>> [result.exact for result in results]
    [True, True, True]
    """
    C = np.asarray(C)
    if C.ndim != 3:
        raise ValueError(
            f"C must have three dimensions, (n_problems, n_sources, n_targets), not {C.ndim}; one "
            "problem is for sparse_transport"
        )
    rows = zip(_of_each(a, "a", len(C)), _of_each(b, "b", len(C)), C, strict=True)
    solved = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(_solved)(index, *problem, options) for index, problem in enumerate(rows)
    )
    return list(progress(solved, verbose=verbose, total=len(C), by="sparse_transport_batch"))


def _of_each(masses: ArrayLike, name: str, n_problems: int) -> np.ndarray:
    masses = np.asarray(masses)
    if masses.ndim < 2:
        return np.broadcast_to(masses, (n_problems, *masses.shape))
    if len(masses) != n_problems:
        raise ValueError(
            f"{name} has {len(masses)} rows for {n_problems} problems; give one row for each, or "
            "one vector for all"
        )
    return masses


def _solved(
    index: int, a: np.ndarray, b: np.ndarray, C: np.ndarray, options: dict[str, Any]
) -> SparseTransportResult:
    try:
        return sparse_transport(a, b, C, **options)
    except ValueError as error:
        raise ValueError(f"problem {index}: {error}") from error
