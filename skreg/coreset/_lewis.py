"""l_p Lewis weights."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from skreg._progress import counter
from skreg._sklearn import Interval, validate_params
from skreg._warnings import warn
from skreg.coreset._checks import checked_power, checked_rows, require_tall
from skreg.coreset._lewis_iteration import lewis_form
from skreg.coreset._rows import blocks
from skreg.coreset._whitening import with_safe_columns
from skreg.moments import second_moments

_TINY = 1e-300  # stands for the squared norm of a row of zeros, whose logarithm is asked for


class Lewis(NamedTuple):
    """Weights w, and W with W^T Q W = I for Q = sum_i w_i^{1-2/p} a_i a_i^T.

    The columns of W are those of ``A @ basis`` where the columns of A are nearly dependent.
    """

    weights: np.ndarray
    basis: np.ndarray | None
    W: np.ndarray
    n_iter: int
    change: float

    @property
    def whitening(self):
        return self.W if self.basis is None else self.basis @ self.W


@validate_params(
    {
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "return_Q": ["boolean"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def lewis_weights(
    X: Any,
    p: float,
    *,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 200,
    return_Q: bool = False,
    verbose: int = 0,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    r"""The l_p Lewis weights of the rows of a matrix.

    They are the only weights w > 0 (of rows that are not zero) with

    .. math:: w_i = \tau_i(W^{1/2 - 1/p} A) = (a_i^\top Q^{-1} a_i)^{p/2}, \quad
              Q = A^\top W^{1-2/p} A, \quad W = \operatorname{diag}(w),

    and add up to the rank of A. They bound the sensitivities, :math:`d^{p/2-1} w_i \leq \sigma_i
    \leq w_i` for p <= 2 and :math:`w_i \leq \sigma_i \leq d^{p/2-1} w_i` for p >= 2, at the cost of
    a few Gram matrices.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A, which is not copied.
    p : float
        The power, p > 0.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers; the Lewis weights are those of :math:`\omega_i^{1/p} a_i`.
    tol : float, default=1e-6
        Stop when every weight agrees with the right-hand side of its equation up to this relative
        error. 1e-2 is enough for sampling.
    max_iter : int, default=200
        Largest number of iterations, each of which reads X once.
    return_Q : bool, default=False
        Return Q as well: the weights of rows that were not seen follow from it.
    verbose : int, default=0
        1 counts the iterations on stderr; needs tqdm.

    Returns
    -------
    weights : ndarray of shape (n,)
        The Lewis weights.
    Q : ndarray of shape (d, d)
        The quadratic form, if `return_Q` is true.

    Raises
    ------
    ValueError
        If p <= 0, if X has NaN, infinity or fewer rows than columns, or if a weight is negative.

    Warns
    -----
    ConvergenceWarning
        If `tol` was not reached.

    See Also
    --------
    leverage_scores : The case p = 2.
    lp_sensitivities : What the weights bound.

    Notes
    -----
    The state of the iteration is Q alone: :math:`Q \leftarrow (1-\theta) c Q + \theta F(c Q)` with
    :math:`F(Q) = \sum_i (a_i^\top Q^{-1} a_i)^{p/2-1} a_i a_i^\top`,
    :math:`\theta = \min(1, 4/(p+2))`, and c such that the weights add up to d. Without damping it
    would diverge for p >= 4. Its steps are extrapolated from the last ones, as Anderson [3]_ does,
    in the logarithm of Q: that saves few passes on rows of one kind, half or more where rare
    columns or light rows make the plain steps slow. The eigenvalues of :math:`Q^{-1} F(Q)` bound
    the relative error of all equations at once.

    References
    ----------
    .. [1] M. B. Cohen, R. Peng, "l_p Row Sampling by Lewis Weights", STOC 2015.
    .. [2] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.
    .. [3] D. G. Anderson, "Iterative Procedures for Nonlinear Integral Equations", Journal of the
       ACM 12, 1965.

    Examples
    --------
    >>> from skreg.coreset import lewis_weights
    >>> lewis_weights([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], p=1).round(4)
    array([0.5, 0.5, 1. ])
    """
    p = checked_power(p, 0, strict=True)
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    with counter(verbose=verbose, by="lewis_weights") as count:
        lewis = lewis_of_rows(A, p, tol, max_iter, count)
    if not lewis.change <= tol:
        warn(
            f"Lewis weights changed by {lewis.change:.1e} in iteration {lewis.n_iter}; "
            f"tol={tol:.1e} asks for more than max_iter={max_iter}",
            ConvergenceWarning,
        )
    if not return_Q:
        return lewis.weights
    positive = np.where(lewis.weights > 0, lewis.weights, np.inf if p < 2 else 0.0)
    roots = positive ** (0.5 - 1 / p)
    Q = np.zeros((A.n_columns, A.n_columns))
    for rows, part in blocks(A):
        Q += second_moments(part, roots[rows])
    return lewis.weights, Q


def lewis_of_rows(A, p, tol, max_iter, count=lambda: None):
    """Lewis weights of `Rows`; see `lewis_weights`. `count` is called after every iteration."""
    A, W = with_safe_columns(A)
    s = np.empty(A.n_rows)

    def moment(W):
        M = np.zeros((A.n_columns, A.n_columns))
        for rows, part in blocks(A):
            s[rows], increment = moment_of_block(part, W, p)
            M += increment
        return M

    form = lewis_form(moment, W, p, tol, max_iter, count)
    weights = np.minimum((form.scale * s) ** (p / 2), 1.0)
    return Lewis(weights, A.basis, form.W, form.n_iter, form.change)


def moment_of_block(part, W, p):
    """s_i = ||u_i||^2, u_i = W^T a_i, and the block's share of M = sum_i s_i^{p/2-1} u_i u_i^T.

    The vectors u_i stand as columns: sums and factors of few long rows are faster.
    """
    image = W.T @ part.T
    s = np.einsum("ij,ij->j", image, image)
    image *= np.exp((p / 4 - 0.5) * np.log(np.maximum(s, _TINY)))
    return s, image @ image.T
