"""The pictures of a boundary and of a path show the numbers that they are about."""

import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from skreg.robustness import (
    TiltingDisplay,
    TiltingPathDisplay,
    boundary_distance,
    boundary_tilting,
    mirror_through_boundary,
    tilting_path,
)
from skreg.robustness._tilting_path import TiltingPath

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = np.repeat(["no", "yes"], 60)
    X = rng.normal(size=(120, 4)) + 2.0 * (y == "yes")[:, None]
    return LogisticRegression(C=100).fit(X, y), X, y


def test_lengths_and_the_boundary_are_true(fitted):
    model, X, y = fitted
    display = TiltingDisplay.from_estimator(model, X, y)
    tilting = boundary_tilting(model, X, y)
    normal = np.array([np.cos(display.angle), np.sin(display.angle)])
    np.testing.assert_allclose(
        display.points @ normal + display.offset, boundary_distance(model, X), atol=1e-12
    )
    midpoint = tilting.centroids.mean(axis=0)
    np.testing.assert_allclose(display.points[:, 0], (X - midpoint) @ tilting.centroid_direction)
    np.testing.assert_allclose(display.points[:, 1], (X - midpoint) @ tilting.tilt_direction)
    means = [display.points[y == label].mean(axis=0) for label in ("no", "yes")]
    half = tilting.max_adversarial_distance
    np.testing.assert_allclose(means, [[-half, 0], [half, 0]], atol=1e-12)
    np.testing.assert_allclose(display.centroids_.get_offsets(), means, atol=1e-12)
    start, end = display.boundary_.get_xy1(), display.boundary_.get_xy2()
    for point in (start, end):
        assert np.asarray(point) @ normal + display.offset == pytest.approx(0.0, abs=1e-12)
    assert display.ax_.get_aspect() == 1.0
    assert display.mirror_ is None
    assert len(display.points_) == 2
    assert f"{np.degrees(tilting.angle):.1f}°" in display.ax_.get_title()


def test_a_row_with_its_mirror_image(fitted):
    model, X, y = fitted
    for row in (7, -3):
        display = TiltingDisplay.from_estimator(model, X, y, mirror=row)
        first, middle, last = display.mirror_.get_xydata()
        np.testing.assert_allclose(first, display.points[row])
        np.testing.assert_allclose((first + last) / 2, middle)
        d = boundary_distance(model, X[[row]])[0]
        assert np.linalg.norm(last - first) == pytest.approx(2 * abs(d))
        image = mirror_through_boundary(model, X[[row]])
        moved = TiltingDisplay.from_estimator(
            model, np.vstack([X, image]), [*y, y[row]], sample_weight=np.append(np.ones(120), 0.0)
        )
        np.testing.assert_allclose(moved.points[-1], last, atol=1e-12)
    with pytest.raises(ValueError, match="mirror=500"):
        TiltingDisplay.from_estimator(model, X, y, mirror=500)


def test_boundaries_without_a_tilt_and_of_pairs(fitted):
    _, X, y = fitted
    display = TiltingDisplay.from_estimator(NearestCentroid().fit(X, y), X, y)
    assert not display.is_tilted
    assert "no tilt" in display.ax_.get_ylabel()
    assert np.ptp(display.points[:, 1]) > 0.1
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    display = TiltingDisplay.from_estimator(model, sparse.csr_array(X), y, pair=(2, 1), mirror=60)
    assert len(display.points) == 100
    assert display.classes.tolist() == [2, 1]
    np.testing.assert_allclose(display.mirror_.get_xydata()[0], display.points[10])
    with pytest.raises(ValueError, match="mirror=0"):
        TiltingDisplay.from_estimator(model, X, y, pair=(2, 1), mirror=0)
    one = TiltingDisplay.from_estimator(
        LogisticRegression().fit([[0.0], [1.0]], [0, 1]), [[0.0], [1.0]], [0, 1]
    )
    np.testing.assert_array_equal(one.points[:, 1], 0.0)


def path_of(**changed):
    n = 4
    columns = {
        "strength": np.array([1.0, 1.2, 2.0, np.inf]),
        "angle": np.array([0.0, 0.5, 1.0, 2.0]),
        "train_error": np.array([0.2, 0.1, 0.0, 0.0]),
        "test_error": np.array([0.2, 0.1, 0.15, 0.5]),
        "type": np.array([0, 1, 2, 2]),
        "param": np.array([1e-3, 0.1, 10.0, 1e3]),
    }
    chosen = {"best_index": 1, "recommended_index": 0, "param_name": "C"}
    chosen |= {"best_param": 0.1, "recommended_param": 1e-3}
    assert all(len(column) == n for column in columns.values())
    return TiltingPath(**(columns | chosen | changed))


def test_a_path_shows_errors_types_and_choices():
    path = path_of()
    display = TiltingPathDisplay.from_path(path)
    np.testing.assert_allclose(display.lines_[0].get_xydata(), [[1.0, 20], [1.2, 10], [2.0, 15]])
    np.testing.assert_allclose(display.lines_[1].get_ydata(), [20, 10, 0])
    shown = [points.get_offsets().tolist() for points in display.points_]
    assert shown == [[[1.0, 20.0]], [[1.2, 10.0]], [[2.0, 15.0]]]
    np.testing.assert_allclose(display.chosen_.get_offsets(), [[1.0, 20.0], [1.2, 10.0]])
    named = {text.get_text() for text in display.ax_.texts}
    assert named == {"0.001", "0.1", "10"}
    assert display.ax_.get_xscale() == "log"
    assert repr(display) == "TiltingPathDisplay(4 values of C, recommended C=0.001)"


def test_a_path_from_an_estimator_is_that_of_the_function(fitted):
    model, X, y = fitted
    figure, ax = plt.subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        display = TiltingPathDisplay.from_estimator(
            model, X, y, param_range=np.logspace(-3, 3, 20), cv=2, ax=ax
        )
        path = tilting_path(model, X, y, param_range=np.logspace(-3, 3, 20), cv=2)
    assert display.ax_ is ax
    assert display.figure_ is figure
    np.testing.assert_array_equal(display.path.strength, path.strength)
    named = [text.get_text() for text in display.ax_.texts]
    assert f"{path.recommended_param:.3g}" in named
    assert len(named) < 20  # of values that lie close together one


def test_a_boundary_goes_into_given_axes(fitted):
    figure, ax = plt.subplots()
    display = TiltingDisplay.from_estimator(*fitted, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert "classes no and yes" in repr(display)
