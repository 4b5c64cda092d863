"""The report: complete, and self-contained."""

import re
from html.parser import HTMLParser

import pytest

import skreg
from skreg.bench._cli import main
from skreg.bench._figures import Picture

from .conftest import TOYS


class Attributes(HTMLParser):
    """Collects every tag and attribute of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


@pytest.fixture
def page(run_toy):
    return (run_toy()[3] / "report.html").read_text(encoding="utf-8")


def test_report_loads_nothing_from_anywhere(page):
    parsed = Attributes()
    parsed.feed(page)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(parsed.tags)
    for name, value in parsed.attributes:
        if name in ("src", "href", "xlink:href", "data", "srcset"):
            assert value.startswith("#"), (name, value)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http" not in without_namespaces


def test_report_holds_question_tables_claims_and_figure(page):
    text = re.sub(r"<[^>]+>", " ", page)
    assert "Does the median estimate the centre of a normal sample" in text
    assert "The second paragraph, with &lt;markup&gt; &amp; more." in text
    for badge in ("reproduced", "contradicted", "undecided"):
        assert page.count(f'<span class="badge {badge}">') == 1
    assert page.count("<svg") == 1
    assert "Squared error, difference from mean" in text
    assert "Squared error against the sample size" in text


def test_report_says_how_and_where_it_came_about(page):
    assert "run toy-means --size quick --n-jobs 1 --fresh" in page
    assert "<td>Seeds</td><td>0, 1, 2, 3</td>" in page
    assert f"skreg {skreg.__version__}" in page
    for name in ("Python", "numpy", "scipy", "scikit-learn", "numba", "Processor", "Memory"):
        assert name in page


def test_figure_is_left_out_while_its_setting_has_no_results(run_toy, monkeypatch):
    monkeypatch.setenv("TOY_FAILS", "mean 0, median 0")
    code, _, _, folder = run_toy("--repeats", "1")
    assert code == 1
    assert "<svg" not in (folder / "report.html").read_text()


@pytest.fixture
def paper_page(tmp_path, capsys):
    """The page of a toy with the record of a paper, wide tables and many decades of values."""
    toys = tmp_path / "toys"
    toys.mkdir()
    source = (TOYS / "toy_means.py").read_text()
    source = source.replace("import Axis, ", "import Paper, Axis, ") + (
        'PAPER = Paper("On <means>", ("Gauss, Carl", "Legendre, Adrien-Marie"), "Proc. Means 3", '
        '1809, "numpy.mean", arxiv="1809.00001", code="https://example.org/means")\n'
    )
    (toys / "toy_means.py").write_text(source)
    words = ["bench", "--benchmarks", str(toys), "--output", str(tmp_path), "--n-jobs", "1"]
    assert main([*words, "toy-means", "--size", "quick"]) == 0
    return tmp_path / "quick" / "toy-means" / "report.html"


def test_report_of_a_paper_names_it_and_leads_with_verdicts(paper_page):
    page = paper_page.read_text()
    assert "Gauss, Carl; Legendre, Adrien-Marie (1809). <i>On &lt;means&gt;</i>." in page
    assert 'Proc. Means 3. <a href="https://arxiv.org/abs/1809.00001">arXiv:1809.00001</a>' in page
    assert '<a href="https://example.org/means">Code of the authors</a>' in page
    parts = [
        'class="text claims"',
        "The second paragraph",
        "<svg",
        'class="numbers"',
        "How to repeat",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    index = (paper_page.parents[1] / "index.html").read_text()
    assert '<a href="#toy-means">Gauss and Legendre (1809)</a>' in index
    assert '<span class="badge contradicted">1 contradicted</span>' in index


def test_pages_load_nothing_though_they_link_to_a_paper(paper_page):
    parsed = Attributes()
    parsed.feed(paper_page.read_text())
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(parsed.tags)
    assert not [value for name, value in parsed.attributes if name in ("src", "data", "srcset")]


def test_index_is_rebuilt_with_every_report(run_toy, tmp_path, capsys):
    index = run_toy()[3].parent / "index.html"
    assert index.read_text().count("<section") == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "another_mean.py").write_text((TOYS / "toy_means.py").read_text())
    words = ["bench", "--benchmarks", str(other), "--output", str(tmp_path / "output")]
    assert main([*words, "another-mean", "--size", "quick", "--n-jobs", "1"]) == 0
    assert index.read_text().count("<section") == 2
    index.unlink()
    assert main([*words, "report", "another-mean"]) == 0
    assert index.read_text().count("<section") == 2


def test_captions_begin_with_a_title():
    picture = Picture("Error at 0.5 labels: mean over seeds. Bands are errors.")
    assert (picture.title, picture.text) == (
        "Error at 0.5 labels",
        "Mean over seeds. Bands are errors.",
    )
    assert (Picture("Error.").title, Picture("Error.").text) == ("Error", "")


def test_a_figure_is_never_too_small_to_read(page):
    """On a narrow screen it scrolls in its frame."""
    width = float(re.search(r'<svg [^>]*width="([\d.]+)pt"', page)[1])
    least = float(re.search(r'<svg style="min-width: (\d+)pt"', page)[1])
    assert least == pytest.approx(0.7 * width, abs=1)
    assert page.count('<div class="wide">') == 1 + 2  # around the figure and both tables
