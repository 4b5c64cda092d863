"""Processes that tell stories, and what they report while they do."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple

STARTED, COMPILING, TOLD, FAILED = "started", "compiling", "told", "failed"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# an interrupt reaches the whole group, but the parent alone decides what it means
_PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from skreg.demo._workers import serve; serve()"
)


class Event(NamedTuple):
    """Something that happened to a story.

    Attributes
    ----------
    story : str
        Its name.
    kind : str
        "started", "compiling", "told" or "failed".
    content : Any
        The `Told` of a told story, the reason of a failed one, else None.
    """

    story: str
    kind: str
    content: Any = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more will happen to the story."""
        return self.kind in (TOLD, FAILED)


def run_stories(
    stories: Mapping[str, str], seed: int, n_workers: int
) -> Generator[Event, None, None]:
    """Run stories in processes of their own and yield what happens, as it happens.

    Parameters
    ----------
    stories : mapping of str to str
        Dotted names of modules by the names of their stories, in the order in which they begin.
    seed : int
        Seed of every story.
    n_workers : int
        Number of processes, each with one thread.

    Yields
    ------
    Event
        For each story "started", perhaps "compiling", and either "told" or "failed". When the
        generator is closed or interrupted, its processes end at once.
    """
    waiting = deque(stories.items())
    events: queue.Queue[Event] = queue.Queue()
    workers = [_Worker(waiting, events, seed) for _ in range(min(n_workers, len(stories)))]
    try:
        for worker in workers:
            worker.start()
        n_done = 0
        while n_done < len(stories):
            event = events.get()
            n_done += event.is_last
            yield event
    finally:
        waiting.clear()
        for worker in workers:
            worker.end()


class _Worker(threading.Thread):
    """Takes stories as long as there are any, and has a process tell each of them."""

    def __init__(self, waiting: deque, events: queue.Queue, seed: int) -> None:
        super().__init__(daemon=True)
        self._waiting, self._events, self._seed = waiting, events, seed
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._ended = False

    def run(self) -> None:
        while self._waiting:
            try:
                name, module = self._waiting.popleft()
            except IndexError:  # another worker took the last one
                return
            self._events.put(Event(name, STARTED))
            try:
                process = self._living_process()
            except OSError as error:
                self._events.put(Event(name, FAILED, f"no process could be started: {error}"))
                continue
            if process is None:
                return
            for event in _told_by(process, name, module, self._seed):
                self._events.put(event)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._ended = True
            process = self._process
        if process is not None:
            process.kill()
            self.join()  # its reads end with the process
            _close(process)

    def _living_process(self) -> subprocess.Popen | None:
        """The process, started again if it has died; None after the end."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if self._ended:
                    return None
                if self._process is not None:
                    _close(self._process)
                self._process = _start_process()
            return self._process


def _told_by(process: Any, name: str, module: str, seed: int) -> Iterator[Event]:
    """What a process answers when it is asked for a story."""
    try:
        pickle.dump((name, module, seed), process.stdin)
        process.stdin.flush()
        while True:
            event = pickle.load(process.stdout)
            yield event
            if event.is_last:
                return
    except (OSError, EOFError, pickle.UnpicklingError):  # killed, perhaps for its memory
        yield Event(name, FAILED, f"its process ended with exit code {process.wait()}")


def _start_process() -> subprocess.Popen:
    """A process that computes on one thread and sees the modules that this one sees."""
    environment = {
        **os.environ,
        **dict.fromkeys(_THREADS, "1"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _close(process: subprocess.Popen) -> None:
    """Give back what a process that has ended still holds."""
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not read cannot be flushed
            pipe.close()  # type: ignore[union-attr]


def serve() -> None:
    """In a worker process: tell the stories that stdin names, answer with events on stdout."""
    from skreg._compiling import notice
    from skreg.demo._told import tell

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a story prints is no answer

    def answer(event: Event) -> None:
        pickle.dump(event, answers)
        answers.flush()

    while True:
        try:
            name, module, seed = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        notice.listen(lambda name=name: answer(Event(name, COMPILING)))  # type: ignore[misc]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # truths and certificates on the page judge
                event = Event(name, TOLD, tell(name, module, seed))
        except Exception as error:
            event = Event(name, FAILED, _in_one_line(error))
        answer(event)


def _in_one_line(error: Exception) -> str:
    message = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
