"""Pages that are written from the package: the reference of its names, the papers, the races."""

import csv
import importlib
import inspect
import os
import re
from pathlib import Path

import skreg
from skreg.bench._papers import PaperFile, read_papers
from skreg.bench._registry import ROOMS, find_benchmarks

PACKAGES = (
    "probe",
    "linear_model",
    "ordinal",
    "causal",
    "causal.metrics",
    "coreset",
    "semi_supervised",
    "transport",
    "robustness",
    "domain",
    "online",
    "random_features",
    "deep",
    "deep.regularizers",
    "deep.torch",
    "metrics",
    "datasets",
    "optim",
    "optim.descent",
    "optim.losses",
    "optim.penalties",
    "bench",
)
OUTCOMES = (
    *("reproduced", "contradicted", "undecided", "at this size", "no verdict"),
    "not in this size",
)


WITH_NUMBERS = OUTCOMES[:4]
RATIOS = "_ratios.md"  # a part of another page


def write_pages(docs: Path) -> None:
    """Write the reference and the pages of the papers and races into the folder of the site."""
    _write_reference(docs / "api")
    _write_papers(docs / "papers", docs / "verdicts")


def _write_reference(folder: Path) -> None:
    index = ["# API reference", ""]
    seen: set[int] = set()
    for package in packages():
        module = importlib.import_module(f"skreg.{package}")
        names = [name for name in documented(module) if id(getattr(module, name)) not in seen]
        seen |= {id(getattr(module, name)) for name in names}
        names.sort(key=str.lower)
        title = f"skreg.{package}"
        for name in names:
            _write(folder / f"{title}.{name}.rst", _page_of(title, name, getattr(module, name)))
        _write(folder / f"{title}.md", _package_page(title, module, names))
        index += [f"[{title}]({title}.md)", f": {_first_line(module)}", ""]
    index += ["```{toctree}", ":hidden:", "", *(f"skreg.{name}" for name in packages()), "```", ""]
    _write(folder / "index.md", "\n".join(index))


def _package_page(title: str, module, names: list[str]) -> str:
    lines = [f"# {title}", "", _first_line(module), "", "| name | |", "|---|---|"]
    lines += [
        f"| [{name}]({title}.{name}.rst) | {_cell(_first_line(getattr(module, name)))} |"
        for name in names
    ]
    lines += ["", "```{toctree}", ":hidden:", ""]
    return "\n".join([*lines, *(f"{name} <{title}.{name}>" for name in names), "```", ""])


def _first_line(thing) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def packages() -> list[str]:
    """Public packages: those in a fixed order first, then any that is new."""
    public = [name for name in skreg.__all__ if name != "__version__"]
    return [*PACKAGES, *(name for name in public if name not in PACKAGES)]


def documented(module) -> list[str]:
    """Names that a package lists, without modules and without names of an inner package."""
    return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]


def _page_of(package: str, name: str, thing) -> str:
    directive = (
        "autoclass" if inspect.isclass(thing) else "autofunction" if callable(thing) else "autodata"
    )
    lines = [name, "=" * len(name), "", f".. currentmodule:: {package}", ""]
    lines.append(f".. {directive}:: {name}")
    if inspect.isclass(thing):
        for member in _own(thing):
            is_property = isinstance(inspect.getattr_static(thing, member), property)
            kind = "autoproperty" if is_property else "automethod"
            lines += ["", f".. {kind}:: {name}.{member}"]
    lines += ["", f".. minigallery:: {package}.{name}", "   :add-heading: Examples", ""]
    return "\n".join(lines)


def _own(thing: type) -> list[str]:
    """Public methods and properties that skreg wrote, in the order of the alphabet."""
    return [name for name in sorted(dir(thing)) if _is_documented_member(thing, name)]


def _is_documented_member(thing: type, name: str) -> bool:
    if name.startswith("_"):
        return False
    value = inspect.getattr_static(thing, name)
    if isinstance(value, property):
        function = value.fget
    else:
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    written_here = (getattr(function, "__module__", None) or "").partition(".")[0] == "skreg"
    return inspect.isfunction(function) and written_here and bool(function.__doc__)


def _write_papers(folder: Path, verdicts: Path) -> None:
    papers = [file for file in read_papers() if file.benchmark]
    found = find_benchmarks()
    lines = ["# The papers", ""]
    lines += [
        "One page for each paper whose claims are measured here: what it says, what came out, with",
        "which command. A claim is *reproduced* where the whole 95 % interval over the seeds meets",
        "it, *contradicted* where no part of it does, *undecided* otherwise.",
        "",
        "| paper | outcomes |",
        "|---|---|",
    ]
    for file in papers:
        stored = _stored(verdicts, file.benchmark)
        link = f"[{file.paper.short}]({file.benchmark}.md)"
        lines.append(f"| {link}: {file.paper.title} | {_counts(stored)} |")
    lines += ["", "## Races", "", "Speed and memory beside peers, as ratios in one run.", ""]
    races = [n for n, f in found.items() if f.path.parent == ROOMS[1]]
    _write(folder / RATIOS, _ratios(races, verdicts))
    lines += [f"- [{name}]({name}.md): {found[name].summary}" for name in races]
    lines += ["", "```{toctree}", ":hidden:", ""]
    lines += [*(f"{file.paper.short} <{file.benchmark}>" for file in papers), *races, "```"]
    _write(folder / "index.md", "\n".join(lines) + "\n")
    for file in papers:
        _write(folder / f"{file.benchmark}.md", _paper_page(file, found, verdicts))
    for name in races:
        _write(folder / f"{name}.md", _race_page(name, found, verdicts))


def _paper_page(file: PaperFile, found, verdicts: Path) -> str:
    paper = file.paper
    names = ", ".join(" ".join(reversed(author.split(", "))) for author in paper.authors)
    lines = [f"# {paper.title}", "", f"{names}. {paper.venue}, {paper.year}.", ""]
    if paper.arxiv:
        lines.append(f"- Preprint: [arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})")
    if paper.code:
        lines.append(f"- The authors' code: <{paper.code}>")
    lines += [f"- Stands here as: {_linked(paper.here)}", ""]
    return "\n".join([*lines, *_measured(found[file.benchmark], verdicts)])


def _race_page(name: str, found, verdicts: Path) -> str:
    return "\n".join([f"# {name}", "", *_measured(found[name], verdicts)])


def _linked(names: str) -> str:
    """Names of packages, classes and functions of skreg as links into the reference."""

    def link(match: re.Match) -> str:
        name = match.group()
        suffix = "md" if name.removeprefix("skreg.") in packages() else "rst"
        return f"[{name}](../api/{name}.{suffix})"

    return re.sub(r"skreg(?:\.\w+)+", link, names)


def _ratios(races: list[str], verdicts: Path) -> str:
    """What the last stored run of each race measured, for the page about the peers."""
    lines = []
    for name in races:
        rows = [row for row in _stored(verdicts, name) if row["outcome"] in WITH_NUMBERS]
        if rows:
            first = rows[0]
            lines += [f"### {name}", ""]
            lines += [f"[Size {first['size']}, {first['date']}](papers/{name}.md).", ""]
            lines += [*_table(rows), ""]
    return "\n".join(lines)


def _table(rows: list[dict[str, str]]) -> list[str]:
    keys = ("claim", "outcome", "numbers")
    lines = ["| " + " | ".join(keys) + " |", "|---|---|---|"]
    return lines + ["| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in rows]


def _measured(benchmark, verdicts: Path) -> list[str]:
    lines = ["## What is measured", "", f"**{benchmark.summary}**", "", benchmark.question, ""]
    lines += ["```sh", f"skreg bench run {benchmark.name}", "```", "", "## What came out", ""]
    stored = _stored(verdicts, benchmark.name)
    if not stored:
        return [*lines, "No run is stored yet.", ""]
    first = stored[0]
    lines += [
        f"The last stored run: size {first['size']}, {first['date']}. {first['machine']}. "
        f"{first['versions']}.",
        "",
        *_table(stored),
    ]
    return [*lines, ""]


def _stored(verdicts: Path, name: str) -> list[dict[str, str]]:
    path = verdicts / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _counts(rows: list[dict[str, str]]) -> str:
    counts = [(sum(row["outcome"] == name for row in rows), name) for name in OUTCOMES]
    return ", ".join(f"{n} {name}" for n, name in counts if n) or "not stored yet"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _write(path: Path, text: str) -> None:
    """Write a page if it changed, so that only pages that changed are built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
