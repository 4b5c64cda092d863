"""Statistical benchmarks behind the ``skreg`` command.

A benchmark is one file that defines ``benchmark``, a `Benchmark`. Its file name is its name
(``probe_few_shot.py`` is ``probe-few-shot``), the first line of its docstring is its description,
the rest of the docstring says what it asks. Files in ``skreg/bench/benchmarks/`` are found by
listing that folder; ``skreg bench --benchmarks FOLDER ...`` finds those of another folder as well.
One that imports packages of an extra of skreg says so by a line like ``EXTRA = "deep"``: it is left
out of ``run all`` and ``quick`` where they are not installed. One without a setting of size "quick"
is no part of ``quick``.

``skreg bench list`` names the benchmarks, ``skreg bench NAME`` runs one and writes a table of all
results and a self-contained HTML report.
"""

from skreg.bench._benchmark import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict

__all__ = ["Axis", "Benchmark", "Claim", "Figure", "Metric", "Setting", "Verdict"]
