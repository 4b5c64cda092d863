"""``skreg demo``: exit codes, messages, the page whole or not at all."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skreg.bench._cli import main
from skreg.demo import _command, _registry, _workers
from skreg.demo._told import tell
from skreg.demo._workers import Event


def demo(*words):
    return main(["demo", *map(str, words)])


@pytest.fixture
def page(tmp_path):
    return tmp_path / "page.html"


@pytest.fixture
def at_once(monkeypatch):
    """Tell stories in this process."""

    def run_stories(stories, seed, _):
        for name, module in stories.items():
            yield Event(name, "started")
            try:
                yield Event(name, "told", tell(name, module, seed))
            except ValueError as error:
                yield Event(name, "failed", str(error))

    monkeypatch.setattr(_workers, "run_stories", run_stories)


def test_stories_are_told_and_the_page_is_named(tell_toys, page, capfd):
    tell_toys("toy-well", "toy-again")
    assert demo("--output", page, "--seed", 4) == 0
    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert sorted(lines[1:3]) == ["toy-again: <measured> 5", "toy-well: <measured> 5"]
    assert lines[-1].endswith(str(page))
    assert "running: toy-well" in err
    assert "\r" not in err
    assert len(lines) + len(err.splitlines()) <= 40


def test_the_page_loads_nothing_and_shows_code_that_runs(tell_toys, page):
    tell_toys("toy-well", "toy-again")
    assert demo("--output", page) == 0
    text = page.read_text()
    assert not re.search(r"""(src|href)=["'](?!#)""", text.replace("xlink:", ""))
    assert "<script" not in text
    assert "&lt;measured&gt; 1" in text
    assert "return seed + 1" in text
    assert "<code>quickly</code>" in text
    assert text.count("<svg") == 2
    for fact in ("skreg", "numpy", "Processor", "Seed", "Seconds"):
        assert f"<td>{fact}</td>" in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
        pair for name in ids for pair in ((name, ""), ("", name))
    }


def test_some_stories_by_name_in_the_order_of_the_page(tell_toys, page, at_once):
    tell_toys("toy-well", "toy-again", "toy-fails")
    assert demo("toy-again", "toy-well", "--output", page) == 0
    text = page.read_text()
    assert 0 < text.index('id="toy-well"') < text.index('id="toy-again"')


def test_unknown_story_names_the_nearest(capsys):
    assert demo("few-lables") == 2
    assert "did you mean few-labels?" in capsys.readouterr().err
    assert demo("xyzzy") == 2
    assert "rare-event" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "x", "99999999999"])
def test_seeds_that_are_none(seed, capsys):
    assert demo(f"--seed={seed}") == 2
    assert "is not an integer from 0" in capsys.readouterr().err


def test_a_failing_and_a_dying_story_are_named_and_the_others_told(tell_toys, page, capfd):
    tell_toys("toy-fails", "toy-dies", "toy-well")
    assert demo("--output", page) == 1
    out = capfd.readouterr().out
    assert "toy-fails failed: ValueError: first line\n" in out
    assert "toy-dies failed: its process ended with exit code 3\n" in out
    assert "toy-well: <measured>" in out
    assert "second line" not in out + page.read_text()
    assert "toy-dies failed: its process ended" in page.read_text()


def test_when_nothing_was_told_no_page_is_written(tell_toys, page, at_once):
    tell_toys("toy-fails")
    assert demo("--output", page) == 1
    assert list(page.parent.iterdir()) == []


@pytest.mark.parametrize("place", ["folder", "missing/page.html", "file/page.html", "device"])
def test_output_that_cannot_be_is_refused_before_work_begins(
    place, tmp_path, tell_toys, capsys, monkeypatch
):
    def no_work(*_):
        raise AssertionError("stories ran")

    tell_toys("toy-well")
    monkeypatch.setattr("skreg.demo._workers.run_stories", no_work)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    path = Path(os.devnull) if place == "device" else tmp_path / place
    assert demo("--output", path) == 2
    message = capsys.readouterr().err
    assert message.startswith("skreg demo: ")
    assert message.count("\n") == 1
    assert str(path) in message
    assert (tmp_path / "file").read_text() == "kept"


def test_read_only_places_are_refused(tmp_path, tell_toys, capsys, monkeypatch):
    tell_toys("toy-well")
    page = tmp_path / "page.html"
    page.write_text("kept")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write all
    assert demo("--output", page) == 2
    assert "is read-only" in capsys.readouterr().err

    def refuse(self, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "touch", refuse)
    assert demo("--output", tmp_path / "other.html") == 2
    assert "Permission denied" in capsys.readouterr().err


def test_a_full_disk_leaves_the_page_of_before(page, tell_toys, at_once, capsys, monkeypatch):
    tell_toys("toy-well")
    page.write_text("before")

    def half(self, text, **_):
        Path.write_bytes(self, b"<html")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", half)
    assert demo("--output", page) == 2
    message = capsys.readouterr().err
    assert f"skreg demo: cannot write {page}: No space left on device" in message
    monkeypatch.undo()
    assert page.read_text() == "before"
    assert list(page.parent.iterdir()) == [page]


def test_missing_matplotlib_is_an_install_hint(page, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert demo("--output", page) == 2
    message = capsys.readouterr().err
    assert (
        "skreg demo needs matplotlib, which is not installed: pip install 'skreg[plot]'" in message
    )
    assert not page.exists()


def test_without_torch_wrong_labels_is_left_out(tell_toys, page, at_once, monkeypatch, capfd):
    tell_toys("toy-well", "wrong-labels")
    find = _registry.importlib.util.find_spec
    monkeypatch.setattr(
        _registry.importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    assert demo("--output", page) == 0
    reason = "it needs torch: pip install 'skreg[deep]'"
    assert f"wrong-labels is left out, {reason}" in capfd.readouterr().out
    assert "wrong-labels was left out" in page.read_text()
    assert demo("wrong-labels", "--output", page) == 2


PROGRAM = """
import sys
sys.path.insert(0, {toys!r})
from skreg.bench._cli import main
from skreg.demo import _command
_command.STORIES = {stories!r}
if __name__ == "__main__":
    sys.exit(main(["demo", "--output", {page!r}]))
"""


@pytest.fixture
def start(toys, page):
    """Start the command on some toys in a process group of its own."""
    started = []

    def start(*names, **pipes):
        stories = {name: name.replace("-", "_") for name in names}
        program = PROGRAM.format(toys=str(toys), stories=stories, page=str(page))
        process = subprocess.Popen(
            [sys.executable, "-c", program], text=True, start_new_session=True, **pipes
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_an_interrupt_ends_everything_at_once(start, page):
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = start("toy-sleeps", "toy-well", **pipes)
    assert process.stderr.readline() == "running: toy-sleeps\n"
    time.sleep(0.5)  # as in a terminal, the workers get the signal too
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stderr.read()  # returns when the workers have ended, as they hold it too
    assert process.wait() == 130
    assert "Interrupted; no page was written." in rest
    assert "Traceback" not in rest
    assert not page.exists()


def test_a_closed_pipe_is_no_traceback(start, page):
    process = start("toy-well", "toy-again", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith("2 stories")
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait() == _command.NOBODY_READS


def test_the_command_loads_nothing_heavy():
    program = (
        "import sys; from skreg.bench._cli import main; main(['demo', '--help']);"
        "sys.exit(' '.join({'numpy', 'matplotlib', 'sklearn', 'torch'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in _registry.STORIES)
