"""The ``skreg`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from skreg._optional import install_hint
from skreg._version import __version__
from skreg.bench import _bench_cli
from skreg.bench._exits import CLOSED_PIPE, FAILED, INTERRUPTED, OK, USAGE, UsageError
from skreg.bench._options import number_of_processes
from skreg.bench._output import OutputError
from skreg.demo._command import add_demo


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
        code = _answer(words)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse leaves this way, with 0 after --help and 2 after an error
        return OK if stop.code is None else int(stop.code)
    except UsageError as error:
        return _complain(words, error, USAGE)
    except OutputError as error:
        return _complain(words, error, FAILED)
    except BrokenPipeError:
        # the rest of the buffer has nowhere to go, and the interpreter would try once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The same command, without --fresh, resumes from the finished cells; "
            "`skreg bench report` shows them.",
            file=sys.stderr,
        )
        return INTERRUPTED


def _answer(words: list[str]) -> int:
    if words[:1] == ["bench"]:
        return _bench_cli.answer(words[1:])
    arguments = _parser().parse_args(words)
    return arguments.action(arguments)


def _complain(words: list[str], error: Exception, code: int) -> int:
    print(f"skreg {words[0]}: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skreg",
        description="Statistical benchmarks of skreg, its compiled kernels, and facts about its "
        "installation.",
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
        type=number_of_processes,
        default=-1,
        metavar="N",
        help="number of processes, -1 for one per core (default)",
    )
    warmup.set_defaults(action=_warmup)
    # its words are read by a parser of their own
    commands.add_parser("bench", help="list, run and report statistical benchmarks")
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from skreg.bench._environment import machine, versions
    from skreg.demo._command import run_demo

    return run_demo(arguments, versions() | machine())


def _info(_: argparse.Namespace) -> int:
    from skreg.bench._environment import extras, machine, numba_cache_folder, versions
    from skreg.bench._sizes import megabytes_of_extra

    lines = versions() | machine() | {"Kernel cache": numba_cache_folder()}
    for extra, missing in extras().items():
        hint = f"missing {', '.join(missing)}: {install_hint(extra)}"
        lines[f"Extra {extra}"] = (
            hint if missing else f"installed, {megabytes_of_extra(extra):.0f} MB"
        )
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
    return OK


def _warmup(arguments: argparse.Namespace) -> int:
    import joblib

    from skreg.bench._compile_ahead import compile_ahead, find_families
    from skreg.bench._environment import numba_cache_folder

    known = find_families()
    unknown = [family for family in arguments.families if family not in known]
    if unknown:
        raise UsageError(f"unknown family {unknown[0]!r}; the families are {', '.join(known)}")
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
