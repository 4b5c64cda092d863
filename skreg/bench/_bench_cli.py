"""What ``skreg bench`` does: list, run and report benchmarks."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from skreg._optional import install_hint
from skreg.bench._benchmark import SIZES
from skreg.bench._exits import CONTRADICTED, FAILED, OK, UsageError
from skreg.bench._options import ACTIONS, read_words
from skreg.bench._output import OutputError, open_for_writing, results_folder
from skreg.bench._registry import BenchmarkFile, find_benchmarks, near_misses

if TYPE_CHECKING:
    from skreg.bench._plan import Plan, RunOptions
    from skreg.bench._results import JudgedClaim
    from skreg.bench._run import Run

_NEEDED = ("pandas", "pyarrow", "matplotlib", "jinja2", "tqdm")


def answer(words: Sequence[str]) -> int:
    """Do what the words after ``skreg bench`` say.

    Parameters
    ----------
    words : sequence of str
        As in `skreg.bench._options.read_words`.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    UsageError
        If it cannot be done.
    OutputError
        If the output folder cannot be read or written any more.
    """
    arguments = read_words(words)
    if arguments.action == "list":
        return _list(arguments)
    _require_packages(arguments)
    return _report(arguments) if arguments.action == "report" else _run(arguments)


def _list(arguments: argparse.Namespace) -> int:
    files = find_benchmarks(_folders(arguments))
    width = max(map(len, files))
    for name, file in files.items():
        needs = f" (needs skreg[{file.extra}])" if file.missing else ""
        problem = f" (cannot run: {file.problem})" if file.problem else ""
        print(f"{name:<{width}}  {file.summary}{needs}{problem}")
    return OK


def _require_packages(arguments: argparse.Namespace) -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{missing[0]} is not installed: {install_hint('bench')}")
    if arguments.dask and importlib.util.find_spec("distributed") is None:
        raise UsageError(f"distributed is not installed: {install_hint('dask')}")


def _run(arguments: argparse.Namespace) -> int:
    from skreg.bench import _terminal
    from skreg.bench._output import index_page
    from skreg.bench._run import carry_out

    started = time.perf_counter()
    size = "quick" if arguments.action == "quick" else arguments.size or "full"
    every = arguments.action == "quick" or "all" in arguments.names
    options = _options(arguments, size)
    chosen = _choose(["all"] if every else arguments.names, arguments)
    try:
        open_for_writing(options.output)
    except OutputError as error:
        raise UsageError(f"--output: {error}; name another folder") from error
    planned = _plan(chosen, options)
    say = _terminal.Voice(quiet=arguments.quiet, claims=arguments.verbose or not every)
    say.lines(_left_out(chosen.lacking))
    _tell_damage(planned.plans, "is computed again")
    say.announce(planned.plans)
    runs, page = [], None
    for plan in planned.plans:
        begun = time.perf_counter()
        if len(planned.plans) > 1:
            say.begin(plan)
        try:
            run = carry_out(plan, say.claim)
        except ConnectionError as error:
            raise UsageError(str(error)) from error
        page = _keep(run)
        say.run(run, time.perf_counter() - begun, tables=arguments.verbose)
        runs.append(run)
    if len(runs) > 1:
        page = index_page(options.output, size)
    say.end(runs, time.perf_counter() - started, page)
    return _code(runs, chosen.n_broken + planned.n_broken, arguments.strict)


def _report(arguments: argparse.Namespace) -> int:
    from skreg.bench import _terminal
    from skreg.bench._run import take_stock

    chosen = _choose(arguments.names or ["all"], arguments)
    say = _terminal.Voice(quiet=arguments.quiet, claims=arguments.verbose)
    say.lines(_left_out(chosen.lacking))
    planned = _plan_what_was_begun(chosen, arguments)
    _tell_damage(planned.plans, "is left out")
    runs = []
    for plan in planned.plans:
        if not plan.finished:
            print(_nothing_of(plan), file=sys.stderr)
            continue
        run = take_stock(plan)
        page = _keep(run)
        say.begin(plan)
        for claim in run.claims:
            say.claim(claim)
        say.run(run, run.cell_seconds, tables=arguments.verbose)
        print(f"Report: {page.resolve()}")
        runs.append(run)
    n_broken = chosen.n_broken + planned.n_broken
    if not runs and not n_broken:
        what = " ".join(arguments.names) or "any benchmark"
        of_size = f" of size {arguments.size}" if arguments.size else ""
        raise UsageError(
            f"{arguments.output} holds no finished cells{of_size} of {what}: run it first, or name "
            "another --output"
        )
    return _code(runs, n_broken, arguments.strict)


def _keep(run: Run) -> Path:
    """Write results and report; returns the page."""
    from skreg.bench._report import write_report
    from skreg.bench._run import write_results

    write_results(run)
    return write_report(run)


def _plan_what_was_begun(chosen: Chosen, arguments: argparse.Namespace) -> Planned:
    """Plans of benchmarks at the sizes at which a run of them began."""
    plans, n_broken = [], 0
    for size in [arguments.size] if arguments.size else SIZES:
        options = _options(arguments, size)
        begun = [f for f in chosen.files if results_folder(options.output, size, f.name).is_dir()]
        planned = _plan(chosen._replace(files=begun, named=False), options)
        plans += planned.plans
        n_broken += planned.n_broken
    return Planned(plans, n_broken)


def _nothing_of(plan: Plan) -> str:
    return (
        f"skreg bench: no finished cells of {plan.file.name} at size {plan.options.size}, or its "
        "sources were edited since: run it again"
    )


def _options(arguments: argparse.Namespace, size: str) -> RunOptions:
    from skreg.bench._plan import RunOptions

    return RunOptions(
        size=size,
        output=arguments.output,
        repeats=arguments.repeats,
        n_jobs=arguments.n_jobs,
        dask=arguments.dask,
        fresh=arguments.fresh,
        quiet=arguments.quiet,
        folders=_folders(arguments),
    )


def _folders(arguments: argparse.Namespace) -> tuple[Path, ...]:
    return (arguments.benchmarks,) if arguments.benchmarks else ()


class Chosen(NamedTuple):
    """Benchmarks to run, those that lack a package, and the number of broken files."""

    files: list[BenchmarkFile]
    lacking: list[BenchmarkFile]
    n_broken: int
    named: bool


class Planned(NamedTuple):
    """Plans of benchmarks, and the number of files that turned out to be broken."""

    plans: list[Plan]
    n_broken: int


def _choose(names: Sequence[str], arguments: argparse.Namespace) -> Chosen:
    """The benchmarks of some names, as far as files tell without being imported."""
    known = find_benchmarks(_folders(arguments))
    for name in names:
        if name != "all" and name not in known:
            raise UsageError(_unknown(name, known))
    named = "all" not in names
    files = [known[name] for name in dict.fromkeys(names)] if named else list(known.values())
    broken = [file for file in files if file.problem]
    for file in broken:
        _complain(file, file.problem)
    sound = [file for file in files if not file.problem]
    lacking = [file for file in sound if file.missing]
    if named and lacking:
        raise UsageError(_needs(lacking[:1]))
    return Chosen([f for f in sound if f not in lacking], lacking, len(broken), named)


def _plan(chosen: Chosen, options: RunOptions) -> Planned:
    """Import the chosen benchmarks and read what is finished of them."""
    from skreg.bench._plan import plan_run

    plans, n_broken = [], 0
    for file in chosen.files:
        try:
            plan = plan_run(file, options)
        except OutputError:
            raise
        except (Exception, SystemExit) as error:  # of one file, the others run
            _complain(file, f"{type(error).__name__}: {error}")
            n_broken += 1
            continue
        if plan.cells:
            plans.append(plan)
        elif chosen.named:
            sizes = ", ".join(plan.benchmark.sizes)
            raise UsageError(f"{file.name} has no size {options.size}, but {sizes}")
    return Planned(plans, n_broken)


def _tell_damage(plans: Sequence[Plan], consequence: str) -> None:
    for damage in itertools.chain.from_iterable(plan.damaged for plan in plans):
        print(f"skreg bench: a damaged cell {consequence}: {damage}", file=sys.stderr)


def _complain(file: BenchmarkFile, problem: str) -> None:
    one_line = " ".join(problem.split())
    print(f"skreg bench: left out {file.name} ({file.path}): {one_line}", file=sys.stderr)


def _left_out(lacking: Sequence[BenchmarkFile]) -> Iterator[str]:
    """A line for each extra that is missing."""
    for extra in sorted({file.extra for file in lacking}):
        yield f"Left out: {_needs([file for file in lacking if file.extra == extra])}"


def _needs(files: Sequence[BenchmarkFile]) -> str:
    """What benchmarks of one extra need, and how to install it."""
    names, need = ", ".join(file.name for file in files), "need" if len(files) > 1 else "needs"
    return f"{names} {need} {files[0].missing[0]}: {install_hint(files[0].extra)}"


def _unknown(name: str, known: dict[str, BenchmarkFile]) -> str:
    near = near_misses(name, [*known, *ACTIONS])
    hint = f"did you mean {' or '.join(near)}?" if near else "`skreg bench list` names all."
    return f"unknown benchmark {name!r}; {hint}"


def _code(runs: Sequence[Run], n_broken: int, strict: bool) -> int:
    if n_broken or any(run.faults for run in runs):
        return FAILED
    if strict and any(_contradicted(claim) for run in runs for claim in run.claims):
        return CONTRADICTED
    return OK


def _contradicted(claim: JudgedClaim) -> bool:
    return claim.badge == "contradicted"
