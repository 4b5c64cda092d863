"""Statistical benchmarks behind the ``skreg`` command.

A benchmark is one file that defines ``benchmark``, a `Benchmark`. Its file name is its name
(``sparse_race.py`` is ``sparse-race``), the first line of its docstring is its description, the
rest of the docstring says what it asks. There are two rooms of them: ``papers/``, one file per
paper, which also defines ``PAPER``, a `Paper`, and ``races/``, one file per area, on speed and
memory. What they share (checks, views, networks, tasks, rivals) is in ``arena/``.
``skreg bench --benchmarks FOLDER ...`` finds those of another folder as well. One that imports
packages of an extra of skreg says so by a line like ``EXTRA = "deep"``: it is left out of ``run
all`` and ``quick`` where they are not installed. One without a setting of size "quick" is no part
of ``quick``.

``skreg bench list`` names the benchmarks, ``skreg bench NAME`` runs one and writes a table of all
results and a self-contained HTML report.
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
