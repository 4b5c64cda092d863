"""What every module of `skreg.deep` owes to the tools that read it."""

import ast
import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import skreg.deep

ROOM = Path(skreg.deep.__file__).parent
MODULES = [
    "skreg.deep",
    *(m.name for m in pkgutil.walk_packages(skreg.deep.__path__, "skreg.deep.")),
]


def imported(statement):
    """Absolute names of modules that a statement may import."""
    match statement:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names, level=0):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
        case _:
            return []


def is_own(module):
    return module.startswith(("skreg.deep.", "deep.")) or module in ("skreg.deep", "deep")


def absolute_imports_of_own_modules(source):
    return [name for part in ast.walk(ast.parse(source)) for name in imported(part) if is_own(name)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from skreg.deep.frame._nets import bare", True),
        ("from skreg import deep", True),
        ("def f():\n    import skreg.deep.torch as parts", True),
        ("from deep.frame import _nets", True),
        ("from ..frame._nets import bare", False),
        ("from skreg._warnings import warn", False),
        ("import deepdiff", False),
    ],
)
def test_absolute_imports_are_recognized(statement, expected):
    assert bool(absolute_imports_of_own_modules(statement)) == expected


def test_own_modules_are_imported_relatively():
    """Otherwise tools that read deep/ where it lies would look for it elsewhere."""
    sources = {path.relative_to(ROOM): path.read_text() for path in ROOM.rglob("*.py")}
    found = {path: absolute_imports_of_own_modules(text) for path, text in sources.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_all_modules_are_seen():
    assert len(MODULES) == len(list(ROOM.rglob("*.py")))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name, request):
    """pytest's own collector would import a second copy of each module, as ``deep.*``."""
    flags = (doctest.OPTIONFLAGS_BY_NAME[f] for f in request.config.getini("doctest_optionflags"))
    result = doctest.testmod(importlib.import_module(name), optionflags=sum(flags))
    assert result.failed == 0, "the captured output shows what failed"


def typed_names():
    """Names that the ``if TYPE_CHECKING`` of a package imports, with the module of each."""
    (block,) = (
        part
        for part in ast.parse(inspect.getsource(skreg.deep)).body
        if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING"
    )
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name, "without `as` it is private to readers of types"
            yield alias.name, statement.module


def test_lazily_loaded_names_have_types():
    subpackages = dict.fromkeys(skreg.deep._SUBPACKAGES)
    assert dict(typed_names()) == skreg.deep._MODULE_OF | subpackages


@pytest.mark.parametrize("name", ["torch", "regularizers"])
def test_facades_export_all_that_they_import(name):
    facade = importlib.import_module(f"skreg.deep.{name}")
    public = {
        key
        for key, value in vars(facade).items()
        if getattr(value, "__module__", "").startswith("skreg.deep.")
    }
    assert public == set(facade.__all__)
