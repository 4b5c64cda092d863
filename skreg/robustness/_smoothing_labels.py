"""Labels of classes, and one of abstention beside them."""

from numbers import Real
from typing import Any

import numpy as np


def label_table(classes: np.ndarray, abstain_label: Any) -> np.ndarray:
    """Labels of the classes and, last, that of abstention, so that index -1 abstains.

    Numbers among numbers stay numbers and strings among strings strings; a number among strings
    becomes its text. Anything else makes an array of objects.
    """
    abstain = _among(classes, abstain_label)
    numbers = classes.dtype.kind in "biuf" and isinstance(abstain, Real)
    strings = classes.dtype.kind == "U" and isinstance(abstain, str)
    if numbers or strings:
        return np.append(classes, abstain)
    table = np.empty(len(classes) + 1, dtype=object)
    table[:-1] = classes
    table[-1] = abstain
    return table


def check_abstain_label(abstain_label: Any, classes: np.ndarray) -> None:
    """Refuse a label of abstention that is one of a class."""
    if _among(classes, abstain_label) in classes.tolist():
        raise ValueError(
            f"abstain_label = {abstain_label!r} is one of the classes {classes.tolist()}: choose "
            "another number or text, or None"
        )


def _among(classes, abstain_label):
    strings = isinstance(classes.tolist()[0], str)
    number = isinstance(abstain_label, Real)
    return str(abstain_label) if strings and number else abstain_label
