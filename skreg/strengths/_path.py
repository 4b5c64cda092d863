"""The record of a path of strengths."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RegularizationPath:
    """Coefficients along a sequence of penalty strengths, each with its certificate.

    The strengths are on the last axis everywhere. A method with more to tell extends the record.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths, in decreasing order.
    coefs : ndarray of shape (n_features, n_alphas) or (n_outputs, n_features, n_alphas)
        ``coefs[..., i]`` is the `coef_` of a fit with ``alphas[i]``.
    intercepts : ndarray of shape (n_alphas,) or (n_outputs, n_alphas)
        ``intercepts[..., i]`` is the `intercept_` of a fit with ``alphas[i]``.
    dual_gaps : ndarray of shape (n_alphas,) or (n_outputs, n_alphas)
        Relative duality gaps; nan where there is no finite dual bound.
    kkt_residuals : ndarray of shape (n_alphas,) or (n_outputs, n_alphas)
        Relative residuals of the optimality conditions.
    n_iter : ndarray of shape (n_alphas,) or (n_outputs, n_alphas)
        Iterations of the solver.
    """

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    kkt_residuals: np.ndarray
    n_iter: np.ndarray
