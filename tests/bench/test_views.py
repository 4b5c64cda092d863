"""Pictures of the bench show the means and intervals that its checks judge."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skreg.bench import Axis
from skreg.bench.arena.views import curve_panels, curve_style, draw_intervals, new_figure
from skreg.pictures import PALETTE

RNG = np.random.default_rng(0)
VALUES = [RNG.lognormal(size=5), np.array([]), np.array([2.0])]


@pytest.mark.parametrize("geometric", [False, True])
def test_dots_and_bars_are_means_and_their_intervals(geometric):
    _, (panel,) = new_figure(1)
    draw_intervals(panel, ["first", "empty", "alone"], {"a": VALUES}, geometric=geometric)
    dots, _, (bars,) = panel.containers[0]
    scaled = np.log(VALUES[0]) if geometric else VALUES[0]
    student = stats.ttest_1samp(scaled, 0.0).confidence_interval(0.95)
    ends = np.array([scaled.mean(), student.low, student.high])
    middle, low, high = np.exp(ends) if geometric else ends
    np.testing.assert_allclose(dots.get_xdata().astype(float), [middle, 2.0])
    np.testing.assert_allclose(bars.get_segments()[0][:, 0], [low, high])
    np.testing.assert_allclose(bars.get_segments()[1][:, 0], [2.0, 2.0])  # one seed has no interval
    np.testing.assert_allclose(dots.get_ydata().astype(float), [0, 2])
    assert [label.get_text() for label in panel.get_yticklabels()] == ["first", "empty", "alone"]


def test_dots_of_several_series_do_not_hide_one_another():
    _, (panel,) = new_figure(1)
    draw_intervals(panel, ["row"], {"a": VALUES[:1], "b": VALUES[:1], "c": VALUES[:1]})
    places = [container[0].get_ydata()[0] for container in panel.containers]
    np.testing.assert_allclose(places, [-0.26, 0.0, 0.26])


def test_panels_of_curves_have_ticks_where_values_were_measured():
    rows = [
        {"setting": name, "method": method, "seed": seed, "n": n, "error": n * (1.0 + seed)}
        for name in ("x", "y")
        for method in ("a", "b")
        for seed in range(2)
        for n in (10, 30, 1000)
    ]
    figure, panels = curve_panels(
        pd.DataFrame(rows), ["x", "y"], "error", Axis("n", "rows n"), ["a", "b"], "error",
        geometric=True,
    )  # fmt: skip
    assert [panel.get_title() for panel in panels] == ["x", "y"]
    for panel in panels:
        assert [label.get_text() for label in panel.get_xticklabels()] == ["10", "30", "1,000"]
        np.testing.assert_allclose(
            panel.lines[0].get_ydata(), np.sqrt(2) * np.array([10, 30, 1000])
        )
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert legend.get_window_extent().y0 >= panels[0].get_window_extent().y1


def test_curves_beyond_the_palette_differ_by_dashes():
    styles = [tuple(map(str, curve_style(i).values())) for i in range(2 * len(PALETTE))]
    assert len(set(styles)) == len(styles)
