"""Kernels: generic functions, the disk cache and what makes it stale."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numba.extending import overload

import skreg
from skreg import _compiling
from skreg._compiling import CompilationNotice
from skreg._jit import generic, kernel


class Celsius(NamedTuple):
    degrees: float


class Fahrenheit(NamedTuple):
    degrees: float


@generic
def kelvin(temperature, offset):
    """Temperature in kelvin, plus an offset."""


@kelvin.register(Celsius)
def _(temperature, offset):
    return temperature.degrees + 273.15 + offset


@kelvin.register(Fahrenheit)
def _(temperature, offset):
    return (temperature.degrees - 32) * 5 / 9 + 273.15 + offset


@kernel
def total_kelvin(temperature, offsets):
    total = 0.0
    for offset in offsets:
        total += kelvin(temperature, offset)
    return total


@pytest.mark.parametrize("temperature", [Celsius(20.0), Fahrenheit(68.0)])
def test_generic_function_is_the_same_in_python_and_in_kernels(temperature):
    offsets = np.array([0.0, 1.0, 10.0])
    expected = 3 * 293.15 + 11
    assert kelvin(temperature, 0.0) == pytest.approx(293.15)
    assert total_kelvin.py_func(temperature, offsets) == pytest.approx(expected)
    assert total_kelvin(temperature, offsets) == pytest.approx(expected)


def test_unknown_class_and_wrong_argument_names_are_named():
    class Rankine(NamedTuple):
        degrees: float

    with pytest.raises(TypeError, match="not defined for Rankine; only for Celsius, Fahrenheit"):
        kelvin(Rankine(500.0), 0.0)
    with pytest.raises(TypeError, match="must be"):
        kelvin.register(Rankine)(lambda temperature, shift: 0.0)


def test_kernels_release_the_gil_and_follow_numpy_on_division():
    @kernel
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == np.inf
    assert divide.targetoptions["nogil"]


def test_constant_arguments_share_the_version_of_their_type():
    @kernel
    def scaled(x, factor, negate):
        return -factor * x if negate else factor * x

    @kernel
    def total(x, factor):
        return scaled(x, 2, False) + scaled(x, 3, True) + scaled(x, factor, factor > 0)

    assert total(1.0, 5) == 2.0 - 3.0 - 5.0
    assert len(scaled.signatures) == 1


@pytest.mark.parametrize("users_choice", [True, False])
def test_the_garbage_collector_pauses_while_a_kernel_compiles_and_is_as_before_then(users_choice):
    seen = []

    def twice(x):
        """A function whose body is chosen during compilation."""

    @overload(twice)
    def _(x):
        seen.append(gc.isenabled())
        return lambda x: 2.0 * x

    @kernel
    def inner(x):
        return x + 1.0

    @kernel
    def outer(x):
        return twice(inner(x))

    was = gc.isenabled()
    try:
        (gc.enable if users_choice else gc.disable)()
        assert outer(1.0) == 4.0
        assert gc.isenabled() == users_choice
    finally:
        (gc.enable if was else gc.disable)()
    assert seen
    assert not any(seen)


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(_compiling.time, "perf_counter", lambda: self.now)

    def compile(self, notice, seconds):
        with notice.compiling():
            self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.delenv(_compiling.SILENT, raising=False)
    return Clock(monkeypatch)


def test_long_compilation_is_told_once_on_stderr(clock, capsys):
    notice = CompilationNotice()
    for _ in range(4):
        assert capsys.readouterr().err == ""
        clock.compile(notice, _compiling.NOTICEABLE / 4)
        clock.now += 100.0  # the user's own work
    for _ in range(3):
        clock.compile(notice, 5.0)
    out, err = capsys.readouterr()
    assert (out, err.count("skreg warmup"), err.count("\n")) == ("", 1, 1)
    assert notice.n_compiled == 7


def test_compilation_is_told_of_while_the_outer_kernel_still_waits(clock, capsys):
    notice = CompilationNotice()
    with notice.compiling():
        clock.compile(notice, 2 * _compiling.NOTICEABLE)
        assert capsys.readouterr().err == ""
        clock.compile(notice, 0.0)
        assert "compiling kernels" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["variable", "pool", "no stderr"])
def test_compilation_is_silent_where_nobody_reads(reason, clock, capsys, monkeypatch):
    if reason == "variable":
        monkeypatch.setenv(_compiling.SILENT, "1")
    elif reason == "pool":
        monkeypatch.setattr(_compiling.multiprocessing, "parent_process", lambda: object())
    else:
        monkeypatch.setattr(sys, "stderr", None)
    notice = CompilationNotice()
    for _ in range(2):
        clock.compile(notice, 5.0)
    assert capsys.readouterr() == ("", "")


PROGRAM = """
import numpy as np
from skreg._jit import kernel
from skreg.optim._temperature import Celsius, kelvin_total
print(kelvin_total(Celsius(20.0), np.zeros(2)), sum(kelvin_total.stats.cache_hits.values()))
"""
GENERIC = """
from typing import NamedTuple
from skreg._jit import generic, kernel
class Celsius(NamedTuple):
    degrees: float
@generic
def kelvin(temperature, offset):
    "Temperature in kelvin."
@kelvin.register(Celsius)
def _(temperature, offset):
    return temperature.degrees + 273.15 + offset
"""
KERNEL = """
from skreg._jit import kernel
from skreg.optim._scale import Celsius, kelvin
@kernel
def kelvin_total(temperature, offsets):
    total = 0.0
    for offset in offsets:
        total += kelvin(temperature, offset)
    return total
"""


@pytest.fixture
def package_copy(tmp_path):
    """A small copy of the package: the jit module, a generic function, a kernel in another file."""
    optim = tmp_path / "skreg" / "optim"
    optim.mkdir(parents=True)
    for name in ("_jit.py", "_kernel_sources.py", "_compiling.py"):
        shutil.copy(Path(skreg.__file__).parent / name, tmp_path / "skreg")
    for folder in (tmp_path / "skreg", optim):
        (folder / "__init__.py").write_text("")
    (optim / "_scale.py").write_text(GENERIC)
    (optim / "_temperature.py").write_text(KERNEL)
    return tmp_path


def run_copy(folder, program=PROGRAM, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PYTHONPATH": str(folder)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits = answer.stdout.split()
    return float(value), int(hits), answer.stderr


def test_cache_is_used_by_the_next_process_and_dropped_after_an_edit_of_a_body_elsewhere(
    package_copy,
):
    assert run_copy(package_copy)[:2] == (pytest.approx(586.3), 0)
    assert run_copy(package_copy)[:2] == (pytest.approx(586.3), 1)
    body = package_copy / "skreg" / "optim" / "_scale.py"
    body.write_text(body.read_text().replace("273.15", "300.00"))  # same size, other file
    assert run_copy(package_copy)[:2] == (pytest.approx(640.0), 0)
    assert run_copy(package_copy)[:2] == (pytest.approx(640.0), 1)


def test_edits_that_are_no_kernel_source_keep_the_cache(package_copy):
    run_copy(package_copy)
    (package_copy / "skreg" / "words.py").write_text("GREETING = 'hello'\n")
    assert run_copy(package_copy)[1] == 1


def test_edits_of_kernel_sources_that_a_kernel_does_not_reach_keep_its_cache(package_copy):
    other = package_copy / "skreg" / "other"
    other.mkdir()
    (other / "_area.py").write_text(GENERIC.replace("kelvin", "area").replace("Celsius", "Square"))
    run_copy(package_copy)
    (other / "_area.py").write_text((other / "_area.py").read_text() + "SIDE = 3\n")
    (other / "_volume.py").write_text("from skreg._jit import kernel\n")
    assert run_copy(package_copy)[1] == 1


def test_an_edit_of_a_body_that_the_kernels_module_does_not_import_is_noticed(package_copy):
    body = package_copy / "skreg" / "optim" / "_rankine.py"
    body.write_text("""
from typing import NamedTuple
from skreg.optim._constants import ZERO
from skreg.optim._scale import kelvin
class Rankine(NamedTuple):
    degrees: float
@kelvin.register(Rankine)
def _(temperature, offset):
    return temperature.degrees * 5 / 9 + offset + ZERO
""")
    constants = body.with_name("_constants.py")
    constants.write_text("from skreg._jit import kernel\nZERO = 0.0\n")
    program = PROGRAM.replace("(Celsius(20.0)", "(Rankine(90.0)").replace(
        "print", "from skreg.optim._rankine import Rankine\nprint"
    )
    assert run_copy(package_copy, program)[:2] == (pytest.approx(100.0), 0)
    assert run_copy(package_copy, program)[:2] == (pytest.approx(100.0), 1)
    body.write_text(body.read_text().replace("5 / 9", "1 / 9"))
    assert run_copy(package_copy, program)[:2] == (pytest.approx(20.0), 0)
    constants.write_text(constants.read_text().replace("0.0", "1.0"))
    assert run_copy(package_copy, program)[:2] == (pytest.approx(22.0), 0)


def test_versions_of_a_kernel_share_no_file_that_two_processes_could_write_at_once(package_copy):
    single = PROGRAM.replace("np.zeros(2)", "np.zeros(2, np.float32)")
    for _ in range(2):
        hits = [run_copy(package_copy, program)[1] for program in (PROGRAM, single)]
    assert hits == [1, 1]
    files = {path.suffix: path for path in package_copy.rglob("*kelvin_total*.nb?")}
    assert set(files) == {".nbi", ".nbc"}
    for suffix in files:
        assert len(list(package_copy.rglob(f"*kelvin_total*{suffix}"))) == 2


def test_read_only_installation_falls_back_to_the_users_cache(package_copy, tmp_path):
    optim = package_copy / "skreg" / "optim"
    (optim / "__pycache__").write_text("not a folder: nothing can be written here")
    user_cache = {"XDG_CACHE_HOME": str(tmp_path / "user"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run_copy(package_copy, **user_cache)[1] == 0
    assert run_copy(package_copy, **user_cache)[1] == 1
    assert list((tmp_path / "user").rglob("*.nbi"))


def test_no_writable_folder_at_all_warns_and_still_works(package_copy, tmp_path):
    optim = package_copy / "skreg" / "optim"
    (optim / "__pycache__").write_text("not a folder")
    (tmp_path / "user").write_text("not a folder either")
    value, hits, messages = run_copy(package_copy, XDG_CACHE_HOME=str(tmp_path / "user"))
    assert (value, hits) == (pytest.approx(586.3), 0)
    assert "Set NUMBA_CACHE_DIR to a writable folder" in messages


def test_an_edited_body_of_a_users_own_class_is_compiled_anew(package_copy):
    program = package_copy / "mine.py"
    source = """
from typing import NamedTuple
import numpy as np
from skreg.optim._scale import kelvin
from skreg.optim._temperature import kelvin_total
class Mine(NamedTuple):
    degrees: float
@kelvin.register(Mine)
def _(temperature, offset):
    return temperature.degrees + OFFSET + offset
if __name__ != "__main__":
    print(kelvin_total(Mine(1.0), np.zeros(1)), sum(kelvin_total.stats.cache_hits.values()))
"""

    def run():
        answer = subprocess.run(
            [sys.executable, "-c", "import mine"],
            env=os.environ | {"PYTHONPATH": str(package_copy)},
            cwd=package_copy,
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.split()

    program.write_text(source.replace("OFFSET", "1.0"))
    assert run() == ["2.0", "0"]
    assert run() == ["2.0", "1"]
    program.write_text(source.replace("OFFSET", "2.0"))
    assert run() == ["3.0", "0"]


def test_a_class_that_is_gone_breaks_no_other_process(package_copy):
    program = package_copy / "mine.py"
    program.write_text(
        """
from typing import NamedTuple
import numpy as np
from skreg.optim._scale import kelvin
from skreg.optim._temperature import kelvin_total
class Mine(NamedTuple):
    degrees: float
@kelvin.register(Mine)
def _(temperature, offset):
    return temperature.degrees + offset
kelvin_total(Mine(1.0), np.zeros(1))
"""
    )
    environment = os.environ | {"PYTHONPATH": str(package_copy)}
    environment.pop("NUMBA_CACHE_DIR", None)
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", "import mine"], env=environment, cwd=package_copy, check=True
        )
    program.unlink()
    assert run_copy(package_copy)[:2] == (pytest.approx(586.3), 0)
    assert run_copy(package_copy)[:2] == (pytest.approx(586.3), 1)
