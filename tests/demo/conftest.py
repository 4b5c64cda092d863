"""Toy stories that the worker processes of a test can import."""

import pytest

from skreg.demo import _command

TOY = '''"""A toy story.

It measures nothing, `quickly`.
"""

import os

from matplotlib.figure import Figure


def made_by(seed):
    """The code on the page."""
    return seed + 1


SHOWN = made_by


def measure(seed):
    {body}
    return made_by(seed)


def sentence(measured):
    return f"<measured> {{measured}}"


def draw(measured):
    figure = Figure(figsize=(2, 1))
    figure.subplots().set_title("a & b")
    return figure, "A caption."
'''
BODIES = {
    "toy-well": "print('not for the terminal')",
    "toy-again": "pass",
    "toy-fails": "raise ValueError('first line\\nsecond line')",
    "toy-dies": "os._exit(3)",
    "toy-sleeps": "import time; time.sleep(60)",
    "toy-compiles": (
        "from skreg._compiling import notice; notice._spent = 9.0\n"
        "    with notice.compiling(): pass"
    ),
    "toy-threads": "return os.environ['OMP_NUM_THREADS']",
}


@pytest.fixture(scope="session")
def toys(tmp_path_factory):
    """Folder with the modules, and dotted names by story."""
    folder = tmp_path_factory.mktemp("toys")
    for name, body in BODIES.items():
        (folder / f"{name.replace('-', '_')}.py").write_text(TOY.format(body=body))
    return folder


@pytest.fixture
def tell_toys(toys, monkeypatch):
    """Make the command know these toys instead of the stories."""
    monkeypatch.syspath_prepend(toys)

    def choose(*names):
        stories = {name: name.replace("-", "_") for name in names}
        monkeypatch.setattr(_command, "STORIES", stories)
        return stories

    return choose
