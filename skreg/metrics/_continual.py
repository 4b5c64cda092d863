"""What is kept of earlier tasks while classes come one task at a time."""

from typing import Any

import numpy as np


def average_accuracy(accuracy: Any) -> float:
    """Mean accuracy on all tasks after the last one was learned.

    With a_tj the accuracy on task j after task t, and T tasks::

        A = (1 / T) sum_j a_Tj

    Parameters
    ----------
    accuracy : array-like of shape (n_tasks, n_tasks), or list of n_tasks lists
        Row t holds the accuracies on the tasks 1, ..., t after task t. What stands to the right of
        these is not read, and may be missing; NaN among these makes the result NaN.

    Returns
    -------
    float
        The mean, in the unit of `accuracy`.

    Raises
    ------
    ValueError
        If there is no task, or a row is too short.

    Examples
    --------
    >>> from skreg.metrics import average_accuracy
    >>> average_accuracy([[0.9], [0.8, 0.7]])
    0.75
    """
    return float(_lower_triangle(accuracy)[-1].mean())


def forgetting(accuracy: Any) -> float:
    """Mean loss of accuracy on earlier tasks since each was known best.

    With a_tj the accuracy on task j after task t, and T tasks::

        F = 1 / (T - 1) sum_{j < T} (max_{j <= t < T} a_tj - a_Tj)

    It is negative where accuracy on earlier tasks rises with the last one, and zero for one task.

    Parameters
    ----------
    accuracy : array-like of shape (n_tasks, n_tasks), or list of n_tasks lists
        As for `average_accuracy`.

    Returns
    -------
    float
        The mean, in the unit of `accuracy`.

    Raises
    ------
    ValueError
        If there is no task, or a row is too short.

    References
    ----------
    .. [1] A. Chaudhry, P. Dokania, T. Ajanthan, P. Torr, "Riemannian Walk for Incremental
       Learning: Understanding Forgetting and Intransigence", ECCV 2018.

    Examples
    --------
    >>> from skreg.metrics import forgetting
    >>> round(forgetting([[0.9], [0.8, 0.7]]), 3)
    0.1
    """
    rows = _lower_triangle(accuracy)
    now = rows[-1]
    lost = [np.max([row[j] for row in rows[j:-1]]) - now[j] for j in range(len(rows) - 1)]
    return float(np.mean(lost)) if lost else 0.0


def _lower_triangle(accuracy):
    """Row t of the accuracies on the tasks up to t."""
    rows = [np.asarray(row, dtype=np.float64).reshape(-1) for row in accuracy]
    if not rows:
        raise ValueError("accuracy must have a row for each task, got none")
    for t, row in enumerate(rows):
        if len(row) <= t:
            raise ValueError(
                f"row {t} of accuracy must hold the accuracies on {t + 1} task(s), got {len(row)}: "
                "row t stands for what is known after task t"
            )
    return [row[: t + 1] for t, row in enumerate(rows)]
