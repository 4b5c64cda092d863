"""What grows touches the files that CONTRIBUTING says: a method folder in a copy of the tree.

Penalties and losses are added in `tests/optim/test_rooms.py`, a benchmark in
`tests/bench/test_discovery.py`, regularizers in `tests/test_documents.py`.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ESTIMATOR = '''"""The mean, robust to nothing."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator



class MeanRegressor(RegressorMixin, Estimator):
    """Predicts the mean of the targets."""

    def fit(self, X: Any, y: Any) -> Self:
        """Store the mean."""
        X, y = validate_data(self, X, y, y_numeric=True)
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The mean, once for each row."""
        check_is_fitted(self)
        return np.full(len(validate_data(self, X, reset=False)), self.mean_)


'''
FACADE = '''"""Means."""

from skreg.means._mean import MeanRegressor

__all__ = ["MeanRegressor"]
'''
ASKED = """
import importlib
import sys

sys.path.insert(0, "tests/contract")
from estimator_cases import discover

import skreg

assert skreg.means.MeanRegressor().fit([[1.0], [2.0]], [1.0, 3.0]).mean_ == 2.0
assert "MeanRegressor" in [cls.__name__ for cls in discover()]
"""


def insert(path, anchor, line):
    text = path.read_text()
    assert text.count(anchor) == 1, anchor
    path.write_text(text.replace(anchor, line + anchor))


@pytest.fixture
def copy_with_a_folder(tmp_path):
    """A copy of the tree with the folder `skreg/means` and the lines that the table names."""
    left_out = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for folder in ("skreg", "deep", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "skreg" / "means").mkdir()
    (tmp_path / "skreg" / "means" / "__init__.py").write_text(FACADE)
    (tmp_path / "skreg" / "means" / "_mean.py").write_text(ESTIMATOR)
    facade = tmp_path / "skreg" / "__init__.py"
    insert(
        facade,
        "    from skreg import metrics as metrics\n",
        "    from skreg import means as means\n",
    )
    insert(facade, '    "metrics",\n', '    "means",\n')
    insert(tmp_path / "pyproject.toml", '  "skreg.metrics",\n', '  "skreg.means",\n')
    return tmp_path


def test_a_method_folder_is_its_files_and_three_lines(copy_with_a_folder):
    copy = copy_with_a_folder
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    asked = [sys.executable, "-c", ASKED]
    subprocess.run(asked, cwd=copy, env=environment, check=True, capture_output=True)
    tests = ["tests/test_structure.py", "tests/test_typing.py", "-k", "not checkers"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout
    assert "skreg.means" in packages_of(copy)


def packages_of(root):
    """Packages of the tree, which pyproject lists."""
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join([package, *path.parent.relative_to(root / folder).parts])
        for folder, package in (("skreg", "skreg"), ("deep", "skreg.deep"))
        for path in (root / folder).rglob("__init__.py")
    }
    assert set(listed) == found
    assert listed == sorted(listed)
    return found


def test_pyproject_lists_every_package():
    assert "skreg.optim.kernels" in packages_of(ROOT)


def test_the_table_of_additions_names_files_that_there_are():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.partition("## What an addition touches")[2].partition("\n## ")[0]
    named = [name for name in re.findall(r"`([\w./]+)`", table) if "/" in name or "." in name]
    stand = [name for name in named if "NAME" not in name and "FOLDER" not in name]
    assert len(stand) > 5
    assert [name for name in stand if not (ROOT / name).exists()] == []
