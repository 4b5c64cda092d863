"""The picture of what is kept of earlier tasks."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg._inside import holder_of
from skreg.metrics import average_accuracy, forgetting
from skreg.pictures import INK, pyplot

BRIGHT = 0.55  # accuracies from here on are written in dark letters


class TaskAccuracyDisplay:
    """Accuracy on each task after each task, and what was forgotten of it since it was known best.

    Use `from_estimator` with a classifier that was fitted with validation samples. Row t shows the
    accuracies after task t; the last row shows for each earlier task its best earlier accuracy
    minus the present one.

    Parameters
    ----------
    accuracy : array-like of shape (n_tasks, n_tasks)
        Accuracy on task j after task t in row t and column j.
    task_names : list of str, default=None
        Names of the tasks; their numbers if None.
    name : str, default=None
        Name of the model, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        Its figure.
    image_ : matplotlib AxesImage
        The accuracies.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from skreg.deep import TaskAccuracyDisplay
    >>> TaskAccuracyDisplay(accuracy=[[0.9, np.nan], [0.8, 0.7]]).plot()
    TaskAccuracyDisplay(2 tasks, average accuracy 0.750, forgetting 0.100)
    """

    def __init__(
        self, *, accuracy: ArrayLike, task_names: list[str] | None = None, name: str | None = None
    ) -> None:
        self.accuracy: Any = accuracy
        self.task_names = task_names
        self.name = name

    def __repr__(self) -> str:
        return f"TaskAccuracyDisplay({len(self.accuracy)} tasks, {self._summary()})"

    def _summary(self):
        average, lost = average_accuracy(self.accuracy), forgetting(self.accuracy)
        return f"average accuracy {average:.3f}, forgetting {lost:.3f}"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, name: str | None = None) -> Self:
        """Draw the accuracies of a fitted classifier.

        Parameters
        ----------
        estimator : ClassIncrementalClassifier or VORLogisticHead
            Fitted with `X_val` and `y_val`, or a Pipeline or search that holds one.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.
        name : str, default=None
            Name for the title; the class's name if None.

        Returns
        -------
        TaskAccuracyDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If no classifier with `task_accuracy_` is there.
        """
        model = holder_of(estimator, "task_accuracy_", "TaskAccuracyDisplay")
        display = cls(
            accuracy=model.task_accuracy_,
            task_names=[_classes_in_words(task) for task in model.tasks_],
            name=name or type(model).__name__,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        TaskAccuracyDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("TaskAccuracyDisplay")
        accuracy = np.array(self.accuracy, dtype=float)
        n = len(accuracy)
        if ax is None:
            size = (2.2 + 0.8 * n, 1.8 + 0.5 * n)
            _, ax = plt.subplots(figsize=size, layout="constrained")
        accuracy[np.triu_indices(n, 1)] = np.nan
        self.image_ = ax.imshow(accuracy, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto")
        for t, j in zip(*np.tril_indices(n), strict=True):
            colour = INK if accuracy[t, j] >= BRIGHT else "white"
            self._write(ax, j, t, accuracy[t, j], colour)
        for task in range(n - 1):
            lost = accuracy[task:-1, task].max() - accuracy[-1, task]
            self._write(ax, task, n, lost, INK)
        names = self.task_names or [str(j + 1) for j in range(n)]
        ax.set_xticks(range(n), names)
        ax.set_yticks(range(n + 1), [*(f"after {t + 1}" for t in range(n)), "forgotten"])
        ax.set(ylim=(n + 0.5, -0.5), xlabel="Task")
        summary = self._summary()
        ax.set_title(f"{self.name}\n{summary}" if self.name else summary, fontsize="medium")
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @staticmethod
    def _write(ax, j, t, number, colour):
        if np.isfinite(number):
            ax.text(j, t, f"{number:.2f}", ha="center", va="center", color=colour, fontsize="small")


def _classes_in_words(classes):
    """All names of a few classes, the first and the last of many."""
    shown = [str(label) for label in classes]
    return ", ".join(shown) if len(shown) <= 3 else f"{shown[0]}, …, {shown[-1]}"
