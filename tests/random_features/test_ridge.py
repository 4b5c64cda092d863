"""RandomFeatureRidge: coefficients, leave-one-out, GCV, solvers, weights, rows beyond memory."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.random_features import RandomFeatureRidge, RandomFeatures
from skreg.random_features import _rows as rows_module
from skreg.random_features import _solve as solve_module

ALPHAS = np.append(0.0, np.geomspace(1e-3, 1e2, 6))
SIDES = ("gram", "kernel", "svd")


def problem(n=40, d=4, seed=0, outputs=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = 5.0 + np.sin(2.0 * X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=n)
    return X, y if outputs is None else np.column_stack([y, X[:, 2] - y**2][:outputs])


def ridge(k=15, **params):
    return RandomFeatureRidge(k, **({"random_state": 0} | params))


def refitted(Z, y, alpha, intercept, weight=None):
    if alpha > 0.0:
        return Ridge(alpha=alpha, fit_intercept=intercept, solver="svd").fit(Z, y, weight)
    return LinearRegression(fit_intercept=intercept).fit(Z, y, weight)  # least norm


def brute_force(Z, y, alphas, intercept):
    """Mean squared error of every row, predicted from the others, refitted without it."""
    errors = np.empty((len(y), len(alphas)))
    for i, rest in enumerate(~np.eye(len(y), dtype=bool)):
        mean = Z[rest].mean(axis=0) * intercept
        target = y[rest].mean() * intercept
        U, s, V = np.linalg.svd(Z[rest] - mean, full_matrices=False)
        U, s, V = (U[:, s > 1e-12 * s[0]], s[s > 1e-12 * s[0]], V[s > 1e-12 * s[0]])
        for j, alpha in enumerate(alphas):
            coef = V.T @ (s / (s**2 + alpha) * (U.T @ (y[rest] - target)))
            errors[i, j] = y[i] - target - (Z[i] - mean) @ coef
    return np.mean(errors**2, axis=0)


# ------------------------------------------------------------------------------------------------
# coefficients and errors


@pytest.mark.parametrize("solver", SIDES)
@pytest.mark.parametrize("k", [15, 40, 41, 90])
@pytest.mark.parametrize("intercept", [True, False])
def test_leave_one_out_equals_refits_without_each_row(solver, k, intercept):
    X, y = problem()
    model = ridge(k, alphas=ALPHAS, fit_intercept=intercept, solver=solver).fit(X, y)
    wanted = brute_force(model.feature_map_.transform(X), y, ALPHAS, intercept)
    np.testing.assert_allclose(model.cv_values_, wanted, rtol=1e-6)
    assert model.solver_ == solver
    assert model.alpha_ == ALPHAS[np.argmin(wanted)]
    assert model.loo_mse_ == pytest.approx(min(wanted), rel=1e-6)


@pytest.mark.parametrize("solver", SIDES)
@pytest.mark.parametrize("k", [15, 90])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [True, False])
def test_coefficients_are_those_of_scikit_learn(solver, k, alpha, intercept):
    X, y = problem(outputs=2)
    model = ridge(k, alpha=alpha, fit_intercept=intercept, solver=solver).fit(X, y)
    wanted = refitted(model.feature_map_.transform(X), y, alpha, intercept)
    tolerance = 1e-6 * np.abs(wanted.coef_).max()
    np.testing.assert_allclose(model.coef_, wanted.coef_, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, wanted.intercept_, atol=tolerance)
    Z = model.feature_map_.transform(X[:5])
    np.testing.assert_allclose(model.predict(X[:5]), wanted.predict(Z), atol=tolerance)


def test_the_grid_is_that_of_ridge_cv():
    X, y = problem(60)
    alphas = np.geomspace(1e-2, 1e2, 7)
    model = ridge(20, alphas=alphas).fit(X, y)
    theirs = RidgeCV(alphas, store_cv_results=True, gcv_mode="svd")
    theirs.fit(model.feature_map_.transform(X), y)
    np.testing.assert_allclose(model.cv_values_, theirs.cv_results_.mean(axis=0), rtol=1e-10)
    assert model.alpha_ == theirs.alpha_
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*of the 6 strengths")
@pytest.mark.parametrize("solver", SIDES)
@pytest.mark.parametrize("k", [15, 90])
@pytest.mark.parametrize("intercept", [True, False])
def test_gcv_is_its_definition(solver, k, intercept):
    """mean(e^2) / (1 - trace(H) / n)^2 with the hat matrix written out."""
    X, y = problem()
    model = ridge(k, alpha="gcv", alphas=ALPHAS[1:], fit_intercept=intercept, solver=solver)
    model.fit(X, y)
    n, Z = len(y), model.feature_map_.transform(X)
    centre = np.eye(n) - intercept / n
    G = centre @ Z @ Z.T @ centre
    for alpha, found in zip(ALPHAS[1:], model.cv_values_, strict=True):
        H = G @ np.linalg.inv(G + alpha * np.eye(n)) + intercept / n
        residual = y - H @ y
        wanted = np.mean(residual**2) / (1.0 - np.trace(H) / n) ** 2
        assert found == pytest.approx(wanted, rel=1e-8)
        if alpha == model.alpha_:
            assert model.effective_dof_ == pytest.approx(np.trace(H))
            assert model.train_mse_ == pytest.approx(np.mean(residual**2))
            assert model.fitting_ratio_ == pytest.approx(np.mean(residual**2) / wanted)
    assert model.loo_mse_ is None
    assert model.gcv_mse_ == pytest.approx(min(model.cv_values_))


@pytest.mark.filterwarnings("ignore:.*of the 2 strengths")
def test_gcv_without_ridge_is_the_limit_of_small_ridges():
    X, y = problem()
    for k in (15, 90):
        model = ridge(k, alpha="gcv", alphas=[0.0, 1e-9], solver="svd").fit(X, y)
        assert model.cv_values_[0] == pytest.approx(model.cv_values_[1], rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*of the 3 strengths")
def test_a_row_that_alone_has_a_feature_is_left_out_exactly():
    """Its leverage is one at ridge 0, whatever the rank: 0 / 0 unless divided by the ridge."""
    X = np.zeros((12, 3))
    X[:, 0] = np.random.default_rng(0).normal(size=12)
    X[4, 1] = 1.0
    X[7, 2] = 2.0
    y = X[:, 0] + np.arange(12.0)

    def columns(X, rng, k):
        return X * np.sqrt(3.0)

    for solver in SIDES:
        model = ridge(3, kind=columns, alphas=[0.0, 0.1, 1e-7], solver=solver).fit(X, y)
        wanted = brute_force(X, y, [0.0, 0.1], True)
        np.testing.assert_allclose(model.cv_values_[:2], wanted, rtol=1e-7)
        assert model.cv_values_[2] == pytest.approx(model.cv_values_[0], rel=1e-5)


def test_the_refined_strength_is_no_worse_than_any_of_a_fine_grid():
    X, y = problem(60)
    for alpha in ("loo", "gcv"):
        model = ridge(25, alpha=alpha).fit(X, y)
        fine = model.alpha_ * np.geomspace(0.2, 5.0, 201)
        errors = ridge(25, alpha=alpha, alphas=fine).fit(X, y).cv_values_
        best = model.loo_mse_ if alpha == "loo" else model.gcv_mse_
        assert best <= errors.min() * (1.0 + 1e-4)
        assert best <= model.cv_values_.min()


def test_infinitely_many_features_are_a_kernel_ridge_regression():
    X, y = problem(outputs=2)
    model = ridge("inf", kind="fourier", gamma=0.3, alpha=0.2, fit_intercept=False).fit(X, y)
    wanted = KernelRidge(kernel="rbf", gamma=0.3, alpha=0.2).fit(X, y)
    np.testing.assert_allclose(model.predict(X[:7] + 0.1), wanted.predict(X[:7] + 0.1), rtol=1e-8)
    np.testing.assert_allclose(model.dual_coef_.T, wanted.dual_coef_, rtol=1e-7, atol=1e-9)
    assert model.solver_ == "kernel"
    assert not hasattr(model, "coef_")


def test_infinitely_many_features_with_an_intercept_equal_very_many():
    X, y = problem(30)
    limit = ridge("inf", alpha=0.1).fit(X, y)
    many = ridge(60_000, alpha=0.1).fit(X, y)
    assert limit.loo_mse_ == pytest.approx(many.loo_mse_, rel=0.05)
    np.testing.assert_allclose(limit.predict(X), many.predict(X), atol=0.1)
    assert limit.predict(X).mean() == pytest.approx(y.mean())


def test_the_limit_of_fourier_features_knows_no_origin():
    X, y = problem()
    params = {"kind": "fourier", "gamma": 0.2, "alpha": 0.1}
    here, there = (ridge("inf", **params).fit(X + shift, y).predict(X + shift) for shift in (0, 10))
    np.testing.assert_allclose(here, there, rtol=1e-9)


def test_an_intercept_keeps_its_digits_beside_tiny_eigenvalues():
    """Smooth kernels have eigenvalues near rounding, where the constant is an eigenvector too."""
    X = np.maximum(np.random.default_rng(0).normal(size=(90, 4)), 0.0)
    y = X @ [1.0, -1.0, 0.5, 2.0]
    model = ridge("inf", kind="fourier", alpha=1.0).fit(X, y)
    assert abs(model.dual_coef_.sum()) < 1e-12
    K = model.feature_map_.limit_kernel(X)
    bordered = np.block([[K + np.eye(90), np.ones((90, 1))], [np.ones((1, 90)), np.zeros((1, 1))]])
    wanted = np.linalg.solve(bordered, np.append(y, 0.0))
    np.testing.assert_allclose(model.predict(X), K @ wanted[:-1] + wanted[-1], atol=1e-11)
    assert model.intercept_ == pytest.approx(wanted[-1], abs=1e-8)


@pytest.mark.parametrize(("n", "k", "solver"), [(40, 40, "gram"), (40, 41, "kernel")])
def test_the_smaller_matrix_is_decomposed(n, k, solver):
    X, y = problem(n)
    assert ridge(k).fit(X, y).solver_ == solver


@pytest.mark.parametrize("k", [12, 90])
def test_more_is_one_fit_with_a_callable_kind(k):
    """The theory's own model: projections of the columns."""
    X, y = problem()

    def projections(X, rng, k):
        return X @ rng.normal(size=(k, X.shape[1])).T

    models = [ridge(k, kind=projections, alpha=0.2, solver=solver).fit(X, y) for solver in SIDES]
    for model in models[1:]:
        np.testing.assert_allclose(model.predict(X), models[0].predict(X), rtol=1e-7)


# ------------------------------------------------------------------------------------------------
# weights


@pytest.mark.parametrize("solver", SIDES)
@pytest.mark.parametrize("alpha", ["loo", "gcv"])
@pytest.mark.parametrize("k", [15, 90])
def test_weights_are_copies(solver, alpha, k):
    X, y = problem(30)
    weight = np.random.default_rng(1).integers(0, 4, size=30).astype(float)
    copies = np.repeat(np.arange(30), weight.astype(int))
    params = {"alpha": alpha, "alphas": ALPHAS, "solver": solver}
    got = ridge(k, **params).fit(X, y, sample_weight=weight)
    wanted = ridge(k, **params).fit(X[copies], y[copies])
    np.testing.assert_allclose(got.cv_values_, wanted.cv_values_, rtol=1e-6, atol=1e-12)
    assert got.alpha_ == wanted.alpha_
    assert got.train_mse_ == pytest.approx(wanted.train_mse_, rel=1e-6)
    assert got.effective_dof_ == pytest.approx(wanted.effective_dof_)
    np.testing.assert_allclose(got.predict(X), wanted.predict(X), rtol=1e-6)


def test_of_weights_below_one_the_whole_row_is_left_out():
    X, y = problem(30)
    weight = np.random.default_rng(1).uniform(0.2, 1.0, size=30)
    model = ridge(12, alpha=0.3).fit(X, y, sample_weight=weight)
    Z = model.feature_map_.transform(X)
    errors = []
    for i, rest in enumerate(~np.eye(30, dtype=bool)):
        found = refitted(Z[rest], y[rest], 0.3, True, weight[rest])
        errors.append((y[i] - found.predict(Z[i : i + 1])[0]) ** 2)
    assert model.loo_mse_ == pytest.approx(np.average(errors, weights=weight), rel=1e-9)


def test_weights_reach_the_scale_of_gamma():
    X, y = problem(30)
    weight = np.arange(30) % 3.0
    copies = np.repeat(np.arange(30), (np.arange(30) % 3))
    got = ridge(9, kind="fourier").fit(X, y, sample_weight=weight)
    wanted = ridge(9, kind="fourier").fit(X[copies], y[copies])
    assert got.feature_map_.gamma_ == pytest.approx(wanted.feature_map_.gamma_, rel=1e-12)


# ------------------------------------------------------------------------------------------------
# kinds of input


def test_outputs_share_the_strength_of_the_least_mean_error():
    X, y = problem(outputs=2)
    both = ridge(alphas=ALPHAS).fit(X, y)
    each = [ridge(alphas=ALPHAS).fit(X, y[:, j]) for j in range(2)]
    np.testing.assert_allclose(both.cv_values_, np.mean([m.cv_values_ for m in each], axis=0))
    assert both.coef_.shape == (2, 15)
    assert ridge().fit(X, y[:, :1]).predict(X).shape == (40, 1)


@pytest.mark.parametrize("k", [15, 90])
def test_sparse_rows_give_what_dense_ones_give(k):
    X, y = problem()
    X = np.where(X > 0.0, X, 0.0)
    for convert in (sparse.csr_array, sparse.csc_matrix):
        for n_components in (k, "inf"):
            got = ridge(n_components, kind="fourier").fit(convert(X), y).predict(convert(X))
            wanted = ridge(n_components, kind="fourier").fit(X, y).predict(X)
            np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("k", [15, 90])
def test_single_precision_is_summed_in_double(k):
    X, y = problem(200)
    single = ridge(k, alpha=0.1).fit(X.astype(np.float32), y)
    assert single.feature_map_.random_weights_.dtype == np.float32
    assert single.coef_.dtype == np.float64
    np.testing.assert_allclose(
        single.predict(X.astype(np.float32)), ridge(k, alpha=0.1).fit(X, y).predict(X), atol=1e-4
    )
    asked = ridge(k, alpha=0.1, dtype=np.float32).fit(X, y)
    np.testing.assert_allclose(asked.predict(X), single.predict(X), atol=1e-4)
    whole = ridge(k, alpha=0.1, dtype="float64").fit(X.astype(np.float32), y)
    assert whole.feature_map_.random_weights_.dtype == np.float64


def test_read_only_and_integer_rows():
    X, y = problem()
    X = np.rint(3.0 * X)
    frozen = X.copy()
    frozen.setflags(write=False)
    wanted = ridge().fit(X, y).predict(X)
    np.testing.assert_array_equal(ridge().fit(frozen, y).predict(frozen), wanted)
    np.testing.assert_allclose(ridge().fit(X.astype(np.int8), y).predict(X), wanted, rtol=1e-10)


@pytest.mark.parametrize("kept", [True, False])
def test_chunks_of_rows_give_what_all_rows_give(monkeypatch, tmp_path, kept):
    """With U in memory or computed anew in every pass; memory maps too."""
    X, y = problem(50, outputs=2)
    weight = 0.5 + np.random.default_rng(2).random(50)
    wanted = ridge(12, kind="erf").fit(X, y, sample_weight=weight)
    monkeypatch.setattr(rows_module, "READ_BYTES", 12 * 8 * 7)
    if not kept:
        monkeypatch.setattr(solve_module, "KEPT_BYTES", 0)
    np.save(tmp_path / "X.npy", X)
    for given in (X, np.load(tmp_path / "X.npy", mmap_mode="r"), sparse.csr_array(X)):
        got = ridge(12, kind="erf").fit(given, y, sample_weight=weight)
        assert got.alpha_ == pytest.approx(wanted.alpha_, rel=1e-9)
        np.testing.assert_allclose(got.cv_values_, wanted.cv_values_, rtol=1e-7)
        np.testing.assert_allclose(got.predict(X), wanted.predict(X), rtol=1e-8)


@pytest.mark.parametrize("alpha", ["loo", "gcv", 0.2])
def test_dask_arrays_give_what_arrays_give(alpha):
    da = pytest.importorskip("dask.array")
    X, y = problem(50)
    weight = np.where(np.arange(50) < 10, 0.0, 1.0 + np.arange(50) % 2)  # a block without weight
    model = ridge(12, kind="fourier", alpha=alpha)
    wanted = clone(model).fit(X, y, sample_weight=weight)
    blocks = da.from_array(X, chunks=(10, 4))
    got = model.fit(blocks, da.from_array(y, chunks=10), weight)
    assert got.solver_ == "gram"
    np.testing.assert_allclose(got.cv_values_, wanted.cv_values_, rtol=1e-7)
    np.testing.assert_allclose(got.predict(blocks).compute(), wanted.predict(X), rtol=1e-7)


def test_what_dask_cannot_do_is_refused():
    da = pytest.importorskip("dask.array")
    X, y = problem()
    blocks = da.from_array(X, chunks=(10, 4))
    for params in ({"solver": "kernel"}, {"n_components": "inf"}):
        with pytest.raises(ValueError, match="dask"):
            ridge().set_params(**params).fit(blocks, y)
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=2)
    with pytest.raises(ValueError, match="to_dask_array"):
        ridge().fit(frame, y)
    holes = da.from_array(np.where(X > 2.0, np.nan, X), chunks=(10, 4))
    with pytest.raises(ValueError, match="NaN"):
        ridge().fit(holes, y)


# ------------------------------------------------------------------------------------------------
# batches


@pytest.mark.parametrize("intercept", [True, False])
def test_batches_give_what_all_rows_give(intercept):
    X, y = problem(60, outputs=2)
    weight = 0.5 + np.arange(60) % 3
    model = ridge(12, alpha="gcv", fit_intercept=intercept)
    wanted = clone(model).set_params(solver="gram").fit(X, y, sample_weight=weight)
    for rows in np.array_split(np.arange(60), 5):
        model.partial_fit(X[rows], y[rows], sample_weight=weight[rows])
    assert model.alpha_ == pytest.approx(wanted.alpha_, rel=1e-6)
    np.testing.assert_allclose(model.cv_values_, wanted.cv_values_, rtol=1e-8)
    np.testing.assert_allclose(model.predict(X), wanted.predict(X), rtol=1e-7)


def test_batches_far_from_zero_keep_their_digits():
    X, y = problem(60)
    model = ridge(12, kind="fourier", alpha=0.1, gamma=0.1)
    wanted = clone(model).set_params(solver="svd").fit(X, 1e8 + y).predict(X) - 1e8
    for rows in np.array_split(np.arange(60), 5):
        model.partial_fit(X[rows], 1e8 + y[rows])
    np.testing.assert_allclose(model.predict(X) - 1e8, wanted, atol=1e-5)


def test_batches_go_on_after_pickling_and_begin_anew_after_fit():
    X, y = problem()
    first, last = slice(20), slice(20, 40)
    model = ridge(8, alpha=0.1).partial_fit(X[first], y[first])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.partial_fit(X[last], y[last]).predict(X),
        model.partial_fit(X[last], y[last]).predict(X),
    )
    anew = ridge(8, alpha=0.1).fit(X, y).partial_fit(X[first], y[first])
    np.testing.assert_allclose(
        anew.predict(X), ridge(8, alpha=0.1).partial_fit(X[first], y[first]).predict(X)
    )


def test_batches_go_on_after_skops():
    skops_io = pytest.importorskip("skops.io")
    from skreg.export import skops_types

    X, y = problem()
    model = ridge(8, alpha=0.1).partial_fit(X[:20], y[:20])
    again = skops_io.loads(skops_io.dumps(model), trusted=skops_types())
    wanted = model.partial_fit(X[20:], y[20:]).predict(X)
    np.testing.assert_array_equal(again.partial_fit(X[20:], y[20:]).predict(X), wanted)


def test_what_batches_need_is_said():
    X, y = problem()
    for unable, remedy in (
        (ridge(), "set alpha='gcv'"),
        (ridge("inf", alpha=0.1), "solver='gram'"),
    ):
        with pytest.raises(AttributeError) as caught:
            unable.partial_fit(X, y)
        assert remedy in str(caught.value.__cause__)
    model = ridge(8, alpha="gcv").partial_fit(X, y)
    with pytest.raises(ValueError, match="n_components changed"):
        model.set_params(n_components=9).partial_fit(X, y)
    model.set_params(n_components=8)
    with pytest.raises(ValueError, match="outputs"):
        model.partial_fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
        ridge(8, alpha="gcv").partial_fit(X, y, sample_weight=np.zeros(40))
    with pytest.warns(UserWarning, match="cannot tell its error"):
        ridge(8, alpha="gcv").partial_fit(X[:1], y[:1])


# ------------------------------------------------------------------------------------------------
# the estimator


def test_a_second_fit_leaves_nothing_of_the_first():
    X, y = problem()
    model = ridge("inf").fit(X, y)
    model.set_params(n_components=10).fit(X[:, :3], y)
    fresh = ridge(10).fit(X[:, :3], y)
    assert vars(model).keys() == vars(fresh).keys()
    np.testing.assert_array_equal(model.predict(X[:, :3]), fresh.predict(X[:, :3]))


def test_an_unknown_strength_at_an_edge_is_said():
    X, y = problem()
    with pytest.warns(UserWarning, match="smallest of the 2"):
        model = ridge(alphas=[1e3, 1e5]).fit(X, y)
    assert model.alpha_at_edge_
    noise = np.random.default_rng(0).normal(size=40)
    assert not ridge().fit(X, noise).alpha_at_edge_


def test_a_constant_target_is_predicted():
    X, _ = problem()
    model = ridge().fit(X, np.full(40, 3.0))
    np.testing.assert_allclose(model.predict(X), 3.0)
    assert 0.0 <= model.fitting_ratio_ <= 1.0


def test_one_row_needs_a_strength():
    X, y = problem()
    with pytest.raises(ValueError, match="at least 2 rows"):
        ridge().fit(X[:1], y[:1])
    with pytest.warns(UserWarning, match="cannot tell its error"):
        model = ridge(alpha=0.1).fit(X[:1], y[:1])
    np.testing.assert_allclose(model.predict(X), y[0])


def test_in_a_pipeline_and_a_search():
    X, y = problem(60)
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), ridge(30))
    search = GridSearchCV(pipeline, {"randomfeatureridge__kind": ["relu", "erf"]}, cv=3)
    assert search.fit(frame, y).score(frame, y) > 0.8


def test_without_a_seed_every_fit_draws_anew():
    X, y = problem()
    model = RandomFeatureRidge(10)
    assert np.abs(model.fit(X, y).predict(X) - model.fit(X, y).predict(X)).max() > 1e-3


def test_before_a_fit_there_is_no_answer():
    with pytest.raises(NotFittedError):
        ridge().predict(problem()[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"kind": "sine"}, "kind"),
        ({"gamma": -1.0}, "gamma"),
        ({"bias": 3}, "bias"),
        ({"alphas": 1}, "alphas"),
        ({"alphas": []}, "alphas"),
        ({"alphas": [[1.0, 2.0]]}, "alphas"),
        ({"alphas": [-1.0, 1.0]}, "alphas"),
        ({"alphas": [np.nan, 1.0]}, "alphas"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": "aic"}, "alpha"),
        ({"fit_intercept": "no"}, "fit_intercept"),
        ({"dtype": "float16"}, "dtype"),
        ({"dtype": np.int32}, "dtype"),
        ({"solver": "qr"}, "solver"),
        ({"solver": "gram", "n_components": "inf"}, "infinite|too many"),
        ({"kind": "fourier", "bias": True}, "leave it out"),
    ],
)
def test_parameters_that_make_no_sense(params, message):
    with pytest.raises(ValueError, match=message):
        ridge().set_params(**params).fit(*problem())


@pytest.mark.parametrize("k", [15, 90])
def test_data_that_make_no_sense(k):
    X, y = problem()
    hole = y.copy()
    hole[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ridge(k).fit(X, hole)
    with pytest.raises(ValueError, match="overflow"):
        ridge(k).fit(1e200 * X, y)
    with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
        ridge(k).fit(X, y, sample_weight=np.zeros(40))


def test_progress_counts_passes(capsys):
    pytest.importorskip("tqdm")
    ridge(verbose=1).fit(*problem())
    assert "RandomFeatureRidge" in capsys.readouterr().err


def test_features_of_the_model_are_those_of_the_transformer():
    X, y = problem()
    model = ridge().fit(X, y)
    alone = RandomFeatures(15, random_state=0).fit(X)
    np.testing.assert_array_equal(model.feature_map_.random_weights_, alone.random_weights_)
    assert partial(model.predict)(X).shape == (40,)
