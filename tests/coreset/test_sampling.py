"""Sampling: water-filling, unbiasedness, weights, distortion, and coresets by their own rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import kstest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from skreg.coreset import (
    SensitivitySampler,
    importance_scores,
    lightweight_coreset,
    logistic_complexity,
    logistic_coreset,
    root_leverage_coreset,
    subspace_distortion,
)
from skreg.coreset._sampling import (
    draw,
    hashed_uniform,
    mixed_scores,
    scale_of_scores,
    systematic,
    water_filling,
)


def heavy(seed, n=400, d=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.abs(rng.standard_t(3, n))[:, None]


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    share=st.floats(0.02, 0.98),
    tail=st.floats(0.1, 5),
)
def test_water_filling_meets_the_expected_size(seed, n, share, tail):
    s = np.random.default_rng(seed).pareto(1 / tail, n) + 1e-6
    m = max(1, int(share * n))
    q = water_filling(s, m)
    np.testing.assert_allclose(q.sum(), m)
    c = np.exp(brentq(lambda c: np.minimum(1, np.exp(c) * s).sum() - m, -60, 60, xtol=1e-13))
    np.testing.assert_allclose(q, np.minimum(1, c * s), rtol=1e-6)
    increasing = np.sort(s)
    scale = scale_of_scores(increasing[-m:], increasing[:-m].sum(), m)
    np.testing.assert_allclose(scale, c, rtol=1e-5)


def test_hashed_uniforms_are_uniform_and_independent_of_order():
    u = hashed_uniform(3, np.arange(100_000))
    assert kstest(u, "uniform").pvalue > 1e-3
    assert kstest(hashed_uniform(4, np.arange(100_000)), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u, hashed_uniform(4, np.arange(100_000)))[0, 1]) < 0.02
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.02
    np.testing.assert_array_equal(hashed_uniform(3, [7, 99]), u[[7, 99]])


def test_systematic_sampling_keeps_the_size_and_the_probabilities():
    q = water_filling(np.random.default_rng(0).pareto(1, 40), 12)
    rng = np.random.default_rng(0)
    draws = [systematic(q, rng) for _ in range(4000)]
    assert {len(kept) for kept in draws} <= {11, 12, 13}
    frequency = np.bincount(np.concatenate(draws), minlength=40) / 4000
    assert (np.abs(frequency - q) <= 4.5 * np.sqrt(q * (1 - q) / 4000) + 1e-12).all()


@pytest.mark.parametrize("method", ["bernoulli", "systematic", "with_replacement"])
@pytest.mark.parametrize("p", [1, 3])
def test_weighted_sums_are_unbiased(method, p):
    """The mean over 2000 seeds is within four standard errors, for 10 vectors x at once."""
    A = heavy(0, n=100, d=3)
    x = np.random.default_rng(1).standard_normal((3, 10))
    powers = np.abs(A @ x) ** p
    scores = mixed_scores(importance_scores(A, p), 0.01)
    sums = []
    for seed in range(2000):
        _, kept, weight = draw(scores, 20, method, seed)
        sums.append(weight @ powers[kept])
    error = np.std(sums, axis=0) / np.sqrt(2000)
    assert (np.abs(np.mean(sums, axis=0) - powers.sum(axis=0)) <= 4 * error).all()


def test_weights_are_inverse_probabilities_times_data_weights():
    A, omega = heavy(1), np.random.default_rng(0).uniform(0, 3, 400)
    omega[:5] = 0
    sampler = SensitivitySampler(p=1, n_samples=80, random_state=0).fit(A, sample_weight=omega)
    kept, q = sampler.sample_indices_, sampler.inclusion_proba_
    np.testing.assert_allclose(sampler.sample_weight_, omega[kept] / q[kept])
    np.testing.assert_allclose(q.sum(), 80)
    assert (q[:5] == 0).all()
    assert q.max() == 1.0
    assert sampler.n_samples_ == 80


def test_inclusion_probability_with_replacement_is_that_of_any_draw():
    A = heavy(2, n=30, d=2)
    scores = mixed_scores(importance_scores(A, 2), 0.01)
    counts = np.zeros(30)
    for seed in range(2000):
        q, kept, _ = draw(scores, 10, "with_replacement", seed)
        counts[kept] += 1
    assert (np.abs(counts / 2000 - q) < 4.5 * np.sqrt(q * (1 - q) / 2000)).all()


@pytest.mark.parametrize("method", ["bernoulli", "systematic", "with_replacement"])
def test_as_many_samples_as_rows_keep_everything_at_weight_one(method):
    sampler = SensitivitySampler(n_samples=400, method=method).fit(heavy(3))
    np.testing.assert_array_equal(sampler.sample_indices_, np.arange(400))
    np.testing.assert_array_equal(sampler.sample_weight_, 1.0)


def test_size_from_eps():
    A = heavy(4, n=5000, d=3)
    for p, scores, total in ((1, "lewis", 4), (4, "lewis", 4**2), (1, "uniform", 4)):
        sampler = SensitivitySampler(p=p, scores=scores, eps=0.5).fit(A)
        assert abs(sampler.n_samples_ - 1.5 * total / 0.25) <= 1
    both = SensitivitySampler(p=1, scores="sensitivity+leverage", eps=0.3).fit(A[:500])
    assert both.n_samples_ == np.ceil(1.5 * both.total_score_ / 0.09)
    assert SensitivitySampler().fit(A).n_samples_ == 600


def test_target_and_intercept_enter_the_scored_matrix():
    A, y = heavy(5), np.random.default_rng(0).standard_normal(400)
    for fit_intercept in (True, False):
        columns = np.c_[A, np.ones(400), y] if fit_intercept else np.c_[A, y]
        sampler = SensitivitySampler(p=1, n_samples=50, fit_intercept=fit_intercept).fit(A, y)
        np.testing.assert_allclose(sampler.scores_, importance_scores(columns, 1))
        assert sampler.rank_ == columns.shape[1]
    ignoring = SensitivitySampler(p=1, n_samples=50, include_y=None).fit(A, y)
    np.testing.assert_allclose(ignoring.scores_, importance_scores(np.c_[A, np.ones(400)], 1))
    counts = np.arange(400) % 7
    regression = SensitivitySampler(p=1, n_samples=50, include_y="regression").fit(A, counts)
    assert regression.rank_ == 6


def test_classes_enter_as_indicators():
    A, y = heavy(6), np.array(["a", "b", "c"])[np.arange(400) % 3]
    assert SensitivitySampler(n_samples=50).fit(A, y).rank_ == 4 + 1 + 2
    assert SensitivitySampler(n_samples=50, fit_intercept=False).fit(A, y).rank_ == 4 + 3
    assert SensitivitySampler(n_samples=50).fit(A, y == "a").rank_ == 4 + 1 + 1


def test_integers_of_many_values_are_amounts_not_classes():
    A, y = heavy(6), np.arange(400)
    np.testing.assert_allclose(
        SensitivitySampler(p=1, n_samples=50).fit(A, y).scores_,
        importance_scores(np.c_[A, np.ones(400), y], 1),
    )


def test_scaled_rows_hold_their_weights():
    A, y = heavy(7), np.random.default_rng(0).standard_normal(400)
    sampler = SensitivitySampler(
        p=3, n_samples=60, scale_rows=True, fit_intercept=False, random_state=0
    )
    X_scaled, y_scaled, ones = sampler.fit_resample_weighted(A, y)
    beta = np.array([1.0, -1.0, 2.0, 0.5])
    kept, weight = sampler.sample_indices_, sampler.sample_weight_
    expected = weight @ np.abs(A[kept] @ beta - y[kept]) ** 3
    np.testing.assert_allclose(np.sum(np.abs(X_scaled @ beta - y_scaled) ** 3), expected)
    np.testing.assert_array_equal(ones, 1.0)
    with pytest.raises(ValueError, match="fit_intercept=False"):
        sampler.set_params(fit_intercept=True).fit_resample_weighted(A, y)
    with pytest.raises(ValueError, match="numeric target"):
        sampler.set_params(fit_intercept=False).fit_resample_weighted(A, np.array(["a", "b"] * 200))


def test_data_frames_stay_data_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(heavy(8), columns=list("abcd"))
    y = pd.Series(np.arange(400.0))
    sampler = SensitivitySampler(n_samples=50, random_state=0)
    X_res, y_res = sampler.fit_resample(frame, y)
    assert list(X_res.columns) == list("abcd")
    assert X_res.index.equals(y_res.index)
    np.testing.assert_array_equal(X_res.index, sampler.sample_indices_)
    np.testing.assert_array_equal(sampler.resample(frame, y)[0], X_res)


def test_errors_name_the_argument():
    A = heavy(9)
    with pytest.raises(ValueError, match="n_samples=3 is below the rank 5"):
        SensitivitySampler(n_samples=3).fit(A)
    with pytest.raises(ValueError, match="at least one non-zero"):
        SensitivitySampler().fit(A, sample_weight=np.zeros(400))
    with pytest.raises(ValueError, match="the fit had 400"):
        SensitivitySampler(n_samples=50).fit(A).distortion(A[:100])
    for indices, weight, message in (
        ([1, 2, 3], [1.0], "vectors of one length"),
        ([400], [1.0], r"indices must lie in \[0, 400\)"),
        ([0.5], [1.0], "indices must be a vector of row numbers"),
        ([1], [-1.0], "not negative"),
        ([1], [np.nan], "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            subspace_distortion(A, indices, weight, 2)
    for params, name in (
        ({"p": 0.5}, "'p'"), ({"scores": "l2"}, "'scores'"), ({"n_samples": 0}, "'n_samples'"),
        ({"eps": 0.0}, "'eps'"), ({"floor": -1.0}, "'floor'"), ({"method": "poisson"}, "'method'"),
        ({"include_y": "yes"}, "'include_y'"), ({"fit_intercept": 2}, "'fit_intercept'"),
        ({"scale_rows": "no"}, "'scale_rows'"), ({"random_state": "x"}, "'random_state'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=name):
            SensitivitySampler(**params).fit_resample_weighted(A)


def test_distortion_at_two_is_the_spectral_one():
    A = heavy(10)
    sampler = SensitivitySampler(n_samples=60, fit_intercept=False, random_state=0).fit(A)
    kept, weight = sampler.sample_indices_, sampler.sample_weight_
    Q = np.linalg.qr(A)[0]
    spectrum = np.linalg.eigvalsh(Q[kept].T @ (weight[:, None] * Q[kept]))
    expected = np.abs(spectrum - 1).max()
    np.testing.assert_allclose(subspace_distortion(A, kept, weight, 2), expected)
    np.testing.assert_allclose(sampler.distortion(A), expected)


@pytest.mark.parametrize("p", [1, 1.5, 4])
def test_distortion_search_is_not_beaten_by_many_random_directions(p):
    A = heavy(11, d=3)
    sampler = SensitivitySampler(p=p, n_samples=60, fit_intercept=False, random_state=0).fit(A)
    kept, weight = sampler.sample_indices_, sampler.sample_weight_
    x = np.random.default_rng(0).standard_normal((3, 5000))
    ratio = weight @ np.abs(A[kept] @ x) ** p / np.sum(np.abs(A @ x) ** p, axis=0)
    found = sampler.distortion(A, random_state=0)
    assert found >= 0.999 * np.abs(ratio - 1).max()
    rough = subspace_distortion(A, kept, weight, p, n_probes=50, refine=False, random_state=0)
    assert rough <= found * (1 + 1e-9)


def test_distortion_counts_data_weights():
    A, omega = heavy(12), np.arange(400) % 3
    repeated = np.repeat(A, omega, axis=0)
    for p in (1, 2):
        indices, weight = np.arange(0, 400, 4), np.full(100, 4.0)
        first = np.searchsorted(np.repeat(np.arange(400), omega), indices[omega[indices] > 0])
        expected = subspace_distortion(
            repeated, first, weight[omega[indices] > 0], p, random_state=0
        )
        present = indices[omega[indices] > 0]
        actual = subspace_distortion(
            A, present, weight[: len(present)], p, sample_weight=omega, random_state=0
        )
        np.testing.assert_allclose(actual, expected, rtol=0.05)


def test_root_leverage_recursion_keeps_all_norms():
    A = heavy(13, n=20_000, d=5)
    one = root_leverage_coreset(A, 1, 300, n_rounds=1, random_state=0)
    for n_rounds in (None, 3):
        kept, weight = root_leverage_coreset(A, 1, 300, n_rounds=n_rounds, random_state=0)
        assert 220 < len(kept) < 380
        assert subspace_distortion(A, kept, weight, 1, random_state=0) < 0.4
    assert subspace_distortion(A, *one, 1, random_state=0) < 0.4
    with pytest.raises(ValueError, match=r"p in \[1, 2\]"):
        root_leverage_coreset(A, 3, 300)
    with pytest.raises(ValueError, match="below the number of columns"):
        root_leverage_coreset(A, 1, 3)


def test_recursion_is_unbiased():
    A = np.abs(heavy(14, n=200, d=2)) + 0.1
    totals = [root_leverage_coreset(A, 1, 30, n_rounds=2, random_state=s) for s in range(400)]
    sums = [weight @ A[kept, 0] for kept, weight in totals]
    assert abs(np.mean(sums) - A[:, 0].sum()) <= 4 * np.std(sums) / np.sqrt(400)


def far_groups(seed):
    """Eight clusters, and two groups of 15 points far away."""
    rng = np.random.default_rng(seed)
    centres = np.r_[rng.uniform(-10, 10, (8, 5)), np.full((1, 5), 300.0), np.full((1, 5), -300.0)]
    labels = np.r_[rng.integers(8, size=9970), np.repeat([8, 9], 15)]
    return centres[labels] + rng.standard_normal((10_000, 5))


def test_lightweight_coreset_finds_far_clusters():
    X = far_groups(0)
    full = -KMeans(10, n_init=5, random_state=0).fit(X).score(X)
    kept, weight = lightweight_coreset(X, 800, random_state=0)
    small = -KMeans(10, n_init=5, random_state=0).fit(X[kept], sample_weight=weight).score(X)
    assert small / full < 1.1
    uniform = np.random.default_rng(0).choice(10_000, 800)
    missed = -KMeans(10, n_init=5, random_state=0).fit(X[uniform]).score(X)
    assert missed / full > 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lightweight_coreset_does_not_depend_on_the_origin(dtype):
    X = far_groups(2).round()
    expected = lightweight_coreset(X, 200, random_state=0)
    shifted = lightweight_coreset((X + 2.0**20).astype(dtype), 200, random_state=0)
    for actual, wanted in zip(shifted, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6)


def test_lightweight_coreset_is_unbiased_and_takes_weights():
    X = far_groups(1)[:300]
    omega = np.arange(300) % 4
    centre = X[0]
    sums, sizes = [], []
    for seed in range(400):
        kept, weight = lightweight_coreset(X, 40, sample_weight=omega, random_state=seed)
        assert (omega[kept] > 0).all()
        sums.append(weight @ np.sum((X[kept] - centre) ** 2, axis=1))
        sizes.append(weight.sum())
    for values, expected in (
        (sums, omega @ np.sum((X - centre) ** 2, axis=1)),
        (sizes, omega.sum()),
    ):
        assert abs(np.mean(values) - expected) <= 4 * np.std(values) / np.sqrt(400)
    with pytest.raises(ValueError, match="at least one non-zero"):
        lightweight_coreset(X, 10, sample_weight=np.zeros(300))


@pytest.mark.parametrize("scores", ["root_leverage", "lewis", "lewis+leverage"])
def test_logistic_coreset_loses_little(scores):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 6))
    X[:30, 5], X[30:, 5] = 5.0, 0.0
    y = X @ [1, -1, 0.5, 0, 0, 1.0] + rng.logistic(size=20_000) > 0
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=500)

    def loss(fitted):
        return np.logaddexp(0, -(2 * y - 1) * fitted.decision_function(X)).sum()

    best = loss(model.fit(X, y))
    excess = []
    for seed in range(5):
        kept, weight = logistic_coreset(X, y, 800, scores=scores, random_state=seed)
        excess.append(loss(model.fit(X[kept], y[kept], sample_weight=weight)) / best - 1)
    assert np.median(excess) < 0.03


def test_logistic_complexity_by_brute_force():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y = X[:, 0] + rng.logistic(size=40) > 0
    angle = np.linspace(0, 2 * np.pi, 20_001)
    margins = (1.0 - 2 * y)[:, None] * X @ np.array([np.cos(angle), np.sin(angle)])
    brute = (np.maximum(margins, 0).sum(axis=0) / np.maximum(-margins, 0).sum(axis=0)).max()
    np.testing.assert_allclose(logistic_complexity(X, y, fit_intercept=False), brute, rtol=1e-5)
    repeated = logistic_complexity(np.r_[X, X[:5]], np.r_[y, y[:5]])
    weight = np.r_[np.full(5, 2), np.ones(35)]
    np.testing.assert_allclose(logistic_complexity(X, y, sample_weight=weight), repeated)
    with pytest.raises(ValueError, match="two classes"):
        logistic_complexity(X, np.zeros(40))
