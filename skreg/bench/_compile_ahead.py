"""Compiling the kernels of whole families ahead of their first fits, for ``skreg warmup``.

A family is a folder of skreg with a file ``_warmup.py``, whose tuple ``FITS`` holds functions
without arguments. Each of them fits estimators of the folder to small data of every kind for which
numba compiles a version of its own, and can run in a process of its own.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parents[1]


class Warmed(NamedTuple):
    """What the fits of a family took."""

    family: str
    seconds: float
    n_compiled: int


def find_families() -> list[str]:
    """Names of the families, in alphabetical order."""
    return sorted(path.parent.name for path in _PACKAGE.glob("*/_warmup.py"))


def compile_ahead(families: Sequence[str], n_jobs: int) -> Iterator[Warmed]:
    """Run the fits of several families in parallel processes.

    Parameters
    ----------
    families : sequence of str
        Names from `find_families`.
    n_jobs : int
        Number of processes.

    Yields
    ------
    Warmed
        For each family, as soon as its last fit is done: the seconds of its fits, one after the
        other, and the number of compiled versions of kernels.
    """
    fits = [(family, k) for family in families for k in range(len(_fits(family)))]
    answers: dict[str, list[tuple[float, int]]] = {family: [] for family in families}
    # a forked child may inherit a lock of numba or BLAS that nobody releases
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_jobs, mp_context=context)
    try:
        running = {pool.submit(_run, family, k): family for family, k in fits}
        for done in as_completed(running):
            family = running[done]
            answers[family].append(done.result())
            if len(answers[family]) == len(_fits(family)):
                seconds, n_compiled = zip(*answers[family], strict=True)
                yield Warmed(family, sum(seconds), sum(n_compiled))
    finally:  # after an interrupt or a failure, too: what waits need not begin
        pool.shutdown(cancel_futures=True)


def _fits(family: str) -> tuple[Callable[[], None], ...]:
    return importlib.import_module(f"skreg.{family}._warmup").FITS


def _run(family: str, k: int) -> tuple[float, int]:
    """Run one fit; returns its seconds and the number of versions that were compiled."""
    from skreg._compiling import notice

    fit = _fits(family)[k]
    started, before = time.perf_counter(), notice.n_compiled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits to data without a meaning
        fit()
    return time.perf_counter() - started, notice.n_compiled - before
