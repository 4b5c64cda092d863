"""The pages of the guide: their code runs, and what they name is there."""

import doctest
import importlib
import re
import warnings
from pathlib import Path

import pytest

import skreg

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FOLDERS = ("start", "guide")
PAGES = sorted(page for folder in FOLDERS for page in (DOCS / folder).glob("*.md"))
TEXTS = [*PAGES, DOCS / "peers.md"]
# topics that are no method, and so have no case in which another is the better one
ACROSS = {"index", "certificates", "compiled_kernels"}
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
OPTIONAL = {"skreg.deep": "skorch", "torch": "torch", "dask": "dask.array", "pandas": "pandas"}


def name_of(page):
    return page.relative_to(DOCS).as_posix()


def blocks_of(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def skip_without_extras(code):
    for imported, needed in OPTIONAL.items():
        if re.search(rf"^(?:import|from) {re.escape(imported)}\b", code, flags=re.MULTILINE):
            pytest.importorskip(needed)
    if "Display" in code:
        pytest.importorskip("matplotlib").use("Agg")


@pytest.mark.parametrize(
    "page", [page for page in [DOCS / "index.md", *PAGES] if blocks_of(page)], ids=name_of
)
def test_code_of_a_page_runs_without_warnings(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(page)
    skip_without_extras("\n".join(code for _, code in blocks))
    namespace = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for number, (kind, code) in enumerate(blocks):
            path = tmp_path / f"{page.stem}_{number}.py"
            path.write_text(code, encoding="utf-8")
            if kind == "python":
                exec(compile(code, path, "exec"), namespace)
            else:
                check_examples(code, namespace, path)


def check_examples(code, namespace, path):
    examples = doctest.DocTestParser().get_doctest(code, {}, path.stem, str(path), 0)
    examples.globs = namespace
    said = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(
        examples, out=said.append, clear_globs=False
    )
    assert result.attempted
    assert not result.failed, "".join(said)


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_names_in_roles_are_public(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"\{(?:class|func)\}`~?([\w.]+)`", text):
        package, _, name = path.rpartition(".")
        if package.startswith("skreg.deep"):
            pytest.importorskip("skorch")
        assert name in importlib.import_module(package).__all__, path


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_scripts_and_benchmarks_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    scripts = {path.name for path in (ROOT / "examples").glob("plot_*.py")}
    assert set(re.findall(r"examples/(\w+\.py)", text)) <= scripts
    rooms = [Path(skreg.__file__).parent / "bench" / room for room in ("papers", "races")]
    files = {file.stem.replace("_", "-") for room in rooms for file in room.glob("*.py")}
    assert set(re.findall(r"skreg bench run ([a-z][\w-]+)", text)) <= files


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_links_between_the_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text(encoding="utf-8"))
    within = [link for link in links if (page.parent / link).resolve().parent.name in FOLDERS]
    assert all((page.parent / link).exists() for link in within)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_page_is_in_the_index_of_its_folder(folder):
    index = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    (listed,) = re.findall(
        r"^```\{toctree\}\n:hidden:\n\n(.*?)```", index, re.MULTILINE | re.DOTALL
    )
    pages = {page.stem for page in (DOCS / folder).glob("*.md")} - {"index"}
    assert set(listed.split()) == pages


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent.name == "guide" and page.stem not in ACROSS],
    ids=name_of,
)
def test_topics_say_when_not_to_use_them(page):
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^## When not to ", text, flags=re.MULTILINE)
