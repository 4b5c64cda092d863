"""The look of the demo's figures, and figures as SVG elements."""

from __future__ import annotations

import io
import re
from typing import Any

from skreg.pictures import GREY, INK

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e8eb",
    "legend.frameon": False,
    "lines.markersize": 6,
    "svg.hashsalt": "skreg",
    "svg.fonttype": "path",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def figure_with(n_panels: int, *, width: float = 5.2, height: float = 3.7, **sharing: Any) -> Any:
    """A figure with panels below one another, which a narrow page shows as large as a wide one.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    width, height : float, default=5.2 and 3.7
        Size of a panel in inches.
    **sharing : bool
        `sharex` and `sharey`.

    Returns
    -------
    tuple of (matplotlib Figure, ndarray of matplotlib Axes)
        The figure, which pyplot does not know, and its panels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * n_panels), layout="constrained")
    return figure, figure.subplots(n_panels, 1, squeeze=False, **sharing)[:, 0]


def as_svg(figure: Any, name: str) -> str:
    """A figure as an SVG element whose ids begin with `name`, so that a page may hold several."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    document = buffer.getvalue()
    element = document[document.index("<svg") :].strip()
    return re.sub(r"""(\bid="|href="#|url\(#)""", rf"\g<1>{name}-", element)
