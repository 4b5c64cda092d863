"""The look that pictures share."""

import numpy as np
import pytest
from scipy import stats

from skreg.pictures import PALETTE, STYLE, dots_with_intervals

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_style_is_taken_by_matplotlib_and_has_the_palette():
    with matplotlib.rc_context(STYLE):
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        assert tuple(colours) == PALETTE


def test_dots_and_whiskers_are_means_and_t_intervals():
    samples = {"a": [1.0, 2.0, 4.0], "b": np.array([0.5, 0.7, 0.1, 0.2])}
    ax = dots_with_intervals(samples, level=0.9)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    for row, (values, drawn) in enumerate(zip(samples.values(), ax.containers, strict=True)):
        dot, _, (whisker,) = drawn
        np.testing.assert_allclose(dot.get_xydata(), [[np.mean(values), row]])
        interval = stats.t.interval(0.9, len(values) - 1, np.mean(values), stats.sem(values))
        np.testing.assert_allclose(whisker.get_segments()[0][:, 0], interval)
    matplotlib.pyplot.close(ax.figure)


def test_one_number_has_no_interval():
    with pytest.raises(ValueError, match="'a' has 1 number"):
        dots_with_intervals({"a": [1.0]})
