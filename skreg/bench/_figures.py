"""Figures of the report: a common look, and inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#55595f",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.hashsalt": "skreg",
    "svg.fonttype": "path",
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def draw_as_svg(draw: Callable[[pd.DataFrame], Figure], results: pd.DataFrame) -> str:
    """Draw a figure in the report's look, as an SVG element for the inside of an HTML page.

    Parameters
    ----------
    draw : callable
        ``draw(results)`` returns a matplotlib figure.
    results : DataFrame
        The table of all results.

    Returns
    -------
    str
        From ``<svg`` to ``</svg>``: no XML declaration, no document type, no metadata.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        draw(results).savefig(buffer, format="svg", metadata=_NO_METADATA)
    document = buffer.getvalue()
    return document[document.index("<svg") :].strip()
