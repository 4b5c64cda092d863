"""What runs at the moment, on stderr."""

from __future__ import annotations

from typing import TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """A line that is rewritten on a terminal; elsewhere a line for each thing that begins.

    Parameters
    ----------
    stream : text stream
        Where to write, usually stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()
        self._running: dict[str, str] = {}

    def begin(self, story: str, doing: str = "") -> None:
        """A story runs, or does something that a reader should know."""
        self._running[story] = f"{story} ({doing})" if doing else story
        if self._rewrites:
            self._rewrite()
        else:
            self._write(f"running: {self._running[story]}\n")

    def end(self, story: str) -> None:
        """A story is over; the line makes room for what is printed next."""
        self._running.pop(story, None)
        self.clear()

    def clear(self) -> None:
        """Take the line away."""
        if self._rewrites:
            self._write(_CLEAR)

    def restore(self) -> None:
        """Show the line again below what was printed."""
        if self._rewrites and self._running:
            self._rewrite()

    def _rewrite(self) -> None:
        self._write(f"{_CLEAR}running: {', '.join(self._running.values())}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
