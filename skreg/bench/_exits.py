"""How the ``skreg`` command ends."""

from __future__ import annotations

OK, FAILED, USAGE, CONTRADICTED, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 3, 130, 141

EXIT_CODES = """\
exit codes:
  0    all that was asked ran, whatever came out; benchmarks and rivals whose packages are
       missing are left out and named
  1    something failed: a cell, the check of a claim, a figure, the file of a benchmark, or
       writing into --output on the way; the rest was run and reported
  2    usage error, a named benchmark needs a package that is missing, or --output is not a
       folder that can be written
  3    with --strict: a claim was contradicted (undecided ones change nothing)
  130  interrupted; the same command resumes from the finished cells
  141  the reader of the output closed it
"""


class UsageError(Exception):
    """The command cannot do what was asked."""
