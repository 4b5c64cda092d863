"""What writes and checks the site: links, stored verdicts, pages of the reference."""

import csv
import importlib
import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("other.html", False),
        ("other.html#place", False),
        ("#here", False),
        ("https://example.org/nothing", False),
        ("missing.html", True),
        ("other.html#nowhere", True),
        ("#nowhere", True),
    ],
)
def test_links_that_lead_nowhere_are_found(link, is_broken, tmp_path):
    (tmp_path / "page.html").write_text(f'<p id="here"><a href="{link}">x</a></p>')
    (tmp_path / "other.html").write_text('<p id="place">y</p>')
    found = runpy.run_path(str(DOCS / "check_links.py"))["broken_links"](tmp_path)
    assert found == ([f"page.html: {link}"] if is_broken else [])


def record(size, **changes):
    claim = {"statement": "A is better.", "badge": "reproduced", "numbers": "1, required: ≥ 0"}
    known = {"name": "toy", "size": size, "date": "2026-01-02T03:04:05+00:00", "claims": [claim]}
    return known | {"n_missing": 0, "n_failed": 0} | changes


def test_a_stored_run_gives_way_to_a_larger_or_later_one_only(tmp_path):
    store = runpy.run_path(str(DOCS / "store_verdicts.py"))["store"]

    def stored():
        with (tmp_path / "toy.csv").open(encoding="utf-8", newline="") as file:
            return [(row["size"], row["date"], row["outcome"]) for row in csv.DictReader(file)]

    store(record("quick"), tmp_path)
    assert stored() == [("quick", "2026-01-02", "reproduced")]
    store(record("full"), tmp_path)
    assert stored() == [("full", "2026-01-02", "reproduced")]
    for refused in (record("quick"), record("full", n_missing=1), record("full", n_failed=1)):
        assert "left as it was" in store(refused | {"date": "2027-01-01T00:00:00"}, tmp_path)
    assert stored() == [("full", "2026-01-02", "reproduced")]
    store(record("full", date="2027-01-01T00:00:00"), tmp_path)
    assert stored() == [("full", "2027-01-01", "reproduced")]


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    module = importlib.import_module("pages")
    monkeypatch.delitem(sys.modules, "pages")
    return module


def test_ratios_of_races_are_those_stored_rows_that_have_numbers(pages, tmp_path):
    outcomes = ("contradicted", "not in this size", "at this size", "no verdict", "undecided")
    rows = [
        {
            "claim": f"Claim {k}.",
            "outcome": outcome,
            "numbers": f"{k}",
            "size": "quick",
            "date": "d",
        }
        for k, outcome in enumerate(outcomes)
    ]
    with (tmp_path / "toy-speed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    text = pages._ratios(["toy-speed", "never-run"], tmp_path)
    assert [line for line in text.splitlines() if line.startswith("| Claim")] == [
        "| Claim 0. | contradicted | 0 |",
        "| Claim 2. | at this size | 2 |",
        "| Claim 4. | undecided | 4 |",
    ]
    assert "[Size quick, d](papers/toy-speed.md)" in text
    assert "never-run" not in text


def test_what_a_paper_stands_as_links_into_the_reference(pages):
    pytest.importorskip("torch")
    assert pages._linked("SAM: skreg.deep, skreg.deep.torch.SAM.") == (
        "SAM: [skreg.deep](../api/skreg.deep.md), "
        "[skreg.deep.torch.SAM](../api/skreg.deep.torch.SAM.rst)."
    )


def test_the_reference_has_a_page_for_every_public_name_once(pages, tmp_path):
    pytest.importorskip("torch")
    pages._write_reference(tmp_path)
    written = {path.stem.rpartition(".")[2] for path in tmp_path.glob("*.rst")}
    public = {
        name
        for package in pages.packages()
        for name in pages.documented(importlib.import_module(f"skreg.{package}"))
    }
    assert written == public
    lasso = (tmp_path / "skreg.linear_model.Lasso.rst").read_text()
    assert ".. automethod:: Lasso.fit\n" in lasso
    assert "get_params" not in lasso  # scikit-learn's own stands in its own reference
