"""Progress of long work, off by default."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
    return _tqdm(verbose, by)(steps, total=total, desc=by, unit=unit)


@contextmanager
def counter(*, verbose: int, by: str, unit: str = "iteration") -> Iterator[Callable[..., None]]:
    """A function to call after each step of work whose end is not known.

    Parameters
    ----------
    verbose : int
        Whether its calls are counted on stderr, by tqdm.
    by : str
        Whose work it is, the label of the count.
    unit : str, default="iteration"
        What one step is.

    Yields
    ------
    callable
        It ignores its arguments and returns None, as callbacks of solvers should.

    Raises
    ------
    ImportError
        If `verbose` is positive and tqdm is not installed.
    """
    if verbose <= 0:
        yield lambda *_: None
        return
    with _tqdm(verbose, by)(desc=by, unit=unit) as shown:

        def count(*_):
            shown.update()

        yield count


def _tqdm(verbose, by):
    return require("tqdm.auto", "progress", f"{by} with verbose={verbose}").tqdm
