"""Writes CITATION.cff and the README's table of papers from the records of the claim files.

``make records`` runs it; a test says when what is written is stale.
"""

import json
import re
import tomllib
from pathlib import Path

from skreg._version import __version__
from skreg.bench import Paper
from skreg.bench._papers import PaperFile, read_papers

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- papers, written by make records -->", "<!-- end of papers -->"


def citation_file(papers: list[PaperFile]) -> str:
    """The whole of CITATION.cff, in the Citation File Format 1.2."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    lines = [
        "cff-version: 1.2.0",
        "message: If you use skreg, please cite it and the paper whose method you use.",
        "title: skreg",
        "type: software",
        "authors:",
        "  - name: The skreg developers",
        "license: BSD-3-Clause",
        f"version: {__version__}",
        f"url: {_quoted(urls['Documentation'])}",
        f"repository-code: {_quoted(urls['Source'])}",
        "references:",
    ]
    for paper, _ in papers:
        lines += [f"  - type: {paper.kind}", f"    title: {_quoted(paper.title)}", "    authors:"]
        for author in paper.authors:
            family, _, given = author.partition(", ")
            lines.append(
                f"      - {{ family-names: {_quoted(family)}, given-names: {_quoted(given)} }}"
            )
        lines.append(_place(paper))
        lines.append(f"    year: {paper.year}")
        if paper.arxiv:
            lines.append(f"    url: {_quoted('https://arxiv.org/abs/' + paper.arxiv)}")
        if paper.code:
            lines.append(f"    repository-code: {_quoted(paper.code)}")
        lines.append(f"    notes: {_quoted(paper.here)}")
    return "\n".join(lines) + "\n"


def papers_table(papers: list[PaperFile]) -> str:
    """The papers whose claims are measured here, as a table in Markdown."""
    lines = ["| paper | stands here | its claims are measured by |", "|---|---|---|"]
    lines += [
        f"| {paper.short}: {paper.title}. {paper.venue} | {paper.here} | "
        f"`skreg bench run {benchmark}` |"
        for paper, benchmark in papers
        if benchmark
    ]
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """A text whose part between the two marks is the table."""
    pattern = f"({re.escape(BEGIN)}\n).*?(\n{re.escape(END)})"
    if not re.search(pattern, text, flags=re.DOTALL):
        raise ValueError(f"the text has no {BEGIN} followed by {END}")
    return re.sub(pattern, lambda found: found[1] + table + found[2], text, flags=re.DOTALL)


def written() -> dict[str, str]:
    """What the files should hold, by their names."""
    papers = read_papers()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        "CITATION.cff": citation_file(papers),
        "README.md": with_table(readme, papers_table(papers)),
    }


def _place(paper: Paper) -> str:
    if paper.kind == "report":
        return f"    institution: {{ name: {_quoted(paper.venue)} }}"
    place = "journal" if paper.kind == "article" else "collection-title"
    return f"    {place}: {_quoted(paper.venue)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    for name, text in written().items():
        (ROOT / name).write_text(text, encoding="utf-8")
