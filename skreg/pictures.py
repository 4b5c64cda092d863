"""What the pictures of all methods have in common: matplotlib on demand, palette, markers, look."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from skreg._optional import require

# Okabe and Ito's palette, told apart under colour-vision deficiencies too
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BLUE, RED, GREEN = PALETTE[:3]
INK, GREY = "#26292e", "#8b9097"
DIVERGING = "RdBu_r"  # colour map of signed numbers
FIRST, LAST = 0.12, 0.95  # part of a sequential colour map that shows on white

# matplotlib's settings: `plt.rcParams.update(STYLE)` gives own pictures the look of the examples
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#55595f",
    "axes.grid": True,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": f"cycler('color', {list(PALETTE)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.figsize": (6.4, 4.0),
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "font.size": 10,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.dpi": 150,
}


def pyplot(by: str) -> Any:
    """`matplotlib.pyplot`, or an ImportError that says that `by` draws with it and how to get it.

    Parameters
    ----------
    by : str
        Name of the display that draws.

    Returns
    -------
    module
        `matplotlib.pyplot`.
    """
    return require("matplotlib.pyplot", "plot", by)


def series_style(i: int) -> dict[str, str]:
    """Colour and marker of the i-th of several series."""
    return {"color": PALETTE[i % len(PALETTE)], "marker": MARKERS[i % len(MARKERS)]}


def ordered_colours(n: int) -> list[Any]:
    """Colours of n ordered things, light for common to dark for rare."""
    colour = require("matplotlib", "plot", "ordered_colours").colormaps["viridis_r"]
    return [colour(FIRST + (LAST - FIRST) * i / max(n - 1, 1)) for i in range(n)]


def dots_with_intervals(
    samples: Mapping[str, ArrayLike], ax: Any = None, *, level: float = 0.95
) -> Any:
    """Mean of each sample as a dot, in a row of its own, with the t interval of the mean.

    The axis need not start at zero, unlike that of bars: for means that lie close together.

    Parameters
    ----------
    samples : mapping of str to array-like
        What each row shows by its name: a number for every seed, fold or repetition.
    ax : matplotlib Axes, default=None
        Where to draw; a new figure if None.
    level : float, default=0.95
        Level of the intervals.

    Returns
    -------
    matplotlib Axes
        Where it is drawn.

    Raises
    ------
    ValueError
        If a sample has fewer than two numbers.
    """
    if ax is None:
        height = 1.2 + 0.4 * len(samples)
        figure = pyplot("dots_with_intervals").figure(figsize=(6.4, height), layout="constrained")
        ax = figure.add_subplot()
    for row, (name, values) in enumerate(samples.items()):
        numbers = np.asarray(values, dtype=float)
        if numbers.size < 2:
            raise ValueError(
                f"{name!r} has {numbers.size} number(s), but an interval needs at least two"
            )
        error = numbers.std(ddof=1) / np.sqrt(numbers.size)
        half = stdtrit(numbers.size - 1, (1 + level) / 2) * error
        ax.errorbar(numbers.mean(), row, xerr=half, fmt="o", color=BLUE, capsize=3, markersize=6)
    ax.set_yticks(range(len(samples)), list(samples))
    ax.set_ylim(len(samples) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=6)  # numbers of many digits need room
    return ax


class Panels(NamedTuple):
    """Where a picture of several panels is drawn.

    Attributes
    ----------
    figure : matplotlib Figure
        Where the panels are.
    axes : ndarray of shape (n_panels,)
        Axes of the panels, row by row.
    above : matplotlib Axes or None
        Empty Axes above them, for a legend, if room was asked for and there is a place for it.
    """

    figure: Any
    axes: np.ndarray
    above: Any = None


def panels(
    by: str,
    shape: tuple[int, int],
    ax: Any = None,
    *,
    figsize: tuple[float, float],
    n_panels: int | None = None,
    room_above: float = 0.0,
    height_ratios: Sequence[float] | None = None,
    wspace: float | None = None,
    **sharing: Any,
) -> Panels:
    """Axes of the panels of a picture, in a figure of its own or in a place that is given.

    Parameters
    ----------
    by : str
        Name of the display that draws.
    shape : (int, int)
        Rows and columns of panels.
    ax : matplotlib Axes or array-like of Axes, default=None
        One Axes, whose place is divided and which itself is turned off, or one for each panel; a
        new figure if None. A single panel is drawn into the Axes itself.
    figsize : (float, float)
        Size of a new figure, in inches.
    n_panels : int, default=None
        Number of panels, row by row; the rest of the grid stays empty. As many as fit if None.
    room_above : float, default=0.0
        Height of the room above the panels, in rows of panels.
    height_ratios : sequence of float, default=None
        Relative heights of the rows.
    wspace : float, default=None
        Gap between columns, in panels, in a figure without a layout engine that finds one.
    **sharing : bool
        `sharex` and `sharey`.

    Returns
    -------
    Panels
        Figure and Axes.

    Raises
    ------
    ValueError
        If the number of Axes is neither one nor that of the panels, or if the one was divided
        before.
    """
    plt = pyplot(by)
    n_panels = shape[0] * shape[1] if n_panels is None else n_panels
    given = np.asarray(ax, dtype=object).reshape(-1)
    if ax is not None and given.size == n_panels:
        return Panels(given[0].figure, given)
    if given.size > 1:
        raise ValueError(
            f"ax holds {given.size} Axes, but {by} draws {n_panels} panels: give that many, or one "
            "Axes to be divided"
        )
    if ax is None:
        figure = plt.figure(figsize=figsize, layout="constrained")
        place = figure.add_gridspec(1, 1)[0]
    else:
        figure, place = given[0].figure, _place_of(given[0], n_panels)
    above = None
    if room_above > 0.0:
        strip, place = place.subgridspec(2, 1, height_ratios=[room_above, shape[0]])
        above = figure.add_subplot(strip)
        above.set_axis_off()
    gap = wspace if figure.get_layout_engine() is None else None
    grid = place.subgridspec(*shape, height_ratios=height_ratios, wspace=gap)
    axes = grid.subplots(squeeze=False, **sharing).reshape(-1)
    for unused in axes[n_panels:]:
        unused.remove()
    for lowest in axes[max(n_panels - shape[1], 0) : n_panels]:
        lowest.tick_params(labelbottom=True)
    return Panels(figure, axes[:n_panels], above)


def _place_of(ax, n_panels):
    """Where an Axes lies, as a cell of a grid; the Axes is turned off."""
    if not ax.axison:
        raise ValueError(
            f"ax was divided before, or turned off; give another, or an array of {n_panels} Axes"
        )
    ax.set_axis_off()
    if ax.get_subplotspec() is not None:
        return ax.get_subplotspec()
    box = ax.get_position(original=True)
    bounds = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
    return ax.figure.add_gridspec(1, 1, **bounds)[0]
