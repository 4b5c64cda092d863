"""Edits that make the finished cells of a benchmark stale, and edits that do not.

Each digest is taken by a process of its own from a copy of the package, laid out as in a wheel.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from skreg.bench._closure import closure_digest, import_closure
for path in map(Path, sys.argv[1:]):
    print(closure_digest(path), *sorted(str(file) for file in import_closure(path)), sep="|")
"""


class Copy:
    """A copy of the package, and what a process that imports it says of files."""

    def __init__(self, folder):
        self.folder = folder
        left_out = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
        shutil.copytree(ROOT / "skreg", folder / "skreg", ignore=left_out)
        shutil.copytree(ROOT / "deep", folder / "skreg" / "deep", ignore=left_out)

    def ask(self, path):
        finished = subprocess.run(
            [sys.executable, "-S", "-c", PROGRAM, str(self.folder / path)],
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        digest, *files = finished.stdout.strip().split("|")
        return digest, {Path(file).relative_to(self.folder.resolve()).as_posix() for file in files}

    def digest(self, path):
        return self.ask(path)[0]

    def files(self, path):
        return self.ask(path)[1]

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def edit(self, path):
        target = self.folder / path
        target.write_text(target.read_text() + "\nEDITED = True\n")


@pytest.fixture
def copy(tmp_path):
    copy = Copy(tmp_path)
    copy.write(
        PAPER,
        "from skreg.probe import LinearNaiveBayes\n"
        "from skreg.bench.arena import aid, checks, curve_views, deep_checks\n",
    )
    copy.write("skreg/bench/arena/aid.py", "from skreg.bench.arena import deeper_aid\n")
    copy.write("skreg/bench/arena/deeper_aid.py", "")
    return copy


PAPER = "skreg/bench/papers/a_new_paper.py"


def test_edits_that_count_and_edits_that_do_not(copy):
    before = copy.digest(PAPER)
    for unrelated in (
        "skreg/ordinal/_presto.py",
        "skreg/bench/papers/presto.py",
        "skreg/bench/arena/checks.py",
        "skreg/bench/arena/deep_checks.py",
        "skreg/bench/arena/curve_views.py",
        "skreg/bench/arena/views.py",
        "skreg/bench/_report.py",
        "skreg/bench/_benchmark.py",
    ):
        copy.edit(unrelated)
    assert copy.digest(PAPER) == before
    for related in (
        PAPER,
        "skreg/bench/arena/aid.py",
        "skreg/bench/arena/deeper_aid.py",
        "skreg/probe/_naive_bayes.py",
    ):
        copy.edit(related)
        after = copy.digest(PAPER)
        assert after != before, related
        before = after


def test_helpers_beside_a_benchmark_of_another_folder_count(copy):
    copy.write("elsewhere/race.py", "import helper\nfrom _other import thing\n")
    copy.write("elsewhere/helper.py", "import far.away\n")
    copy.write("elsewhere/_other.py", "thing = 1\n")
    copy.write("elsewhere/far/__init__.py", "")
    copy.write("elsewhere/far/away.py", "")
    copy.write("elsewhere/unrelated.py", "")
    before = copy.digest("elsewhere/race.py")
    copy.edit("elsewhere/unrelated.py")
    assert copy.digest("elsewhere/race.py") == before
    for name in ("helper.py", "_other.py", "far/away.py"):
        copy.edit(f"elsewhere/{name}")
        after = copy.digest("elsewhere/race.py")
        assert after != before, name
        before = after


def test_facades_are_followed_to_the_file_of_a_name(copy):
    copy.write("skreg/bench/papers/front.py", "from skreg.deep.torch import SAM\n")
    files = copy.files("skreg/bench/papers/front.py")
    assert "skreg/deep/sharpness/_sam.py" in files
    assert not {file for file in files if file.startswith("skreg/deep/imbalance/")}


def test_relative_imports_of_deep_are_followed(copy):
    copy.write(
        "skreg/deep/sharpness/_new.py", "from ._below import a\nfrom ..labels._side import b\n"
    )
    copy.write("skreg/deep/sharpness/_below.py", "a = 1\n")
    copy.write("skreg/deep/labels/_side.py", "b = 1\n")
    copy.write(PAPER, "from skreg.deep.sharpness._new import a\n")
    assert {
        "skreg/deep/sharpness/_new.py",
        "skreg/deep/sharpness/_below.py",
        "skreg/deep/labels/_side.py",
    } <= copy.files(PAPER)


def test_imports_for_checkers_of_types_do_not_count_and_those_in_functions_do(copy):
    copy.write(
        PAPER,
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    from skreg.ordinal import PrestoClassifier\n"
        "else:\n"
        "    from skreg.bench.arena import aid\n"
        "def measure():\n"
        "    from skreg.probe import LinearNaiveBayes\n",
    )
    files = copy.files(PAPER)
    assert not {file for file in files if file.startswith("skreg/ordinal/")}
    assert {"skreg/probe/_naive_bayes.py", "skreg/bench/arena/aid.py"} <= files


def test_bodies_of_generic_functions_count(copy):
    """A kernel is compiled from them, though its file does not import theirs."""
    copy.write(PAPER, "from skreg.linear_model import Lasso\n")
    bodies = {file for file in copy.files(PAPER) if file.startswith("skreg/optim/penalties/")}
    assert "skreg/optim/penalties/_l1.py" in bodies
    before = copy.digest(PAPER)
    copy.edit("skreg/optim/penalties/_l1.py")
    assert copy.digest(PAPER) != before


def test_the_digest_does_not_depend_on_where_the_package_lies(copy, tmp_path_factory):
    other = Copy(tmp_path_factory.mktemp("elsewhere"))
    presto = "skreg/bench/papers/presto.py"
    assert other.digest(presto) == copy.digest(presto)
