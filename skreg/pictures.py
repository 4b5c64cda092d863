"""What the pictures of all methods have in common: matplotlib on demand, palette, markers."""

from typing import Any

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
