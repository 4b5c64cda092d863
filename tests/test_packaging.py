"""What a user installs and imports."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import skreg
from skreg._estimator import DOCUMENTATION

ROOT = Path(__file__).parent.parent
OPTIONAL = (
    *("torch", "skorch", "accelerate", "cvxpy", "matplotlib", "pandas"),
    *("dask", "distributed", "tqdm", "networkx", "dagma"),
    *("skops", "skl2onnx", "onnx", "onnxruntime"),
)


def run_python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **options
    ).stdout.split()


@pytest.mark.parametrize(
    "imported",
    [f"skreg.{name}" for name in skreg.__all__ if name not in ("__version__", "bench", "deep")]
    + ["skreg.bench._cli"],
)
def test_import_pulls_no_optional_package_that_scikit_learn_does_not_pull(imported):
    code = (
        "import sys, sklearn.base; before = set(sys.modules)\n"
        f"import {imported}; print(*{{n.partition('.')[0] for n in set(sys.modules) - before}})"
    )
    assert not set(run_python(code)) & set(OPTIONAL)


def test_bare_import_pulls_nothing():
    code = "import sys, skreg; print(*sys.modules)"
    assert not {"numpy", "scipy", "sklearn", "numba", *OPTIONAL} & set(run_python(code))


def test_subpackages_load_on_first_use_and_are_listed():
    code = "import skreg; print(skreg.probe.LinearNaiveBayes.__name__, *dir(skreg))"
    assert run_python(code) == ["LinearNaiveBayes", *sorted(skreg.__all__)]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skreg.nothing


def test_deep_names_its_extra_when_torch_is_missing():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "try:\n    import skreg.deep\nexcept ImportError as e:\n    print(e)"
    )
    assert "'skreg[deep]'" in run_python(code)


def test_the_wheel_holds_every_module_of_both_folders(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    sources = {f"skreg/{p.relative_to(ROOT / 'skreg')}" for p in (ROOT / "skreg").rglob("*.py")}
    sources |= {f"skreg/deep/{p.relative_to(ROOT / 'deep')}" for p in (ROOT / "deep").rglob("*.py")}
    assert "skreg/probe/_naive_bayes.py" in sources
    assert "skreg/deep/__init__.py" in sources
    assert sources | {"skreg/py.typed"} <= held
    assert {name for name in held if name.endswith(".py")} == sources


def lower_bounds(extras):
    """Lower bounds of the package and of some extras, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    matches = (re.match(r"([a-z0-9-]+)\S*?>=([\d.]+)", requirement) for requirement in requirements)
    return dict(match.groups() for match in matches if match)


def pinned(name):
    lines = (ROOT / name).read_text().split()
    return dict(line.split("==") for line in lines if "==" in line)


def extras_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["optional-dependencies"])


def test_the_oldest_versions_are_the_lower_bounds():
    """Of what users install; networks and rivals are not tried at their oldest versions."""
    extras = extras_of_the_project() - {"deep", "accelerate", "race", "dev", "docs", "all"}
    assert pinned("constraints-oldest.txt") == lower_bounds(extras)


def test_pins_satisfy_the_declared_requirements():
    floors, pins = lower_bounds(extras_of_the_project()), pinned("constraints.txt")
    assert pins["torch"] == "2.13.0"

    def number(version):
        return [int(part) for part in re.findall(r"\d+", version)]

    for name, pin in pins.items():
        assert number(pin) >= number(floors[name]), name


def test_every_public_file_knows_the_same_addresses():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    source, site = urls["Source"], urls["Documentation"]
    assert {urls["Homepage"], urls["Issues"].removesuffix("/issues")} == {source}
    assert urls["Changelog"] == f"{source}/blob/main/CHANGELOG.md"
    citation = (ROOT / "CITATION.cff").read_text()
    assert f'url: "{site}"' in citation
    assert f'repository-code: "{source}"' in citation
    assert f"{site}/en/stable" == DOCUMENTATION


def test_changelog_has_the_current_version():
    assert f"## [{skreg.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
