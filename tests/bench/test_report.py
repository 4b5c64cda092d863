"""The report: complete, and self-contained."""

import re
from html.parser import HTMLParser

import pytest

import skreg


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
    assert "Squared error against the sample size." in text


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
