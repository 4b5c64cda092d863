"""LpRegressor against scikit-learn and optimality; CoresetEstimator in scikit-learn's machinery."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.coreset import CoresetEstimator, LpRegressor, SensitivitySampler, StreamingCoreset


def regression(seed, n=1000, d=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.abs(rng.standard_t(3, n))[:, None]
    return X, X @ np.arange(1.0, d + 1) + 2 + rng.standard_t(3, n)


def test_p_two_is_least_squares():
    X, y = regression(0)
    omega = np.random.default_rng(1).uniform(size=1000)
    ours = LpRegressor(p=2).fit(X, y, sample_weight=omega)
    theirs = LinearRegression().fit(X, y, sample_weight=omega)
    np.testing.assert_allclose(ours.coef_, theirs.coef_)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_)
    for fit_intercept in (True, False):
        ours = LpRegressor(p=2, alpha=50.0, fit_intercept=fit_intercept).fit(X, y)
        theirs = Ridge(alpha=50.0, fit_intercept=fit_intercept).fit(X, y)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


def test_p_one_is_median_regression():
    X, y = regression(1)
    omega = np.random.default_rng(1).uniform(size=1000)
    ours = LpRegressor(p=1).fit(X, y, sample_weight=omega)
    theirs = QuantileRegressor(quantile=0.5, alpha=0).fit(X, y, sample_weight=omega)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)
    assert ours.dual_gap_ <= 1e-8 * ours.objective_


@pytest.mark.parametrize("p", [1.3, 1.5, 3, 4, 9.5, 30])
def test_gradient_vanishes(p):
    X, y = regression(2)
    model = LpRegressor(p=p).fit(X, y)
    r = y - model.predict(X)
    A = np.c_[X, np.ones(1000)]
    gradient = A.T @ (np.abs(r) ** (p - 1) * np.sign(r))
    size = np.abs(A).T @ np.abs(r) ** (p - 1)
    assert (np.abs(gradient) <= 1e-3 * size).all()
    np.testing.assert_allclose(model.objective_, np.sum(np.abs(r) ** p))
    assert model.dual_gap_ <= 1e-8 * model.objective_


@pytest.mark.parametrize(("p", "alpha"), [(1, 3.0), (1.5, 3.0), (4, 20.0), (np.inf, 5.0)])
def test_penalised_fit_solves_the_convex_program(p, alpha):
    cp = pytest.importorskip("cvxpy")
    X, y = regression(3, n=60, d=3)
    model = LpRegressor(p=p, alpha=alpha).fit(X, y)
    beta, b = cp.Variable(3), cp.Variable()
    r = y - X @ beta - b
    if np.isinf(p):
        objective = cp.maximum(cp.norm_inf(r), alpha * cp.norm_inf(beta))
    else:
        objective = cp.pnorm(cp.hstack([r, alpha ** (1 / p) * beta]), p)
    value = cp.Problem(cp.Minimize(objective)).solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(model.objective_, value if np.isinf(p) else value**p, rtol=1e-5)


def test_large_p_tends_to_chebyshev_regression():
    X, y = regression(4, n=300)
    model = LpRegressor(p=np.inf).fit(X, y)
    assert model.objective_ == pytest.approx(np.abs(y - model.predict(X)).max())
    p = np.ceil(2 * np.log(300))
    near = np.abs(y - LpRegressor(p=p).fit(X, y).predict(X)).max()
    assert model.objective_ <= near * (1 + 1e-9) <= model.objective_ * 300 ** (1 / p)


def test_warm_start_takes_fewer_steps():
    X, y = regression(5)
    for p in (1.5, 6):
        model = LpRegressor(p=p, warm_start=True).fit(X, y)
        steps, coef = model.n_iter_, model.coef_
        model.fit(X, y)
        assert model.n_iter_ <= steps
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-5)
    assert model.n_iter_ <= 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [1.0001, 1.01, 1.05, 1.2])
@pytest.mark.parametrize("seed", [20, 21, 22])
def test_powers_near_one_reach_the_certificate(p, seed):
    X, y = regression(seed, n=400, d=8)
    model = LpRegressor(p=p).fit(X, y)
    assert model.dual_gap_ <= 1e-8 * model.objective_
    median = LpRegressor(p=1).fit(X, y)
    assert np.abs(y - median.predict(X)).sum() <= np.abs(y - model.predict(X)).sum() * (1 + 1e-9)
    assert np.sum(np.abs(y - median.predict(X)) ** p) >= model.objective_ * (1 - 1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [1, 1.5, 4, 30, np.inf])
def test_units_of_the_data_do_not_matter(p):
    X, y = regression(23, n=60)
    expected = LpRegressor(p=p).fit(X, y)
    for x_unit, y_unit in ((1e-120, 1e100), (1e120, 1e-100), (1.0, 1e-9)):
        model = LpRegressor(p=p).fit(x_unit * X, y_unit * y)
        np.testing.assert_allclose(model.coef_ / y_unit * x_unit, expected.coef_, rtol=1e-5)


def test_not_converged_warns():
    X, y = regression(6)
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        LpRegressor(p=1.1, max_iter=3).fit(X, y)


def test_degenerate_targets_and_features():
    X, y = regression(7, n=50)
    for p in (1, 1.5, 3, np.inf):
        exact = LpRegressor(p=p).fit(X, X @ [1.0, 2.0, 3.0, 4.0] + 5)
        np.testing.assert_allclose(exact.coef_, [1, 2, 3, 4], rtol=1e-6)
        assert (LpRegressor(p=p).fit(X, np.zeros(50)).coef_ == 0).all()
        doubled = LpRegressor(p=p).fit(np.c_[X, X[:, :1]], y)
        np.testing.assert_allclose(
            doubled.objective_, LpRegressor(p=p).fit(X, y).objective_, rtol=1e-6
        )
        sparse_fit = LpRegressor(p=p).fit(sparse.csr_array(X), y)
        np.testing.assert_allclose(
            sparse_fit.predict(sparse.csr_array(X)), LpRegressor(p=p).fit(X, y).predict(X),
            rtol=1e-4, atol=1e-4,
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least one non-zero"):
        LpRegressor().fit(X, y, sample_weight=np.zeros(50))


@pytest.mark.parametrize("p", [1, 2, 4])
def test_coreset_costs_little_more(p):
    """At p = 2 the excess is bounded by (1 + e) / (1 - e), e the measured distortion."""
    X, y = regression(8, n=8000, d=8)
    best = LpRegressor(p=p).fit(X, y).objective_
    excess = []
    for seed in range(5):
        sampler = SensitivitySampler(p=p, n_samples=400, random_state=seed)
        model = CoresetEstimator(LpRegressor(p=p), sampler, check=True).fit(X, y)
        excess.append(np.sum(np.abs(y - model.predict(X)) ** p) / best)
        if p == 2:
            e = model.distortion_lower_bound_
            assert excess[-1] <= (1 + e) / (1 - e)
    assert np.median(excess) < 1.05


def test_estimator_uses_the_coreset_and_nothing_else():
    X, y = regression(9)
    sampler = SensitivitySampler(p=1, n_samples=100, random_state=0)
    model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
    kept, weight = model.coreset_.indices, model.coreset_.sample_weight
    direct = LpRegressor(p=1).fit(X[kept], y[kept], sample_weight=weight)
    np.testing.assert_array_equal(model.predict(X), direct.predict(X))
    assert model.score(X, y) == direct.score(X, y)
    assert not hasattr(model, "predict_proba") and not hasattr(model, "transform")
    assert pickle.loads(pickle.dumps(model)).coreset_.indices.size == kept.size


def test_classifier_gets_class_indicators_and_delegates():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 3))
    y = np.digitize(X[:, 0] + 0.1 * rng.standard_normal(2000), [-0.5, 0.5])
    model = CoresetEstimator(
        LogisticRegression(), SensitivitySampler(p=1, n_samples=300, floor=1.0, random_state=0)
    ).fit(X, y)
    assert model.sampler_.rank_ == 3 + 1 + 2
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.score(X, y) > 0.9
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert model.decision_function(X).shape == (2000, 3)


def test_inside_pipeline_and_grid_search():
    X, y = regression(10)
    pipeline = make_pipeline(
        StandardScaler(),
        CoresetEstimator(LpRegressor(), SensitivitySampler(n_samples=200, random_state=0)),
    )
    grid = {
        "coresetestimator__estimator__p": [1, 2],
        "coresetestimator__sampler__n_samples": [100, 200],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert "coreset_" in vars(search.best_estimator_[-1])


def test_estimators_without_weights():
    X, y = regression(11)
    with pytest.raises(ValueError, match=r"KNeighborsRegressor\.fit takes no sample_weight"):
        CoresetEstimator(KNeighborsRegressor()).fit(X, y)
    with pytest.raises(ValueError, match=r"PCA\.fit takes no sample_weight"):
        CoresetEstimator(PCA()).fit(X)
    with pytest.raises(ValueError, match="'sampler' parameter"):
        CoresetEstimator(Ridge(), "lewis").fit(X, y)
    sampler = SensitivitySampler(
        n_samples=100, scale_rows=True, fit_intercept=False, include_y=None, random_state=0
    )
    model = CoresetEstimator(PCA(2), sampler).fit(X)
    assert model.transform(X).shape == (1000, 2)


def test_metadata_routing_forwards_weights_to_a_pipeline():
    X, y = regression(12)
    omega = np.random.default_rng(0).integers(0, 3, 1000).astype(float)
    sampler = SensitivitySampler(n_samples=200, random_state=0)
    inner = make_pipeline(StandardScaler(), Ridge())
    with pytest.raises(ValueError, match=r"Pipeline\.fit takes no sample_weight"):
        CoresetEstimator(inner, sampler).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        inner = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
        )
        model = CoresetEstimator(inner, sampler).fit(X, y, sample_weight=omega)
        kept, weight = model.coreset_.indices, model.coreset_.sample_weight
        direct = clone(inner).fit(X[kept], y[kept], sample_weight=weight)
        np.testing.assert_allclose(model.predict(X), direct.predict(X))
        score = model.score(X, y, sample_weight=omega)
        np.testing.assert_allclose(score, direct.score(X, y, sample_weight=omega))
        search = GridSearchCV(
            CoresetEstimator(inner, sampler).set_fit_request(sample_weight=True),
            {"sampler__n_samples": [100, 200]}, cv=3,
        ).fit(X, y, sample_weight=omega)  # fmt: skip
        assert search.best_score_ > 0.9


def stream(X, y, n_batches, **params):
    coreset = StreamingCoreset(**params)
    for rows in np.array_split(np.arange(len(y)), n_batches):
        coreset.partial_fit(X[rows], y[rows])
    return coreset


@pytest.mark.parametrize("p", [1, 3])
def test_stream_keeps_all_norms_in_logarithmic_memory(p):
    from skreg.coreset import subspace_distortion

    X, y = regression(13, n=16_000, d=6)
    params = {"p": p, "n_samples": 400, "buffer_size": 1000, "fit_intercept": False}
    coreset = stream(X, y, 37, **params, random_state=0)
    assert coreset.n_samples_seen_ == 16_000
    X_kept, y_kept, weight = coreset.get_coreset()
    assert len(weight) <= 1000 + 5 * 480
    A, kept = np.c_[X, y], np.c_[X_kept, y_kept]
    both = np.r_[A, kept]
    indices = np.arange(16_000, len(both))
    omega = np.r_[np.ones(16_000), np.zeros(len(kept))]
    assert subspace_distortion(both, indices, weight, p, sample_weight=omega, random_state=0) < 0.25
    reduced = coreset.get_coreset(reduce=True)[2]
    assert 320 < len(reduced) < 480
    np.testing.assert_allclose(reduced.sum(), 16_000, rtol=0.35)


def test_merged_streams_stand_for_all_rows():
    X, y = regression(14, n=9000)
    params = {"p": 1, "n_samples": 300, "buffer_size": 1000, "random_state": 0}
    a, b = stream(X[:5500], y[:5500], 4, **params), stream(X[5500:], y[5500:], 3, **params)
    before = b.get_coreset()[2].copy()
    a = pickle.loads(pickle.dumps(a)).merge(b)
    assert a.n_samples_seen_ == 9000
    np.testing.assert_array_equal(b.get_coreset()[2], before)
    X_kept, y_kept, weight = a.get_coreset()
    total = stream(X[:5500], y[:5500], 4, **params) + stream(X[5500:], y[5500:], 3, **params)
    np.testing.assert_array_equal(total.get_coreset()[2], weight)
    small = LpRegressor(p=1).fit(X_kept, y_kept, sample_weight=weight)
    best = LpRegressor(p=1).fit(X, y).objective_
    assert np.abs(y - small.predict(X)).sum() / best < 1.03


def test_stream_of_few_rows_keeps_them_all():
    X, y = regression(15, n=50)
    coreset = stream(X, y, 5, n_samples=40, buffer_size=100, random_state=0)
    for actual, expected in zip(coreset.get_coreset(), (X, y, np.ones(50)), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert coreset.fit(X[:7], y[:7]).n_samples_seen_ == 7
    CSR = sparse.csr_array(X)
    kept = StreamingCoreset(n_samples=20, buffer_size=25).fit(CSR, y).get_coreset()[0]
    assert sparse.issparse(kept) and kept.shape[0] < 50


def test_batches_do_not_change_the_stream():
    X, y = regression(15, n=700)
    params = {"n_samples": 50, "buffer_size": 100, "random_state": 0}
    expected = stream(X, y, 1, **params).get_coreset()
    for n_batches in (13, 700):
        for actual, wanted in zip(
            stream(X, y, n_batches, **params).get_coreset(), expected, strict=True
        ):
            np.testing.assert_array_equal(actual, wanted)


def test_streams_refuse_what_does_not_fit():
    X, y = regression(16, n=300)
    coreset = StreamingCoreset(n_samples=40).fit(X, y)
    with pytest.raises(ValueError, match="in every call"):
        coreset.partial_fit(X)
    with pytest.raises(ValueError, match="cannot be merged"):
        coreset.merge(StreamingCoreset(n_samples=50).fit(X, y))
    with pytest.raises(ValueError, match="one without"):
        coreset.merge(StreamingCoreset(n_samples=40).fit(X))
    with pytest.raises(ValueError, match="below the rank"):
        StreamingCoreset(n_samples=2, buffer_size=50).fit(X, y)
    with pytest.raises(ValueError, match="with itself"):
        coreset.merge(coreset)
    with pytest.raises(TypeError):
        coreset + X
