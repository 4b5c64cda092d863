"""What the pictures of all methods have in common: matplotlib on demand, palette, markers."""

from typing import Any

import numpy as np

from skreg._optional import require

# Okabe and Ito's palette, told apart under colour-vision deficiencies too
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BLUE, RED, GREEN = PALETTE[:3]
INK, GREY = "#26292e", "#8b9097"
DIVERGING = "RdBu_r"  # colour map of signed numbers
FIRST, LAST = 0.12, 0.95  # part of a sequential colour map that shows on white


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


def panels(by: str, shape: tuple[int, int], ax: Any = None, **figure: Any) -> tuple[Any, Any]:
    """Figure and Axes of the panels of a picture.

    Parameters
    ----------
    by : str
        Name of the display that draws.
    shape : (int, int)
        Rows and columns of panels.
    ax : matplotlib Axes or array-like of Axes, default=None
        One Axes, whose place is divided and which itself is turned off, or one for each panel; a
        new figure if None.
    **figure : dict
        Arguments of `matplotlib.pyplot.subplots`. Those of the figure itself, such as its size, are
        for a new one only.

    Returns
    -------
    figure : matplotlib Figure
        Where the panels are.
    axes : ndarray of shape (n_panels,)
        Axes of the panels, row by row.

    Raises
    ------
    ValueError
        If there are not as many Axes as panels.
    """
    plt = pyplot(by)
    if ax is None:
        new, axes = plt.subplots(*shape, squeeze=False, layout="constrained", **figure)
        return new, axes.ravel()
    if isinstance(ax, plt.Axes):
        ax.set_axis_off()
        shared = {name: figure[name] for name in ("sharex", "sharey") if name in figure}
        grid = _place(ax).subgridspec(*shape)
        return ax.figure, grid.subplots(squeeze=False, **shared).ravel()
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != shape[0] * shape[1]:
        raise ValueError(
            f"{by} draws {shape[0] * shape[1]} panels; ax has {len(axes)} Axes. Give one Axes, "
            "whose place is divided, or one for each panel"
        )
    return axes[0].figure, axes


def _place(ax):
    """Part of a grid that an Axes takes up; a grid of its own if it was placed freely."""
    place = ax.get_subplotspec()
    if place is not None:
        return place
    box = ax.get_position(original=True)
    return ax.figure.add_gridspec(1, 1, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)[0]
