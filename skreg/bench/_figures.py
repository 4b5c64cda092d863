"""Figures of the report: a common look, and inline SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from skreg.bench._benchmark import Benchmark

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
_LEAST_SCALE = 0.7  # below it the text of a figure is too small to read: then it scrolls
_END_OF_TITLE = re.compile(r"[:.](?:\s+|$)")
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
    element = document[document.index("<svg") :].strip()
    width = re.search(r'width="([\d.]+)pt"', element)
    least = _LEAST_SCALE * float(width[1]) if width else 0.0
    return element.replace("<svg", f'<svg style="min-width: {least:.0f}pt"', 1)


class Picture(NamedTuple):
    """A figure that was drawn, or why it could not be."""

    caption: str
    svg: str = ""
    problem: str = ""

    @property
    def title(self) -> str:
        """What it shows: the caption up to its first colon or full stop."""
        return _END_OF_TITLE.split(self.caption, maxsplit=1)[0]

    @property
    def text(self) -> str:
        """The rest of the caption, which begins like a sentence."""
        text = "".join(_END_OF_TITLE.split(self.caption, maxsplit=1)[1:])
        return text[:1].upper() + text[1:]


def draw_pictures(benchmark: Benchmark, results: pd.DataFrame) -> list[Picture]:
    """Draw those figures of a benchmark whose settings have results.

    Parameters
    ----------
    benchmark : Benchmark
        The declaration.
    results : DataFrame
        The table of all results.

    Returns
    -------
    list of Picture
        In the order of the benchmark.
    """
    measured = set(results["setting"])
    figures = [figure for figure in benchmark.figures if measured.issuperset(figure.settings)]
    return [_drawn(figure.caption, figure.draw, results) for figure in figures]


def _drawn(caption: str, draw: Callable[[pd.DataFrame], Figure], results: pd.DataFrame) -> Picture:
    try:
        return Picture(caption, draw_as_svg(draw, results))
    except Exception as error:  # one broken figure must not cost the report of a long run
        return Picture(caption, problem=f"{caption} {type(error).__name__}: {error}")
