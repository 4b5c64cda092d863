"""Graphs with weights of all sizes, and with components that have no label, in exact arithmetic."""

import functools
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

from skreg.semi_supervised import GraphLabelPropagation


def harmonic_values(W, y, n_classes):
    """Gauss-Jordan elimination with fractions, which do not round."""
    free = np.flatnonzero(y == -1)
    w = [[Fraction(float(value)) for value in row] for row in W]
    rows = []
    for i in free:
        left = [sum(w[i]) * (i == j) - w[i][j] * (i != j) for j in free]
        given = [
            sum((w[i][j] for j in np.flatnonzero(y == k)), Fraction()) for k in range(n_classes)
        ]
        rows.append(left + given)
    for k, pivot_row in enumerate(rows):
        rows[k] = pivot_row = [value / pivot_row[k] for value in pivot_row]
        for i, row in enumerate(rows):
            if i != k and row[k]:
                rows[i] = [a - row[k] * b for a, b in zip(row, pivot_row, strict=True)]
    F = np.eye(n_classes + 1)[y][:, :n_classes]
    F[free] = [[float(value) for value in row[len(free) :]] for row in rows]
    return F


def chain(weight):
    """Three nodes that hang on two labels by weak edges: exactly 1/3 and 2/3."""
    W = np.zeros((5, 5))
    W[[0, 1, 2, 3], [1, 2, 3, 4]] = weight, 1, 1, 2 * weight
    return W + W.T, np.array([0, -1, -1, -1, 1])


def clusters(weight, seed=0):
    """Five clusters of three nodes, three of them with a label, and weak edges of many sizes."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(5), 3)
    weak = weight ** rng.uniform(0.3, 1, (15, 15)) * (rng.random((15, 15)) < 0.4)
    W = np.triu(np.where(cluster[:, None] == cluster, rng.random((15, 15)), weak), 1)
    y = np.full(15, -1)
    y[[0, 4, 8]] = 0, 1, 2
    return W + W.T, y


@functools.cache
def exact_values(graph, weight):
    W, y = graph(weight)
    return harmonic_values(W, y, y.max() + 1)


WEIGHTS = [1e-3, 1e-8, 1e-12, 1e-17, 1e-60, 1e-300]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("graph", [chain, clusters])
def test_elimination_is_exact_for_weak_bridges_in_every_unit(graph, weight):
    W, y = graph(weight)
    exact = exact_values(graph, weight)
    for unit in (1.0, 1e200, 1e-200 if weight > 1e-100 else 1.0):
        for given in (unit * W, scipy.sparse.csr_array(unit * W)):
            model = GraphLabelPropagation("precomputed").fit(given, y)
            np.testing.assert_allclose(model.label_distributions_, exact, rtol=1e-13, atol=1e-300)
            assert model.solver_ == "direct"
            assert model.kkt_residual_ < 1e-14


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("graph", [chain, clusters])
@pytest.mark.parametrize("solver", ["cg", "descent"])
def test_iterative_solvers_are_right_or_say_that_they_are_not(graph, weight, solver):
    W, y = graph(weight)
    exact = exact_values(graph, weight)
    for given in (W, scipy.sparse.csr_array(W)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = GraphLabelPropagation("precomputed", solver=solver, max_iter=100).fit(given, y)
        assert not np.isnan(model.label_distributions_).any()
        assert not np.isnan(model.kkt_residual_)
        if not caught:
            np.testing.assert_allclose(model.label_distributions_, exact, atol=1e-7)
            assert model.kkt_residual_ <= 1e-8
            continue
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert f"residual {model.kkt_residual_:.1e}; tol=1.0e-08" in str(caught[0].message)
        assert model.kkt_residual_ > 1e-8


@pytest.mark.parametrize("weight", [1e-6, 1e-12, 1e-100])
@pytest.mark.parametrize("graph", [chain, clusters])
def test_huber_couplings_are_right_or_say_that_they_are_not(graph, weight):
    W, y = graph(weight)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GraphLabelPropagation("precomputed", coupling="huber", delta=2.0, max_iter=200).fit(
            W, y
        )  # delta beyond all differences: the quadratic coupling
    if caught:
        assert [warning.category for warning in caught] == [ConvergenceWarning]
    else:
        exact = exact_values(graph, weight)
        np.testing.assert_allclose(model.label_distributions_, exact, atol=1e-6)


@pytest.mark.parametrize("weight", [1e-9, 1e-40, 1e-200])
def test_dense_weights_of_any_size_are_edges(weight):
    W = weight * np.array([[0, 3, 0], [3, 0, 1], [0, 1, 0]])
    for given in (W, scipy.sparse.csr_array(W)):
        model = GraphLabelPropagation("precomputed").fit(given, [0, -1, 1])
        np.testing.assert_allclose(model.label_distributions_[1], [0.75, 0.25], rtol=1e-14)


def test_small_weights_must_be_symmetric_too():
    W, y = chain(1e-15)
    W[0, 1] *= 2
    for given in (W, scipy.sparse.csr_array(W)):
        with pytest.raises(ValueError, match=r"symmetric, but W\[0, 1\] = 2e-15"):
            GraphLabelPropagation("precomputed").fit(given, y)


def few_digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y, np.where(np.random.default_rng(0).random(len(y)) < 0.02, y, -1)


def test_radial_weights_at_their_default_label_digits():
    X, y, few = few_digits()
    model = GraphLabelPropagation("rbf").fit(X, few)
    assert np.mean(model.transduction_ == y) > 0.9
    model = GraphLabelPropagation("rbf").fit(X[:600], few[:600])
    single = GraphLabelPropagation("rbf").fit(X[:600].astype(np.float32), few[:600])
    np.testing.assert_array_equal(single.transduction_, model.transduction_)
    with pytest.raises(ValueError, match=r"lower gamma or scale X, .* beyond a distance of 6\.1"):
        GraphLabelPropagation("rbf").fit(16 * X[:600], few[:600])


@pytest.mark.parametrize("alpha", [0.2, 0.9])
@pytest.mark.parametrize("solver", ["direct", "cg"])
def test_soft_labels_are_right_far_from_all_labels(alpha, solver):
    """Values fade with the distance, far below the rounding error of those near a label."""
    n = 60
    W = scipy.sparse.diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1]).tocsr()
    y = np.full(n, -1)
    y[[0, n - 1]] = 0, 1
    model = GraphLabelPropagation("precomputed", alpha=alpha, solver=solver).fit(W, y)
    half = n // 2
    assert (model.transduction_ == np.repeat([0, 1], half)).all()
    F = np.eye(3)[y][:, :2]  # the iteration of LabelSpreading adds no negative numbers
    root = np.sqrt(W.sum(axis=1))[:, None]
    values = F
    for _ in range(600):
        values = alpha * (W @ (values / root)) / root + (1 - alpha) * F
    values /= values.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        model.label_distributions_,
        values,
        rtol=1e-12 if solver == "direct" else 1e-6,
        atol=1e-300 if solver == "direct" else 1e-8,
    )


def test_soft_labels_do_not_depend_on_the_unit_of_the_weights():
    X, _ = make_moons(100, noise=0.1, random_state=0)
    y = np.where(np.arange(100) < 6, np.arange(100) % 2, -1)
    W = np.exp(-5 * ((X[:, None] - X) ** 2).sum(axis=2))
    np.fill_diagonal(W, 0)
    spreading = LabelSpreading(gamma=5, alpha=0.5, tol=1e-12, max_iter=1000).fit(X, y)
    for unit in (1e-250, 1.0, 1e250):
        model = GraphLabelPropagation("precomputed", alpha=0.5).fit(unit * W, y)
        np.testing.assert_allclose(
            model.label_distributions_, spreading.label_distributions_, atol=1e-9
        )


def test_large_graphs_that_hang_on_weak_edges_warn_or_are_right():
    n = 3500
    chain_of_clusters = [np.where(np.arange(n - 1) % 50 == 49, 1e-13, 1.0)] * 2
    W = scipy.sparse.diags_array(chain_of_clusters, offsets=[-1, 1]).tocsr()
    y = np.full(n, -1)
    y[[0, n - 1]] = 0, 1
    with pytest.warns(ConvergenceWarning, match="solver='direct'"):
        model = GraphLabelPropagation("precomputed", max_iter=300).fit(W, y)
    assert model.solver_ == "cg"
    model = GraphLabelPropagation("precomputed", solver="direct").fit(W, y)
    resistance = np.r_[0, np.cumsum(1 / chain_of_clusters[0])]  # a chain is a series of resistors
    np.testing.assert_allclose(
        model.label_distributions_[:, 1], resistance / resistance[-1], rtol=1e-11
    )


@pytest.mark.parametrize("coupling", ["quadratic", "huber"])
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("labels", [[3, 7], ["a", "bc"], [True, False], [2.0, 5.0]])
def test_components_without_a_label_are_left_unlabelled(labels, dense, coupling):
    W = scipy.sparse.block_diag([np.ones((4, 4)), np.ones((3, 3)), np.ones((2, 2)), [[0.0]]])
    W = W.toarray() if dense else scipy.sparse.csr_array(W)
    labels, mark = np.array(labels, dtype=object), -1
    y = np.array([labels[0], mark, labels[1], mark, labels[1], mark, mark, mark, mark, mark])
    if isinstance(labels[0], str):
        y, mark = y.astype(str), "-1"
    if isinstance(labels[0], float):
        y = y.astype(float)
    given = GraphLabelPropagation("precomputed", coupling=coupling)
    with pytest.raises(ValueError, match=r"3 of 10 samples .* unlabelled_components='leave'"):
        given.fit(W, y)
    model = given.set_params(unlabelled_components="leave")
    with pytest.warns(UserWarning, match="3 of 10 samples are connected to no labelled"):
        model.fit(W, y)
    np.testing.assert_array_equal(model.label_distributions_[7:], 0)
    assert list(model.transduction_[7:]) == [mark] * 3
    kept = np.arange(7)
    alone = GraphLabelPropagation("precomputed", coupling=coupling).fit(W[kept][:, kept], y[kept])
    np.testing.assert_allclose(model.label_distributions_[:7], alone.label_distributions_)
    assert list(model.transduction_[:7]) == list(alone.transduction_)
    new = np.zeros((2, 10))
    new[0, 8], new[1, 5] = 1, 1
    with pytest.warns(UserWarning, match="1 of 2 new samples"):
        assert list(model.predict(new)) == [mark, model.transduction_[5]]
    with pytest.warns(UserWarning, match="1 of 2 new samples"):
        np.testing.assert_array_equal(model.predict_proba(new)[0], 0)
    with pytest.raises(ValueError, match="1 of 2 new samples"):
        alone.predict(np.vstack([np.zeros(7), np.ones(7)]))


def test_labels_stored_as_objects_mean_the_same():
    X, y = make_moons(60, noise=0.05, random_state=0)
    names = np.where(np.arange(60) < 6, np.array(["a", "b"])[y], "-1")
    expected = GraphLabelPropagation().fit(X, names)
    found = GraphLabelPropagation().fit(X, names.astype(object))
    assert list(found.classes_) == ["a", "b"]
    np.testing.assert_array_equal(found.label_distributions_, expected.label_distributions_)
    few = np.where(np.arange(60) < 6, y, -1)
    found = GraphLabelPropagation().fit(X, few.astype(object))
    np.testing.assert_array_equal(found.label_distributions_, expected.label_distributions_)
    assert found.transduction_.dtype == few.dtype


def test_a_fitted_model_does_not_change_with_its_parameters_or_a_failed_fit():
    X, y = make_moons(80, noise=0.1, random_state=0)
    few = np.where(np.arange(80) < 8, y, -1)
    model = GraphLabelPropagation("rbf", gamma=5).fit(X, few)
    before = model.predict_proba(X + 0.1)
    model.set_params(gamma=50, affinity="knn")
    np.testing.assert_array_equal(model.predict_proba(X + 0.1), before)
    state = pickle.dumps(model)
    with pytest.raises(ValueError, match="no labelled sample"):
        model.fit(X[:, :1], np.full(80, -1))
    assert pickle.dumps(model) == state
