"""Records of papers are read from claim files, without importing these."""

import pytest

from skreg.bench import Paper
from skreg.bench._papers import ROOM, PaperFile, read_papers

RECORD = """
import a_package_that_is_not_installed

PAPER = Paper(
    title="On a "
    "method",
    authors=("Doe, Jane", "Roe, Richard"),
    venue="A Journal",
    year=2024,
    here="skreg.somewhere",
    kind="article",
    arxiv="2401.00001",
)
"""
CITED = """
CITED = [
    Paper(title="B", authors=("X, Y",), venue="V", year=2000, here="skreg.elsewhere"),
]
"""


def test_records_are_read_without_importing(tmp_path):
    (tmp_path / "some_method.py").write_text(RECORD)
    (tmp_path / "_cited.py").write_text(CITED)
    first, second = read_papers(tmp_path)
    assert first == PaperFile(
        Paper(
            "On a method",
            ("Doe, Jane", "Roe, Richard"),
            "A Journal",
            2024,
            "skreg.somewhere",
            "article",
            "2401.00001",
        ),
        "some-method",
    )
    assert (second.paper.title, second.benchmark) == ("B", "")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "some_method.py defines no PAPER"),
        ("PAPER = 3", "some_method.py: its record of a paper cannot be read"),
        ("PAPER = Paper(title=name())", "cannot be read"),
        ("PAPER = Paper(title='A')", "cannot be read: .*authors"),
    ],
)
def test_claim_files_without_a_readable_record_are_named(source, message, tmp_path):
    (tmp_path / "some_method.py").write_text(source)
    with pytest.raises(ValueError, match=message):
        read_papers(tmp_path)


@pytest.mark.parametrize(
    ("authors", "short"),
    [
        (("Doe, Jane",), "Doe (2024)"),
        (("Doe, Jane", "Roe, Richard"), "Doe and Roe (2024)"),
        (("Doe, Jane", "Roe, Richard", "Poe, E."), "Doe et al. (2024)"),
    ],
)
def test_papers_are_named_by_authors_and_year(authors, short):
    assert Paper("A", authors, "V", 2024, "here").short == short


def test_every_packaged_paper_has_a_record():
    papers = read_papers()
    assert len({paper.title for paper, _ in papers}) == len(papers)
    for paper, _ in papers:
        assert 1950 < paper.year < 2100
        assert all(", " in author for author in paper.authors), paper.title


@pytest.mark.parametrize("path", sorted(ROOM.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_claim_file_is_short_enough_to_read_its_claims(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 150, (
        f"{path.name} has {n_lines} lines, and a claim file at most 150: move what measures, draws "
        "or makes settings and special checks into a module of skreg/bench/arena/, by subject"
    )
