"""Label propagation against scikit-learn, direct solves and a convex solver."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from skreg.semi_supervised import GraphLabelPropagation


def moons(n=150, n_labelled=10, seed=0):
    X, y = make_moons(n, noise=0.15, random_state=seed)
    few = np.where(np.arange(n) < n_labelled, y, -1)
    return X, y, few


def three_blobs(n=120, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 2)) + 1.5 * np.array([[0, 0], [2, 0], [0, 2]])[y]
    return X, y, np.where(np.arange(n) < 15, y, -1)


SOLVERS = ["direct", "cg", "descent"]
ITERATIVE = {
    "gradients": {"solver": "cg"},
    "descent": {"solver": "descent"},
    "gradients, then means": {"solver": "cg", "alpha": 0.05},
    "soft descent": {"solver": "descent", "alpha": 0.05},
    "huber": {"coupling": "huber"},
}


def chain(n=300):
    """Labels of two classes at the ends of a path, so long that soft ones fade to nothing."""
    ends = np.where(np.arange(n) % (n - 1) == 0, np.arange(n) // (n - 1), -1)
    return scipy.sparse.diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1]).tocsr(), ends


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", [moons, three_blobs])
def test_hard_labels_are_the_fixed_point_of_scikit_learns_label_propagation(data, solver):
    X, _, few = data()
    ours = GraphLabelPropagation("rbf", gamma=1, solver=solver, tol=1e-11).fit(X, few)
    theirs = LabelPropagation(gamma=1, tol=1e-12, max_iter=200_000).fit(X, few)
    np.testing.assert_allclose(ours.label_distributions_, theirs.label_distributions_, atol=1e-7)
    np.testing.assert_array_equal(ours.transduction_, theirs.transduction_)
    new = X[:20] + 0.05
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-7)
    assert ours.solver_ == solver
    assert ours.kkt_residual_ <= 1.1e-11


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.2, 0.9])
def test_soft_labels_are_the_fixed_point_of_scikit_learns_label_spreading(alpha, solver):
    X, _, few = three_blobs()
    options = {"gamma": 1, "alpha": alpha, "tol": 1e-12}
    ours = GraphLabelPropagation("rbf", solver=solver, **options).fit(X, few)
    theirs = LabelSpreading(max_iter=100_000, **options).fit(X, few)
    np.testing.assert_allclose(ours.label_distributions_, theirs.label_distributions_, atol=1e-9)


def neighbour_graph(X, k):
    """Edge if either sample is among the k nearest of the other, by brute force."""
    distance = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    W = np.zeros(distance.shape)
    np.put_along_axis(W, np.argsort(distance, axis=1)[:, :k], 1.0, axis=1)
    return np.maximum(W, W.T)


@pytest.mark.parametrize("solver", [*SOLVERS, "auto"])
def test_neighbour_graphs_and_a_dense_direct_solve(solver):
    X, _, few = three_blobs()
    W = neighbour_graph(X, 5)
    labelled = few != -1
    A = (np.diag(W.sum(axis=1)) - W)[np.ix_(~labelled, ~labelled)]
    F = np.linalg.solve(A, W[np.ix_(~labelled, labelled)] @ np.eye(3)[few[labelled]])
    model = GraphLabelPropagation(n_neighbors=5, solver=solver, tol=1e-11).fit(X, few)
    np.testing.assert_array_equal(model.affinity_matrix_.toarray(), W)
    np.testing.assert_allclose(model.label_distributions_[~labelled], F, atol=1e-8)
    np.testing.assert_array_equal(model.label_distributions_[labelled], np.eye(3)[few[labelled]])
    given = GraphLabelPropagation("precomputed", solver=solver, tol=1e-11)
    for weights in (W, scipy.sparse.csr_array(W), scipy.sparse.coo_matrix(W + np.eye(len(W)))):
        found = clone(given).fit(weights, few).label_distributions_
        np.testing.assert_allclose(found[~labelled], F, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_huber_couplings_agree_with_a_convex_solver(n_classes):
    cp = pytest.importorskip("cvxpy")
    X, _, few = moons(60, 8) if n_classes == 2 else three_blobs(60)
    W = neighbour_graph(X, 5)
    labelled = few != -1
    delta = 0.05
    model = GraphLabelPropagation(
        n_neighbors=5, coupling="huber", delta=delta, tol=1e-9, max_iter=100_000
    ).fit(X, few)
    assert model.solver_ == "descent"
    i, j = np.nonzero(np.triu(W))
    values = np.zeros((60, n_classes))
    for k in range(n_classes):
        z = cp.Variable(60)
        value = cp.sum(cp.huber(z[i] - z[j], delta)) / 2
        fixed = [z[np.flatnonzero(labelled)] == (few[labelled] == k)]
        cp.Problem(cp.Minimize(value), fixed).solve(solver=cp.CLARABEL)
        values[:, k] = z.value
        r = np.abs(model.label_distributions_[i, k] - model.label_distributions_[j, k])
        ours = np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum()
        if n_classes == 2:  # three values, scaled to sum to one, are no longer optimal
            assert ours == pytest.approx(value.value, rel=1e-6)
    values /= values.sum(axis=1, keepdims=True)
    agree = model.transduction_ == values.argmax(axis=1)
    margin = np.sort(values, axis=1)
    assert agree[margin[:, -1] - margin[:, -2] > 0.02].all()


def test_a_large_delta_is_the_quadratic_coupling():
    X, _, few = three_blobs()
    quadratic = GraphLabelPropagation().fit(X, few)
    huber = GraphLabelPropagation(coupling="huber", delta=2.0, tol=1e-10).fit(X, few)
    np.testing.assert_allclose(
        huber.label_distributions_, quadratic.label_distributions_, atol=1e-7
    )


def test_large_graphs_take_conjugate_gradients_and_small_ones_are_direct():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3200, 2))
    few = np.where(np.arange(3200) < 50, X[:, 0] > 0, -1)
    model = GraphLabelPropagation().fit(X, few)
    assert model.solver_ == "cg"
    assert 0 < model.n_iter_ < 2000
    direct = clone(model).set_params(solver="direct").fit(X, few)
    assert direct.n_iter_ == 1
    np.testing.assert_allclose(model.label_distributions_, direct.label_distributions_, atol=1e-5)


def test_digits_from_five_labels_per_class_beat_the_labels_alone():
    from sklearn.neighbors import KNeighborsClassifier

    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:5] for k in range(10)])
    few = np.full(len(y), -1)
    few[chosen] = y[chosen]
    rest = few == -1
    propagated = np.mean(GraphLabelPropagation().fit(X, few).transduction_[rest] == y[rest])
    nearest = KNeighborsClassifier(1).fit(X[chosen], y[chosen]).score(X[rest], y[rest])
    assert propagated > nearest + 0.05
    assert propagated > 0.9


def test_samples_can_be_permuted_and_labels_are_names():
    X, _, few = three_blobs()
    model = GraphLabelPropagation().fit(X, few)
    order = np.random.default_rng(0).permutation(len(few))
    permuted = GraphLabelPropagation().fit(X[order], few[order])
    np.testing.assert_allclose(
        permuted.label_distributions_, model.label_distributions_[order], atol=1e-10
    )
    names = np.array(["ash", "elm", "oak"], dtype=object)
    named = np.array([-1 if label == -1 else names[label] for label in few], dtype=object)
    for given in (named, named.astype(str)):
        found = GraphLabelPropagation().fit(X, given)
        np.testing.assert_array_equal(found.transduction_, names[model.transduction_])


def test_far_away_samples_go_to_the_nearest_class():
    X, _, few = moons()
    model = GraphLabelPropagation("rbf", gamma=5).fit(X, few)
    nearest = ((X - [1e3, -1e3]) ** 2).sum(axis=1).argmin()
    probability = model.predict_proba([[1e3, -1e3]])
    np.testing.assert_allclose(probability[0], model.label_distributions_[nearest], atol=1e-6)


def test_everything_labelled_and_one_class_only():
    X, y, few = moons()
    model = GraphLabelPropagation().fit(X, y)
    np.testing.assert_array_equal(model.transduction_, y)
    one = np.where(few == 0, 0, -1)
    assert (GraphLabelPropagation().fit(X, one).transduction_ == 0).all()


def test_single_precision_and_sparse_features():
    X, _, few = three_blobs()
    model = GraphLabelPropagation().fit(X, few)
    for other in (X.astype(np.float32), scipy.sparse.csr_array(X)):
        found = GraphLabelPropagation().fit(other, few)
        np.testing.assert_array_equal(found.transduction_, model.transduction_)
        np.testing.assert_array_equal(found.predict(other), model.predict(X))
    threads = GraphLabelPropagation(n_jobs=2).fit(X, few)
    np.testing.assert_array_equal(threads.label_distributions_, model.label_distributions_)


@pytest.mark.parametrize("options", [{"solver": "cg"}, {"coupling": "huber"}])
def test_not_converged_warns(options):
    X, _, few = three_blobs()
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 .*residual .*tol=1.0e-08"):
        model = GraphLabelPropagation(max_iter=2, **options).fit(X, few)
    assert model.kkt_residual_ > 1e-8


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"affinity": "cosine"}, "affinity"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"gamma": 0.0}, "gamma"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"coupling": "cubic"}, "coupling"),
        ({"delta": 0.0}, "delta"),
        ({"solver": "lu"}, "solver"),
        ({"tol": 0.0}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"coupling": "huber", "alpha": 0.5}, "alpha must be None"),
        ({"coupling": "huber", "solver": "cg"}, "linear systems"),
    ],
)
def test_bad_parameters_are_refused(options, reason):
    X, _, few = moons()
    with pytest.raises(ValueError, match=reason):
        GraphLabelPropagation(**options).fit(X, few)


@pytest.mark.parametrize(
    ("W", "y", "reason"),
    [
        (np.ones((3, 3)), [-1, -1, -1], "no labelled sample"),
        (np.array([[0, 1, 0], [0, 0, 1], [0, 1, 0]]), [0, 1, -1], "symmetric"),
        (-np.ones((3, 3)), [0, 1, -1], "nonnegative"),
        (np.ones((3, 2)), [0, 1, -1], "square"),
        (np.eye(3), [0, 1, -1], "connected to no labelled"),
        (np.ones((3, 3)), [0.5, 1.5, -1], "Unknown label type"),
    ],
)
def test_bad_graphs_are_refused(W, y, reason):
    with pytest.raises(ValueError, match=reason):
        GraphLabelPropagation("precomputed").fit(W, y)


def squared_differences(X, Y):
    return ((X[:, None] - Y[None]) ** 2).sum(axis=2)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_kernel_weights_are_those_of_the_differences_wherever_the_data_lie(offset):
    X, _, few = three_blobs()
    X, gamma = X + offset * np.array([1.0, -3.0]), 2.0
    model = GraphLabelPropagation("rbf", gamma=gamma).fit(X, few)
    W = np.exp(-gamma * squared_differences(X, X))
    np.fill_diagonal(W, 0.0)
    np.testing.assert_allclose(model.affinity_matrix_, W, rtol=1e-11)
    precomputed = GraphLabelPropagation("precomputed").fit(W, few)
    np.testing.assert_allclose(
        model.label_distributions_, precomputed.label_distributions_, atol=1e-11
    )
    new = X[:30] + 0.25
    weights = np.exp(-gamma * squared_differences(new, X)) @ model.label_distributions_
    expected = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(new), expected, atol=1e-11)


def test_neighbours_are_those_of_the_differences_wherever_the_data_lie():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    X = rng.normal(size=(80, 20)) + y[:, None] + 1e7  # too many columns for a tree
    model = GraphLabelPropagation(n_neighbors=5).fit(X, np.where(np.arange(80) < 20, y, -1))
    np.testing.assert_array_equal(model.affinity_matrix_.toarray(), neighbour_graph(X, 5))
    new = X[:30] + rng.normal(size=(30, 20))
    near = np.argsort(squared_differences(new, X), axis=1)[:, :5]
    expected = model.label_distributions_[near].mean(axis=1)
    np.testing.assert_allclose(model.predict_proba(new), expected, rtol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("centre", [0.0, 1e3])
@pytest.mark.parametrize("distance", [1e5, 1e20, 1e200, 1e308])
def test_far_samples_are_of_the_outermost_sample_in_their_direction(distance, centre):
    X, _, few = three_blobs()
    model = GraphLabelPropagation("rbf", gamma=1).fit(X + centre, few)
    angle = np.linspace(0.1, 6.0, 9)
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    outermost = (direction @ X.T).argmax(axis=1)
    got = model.predict_proba(distance * direction)
    np.testing.assert_allclose(got, model.label_distributions_[outermost], atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1e150, 1e200, 1e307])
def test_kernel_weights_in_extreme_units_are_zeros_and_ones(unit):
    X, y, _ = three_blobs()
    X = unit * X
    model = GraphLabelPropagation("rbf").fit(X, y)
    expected = (1.0 - np.eye(len(X))) * (unit < 1)
    np.testing.assert_array_equal(model.affinity_matrix_, expected)
    found = model.predict_proba(X)
    if unit < 1:  # every sample is everybody's neighbour
        np.testing.assert_allclose(found, np.tile(np.bincount(y) / len(y), (len(y), 1)))
        return
    np.testing.assert_array_equal(found, np.eye(3)[y])
    with pytest.raises(ValueError, match="connected to no labelled sample"):
        model.fit(X, np.where(np.arange(len(y)) < 15, y, -1))


@pytest.mark.parametrize("affinity", ["rbf", "knn"])
@pytest.mark.parametrize("distance", [1.0, 1e200])
def test_new_samples_may_be_sparse_or_dense(affinity, distance):
    X, _, few = three_blobs()
    X, sparse = np.where(X > 0, X, 0.0), scipy.sparse.csr_array
    dense, other = (
        GraphLabelPropagation(affinity, gamma=1).fit(form(X), few) for form in (np.asarray, sparse)
    )
    new = distance * (X[:20] + 0.01)
    expected = dense.predict_proba(new)
    np.testing.assert_allclose(dense.predict_proba(sparse(new)), expected, atol=1e-12)
    if affinity == "rbf":
        np.testing.assert_allclose(other.predict_proba(new), expected, atol=1e-9)
        np.testing.assert_allclose(other.predict_proba(sparse(new)), expected, atol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "direct"},
        {"solver": "cg", "max_iter": 3},
        {"solver": "descent", "max_iter": 3},
        {"solver": "cg", "alpha": 0.9, "max_iter": 3},
        {"coupling": "huber", "delta": 0.05, "max_iter": 3},
    ],
)
def test_the_certificate_has_no_unit(settings):
    X, y = make_moons(60, noise=0.1, random_state=0)
    W, few = rbf_kernel(X, gamma=20), np.where(np.arange(60) < 6, y, -1)
    residuals = []
    for factor in (1.0, 1.9, 3e-7, 7e9):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GraphLabelPropagation("precomputed", **settings).fit(factor * W, few)
        residuals.append(model.kkt_residual_)
    assert residuals == pytest.approx([residuals[0]] * 4, rel=1e-6, abs=1e-13)


def test_warnings_point_at_the_line_that_fits_a_pipeline():
    X = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    y = [0, 1, -1, -1, -1, -1]
    leave = GraphLabelPropagation(n_neighbors=1, unlabelled_components="leave")
    with pytest.warns(UserWarning, match="left unlabelled") as caught:
        make_pipeline(FunctionTransformer(), leave).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    X, y = make_moons(30, random_state=0)
    model = GraphLabelPropagation().fit(X, np.where(np.arange(30) < 6, y, -1))
    before = dict(vars(model))
    with pytest.raises(ValueError, match="no labelled sample"):
        model.fit(X[:20], np.full(20, -1))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


@pytest.mark.parametrize("name", ITERATIVE)
def test_iterations_are_counted_on_request_and_stay_the_same(name, capsys):
    W, ends = chain()
    quiet = GraphLabelPropagation("precomputed", **ITERATIVE[name]).fit(W, ends)
    assert "GraphLabelPropagation" not in capsys.readouterr().err
    shown = clone(quiet).set_params(verbose=1).fit(W, ends)
    counted = re.findall(r"GraphLabelPropagation: (\d+)iteration", capsys.readouterr().err)
    assert int(counted[-1]) >= shown.n_iter_ == quiet.n_iter_ > 0  # of all classes, of the slowest
    np.testing.assert_array_equal(shown.label_distributions_, quiet.label_distributions_)


def test_a_direct_solve_has_no_iterations_to_count(capsys):
    X, _, few = moons()
    assert GraphLabelPropagation(solver="direct", verbose=1).fit(X, few).solver_ == "direct"
    assert "GraphLabelPropagation" not in capsys.readouterr().err
