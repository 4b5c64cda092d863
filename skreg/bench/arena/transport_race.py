"""Sparse transport by skreg and by POT on one thread: time, dual value, marginal error, memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench.arena.checks import Check, statistic
from skreg.bench.arena.clock import medians_in_turns, peak_megabytes
from skreg.bench.arena.transport_tasks import clouds, marginal_error, pot_plan
from skreg.transport import sparse_transport
from skreg.transport._envelope import Problem

OURS, SINGLE = "skreg", "skreg, float32 costs"
DUAL, SEMI_DUAL, EMD = "POT, dual", "POT, semi-dual", "POT, EMD"
TOLERANCE = 1e-6  # largest gap and marginal error of skreg
PATIENCE = 1.0  # seconds after which an action is not repeated
ROUNDS = 3
LARGEST_OF_POT = 2500  # sources, along the growth


class Answer(NamedTuple):
    """A plan, and the source potentials where the problem has the sparse dual."""

    plan: Any
    alpha: np.ndarray | None
    gap: float = np.nan


def skreg_answer(problem: Problem) -> Answer:
    cost, a, b, k, gamma = problem
    found = sparse_transport(a, b, cost, max_nz=k, gamma=gamma, tol=TOLERANCE)
    return Answer(found.plan, found.alpha, found.gap)


def pot_answer(problem: Problem, kind: str) -> Answer:
    plan, log = pot_plan(problem, kind)
    return Answer(plan, log["alpha"])


def emd_answer(problem: Problem) -> Answer:
    """Transport without a quadratic term or a bound on the entries: another problem."""
    import ot

    return Answer(ot.emd(problem.a, problem.b, problem.cost), None)


SOLVERS: dict[str, Callable[[Problem], Answer]] = {
    OURS: skreg_answer,
    SINGLE: skreg_answer,
    DUAL: functools.partial(pot_answer, kind="dual"),
    SEMI_DUAL: functools.partial(pot_answer, kind="semi-dual"),
    EMD: emd_answer,
}


def growing(seed: int, *, sizes: tuple[int, ...], n_targets: int) -> Iterator[Problem]:
    """Generated one after the other, so that memory holds one size at a time."""
    for n_sources in sizes:
        k = -(-2 * n_sources // n_targets)
        yield clouds(seed, n_sources=n_sources, n_targets=n_targets, k=k)


def measure(problem: Problem, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    """Seconds in turns, and what the answers are worth."""
    warm_up(methods)
    yield from measured(problem, methods, ROUNDS)


def measure_growth(
    problems: Iterator[Problem], methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    """The same at growing sizes, one run each; POT is left out at the larger ones."""
    warm_up(methods)
    for problem in problems:
        small = len(problem.a) <= LARGEST_OF_POT
        for row in measured(problem, [name for name in methods if small or name != SEMI_DUAL], 1):
            yield row | {"n": len(problem.a)}


def measure_memory(
    problem: Problem, methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    """Peak of the memory beside the costs, in megabytes and as a share of theirs."""
    warm_up(methods)
    for name in methods:
        given = costs_of(name, problem)
        memory = peak_megabytes(SOLVERS[name], given)
        yield {"method": name, "memory": memory, "share": 1e6 * memory / given.cost.nbytes}


def measured(problem: Problem, names: Iterable[str], rounds: int) -> Iterator[dict[str, Any]]:
    answers: dict[str, Answer] = {}

    def run(name: str, given: Problem) -> None:
        answers[name] = SOLVERS[name](given)

    actions = {name: functools.partial(run, name, costs_of(name, problem)) for name in names}
    with threadpool_limits(1):
        seconds = medians_in_turns(actions, rounds, patience=PATIENCE)
    for name, answer in answers.items():
        row = {"method": name, "seconds": seconds[name], "gap": answer.gap}
        row["error"] = marginal_error(problem, answer.plan)
        if answer.alpha is not None:
            row["dual_value"] = dual_value(problem, answer.alpha)
        yield row


def costs_of(name: str, problem: Problem) -> Problem:
    """The problem with its costs in the precision that a method is given."""
    return problem._replace(cost=problem.cost.astype(np.float32)) if name == SINGLE else problem


def dual_value(problem: Problem, alpha: np.ndarray) -> float:
    """The semi-dual at anybody's source potentials, by one function for all."""
    return float(problem.semi_dual(np.asarray(alpha, dtype=np.float64)).value)


def warm_up(names: Iterable[str]) -> None:
    small = clouds(0, n_sources=40, n_targets=10, k=8)
    for name in names:
        SOLVERS[name](costs_of(name, small))


def falls_behind(method: str, rival: str, setting: str, *, at_most: float) -> Check:
    """The share by which the dual value is below a rival's; leads elsewhere make up for none."""

    def shortfalls(evidence: Any) -> np.ndarray:
        ours, theirs = (evidence.values(setting, "dual_value", name) for name in (method, rival))
        return (1.0 - ours / theirs).to_numpy().clip(0.0)

    return statistic(shortfalls, f"dual value behind {rival}", at_most=at_most)
