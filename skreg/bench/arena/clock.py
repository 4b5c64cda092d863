"""Times of several actions in turns, and peak memory of one."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any


def timed(
    action: Callable[..., Any], *arguments: Any, clock: Callable[[], float] = time.process_time
) -> tuple[Any, float]:
    """Result and seconds of one call; processor time, which other processes do not lengthen."""
    start = clock()
    result = action(*arguments)
    return result, clock() - start


def medians_in_turns(
    actions: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    patience: float = float("inf"),
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of several actions that take turns, so that a busy moment hits all of them.

    Parameters
    ----------
    actions : mapping of str to callable
        What is timed, by name. Warm it up before.
    rounds : int
        Number of turns.
    patience : float, default=inf
        An action that has taken so many seconds in all is not repeated.
    clock : callable, default=time.process_time
        Tells the time.

    Returns
    -------
    dict of str to float
        In the order of `actions`.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            if sum(times[name]) < patience:
                times[name].append(timed(action, clock=clock)[1])
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peak_megabytes(action: Callable[..., Any], *arguments: Any) -> float:
    """Peak of the memory that Python and numpy allocate during the call, in 10^6 bytes."""
    gc.collect()
    tracemalloc.start()
    action(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6
