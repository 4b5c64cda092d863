"""Statistical benchmarks behind the ``skreg`` command.

A benchmark is one file that defines ``benchmark``, a `Benchmark`. Its file name is its name
(``sparse_race.py`` is ``sparse-race``), the first line of its docstring is its description, the
rest of the docstring says what it asks. There are two rooms of them: ``papers/``, one file per
paper, which also defines ``PAPER``, a `Paper`, and ``races/``, one file per area, on speed and
memory. What they share (checks, views, networks, tasks, rivals) is in ``arena/``.
``skreg bench --benchmarks FOLDER ...`` finds those of another folder as well, where helpers have
names that begin with an underscore. One that imports packages of an extra of skreg says so by a
line like ``EXTRA = "deep"``: it is left out of ``run all`` and ``quick`` where they are not
installed. One without a setting of size "quick" is no part of ``quick``.

A claim is checked on intervals over the seeds, by `skreg.bench.arena.checks`: reproduced,
contradicted, or undecided. At a size that does not decide it, its numbers are shown without a
verdict; about a rival that is not installed it says what to install.

``skreg bench list`` names the benchmarks, ``skreg bench run NAME`` runs one, ``skreg bench quick``
a small size of all, and ``skreg bench report`` renders what an interrupted run has left. In the
output folder, ``SIZE/NAME/`` holds the table of all results and a self-contained HTML report,
``SIZE/index.html`` joins the reports of a size, and ``cells/NAME/`` holds the finished cells of all
sizes. A finished cell is found again until the benchmark's file, or a file that it reaches by
imports, is edited; the harness, checks and pictures do not count, nor do other methods.

What is timed belongs into a benchmark with ``serial=True``: it runs in one process, after its
smallest size has compiled all kernels. ``seconds`` of a `Benchmark` says how long it takes.
"""

from skreg.bench._benchmark import (
    Axis,
    Benchmark,
    Claim,
    Evidence,
    Figure,
    Metric,
    Paper,
    Setting,
    Verdict,
)
from skreg.bench._statistics import by_seed, mean_and_standard_error

__all__ = [
    "Axis",
    "Benchmark",
    "Claim",
    "Evidence",
    "Figure",
    "Metric",
    "Paper",
    "Setting",
    "Verdict",
    "by_seed",
    "mean_and_standard_error",
]
