"""What goes in, what comes out, and what is refused."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from numpydoc.validate import validate

import skreg.optim
from skreg.optim import L1, Csc, ElasticNet, GroupL2, NonNegative, as_design
from skreg.optim import descent as parts
from skreg.optim.descent import (
    BlockCoordinateDescent,
    GaussSouthwell,
    GaussSouthwellQuadratic,
    GraphHuber,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Multinomial,
    Order,
    ProximalGaussSouthwell,
    Sort,
    Variable,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(15, 6))
Y = X[:, 0] + RNG.normal(size=15)
A = scipy.sparse.csr_array(np.eye(4) * 3 - np.eye(4, k=1) - np.eye(4, k=-1))
GRAPH = GraphQuadratic(A, np.ones(4))
SQUARES = LeastSquares(X, Y)
LASSO = LeastSquares(X, Y, L1(1.0))


def test_objects_and_names_are_the_same_method():
    one = BlockCoordinateDescent("sort", "gsl", "gradient", 2, max_iter=20).minimize(SQUARES)
    two = BlockCoordinateDescent(
        Sort(2), GaussSouthwell("lipschitz"), parts.Gradient(), max_iter=20
    ).minimize(SQUARES)
    np.testing.assert_array_equal(one.x, two.x)
    three = BlockCoordinateDescent("variable", "gsq-forward", "matrix", 2, max_iter=20)
    four = BlockCoordinateDescent(
        Variable(2), GaussSouthwellQuadratic("forward"), parts.Matrix(), max_iter=20
    )
    np.testing.assert_array_equal(three.minimize(SQUARES).x, four.minimize(SQUARES).x)


def test_history_tells_the_whole_story():
    result = BlockCoordinateDescent("variable", "gs_q", "exact", 2, tol=1e-10).minimize(LASSO)
    history = result.history
    assert [entry["iteration"] for entry in history] == list(range(result.nit + 1))
    assert history[0]["block"] is None
    assert history[0]["nnz"] == 0
    assert history[0]["fun"] == pytest.approx(0.5 * Y @ Y)
    assert history[-1]["fun"] == result.fun
    assert history[-1]["certificate"] == result.certificate
    assert history[-1]["nnz"] == np.count_nonzero(result.x)
    assert all(np.diff([entry["operations"] for entry in history]) > 0)
    assert all(np.diff([entry["seconds"] for entry in history]) >= 0)
    g = X.T @ (X @ result.x - Y)
    expected = np.where(
        result.x != 0, np.abs(g + np.sign(result.x)), np.maximum(np.abs(g) - 1.0, 0.0)
    )
    scale = np.abs(X.T @ Y).max()
    assert result.certificate == pytest.approx(expected.max() / scale, abs=1e-15)
    assert result.success
    assert result.status == 0
    assert result.gap < 1e-9
    assert result.parts.update == parts.Exact()


def test_rules_without_a_gradient_are_certified_once_a_pass():
    method = BlockCoordinateDescent("order", "cyclic", "exact", 2, tol=0.0, max_iter=7)
    certificates = [entry["certificate"] for entry in method.minimize(SQUARES).history]
    assert np.isfinite(certificates)[[0, 3, 6, 7]].all()
    assert np.isnan(certificates)[[1, 2, 4, 5]].all()


def test_not_converged_is_said():
    result = BlockCoordinateDescent("order", "cyclic", "gradient", 1, max_iter=3).minimize(SQUARES)
    assert not result.success
    assert result.status == 1
    assert "maximum" in result.message
    assert result.certificate > 1e-6


def test_start_at_the_optimum_needs_no_iteration_and_no_iterations_are_allowed():
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    start = best.copy()
    result = BlockCoordinateDescent().minimize(SQUARES, start)
    assert result.nit == 0
    assert result.success
    np.testing.assert_array_equal(start, best)
    assert BlockCoordinateDescent(max_iter=0).minimize(SQUARES).nit == 0


def test_updates_are_counted_on_request(capsys):
    method = BlockCoordinateDescent("order", "cyclic", "gradient", 1, max_iter=7)
    quiet = method.minimize(SQUARES)
    assert "BlockCoordinateDescent" not in capsys.readouterr().err
    shown = method._replace(verbose=1).minimize(SQUARES)
    assert "BlockCoordinateDescent: 7iteration" in capsys.readouterr().err
    np.testing.assert_array_equal(shown.x, quiet.x)


def test_callback_sees_copies_and_stops():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)
        intermediate_result.x[:] = np.nan
        if len(seen) == 3:
            raise StopIteration

    method = BlockCoordinateDescent("order", "cyclic", "gradient", 1, callback=callback)
    result = method.minimize(SQUARES)
    assert result.status == 99
    assert result.nit == 3
    assert np.isfinite(result.x).all()
    assert [entry.nit for entry in seen] == [1, 2, 3]
    assert seen[2].fun == pytest.approx(result.fun)


def test_an_interrupt_passes_through():
    def callback(intermediate_result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BlockCoordinateDescent("order", "cyclic", "gradient", 1, callback=callback).minimize(
            SQUARES
        )


@pytest.mark.parametrize("selection", ["random", "cyclic", "lipschitz", "random_tree"])
def test_random_state_decides(selection):
    problem = GRAPH if selection == "random_tree" else SQUARES
    size = None if selection == "random_tree" else 2
    update = "message_passing" if selection == "random_tree" else "matrix"
    method = BlockCoordinateDescent("variable", selection, update, size, max_iter=4, tol=0.0)

    def blocks(state):
        history = method._replace(random_state=state).minimize(problem).history
        return [list(entry["block"]) for entry in history[1:]]

    assert blocks(3) == blocks(3) == blocks(np.random.default_rng(3))
    assert blocks(np.random.RandomState(1)) == blocks(np.random.RandomState(1))
    if selection != "random_tree":
        assert blocks(3) != blocks(4)


def test_methods_and_problems_pickle():
    method = BlockCoordinateDescent(Sort(2), "gsl", "matrix", max_iter=5)
    again, problem = pickle.loads(pickle.dumps((method, SQUARES)))
    np.testing.assert_array_equal(again.minimize(problem).x, method.minimize(SQUARES).x)


@pytest.mark.parametrize("penalty", [None, L1(1.0)])
@pytest.mark.parametrize("update", ["newton", "exact", "two_metric"])
def test_all_forms_of_a_design_give_the_same_iterates(penalty, update):
    if (update == "two_metric") == (penalty is None) or (update == "newton" and penalty):
        pytest.skip("not a combination")
    y = np.where(Y > 0, 1.0, -1.0)
    method = BlockCoordinateDescent("variable", "random", update, 2, max_iter=30, random_state=0)
    for problem, target in ((LeastSquares, Y), (Logistic, y)):
        expected = method.minimize(problem(X, target, penalty))
        for design in (
            X.tolist(), np.asfortranarray(X), scipy.sparse.csr_array(X),
            scipy.sparse.coo_matrix(X), as_design(scipy.sparse.csc_array(X)),
        ):  # fmt: skip
            found = method.minimize(problem(design, target, penalty))
            np.testing.assert_allclose(found.x, expected.x, rtol=1e-9, atol=1e-12)
        single = method.minimize(problem(X.astype(np.float32), target, penalty))
        np.testing.assert_allclose(single.x, expected.x, rtol=1e-3, atol=1e-4)


def test_greedy_rules_give_the_same_iterates_for_dense_and_sparse_designs():
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(30, 80)) * (rng.random((30, 80)) < 0.2)
    y = rng.normal(size=30)
    for parts_ in (("gsd", "matrix"), ("gs", "gradient"), ("gsq_forward", "matrix")):
        method = BlockCoordinateDescent("variable", *parts_, 3, max_iter=40, tol=0.0)
        dense = method.minimize(LeastSquares(wide, y))
        sparse = method.minimize(LeastSquares(scipy.sparse.csc_array(wide), y))
        np.testing.assert_allclose(dense.x, sparse.x, rtol=1e-8, atol=1e-10)


def test_a_memory_budget_too_small_for_gram_rows_changes_nothing(monkeypatch):
    from skreg.optim.descent import _design_state

    method = BlockCoordinateDescent("variable", "gsq_forward", "matrix", 2, max_iter=12, tol=0.0)
    expected = method.minimize(SQUARES).x
    for rows in (0, 3):
        monkeypatch.setattr(_design_state, "MEMORY_BUDGET", rows * 8 * 6)
        np.testing.assert_allclose(method.minimize(SQUARES).x, expected, rtol=1e-9)


def test_integer_weights_are_repeated_samples():
    weight = np.arange(15) % 3
    repeated = np.repeat(np.arange(15), weight)
    y = np.where(Y > 0, 1.0, -1.0)
    for problem, target in ((LeastSquares, Y), (Logistic, y), (Multinomial, (Y > 0).astype(int))):
        method = BlockCoordinateDescent("variable", "gs_q", "exact", 3, tol=1e-10)
        one = method.minimize(problem(X, target, L1(0.5), weight))
        many = method.minimize(problem(X[repeated], target[repeated], L1(0.5)))
        assert one.fun == pytest.approx(many.fun, rel=1e-9)


def test_two_classes_of_a_softmax_are_logistic():
    y = (Y > 0).astype(int)
    method = BlockCoordinateDescent("variable", "gsd", "newton", 12, tol=1e-10, max_iter=30)
    noisy = np.concatenate([X, X]), np.concatenate([y, 1 - y])
    both = method.minimize(Multinomial(*noisy))
    single = method._replace(block_size=6).minimize(Logistic(noisy[0], 2.0 * noisy[1] - 1))
    W = both.x.reshape(6, 2)
    np.testing.assert_allclose(W[:, 1] - W[:, 0], single.x, atol=1e-8)


def test_empty_columns_excluded_features_and_zero_data():
    with_empty = X.copy()
    with_empty[:, 2] = 0.0
    pairs = ["gsd matrix", "gsl gradient", "gsq newton", "lipschitz gradient"]
    for selection, update in map(str.split, [*pairs, "gs line_search_lipschitz"]):
        method = BlockCoordinateDescent("variable", selection, update, 3, max_iter=300, tol=1e-8)
        result = method.minimize(LeastSquares(with_empty, Y))
        assert result.x[2] == 0.0
        assert np.isfinite(result.x).all()
    weights = np.array([1.0, 1.0, 1.0, np.inf, 1.0, 0.0])
    for update in ("proximal_gradient", "projected_newton", "two_metric", "exact"):
        for penalty in (L1(0.5, weights), NonNegative(0.5, 1.0, weights)):
            method = BlockCoordinateDescent("variable", "gs_q", update, 4, max_iter=2000, tol=1e-9)
            result = method.minimize(LeastSquares(with_empty, Y, penalty), np.ones(6))
            assert result.success
            assert result.x[2] == result.x[3] == 0.0
    nothing = BlockCoordinateDescent().minimize(LeastSquares(np.zeros((3, 2)), np.ones(3)))
    assert nothing.success
    assert not nothing.x.any()


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("update", ["two_metric", "projected_newton", "proximal_gradient"])
def test_scales_of_the_data_do_not_matter(scale, update):
    method = BlockCoordinateDescent("variable", "gs_q", update, 6, tol=1e-9, max_iter=3000)
    one = method.minimize(LASSO)
    other = method.minimize(LeastSquares(X * scale, Y, L1(scale)))
    assert other.success
    np.testing.assert_allclose(other.x * scale, one.x, rtol=1e-6, atol=1e-9)


def test_groups_are_never_cut():
    groups = np.array([0, 1, 0, 2, 1, 2])
    problem = LeastSquares(X, Y, GroupL2(1.0, groups))
    for partition in ("variable", "order", "sort", "average"):
        method = BlockCoordinateDescent(partition, "cyclic", "exact", 2, max_iter=2, tol=0.0)
        for entry in method.minimize(problem).history[1:]:
            inside = np.unique(groups[entry["block"]])
            np.testing.assert_array_equal(
                np.sort(entry["block"]), np.flatnonzero(np.isin(groups, inside))
            )
    with pytest.raises(ValueError, match="cuts through a group"):
        BlockCoordinateDescent([[0, 1, 2], [3, 4, 5]], "cyclic", "exact").minimize(problem)


def test_rows_of_a_multinomial_leave_together():
    y = np.digitize(Y, [-0.5, 0.5])
    result = BlockCoordinateDescent(tol=1e-8).minimize(Multinomial(X, y, GroupL2(3.0)))
    used = (result.x.reshape(6, 3) != 0).sum(axis=1)
    assert result.success
    assert set(used) == {0, 3}


BAD = {
    "partition": ("diagonal", 3, [[0, 1], [2]], [[0, 1, 2], [2, 3, 4, 5]], [[], list(range(6))],
                  [[0.5, 1], [2, 3, 4, 5]]),
    "selection": ("steepest", 7),
    "update": ("leap", 7),
    "block_size": (0, -1, 7, 2.5, True),
    "diag": ("trace",),
    "max_iter": (-1, 2.5),
    "tol": (-1.0, np.nan, "tiny"),
    "random_state": (-1, "seed"),
    "callback": (3,),
    "verbose": (-1, 0.5, "loud"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_bad_parameters_are_refused_by_name(name, value):
    word = "block|partition|coordinates" if name == "partition" else name
    with pytest.raises(ValueError, match=word):
        BlockCoordinateDescent(**{name: value}).minimize(SQUARES)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"partition": "tree"}, "sparse"),
        ({"selection": "greedy_tree", "update": "matrix"}, "sparse"),
        ({"update": "message_passing"}, "sparse"),
        ({"update": "two_metric"}, "penalty"),
        ({"selection": GaussSouthwellQuadratic("exact")}, "combinatorial"),
        ({"partition": "order", "selection": "gsq_iht"}, "variable"),
        ({"partition": "variable", "selection": "gsl_q"}, "fixed"),
        ({"partition": "variable", "selection": "gsn_cubic"}, "combinatorial"),
        ({"partition": "order", "selection": ProximalGaussSouthwell("r", "matrix")}, "'q'"),
        ({"partition": Order(0)}, "size"),
        ({"partition": Order(2), "block_size": 2}, "block_size"),
        ({"partition": "red_black", "block_size": 2}, "block_size"),
        ({"partition": Sort(2, "trace")}, "diagonal"),
        ({"selection": GaussSouthwell("newton")}, "curvature"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_the_reason(options, reason):
    with pytest.raises(ValueError, match=reason):
        BlockCoordinateDescent(**options).minimize(SQUARES)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"selection": "gs"}, "gradient of the smooth part"),
        ({"selection": "random", "update": "newton"}, "ignores the penalty"),
    ],
)
def test_a_penalty_needs_rules_that_know_it(options, reason):
    with pytest.raises(ValueError, match=reason):
        BlockCoordinateDescent(**options).minimize(LASSO)


def test_greedy_trees_want_a_variable_partition_without_size():
    for options in ({"partition": "order"}, {"block_size": 2}):
        method = BlockCoordinateDescent(selection="greedy_tree", **options)
        with pytest.raises(ValueError, match=r"variable|block_size"):
            method.minimize(GRAPH)


W_GOOD = np.array([[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 1], [0, 0, 1, 0.0]])
VALUES = np.array([1.0, np.nan, np.nan, -1.0])


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (object(), "problem must be one of"),
        (LeastSquares(X, Y[:-1]), "samples"),
        (LeastSquares(X, np.stack([Y, Y], axis=1)), "one dimension"),
        (LeastSquares(X, np.where(np.arange(15) == 3, np.nan, Y)), "finite"),
        (LeastSquares(np.where(X > 2, np.inf, X), Y), "finite"),
        (LeastSquares(X, Y, L1(-1.0)), "alpha"),
        (LeastSquares(X, Y, L1(1.0, np.ones(2))), "weights"),
        (LeastSquares(X, Y, ElasticNet(1.0, 2.0)), "l1_ratio"),
        (LeastSquares(X, Y, GroupL2(1.0, np.array([0, 0, 1]))), "groups"),
        (LeastSquares(X, Y, None, -np.ones(15)), "sample_weight"),
        (Logistic(X, Y), "-1 and 1"),
        (Multinomial(X, Y), "classes 0, 1"),
        (Multinomial(X, np.ones((15, 2))), "one-hot"),
        (GraphQuadratic(A[:, :3], np.ones(4)), "square"),
        (GraphQuadratic(A + scipy.sparse.eye_array(4, k=1), np.ones(4)), "symmetric"),
        (GraphQuadratic(A - 3 * scipy.sparse.eye_array(4), np.ones(4)), "positive definite"),
        (GraphQuadratic(A, np.ones(3)), "shape"),
        (GraphQuadratic(A, np.array([1, 2, np.nan, 3])), "finite"),
        (GraphQuadratic(A * np.nan, np.ones(4)), "finite"),
        (GraphQuadratic(A, np.ones(4), GroupL2(1.0)), "group"),
        (GraphHuber(W_GOOD, VALUES, 0.0), "delta"),
        (GraphHuber(-W_GOOD, VALUES), "nonnegative"),
        (GraphHuber(np.triu(W_GOOD), VALUES), "symmetric"),
        (GraphHuber(W_GOOD[:, :3], VALUES), "square"),
        (GraphHuber(W_GOOD, VALUES[:3]), "shape"),
        (GraphHuber(W_GOOD, np.ones(4)), "every node is labelled"),
        (GraphHuber(np.where(W_GOOD > 0, np.inf, 0.0), VALUES), "finite"),
        (GraphHuber(W_GOOD, np.array([np.inf, 1, np.nan, 0])), "finite"),
        (GraphHuber(np.kron(np.eye(2), [[0, 1], [1, 0]]), np.array([1.0, np.nan, np.nan, np.nan])),
         "connected to no labelled node"),
    ],
)  # fmt: skip
def test_bad_problems_are_refused_with_the_reason(problem, reason):
    with pytest.raises(ValueError, match=reason), np.errstate(invalid="ignore"):
        BlockCoordinateDescent().minimize(problem)


@pytest.mark.parametrize(
    ("x0", "reason"),
    [(np.ones(5), "entries"), (np.full(6, np.nan), "finite"), (-np.ones(6), "NonNegative allows")],
)
def test_bad_starts_are_refused(x0, reason):
    with pytest.raises(ValueError, match=reason):
        BlockCoordinateDescent().minimize(LeastSquares(X, Y, NonNegative(1.0)), x0)


def test_csc_records_with_long_indices_work():
    columns = scipy.sparse.csc_array(X)
    design = Csc(
        columns.data, columns.indices.astype(np.int64), columns.indptr.astype(np.int64), 15
    )
    method = BlockCoordinateDescent("variable", "gsd", "matrix", 2, tol=1e-9, max_iter=400)
    np.testing.assert_allclose(
        method.minimize(LeastSquares(design, Y)).x, np.linalg.lstsq(X, Y, rcond=None)[0], atol=1e-7
    )


@pytest.mark.parametrize("name", parts.__all__)
def test_docstrings_are_complete(name):
    checks = {
        "GL01",
        "GL02",
        "GL03",
        "GL05",
        "GL06",
        "GL07",
        "GL08",
        "SS03",
        "PR03",
        "PR07",
        "RT03",
    }
    thing = getattr(parts, name)
    result = validate(f"skreg.optim.descent.{name}")
    assert not [error for error in result["errors"] if error[0] in checks]
    for field in getattr(thing, "_fields", ()):
        assert f"{field} :" in result["docstring"]


def test_the_class_is_at_hand_in_the_engine():
    assert skreg.optim.BlockCoordinateDescent is BlockCoordinateDescent


def test_a_penalty_without_the_functions_of_one_is_refused_by_name():
    with pytest.raises(TypeError, match=r"str is no penalty .* it lacks block_value"):
        BlockCoordinateDescent().minimize(LeastSquares(X, Y, "l1"))
