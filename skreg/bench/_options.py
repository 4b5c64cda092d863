"""The words and options of ``skreg bench``, which may stand in any order."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skreg.bench._benchmark import SIZES
from skreg.bench._exits import EXIT_CODES

ACTIONS = ("list", "run", "quick", "report")
_DESCRIPTION = """\
Statistical benchmarks: claims of papers checked over seeds, and races for time and memory.

  skreg bench list                    name the benchmarks
  skreg bench run NAME ...            run some, or `all` (`run` may be left out)
  skreg bench quick                   run the quick size of all, in minutes
  skreg bench report [NAME ...]       render reports from finished cells, without running any

Runs of named benchmarks print a line for each claim as it is decided; runs of all print a line for
each benchmark. A claim is reproduced, contradicted or undecided (its interval over the seeds covers
what was required); a size that does not decide it shows its numbers "at this size". Tables and
figures are in the report, one HTML file:

  DIR/SIZE/NAME/report.html           of one benchmark, beside results.csv and results.parquet
  DIR/SIZE/index.html                 of all that were run at this size
  DIR/cells/NAME/                     finished cells, from which later runs and reports start

A finished cell counts until the benchmark's file or something that it imports is edited.
"""
_RUN_ONLY = ("n_jobs", "dask", "fresh")
_NOT_OF: dict[str, tuple[str, ...]] = {
    "list": ("size", "repeats", "output", "verbose", "quiet", "strict", *_RUN_ONLY),
    "run": (),
    "quick": ("size",),
    "report": _RUN_ONLY,
}
_DEFAULTS: dict[str, Any] = {
    "benchmarks": None,
    "size": None,
    "output": Path("skreg-bench"),
    "repeats": None,
    "n_jobs": -1,
    "dask": None,
    "fresh": False,
    "quiet": False,
    "verbose": False,
    "strict": False,
}


def read_words(words: Sequence[str]) -> argparse.Namespace:
    """What the words after ``skreg bench`` ask for.

    Parameters
    ----------
    words : sequence of str
        An action, names and options; without an action names of benchmarks to run.

    Returns
    -------
    Namespace
        `action`, `names`, and all options.

    Raises
    ------
    SystemExit
        After the help or a complaint.
    """
    parser = _parser()
    given = vars(parser.parse_intermixed_args(list(words)))
    action, *names = given.pop("words", []) or [""]
    if not action:
        parser.error(f"say what to do: {', '.join(ACTIONS)}, or the name of a benchmark")
    if action not in ACTIONS:
        action, names = "run", [action, *names]
    if action == "run" and not names:
        parser.error("say which benchmarks to run, or `all`; `skreg bench list` names them")
    if action in ("list", "quick") and names:
        parser.error(f"`skreg bench {action}` takes no names, but got {' '.join(names)}")
    for option in given:
        if option in _NOT_OF[action]:
            parser.error(f"`skreg bench {action}` takes no --{option.replace('_', '-')}")
    return argparse.Namespace(action=action, names=names, **{**_DEFAULTS, **given})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skreg bench",
        usage="skreg bench [ACTION] [NAME ...] [OPTION ...]",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--benchmarks",
        type=_folder,
        metavar="FOLDER",
        help="find the benchmarks of this folder as well",
    )
    parser.add_argument(
        "--size",
        choices=SIZES,
        help="default: full; `quick` has its own; `report` takes all sizes that were run",
    )
    parser.add_argument(
        "--repeats", type=_positive, metavar="N", help="number of seeds (default: by size)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--n-jobs",
        type=number_of_processes,
        metavar="N",
        help="number of processes, -1 for one per core (default); serial benchmarks use one",
    )
    where.add_argument("--dask", metavar="ADDRESS", help="run on a dask cluster, tcp://HOST:PORT")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="output folder (default: ./skreg-bench)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="run finished cells again instead of reusing them"
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--verbose", action="store_true", help="print all claims and tables")
    amount.add_argument("--quiet", action="store_true", help="print faults and one line at the end")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 3 if a claim is contradicted"
    )
    return parser


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text).resolve()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def number_of_processes(text: str) -> int:
    """A positive integer, or -1 for one process per core."""
    return -1 if text == "-1" else _positive(text)
