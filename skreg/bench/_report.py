"""The HTML report of one or several runs: one file that loads nothing from anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skreg.bench._benchmark import Figure
from skreg.bench._environment import machine, versions
from skreg.bench._figures import draw_as_svg
from skreg.bench._run import Run
from skreg.bench._tables import settings_of
from skreg.bench._template import TEMPLATE


def write_report(runs: Sequence[Run], path: Path, title: str, command: str) -> None:
    """Write the report of some runs.

    Parameters
    ----------
    runs : sequence of Run
        One section each.
    path : Path
        The HTML file.
    title : str
        Title of the page.
    command : str
        The command line that repeats all runs.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.from_string(TEMPLATE).render(
        title=title,
        sections=[_section(run) for run in runs],
        command=command,
        date=max(run.date for run in runs),
        versions=versions(),
        machine=machine(),
    )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page, encoding="utf-8")
    os.replace(temporary, path)


def _section(run: Run) -> dict[str, Any]:
    tables = run.tables()
    return {
        "run": run,
        "paragraphs": [" ".join(p.split()) for p in run.file.question.split("\n\n") if p.strip()],
        "settings": [
            (name, setting.description, tables[name])
            for name, setting in settings_of(run.benchmark, run.results).items()
        ],
        "figures": [(figure.caption, svg) for figure, svg in _figures(run)],
    }


def _figures(run: Run) -> Iterator[tuple[Figure, str]]:
    measured = set(run.results["setting"])
    for figure in run.benchmark.figures:
        if measured.issuperset(figure.settings):
            yield figure, draw_as_svg(figure.draw, run.results)
