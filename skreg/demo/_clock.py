"""Processor seconds of a call, which other programs on the machine disturb little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(function: Callable, *arguments: Any) -> tuple[Any, float]:
    """Result and processor seconds of a call; with one thread, the seconds on an idle machine."""
    started = time.process_time()
    result = function(*arguments)
    return result, max(time.process_time() - started, 1e-6)
