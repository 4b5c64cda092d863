"""The baseline, the bootstrap and the selection of parents."""

import pickle
import warnings

import networkx
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LassoLarsIC, LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.causal import (
    BootstrapDAG,
    CoLiDE,
    SelectParents,
    SortNRegress,
    StructuralVAR,
    var_sortability,
)
from skreg.causal._problem import noise_level
from skreg.causal._stability import rank_of_pairs
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


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e100])
@pytest.mark.parametrize("sort_by", ["variance", "r2"])
def test_the_baseline_is_free_of_the_common_unit(sem, unit, sort_by):
    one, other = (SortNRegress(sort_by).fit(X) for X in (sem.X, unit * sem.X))
    np.testing.assert_allclose(other.adjacency_matrix_, one.adjacency_matrix_, atol=1e-9)
    np.testing.assert_allclose(other.sigma_, unit * one.sigma_, rtol=1e-9)
    np.testing.assert_array_equal(other.causal_order_, one.causal_order_)


def test_a_determined_column_is_named(sem):
    frame = pd.DataFrame(sem.X[:, :3], columns=list("abc"))
    frame["sum"] = 5 * frame.sum(axis=1)
    with pytest.warns(UserWarning, match=r"noise level of 'sum' \(.*is at its floor"):
        model = SortNRegress().fit(frame)
    assert model.sigma_[3] == pytest.approx(1e-7 * frame["sum"].std(ddof=0), rel=1e-9)
    assert np.isfinite(model.score(frame))
    rest = BootstrapDAG(SortNRegress(), n_bootstraps=3, random_state=0)
    with pytest.warns(UserWarning, match="noise level of 'sum'"):
        rest.fit(frame)


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
    # a constant column has the smallest variance; two tie
    rest = np.array([[5.0, 0.0, 7.0], [5.0, 1.0, 7.0]])
    assert var_sortability(rest, [[0, 1, 0], [0, 0, 0], [0, 0, 0]]) == 1.0
    assert var_sortability(rest, [[0, 0, 1], [0, 0, 0], [0, 0, 0]]) == 0.5


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_var_sortability_is_free_of_the_common_unit(sem, unit):
    assert var_sortability(unit * sem.X, sem.adjacency) == var_sortability(sem.X, sem.adjacency)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_var_sortability_refuses_what_is_no_number(sem, value):
    X = sem.X.copy()
    X[3, 2] = value
    with pytest.raises(ValueError, match="X contains"):
        var_sortability(X, sem.adjacency)


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


@pytest.fixture(scope="module")
def rare(sem):
    """A column that is constant in every seventh sample."""
    return np.column_stack([sem.X, np.arange(300) < 2])


def by_hand(X, estimator, counts):
    """Edges of fits to copied rows, without the columns that are constant there."""
    edges = np.zeros((len(counts), X.shape[1], X.shape[1]))
    for graph, count in zip(edges, counts, strict=True):
        rows = np.repeat(X, count, axis=0)
        varying = np.flatnonzero(np.ptp(rows, axis=0) > 0)
        fitted = estimator.fit(rows[:, varying]).adjacency_matrix_
        graph[np.ix_(varying, varying)] = fitted != 0
    return edges


@pytest.mark.parametrize(
    "estimator", [SortNRegress(), CoLiDE("ev", mode="fast"), CoLiDE("nv", mode="fast")]
)
def test_a_column_constant_in_some_samples_has_no_edges_there(rare, estimator):
    model = BootstrapDAG(estimator, n_bootstraps=20, random_state=0)
    counts = np.random.RandomState(0).multinomial(300, np.full(300, 1 / 300), size=20)
    n_constant = np.sum(counts[:, :2].sum(axis=1) == 0)
    assert n_constant > 0
    with pytest.warns(UserWarning, match=f"'x7' \\({n_constant / 20:.0%}\\)"):
        model.fit(rare)
    expected = by_hand(rare, estimator, counts).mean(axis=0)
    np.testing.assert_allclose(model.edge_frequency_, expected)
    np.testing.assert_allclose(model.constant_frequency_, [0] * 7 + [n_constant / 20])
    assert model.n_failed_ == 0


class Fragile(BaseEstimator):
    """Empty graph; fails on samples without the first row, and takes no weights."""

    def fit(self, X, y=None):
        if not np.any(X[:, 0] == 1e3):
            raise np.linalg.LinAlgError("singular")
        self.adjacency_matrix_ = np.triu(np.ones((X.shape[1],) * 2), k=1)
        return self


def test_a_fit_that_fails_is_left_out(sem):
    X = sem.X[:50].copy()
    X[0, 0] = 1e3
    model = BootstrapDAG(Fragile(), n_bootstraps=20, random_state=0)
    n_failed = np.sum(
        np.random.RandomState(0).multinomial(50, np.full(50, 1 / 50), size=20)[:, 0] == 0
    )
    assert 0 < n_failed < 20
    with pytest.warns(FitFailedWarning, match=f"{n_failed} of 20 fits failed .*LinAlgError: sing"):
        model.fit(X)
    assert model.n_failed_ == n_failed
    np.testing.assert_array_equal(model.edge_frequency_, np.triu(np.ones((7, 7)), k=1))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        BootstrapDAG(Fragile(), n_bootstraps=3, random_state=0).fit(sem.X)


def test_two_rows_can_be_bootstrapped():
    X = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, -1.0]])
    counts = np.random.RandomState(0).multinomial(2, [0.5, 0.5], size=8)
    with pytest.warns(UserWarning, match="constant columns"):
        model = BootstrapDAG(SortNRegress(), n_bootstraps=8, random_state=0).fit(X)
    share = np.mean(counts.max(axis=1) == 2)
    np.testing.assert_allclose(model.constant_frequency_, share)
    np.testing.assert_allclose(model.edge_frequency_.max(), 1 - share)


def test_rare_edges_are_dropped_on_cycles_only_and_required_ones_never(sem):
    """Half the columns standardised: the samples disagree about directions."""
    X = sem.X[:60] / sem.X[:60].std(axis=0) * [1, 1, 1, 1.01, 1.02, 1.1, 1.2]
    required = [(6, 0), (0, 3)]
    base = CoLiDE("ev", mode="fast", include_edges=required, threshold=0.1, max_iter=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = BootstrapDAG(base, n_bootstraps=15, min_frequency=0.1, random_state=0).fit(X)
    f, W = model.edge_frequency_, model.adjacency_matrix_
    frequent = networkx.DiGraph(f >= 0.1)
    cyclic = [n for n in networkx.strongly_connected_components(frequent) if len(n) > 1]
    assert cyclic
    for cause, effect in np.argwhere((f >= 0.1) & (W == 0)):
        assert any({cause, effect} <= nodes for nodes in cyclic)
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(W))
    assert all(W[edge] != 0 and f[edge] == 1 for edge in required)
    with pytest.raises(ValueError, match="include_edges has a cycle"):
        BootstrapDAG(CoLiDE("ev", include_edges=[(0, 1), (1, 0)])).fit(X)


def test_the_stable_graph_does_not_depend_on_the_order_of_columns(sem):
    X = np.random.default_rng(2).standard_normal((40, 7)) * np.linspace(1, 1.2, 7) + sem.X[:40] / 20
    order = np.random.default_rng(3).permutation(7)
    first, second = (
        BootstrapDAG(SortNRegress(), n_bootstraps=4, min_frequency=0.25, random_state=0).fit(Z)
        for Z in (X, X[:, order])
    )
    f = first.edge_frequency_
    assert np.any((f == f.T) & (f >= 0.25))  # frequencies do not tell which edge to drop
    np.testing.assert_allclose(second.edge_frequency_, f[np.ix_(order, order)])
    np.testing.assert_allclose(
        second.adjacency_matrix_, first.adjacency_matrix_[np.ix_(order, order)], atol=1e-9
    )
    rank = rank_of_pairs(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([[5.0, 9.0], [4.0, 0.0]]))
    assert rank.tolist() == [[2, 0], [1, 3]]


def test_standardised_columns_are_warned_of_by_every_method(sem):
    Z = StandardScaler().fit_transform(sem.X)
    y = sem.X[:, 0] + np.random.default_rng(0).standard_normal(300)
    models = [
        FAST,
        SortNRegress(),
        BootstrapDAG(FAST, n_bootstraps=2, random_state=0),
        BootstrapDAG(SortNRegress(), n_bootstraps=2, random_state=0),
        make_pipeline(StandardScaler(), FAST),
    ]
    for model in models:
        with pytest.warns(UserWarning, match="all columns have the same variance") as caught:
            model.fit(Z)
        assert len(caught) == 1
        assert caught[0].filename == __file__
    for estimator in (None, FAST, SortNRegress(), BootstrapDAG(FAST, n_bootstraps=2)):
        selector = make_pipeline(StandardScaler(), SelectParents(estimator))
        with pytest.warns(UserWarning, match="7 of 8 columns have the same variance") as caught:
            selector.fit(sem.X, y)
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SortNRegress("r2").fit(Z)  # needs no unit
        BootstrapDAG(SortNRegress("r2"), n_bootstraps=2, random_state=0).fit(Z)
        make_pipeline(StandardScaler(), SelectParents(SortNRegress("r2"))).fit(sem.X, y)
        SortNRegress().fit(sem.X)


def test_an_interrupted_bootstrap_leaves_the_estimator_as_it_was(sem, monkeypatch):
    from skreg.causal import _bootstrap

    model = BootstrapDAG(SortNRegress(), n_bootstraps=3, random_state=0).fit(sem.X)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_bootstrap, "fit_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(2 * sem.X)
    for name, value in before.items():
        assert getattr(model, name) is value, name


def test_parameters_act_at_the_second_fit_and_after_pickling(sem):
    model = BootstrapDAG(FAST, n_bootstraps=3, random_state=0).fit(sem.X)
    again = pickle.loads(pickle.dumps(model)).set_params(estimator__alpha=1.0, n_bootstraps=2)
    fresh = BootstrapDAG(CoLiDE("ev", 1.0, mode="fast", max_iter=20_000), n_bootstraps=2,
                         random_state=0)  # fmt: skip
    again.fit(sem.X + 1)
    fresh.fit(sem.X + 1)
    np.testing.assert_array_equal(again.edge_frequencies_, fresh.edge_frequencies_)
    assert FAST.alpha == 0.05
    assert again.alpha_ == 1.0


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
    assert model.instability_[0] == 0
    assert not model.edge_frequencies_[0].any()


def test_a_number_of_alphas_reaches_from_no_edges_down(sem):
    model = BootstrapDAG(FAST, n_bootstraps=2, alphas=3, eps=0.1, random_state=0)
    model.fit(sem.X)
    largest = model.alphas_[0]
    np.testing.assert_allclose(model.alphas_, largest * np.array([1.0, 0.1**0.5, 0.1]))
    C = np.cov(sem.X.T)
    np.fill_diagonal(C, 0.0)
    in_units = np.abs(C).max() / np.sqrt(sem.X.var(axis=0).mean())
    unit = noise_level(np.cov(sem.X.T)) / 2
    assert largest == pytest.approx(in_units / unit, rel=0.01)
    assert not model.edge_frequencies_[0].any()
    assert not model.set_params(estimator=None, alphas=1).fit(sem.X).adjacency_matrix_.any()
    scaled = BootstrapDAG(FAST, n_bootstraps=2, alphas=3, eps=0.1, random_state=0).fit(1e6 * sem.X)
    assert scaled.alphas_[0] == pytest.approx(largest, rel=1e-9)
    with pytest.raises(ValueError, match="known for CoLiDE, not for SortNRegress; give the alphas"):
        BootstrapDAG(SortNRegress(), alphas=3).fit(sem.X)


def test_an_alpha_at_the_lower_edge_is_warned_of(sem):
    stable = {"n_bootstraps": 2, "max_instability": 0.5, "random_state": 0}
    with pytest.warns(UserWarning, match=r"chose alpha=0\.5, the smallest of the 2 strengths"):
        BootstrapDAG(FAST, alphas=[1000.0, 0.5], **stable).fit(sem.X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        BootstrapDAG(FAST, alphas=[0.05], **stable).fit(sem.X)  # nothing to choose from
        BootstrapDAG(FAST, alphas=[1000.0, 0.0], **stable).fit(sem.X)  # nothing lies below
        BootstrapDAG(FAST, alphas=[0.06, 0.05], **stable).fit(sem.X)  # the graph is the same


def test_verbose_counts_the_fits(sem, capsys):
    model = BootstrapDAG(SortNRegress(), n_bootstraps=3, random_state=0, verbose=1).fit(sem.X)
    shown = capsys.readouterr()
    assert "BootstrapDAG" in shown.err
    assert "3/3" in shown.err
    assert not shown.out
    quiet = BootstrapDAG(SortNRegress(), n_bootstraps=3, random_state=0).fit(sem.X)
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(quiet.edge_frequency_, model.edge_frequency_)


def test_bootstrap_warns_once(sem):
    short = CoLiDE("ev", mode="fast", max_iter=300)
    with pytest.warns(ConvergenceWarning, match="3 of 3 fits did not converge") as caught:
        BootstrapDAG(short, n_bootstraps=3, random_state=0).fit(sem.X)
    assert len(caught) == 1
    noise = np.random.default_rng(0).standard_normal((12, 5)) * np.arange(1, 6)
    with pytest.warns(UserWarning, match="no alpha reaches an instability of 0"):
        BootstrapDAG(FAST, n_bootstraps=8, alphas=[0.01], max_instability=0.0, random_state=0).fit(
            noise
        )


def test_other_estimators_can_be_bootstrapped(sem):
    model = BootstrapDAG(SortNRegress(), n_bootstraps=5, random_state=0).fit(sem.X)
    assert np.isnan(model.alpha_)
    assert model.edge_frequency_.max() == 1.0


def test_rows_that_follow_one_another_are_not_drawn_singly(sem):
    with pytest.raises(TypeError, match="needs rows in the order of time"):
        BootstrapDAG(StructuralVAR(), n_bootstraps=2).fit(sem.X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": "CoLiDE"}, "estimator"),
        ({"n_bootstraps": 0}, "n_bootstraps"),
        ({"alphas": [-1.0]}, "alphas"),
        ({"alphas": []}, "alphas"),
        ({"alphas": 0}, "alphas"),
        ({"eps": 1.0}, "eps"),
        ({"verbose": -1}, "verbose"),
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


def test_parents_have_names(sem):
    target = int(np.count_nonzero(sem.adjacency, axis=0).argmax())
    X, y = np.delete(sem.X, target, axis=1), sem.X[:, target]
    selector = SelectParents(FAST).fit(X, y)
    support = np.flatnonzero(selector.get_support())
    assert len(support) > 1
    assert selector.selected_features_.tolist() == [f"x{j}" for j in support]
    frame = pd.DataFrame(X, columns=list("abcdef"))
    named = SelectParents(FAST).set_output(transform="pandas").fit(frame, y)
    names = ["abcdef"[j] for j in support]
    assert named.selected_features_.tolist() == names
    assert named.transform(frame).columns.tolist() == names
    assert {cause for cause, effect, _ in named.estimator_.edges() if effect == "y"} == set(names)


def test_parents_can_be_those_of_a_bootstrap(sem):
    target = int(np.count_nonzero(sem.adjacency, axis=0).argmax())
    X, y = np.delete(sem.X, target, axis=1), sem.X[:, target]
    base = BootstrapDAG(n_bootstraps=5, random_state=0)
    selector = SelectParents(base).fit(X, y)
    alone = BootstrapDAG(n_bootstraps=5, random_state=0).fit(np.column_stack([X, y]))
    np.testing.assert_array_equal(selector.parent_weights_, alone.adjacency_matrix_[:-1, -1])
    assert selector.get_support().any()
    model = make_pipeline(SelectParents(base), LinearRegression())
    assert np.all(np.isfinite(cross_val_score(model, X, y, cv=2)))
    with pytest.raises(ValueError, match="BootstrapDAG takes none; leave it out"):
        SelectParents(base).fit(X, y, sample_weight=np.ones(300))


def test_constraints_and_messages_name_columns_and_target(sem):
    frame = pd.DataFrame(sem.X, columns=list("abcdefg"))
    X, y = frame[list("abcdef")], frame["g"]
    by_name = [("a", "g"), ("g", "b"), ("c", "d")]
    by_number = [(0, 6), (6, 1), (2, 3)]
    for wrap in (
        lambda base: base,
        lambda base: BootstrapDAG(base, n_bootstraps=2, random_state=0),
    ):
        graphs = [
            SelectParents(wrap(CoLiDE("ev", mode="fast", exclude_edges=edges))).fit(X, y).estimator_
            for edges in (by_name, by_number)
        ]
        np.testing.assert_array_equal(*[graph.adjacency_matrix_ for graph in graphs])
    assert graphs[0].adjacency_matrix_[0, 6] == 0
    assert {name for *pair, _ in graphs[0].edges() for name in pair} <= set("abcdefg")
    with pytest.raises(ValueError, match="column 'g' is constant"):
        SelectParents(FAST).fit(X, 0 * y)
    with pytest.raises(ValueError, match="column 'y' is constant"):
        SelectParents(FAST).fit(X, np.zeros(300))
    selector = SelectParents(CoLiDE("ev", mode="fast", exclude_edges=[("a", "a (target)")]))
    assert not selector.fit(X, frame["g"].rename("a")).get_support()[0]


@pytest.mark.parametrize("routing", [False, True])
def test_weights_of_zero_are_rows_left_out(sem, routing):
    weight = np.r_[np.zeros(40), np.ones(260)]
    spoilt = sem.X.copy()
    spoilt[:40] = 1e6
    X, y = spoilt[:, :6], spoilt[:, 6]
    for model in (FAST, CoLiDE("nv", mode="fast"), SortNRegress()):
        found = sklearn.clone(model).fit(spoilt, sample_weight=weight).adjacency_matrix_
        expected = sklearn.clone(model).fit(sem.X[40:]).adjacency_matrix_
        np.testing.assert_array_equal(found, expected)
    expected = SelectParents(FAST).fit(X[40:], y[40:]).parent_weights_
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            selector = SelectParents(FAST).set_fit_request(sample_weight=True)
            regression = LinearRegression().set_fit_request(sample_weight=True)
            pipeline = make_pipeline(selector, regression)
            pipeline.fit(X, y, sample_weight=weight)
        else:
            pipeline = make_pipeline(SelectParents(FAST), LinearRegression())
            pipeline.fit(X, y, selectparents__sample_weight=weight)
    np.testing.assert_array_equal(pipeline[0].parent_weights_, expected)


def test_scores_need_a_positive_weight(sem):
    model = SortNRegress().fit(sem.X)
    weight = np.r_[np.zeros(100), np.full(200, 3.0)]
    assert model.score(sem.X, sample_weight=weight) == pytest.approx(model.score(sem.X[100:]))
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.score(sem.X, sample_weight=np.zeros(300))
    with pytest.raises(ValueError, match="Negative values"):
        model.score(sem.X, sample_weight=-weight)


@pytest.mark.parametrize(("number", "message"), [(np.inf, "infinity"), (np.nan, "NaN")])
@pytest.mark.parametrize("form", ["scalar", "array"])
def test_weights_that_are_no_numbers_are_refused(sem, number, message, form):
    weight = number if form == "scalar" else np.where(np.arange(300) == 4, number, 1.0)
    for model in (FAST, SortNRegress()):
        with pytest.raises(ValueError, match=f"sample_weight.*{message}|{message}.*sample_weight"):
            sklearn.clone(model).fit(sem.X, sample_weight=weight)
    with pytest.raises(ValueError, match=message):
        SelectParents(FAST).fit(sem.X[:, 1:], sem.X[:, 0], sample_weight=weight)
    graphs = SortNRegress(), BootstrapDAG(SortNRegress(), n_bootstraps=3, random_state=0)
    for model in graphs:
        with pytest.raises(ValueError, match=message):
            model.fit(sem.X).score(sem.X, sample_weight=weight)


def test_weights_whose_sum_overflows_are_refused(sem):
    model = SortNRegress().fit(sem.X)
    for action in (model.fit, model.score):
        with pytest.raises(ValueError, match=r"sum of sample_weight overflows.*1e\+308"):
            action(sem.X, sample_weight=np.full(300, 1e308))
