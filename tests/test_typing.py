"""Types as those see them who use skreg."""

import ast
import importlib
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skreg

ROOT = Path(__file__).parent.parent


@pytest.fixture
def installed(tmp_path):
    """A folder in which the package lies as in a wheel."""
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "skreg", tmp_path / "skreg", ignore=caches)
    shutil.copytree(ROOT / "deep", tmp_path / "skreg" / "deep", ignore=caches)
    return tmp_path


def test_checkers_know_the_types_of_users_code(installed):
    """The options are mypy's own, but that packages without types are no errors."""
    shutil.copy(ROOT / "tests" / "typing_of_users.py", installed)
    options = ["--follow-imports=silent", "--ignore-missing-imports", "--warn-unused-ignores"]
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", *options, "typing_of_users.py"],
        cwd=installed,
        env={**os.environ, "MYPYPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_lazily_loaded_subpackages_have_types():
    (block,) = (
        part
        for part in ast.parse(inspect.getsource(skreg)).body
        if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING"
    )
    typed = [(alias.name, alias.asname) for part in block.body for alias in part.names]
    assert typed == [(name, name) for name in skreg._SUBPACKAGES]


def public_functions(package):
    """Functions, methods and properties that a package exports, by name."""
    module = importlib.import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            yield f"{package}.{name}", thing
        for key, member in vars(thing).items() if inspect.isclass(thing) else ():
            function = inspect.unwrap(getattr(member, "fget", getattr(member, "__func__", member)))
            if inspect.isfunction(function) and (key == "__init__" or not key.startswith("_")):
                yield f"{package}.{name}.{key}", function


def without_annotation(function):
    parameters = list(inspect.signature(function).parameters)
    named = parameters[1:] if parameters[:1] in (["self"], ["cls"]) else parameters
    return {*named, "return"} - set(function.__annotations__)


PACKAGES = [f"skreg.{name}" for name in skreg._SUBPACKAGES if name != "deep"]
if importlib.util.find_spec("skorch"):
    PACKAGES += ["skreg.deep", "skreg.deep.torch", "skreg.deep.regularizers"]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_signatures_are_annotated(package):
    missing = {name: without_annotation(one) for name, one in public_functions(package)}
    assert missing
    assert {name: parameters for name, parameters in missing.items() if parameters} == {}
