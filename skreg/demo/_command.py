"""``skreg demo``: runs the stories, says what came out, writes the page."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from skreg._optional import install_hint, require
from skreg.demo._progress import Progress
from skreg.demo._registry import STORIES, in_start_order, missing_package

OK, FAILED, USAGE, INTERRUPTED, NOBODY_READS = 0, 1, 2, 130, 141
_COMPILING = "compiling, first run only"
_EPILOG = f"""\
stories: {", ".join(STORIES)}

exit codes:
  0    all stories were told
  1    a story failed; the others are on the page
  2    usage error, a package is missing, or the page cannot be written
  130  interrupted
"""


def add_demo(commands: Any) -> argparse.ArgumentParser:
    """Add the command to the subparsers of ``skreg``; its action is up to the caller."""
    parser = commands.add_parser(
        "demo",
        help="small stories with figures, within a minute",
        description="Tell small stories, measured on this machine within a minute, and write one "
        "HTML page with their figures and the code that made them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="STORY", help="default: all stories")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("skreg-demo.html"),
        metavar="FILE",
        help="the page (default: ./%(default)s)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="draw other data (default: 0)"
    )
    return parser


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0 to 2147483647")
    return int(text)


def run_demo(arguments: argparse.Namespace, facts: Mapping[str, str]) -> int:
    """Run ``skreg demo``.

    Parameters
    ----------
    arguments : argparse.Namespace
        From the parser of `add_demo`.
    facts : mapping of str to str
        Versions and machine, for the page.

    Returns
    -------
    int
        The exit code.
    """
    try:
        names = _asked(arguments.names)
        path = _checked_output(arguments.output)
        require("matplotlib", "plot", "skreg demo")
    except (ValueError, OSError, ImportError) as error:
        return _usage_error(error)
    try:
        return _tell_all(names, arguments.seed, path, facts)
    except KeyboardInterrupt:
        print("\nInterrupted; no page was written.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # of `skreg demo | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


def _usage_error(error: Exception) -> int:
    print(f"skreg demo: {error}", file=sys.stderr)
    return USAGE


def _asked(names: list[str]) -> list[str]:
    """Names of the stories to run, in the order of the page."""
    for name in names:
        if name not in STORIES:
            near = get_close_matches(name, STORIES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the stories are {', '.join(STORIES)}"
            raise ValueError(f"unknown story {name!r}; {hint}")
        if lack := missing_package(name):
            raise ValueError(f"{name} needs {lack[0]}: {install_hint(lack[1])}")
    return [name for name in STORIES if name in (names or STORIES)]


def _checked_output(path: Path) -> Path:
    """The resolved path, if a page can be written there."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        example = (path if path.is_dir() else Path.cwd()) / "skreg-demo.html"
        raise ValueError(f"--output {path} is no file; name one, such as {example}")
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"--output {path} is read-only; name another file")
    from skreg.demo._page import temporary_beside

    temporary = temporary_beside(path)
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise ValueError(_cannot_write(path, error)) from error
    return path


def _cannot_write(path: Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror}; name another place by --output FILE"


def _tell_all(names: list[str], seed: int, path: Path, facts: Mapping[str, str]) -> int:
    import joblib

    from skreg.demo import _workers
    from skreg.demo._page import render_page, write_page

    started = time.perf_counter()
    left_out = {
        name: f"it needs {lack[0]}: {install_hint(lack[1])}"
        for name in names
        if (lack := missing_package(name))
    }
    runnable = [name for name in names if name not in left_out]
    n_workers = min(2, joblib.cpu_count())
    _say(f"{len(runnable)} stories, {n_workers} at a time; then one page with all figures")
    for name, reason in left_out.items():
        _say(f"{name} is left out, {reason}")
    progress = Progress(sys.stderr)
    stories, failures = {}, {}
    ordered = {name: STORIES[name] for name in in_start_order(runnable)}
    with contextlib.closing(_workers.run_stories(ordered, seed, n_workers)) as events:
        for event in events:
            if event.kind == _workers.TOLD:
                stories[event.story] = event.content
                progress.end(event.story)
                _say(f"{event.story}: {event.content.sentence}")
                progress.restore()
            elif event.kind == _workers.FAILED:
                failures[event.story] = event.content
                progress.end(event.story)
                _say(f"{event.story} failed: {event.content}")
                progress.restore()
            else:
                progress.begin(event.story, _COMPILING if event.kind == _workers.COMPILING else "")
    seconds = time.perf_counter() - started
    compiled = sum(story.n_compiled for story in stories.values())
    took = f"{seconds:.0f} s" + (f", {compiled} versions of kernels compiled" if compiled else "")
    if stories:
        facts = {**facts, "Seed": str(seed), "Seconds": f"{took}, {n_workers} processes"}
        told = [stories[name] for name in names if name in stories]
        try:
            write_page(render_page(told, failures, left_out, facts), path)
        except OSError as error:
            return _usage_error(ValueError(_cannot_write(path, error)))
        _say(f"Page ({took}): {path}")
    return FAILED if failures else OK


def _say(line: str) -> None:
    print(line, flush=True)
