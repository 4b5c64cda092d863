"""Pictures of several panels, drawn into a figure of their own or into a place that is given."""

from typing import Any, NamedTuple

import numpy as np

from skreg.pictures import pyplot


class Panels(NamedTuple):
    """Axes of the panels, row by row, and one above them for a legend, if there is a place."""

    axes: np.ndarray
    above: Any


def divide(ax, shape, n_panels, *, by, figsize, room_above=0.0, **options):
    """Panels of a picture.

    Parameters
    ----------
    ax : matplotlib Axes, array of n_panels Axes, or None
        One Axes is turned off and its place divided into panels; None takes that of a new figure.
    shape : pair of int
        Rows and columns of the division.
    n_panels : int
        Number of panels; the rest of the grid stays empty.
    by : str
        Name of the display.
    figsize : pair of float
        Size of a new figure, in inches.
    room_above : float, default=0.0
        Height of the place above the panels, in rows of panels.
    **options : dict
        Of the grid: ``sharex``, ``sharey``, ``height_ratios``.

    Returns
    -------
    Panels
        What to draw on.

    Raises
    ------
    ValueError
        If the number of Axes given is not `n_panels`.
    """
    plt = pyplot(by)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    given = np.asarray(ax, dtype=object)
    if given.ndim > 0:
        if given.size != n_panels:
            raise ValueError(
                f"ax holds {given.size} Axes, but {by} draws {n_panels} panels: give that many, "
                "or one Axes to be divided"
            )
        return Panels(given.reshape(-1), None)
    ax.set_axis_off()
    place, above = _place_of(ax), None
    if room_above > 0.0:
        strip, place = place.subgridspec(2, 1, height_ratios=[room_above, shape[0]])
        above = ax.figure.add_subplot(strip)
        above.set_axis_off()
    return Panels(_grid_within(place, shape, n_panels, **options), above)


def _place_of(ax):
    """Where the Axes lies, as a cell of a grid."""
    if ax.get_subplotspec() is not None:
        return ax.get_subplotspec()
    box = ax.get_position()
    bounds = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
    return ax.figure.add_gridspec(1, 1, **bounds)[0]


def _grid_within(place, shape, n_panels, *, height_ratios=None, **sharing):
    grid = place.subgridspec(*shape, height_ratios=height_ratios)
    panels = grid.subplots(squeeze=False, **sharing).reshape(-1)
    for unused in panels[n_panels:]:
        unused.remove()
    for lowest in panels[max(n_panels - shape[1], 0) : n_panels]:
        lowest.tick_params(labelbottom=True)
    return panels[:n_panels]
