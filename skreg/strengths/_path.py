"""The record of a path of strengths."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class RegularizationPath:
    """Coefficients along a sequence of penalty strengths, each with its certificate.

    The strengths are on the last axis everywhere. A method with more to tell extends the record.

    Parameters
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

    def __repr__(self) -> str:
        outputs = f", {len(self.coefs)} outputs" if self.coefs.ndim == 3 else ""
        certified = not np.isnan(self.dual_gaps).any()
        name = "dual gap" if certified else "KKT residual"
        largest = np.max(self.dual_gaps if certified else self.kkt_residuals)
        return (
            f"{type(self).__name__}({describe_strengths(self.alphas)}, "
            f"{self.coefs.shape[-2]} features{outputs}, largest {name} {largest:.1e})"
        )


def describe_strengths(alphas: np.ndarray) -> str:
    """Number and range of strengths in words.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing strengths, at least one.

    Returns
    -------
    str
        Such as "100 strengths from 2.1 to 0.0021".
    """
    if len(alphas) == 1:
        return f"1 strength {alphas[0]:.3g}"
    return f"{len(alphas)} strengths from {alphas[0]:.3g} to {alphas[-1]:.3g}"
