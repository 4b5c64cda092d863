"""Progress of long work, off by default."""

from collections.abc import Iterable
from typing import TypeVar

from skreg._optional import require

T = TypeVar("T")


def progress(
    steps: Iterable[T], *, total: int, verbose: int, by: str, unit: str = "fit"
) -> Iterable[T]:
    """The steps themselves, with a bar on stderr that counts them if `verbose` is positive.

    Parameters
    ----------
    steps : iterable
        Steps of the work, such as the results of ``Parallel(return_as="generator")``.
    total : int
        Number of steps.
    verbose : int
        Whether to show the bar, which is drawn by tqdm.
    by : str
        Whose work it is, the label of the bar.
    unit : str, default="fit"
        What one step is.

    Returns
    -------
    iterable
        The steps.

    Raises
    ------
    ImportError
        If `verbose` is positive and tqdm is not installed.
    """
    if verbose <= 0:
        return steps
    tqdm = require("tqdm.auto", "progress", f"{by} with verbose={verbose}").tqdm
    return tqdm(steps, total=total, desc=by, unit=unit)
