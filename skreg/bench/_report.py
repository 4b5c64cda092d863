"""HTML reports: one page for each run, and an index that joins those of a size.

Each page is one file that loads nothing from anywhere.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skreg.bench._benchmark import Paper
from skreg.bench._cells import count_of_cells
from skreg.bench._environment import machine, versions
from skreg.bench._output import index_page, write_whole
from skreg.bench._plan import mean_seconds
from skreg.bench._record import read_record, write_record
from skreg.bench._registry import load_paper
from skreg.bench._results import JudgedClaim
from skreg.bench._run import Run
from skreg.bench._tables import settings_of
from skreg.bench._template import PAGE, SECTION

_ORDER = (
    *("reproduced", "contradicted", "undecided", "at this size", "so far", "no verdict"),
    "not in this size",
)


def count_verdicts(claims: Sequence[JudgedClaim]) -> dict[str, int]:
    """How many claims have each badge, in a fixed order."""
    counts = Counter(claim.badge for claim in claims)
    return {badge: counts[badge] for badge in _ORDER if counts[badge]}


def write_report(run: Run) -> Path:
    """Write the report of a run and rebuild the index of its size.

    Parameters
    ----------
    run : Run
        What is known.

    Returns
    -------
    Path
        The page of the run.
    """
    record = _record(run)
    folder = run.plan.folder
    write_record(folder, record)
    page = folder / "report.html"
    write_whole(page, _page(f"{record['name']}, size {record['size']}", [record], overview=False))
    _rebuild_index(run.plan.options.output, run.plan.options.size)
    return page


def _rebuild_index(output: Path, size: str) -> None:
    index = index_page(output, size)
    folders = sorted(path.parent for path in index.parent.glob("*/report.json"))
    records = []
    for folder in folders:
        record = read_record(folder)
        if record is not None:
            records.append(record)
        else:
            print(
                f"skreg bench: {folder / 'report.json'} is damaged or of another version, and not "
                f"in the index: `skreg bench report {folder.name}` makes it anew",
                file=sys.stderr,
            )
    records.sort(key=lambda record: not record["paper"])  # papers first, then races
    write_whole(index, _page(f"skreg benchmarks, size {size}", records, overview=True))


def _record(run: Run) -> dict[str, Any]:
    file, size = run.plan.file, run.plan.options.size
    paper = load_paper(file.path)
    return {
        "name": file.name,
        "size": size,
        "summary": file.summary,
        "paper": paper.short if paper else "",
        "date": run.date.isoformat(timespec="seconds"),
        "verdicts": count_verdicts(run.claims),
        "claims": [
            {"statement": claim.statement, "badge": claim.badge, "numbers": claim.numbers}
            for claim in run.claims
        ],
        "n_failed": len(run.failures),
        "n_missing": run.n_missing,
        "seconds_of_cells": mean_seconds(run.outcomes),
        "section": _section(run, paper),
    }


def _section(run: Run, paper: Paper | None) -> str:
    tables = run.tables()
    file = run.plan.file
    return _rendered(
        SECTION,
        run=run,
        name=file.name,
        summary=file.summary,
        paper=paper,
        verdicts=count_verdicts(run.claims),
        size=run.plan.options.size,
        command=run.plan.options.command([file.name]),
        paragraphs=[" ".join(p.split()) for p in file.question.split("\n\n") if p.strip()],
        settings=[
            (name, setting.description, tables[name])
            for name, setting in settings_of(run.plan.benchmark, run.results).items()
        ],
        reference=run.plan.benchmark.reference,
        versions=versions(),
        machine=machine(),
        count_of_cells=count_of_cells,
    )


def _page(title: str, records: Sequence[dict[str, Any]], overview: bool) -> str:
    return _rendered(
        PAGE, title=title, records=records, overview=overview, count_of_cells=count_of_cells
    )


def _rendered(template: str, **values: Any) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(**values)
