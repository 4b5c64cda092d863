"""LpRegressor against scikit-learn and optimality; CoresetEstimator in scikit-learn's machinery."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from scipy.optimize import linprog, minimize_scalar
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.coreset import (
    CoresetEstimator,
    LpRegressor,
    SensitivitySampler,
    StreamingCoreset,
    lightweight_coreset,
    logistic_complexity,
    logistic_coreset,
    subspace_distortion,
)
from skreg.coreset._lp_solvers import null_norm, solve_lp


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
    assert ours.dual_gap_ <= 1e-8


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
    assert model.dual_gap_ <= 1e-8


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
    assert model.dual_gap_ <= 1e-8
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
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "transform")
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
    own = a.get_coreset()[2].copy()
    both = pickle.loads(pickle.dumps(a)).merge(b)
    assert both.n_samples_seen_ == 9000
    assert a.n_samples_seen_ == 5500
    np.testing.assert_array_equal(b.get_coreset()[2], before)
    X_kept, y_kept, weight = both.get_coreset()
    for total in (a + b, a.merge(b)):
        np.testing.assert_array_equal(total.get_coreset()[2], weight)
    np.testing.assert_array_equal(a.get_coreset()[2], own)
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
    assert sparse.issparse(kept)
    assert kept.shape[0] < 50


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
    with pytest.raises(TypeError, match="'StreamingCoreset' and 'LpRegressor'"):
        coreset + LpRegressor()
    with pytest.raises(TypeError, match="StreamingCoreset with LpRegressor"):
        coreset.merge(LpRegressor())
    with pytest.raises(ValueError, match="numbers in every call"):
        StreamingCoreset(include_y=None).fit(X, y).partial_fit(X, y.astype(str))
    numbers, labels = (StreamingCoreset(include_y=None).fit(X, t) for t in (y, y.astype(str)))
    with pytest.raises(ValueError, match="y holds labels and one whose y holds numbers"):
        numbers + labels
    with pytest.raises(ValueError, match="y must be numeric"):
        StreamingCoreset().fit(X, y > 0).partial_fit(X, y.astype(str))


def weighted_norm_error(coreset, A, p):
    """Largest relative error of ||A x||_p^p over the axes and their sum."""
    X_kept, y_kept, weight = coreset.get_coreset()
    directions = np.c_[np.eye(A.shape[1]), np.ones(A.shape[1])]
    exact = (np.abs(A @ directions) ** p).sum(axis=0)
    found = weight @ np.abs(np.c_[X_kept, y_kept] @ directions) ** p
    return np.abs(found / exact - 1).max()


@pytest.mark.parametrize(
    "params",
    [
        {"n_samples": 50},
        {"n_samples": 400},
        {"buffer_size": 60},
        {"buffer_size": 5000},
        {"n_samples": 60, "buffer_size": 61},
        {"p": 1},
        {"p": 3},
        {"scores": "leverage", "fit_intercept": False},
    ],
)
def test_parameters_set_between_batches_act_on_the_stream(params):
    X, y = regression(17, n=4000)
    coreset = StreamingCoreset(n_samples=100, random_state=0).partial_fit(X[:390], y[:390])
    coreset.set_params(**params)
    for start in range(390, 4000, 361):
        coreset.partial_fit(X[start : start + 361], y[start : start + 361])
    assert coreset.n_samples_seen_ == 4000
    size, n_samples = coreset.buffer_size or 4 * coreset.n_samples, coreset.n_samples
    assert sum(len(part[2]) for part in coreset._buffer) < size
    largest = max((len(level[2]) for level in coreset._levels if level is not None), default=0)
    assert largest < 100 + n_samples + 6 * n_samples**0.5
    assert weighted_norm_error(coreset, np.c_[X, y], coreset.p) < 0.6
    with pytest.raises(ValueError, match="'n_samples' parameter"):
        coreset.set_params(n_samples=0).partial_fit(X, y)


def test_another_seed_acts_on_a_stream_that_goes_on():
    X, y = regression(18, n=1000)

    def weights(seed):
        coreset = StreamingCoreset(n_samples=50, random_state=0).partial_fit(X[:500], y[:500])
        return coreset.set_params(random_state=seed).partial_fit(X[500:], y[500:]).get_coreset()[2]

    np.testing.assert_array_equal(
        weights(0), stream(X, y, 2, n_samples=50, random_state=0).get_coreset()[2]
    )
    assert not np.array_equal(weights(0), weights(1))


def test_a_failed_or_interrupted_batch_leaves_the_stream_as_it_was(monkeypatch):
    X, y = regression(19, n=900)
    coreset = StreamingCoreset(n_samples=50, random_state=0).partial_fit(X[:300], y[:300])
    before = pickle.dumps(coreset)
    bad = np.where(np.arange(600) == 500, np.nan, y[300:])
    for X_bad, y_bad, weight in (
        (np.where(X[300:] > 2, np.nan, X[300:]), y[300:], None),
        (X[300:], bad, None),
        (X[300:], y[300:].astype(str), None),
        (X[300:], y[300:].astype("datetime64[s]"), None),
        (X[300:], y[300:-1], None),
        (X[300:, :2], y[300:], None),
        (X[300:], y[300:], -np.ones(600)),
        (X[300:], None, None),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  # which kind of bad input is not asked
            coreset.partial_fit(X_bad, y_bad, weight)
        assert pickle.dumps(coreset) == before
    with pytest.raises(ValueError, match="below the rank"):
        coreset.set_params(n_samples=3).partial_fit(X[300:], y[300:])
    assert pickle.dumps(coreset.set_params(n_samples=50)) == before

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skreg.coreset._streaming.draw", interrupt)
        for call in (coreset.partial_fit, coreset.fit):
            with pytest.raises(KeyboardInterrupt):
                call(X[300:], y[300:])
            assert pickle.dumps(coreset) == before
    whole = stream(X, y, 1, n_samples=50, random_state=0)
    for actual, expected in zip(
        coreset.partial_fit(X[300:], y[300:]).get_coreset(), whole.get_coreset(), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)


def test_a_stream_keeps_its_own_copy_of_the_rows_and_reading_it_changes_nothing():
    X, y = regression(20, n=1000)
    coreset = StreamingCoreset(n_samples=50, random_state=0)
    batch, target = np.empty((90, 4)), np.empty(90)
    for start in range(0, 990, 90):  # one array, filled again and again
        batch[:], target[:] = X[start : start + 90], y[start : start + 90]
        coreset.partial_fit(batch, target)
        first, second = coreset.get_coreset(reduce=True), coreset.get_coreset(reduce=True)
        np.testing.assert_array_equal(first[2], second[2])
    expected = stream(X[:990], y[:990], 1, n_samples=50, random_state=0)
    for actual, wanted in zip(coreset.get_coreset(), expected.get_coreset(), strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_rows_of_weight_zero_and_sparse_batches_do_not_change_a_stream():
    X, y = regression(21, n=900)
    params = {"n_samples": 50, "buffer_size": 60, "random_state": 0}
    omega = (np.arange(900) // 150 % 2).astype(float)  # whole buffers of weight zero
    coreset = StreamingCoreset(**params).fit(X, y, omega)
    expected = StreamingCoreset(**params).fit(X[omega > 0], y[omega > 0]).get_coreset()
    for actual, wanted in zip(coreset.get_coreset(), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)
    mixed = StreamingCoreset(**params).partial_fit(X[:400], y[:400])
    mixed.partial_fit(sparse.csr_array(X[400:]), y[400:])
    whole = StreamingCoreset(**params).fit(X, y).get_coreset()
    np.testing.assert_array_equal(mixed.get_coreset()[0], whole[0])


RARE = 20


def rare_class(n=20_000):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 8)), np.zeros(n, int)
    y[:RARE], X[:RARE] = 1, X[:RARE] + 1
    return X, y


@pytest.mark.parametrize("scores", ["lewis", "uniform"])
@pytest.mark.parametrize("method", ["bernoulli", "systematic", "with_replacement"])
def test_a_rare_class_of_two_is_never_lost_and_weights_stay_unbiased(scores, method):
    X, y = rare_class(2000)
    counts = []
    for seed in range(150):
        sampler = SensitivitySampler(
            p=1, scores=scores, n_samples=80, method=method, include_y="classification",
            random_state=seed,
        ).fit(X, y)  # fmt: skip
        kept = y[sampler.sample_indices_]
        assert kept.any()
        counts.append(np.bincount(kept, sampler.sample_weight_))
    mean, error = np.mean(counts, axis=0), np.std(counts, axis=0) / 150**0.5
    assert (np.abs(mean - [2000 - RARE, RARE]) <= 4 * error + 1e-9).all()


def test_meta_estimator_and_logistic_coreset_keep_a_rare_class():
    X, y = rare_class(8000)
    for seed in range(8):
        for labels in (y, np.array(["common", "rare"])[y]):
            sampler = SensitivitySampler(p=1, n_samples=400, random_state=seed)
            model = CoresetEstimator(LogisticRegression(), sampler).fit(X, labels)
            assert y[model.coreset_.indices].sum() == RARE  # whose scores are those of heavy rows
        indices, weight = logistic_coreset(X, y, 400, random_state=seed)
        assert weight[y[indices] == 1].sum() == pytest.approx(RARE, rel=0.5)


def test_the_indicator_of_two_classes_costs_no_distortion():
    X, y = rare_class(5000)
    A = np.c_[X, np.ones(5000)]
    distortion = {}
    for include_y in (None, "classification"):
        distortion[include_y] = []
        for seed in range(15):
            sampler = SensitivitySampler(n_samples=300, include_y=include_y, random_state=seed)
            kept = sampler.fit(X, y).sample_indices_, sampler.sample_weight_
            distortion[include_y].append(
                (subspace_distortion(A, *kept, 2), subspace_distortion(np.c_[A, y], *kept, 2))
            )
    without, beside = (
        np.median(distortion[None], axis=0),
        np.median(distortion["classification"], axis=0),
    )
    assert beside[0] < 1.15 * without[0]
    assert beside[1] < 0.5 * without[1]


def test_transformers_are_transformers_through_and_through():
    pd = pytest.importorskip("pandas")
    X, y = regression(22)
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(1000)[::-1])
    sampler = SensitivitySampler(n_samples=100, random_state=0)
    model = CoresetEstimator(StandardScaler(), sampler).set_output(transform="pandas")
    found = model.fit_transform(frame)
    assert list(found.columns) == list("abcd") == list(model.get_feature_names_out())
    np.testing.assert_array_equal(found.index, frame.index)
    kept, weight = model.coreset_.indices, model.coreset_.sample_weight
    direct = StandardScaler().fit(frame.iloc[kept], sample_weight=weight)
    np.testing.assert_allclose(found, direct.transform(frame))
    pipeline = make_pipeline(clone(model), Ridge()).set_output(transform="polars")
    pipeline.set_output(transform="pandas").fit(frame, y)
    assert list(pipeline[:-1].get_feature_names_out()) == list("abcd")
    columns = ColumnTransformer([("scaled", clone(model), ["a", "c"])], remainder="passthrough")
    named = columns.set_output(transform="pandas").fit_transform(frame)
    assert list(named.columns) == ["scaled__a", "scaled__c", "remainder__b", "remainder__d"]
    scaled_rows = SensitivitySampler(
        n_samples=100, scale_rows=True, fit_intercept=False, include_y=None, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # names are not lost on the way to the inner estimator
        pca = CoresetEstimator(PCA(2), scaled_rows).set_output(transform="pandas").fit(frame)
        assert list(pca.transform(frame).columns) == ["pca0", "pca1"]
    for inner in (Ridge(), KMeans(3)):
        wrapped = CoresetEstimator(inner, sampler)
        for name in ("transform", "fit_transform", "get_feature_names_out", "set_output"):
            assert hasattr(wrapped, name) == hasattr(inner, "transform")


def test_a_failed_refit_leaves_the_last_fit_whole():
    X, y = regression(24)
    for model in (
        CoresetEstimator(LpRegressor(p=1), SensitivitySampler(n_samples=100, random_state=0)),
        SensitivitySampler(n_samples=100, random_state=0),
        LpRegressor(),
    ):
        before = pickle.dumps(model.fit(X, y))
        for X_bad in (np.where(X > 2, np.nan, X), np.where(X > 2, np.inf, X)[:, :2]):
            with pytest.raises(ValueError):  # noqa: PT011  # which kind of bad input is not asked
                model.fit(X_bad, y)
            assert pickle.dumps(model) == before


@pytest.mark.parametrize("p", [1, 1.5, np.inf])
@pytest.mark.parametrize("gap", [np.nan, -1.0])
def test_a_certificate_that_certifies_nothing_is_no_silence(p, gap, monkeypatch):
    X, y = regression(25, n=100)

    def broken(*args):
        return solve_lp(*args)._replace(relative_gap=gap)

    monkeypatch.setattr("skreg.coreset._lp_regressor.solve_lp", broken)
    with pytest.warns(ConvergenceWarning, match="duality gap is"):
        LpRegressor(p=p).fit(X, y)


def test_a_warm_start_from_other_features_is_a_cold_one():
    X, y = regression(26)
    model = LpRegressor(warm_start=True).fit(X[:, :2], y).fit(X, y)
    np.testing.assert_allclose(model.coef_, LpRegressor().fit(X, y).coef_, rtol=1e-6)
    model.set_params(fit_intercept=False, p=3).fit(X, y)
    expected = LpRegressor(p=3, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5)


POWERS = [1, 1.2, 2, 3, 30, np.inf]


def null_objective(y, omega, p):
    """Objective of the best constant, by closed forms and scipy."""
    if np.isinf(p):
        return np.ptp(y) / 2
    if p == 1:
        order = np.argsort(y)
        half = np.searchsorted(np.cumsum(omega[order]), omega.sum() / 2)
        return np.sum(omega * np.abs(y - y[order][half]))
    if p == 2:
        return np.sum(omega * (y - np.average(y, weights=omega)) ** 2)
    loss = lambda t: np.sum(omega * np.abs(y - t) ** p)  # noqa: E731
    return minimize_scalar(loss, bounds=(y.min(), y.max()), options={"xatol": 1e-10}).fun


@pytest.mark.parametrize("p", POWERS)
def test_the_norm_of_the_null_model_is_that_of_the_best_constant(p):
    rng = np.random.default_rng(0)
    y, omega = 1e3 + rng.standard_t(3, 80), rng.uniform(0.1, 2.0, 80)
    root = omega ** (1 / p)
    expected = null_objective(y, omega, p) ** (1 if np.isinf(p) else 1 / p)
    np.testing.assert_allclose(null_norm(root * y, root, p), expected, rtol=1e-8)
    assert null_norm(7.0 * root, root, p) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("p", [1.2, 3])
def test_the_gap_times_the_null_models_objective_bounds_the_excess(p, fit_intercept):
    cp = pytest.importorskip("cvxpy")
    X, y = regression(27, n=100)
    y = 1e3 * y
    omega = np.random.default_rng(1).uniform(0.1, 2.0, 100)
    beta, b = cp.Variable(4), cp.Variable() if fit_intercept else 0.0
    scale = omega ** (1 / p)
    program = cp.Problem(cp.Minimize(cp.pnorm(cp.multiply(scale, y - X @ beta - b) / 1e3, p)))
    best = (1e3 * program.solve(solver=cp.CLARABEL)) ** p
    null = null_objective(y, omega, p) if fit_intercept else np.sum(omega * np.abs(y) ** p)
    for max_iter in (1, 2, 4):
        model = LpRegressor(p=p, fit_intercept=fit_intercept, max_iter=max_iter)
        model.fit(X, y, sample_weight=omega)
        excess = (model.objective_ - best) / null
        assert excess - 1e-7 <= model.dual_gap_ <= 100 * excess + 1e-7


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("p", [1, 1.5, 3, np.inf])
def test_the_gap_has_no_unit(p, fit_intercept):
    X, y = regression(28, n=200)
    model = LpRegressor(p=p, max_iter=1, fit_intercept=fit_intercept)
    gap = model.fit(X, y).dual_gap_
    assert (gap > 1e-9) == (1 < p < np.inf)
    for unit in (1e-60, 1e3, 1e60):
        assert model.fit(X, unit * y).dual_gap_ == pytest.approx(gap, rel=1e-6, abs=1e-12)
        weighted = model.fit(X, y, sample_weight=np.full(200, unit))
        assert weighted.dual_gap_ == pytest.approx(gap, rel=1e-6, abs=1e-12)


def least_objective(X, y, omega, p):
    """The smallest weighted sum of p-th powers (largest residual for inf), by other solvers."""
    if p == 2:
        root = np.sqrt(omega)
        beta = np.linalg.lstsq(root[:, None] * X, root * y)[0]
        return np.sum(omega * (y - X @ beta) ** 2)
    n, d = X.shape
    if p in (1, np.inf):  # min c^T t such that -t <= y - X beta <= t
        t = np.eye(n) if p == 1 else np.ones((n, 1))
        cost = np.r_[np.zeros(d), omega if p == 1 else 1.0]
        bounds = [(None, None)] * d + [(0, None)] * t.shape[1]
        above, below = np.hstack([X, -t]), np.hstack([-X, -t])
        return linprog(cost, np.vstack([above, below]), np.r_[y, -y], bounds=bounds).fun
    cp = pytest.importorskip("cvxpy")
    residual = cp.multiply(omega ** (1 / p), y - X @ cp.Variable(d))
    return cp.Problem(cp.Minimize(cp.pnorm(residual, p))).solve(solver=cp.CLARABEL) ** p


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("p", [1, 1.2, 2, 3, np.inf])
def test_the_gap_is_the_excess_over_an_outside_optimum_in_any_unit(p, fit_intercept):
    X, y = regression(32, n=90)
    y = y + 3.0
    omega = np.random.default_rng(2).uniform(0.1, 2.0, 90)
    columns = np.c_[X, np.ones(90)] if fit_intercept else X
    best = least_objective(columns, y, omega, p)
    null = null_objective(y, omega, p)
    if not fit_intercept:
        null = np.abs(y).max() if np.isinf(p) else np.sum(omega * np.abs(y) ** p)
    model = LpRegressor(p=p, fit_intercept=fit_intercept, max_iter=2)
    gap = model.fit(X, y, sample_weight=omega).dual_gap_
    excess = (model.objective_ - best) / null
    assert excess - 1e-7 <= gap <= 100 * max(excess, 0.0) + 1e-7
    each = np.array([1e-6, 1.0, 1e6, 1e3])
    for unit in (1e-6, 1e6):
        for rows, target, weight in (
            (X, unit * y, omega), (unit * X, y, omega), (X, y, unit * omega), (each * X, y, omega),
        ):  # fmt: skip
            again = model.fit(rows, target, sample_weight=weight).dual_gap_
            assert again == pytest.approx(gap, rel=1e-6, abs=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [1, 1.5, 30, np.inf])
@pytest.mark.parametrize("target", [0.0, 5.0, -1e-100])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_a_constant_target_leaves_no_gap(p, target, offset):
    X = regression(29, n=50)[0] + offset
    model = LpRegressor(p=p).fit(X, np.full(50, target))
    assert model.dual_gap_ <= 1e-8
    np.testing.assert_allclose(model.predict(X), target, rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [1, 1.5, 50, np.inf])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_an_exact_fit_far_from_the_origin_leaves_no_gap(p, offset):
    X, beta = regression(31, n=200)[0], np.array([1.0, -2.0, 0.0, 3.0])
    model = LpRegressor(p=p).fit(X + offset, X @ beta + offset)
    assert model.dual_gap_ <= 1e-8
    np.testing.assert_allclose(model.coef_, beta, atol=1e-7)


@pytest.mark.parametrize(("number", "message"), [(np.inf, "infinity"), (np.nan, "NaN")])
@pytest.mark.parametrize("form", ["scalar", "array"])
def test_weights_that_are_no_numbers_are_refused(number, message, form):
    X, y = regression(30, n=50)
    weight = number if form == "scalar" else np.where(np.arange(50) == 4, number, 1.0)
    for action in (
        lambda: LpRegressor().fit(X, y, sample_weight=weight),
        lambda: SensitivitySampler(n_samples=10).fit(X, sample_weight=weight),
        lambda: StreamingCoreset(n_samples=10).partial_fit(X, sample_weight=weight),
        lambda: lightweight_coreset(X, 10, sample_weight=weight),
        lambda: logistic_complexity(X, y > 0, sample_weight=weight),
    ):
        with pytest.raises(ValueError, match=f"sample_weight contains {message}"):
            action()
