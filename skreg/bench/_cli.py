"""The ``skreg`` command."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from skreg._optional import install_hint
from skreg._version import __version__
from skreg.bench._benchmark import SIZES
from skreg.bench._registry import (
    BenchmarkFile,
    find_benchmarks,
    load_benchmark,
    near_misses,
)
from skreg.demo._command import add_demo

OK, FAILED, USAGE, NOT_REPRODUCED, INTERRUPTED = 0, 1, 2, 3, 130
_ACTIONS = ("list", "run", "quick")
_NEEDED = ("pandas", "pyarrow", "matplotlib", "jinja2", "tqdm")
_EXIT_CODES = """\
exit codes:
  0    all went well (claims that were not reproduced are printed, and change nothing)
  1    a cell failed; the others were run and reported
  2    usage error, or a package is missing
  3    with --strict: a claim was not reproduced
  130  interrupted; the same command resumes from the finished cells
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``skreg`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``skreg``; those of the process if left out.

    Returns
    -------
    int
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser().parse_args(_with_run(words))
        return arguments.action(arguments)
    except SystemExit as stop:  # argparse leaves this way, with 0 after --help and 2 after an error
        return OK if stop.code is None else int(stop.code)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes from the finished cells.", file=sys.stderr)
        return INTERRUPTED


def _with_run(words):
    """Write ``skreg bench NAME`` out as ``skreg bench run NAME``."""
    position = 3 if words[1:2] == ["--benchmarks"] else 1
    action = "".join(words[position : position + 1])
    if words[:1] != ["bench"] or action in ("", *_ACTIONS) or action.startswith("-"):
        return words
    return [*words[:position], "run", *words[position:]]


def _parser():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="skreg",
        description="Statistical benchmarks of skreg, its compiled kernels, and facts about its "
        "installation.",
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"skreg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    add_demo(commands).set_defaults(action=_demo)

    info = commands.add_parser("info", help="versions, machine, kernel cache, installed extras")
    info.set_defaults(action=_info)

    warmup = commands.add_parser(
        "warmup",
        help="compile kernels ahead of first fits",
        description="Compile the kernels of whole families of estimators ahead of their first "
        "fits, once per installation. What is compiled already is left alone.",
    )
    warmup.add_argument("families", nargs="*", metavar="FAMILY", help="default: all families")
    warmup.add_argument(
        "--jobs",
        type=_n_jobs,
        default=-1,
        metavar="N",
        help="number of processes, -1 for one per core (default)",
    )
    warmup.set_defaults(action=_warmup)

    bench = commands.add_parser(
        "bench",
        help="list and run statistical benchmarks",
        description="List and run statistical benchmarks. `skreg bench NAME` is short for "
        "`skreg bench run NAME`.",
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    bench.add_argument(
        "--benchmarks",
        type=_folder,
        metavar="FOLDER",
        help="find the benchmarks of this folder as well",
    )
    actions = bench.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="name the benchmarks")
    listing.set_defaults(action=_list)
    run = actions.add_parser(
        "run", help="run benchmarks by name", epilog=_EXIT_CODES, formatter_class=raw
    )
    run.add_argument("names", nargs="+", metavar="NAME", help="a benchmark, or `all`")
    run.add_argument("--size", choices=SIZES, default="full", help="default: %(default)s")
    _add_run_options(run)
    quick = actions.add_parser(
        "quick",
        help="run the quick size of every benchmark",
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    quick.set_defaults(names=["all"], size="quick")
    _add_run_options(quick)
    return parser


def _add_run_options(parser):
    parser.set_defaults(action=_run)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--n-jobs",
        type=_n_jobs,
        default=-1,
        metavar="N",
        help="number of processes, -1 for one per core (default); serial benchmarks use one",
    )
    where.add_argument("--dask", metavar="ADDRESS", help="run on a dask cluster, tcp://HOST:PORT")
    parser.add_argument(
        "--repeats", type=_positive, metavar="N", help="number of seeds (default: by size)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("skreg-bench"),
        metavar="DIR",
        help="folder that gets one folder per benchmark (default: ./%(default)s)",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="run finished cells again instead of reusing them"
    )
    parser.add_argument("--quiet", action="store_true", help="show neither progress nor tables")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 3 if a claim is not reproduced"
    )


def _folder(text):
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text).resolve()


def _positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _n_jobs(text):
    return -1 if text == "-1" else _positive(text)


def _demo(arguments):
    from skreg.bench._environment import machine, versions
    from skreg.demo._command import run_demo

    return run_demo(arguments, versions() | machine())


def _info(_):
    from skreg.bench._environment import extras, machine, numba_cache_folder, versions

    lines = versions() | machine() | {"Kernel cache": numba_cache_folder()}
    for extra, missing in extras().items():
        hint = f"missing {', '.join(missing)}: {install_hint(extra)}"
        lines[f"Extra {extra}"] = hint if missing else "installed"
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
    return OK


def _warmup(arguments):
    import joblib

    from skreg.bench._compile_ahead import compile_ahead, find_families
    from skreg.bench._environment import numba_cache_folder

    known = find_families()
    unknown = [family for family in arguments.families if family not in known]
    if unknown:
        message = f"unknown family {unknown[0]!r}; the families are {', '.join(known)}"
        return _usage_error(message, "warmup")
    families = list(dict.fromkeys(arguments.families)) or known
    n_jobs = joblib.cpu_count() if arguments.jobs == -1 else arguments.jobs
    width = max(map(len, families))
    for warmed in compile_ahead(families, n_jobs):
        print(
            f"{warmed.family:<{width}}  {warmed.seconds:6.1f} s, "
            f"{warmed.n_compiled} versions of kernels compiled",
            flush=True,
        )
    print(f"Kernel cache: {numba_cache_folder()}")
    return OK


def _list(arguments):
    files = find_benchmarks(_folders(arguments))
    width = max(map(len, files))
    for name, file in files.items():
        needs = f" (needs skreg[{file.extra}])" if file.missing else ""
        print(f"{name:<{width}}  {file.summary}{needs}")
    return OK


def _folders(arguments):
    return (arguments.benchmarks,) if arguments.benchmarks else ()


def _run(arguments):
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _usage_error(f"{missing[0]} is not installed: {install_hint('bench')}")
    if arguments.dask and importlib.util.find_spec("distributed") is None:
        return _usage_error(f"distributed is not installed: {install_hint('dask')}")
    known = find_benchmarks(_folders(arguments))
    for name in arguments.names:
        if name != "all" and name not in known:
            return _usage_error(_unknown(name, known))
    if "all" in arguments.names:
        return _run_known([file for file in known.values() if _can_run(file, arguments)], arguments)
    files = [known[name] for name in dict.fromkeys(arguments.names)]
    for file in files:
        if file.missing:
            return _usage_error(_lacks(file))
        sizes = load_benchmark(file.path).sizes
        if arguments.size not in sizes:
            return _usage_error(f"{file.name} has no size {arguments.size}, but {', '.join(sizes)}")
    return _run_known(files, arguments)


def _can_run(file, arguments):
    """Whether a benchmark is part of a run of all; tells if a missing package keeps it out."""
    if file.missing:
        print(f"Left out: {_lacks(file)}")
        return False
    return arguments.size in load_benchmark(file.path).sizes


def _lacks(file):
    return f"{file.name} needs {file.missing[0]}: {install_hint(file.extra)}"


def _usage_error(message, command="bench"):
    print(f"skreg {command}: {message}", file=sys.stderr)
    return USAGE


def _unknown(name, known):
    near = near_misses(name, [*known, *_ACTIONS])
    hint = f"did you mean {' or '.join(near)}?" if near else "`skreg bench list` names all."
    return f"unknown benchmark {name!r}; {hint}"


def _run_known(files: list[BenchmarkFile], arguments) -> int:
    from skreg.bench._report import write_report
    from skreg.bench._run import RunOptions, run_benchmark

    options = RunOptions(
        size=arguments.size,
        output=arguments.output,
        repeats=arguments.repeats,
        n_jobs=arguments.n_jobs,
        dask=arguments.dask,
        fresh=arguments.fresh,
        quiet=arguments.quiet,
        folders=_folders(arguments),
    )
    runs = []
    for file in files:
        try:
            run = run_benchmark(file, options)
        except ConnectionError as error:
            return _usage_error(error)
        report = options.output / file.name / "report.html"
        write_report([run], report, f"Benchmark {file.name}", run.command)
        _print_run(run, report, arguments.quiet)
        runs.append(run)
    if len(runs) > 1:
        index = options.output / "index.html"
        command = options.command([file.name for file in files])
        write_report(runs, index, "skreg benchmarks", command)
        print(f"All reports in one: {index.resolve()}")
    if any(run.failures for run in runs):
        return FAILED
    if arguments.strict and any(run.n_reproduced < run.n_judged for run in runs):
        return NOT_REPRODUCED
    return OK


def _print_run(run, report, quiet):
    if not quiet:
        for setting, tables in run.tables().items():
            print(f"\n{setting}", *tables, sep="\n\n")
    print(f"\n{run.file.name}: {len(run.outcomes)} cells, {run.n_reused} of them from before")
    for claim in run.claims:
        print(f"  [{claim.badge}] {claim.statement}")
        numbers = claim.verdict and f"{claim.verdict.measured}; required: {claim.verdict.required}"
        print(f"      {numbers or claim.reason}")
    for failure in run.failures:
        methods = ", ".join(failure.methods)
        reason = failure.traceback.strip().splitlines()[-1]
        print(f"  failed: {failure.setting}, {methods}, seed {failure.seed}: {reason}")
    print(f"Report: {report.resolve()}")
