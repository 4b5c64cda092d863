"""What the picture of a plan shows."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skreg.transport import SparseTransportTransformer, TransportPlanDisplay, sparse_transport


def solved():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(5, 2)) + 2
    cost = ((x[:, None] - y) ** 2).sum(axis=2)
    return x, y, sparse_transport(np.full(20, 0.05), np.full(5, 0.2), cost, max_nz=6)


def test_lines_join_the_points_of_each_entry_and_are_as_wide_as_its_mass():
    x, y, result = solved()
    display = TransportPlanDisplay.from_result(result, x, y)
    entries = result.plan.tocoo()
    np.testing.assert_allclose(
        np.array(display.lines_.get_segments()),
        np.stack([x[entries.row], y[entries.col]], axis=1),
    )
    widths = display.lines_.get_linewidths()
    np.testing.assert_allclose(widths / np.max(widths), entries.data / entries.data.max())
    assert display.image_ is None


def test_the_matrix_stands_below_the_counts_of_its_columns():
    _, _, result = solved()
    figure, ax = plt.subplots()
    display = TransportPlanDisplay.from_result(result, ax=ax)
    np.testing.assert_allclose(display.image_.get_array(), result.plan.toarray())
    heights = [bar.get_height() for bar in display.counts_]
    np.testing.assert_array_equal(heights, result.n_nonzero_per_column)
    assert display.figure_ is figure
    assert display.ax_ is ax


def test_estimators_and_empty_plans_are_drawn_too():
    x, y, _ = solved()
    model = SparseTransportTransformer().fit(x, X_target=y)
    pipeline = make_pipeline("passthrough", model)
    for estimator in (model, pipeline):
        display = TransportPlanDisplay.from_estimator(estimator, x, y)
        assert len(display.lines_.get_segments()) == model.plan_.nnz
    empty = model.plan_ * 0.0
    empty.eliminate_zeros()
    assert len(TransportPlanDisplay(plan=empty, source=x, target=y).plot().lines_.get_paths()) == 0


def test_places_that_do_not_fit_are_told():
    x, y, result = solved()
    with pytest.raises(ValueError, match="give target too"):
        TransportPlanDisplay.from_result(result, x)
    with pytest.raises(ValueError, match=r"source must have two coordinates .* \(20, 2\)"):
        TransportPlanDisplay.from_result(result, x[:5], y)
