"""The pictures show the numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skreg.causal import (
    AdjacencyDisplay,
    BootstrapDAG,
    CoLiDE,
    ConvergenceDisplay,
    DAGDisplay,
    SortNRegress,
)
from skreg.datasets import make_linear_sem


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sem():
    return make_linear_sem(300, 6, edges_per_node=1.5, random_state=0)


@pytest.fixture(scope="module")
def fitted(sem):
    return CoLiDE("ev", mode="fast").fit(sem.X)


def test_heat_maps_hold_the_matrices_in_causal_order(sem):
    frame = pd.DataFrame(sem.X, columns=list("abcdef"))
    model = SortNRegress().fit(frame)
    display = AdjacencyDisplay.from_estimator(model, truth=sem.adjacency)
    order = display.order_
    true, estimated, difference = (np.asarray(image.get_array()) for image in display.images_)
    np.testing.assert_array_equal(true, sem.adjacency[np.ix_(order, order)])
    np.testing.assert_array_equal(true, np.triu(true, k=1))
    np.testing.assert_array_equal(estimated, model.adjacency_matrix_[np.ix_(order, order)])
    np.testing.assert_allclose(difference, estimated - true)
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == ["abcdef"[j] for j in order]
    assert display.images_[0].get_clim() == display.images_[2].get_clim()
    assert len(AdjacencyDisplay.from_estimator(model).axes_) == 1


def test_layers_lead_to_the_right(sem):
    display = DAGDisplay.from_matrix(sem.adjacency, feature_names=list("abcdef"))
    causes, effects = np.nonzero(sem.adjacency)
    assert np.all(display.layer_[causes] < display.layer_[effects])
    np.testing.assert_array_equal(display.position_[:, 0], display.layer_)
    assert len(np.unique(display.position_, axis=0)) == 6
    assert set(display.edges_) == set(zip(causes.tolist(), effects.tolist(), strict=True))
    shown = {text.get_text() for text in display.ax_.texts}
    assert set("abcdef") <= shown


def test_crossings_are_untangled():
    """Two edges that cross when the nodes are in the order of the columns."""
    W = np.zeros((4, 4))
    W[0, 3] = W[1, 2] = 1
    height = DAGDisplay.from_matrix(W).position_[:, 1]
    assert (height[0] - height[1]) * (height[3] - height[2]) > 0


def test_widths_follow_weights_or_frequencies(sem):
    def widths(display):
        return {edge: arrow.arrow_patch.get_linewidth() for edge, arrow in display.edges_.items()}

    by_weight = widths(DAGDisplay.from_matrix(sem.adjacency))
    edges = sorted(by_weight, key=by_weight.get)
    magnitudes = [abs(sem.adjacency[edge]) for edge in edges]
    assert magnitudes == sorted(magnitudes)
    model = BootstrapDAG(SortNRegress(), n_bootstraps=8, random_state=0).fit(sem.X[:40])
    display = DAGDisplay.from_estimator(model)
    found = widths(display)
    frequencies = [model.edge_frequency_[edge] for edge in sorted(found, key=found.get)]
    assert frequencies == sorted(frequencies)
    assert len(set(frequencies)) > 1
    _, ax = plt.subplots()
    assert DAGDisplay.from_estimator(model, ax=ax).ax_ is ax


def test_large_and_empty_graphs_are_drawn():
    W = make_linear_sem(1, 50, edges_per_node=3, random_state=0).adjacency
    assert len(DAGDisplay.from_matrix(W).edges_) == np.count_nonzero(W)
    assert len(AdjacencyDisplay.from_matrices(W).axes_[0].get_xticks()) <= 30
    assert DAGDisplay.from_matrix(np.zeros((3, 3))).edges_ == {}
    AdjacencyDisplay.from_matrices(np.zeros((3, 3)))


def test_convergence_shows_every_checkpoint(fitted):
    model = fitted
    display = ConvergenceDisplay.from_estimator(model)
    for lines, field in zip(
        display.lines_, ("objective", "h", "noise_scale"), strict=True
    ):  # fmt: skip
        shown = np.concatenate([line.get_ydata() for line in lines])
        np.testing.assert_allclose(
            shown, [getattr(point, field) for point in model.checkpoints_], atol=1e-15
        )
    assert [line.get_xdata()[-1] for line in display.lines_[0]] == np.cumsum(model.n_iter_).tolist()


def with_two_subplots():
    figure, axes = plt.subplots(1, 2)
    return figure, axes[1]


def with_free_axes():
    figure = plt.figure()
    return figure, figure.add_axes([0.2, 0.3, 0.5, 0.6])


@pytest.mark.parametrize("place", [with_two_subplots, with_free_axes])
def test_several_panels_are_drawn_in_the_place_of_one_axes(sem, fitted, place):
    for draw in (
        lambda ax: AdjacencyDisplay.from_estimator(fitted, truth=sem.adjacency, ax=ax),
        lambda ax: AdjacencyDisplay.from_matrices(sem.adjacency, ax=ax),
        lambda ax: ConvergenceDisplay.from_estimator(fitted, ax=ax),
    ):
        figure, ax = place()
        box, n_before = ax.get_position(), len(plt.get_fignums())
        display = draw(ax)
        assert display.figure_ is figure
        assert len(plt.get_fignums()) == n_before
        assert ax.axison == (list(display.axes_) == [ax])  # a single panel is drawn into it
        for panel in display.axes_:
            inside = panel.get_position(original=True)
            assert inside.x0 >= box.x0 - 1e-9
            assert inside.x1 <= box.x1 + 1e-9
            assert inside.y0 >= box.y0 - 1e-9
            assert inside.y1 <= box.y1 + 1e-9


def test_panels_can_be_given_one_by_one(sem, fitted):
    _, axes = plt.subplots(2, 3)
    display = AdjacencyDisplay.from_estimator(fitted, truth=sem.adjacency, ax=axes[0])
    assert list(display.axes_) == list(axes[0])
    display = ConvergenceDisplay.from_estimator(fitted, ax=list(axes[1]))
    assert list(display.axes_) == list(axes[1])
    assert all(len(ax.get_lines()) for ax in axes[1])
    with pytest.raises(ValueError, match=r"holds 2 Axes, but .* draws 3 panels"):
        ConvergenceDisplay.from_estimator(fitted, ax=axes[1, :2])


def test_a_pipeline_and_a_search_are_drawn(sem):
    pipeline = make_pipeline(FunctionTransformer(), CoLiDE("ev", mode="fast"))
    search = GridSearchCV(pipeline, {"colide__alpha": [0.05]}, cv=2).fit(sem.X)
    W = search.best_estimator_[-1].adjacency_matrix_
    assert len(DAGDisplay.from_estimator(search).edges_) == np.count_nonzero(W)
    assert len(AdjacencyDisplay.from_estimator(search).axes_) == 1
    assert len(ConvergenceDisplay.from_estimator(search).axes_) == 3


def test_displays_say_in_a_line_what_they_show(sem, fitted):
    n_edges = np.count_nonzero(sem.adjacency)
    assert repr(DAGDisplay.from_matrix(sem.adjacency)) == f"DAGDisplay(6 nodes, {n_edges} edges)"
    assert repr(AdjacencyDisplay.from_matrices([[0, 1], [0, 0]])) == (
        "AdjacencyDisplay(2 nodes, 1 edge, truth=False)"
    )
    n_points = len(fitted.checkpoints_)
    assert repr(ConvergenceDisplay.from_estimator(fitted)) == (
        f"ConvergenceDisplay(4 stages, {n_points} checkpoints)"
    )


def test_bad_input_is_named(sem):
    with pytest.raises(NotFittedError):
        AdjacencyDisplay.from_estimator(CoLiDE())
    with pytest.raises(NotFittedError):
        DAGDisplay.from_estimator(CoLiDE())
    with pytest.raises(NotFittedError):
        ConvergenceDisplay.from_estimator(CoLiDE())
    with pytest.raises(ValueError, match="cycle"):
        DAGDisplay.from_matrix([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="feature_names has 2 names for 6 nodes"):
        DAGDisplay.from_matrix(sem.adjacency, feature_names=["a", "b"])
    with pytest.raises(ValueError, match=r"frequency has shape \(2, 2\)"):
        DAGDisplay.from_matrix(sem.adjacency, frequency=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"truth has shape \(2, 2\)"):
        AdjacencyDisplay.from_matrices(sem.adjacency, truth=np.zeros((2, 2)))
