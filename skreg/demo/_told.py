"""One story, told: what a worker process hands to the page."""

from __future__ import annotations

import importlib
import inspect
import time
from typing import NamedTuple

from skreg.demo._pictures import STYLE, as_svg
from skreg.demo._shown import shown_source


class Told(NamedTuple):
    """A story after it was measured.

    Attributes
    ----------
    name, title, text : str
        Its name on the command line, its title, and its paragraphs.
    sentence, caption : str
        What came out, and what the figure shows.
    code, svg : str
        The code that ran, and the figure.
    seconds : float
        How long it took, compiling included.
    n_compiled : int
        Versions of kernels that had to be compiled.
    """

    name: str
    title: str
    text: str
    sentence: str
    caption: str
    code: str
    svg: str
    seconds: float
    n_compiled: int


def tell(name: str, module: str, seed: int) -> Told:
    """Measure a story and draw its figure.

    Parameters
    ----------
    name : str
        Name of the story.
    module : str
        Dotted name of its module.
    seed : int
        Seed of its random numbers.

    Returns
    -------
    Told
        What the page shows.
    """
    import matplotlib

    from skreg._compiling import notice

    started, compiled = time.perf_counter(), notice.n_compiled
    story = importlib.import_module(module)
    measured = story.measure(seed)
    with matplotlib.rc_context(STYLE):
        figure, caption = story.draw(measured)
        svg = as_svg(figure, name)
    title, _, text = (inspect.getdoc(story) or "").partition("\n\n")
    return Told(
        name=name,
        title=title.rstrip("."),
        text=text,
        sentence=story.sentence(measured),
        caption=caption,
        code=shown_source(story.SHOWN),
        svg=svg,
        seconds=time.perf_counter() - started,
        n_compiled=notice.n_compiled - compiled,
    )
