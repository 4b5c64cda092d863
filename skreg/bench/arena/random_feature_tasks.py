"""Digits for random feature ridge at many numbers of features and rows, and tasks of power laws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from skreg.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
    RidgeEigenframework,
    optimal_fitting_ratio,
)

TINY, BEST, LOO, THEORY = "Ridge 1e-6", "Best ridge", "Leave-one-out", "Theory, best ridge"
INTERPOLATION, OPTIMUM, FORMULA = "Ridge 0", "Best ridge", "Formula"
RIDGES = np.geomspace(1e-6, 1e2, 49)


class Digits(NamedTuple):
    """All digits in a random order, their one-hot labels less 0.1, and places to look at."""

    X: np.ndarray
    Y: np.ndarray
    places: Sequence[tuple[int, int]]
    along: str


def digits(seed: int, *, along: str, at: Sequence[int], fixed: int) -> Digits:
    """Pixels standardised over the whole table; pairs (n, k) of which one grows."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X = (X - X.mean()) / X.std()
    places = [(value, fixed) if along == "n" else (fixed, value) for value in at]
    return Digits(X[order], np.eye(10)[y[order]] - 0.1, places, along)


def errors_of_path(
    Z: np.ndarray, Y: np.ndarray, Z_test: np.ndarray, Y_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Test and training errors of all ridges, by numpy's singular value decomposition."""
    U, s, V = np.linalg.svd(Z, full_matrices=False)
    c, B = U.T @ Y, Z_test @ V.T
    rest = np.sum(Y**2) - np.sum(c**2)
    test, train = np.empty((2, len(RIDGES)))
    for j, ridge in enumerate(RIDGES):
        found = B @ ((s / (s**2 + ridge))[:, None] * c)
        test[j] = np.mean(np.sum((found - Y_test) ** 2, axis=1))
        train[j] = (rest + np.sum(((ridge / (s**2 + ridge))[:, None] * c) ** 2)) / len(Y)
    return test, train


def measure_digits(task: Digits, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Errors summed over the ten outputs, and the fitting ratio."""
    framework = None
    if THEORY in methods:
        K = RandomFeatures("inf").fit(task.X).limit_kernel(task.X)
        framework = RidgeEigenframework.from_kernel(K, task.Y, n_modes=len(K))
    for n, k in task.places:
        axis = {task.along: n if task.along == "n" else k}
        X, Y, X_test, Y_test = task.X[:n], task.Y[:n], task.X[n:], task.Y[n:]
        features = RandomFeatures(k, random_state=seed).fit(X)
        Z, Z_test = features.transform(X), features.transform(X_test)
        test, train = errors_of_path(Z, Y, Z_test, Y_test)
        yield {"method": TINY, "test": test[0], "ratio": train[0] / test[0], **axis}
        best = int(np.argmin(test))
        yield {"method": BEST, "test": test[best], "ratio": train[best] / test[best], **axis}
        if LOO in methods:
            model = RandomFeatureRidge(k, fit_intercept=False, random_state=seed).fit(X, Y)
            found = np.mean(np.sum((model.predict(X_test) - Y_test) ** 2, axis=1))
            yield {"method": LOO, "test": found, "ratio": model.fitting_ratio_, **axis}
        if framework is not None:
            yield {"method": THEORY, **predicted(framework, len(task.X), n, k), **axis}


def predicted(framework: RidgeEigenframework, size: int, n: int, k: int) -> dict[str, float]:
    """The theory's least error on rows that are none of the n, of a law on `size` rows.

    Its own test rows are drawn from all of them (Simon et al., appendix).
    """
    risk = framework.predict_risk(n, k, RIDGES)
    unseen = (size * risk.test_mse - n * risk.train_mse) / (size - n)
    best = int(np.argmin(unseen))
    return {"test": unseen[best], "ratio": risk.train_mse[best] / unseen[best]}


class PowerLaw(NamedTuple):
    """Gaussian covariates z, eigenvalues and coefficients that fall like powers, several noises."""

    z: np.ndarray
    noise: np.ndarray
    lam: np.ndarray
    v: np.ndarray
    exponents: tuple[float, float]
    relative: Sequence[float]


def power_law(
    seed: int, *, alpha: float, beta: float, n: int, n_modes: int, relative: Sequence[float]
) -> PowerLaw:
    """A task of the theory's second theorem; the noise is the same but for its size."""
    rng, i = np.random.default_rng(seed), np.arange(1.0, n_modes + 1.0)
    z, noise = rng.normal(size=(n, n_modes)), rng.normal(size=n)
    v = i ** (-beta / 2) * rng.choice([-1.0, 1.0], n_modes)
    return PowerLaw(z, noise, i**-alpha, v, (alpha, beta), relative)


def measure_power_law(
    task: PowerLaw, _methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    """Errors on the whole law, of kernel regressions at ridge 0 and at the best ridge."""
    n = len(task.z)
    plain = RidgeEigenframework(task.lam, task.v)
    base = plain.predict_risk(n).test_mse
    X = task.z * np.sqrt(task.lam)
    s2, U = np.linalg.eigh(X @ X.T)
    ridges = np.append(0.0, np.geomspace(1e-4, 1e2, 200) * plain.fixed_point(n)[0] * n)
    for relative in task.relative:
        noise = relative * base
        y = task.z @ task.v + np.sqrt(noise) * task.noise
        kept = (U.T @ y)[:, None] / (s2[:, None] + ridges)
        coef = np.sqrt(task.lam)[:, None] * (X.T @ (U @ kept))
        test = np.sum((coef - task.v[:, None]) ** 2, axis=0) + noise
        train = np.sum((ridges * kept) ** 2, axis=0) / n
        best = int(np.argmin(test))
        at = {"noise": relative}
        yield {"method": INTERPOLATION, "test": test[0] / base, "ratio": 0.0, **at}
        yield {
            "method": OPTIMUM,
            "test": test[best] / base,
            "ratio": train[best] / test[best],
            **at,
        }
        yield {"method": FORMULA, "ratio": optimal_fitting_ratio(*task.exponents, relative), **at}
