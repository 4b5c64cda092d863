"""Tests of what a linear model with independent noises assumes of its residuals, on arrays."""

import numpy as np
from scipy import stats

from skreg.causal._regressions import SMALLEST_SHARE

SMALLEST_CORRELATION_GAP = 1e-15


def residuals(X: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Residuals (n, d) of the centred columns by least squares on their parents in the graph B.

    Those of a node that its parents determine are 0, not rounding errors.
    """
    Z, unit = standardized(X)
    R = Z.copy()
    for j in range(len(B)):
        parents = Z[:, B[:, j]]
        R[:, j] -= parents @ np.linalg.lstsq(parents, Z[:, j], rcond=None)[0]
    R[:, R.std(axis=0) <= SMALLEST_SHARE] = 0.0
    return R * unit


def standardized(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of mean 0 and deviation 1 or 0, and their units (d,).

    Least squares drops directions that are small beside others, whatever their units.
    """
    X = X - X.mean(axis=0)
    deviation = X.std(axis=0)
    unit = np.where(deviation > 0, deviation, 1.0)
    return X / unit, unit


def shape_of(R: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skewness, excess kurtosis and p-value of normality of each column, (d,); nan for zeros.

    With S and K these two, n / 6 (S^2 + K^2 / 4) is chi-squared with 2 degrees of freedom under
    normality, for many rows (Jarque and Bera 1987).
    """
    scale = R.std(axis=0)
    Z = R / np.where(scale > 0, scale, np.nan)
    skewness, kurtosis = (Z**3).mean(axis=0), (Z**4).mean(axis=0) - 3.0
    statistic = len(R) / 6 * (skewness**2 + kurtosis**2 / 4)
    return skewness, kurtosis, stats.chi2.sf(statistic, 2)


def constant_variance(X: np.ndarray, R: np.ndarray, B: np.ndarray) -> np.ndarray:
    """P-values (d,) that the variance of a node's noise does not depend on its parents.

    n times the R^2 of the regression of squared residuals on the parents is chi-squared, with as
    many degrees of freedom as there are parents, whatever the kurtosis (Breusch and Pagan 1979,
    studentised by Koenker 1981). nan for nodes without parents or noise.
    """
    p = np.full(len(B), np.nan)
    X, R = standardized(X)[0], standardized(R)[0]
    for j in np.flatnonzero(B.any(axis=0) & R.any(axis=0)):
        square = R[:, j] ** 2
        square = square - square.mean()
        parents = X[:, B[:, j]]
        left = square - parents @ np.linalg.lstsq(parents, square, rcond=None)[0]
        statistic = len(X) * (1 - left @ left / (square @ square))
        p[j] = stats.chi2.sf(statistic, parents.shape[1])
    return p


def correlations(R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of the residuals (d, d), and p-values that each is zero, above the diagonal.

    By the t statistic r sqrt((n - 2) / (1 - r^2)); nan elsewhere and for columns of zeros.
    """
    scale = R.std(axis=0)
    Z = R / np.where(scale > 0, scale, np.nan)
    r = Z.T @ Z / len(R)
    n_free = len(R) - 2
    gap = np.maximum(1 - r**2, SMALLEST_CORRELATION_GAP)
    p = 2 * stats.t.sf(np.abs(r) * np.sqrt(n_free / gap), n_free)
    p[np.tril_indices(len(p))] = np.nan
    return r, p


def equal_variances(R: np.ndarray) -> float:
    """P-value that all columns but those of zeros have one variance (Brown and Forsythe 1974)."""
    columns = R[:, R.any(axis=0)].T
    return float(stats.levene(*columns, center="median").pvalue) if len(columns) > 1 else np.nan


def holm(p: np.ndarray) -> np.ndarray:
    """P-values for all of the hypotheses at once, by Holm's steps; nan are no hypotheses."""
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p[~np.isnan(p)], kind="stable")
    values = p[~np.isnan(p)][order]
    steps = np.maximum.accumulate(values * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(steps, 1.0)
    adjusted[~np.isnan(p)] = found
    return adjusted
