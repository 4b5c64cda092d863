"""`RidgeEigenframework`: errors of ridge regression on random features, without training."""

from numbers import Real
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg
from scipy.optimize import minimize_scalar
from scipy.special import zeta
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch, check_array

from skreg._warnings import warn
from skreg.random_features._fixed_point import (
    Modes,
    Risk,
    fixed_point,
    ridgeless_gamma,
    risk_at,
    solve_gamma,
)
from skreg.random_features._power_law import check_exponents

RESIDUAL = 1e-8  # of the fixed point, relative to n
TRUSTED = 3  # of N empirical modes the first N / 3
PLACES = 60  # of gamma that are compared before the best ridge is refined
NEAREST, FARTHEST = 1e-8, 1e4  # ln(gamma) above its least value; gamma above all eigenvalues
Number = float | np.ndarray


class RidgeEigenframework:
    """Train and test error of ridge regression on random features, from a kernel's eigenvalues.

    With n rows, k features and ridge delta the errors follow from two numbers, kappa and gamma,
    that solve

        n = sum_i lam_i / (lam_i + gamma) + delta / kappa,
        k = sum_i lam_i / (lam_i + gamma) + k kappa / gamma,

    where lam_i are the eigenvalues of the limit kernel under the law of the rows and v_i the
    coefficients of the target in its eigenfunctions. Nothing is trained, so that it can be asked
    whether more rows, more features or another ridge will help.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_modes,)
        lam_i >= 0, in any order.
    coefs : array-like of shape (n_modes,) or (n_modes, n_outputs), default=None
        v_i; errors of several outputs are summed. Without them there is only the fixed point.
    tail_eigenvalue_sum : float, default=0.0
        Sum of the eigenvalues that are not given, each small.
    tail_coef_sum : float, default=0.0
        Sum of the squares of the coefficients that are not given.
    noise_var : float, default=0.0
        Variance of the noise in the target, summed over outputs.
    noise_rel : float, default=0.0
        Further noise, in units of the error at this n of infinitely many features without ridge
        and noise: a noise that shrinks with n as the error does.

    Attributes
    ----------
    eigenvalues : ndarray of shape (n_modes,)
        Decreasing.
    squared_coefs : ndarray of shape (n_modes,) or None
        v_i^2, summed over outputs.

    See Also
    --------
    RandomFeatureRidge : What is described.
    LearningCurveTheoryDisplay : Prediction and measurement in one picture.
    optimal_fitting_ratio : How much of the training error should be left, for power laws.

    Notes
    -----
    The delta is that of :class:`RandomFeatureRidge`: it is added to the Gram matrix of features
    divided by sqrt(k), and there is no intercept. Errors are those of the average draw of rows and
    features, under the assumption that features behave like Gaussian ones; near n = k with a tiny
    ridge single draws differ much.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is Better in Modern Machine Learning: when
    Infinite Overparameterization is Optimal and Overfitting is Obligatory", ICLR 2024.

    Examples
    --------
    >>> from skreg.random_features import RidgeEigenframework
    >>> framework = RidgeEigenframework([1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5], noise_var=0.1)
    >>> risk = framework.predict_risk(n=2, k=[3, float("inf")])
    >>> risk.test_mse.round(3)
    array([1.9, 0.7])
    >>> round(framework.optimal_ridge(n=2), 3)
    0.4
    """

    def __init__(
        self,
        eigenvalues: ArrayLike,
        coefs: ArrayLike | None = None,
        *,
        tail_eigenvalue_sum: float = 0.0,
        tail_coef_sum: float = 0.0,
        noise_var: float = 0.0,
        noise_rel: float = 0.0,
    ) -> None:
        lam = _checked(eigenvalues, "eigenvalues")
        if lam.ndim != 1 or not lam.size or (lam < 0.0).any():
            raise ValueError(
                "eigenvalues must be a list of numbers that are not negative; got "
                f"{'shape ' + str(lam.shape) if lam.ndim != 1 or not lam.size else lam.min()}"
            )
        extras = {
            "tail_eigenvalue_sum": tail_eigenvalue_sum,
            "tail_coef_sum": tail_coef_sum,
            "noise_var": noise_var,
            "noise_rel": noise_rel,
        }
        for name, value in extras.items():
            if not (isinstance(value, Real) and 0.0 <= value < np.inf):
                raise ValueError(f"{name} must be a finite number, 0 or more; got {value!r}")
        if lam.sum() + tail_eigenvalue_sum == 0.0:
            raise ValueError("all eigenvalues are 0: at least one must be positive")
        order = np.argsort(-lam, kind="stable")
        squares = None if coefs is None else _squares_of(coefs, len(lam))[order]
        self.eigenvalues, self.squared_coefs = lam[order], squares
        self.tail_eigenvalue_sum = float(tail_eigenvalue_sum)
        self.tail_coef_sum = float(tail_coef_sum)
        self.noise_var, self.noise_rel = float(noise_var), float(noise_rel)
        self._modes = Modes(
            self.eigenvalues,
            np.zeros(len(lam)) if squares is None else squares,
            self.tail_eigenvalue_sum,
            self.tail_coef_sum,
        )

    def __repr__(self) -> str:
        coefs = "" if self.squared_coefs is not None else ", no coefficients"
        return f"RidgeEigenframework({len(self.eigenvalues)} modes{coefs})"

    @classmethod
    def from_kernel(
        cls,
        K: ArrayLike,
        y: ArrayLike | None = None,
        *,
        n_modes: int | None = None,
        noise_var: float = 0.0,
        denoise: bool = False,
    ) -> Self:
        """Estimate eigenvalues and coefficients from a kernel matrix and targets.

        Eigenvalues are those of K / N and coefficients u_i.y / sqrt(N). Only the first modes can be
        trusted; the others are counted by their sums, T = trace(K) / N - sum lam_i and
        V = mean(y^2) - sum v_i^2, which has the noise of the target in it.

        Parameters
        ----------
        K : array-like of shape (N, N)
            Kernel between N rows, such as `RandomFeatures.limit_kernel`.
        y : array-like of shape (N,) or (N, n_outputs), default=None
            Targets of these rows, about zero where a fit without intercept is meant.
        n_modes : int, default=None
            Number of modes; N / 3 if None.
        noise_var : float, default=0.0
            Variance of noise that y does not have yet.
        denoise : bool, default=False
            Whether what the first modes leave of y is noise that is in them as well: each is then
            given its share, V / (N - n_modes), less, and V all of these shares more. Else errors
            of noisy targets come out too small where n is not small against N.

        Returns
        -------
        RidgeEigenframework
            The framework.

        Raises
        ------
        ValueError
            If K is not square and symmetric, or y has another length.
        """
        matrix: np.ndarray = check_array(K, dtype=np.float64, input_name="K")
        N = len(matrix)
        atol = 1e-8 * np.abs(matrix).max()
        if matrix.shape != (N, N) or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=atol):
            raise ValueError(f"K must be a symmetric kernel matrix; got shape {matrix.shape}")
        M = max(1, N // TRUSTED) if n_modes is None else n_modes
        if not 1 <= M <= N:
            raise ValueError(f"n_modes must be from 1 to {N}, the size of K; got {n_modes}")
        lam, u = linalg.eigh(matrix / N, subset_by_index=[N - M, N - 1])
        lam = np.maximum(lam, 0.0)
        tail = max(float(np.trace(matrix)) / N - lam.sum(), 0.0) if M < N else 0.0
        if y is None:
            return cls(lam, tail_eigenvalue_sum=tail, noise_var=noise_var)
        target: np.ndarray = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if len(target) != N:
            raise ValueError(f"y has {len(target)} rows, but K is a kernel between {N}")
        target = target.reshape(N, -1)
        squares = np.sum((u.T @ target) ** 2, axis=1) / N
        left = max(float(np.sum(target**2) / N - squares.sum()), 0.0) if M < N else 0.0
        if denoise and left > 0.0:
            squares, left = _denoised(squares, left / (N - M), left)
        v = np.sqrt(squares)
        return cls(lam, v, tail_eigenvalue_sum=tail, tail_coef_sum=left, noise_var=noise_var)

    @classmethod
    def from_powerlaw(
        cls,
        alpha: float,
        beta: float,
        n_modes: int = 10**5,
        *,
        with_tail: bool = True,
        noise_var: float = 0.0,
        noise_rel: float = 0.0,
    ) -> Self:
        """Eigenvalues i^-alpha and squared coefficients i^-beta.

        Parameters
        ----------
        alpha, beta : float
            Exponents, alpha > 1 and 1 < beta < 2 alpha + 1.
        n_modes : int, default=100000
            Number of modes.
        with_tail : bool, default=True
            Whether the modes beyond are counted too, by their sums; else the spectrum ends.
        noise_var, noise_rel : float, default=0.0
            As for the class.

        Returns
        -------
        RidgeEigenframework
            The framework.

        Raises
        ------
        ValueError
            If an exponent is outside of its range.
        """
        check_exponents(alpha, beta)
        if n_modes < 1:
            raise ValueError(f"n_modes must be 1 or more; got {n_modes}")
        i = np.arange(1.0, n_modes + 1.0)
        tails = (zeta(alpha, n_modes + 1), zeta(beta, n_modes + 1)) if with_tail else (0.0, 0.0)
        return cls(
            i**-alpha, i ** (-beta / 2), tail_eigenvalue_sum=float(tails[0]),
            tail_coef_sum=float(tails[1]), noise_var=noise_var, noise_rel=noise_rel,
        )  # fmt: skip

    def fixed_point(
        self, n: ArrayLike, k: ArrayLike = np.inf, ridge: ArrayLike = 0.0
    ) -> tuple[Number, Number]:
        """The numbers kappa and gamma.

        Parameters
        ----------
        n : float or array-like
            Number of rows.
        k : float or array-like, default=inf
            Number of features.
        ridge : float or array-like, default=0.0
            Ridge delta; all three are broadcast.

        Returns
        -------
        kappa, gamma : float or ndarray
            The solution.

        Raises
        ------
        ValueError
            If n or k is below 1, or ridge is negative.
        """
        places = _broadcast(n, k, ridge)
        found = [fixed_point(self._modes, *at) for at in _places(places)]
        kappa, gamma = (
            _number(np.reshape(part, places[0].shape)) for part in zip(*found, strict=True)
        )
        return kappa, gamma

    def predict_risk(self, n: ArrayLike, k: ArrayLike = np.inf, ridge: ArrayLike = 0.0) -> Bunch:
        """Mean squared errors, against labels with noise.

        Parameters
        ----------
        n : float or array-like
            Number of rows.
        k : float or array-like, default=inf
            Number of features.
        ridge : float or array-like, default=0.0
            Ridge delta; all three are broadcast.

        Returns
        -------
        Bunch
            ``test_mse``, ``train_mse``, ``kappa``, ``gamma``, ``fitting_ratio`` (train over test)
            and ``dof``, numbers or arrays.

        Raises
        ------
        ValueError
            If n or k is below 1, ridge is negative, or there are no coefficients.

        Warns
        -----
        UserWarning
            Where n = k and ridge = 0: the error is infinite.
        """
        self._require_coefs()
        places = _broadcast(n, k, ridge)
        risks = [self._risk(*at) for at in _places(places)]
        if any(np.isinf(risk.test_mse) for risk in risks):
            warn(
                "The test error is infinite where there are as many features, or modes, as rows "
                "and the ridge is 0. Give a positive ridge there."
            )
        shape = places[0].shape
        found = {
            name: _number(np.reshape([getattr(risk, name) for risk in risks], shape))
            for name in Risk._fields
        }
        ratio = [_ratio(risk) for risk in risks]
        return Bunch(**found, fitting_ratio=_number(np.reshape(ratio, shape)))

    def optimal_ridge(self, n: ArrayLike, k: ArrayLike = np.inf) -> Number:
        """The ridge of the least test error; 0 where interpolation is best.

        Parameters
        ----------
        n : float or array-like
            Number of rows.
        k : float or array-like, default=inf
            Number of features; both are broadcast.

        Returns
        -------
        float or ndarray
            The ridge.

        Raises
        ------
        ValueError
            If n or k is below 1, or there are no coefficients.
        """
        self._require_coefs()
        rows, features, _ = _broadcast(n, k, 0.0)
        found = [self._optimal(*at) for at in _places((rows, features))]
        return _number(np.reshape(found, rows.shape))

    def learning_curve(
        self,
        n: ArrayLike,
        k: ArrayLike = np.inf,
        ridge: ArrayLike | Literal["optimal"] = "optimal",
    ) -> Bunch:
        """Errors along n and k, at the best ridge for each or at given ones.

        Parameters
        ----------
        n : float or array-like
            Number of rows.
        k : float or array-like, default=inf
            Number of features.
        ridge : float, array-like or "optimal", default="optimal"
            The ridge; all three are broadcast.

        Returns
        -------
        Bunch
            As of `predict_risk`, with ``n``, ``k`` and ``ridge``.

        Raises
        ------
        ValueError
            As `predict_risk`.
        """
        if isinstance(ridge, str):
            if ridge != "optimal":
                raise ValueError(f"ridge must be a number or 'optimal'; got {ridge!r}")
            ridge = self.optimal_ridge(n, k)
        places = _broadcast(n, k, ridge)
        return Bunch(
            **dict(zip(("n", "k", "ridge"), places, strict=True)), **self.predict_risk(*places)
        )

    def _require_coefs(self):
        if self.squared_coefs is None:
            raise ValueError("errors need the target's coefficients: give coefs")

    def _noise(self, n):
        if self.noise_rel == 0.0:
            return self.noise_var
        gamma = ridgeless_gamma(self._modes, n)
        return (
            self.noise_var + self.noise_rel * risk_at(self._modes, n, np.inf, gamma, 0.0).test_mse
        )

    def _risk(self, n, k, ridge):
        gamma = solve_gamma(self._modes, n, k, ridge)
        risk = risk_at(self._modes, n, k, gamma, self._noise(n), ridge)
        if ridge > 0.0:
            residual = abs(risk.dof + ridge / risk.kappa - n)
            if not residual <= RESIDUAL * n:
                warn(
                    f"The fixed point of n={n:g}, k={k:g}, ridge={ridge:.3g} was found to "
                    f"{residual / n:.1e} of n only, not to {RESIDUAL:g}.",
                    ConvergenceWarning,
                )
        return risk

    def _optimal(self, n, k):
        """By gamma, of which the ridge is a function; on a scale of ln(gamma / least gamma)."""
        modes, noise = self._modes, self._noise(n)
        least = ridgeless_gamma(modes, min(n, k))
        lam = modes.eigenvalues
        start = least if least > 0.0 else NEAREST * lam[lam > 0.0].min()
        farthest = np.log(FARTHEST * modes.trace / start)

        def error(log_distance):
            return risk_at(modes, n, k, start * np.exp(np.exp(log_distance)), noise).test_mse

        places = np.linspace(np.log(NEAREST), np.log(farthest), PLACES)
        errors = [error(place) for place in places]
        best = int(np.argmin(errors))
        ends = places[max(best - 1, 0)], places[min(best + 1, PLACES - 1)]
        found = minimize_scalar(error, bounds=ends, method="bounded", options={"xatol": 1e-9})
        if risk_at(modes, n, k, least, noise).test_mse <= min(found.fun, errors[best]):
            return 0.0
        gamma = start * np.exp(np.exp(found.x))
        z = modes.dof(gamma)
        return max(gamma * (n - z) * (1.0 - z / k), 0.0)


def _checked(values, name):
    return check_array(
        values, dtype=np.float64, ensure_2d=False, ensure_min_samples=0, input_name=name
    )


def _squares_of(coefs, n_modes):
    v = _checked(coefs, "coefs")
    if v.ndim not in (1, 2) or len(v) != n_modes:
        raise ValueError(
            f"coefs must have a row for each of {n_modes} eigenvalues; got shape {v.shape}"
        )
    return np.sum(v.reshape(n_modes, -1) ** 2, axis=1)


def _denoised(squares, share, left):
    """Squares less the noise in each, none negative and of the right sum; and the rest."""
    total = max(squares.sum() - share * len(squares), 0.0)
    cleaned = np.maximum(squares - share, 0.0)
    cleaned *= total / max(cleaned.sum(), np.finfo(float).tiny)
    return cleaned, float(left + squares.sum() - total)


def _broadcast(n, k, ridge):
    arrays = dict(zip(("n", "k", "ridge"), np.broadcast_arrays(n, k, ridge), strict=True))
    for name, array in arrays.items():
        array = arrays[name] = np.asarray(array, dtype=np.float64)
        finite = np.isfinite(array) | ((array == np.inf) & (name == "k"))
        if not (finite & (array >= (0.0 if name == "ridge" else 1.0))).all():
            least = "0 or more" if name == "ridge" else "1 or more"
            also = ", or infinite" if name == "k" else ""
            raise ValueError(f"{name} must be {least}{also}; got {array.min():g}")
    return tuple(arrays.values())


def _places(arrays):
    """Numbers at each place of arrays of one shape."""
    return zip(*(array.ravel() for array in arrays), strict=True)


def _number(array):
    return float(array) if np.ndim(array) == 0 else np.asarray(array, dtype=np.float64)


def _ratio(risk):
    if np.isinf(risk.test_mse):
        return 0.0
    return risk.train_mse / risk.test_mse if risk.test_mse > 0.0 else 0.0
