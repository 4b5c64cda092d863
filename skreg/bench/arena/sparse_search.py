"""Search for the loosest tolerance with which a solver reaches a duality gap.

Tolerances lie on a grid of half decades: level k is the tolerance 10^(-k/2).
"""

import time
import warnings
from typing import NamedTuple

import numpy as np

from skreg.bench.arena.sparse_problems import relative_gaps

STALLED = 0.5  # a search below the target ends when four decades leave more than this share
FOUR_DECADES, LARGEST_STEP, LAST_LEVEL = 8, 8, 32


class Run(NamedTuple):
    """One solve: relative gap, processor and wall time."""

    gap: float
    cpu: float
    wall: float


def clock(action, *arguments):
    """Result, processor seconds and wall seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action(*arguments)
    return result, time.process_time() - cpu, time.perf_counter() - wall


class Contestant:
    """A library on one problem, with its runs so far by level, the fastest of each."""

    def __init__(self, problem, solve):
        self.problem = problem
        self.solve = solve
        self.runs: dict[int, Run] = {}

    def run(self, level):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the certificate judges
            coefs, cpu, wall = clock(self.solve, 10 ** (-level / 2))
        gap = float(relative_gaps(self.problem, coefs).max())
        best = self.runs.get(level, Run(gap, np.inf, np.inf))
        self.runs[level] = Run(gap, min(cpu, best.cpu), min(wall, best.wall))
        return cpu

    def settle(self, target, budget, hopeless=np.inf):
        """Look for the loosest level that reaches the target.

        The search ends early where the next run, if it takes as long as that of the nearest level,
        would exceed `budget` processor seconds in all, or `hopeless` seconds by itself.
        """
        spent = 0.0
        while (level := next_level(self.runs, target)) is not None:
            expected = self.expected_time(level)
            if spent + expected > budget or expected > hopeless:
                return
            spent += self.run(level)

    def expected_time(self, level):
        nearest = min(self.runs, key=lambda known: abs(known - level), default=None)
        return 0.0 if nearest is None else self.runs[nearest].cpu

    def time_to(self, target):
        """Processor seconds of the loosest level known to reach the target, inf without one."""
        level = loosest(self.runs, target)
        return np.inf if level is None else self.runs[level].cpu


def loosest(runs, target):
    """Loosest level whose run reached the target, None without one."""
    return min((level for level, run in runs.items() if run.gap <= target), default=None)


def next_level(runs, target):
    """Level to try next, None when the loosest that reaches the target is known or there is none.

    The gap is taken to be proportional to the tolerance, so that one run says where to look.
    """
    first = round(-2 * np.log10(target))
    if not runs:
        return first
    reached = loosest(runs, target)
    if reached is not None:
        missed = max((level for level in runs if level < reached), default=-1)
        step = half_decades(target / max(runs[reached].gap, 1e-300), np.floor)
        return None if reached - missed == 1 else max(missed + 1, reached - step)
    last = max(runs)
    before = [run.gap for level, run in runs.items() if level <= last - FOUR_DECADES]
    stalled = runs[last].gap > STALLED * min(before, default=np.inf)
    if last == LAST_LEVEL or (stalled and last >= first):
        return None
    return min(LAST_LEVEL, last + half_decades(runs[last].gap / target, np.round))


def half_decades(ratio, whole):
    """Whole steps of the grid in a ratio above one, at least one."""
    return int(np.clip(whole(2 * np.log10(ratio)), 1, LARGEST_STEP)) if ratio > 0 else 1
