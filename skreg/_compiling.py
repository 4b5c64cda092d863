"""One line on stderr when kernels are being compiled, as that is a long silent wait."""

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator

NOTICEABLE = 1.0  # seconds of compilation in a process after which the line is worth reading
SILENT = "SKREG_SILENT_COMPILATION"
_LINE = (
    "skreg: compiling kernels, once per installation and kind of data (some 10 seconds); "
    "`skreg warmup` does it ahead"
)


class CompilationNotice:
    """Measures how long a process has compiled, and says so once when it becomes noticeable.

    Processes of a pool are silent, as their parent or its user knows; so is any process whose
    environment has a non-empty ``SKREG_SILENT_COMPILATION``.

    Attributes
    ----------
    n_compiled : int
        Versions of kernels that this process has compiled, not counting those from the cache.
    """

    def __init__(self) -> None:
        self.n_compiled = 0
        self._started: list[float] = []  # of a compilation and of those inside of it
        self._spent = 0.0
        self._said = False
        self._listener: Callable[[], None] | None = None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` instead of printing, once more when it becomes noticeable from now on.

        For a process whose parent shows what it does.
        """
        self._listener, self._said, self._spent = listener, False, 0.0

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Around one compilation, in which others may be nested."""
        self.n_compiled += 1
        self._started.append(time.perf_counter())
        self._say_if_noticeable()
        try:
            yield
        finally:
            started = self._started.pop()
            if not self._started:
                self._spent += time.perf_counter() - started

    def _say_if_noticeable(self) -> None:
        spent = self._spent + time.perf_counter() - self._started[0]
        if self._said or spent < NOTICEABLE:
            return
        self._said = True
        if self._listener is not None:
            self._listener()
            return
        in_a_pool = multiprocessing.parent_process() is not None
        if sys.stderr is not None and not in_a_pool and not os.environ.get(SILENT):
            print(_LINE, file=sys.stderr, flush=True)


notice = CompilationNotice()
