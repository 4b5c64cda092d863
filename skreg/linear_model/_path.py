"""Paths of strengths, and the strength at which they begin."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar

from skreg._warnings import warn
from skreg.linear_model._base import Data, SparseLinearModel
from skreg.optim import as_design, penalty_max
from skreg.strengths import RegularizationPath


class Paths(SparseLinearModel):
    """Mixin of models with a penalty: `path` and `alpha_max`."""

    def path(
        self,
        X: Any,
        y: Any,
        *,
        alphas: int | ArrayLike = 100,
        eps: float = 1e-3,
        sample_weight: Any = None,
        verbose: int = 0,
    ) -> RegularizationPath:
        """Fit a sequence of penalty strengths, each from the last answer.

        The other parameters are those of the estimator, which itself stays as it is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        alphas : int or array-like of shape (n_alphas,), default=100
            Strengths, or how many to place in geometric progression below `alpha_max`.
        eps : float, default=1e-3
            Ratio of the smallest strength of the progression to the largest, in (0, 1].
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights.
        verbose : int, default=0
            Whether to show progress over the strengths (needs tqdm).

        Returns
        -------
        RegularizationPath
            Strengths, coefficients, intercepts and certificates.

        Raises
        ------
        ValueError
            As `fit`; or if a strength is negative.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached at every strength.
        """
        self._validate_params()
        check_progression(alphas, eps)
        model = clone(self)
        data = model._validate(X, y, sample_weight)
        strengths = model._alphas(data, alphas, eps)
        solutions = model._solve(data, strengths, verbose=verbose)
        missed = [s for s in solutions if not s.converged]
        if missed:
            text = f"{len(missed)} of {len(solutions)} strengths of the path missed tol={self.tol}"
            warn(f"{text}. Increase max_iter or tol.", ConvergenceWarning)
        fields = zip(*(model._fields(s, data.X.dtype) for s in solutions), strict=True)
        return RegularizationPath(strengths, *(np.stack(values, axis=-1) for values in fields))

    def alpha_max(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Smallest strength at which every penalised coefficient is zero.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights.

        Returns
        -------
        float
            The strength.

        Raises
        ------
        ValueError
            As `fit`; or if ``l1_ratio=0``, where no finite strength gives zeros.
        """
        self._validate_params()
        model = clone(self)
        return model._alpha_max(model._validate(X, y, sample_weight))

    def _alpha_max(self, data: Data) -> float:
        penalty = self._penalty()
        largest = max(
            penalty_max(
                as_design(problem.X),
                problem.target,
                self._loss(),
                penalty,
                sample_weight=problem.sample_weight,
                fit_intercept=self.fit_intercept,
            )
            for problem in self._separate(data)
        )
        if np.isinf(largest):
            raise ValueError(
                "alpha_max is infinite for l1_ratio=0: a purely quadratic penalty gives no zeros. "
                "Give the strengths as alphas=[...]"
            )
        return largest

    def _alphas(self, data: Data, alphas: int | ArrayLike, eps: float) -> np.ndarray:
        """Decreasing strengths: those given, or a geometric progression from the largest."""
        if not isinstance(alphas, Integral):
            return np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
        largest, smallest_of_all = self._alpha_max(data), np.finfo(np.float64).resolution
        if largest <= smallest_of_all:
            return np.full(alphas, smallest_of_all)
        return np.geomspace(largest, largest * eps, alphas)


def check_progression(alphas: int | ArrayLike, eps: float) -> None:
    """Check strengths, or the number of them and their range."""
    if isinstance(alphas, Integral):
        check_scalar(alphas, "alphas", Integral, min_val=1)
        check_scalar(eps, "eps", Real)
        if not 0.0 < eps <= 1.0:
            raise ValueError(f"eps must lie in (0, 1], it is {eps}")
        return
    strengths: Any = alphas
    if np.ndim(strengths) != 1:
        raise ValueError(
            f"alphas must be a number of strengths or a sequence of them, it is {strengths!r}"
        )
    if len(strengths) == 0:
        raise ValueError("alphas must hold at least one strength, it is empty")
    for index, alpha in enumerate(strengths):
        check_scalar(alpha, f"alphas[{index}]", Real, min_val=0.0)
        if not np.isfinite(alpha):
            raise ValueError(f"alphas[{index}] must be finite, it is {alpha}")
