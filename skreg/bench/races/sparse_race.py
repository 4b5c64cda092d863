"""How long do sparse linear models take to a stated duality gap, against the fastest libraries?

Six problems (lasso, elastic net with l1_ratio 1/2, group lasso with groups of ten, L1-penalised
logistic, multinomial and Poisson regression) on three designs: dense and correlated, sparse, and
many more samples than features; each at a tenth and at a hundredth of the strength at which all
coefficients vanish, and along 100 strengths down to a thousandth. No intercepts, double precision,
one thread. Size quick takes small designs, two targets and, but for one path, the tenth only.
Three rows show where solvers fall off: lassos on sparse columns so short that the passes before the
first and for each certificate are the cost, and logistic regression on one-hot columns at a
strength so small that many levels separate the classes.

Every answer is certified by one function in plain numpy, whoever computed it: the relative duality
gap (P - D) / P(0), the largest along a path. For each target gap every library, skreg included,
gets the loosest tolerance that reaches it on a grid of half decades (1, 10^-1/2, 10^-1, ..).
Libraries are warmed up first, so that nothing is compiled on the clock. Then they take turns, and
the least time of several rounds counts, the run that settled the tolerance included; long runs have
fewer rounds. The search of a rival ends early when it has become three times slower than another
rival, and any search where another run would exceed its budget; where it has not reached the target
by then, the table has no time but shows the gap that was reached. Ratios are of processor times,
which a busy machine disturbs less than wall times; both are in the results.

The ratio in the tables is the time over that of the fastest other library, so that a number below
one is the winner's. Memory is the peak of what Python and numpy allocate in one further run of
skreg to the smallest gap (buffers of compiled code are not seen). The last setting starts
a fresh process each time and counts from the import to the first fitted coefficients of a lasso
with 500 samples and 300 features, with compiled code on disk where a library keeps it there.

Rivals that are not installed are left out.
"""

import functools
import json
import subprocess
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict
from skreg.bench.arena import sparse_problems as problems
from skreg.bench.arena.memory import peak_megabytes
from skreg.bench.arena.sparse_rivals import FRESH, LIBRARIES
from skreg.bench.arena.sparse_search import Contestant, Run, loosest
from skreg.bench.arena.views import new_figure

OURS = "skreg"
TARGETS = (1e-4, 1e-6, 1e-10)
DENSE, SPARSE, TALL, DIGITS = "dense", "sparse", "tall", "digits"
SHORT, ONE_HOT = "short", "one-hot"
DRAWS = {
    SPARSE: problems.sparse_design,
    SHORT: problems.short_design,
    ONE_HOT: problems.one_hot_design,
}
STRENGTHS = {"max/10": [0.1], "max/100": [0.01], "path": np.geomspace(1.0, 1e-3, 100)}
CLIFFS = {
    (problems.LASSO, SHORT, "max/10"): [0.1],
    (problems.LASSO, SHORT, "max/60"): [1 / 60],
    (problems.LOGISTIC, ONE_HOT, "max/1e5"): [1e-5],
}
FRESH_PROCESS = "Fresh process"
BEATEN = 3.0


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


def race_on(kind, design, strength, seed, *, shape, strengths=100, **terms):
    if design == DIGITS:
        problem = problems.digits_problem(**shape)
    else:
        draw = DRAWS.get(design, problems.correlated_design)
        problem = problems.drawn_problem(kind, draw, seed, **shape)
    fractions = np.asarray(CLIFFS.get((kind, design, strength), STRENGTHS.get(strength)))
    if len(fractions) > strengths:
        fractions = np.geomspace(fractions[0], fractions[-1], strengths)
    return Race(problem._replace(alphas=problems.alpha_max(problem) * fractions), **terms)


def installed(methods, leave_out=()):
    """The methods that can take part; says how to get the others."""
    for name in methods:
        if not LIBRARIES[name].installed:
            warnings.warn(
                f"{name} is not installed and left out; to race it: {LIBRARIES[name].install}",
                stacklevel=2,
            )
    return [n for n in methods if LIBRARIES[n].installed and n not in leave_out]


def measure(race, methods, seed):
    with threadpool_limits(1):
        yield from _measure(race, installed(methods, race.leave_out))


def _measure(race, names):
    contestants = {}
    for name in names:
        solve = LIBRARIES[name].adapter(race.problem)
        if solve is not None:
            warm_up(race.problem, LIBRARIES[name].adapter, solve)
            contestants[name] = Contestant(race.problem, solve)
    for target in race.targets:
        for name, contestant in contestants.items():
            rivals = [c.time_to(target) for n, c in contestants.items() if n not in (OURS, name)]
            fastest = min(rivals, default=np.inf) if name != OURS else np.inf
            contestant.settle(target, race.budget, BEATEN * fastest)
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
                "cpu": times[name].cpu if name in times else None,
                "wall": times[name].wall if name in times else None,
            } | (memory if name == OURS else {})


def ratio_to_best(name, times):
    """Processor time over that of the fastest other method, None where there is none."""
    others = [run.cpu for other, run in times.items() if other != name]
    if not others:
        return None
    if name not in times:
        return np.inf if name == OURS else None
    return times[name].cpu / min(others)


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
    """Peak of one run to the tightest tolerance used, in 10^6 bytes, and that of the design."""
    peak = peak_megabytes(contestant.solve, 10 ** (-max(contestant.runs) / 2))
    X = contestant.problem.X
    size = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes
    return {"memory": peak, "design_memory": size / 1e6}


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


def measure_fresh(rounds, methods, seed):
    names = [name for name in installed(methods) if name in FRESH]
    for name in names:
        fresh_process(FRESH[name], seed)  # fills caches on disk
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            times[name].append(fresh_process(FRESH[name], seed))
    best = {name: Run(0.0, *np.min(times[name], axis=0)) for name in names}
    for name in names:
        yield {
            "method": name,
            "ratio": ratio_to_best(name, best),
            "cpu": best[name].cpu,
            "wall": best[name].wall,
        }


def fresh_rounds(seed, *, rounds):
    return rounds


def our_rows(results, target=None, ending=""):
    """Rows of skreg in the race proper, at one target, of settings with this ending."""
    ours = results[(results["method"] == OURS) & results["target"].notna()]
    if target is not None:
        ours = ours[np.isclose(ours["target"], target, rtol=1e-3, atol=0)]
    return ours[ours["setting"].str.endswith(ending)]


def geometric_mean(ratios):
    return float(np.exp(np.log(ratios.astype(float)).mean()))


def mean_at_most(target, limit):
    def check(results):
        ratios = our_rows(results, target)["ratio"]
        raced = ratios.dropna()
        mean = geometric_mean(raced)
        alone = len(ratios) - len(raced)
        text = f"{mean:.2f} over {len(raced)} rows"
        if alone:
            text += f"; no rival reaches the gap in {alone} more"
        return Verdict(bool(mean <= limit), text, f"≤ {limit:g}")

    return check


def every_row_at_most(target, limit):
    def check(results):
        rows = our_rows(results, target).dropna(subset="ratio")
        slowest = rows.loc[rows["ratio"].astype(float).idxmax()]
        above = int((rows["ratio"] > limit).sum())
        text = f"{above} of {len(rows)} rows above; slowest {slowest['ratio']:.2f}, "
        return Verdict(above == 0, text + slowest["setting"], f"≤ {limit:g} in every row")

    return check


def faster_paths_than(rival, target):
    """Ratio of our path's time to the rival's, where the rival reaches the same gap."""

    def check(results):
        ours = our_rows(results, target, "path").set_index("setting")["cpu"].astype(float)
        theirs = results[(results["method"] == rival)]
        theirs = theirs[np.isclose(theirs["target"].astype(float), target, rtol=1e-3, atol=0)]
        ratios = (ours / theirs.set_index("setting")["cpu"].astype(float)).dropna()
        if ratios.empty:
            return Verdict(False, f"no path of {rival} reaches the gap", "ratio < 1 on every path")
        text = f"ratios {ratios.min():.2f} to {ratios.max():.2f}, largest on {ratios.idxmax()}"
        return Verdict(bool((ratios < 1).all()), text, "ratio < 1 on every path")

    return check


def fresh_within(rival, factor, slack):
    """Our seconds in a fresh process against factor times the rival's plus a slack."""

    def check(results):
        rows = results[results["setting"] == FRESH_PROCESS].set_index("method")["cpu"]
        required = f"≤ {factor:g} × {rival}" + (f" + {slack:g} s" if slack else "")
        if rival not in rows:
            return Verdict(False, f"{rival} is not installed", required)
        text = f"{rows[OURS]:.2f} s against {rows[rival]:.2f} s"
        return Verdict(bool(rows[OURS] <= factor * rows[rival] + slack), text, required)

    return check


def no_copy(results):
    """Peak of skreg against the size of the design, where buffers beside it are small."""
    rows = our_rows(results)
    rows = rows[rows["setting"].str.contains(f" {TALL} ")]
    share = (rows["memory"] / rows["design_memory"]).max()
    return Verdict(bool(share < 1), f"at most {share:.2f} × the design", "< 1 × the design")


def draw_ratios(results):
    """Dots of skreg's ratio to the fastest rival, one line of dots for each setting."""
    rows = our_rows(results).dropna(subset="ratio")
    names = list(dict.fromkeys(rows["setting"]))[::-1]
    figure, (panel,) = new_figure(1)
    figure.set_size_inches(8.5, 1.6 + 0.19 * len(names))
    for target, colour in zip(TARGETS, ("#56B4E9", "#0072B2", "#D55E00"), strict=True):
        dots = our_rows(rows, target)
        if dots.empty:
            continue
        panel.plot(
            dots["ratio"],
            [names.index(name) for name in dots["setting"]],
            linestyle="none",
            marker="o",
            color=colour,
            label=f"gap {target:g}: geometric mean {geometric_mean(dots['ratio']):.2f}",
        )
    panel.axvline(1.0, color="#55595f", linewidth=1)
    panel.set(xscale="log", xlabel="time of skreg / time of the fastest rival")
    panel.set_yticks(range(len(names)), names)
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def measured_shapes(design):
    """Sizes of a design at each size of the benchmark."""
    if design == DIGITS:
        return {"quick": {"n_samples": 500}, "full": {"n_samples": 1797}}
    quick, full = {
        DENSE: ((100, 400, 10), (1000, 5000, 100)),
        SPARSE: ((300, 3000, 20), (5000, 50000, 200)),
        TALL: ((2000, 40, 10), (100_000, 200, 50)),
        SHORT: ((400, 3000, 20), (4000, 30_000, 100)),
        ONE_HOT: ((2000, 300, 100), (20_000, 3000, 1000)),
    }[design]
    names = ("n_samples", "n_features", "n_informative")
    shapes = {"quick": dict(zip(names, quick, strict=True))}
    return shapes | {"full": dict(zip(names, full, strict=True))}


DESCRIPTIONS = {
    DENSE: "Normal features with correlation 1/2 between neighbours, 1000 samples of 5000 features "
    "(100 of 400 at size quick)",
    SPARSE: "A sparse matrix with one in a hundred entries, 5000 samples of 50000 features "
    "(300 of 3000 at size quick)",
    TALL: "Correlated normal features, 100000 samples of 200 (2000 of 40 at size quick)",
    SHORT: "A sparse matrix with one in two hundred entries, 4000 samples of 30000 features "
    "(400 of 3000 at size quick)",
    ONE_HOT: "Levels of ten categories as they are, 20000 samples of 3000 features "
    "(2000 of 300 at size quick)",
    DIGITS: "The 1797 digits of 64 pixels (500 at size quick)",
}
TERMS: dict[str, dict[str, Any]] = {
    "smallest": {"rounds": 2, "budget": 0.1, "patience": 0.2, "targets": (1e-4, 1e-6)},
    "quick": {"rounds": 3, "budget": 0.3, "patience": 0.1, "targets": (1e-6, 1e-10)},
    "full": {"rounds": 5, "budget": 8.0, "patience": 1.5, "targets": (1e-6, 1e-4, 1e-10)},
}
PATH_BUDGET = 16.0
AT_SMALLEST = {(problems.LASSO, DENSE, "path")}


def race_setting(kind, design, strength):
    shapes = measured_shapes(design)
    case = (kind, design, strength)
    if strength != "max/10" and case not in AT_SMALLEST and case not in CLIFFS:
        del shapes["quick"]
    if (kind, design, strength) in AT_SMALLEST:
        shapes = {"smallest": {"n_samples": 60, "n_features": 100, "n_informative": 5}} | shapes
    parameters = {
        size: {
            "shape": shape,
            "strengths": 100 if size == "full" else 10,
            "leave_out": () if size == "full" else ("skglm",),  # compiles for seconds
            **TERMS[size],
        }
        for size, shape in shapes.items()
    }
    if strength == "path":
        parameters["full"]["budget"] = PATH_BUDGET
    where = "100 strengths down to max/1000" if strength == "path" else f"strength {strength}"
    return Setting(
        description=f"{DESCRIPTIONS[design]}; {where}.",
        data=functools.partial(race_on, kind, design, strength),
        measure=measure,
        metrics=["ratio", "log_gap", "memory"],
        axis=Axis("target", "target gap"),
        parameters=parameters,
    )


RACES = [
    (kind, design, strength)
    for design in (DENSE, SPARSE, TALL)
    for kind in (*problems.LEAST_SQUARES, problems.LOGISTIC, problems.POISSON)
    for strength in STRENGTHS
] + [(problems.MULTINOMIAL, DIGITS, strength) for strength in STRENGTHS]
RACE_SETTINGS = {
    f"{kind}, {design} design, {strength}": race_setting(kind, design, strength)
    for kind, design, strength in RACES
}
ALL_RACES = list(RACE_SETTINGS)
CLIFF_SETTINGS = {
    f"{kind}, {design} design, {strength}": race_setting(kind, design, strength)
    for kind, design, strength in CLIFFS
}

benchmark = Benchmark(
    settings=RACE_SETTINGS
    | CLIFF_SETTINGS
    | {
        FRESH_PROCESS: Setting(
            description="From the import to the first coefficients of a lasso with 500 samples and "
            "300 features in a fresh process.",
            data=fresh_rounds,
            measure=measure_fresh,
            metrics=["ratio", "cpu", "wall"],
            methods=list(FRESH),
            parameters={"full": {"rounds": 3}},
        )
    },
    methods=LIBRARIES,
    metrics={
        "ratio": Metric("time / fastest other library's", digits=2),
        "log_gap": Metric("log10 of the gap reached", digits=1),
        "memory": Metric("peak memory beyond the design", "MB", digits=1),
        "cpu": Metric("processor time", "s", digits=2),
        "wall": Metric("wall time", "s", digits=2),
    },
    repeats={"smallest": 1, "quick": 1, "full": 1},
    reference=OURS,
    together=True,
    serial=True,
    claims=[
        Claim(
            "To gap 1e-6, the time is at most half that of the fastest rival in geometric mean.",
            mean_at_most(1e-6, 0.5),
            ALL_RACES,
            ["full"],
        ),
        Claim(
            "To gap 1e-6, no row is more than a tenth slower than the fastest rival.",
            every_row_at_most(1e-6, 1.1),
            ALL_RACES,
            ["full"],
        ),
        Claim(
            "On short and one-hot columns, to gap 1e-6, no row is slower than the fastest rival.",
            every_row_at_most(1e-6, 1.0),
            list(CLIFF_SETTINGS),
            ["full"],
        ),
        Claim(
            "To gap 1e-10, the time is at most a quarter in geometric mean.",
            mean_at_most(1e-10, 0.25),
            ALL_RACES,
            ["full"],
        ),
        *[
            Claim(
                f"Paths to gap 1e-6 take less time than {rival}'s.",
                faster_paths_than(rival, 1e-6),
                [name for name in ALL_RACES if name.endswith("path")],
                ["full"],
            )
            for rival in ("celer", "adelie")
        ],
        Claim(
            "A fresh process takes at most half of skglm's time.",
            fresh_within("skglm", 0.5, 0.0),
            [FRESH_PROCESS],
            ["full"],
        ),
        Claim(
            "A fresh process takes at most scikit-learn's time and a second.",
            fresh_within("scikit-learn", 1.0, 1.0),
            [FRESH_PROCESS],
            ["full"],
        ),
        Claim(
            "A Fortran-ordered design is not copied.",
            no_copy,
            [name for name in ALL_RACES if f" {TALL} " in name],
            ["full"],
        ),
    ],
    figures=[
        Figure(
            "Processor time of skreg over that of the fastest rival that reaches the gap. Left of "
            "the line skreg is faster. Rows that no rival reaches have no dot.",
            draw_ratios,
            [f"{problems.LASSO}, {DENSE} design, path"],
        )
    ],
)
