"""The race between sparse solvers on one problem: who reaches which gap, in what time.

Libraries search for the loosest tolerance that reaches a gap, then they take turns, and the least
time of several rounds counts, the run that settled the tolerance included.
"""

import json
import subprocess
import sys
import warnings
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench.arena import sparse_problems as problems
from skreg.bench.arena.clock import peak_megabytes
from skreg.bench.arena.sparse_rivals import FRESH
from skreg.bench.arena.sparse_search import Contestant, Run, loosest

OURS = "skreg"
HOPELESS = 3.0  # times slower than another rival
DENSE, SPARSE, TALL, DIGITS = "dense", "sparse", "tall", "digits"
SHORT, ONE_HOT = "short", "one-hot"
DRAWS = {
    SPARSE: problems.sparse_design,
    SHORT: problems.short_design,
    ONE_HOT: problems.one_hot_design,
}


class Race(NamedTuple):
    """A problem to race on.

    Searches for a tolerance take up to `budget` processor seconds for each library and target, in
    the order of the targets. What counts is the best of `rounds` runs, fewer where these would take
    more than `patience` seconds.
    """

    problem: problems.Problem
    targets: tuple
    rounds: int
    budget: float
    patience: float
    leave_out: tuple


def race_on(seed, *, kind, design, lowest, n_strengths, shape, **terms):
    """A problem at one strength, or at several that begin where all coefficients vanish."""
    if design == DIGITS:
        problem = problems.digits_problem(**shape)
    else:
        draw = DRAWS.get(design, problems.correlated_design)
        problem = problems.drawn_problem(kind, draw, seed, **shape)
    fractions = [lowest] if n_strengths == 1 else np.geomspace(1.0, lowest, n_strengths)
    alphas = problems.alpha_max(problem) * np.asarray(fractions)
    return Race(problem._replace(alphas=alphas), **terms)


def measure(race, methods, _seed):
    """Rows of all libraries at all targets; `methods` holds their adapters by name."""
    chosen = {name: methods[name] for name in methods if name not in race.leave_out}
    with threadpool_limits(1):
        yield from measure_on_one_thread(race, chosen)


def measure_on_one_thread(race, adapters):
    contestants = {}
    for name, adapter in adapters.items():
        solve = adapter(race.problem)
        if solve is not None:
            warm_up(race.problem, adapter, solve)
            contestants[name] = Contestant(race.problem, solve)
    settle(race, contestants)
    levels = {
        target: {name: loosest(c.runs, target) for name, c in contestants.items()}
        for target in race.targets
    }
    take_turns(race, contestants, levels)
    memory = peak_memory(contestants[OURS])
    for target in race.targets:
        times = {
            name: contestants[name].runs[level]
            for name, level in levels[target].items()
            if level is not None
        }
        for name, contestant in contestants.items():
            closest = min(contestant.runs.values(), key=lambda run: run.gap)
            yield {
                "method": name,
                "target": target,
                "ratio": ratio_to_best(name, times),
                "log_gap": float(np.log10(max(times.get(name, closest).gap, 1e-17))),
                "tol_level": levels[target][name],
                "cpu": times[name].cpu if name in times else np.inf,
                "wall": times[name].wall if name in times else np.inf,
            } | (memory if name == OURS else {})


def settle(race, contestants):
    """Search for tolerances; a rival's search ends when another is so much faster."""
    for target in race.targets:
        for name, contestant in contestants.items():
            rivals = [c.time_to(target) for n, c in contestants.items() if n not in (OURS, name)]
            fastest = min(rivals, default=np.inf) if name != OURS else np.inf
            contestant.settle(target, race.budget, HOPELESS * fastest)


def ratio_to_best(name, times):
    """Processor time over that of the fastest other method; zero where no other reaches the gap."""
    if name not in times:
        return np.inf
    return times[name].cpu / min((run.cpu for other, run in times.items() if other != name),
                                 default=np.inf)  # fmt: skip


def warm_up(problem, adapter, solve):
    """Compile: near the largest strength, where solving to the end is cheap, then roughly."""
    start = problems.alpha_max(problem) * np.array([0.6, 0.4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter(problem._replace(alphas=start))(1e-8)
        adapter(problem._replace(alphas=start[1:]))(1e-8)
        solve(1e-2)


def take_turns(race, contestants, levels):
    """Repeat the runs that count, library after library, as long as they are short."""
    for done in range(1, race.rounds):
        for level in levels.values():
            for name, k in level.items():
                if k is not None and contestants[name].runs[k].cpu * done < race.patience:
                    contestants[name].run(k)


def peak_memory(contestant):
    """Peak of a run to the tightest tolerance used: in 10^6 bytes, and over that of the design."""
    peak = peak_megabytes(contestant.solve, 10 ** (-max(contestant.runs) / 2))
    X = contestant.problem.X
    size = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes
    return {"memory": peak, "design_share": 1e6 * peak / size}


FRESH_SCRIPT = """
import json, sys, time
import numpy as np
rng = np.random.default_rng({seed})
X = np.asfortranarray(rng.standard_normal((500, 300)))
y = X[:, :10].sum(axis=1) + rng.standard_normal(500)
alpha = np.abs(X.T @ y).max() / 5000
wall, cpu = time.perf_counter(), time.process_time()
{statement}
Lasso(alpha=alpha, fit_intercept=False, tol=1e-6).fit(X, y).coef_
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall]))
"""


def fresh_process(statement, seed):
    """Processor and wall seconds from import to first coefficients in a process of its own."""
    script = FRESH_SCRIPT.format(statement=statement, seed=seed)
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True
    )
    if completed.returncode:
        raise RuntimeError(f"{statement!r} failed in a fresh process:\n{completed.stderr}")
    return json.loads(completed.stdout)


def fresh_rounds(_seed, *, rounds):
    return rounds


def measure_fresh(rounds, methods, seed):
    for name in methods:
        fresh_process(FRESH[name], seed)  # fills caches on disk
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name in methods:
            times[name].append(fresh_process(FRESH[name], seed))
    best = {name: Run(0.0, *np.min(times[name], axis=0)) for name in methods}
    for name, run in best.items():
        yield {
            "method": name, "ratio": ratio_to_best(name, best), "cpu": run.cpu, "wall": run.wall,
        }  # fmt: skip
