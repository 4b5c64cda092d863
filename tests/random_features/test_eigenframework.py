"""RidgeEigenframework: closed forms, the authors' numbers, simulations, monotonicity, refusals."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skreg.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
    RidgeEigenframework,
    interpolation_threshold,
    optimal_fitting_ratio,
)

INF = np.inf
EQUAL = RidgeEigenframework([1, 1, 1, 1], [0.5] * 4, noise_var=0.1)
FOUR = RidgeEigenframework([0.125, 1, 0.5, 0.25], np.sqrt([0.25, 1, 0.5, 0.25]), noise_var=0.1)


def power_law(alpha, beta, n_modes, noise=0.0):
    i = np.arange(1.0, n_modes + 1.0)
    return RidgeEigenframework(i**-alpha, i ** (-beta / 2), noise_var=noise)


@pytest.mark.parametrize(
    ("k", "ridge", "kappa", "gamma", "test", "train"),
    [
        (INF, 0.0, 1.0, 1.0, 0.7, 0.0),
        (INF, 1.0, (3 + 17**0.5) / 4, (3 + 17**0.5) / 4, 0.688057, 0.054243),
        (3, 0.0, 1 / 3, 1.0, 1.9, 0.0),
        (3, 1.0, 1.311482, 2.232314, 0.966680, 0.140507),
    ],
)
def test_four_equal_eigenvalues_by_hand(k, ridge, kappa, gamma, test, train):
    risk = EQUAL.predict_risk(2, k, ridge)
    found = risk.kappa, risk.gamma, risk.test_mse, risk.train_mse
    np.testing.assert_allclose(found, (kappa, gamma, test, train), atol=1e-6)
    np.testing.assert_allclose(EQUAL.fixed_point(2, k, ridge), found[:2], rtol=1e-12)


def test_infinitely_many_features_without_ridge_leave_what_has_no_row():
    """(1 - n / M) |v|^2 of M equal eigenvalues and no noise."""
    plain = RidgeEigenframework([1] * 4, [0.5] * 4)
    for n in (1, 2, 3):
        assert plain.predict_risk(n).test_mse == pytest.approx(1 - n / 4)


@pytest.mark.parametrize(
    ("n", "k", "ridge", "kappa", "gamma", "test", "train"),
    [
        (2, 3, 0.1, 0.25708001, 0.55525483, 1.79401882, 0.06786258),
        (2, INF, 0.1, 0.45531669, 0.45531669, 1.05288541, 0.01269679),
        (3, 2, 0.0, 0.0, 0.35355339, 2.69836889, 0.29981877),
        (2, 3, 0.0, 0.11785113, 0.35355339, 2.89220133, 0.0),
    ],
)
def test_four_different_eigenvalues_in_any_order(n, k, ridge, kappa, gamma, test, train):
    risk = FOUR.predict_risk(n, k, ridge)
    found = risk.kappa, risk.gamma, risk.test_mse, risk.train_mse
    np.testing.assert_allclose(found, (kappa, gamma, test, train), atol=1e-8)


FEATURES = (10, 32, 100, 255, 494, 1000, 3101, 10_000)


@pytest.mark.parametrize(
    ("ridge", "stored"),
    [
        (0.1, (1.641, 1.272, 1.198, 1.134, 1.026, 0.954, 0.906, 0.891)),
        (0.00464159, (1.641, 1.279, 1.369, 2.906, 1.589, 1.196, 1.039, 0.998)),
        (2.15443469, (1.634, 1.224, 1.013, 0.939, 0.915, 0.902, 0.893, 0.890)),
        (21.5443469, (1.676, 1.376, 1.267, 1.235, 1.225, 1.220, 1.216, 1.215)),
    ],
)
def test_the_values_that_the_authors_have_stored(ridge, stored):
    framework = power_law(1.5, 1.5, 10_000, noise=0.5)
    found = framework.predict_risk(256, FEATURES, ridge).test_mse
    np.testing.assert_allclose(found, stored, atol=6e-4)


def test_both_equations_hold():
    framework = power_law(1.3, 1.4, 500, noise=0.1)
    lam = framework.eigenvalues
    n, k, ridge = np.meshgrid([3, 40, 200], [2, 41, 300, 1e4], [1e-9, 1e-3, 1.0, 1e4])
    kappa, gamma = framework.fixed_point(n, k, ridge)
    z = np.sum(lam / (lam + gamma[..., None]), axis=-1)
    assert np.all(np.abs(z + ridge / kappa - n) < 1e-10 * n)
    assert np.all(np.abs(z + k * kappa / gamma - k) < 1e-10 * k)


def test_very_many_features_are_infinitely_many():
    framework = power_law(1.5, 1.3, 400, noise=0.2)
    for ridge in (0.0, 0.3):
        many, all_of_them = (framework.predict_risk(60, k, ridge).test_mse for k in (1e9, INF))
        assert many == pytest.approx(all_of_them, rel=1e-6)


def test_rows_and_features_can_be_exchanged():
    """gamma(n, k, delta) = gamma(k, n, delta k / n)."""
    framework = power_law(1.5, 1.3, 400)
    for n, k, ridge in ((30, 70, 0.2), (100, 5, 3.0)):
        one = framework.fixed_point(n, k, ridge)[1]
        assert one == pytest.approx(framework.fixed_point(k, n, ridge * k / n)[1], rel=1e-12)


@pytest.mark.parametrize(("n", "k", "ridge"), [(100, 60, 0.1), (100, INF, 0.1), (100, 300, 1.0)])
def test_a_tail_stands_for_modes_that_are_not_given(n, k, ridge):
    alpha, beta, given = 1.3, 1.4, 3000
    whole = power_law(alpha, beta, 200_000, noise=0.1)
    head = RidgeEigenframework(
        whole.eigenvalues[:given], np.sqrt(whole.squared_coefs[:given]), noise_var=0.1,
        tail_eigenvalue_sum=whole.eigenvalues[given:].sum(),
        tail_coef_sum=whole.squared_coefs[given:].sum(),
    )  # fmt: skip
    cut = power_law(alpha, beta, given, noise=0.1)
    wanted = whole.predict_risk(n, k, ridge)
    found = head.predict_risk(n, k, ridge)
    assert found.test_mse == pytest.approx(wanted.test_mse, rel=2e-4)
    assert found.train_mse == pytest.approx(wanted.train_mse, rel=2e-3)
    assert abs(cut.predict_risk(n, k, ridge).test_mse / wanted.test_mse - 1) > 0.1


@pytest.mark.parametrize(
    ("n", "k", "ridge"), [(60, 30, 1.0), (60, 200, 0.1), (150, 100, 0.1), (60, INF, 0.5)]
)
def test_simulated_regressions_have_the_predicted_errors(n, k, ridge):
    """Gaussian covariates and projections of them: the theory's own model."""
    M, noise, rng = 300, 0.2, np.random.default_rng(0)
    i = np.arange(1.0, M + 1.0)
    lam, v = i**-1.5, i**-0.65 * rng.choice([-1.0, 1.0], M)
    framework = RidgeEigenframework(lam, v, noise_var=noise)
    found = []
    for seed in range(60):
        z = rng.normal(size=(n + 400, M))
        y = z @ v + np.sqrt(noise) * rng.normal(size=len(z))
        X = z * np.sqrt(lam)
        model = RandomFeatureRidge(
            "inf" if k == INF else k, kind="gaussian", alpha=ridge, fit_intercept=False,
            random_state=seed,
        ).fit(X[:n], y[:n])  # fmt: skip
        found.append((np.mean((model.predict(X[n:]) - y[n:]) ** 2), model.train_mse_))
    risk = framework.predict_risk(n, k, ridge)
    np.testing.assert_allclose(np.mean(found, axis=0), (risk.test_mse, risk.train_mse), rtol=0.08)


def test_more_rows_and_more_features_never_hurt_at_the_best_ridge():
    for noise in (0.05, 1.0):
        framework = power_law(1.4, 1.3, 400, noise)
        ns, ks = np.array([20, 60, 200]), np.array([20, 60, 200, INF])
        errors = framework.learning_curve(ns[:, None], ks).test_mse
        assert np.all(np.diff(errors, axis=0) < 0.0)
        assert np.all(np.diff(errors, axis=1) < 0.0)


def test_at_a_fixed_ridge_more_features_can_hurt():
    framework = power_law(1.5, 1.3, 400, noise=0.2)
    errors = framework.predict_risk(100, [50, 100, 200, INF], 1e-3).test_mse
    assert errors[1] > 2.0 * errors[0]
    assert errors[3] < errors[2] < errors[1]


@pytest.mark.parametrize("k", [40, 60, 300, INF])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_no_ridge_of_a_grid_beats_the_optimal_one(k, noise):
    framework = power_law(1.6, 1.5, 300, noise)
    best = framework.learning_curve(60, k)
    grid = np.append(0.0, np.geomspace(1e-7, 1e3, 200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = framework.predict_risk(60, k, grid).test_mse
    assert best.test_mse <= errors.min() * (1.0 + 1e-9)
    assert best.test_mse >= errors.min() * (1.0 - 1e-3)


@pytest.mark.parametrize(
    ("alpha", "beta", "noise"),
    [(1.5, 1.3, 0), (1.5, 1.3, 1), (1.5, 2, 1), (1.5, 2, 0.4), (1.17, 1.14, 0), (1.17, 1.14, 1)],
)
def test_the_best_fitting_ratio_of_power_laws(alpha, beta, noise):
    """The optimum of the exact equations at n = 1000 against the limit's closed form."""
    framework = RidgeEigenframework.from_powerlaw(alpha, beta, 20_000, noise_rel=noise)
    best = framework.learning_curve(1000)
    assert best.fitting_ratio == pytest.approx(optimal_fitting_ratio(alpha, beta, noise), abs=2e-3)
    assert (best.ridge == 0.0) == (noise <= interpolation_threshold(alpha, beta))


def test_a_spectrum_that_ends_has_no_tail():
    ends = RidgeEigenframework.from_powerlaw(1.5, 1.5, 10_000, with_tail=False, noise_var=0.5)
    assert ends.predict_risk(256, 10_000, 0.1).test_mse == pytest.approx(0.891, abs=6e-4)


def test_all_modes_learned():
    plain = RidgeEigenframework([1, 0.5, 0.2], [1, 1, 1])
    risk = plain.predict_risk(10)
    assert (risk.test_mse, risk.gamma, risk.dof) == (0.0, 0.0, 3.0)
    noisy = RidgeEigenframework([1, 0.5, 0.2, 0.0], [1, 1, 1, 0.5], noise_var=0.1)
    for k in (3, 7, INF):  # least squares on three columns: the noise times n / (n - 3)
        risk = noisy.predict_risk(10, k)
        assert risk.test_mse == pytest.approx((0.1 + 0.25) / (1 - 3 / 10))
        assert risk.train_mse == pytest.approx((0.1 + 0.25) * (1 - 3 / 10))
        near = noisy.predict_risk(10, k if k > 3 else 4, 1e-9)
        assert near.test_mse == pytest.approx(risk.test_mse, rel=1e-6)


def test_as_many_features_as_rows_are_a_pole():
    with pytest.warns(UserWarning, match="infinite"):
        risk = FOUR.predict_risk(2, [2, 3], 0.0)
    assert np.isinf(risk.test_mse[0])
    assert np.isfinite(risk.test_mse[1])
    assert risk.fitting_ratio[0] == 0.0
    assert FOUR.optimal_ridge(2, 2) > 0.0


def test_gcv_is_what_the_theory_predicts():
    """test = train / ((n - z) / n)^2."""
    risk = FOUR.predict_risk(3, 5, 0.2)
    assert risk.test_mse == pytest.approx(risk.train_mse / ((3 - risk.dof) / 3) ** 2)


def test_outputs_are_summed():
    v = np.random.default_rng(0).normal(size=(4, 3))
    lam = [1, 0.5, 0.25, 0.125]
    together = RidgeEigenframework(lam, v).predict_risk(2, 5, 0.1).test_mse
    apart = [RidgeEigenframework(lam, v[:, j]).predict_risk(2, 5, 0.1).test_mse for j in range(3)]
    assert together == pytest.approx(sum(apart))


def test_a_kernel_matrix_gives_eigenvalues_and_coefficients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    K = RandomFeatures("inf").fit(X).limit_kernel(X)
    y = rng.normal(size=(60, 2))
    framework = RidgeEigenframework.from_kernel(K, y)
    assert len(framework.eigenvalues) == 20
    assert framework.eigenvalues.sum() + framework.tail_eigenvalue_sum == pytest.approx(
        np.trace(K) / 60
    )
    assert framework.squared_coefs.sum() + framework.tail_coef_sum == pytest.approx(
        np.sum(y**2) / 60
    )
    whole = RidgeEigenframework.from_kernel(K, y, n_modes=60)
    assert (whole.tail_eigenvalue_sum, whole.tail_coef_sum) == (0.0, 0.0)
    assert RidgeEigenframework.from_kernel(K).fixed_point(10, 20, 0.1)[0] > 0.0


def test_noise_is_taken_out_of_the_first_modes():
    """A target of white noise has no signal, whatever the modes; a constant share is left."""
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(300, 10)), rng.normal(size=300)
    K = RandomFeatures("inf").fit(X).limit_kernel(X)
    plain, clean = (RidgeEigenframework.from_kernel(K, noise, denoise=d) for d in (False, True))
    assert plain.squared_coefs.sum() == pytest.approx(1 / 3, abs=0.1)
    assert clean.squared_coefs.sum() < 0.1
    assert clean.squared_coefs.sum() + clean.tail_coef_sum == pytest.approx(np.mean(noise**2))
    signal = 100.0 * X[:, 0]
    both = RidgeEigenframework.from_kernel(K, signal + noise, denoise=True)
    assert both.squared_coefs.sum() == pytest.approx(np.mean(signal**2), rel=0.05)


def test_arrays_broadcast_and_numbers_stay_numbers():
    risk = FOUR.predict_risk([[1], [2]], [1, 5, INF], 0.1)
    assert risk.test_mse.shape == (2, 3)
    assert risk.test_mse[1, 2] == FOUR.predict_risk(2, INF, 0.1).test_mse
    assert isinstance(FOUR.predict_risk(2).test_mse, float)
    assert isinstance(FOUR.optimal_ridge(2), float)
    assert FOUR.optimal_ridge([1, 2], 5).shape == (2,)


def test_a_target_of_noise_alone_is_not_fitted():
    noise = RidgeEigenframework([1, 0.5], [0, 0], noise_var=1.0)
    assert noise.optimal_ridge(5) > 1e3


def test_it_says_what_it_is():
    assert repr(FOUR) == "RidgeEigenframework(4 modes)"
    assert "no coefficients" in repr(RidgeEigenframework([1.0]))


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (([-1.0, 2.0],), {}, "eigenvalues"),
        (([np.nan],), {}, "NaN"),
        (([],), {}, "eigenvalues"),
        (([[1.0]],), {}, "eigenvalues"),
        (([0.0],), {}, "all eigenvalues are 0"),
        (([1.0, 2.0], [1.0]), {}, "coefs"),
        (([1.0], [np.nan]), {}, "NaN"),
        (([1.0],), {"noise_var": -0.1}, "noise_var"),
        (([1.0],), {"noise_rel": np.inf}, "noise_rel"),
        (([1.0],), {"tail_eigenvalue_sum": -1.0}, "tail_eigenvalue_sum"),
        (([1.0],), {"tail_coef_sum": "some"}, "tail_coef_sum"),
    ],
)
def test_frameworks_that_make_no_sense(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        RidgeEigenframework(*arguments, **keywords)


@pytest.mark.parametrize(
    ("place", "message"),
    [((0, 3, 0.1), "n must"), ((2, 0.5, 0.1), "k must"), ((2, 3, -1.0), "ridge must"),
     ((INF, 3, 0.1), "n must"), ((2, np.nan, 0.1), "k must"), ((2, 3, INF), "ridge must")],
)  # fmt: skip
def test_places_that_make_no_sense(place, message):
    for method in (FOUR.fixed_point, FOUR.predict_risk, FOUR.learning_curve):
        with pytest.raises(ValueError, match=message):
            method(*place)


def test_what_else_makes_no_sense():
    with pytest.raises(ValueError, match="give coefs"):
        RidgeEigenframework([1.0]).predict_risk(1)
    with pytest.raises(ValueError, match="optimal"):
        FOUR.learning_curve(2, ridge="best")
    with pytest.raises(ValueError, match="symmetric"):
        RidgeEigenframework.from_kernel([[1.0, 2.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="n_modes"):
        RidgeEigenframework.from_kernel(np.eye(3), n_modes=4)
    with pytest.raises(ValueError, match="rows"):
        RidgeEigenframework.from_kernel(np.eye(3), [1.0, 2.0])
    with pytest.raises(ValueError, match="n_modes"):
        RidgeEigenframework.from_powerlaw(1.5, 1.5, 0)


@pytest.mark.parametrize(
    ("alpha", "beta", "noise", "message"),
    [(1.0, 1.2, 0.0, "alpha"), (1.5, 1.0, 0.0, "beta"), (1.2, 3.4, 0.0, "2 alpha"),
     (np.nan, 1.2, 0.0, "alpha"), (1.5, 1.2, -1.0, "noise_rel")],
)  # fmt: skip
def test_exponents_out_of_range(alpha, beta, noise, message):
    with pytest.raises(ValueError, match=message):
        optimal_fitting_ratio(alpha, beta, noise)
    if noise == 0.0:
        with pytest.raises(ValueError, match=message):
            interpolation_threshold(alpha, beta)
        with pytest.raises(ValueError, match=message):
            RidgeEigenframework.from_powerlaw(alpha, beta)


def test_known_fitting_ratios():
    """Values of the paper's three data sets, from its equation."""
    assert optimal_fitting_ratio(1.17, 1.14) == pytest.approx(0.024, abs=1e-3)
    assert optimal_fitting_ratio(1.22, 1.20, 5.0) == pytest.approx(0.644, abs=1e-3)
    assert optimal_fitting_ratio(1.12, 1.36, 1.0) == 0.0
    assert optimal_fitting_ratio(1.12, 1.36, 50.0) == pytest.approx(0.771, abs=1e-3)
    noiseless = (1.5 - 1.3) / (0.5 * 1.3)
    assert optimal_fitting_ratio(1.5, 1.3) == pytest.approx(noiseless**2)
    assert interpolation_threshold(1.12, 1.36) == pytest.approx(1.786, abs=1e-3)
    assert interpolation_threshold(1.5, 1.3) < 0.0


def test_a_fixed_point_that_is_not_met_is_said(monkeypatch):
    from skreg.random_features import _eigenframework

    monkeypatch.setattr(_eigenframework, "solve_gamma", lambda *at: 0.7)
    with pytest.warns(ConvergenceWarning, match="fixed point"):
        FOUR.predict_risk(2, 3, 0.1)
