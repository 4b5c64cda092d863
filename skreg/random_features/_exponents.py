"""Exponents of eigenvalues and coefficients, read off the growth of kernel regressions."""

from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.exceptions import RankWarning
from numpy.typing import ArrayLike
from scipy import linalg
from sklearn.base import clone
from sklearn.utils import Bunch, check_array, check_random_state

from skreg._warnings import warn
from skreg.random_features._features import RandomFeatures
from skreg.random_features._ridge import FeatureRidge
from skreg.random_features._spectrum import positive_part

N_TEST = 2000  # rows on which an error is measured, at most
N_SIZES, LARGEST = 8, 4000  # of the default sizes
N_BOOTSTRAPS, LEVEL = 1000, 0.95
KernelFunction = Callable[[Any, Any], np.ndarray]


def estimate_kappa(K: ArrayLike, ridge: float = 0.0) -> float:
    """Estimate kappa at the size and ridge of a kernel matrix, 1 / trace((K + delta I)^-1).

    Parameters
    ----------
    K : array-like of shape (n, n)
        Kernel between n rows.
    ridge : float, default=0.0
        Ridge delta. At 0 the inverse is the pseudo-inverse.

    Returns
    -------
    float
        The estimate.

    Raises
    ------
    ValueError
        If K is not square, or ridge is negative.

    Warns
    -----
    RankWarning
        If K is singular to rounding and the ridge is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.random_features import estimate_kappa
    >>> estimate_kappa(np.diag([1.0, 0.5, 0.5]))
    0.2
    """
    matrix: np.ndarray = check_array(K, dtype=np.float64, input_name="K")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"K must be square, a kernel between n rows; got shape {matrix.shape}")
    if not (isinstance(ridge, Real) and 0.0 <= ridge < np.inf):
        raise ValueError(f"ridge must be a finite number, 0 or more; got {ridge!r}")
    if ridge > 0.0:
        lam = np.maximum(linalg.eigvalsh(matrix), 0.0)
    else:
        lam, _ = positive_part(matrix)
        _warn_of_rank(len(matrix) - len(lam), len(matrix))
    if not len(lam):
        raise ValueError("K has no positive eigenvalue: it is no kernel matrix")
    return float(1.0 / np.sum(1.0 / (lam + ridge)))


def _warn_of_rank(n_lost, n):
    if n_lost:
        warn(
            f"{n_lost} of {n} eigenvalues of the kernel matrix are 0 to rounding and were left "
            "out: its inverse is a pseudo-inverse, and rates at which it grows say little. Remove "
            "repeated rows, take fewer rows, or a kernel whose eigenvalues fall more slowly.",
            RankWarning,
        )


class Growth(NamedTuple):
    """Estimates of kappa and test errors, (n_sizes, n_repeats), and the worst loss of rank."""

    kappas: np.ndarray
    errors: np.ndarray
    lost: tuple[int, int]


def estimate_exponents(
    kernel: Any,
    X: Any,
    y: ArrayLike,
    sizes: ArrayLike | None = None,
    n_repeats: int = 5,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Estimate alpha and beta of lam_i ~ i^-alpha and v_i^2 ~ i^-beta from regressions that grow.

    On n random rows kappa = 1 / trace(K^-1) falls like n^-alpha, and the test error of the kernel
    regression without ridge like n^-(beta - 1). Both are fitted over sizes on logarithmic scales;
    spectra themselves bend at their end and mislead. Small sizes are biased: take large ones.

    Parameters
    ----------
    kernel : RandomFeatures, RandomFeatureRidge or callable
        The kernel: the limit kernel of random features, or ``kernel(X, Y)`` of shape (n, m).
    X : {array-like, sparse matrix} of shape (N, n_features)
        Rows, all different.
    y : array-like of shape (N,) or (N, n_outputs)
        Targets, about zero: there is no intercept.
    sizes : array-like of int, default=None
        Numbers n of rows; 8 from N / 20 to N / 2, at most 4000, if None. The error is measured on
        up to 2000 of the others.
    n_repeats : int, default=5
        Draws of the rows for each size.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    Bunch
        ``alpha``, ``beta``, ``alpha_ci``, ``beta_ci`` (bootstrap intervals at 95 % over the draws,
        NaN for a single one), ``kappas``, ``errors`` of shape (n_sizes, n_repeats), ``sizes``.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or one is below 2 or leaves no row to test on.
    TypeError
        If `kernel` is none.

    Warns
    -----
    RankWarning
        If a kernel matrix is singular to rounding.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.random_features import estimate_exponents
    >>> lam = np.arange(1, 2001.0) ** -1.5
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2000)) * np.sqrt(lam)
    >>> y = X @ rng.choice([-1, 1], 2000)  # v_i = sqrt(lam_i)
    >>> found = estimate_exponents(lambda X, Y: X @ Y.T, X, y, n_repeats=2, random_state=0)
    >>> bool(abs(found.alpha - 1.5) < 0.2), bool(abs(found.beta - 1.5) < 0.2)
    (True, True)
    """
    X = check_array(X, accept_sparse="csr", input_name="X")
    target: np.ndarray = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    N = X.shape[0]
    if len(target) != N:
        raise ValueError(f"y has {len(target)} rows, but X has {N}")
    if not isinstance(n_repeats, (int, np.integer)) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a positive integer; got {n_repeats!r}")
    numbers = _checked_sizes(sizes, N)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    grown = _grow(_kernel_function(kernel, X), X, target.reshape(N, -1), numbers, n_repeats, rng)
    _warn_of_rank(*grown.lost)
    log_n = np.log(numbers)
    alpha, alpha_ci = _fitted(log_n, -np.log(grown.kappas), rng)
    rate, (low, high) = _fitted(log_n, -np.log(grown.errors), rng)
    return Bunch(
        alpha=alpha,
        beta=1.0 + rate,
        alpha_ci=alpha_ci,
        beta_ci=(1.0 + low, 1.0 + high),
        kappas=grown.kappas,
        errors=grown.errors,
        sizes=numbers,
    )


def _checked_sizes(sizes, N):
    if sizes is None:
        largest = min(N // 2, LARGEST)
        sizes = np.geomspace(max(largest / 10.0, 2.0), max(largest, 2), N_SIZES)
        sizes = np.unique(np.rint(sizes).astype(int))
    sizes = np.asarray(sizes)
    if sizes.ndim != 1 or len(np.unique(sizes)) < 2 or sizes.dtype.kind not in "iu":
        raise ValueError(
            f"sizes must be at least two different integers, of {N} rows; got {sizes.tolist()}"
        )
    if sizes.min() < 2 or sizes.max() >= N:
        raise ValueError(
            f"sizes must be from 2 to {N - 1}, so that some of {N} rows are left to test on; got "
            f"{sizes.tolist()}"
        )
    return sizes


def _kernel_function(kernel, X) -> KernelFunction:
    if isinstance(kernel, FeatureRidge):
        kernel = RandomFeatures(**kernel._map_params())
    if isinstance(kernel, RandomFeatures):
        return clone(kernel).set_params(n_components="inf").fit(X).limit_kernel
    if callable(kernel):
        return kernel
    raise TypeError(
        "kernel must be RandomFeatures, RandomFeatureRidge or a function kernel(X, Y); got "
        f"{type(kernel).__name__}"
    )


def _grow(kernel, X, y, sizes, n_repeats, rng):
    kappas, errors = np.empty((2, len(sizes), n_repeats))
    lost = 0, 1
    for place in np.ndindex(kappas.shape):
        n = sizes[place[0]]
        order = rng.permutation(X.shape[0])
        train, test = order[:n], order[n : n + N_TEST]
        lam, U = positive_part(np.asarray(kernel(X[train], X[train]), dtype=np.float64))
        dual = U @ ((U.T @ y[train]) / lam[:, None])
        residual = y[test] - kernel(X[test], X[train]) @ dual
        kappas[place] = 1.0 / np.sum(1.0 / lam)
        errors[place] = np.mean(np.sum(residual**2, axis=1))
        lost = max(lost, (int(n - len(lam)), int(n)))
    return Growth(kappas, errors, lost)


def _fitted(log_n, values, rng):
    """Slope of the means over repeats, and its bootstrap interval over the repeats of each size."""
    centred = log_n - log_n.mean()
    weights = centred / (centred @ centred)
    slope = float(weights @ values.mean(axis=1))
    n_sizes, n_repeats = values.shape
    if n_repeats == 1:
        return slope, (np.nan, np.nan)
    drawn = rng.integers(n_repeats, size=(N_BOOTSTRAPS, n_sizes, n_repeats))
    means = np.take_along_axis(values[None], drawn, axis=2).mean(axis=2)
    ends = np.quantile(means @ weights, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return slope, tuple(float(end) for end in ends)
