"""What the learning-curve picture shows."""

import sys

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot")

from sklearn.datasets import load_iris  # noqa: E402
from sklearn.neighbors import NearestCentroid  # noqa: E402

from skreg.probe import (  # noqa: E402
    LinearNaiveBayes,
    ProbeLearningCurveDisplay,
    crossover_size,
    probe_learning_curve,
)

SIZES = [10, 20, 40, 80]


@pytest.fixture(autouse=True)
def headless():
    before = plt.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


def tables(n_repeats=4):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.002, (3, n_repeats, 4))
    centres = [[0.3, 0.2, 0.15, 0.14], [0.4, 0.23, 0.14, 0.1], [0.5, 0.4, 0.4, 0.4]]
    names = ["bayes", "logistic", "poor"]
    return {name: row + noise[i] for i, (name, row) in enumerate(zip(names, centres, strict=True))}


def crossovers(errors):
    return {
        name: crossover_size(SIZES, errors["bayes"], errors[name], random_state=0)
        for name in list(errors)[1:]
    }


def display(n_repeats=4):
    errors = tables(n_repeats)
    return ProbeLearningCurveDisplay(train_sizes=SIZES, errors=errors, crossover=crossovers(errors))


def legend_texts(drawn):
    return [text.get_text() for text in drawn.ax_.get_legend().get_texts()]


def test_lines_are_mean_errors_on_a_log_axis():
    drawn = display().plot()
    assert drawn.ax_.get_xscale() == "log"
    assert drawn.ax_.figure is drawn.figure_
    for line, (name, table) in zip(drawn.lines_, tables().items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), SIZES)
        np.testing.assert_allclose(line.get_ydata(), table.mean(axis=0))


def test_bands_are_one_standard_error_of_the_mean():
    drawn = display().plot()
    for band, table in zip(drawn.bands_, tables().values(), strict=True):
        error = table.std(axis=0, ddof=1) / 2
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx((table.mean(axis=0) + error).max())
        assert heights.min() == pytest.approx((table.mean(axis=0) - error).min())


def test_first_crossover_is_marked_by_a_line_and_its_interval():
    shown = display()
    drawn = shown.plot()
    size, (low, high), _ = shown.crossover["logistic"]
    assert list(drawn.crossover_lines_) == list(drawn.crossover_spans_) == ["logistic"]
    np.testing.assert_allclose(drawn.crossover_lines_["logistic"].get_xdata(), size)
    extent = (
        drawn.crossover_spans_["logistic"].get_extents().transformed(drawn.ax_.transData.inverted())
    )
    np.testing.assert_allclose([extent.x0, extent.x1], [low, high])


def test_legend_tells_when_each_rival_overtakes():
    shown = display()
    size, (low, high), _ = shown.crossover["logistic"]
    assert legend_texts(shown.plot()) == [
        "bayes (reference)",
        f"logistic: ahead from m = {size:,.0f} [{low:,.0f}, {high:,.0f}]",
        "poor: behind at m = 80",
    ]


def test_crossovers_can_be_chosen_and_censored_ones_have_no_line():
    shown = display()
    drawn = shown.plot(crossovers=["poor"])
    assert drawn.crossover_lines_ == drawn.crossover_spans_ == {}
    assert shown.plot(crossovers=[]).crossover_lines_ == {}
    with pytest.raises(ValueError, match=r"crossovers has \['bayes'\]"):
        shown.plot(crossovers=["bayes"])


def test_rival_that_leads_throughout_and_open_intervals_are_named():
    errors = {"a": np.full((2, 2), 0.2), "b": np.full((2, 2), 0.1)}
    errors["c"] = np.array([[0.3, 0.3], [0.25, 0.0]])
    drawn = ProbeLearningCurveDisplay(
        train_sizes=[10, 20],
        errors=errors,
        crossover={
            name: crossover_size([10, 20], errors["a"], errors[name], random_state=0)
            for name in "bc"
        },
    ).plot(crossovers=["b", "c"])
    assert legend_texts(drawn)[1] == "b: never behind"
    assert legend_texts(drawn)[2].endswith(", ∞]")
    right = drawn.crossover_spans_["c"].get_extents().transformed(drawn.ax_.transData.inverted()).x1
    assert right == pytest.approx(drawn.ax_.get_xlim()[1])


def test_single_repeat_has_no_bands_and_no_interval():
    drawn = display(n_repeats=1).plot()
    assert drawn.bands_ == []
    assert drawn.crossover_spans_ == {}
    assert legend_texts(drawn)[1].startswith("logistic: ahead from m = ")
    assert "[" not in legend_texts(drawn)[1]


def test_errors_alone_can_be_drawn_on_given_axes():
    figure, ax = plt.subplots()
    drawn = ProbeLearningCurveDisplay(train_sizes=SIZES, errors=tables()).plot(ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is figure
    assert legend_texts(drawn) == ["bayes", "logistic", "poor"]


def test_legend_stands_clear_of_the_axes():
    drawn = display().plot()
    drawn.figure_.canvas.draw()
    legend, axes = drawn.ax_.get_legend().get_window_extent(), drawn.ax_.get_window_extent()
    assert legend.y0 >= axes.y1 - 1
    assert legend.x1 <= drawn.figure_.bbox.x1


def test_colours_are_distinct():
    colours = {line.get_color() for line in display().plot().lines_}
    assert len(colours) == 3


def test_from_estimator_draws_the_learning_curve():
    X, y = load_iris(return_X_y=True)
    probes = {"bayes": LinearNaiveBayes(), "centroid": NearestCentroid()}
    data = (probes, X, y, X[::2], y[::2])
    settings = {
        "train_sizes": [3, 8],
        "n_repeats": 2,
        "sampling": "per_class",
        "scaler": None,
        "random_state": 0,
    }
    drawn = ProbeLearningCurveDisplay.from_estimator(*data, **settings)
    curve = probe_learning_curve(*data, **settings)
    assert list(drawn.train_sizes) == [9, 24]
    for name, errors in curve.errors.items():
        np.testing.assert_array_equal(drawn.errors[name], errors)
    assert drawn.crossover == curve.crossover


def test_missing_matplotlib_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skreg\[plot\]'"):
        display().plot()


def test_errors_that_do_not_fit_the_sizes_are_explained():
    with pytest.raises(ValueError, match=r"errors\['a'\] must have shape"):
        ProbeLearningCurveDisplay(train_sizes=SIZES, errors={"a": [0.1]}).plot()


def test_one_estimator_goes_by_the_name_of_its_class_and_has_no_rival():
    X, y = load_iris(return_X_y=True)
    settings = {"train_sizes": [3, 8], "n_repeats": 2, "sampling": "per_class", "random_state": 0}
    figure, ax = plt.subplots()
    drawn = ProbeLearningCurveDisplay.from_estimator(
        LinearNaiveBayes(), X, y, X[::2], y[::2], ax=ax, **settings
    )
    assert drawn.ax_ is ax
    assert drawn.figure_ is figure
    assert legend_texts(drawn) == ["LinearNaiveBayes"]
    named = probe_learning_curve({"it": LinearNaiveBayes()}, X, y, X[::2], y[::2], **settings)
    np.testing.assert_array_equal(drawn.errors["LinearNaiveBayes"], named.errors["it"])
    assert drawn.crossover == {}


def test_the_repr_is_a_short_summary():
    assert repr(display()) == (
        "ProbeLearningCurveDisplay(bayes, logistic, poor: 4 sizes from 10 to 80, 4 repeats)"
    )
