"""How a fit of CoLiDE went."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._inside import holder_of
from skreg.causal._central_path import Checkpoint
from skreg.pictures import BLUE, panels

TINY = 1e-16


class ConvergenceDisplay:
    """Objective, acyclicity and noise level over the iterations, stage by stage.

    Within a stage the objective should level out; from stage to stage acyclicity should fall
    towards zero. Stages are shaded in turn.

    Use `from_estimator` with a fitted `CoLiDE`. All parameters are stored as attributes.

    Parameters
    ----------
    checkpoints : list of Checkpoint
        The attribute `checkpoints_` of `CoLiDE`.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Figure of the picture.
    axes_ : ndarray of matplotlib Axes of shape (3,)
        Axes of objective, acyclicity and noise level.
    lines_ : list of list of matplotlib Line2D
        In each panel, one line for each stage.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skreg.causal import CoLiDE, ConvergenceDisplay
    >>> from skreg.datasets import make_linear_sem
    >>> sem = make_linear_sem(200, 8, edges_per_node=1, random_state=0)
    >>> model = CoLiDE("ev", mode="fast").fit(sem.X)
    >>> [len(lines) for lines in ConvergenceDisplay.from_estimator(model).lines_]
    [4, 4, 4]
    """

    def __init__(self, *, checkpoints: Sequence[Checkpoint]) -> None:
        self.checkpoints = checkpoints

    def __repr__(self) -> str:
        n_stages = len({point.stage for point in self.checkpoints})
        return f"ConvergenceDisplay({n_stages} stages, {len(self.checkpoints)} checkpoints)"

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw how the fit of an estimator went.

        Parameters
        ----------
        estimator : CoLiDE
            Fitted estimator, or a Pipeline or search with one.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, see `plot`.

        Returns
        -------
        ConvergenceDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        model = holder_of(estimator, "checkpoints_", cls.__name__)
        return cls(checkpoints=model.checkpoints_).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the three panels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw: one Axes, whose place is divided and which itself is turned off, or three
            of them; a new figure if None.

        Returns
        -------
        ConvergenceDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `ax` has not three Axes, nor is one.
        ImportError
            If matplotlib is not installed.
        """
        self.figure_, self.axes_, _ = panels(
            "ConvergenceDisplay", (3, 1), ax, figsize=(6.4, 5.4), sharex=True
        )
        stages = sorted({point.stage for point in self.checkpoints})
        by_stage = [[p for p in self.checkpoints if p.stage == stage] for stage in stages]
        series = [
            ("objective of the stage", lambda p: p.objective),
            ("acyclicity h", lambda p: max(p.h, TINY)),
            ("noise level", lambda p: p.noise_scale),
        ]
        self.lines_ = []
        for panel, (label, value) in zip(self.axes_, series, strict=True):
            self.lines_.append(
                [
                    panel.plot(
                        [p.n_iter for p in points], [value(p) for p in points],
                        color=BLUE, marker="o", markersize=2.5, linewidth=1.2,
                    )[0]
                    for points in by_stage
                ]
            )  # fmt: skip
            panel.set_ylabel(label)
            panel.spines[["top", "right"]].set_visible(False)
        for panel, lines in zip(self.axes_[:2], self.lines_, strict=False):
            if all(np.all(line.get_ydata() > 0) for line in lines):
                panel.set_yscale("log")
        self._shade(by_stage)
        self.axes_[-1].set_xlabel("iterations")
        self.figure_.align_ylabels(list(self.axes_))
        return self

    def _shade(self, by_stage):
        ends = [0] + [points[-1].n_iter for points in by_stage]
        for k, (start, end) in enumerate(pairwise(ends)):
            for ax in self.axes_:
                if k % 2 == 0:
                    ax.axvspan(start, end, color="0.95", zorder=0, linewidth=0)
                ax.set_xlim(0, ends[-1])
            self.axes_[0].annotate(
                f"stage {k + 1}", ((start + end) / 2, 1), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize="small", color="0.35",
            )  # fmt: skip
