"""The baseline, the bootstrap and the selection of parents."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoLarsIC, LinearRegression
from sklearn.pipeline import make_pipeline

from skreg.causal import BootstrapDAG, CoLiDE, SelectParents, SortNRegress, var_sortability
from skreg.datasets import make_linear_sem

FAST = CoLiDE("ev", mode="fast", max_iter=20_000)


@pytest.fixture(scope="module")
def sem():
    return make_linear_sem(300, 7, edges_per_node=1.5, random_state=0)


def test_sort_n_regress_is_least_squares_weighted_lars_with_bic(sem):
    X = sem.X[:, [3, 1, 0, 6, 5, 2, 4]]
    model = SortNRegress().fit(X)
    order = np.argsort(X.var(axis=0))
    assert model.causal_order_.tolist() == order.tolist()
    expected = np.zeros((7, 7))
    for k in range(1, 7):
        before, node = order[:k], order[k]
        weight = np.abs(LinearRegression().fit(X[:, before], X[:, node]).coef_)
        lars = LassoLarsIC(criterion="bic").fit(X[:, before] * weight, X[:, node])
        expected[before, node] = lars.coef_ * weight
    np.testing.assert_allclose(model.adjacency_matrix_, expected, atol=1e-8)
    residual = (X - X.mean(axis=0)) @ (np.eye(7) - expected)
    np.testing.assert_allclose(model.sigma_, residual.std(axis=0), rtol=1e-6)
    dropped = SortNRegress(threshold=0.6).fit(X).adjacency_matrix_
    np.testing.assert_allclose(dropped, np.where(np.abs(expected) > 0.6, expected, 0), atol=1e-8)


def test_sorting_by_explained_variance_is_free_of_units(sem):
    units = 10.0 ** np.arange(-3, 4)
    order = SortNRegress("r2").fit(sem.X).causal_order_
    assert order.tolist() == SortNRegress("r2").fit(sem.X * units).causal_order_.tolist()
    explained = [
        LinearRegression().fit(np.delete(sem.X, j, 1), sem.X[:, j]).score(
            np.delete(sem.X, j, 1), sem.X[:, j]
        )
        for j in range(7)
    ]  # fmt: skip
    assert order.tolist() == np.argsort(explained).tolist()


def test_sort_n_regress_with_fewer_rows_than_columns():
    X = np.random.default_rng(0).standard_normal((6, 15))
    W = SortNRegress().fit(X).adjacency_matrix_
    assert np.all(np.count_nonzero(W, axis=0) <= 5)
    assert np.all(np.isfinite(W))


def test_var_sortability_by_hand():
    X = np.array([[1.0, 2.0, 1.0], [-1.0, -2.0, -1.0]])
    chain = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    # 0 -> 1 grows, 1 -> 2 falls, 0 -> 2 (two steps) ties
    assert var_sortability(X, chain) == pytest.approx(0.5)
    assert var_sortability(X, [[0, 1, 0], [0, 0, 0], [0, 1, 0]]) == 1.0
    assert var_sortability(X, [[0, 0, 0], [1, 0, 1], [0, 0, 0]]) == 0.0
    # paths of both lengths lead from 0 to 2: the tie counts twice
    assert var_sortability(X, [[0, 1, 1], [0, 0, 1], [0, 0, 0]]) == pytest.approx(0.5)
    assert np.isnan(var_sortability(X, np.zeros((3, 3))))
    with pytest.raises(ValueError, match="cycle"):
        var_sortability(X, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match=r"X has shape \(2, 3\), W \(2, 2\)"):
        var_sortability(X, np.zeros((2, 2)))


def test_frequencies_are_those_of_fits_to_resampled_rows(sem):
    model = BootstrapDAG(FAST, n_bootstraps=6, random_state=3).fit(sem.X)
    rng = np.random.RandomState(3)
    counts = rng.multinomial(300, np.full(300, 1 / 300), size=6)
    edges = [
        FAST.fit(np.repeat(sem.X, count, axis=0)).adjacency_matrix_ != 0 for count in counts
    ]  # fmt: skip
    np.testing.assert_allclose(model.edge_frequency_, np.mean(edges, axis=0))
    f = model.edge_frequency_
    assert model.instability_[0] == pytest.approx(2 * (f * (1 - f)).sum() / 42)
    np.testing.assert_array_equal(model.adjacency_matrix_ != 0, f >= 0.5)
    for j in range(7):
        parents = np.flatnonzero(f[:, j] >= 0.5)
        if len(parents):
            ols = LinearRegression().fit(sem.X[:, parents], sem.X[:, j])
            np.testing.assert_allclose(model.adjacency_matrix_[parents, j], ols.coef_)


def test_bootstrap_does_not_depend_on_the_number_of_threads(sem):
    first, second = (
        BootstrapDAG(FAST, n_bootstraps=4, alphas=[0.05, 0.2], n_jobs=n, random_state=0).fit(sem.X)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(first.edge_frequencies_, second.edge_frequencies_)
    assert first.alphas_.tolist() == [0.2, 0.05]


def test_the_smallest_alpha_before_the_first_unstable_one_is_chosen(sem):
    alphas = [1000.0, 0.5, 0.05, 0.0]
    model = BootstrapDAG(
        FAST.set_params(threshold=0.05), n_bootstraps=6, alphas=alphas, random_state=0
    )
    FAST.set_params(threshold=0.3)
    model.fit(sem.X)
    unstable = np.flatnonzero(model.instability_ > 0.05)
    first = unstable[0] if len(unstable) else 4
    assert model.alpha_ == alphas[first - 1]
    np.testing.assert_array_equal(model.edge_frequency_, model.edge_frequencies_[first - 1])
    assert model.instability_[0] == 0 and not model.edge_frequencies_[0].any()


def test_bootstrap_warns_once(sem):
    short = CoLiDE("ev", mode="fast", max_iter=300)
    with pytest.warns(ConvergenceWarning, match="3 of 3 fits did not converge") as caught:
        BootstrapDAG(short, n_bootstraps=3, random_state=0).fit(sem.X)
    assert len(caught) == 1
    noise = np.random.default_rng(0).standard_normal((12, 5)) * np.arange(1, 6)
    with pytest.warns(UserWarning, match="no alpha reaches max_instability=0"):
        BootstrapDAG(FAST, n_bootstraps=8, alphas=[0.01], max_instability=0.0, random_state=0).fit(
            noise
        )


def test_other_estimators_can_be_bootstrapped(sem):
    model = BootstrapDAG(SortNRegress(), n_bootstraps=5, random_state=0).fit(sem.X)
    assert np.isnan(model.alpha_)
    assert model.edge_frequency_.max() == 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": "CoLiDE"}, "estimator"),
        ({"n_bootstraps": 0}, "n_bootstraps"),
        ({"alphas": [-1.0]}, "alphas"),
        ({"alphas": []}, "alphas"),
        ({"max_instability": 0.6}, "max_instability"),
        ({"min_frequency": 0.0}, "min_frequency"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_bad_parameters_of_the_bootstrap_are_named(sem, parameters, message):
    with pytest.raises(ValueError, match=message):
        BootstrapDAG(**parameters).fit(sem.X)


def test_bad_parameters_of_the_baseline_are_named(sem):
    with pytest.raises(ValueError, match="sort_by"):
        SortNRegress("mean").fit(sem.X)
    with pytest.raises(ValueError, match="threshold"):
        SortNRegress(threshold=-1.0).fit(sem.X)


def test_parents_are_selected_by_name_in_a_pipeline(sem):
    names = list("abcdefg")
    frame = pd.DataFrame(sem.X, columns=names)
    target = int(np.count_nonzero(sem.adjacency, axis=0).argmax())
    X, y = frame.drop(columns=names[target]), frame[names[target]]
    model = make_pipeline(SelectParents(FAST), LinearRegression()).fit(X, y)
    true_parents = [names[i] for i in np.flatnonzero(sem.adjacency[:, target])]
    assert model[0].get_feature_names_out().tolist() == true_parents
    np.testing.assert_allclose(
        model[1].coef_, sem.adjacency[sem.adjacency[:, target] != 0, target], atol=0.15
    )
    selected = model[0].set_output(transform="pandas").transform(X)
    assert selected.columns.tolist() == true_parents
    weights = model[0].parent_weights_
    assert [X.columns[i] for i in np.flatnonzero(weights)] == true_parents


def test_a_target_without_parents_keeps_no_column(sem):
    root = int(np.flatnonzero(~sem.adjacency.any(axis=0))[0])
    X, y = np.delete(sem.X, root, axis=1), sem.X[:, root]
    selector = SelectParents(FAST).fit(X, y)
    assert not selector.get_support().any()
    with pytest.warns(UserWarning, match="No features were selected"):
        nothing = selector.transform(X)
    assert nothing.shape == (300, 0)
    assert selector.inverse_transform(nothing).shape == X.shape
    with pytest.raises(ValueError, match="estimator"):
        SelectParents("CoLiDE").fit(X, y)
