"""The README's code runs, and public docstrings are complete."""

import dataclasses
import importlib
import importlib.util
import inspect
import pydoc
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skreg

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WITH_NETWORKS = importlib.util.find_spec("skorch") is not None
CHECKS = set(PROJECT["tool"]["numpydoc_validation"]["checks"])


def code_blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)


@pytest.mark.skipif(not WITH_NETWORKS, reason="the pages show networks too")
@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_code_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = code_blocks(name)
    assert blocks
    namespace = {"__name__": "__main__"}
    for number, block in enumerate(blocks):
        path = tmp_path / f"block_{number}.py"
        path.write_text(block)
        exec(compile(block, path, "exec"), namespace)


@pytest.mark.parametrize("name", ["CITATION.cff", "README.md"])
def test_what_is_written_from_the_papers_records_is_not_stale(name):
    written = runpy.run_path(str(ROOT / "docs" / "records.py"))["written"]()
    assert written[name] == (ROOT / name).read_text(encoding="utf-8"), "run `make records`"


def public_objects():
    packages = [package for package in skreg.__all__ if package not in ("__version__", "deep")]
    if WITH_NETWORKS:
        packages += ["deep", "deep.torch", "deep.regularizers"]
    for package in packages:
        module = importlib.import_module(f"skreg.{package}")
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if not callable(thing):
                continue
            yield f"skreg.{package}.{name}"
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and callable(function):
                        yield f"skreg.{package}.{name}.{method}"


def fields_of(name):
    """Fields of a record, which its docstring may call parameters, attributes or symbols."""
    public = pydoc.locate(name)
    if dataclasses.is_dataclass(public):
        return tuple(field.name for field in dataclasses.fields(public))
    is_record = inspect.isclass(public) and issubclass(public, tuple)
    return public._fields if is_record else ()


def is_documented_by_a_base(name):
    """Whether a method overrides one that is documented, and has no parameters of its own."""
    path, _, method = name.rpartition(".")
    owner = pydoc.locate(path)
    if not inspect.isclass(owner):
        return False
    inherited = (vars(base).get(method) for base in owner.__mro__[1:])
    documented = next((one for one in inherited if getattr(one, "__doc__", None)), None)
    if documented is None:
        return False
    own = inspect.signature(getattr(owner, method)).parameters
    return set(own) <= set(inspect.signature(documented).parameters)


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_complete(name):
    allowed = set()
    if is_documented_by_a_base(name):
        if pydoc.locate(name).__doc__ is None:
            return
        allowed |= {"PR01"}  # what it adds stands there, its parameters at the base
    result, fields = validate(name), fields_of(name)
    unnamed = [field for field in fields if not re.search(rf"\b{field}\b", result["docstring"])]
    assert not unnamed
    if fields:
        allowed |= {"PR01", "PR02"}
    assert not [error for error in result["errors"] if error[0] in CHECKS - allowed]


def test_the_protocol_page_lists_every_hook_declaration_and_field():
    deep = pytest.importorskip("skreg.deep")
    page = (ROOT / "docs" / "regularizers.md").read_text()
    own = {name for name in vars(deep.Regularizer) if not name.startswith("_")}
    asked = own - {"wanted_layers"} | set(deep.Batch._fields)
    assert {name for name in asked if f"`{name}" not in page} == set()
    listed = set(re.findall(r"^\| `(\w+)", page, flags=re.MULTILINE))
    skorchs = {name for name in listed if name.startswith("on_")} | {"initialize", "net"}
    assert listed - skorchs <= asked
