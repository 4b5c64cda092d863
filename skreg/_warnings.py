"""Warnings that point at the user's own line."""

import sys
import warnings
from types import FrameType

INSIDE = {"skreg", "sklearn", "skorch", "torch", "joblib"}


def warn(message, category=UserWarning):
    """Warn at the nearest caller outside of skreg, scikit-learn, skorch, torch and joblib.

    How many frames lie in between depends on whether an estimator was fitted directly, in a
    pipeline or in a grid search.
    """
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and _package(frame) in INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
