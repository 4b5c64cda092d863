"""Workflows, templates and hooks, held against the project without running them."""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
YAML = sorted([*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"])
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def loaded(path):
    return pytest.importorskip("yaml").safe_load(path.read_text())


def names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize("path", YAML, ids=names(YAML))
def test_files_in_yaml_are_yaml(path):
    assert isinstance(loaded(path), dict)


@pytest.mark.parametrize("path", WORKFLOWS, ids=names(WORKFLOWS))
def test_workflows_have_few_permissions_and_an_end(path):
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
        assert set(job.get("permissions", {})) <= {"id-token"}, name
        for step in job["steps"]:
            assert re.search(r"@(v\d+|release/v\d+)$", step.get("uses", "@v0")), step


def test_the_tests_run_on_every_declared_version_of_python():
    declared = {
        line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)
    }
    jobs = loaded(ROOT / ".github/workflows/ci.yml")["jobs"]
    assert set(jobs["tests"]["strategy"]["matrix"]["python"]) == declared
    assert (
        f">={min(declared, key=lambda v: int(v.partition('.')[2]))}" == PROJECT["requires-python"]
    )


def test_workflows_name_extras_targets_and_files_that_there_are():
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    extras = loaded(ROOT / ".github/workflows/ci.yml")["env"]["WITHOUT_TORCH"].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"run: make (\w+)", text)) - {"docs"} <= targets
    for name in set(re.findall(r"-c (\S+\.txt)", text)):
        assert (ROOT / name).exists(), name


def test_public_files_name_one_place_of_the_project():
    source = PROJECT["urls"]["Source"]
    written = [*YAML, *ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), ROOT / "CITATION.cff"]
    for path in written:
        for address in re.findall(r"https://github\.com/skreg[\w./-]*", path.read_text()):
            assert address.startswith(source), path


def test_the_source_distribution_holds_what_its_tests_need(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert tests | {"Makefile", "constraints.txt", "constraints-oldest.txt", "CITATION.cff"} <= held
    assert not [name for name in held if name.endswith((".pyc", ".nbi", ".nbc"))]
