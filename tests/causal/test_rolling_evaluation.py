"""Forecasts of a moving window against fits by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skreg.causal import CoLiDE, StructuralVAR, rolling_evaluation
from skreg.causal._autoregression import least_squares
from skreg.datasets import make_structural_var

X = make_structural_var(150, 3, random_state=0).X
MODEL = StructuralVAR(mode="fast", warm_iter=300, max_iter=300, checkpoint=150, tol=1.0)


def test_forecasts_are_those_of_fits_to_the_windows():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    found = rolling_evaluation(MODEL, frame, window=100, horizon=2, step=20)
    ends = [100, 120, 140]
    table = found.forecasts
    assert found.n_windows == 3
    assert len(table) == 3 * 2 * 3
    edges, lagged = np.zeros((3, 3)), np.zeros((1, 3, 3))
    for end in ends:
        seen = X[end - 100 : end]
        model = MODEL.fit(seen)
        edges += (model.adjacency_matrix_ != 0) / 3
        lagged += (model.lagged_adjacency_ != 0) / 3
        part = table[table["window_end"] == end]
        assert part["variable"].tolist() == ["a", "b", "c"] * 2
        assert part["step"].tolist() == [1, 1, 1, 2, 2, 2]
        np.testing.assert_array_equal(part["actual"], X[end : end + 2].ravel())
        np.testing.assert_allclose(part["model"], model.forecast(seen, 2).ravel())
        plain = least_squares(seen, 1).forecast(seen, 2)
        np.testing.assert_allclose(part["autoregression"], plain.ravel())
        np.testing.assert_array_equal(part["last_value"], [*seen[-1], *seen[-1]])
    np.testing.assert_allclose(found.edge_frequency, edges)
    np.testing.assert_allclose(found.lagged_edge_frequency, lagged)
    of_b = table[(table["variable"] == "b") & (table["step"] == 2)]
    wanted = np.sqrt(np.mean((of_b["actual"] - of_b["model"]) ** 2))
    assert found.errors.loc[("b", 2), "model"] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window=0 must be a positive integer"),
        ({"window": 10.0}, "window=10.0 must be a positive integer"),
        ({"window": 100, "horizon": 0}, "horizon=0 must be"),
        ({"window": 100, "step": -1}, "step=-1 must be"),
        ({"window": 149, "horizon": 2}, "need 151 rows; X has 150"),
    ],
)
def test_windows_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        rolling_evaluation(MODEL, X, **arguments)


def test_edges_are_known_by_name():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = clone(MODEL).set_params(exclude_lagged_edges=[("a", "b")], threshold_lagged=0.0)
    found = rolling_evaluation(model, frame, window=100, step=25)
    assert found.lagged_edge_frequency[0, 0, 1] == 0.0
    assert found.lagged_edge_frequency[0, 1, 0] == 1.0
    assert found.edge_frequency.shape == (3, 3)


def test_other_estimators_are_refused():
    with pytest.raises(TypeError, match="must be a StructuralVAR"):
        rolling_evaluation(CoLiDE(), X, window=100)


def test_missing_values_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        rolling_evaluation(MODEL, np.where(X > 3, np.nan, X), window=100)


def test_the_window_that_cannot_be_fitted_is_told():
    still = X.copy()
    still[50:80, 1] = 0.0
    with pytest.raises(ValueError, match="'x1' is constant") as error:
        rolling_evaluation(MODEL, still, window=20, step=20)
    assert error.value.__notes__ == ["in the window of 20 rows before row 80"]
