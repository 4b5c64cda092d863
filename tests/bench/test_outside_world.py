"""What happens outside: full disks, broken files, closed pipes. A line each, and no traceback."""

import errno
import json
import os
import resource
import subprocess
import sys

import pytest

from skreg.bench._cli import main

from .conftest import TOYS

SKREG = "import sys; from skreg.bench._cli import main; sys.exit(main(sys.argv[1:]))"
TOY = ["bench", "--benchmarks", str(TOYS), "toy-means", "--size", "quick", "--n-jobs", "1"]


def one_line(err, *parts):
    (line,) = err.splitlines()
    assert line.startswith("skreg bench: ")
    for part in parts:
        assert part in line


def test_output_that_is_a_file(tmp_path, capsys):
    output = tmp_path / "taken"
    output.write_text("mine")
    assert main([*TOY, "--output", str(output)]) == 2
    one_line(capsys.readouterr().err, "--output", f"{output} is a file")
    assert output.read_text() == "mine"
    assert main([*TOY, "--output", str(output / "below")]) == 2
    one_line(capsys.readouterr().err, "--output", "Not a directory")


def test_output_that_is_read_only(capsys):
    assert main([*TOY, "--output", "/proc/skreg"]) == 2
    one_line(capsys.readouterr().err, "--output", "/proc/skreg")


def test_output_in_a_folder_without_the_right_to_write(tmp_path, capsys, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    assert main([*TOY, "--output", str(tmp_path)]) == 2
    one_line(capsys.readouterr().err, "cannot write into", "Permission denied")


@pytest.mark.parametrize("name", ["json", "results.csv", "results.parquet", "report.html"])
def test_disk_that_is_full(name, run_toy, monkeypatch):
    real = os.replace

    def full(source, target):
        if str(target).endswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr("os.replace", full)
    code, _, err, folder = run_toy()
    assert code == 1
    one_line(err, "cannot write", name, "No space left on device")
    assert not list(folder.parents[1].rglob("*.tmp"))
    monkeypatch.undo()
    code, out, _, _ = run_toy()
    assert code == 0
    assert f"{0 if name == 'json' else 8} of them from before" in out


def test_disk_that_is_full_while_processes_run(run_toy, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.replace", full)
    code, _, err, _ = run_toy("--n-jobs", "2")
    assert code == 1
    one_line(err, "cannot write", "No space left on device")


def test_files_that_may_not_grow(tmp_path):
    """As with a full disk or an exceeded quota, the system itself refuses."""
    finished = subprocess.run(
        [sys.executable, "-c", SKREG, *TOY, "--output", str(tmp_path / "output")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
    )
    assert finished.returncode == 1
    one_line(finished.stderr, "cannot write", "File too large")
    assert len(list((tmp_path / "output" / "cells" / "toy-means").iterdir())) == 8


BROKEN = {
    "syntax.py": ("def measure(:\n", "SyntaxError"),
    "raises.py": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "leaves.py": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "defines_none.py": ("x = 1\n", "it must define `benchmark`"),
    "other_extra.py": ('EXTRA = "quantum"\n', "skreg has no extra 'quantum', but "),
    "null.py": ("\0", "null bytes"),
    "long.py": ("raise ValueError('first\\nsecond')\n", "ValueError: first second"),
    "needs_helper.py": ("import no_such_helper\n", "ModuleNotFoundError"),
}


@pytest.fixture
def only_toys(monkeypatch):
    """Packaged benchmarks would take too long."""
    monkeypatch.setattr("skreg.bench._registry.ROOMS", ())


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_the_others_run(name, tmp_path, capsys, only_toys):
    content, reason = BROKEN[name]
    toys = tmp_path / "toys"
    toys.mkdir()
    (toys / "toy_means.py").write_text((TOYS / "toy_means.py").read_text())
    (toys / name).write_bytes(content.encode())
    words = ["bench", "--benchmarks", str(toys), "--output", str(tmp_path), "--n-jobs", "1"]
    assert main([*words, "quick"]) == 1
    out, err = capsys.readouterr()
    one_line(err, "left out", str(toys / name), reason)
    assert "1 reproduced, 1 contradicted, 1 undecided" in out
    assert main([*words, "run", name[:-3].replace("_", "-")]) == 1
    one_line(capsys.readouterr().err, reason)
    assert main(["bench", "--benchmarks", str(toys), "list"]) == 0
    assert "toy-means" in capsys.readouterr().out


@pytest.mark.parametrize(
    "damage",
    [
        lambda cell: cell[: len(cell) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: "\x00\x00",
        lambda cell: json.dumps(json.loads(cell) | {"rows": None}),
        lambda cell: json.dumps(json.loads(cell) | {"seed": 77}),
        lambda cell: json.dumps({k: v for k, v in json.loads(cell).items() if k != "seconds"}),
        lambda cell: json.dumps(json.loads(cell) | {"methods": 3}),
    ],
)
def test_a_damaged_cell_is_named_and_computed_again(damage, run_toy, traces):
    folder = run_toy()[3]
    results = (folder / "results.csv").read_bytes()
    cell = sorted((folder.parents[1] / "cells" / "toy-means").iterdir())[0]
    whole = cell.read_text()
    cell.write_text(damage(whole))
    traces.write_text("")
    code, out, err, _ = run_toy()
    assert code == 0
    one_line(err, "a damaged cell is computed again", str(cell))
    assert "7 of them from before" in out
    assert len(traces.read_text().splitlines()) == 1
    assert json.loads(cell.read_text()).keys() == json.loads(whole).keys()
    assert (folder / "results.csv").read_bytes() == results


def test_a_damaged_record_of_a_report_is_made_anew(run_toy):
    folder = run_toy()[3]
    for content in ("{", "[]", '{"name": "toy-means"}'):
        (folder / "report.json").write_text(content)
        code, _, err, _ = run_toy()
        assert (code, err) == (0, "")
        assert json.loads((folder / "report.json").read_text())["name"] == "toy-means"


def test_a_damaged_record_of_another_report_is_named(run_toy):
    folder = run_toy()[3]
    other = folder.parent / "another" / "report.json"
    other.parent.mkdir()
    other.write_text("{}")
    code, _, err, _ = run_toy()
    assert code == 0
    one_line(err, str(other), "`skreg bench report another` makes it anew")
    assert (folder.parent / "index.html").read_text().count("<section") == 1


@pytest.mark.parametrize("words", [["bench", "list"], ["info"]])
def test_a_closed_pipe(words):
    reader, writer = os.pipe()
    os.close(reader)  # before anything is written
    finished = subprocess.run(
        [sys.executable, "-c", SKREG, *words], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert finished.returncode == 141
    assert finished.stderr == ""


def test_a_broken_figure_costs_itself_only(run_toy, monkeypatch):
    monkeypatch.setenv("TOY_FIGURE_FAILS", "1")
    code, out, err, folder = run_toy()
    assert code == 1
    one_line(err, "figure: Squared error against the sample size. ZeroDivisionError")
    assert "1 reproduced" in out
    assert "A figure could not be drawn" in (folder / "report.html").read_text()
