"""Coresets for logistic regression."""

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import csc_array, eye_array, hstack
from sklearn.utils.validation import check_array

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.coreset._rows import Rows
from skreg.coreset._sampler import SensitivitySampler
from skreg.coreset._whitening import whitening
from skreg.rows import checked_weights


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "scores": [
            StrOptions({"root_leverage", "lewis", "lewis+leverage", "sensitivity+leverage"})
        ],
        "fit_intercept": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def logistic_coreset(
    X: Any,
    y: ArrayLike,
    n_samples: int,
    *,
    scores: Literal["root_leverage", "lewis", "lewis+leverage", "sensitivity+leverage"] = "lewis",
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Coreset for logistic regression.

    The loss :math:`\sum_i \log(1 + \exp(z_i^\top \beta))`, :math:`z_i = \mp x_i`, lies between the
    positive part of :math:`z_i^\top \beta` and that plus :math:`\log 2`. So l_1 scores of the rows
    are mixed in equal shares with uniform sampling, which keeps the log 2 of every row.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        Features.
    y : array-like of shape (n,)
        Labels. Classes enter the scored matrix as indicator columns, and the row of highest score
        of each is kept for certain: no class is lost, however rare.
    n_samples : int
        Expected number of rows.
    scores : {"root_leverage", "lewis", "lewis+leverage", "sensitivity+leverage"}, default="lewis"
        l_1 scores: square roots of leverage scores [1]_, Lewis weights [2]_, or one of the sums
        [3]_.
    fit_intercept : bool, default=True
        Append a column of ones.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    indices : ndarray of shape (m,)
        The rows that were kept.
    weight : ndarray of shape (m,)
        Their weights.

    Raises
    ------
    ValueError
        As `SensitivitySampler`.

    See Also
    --------
    CoresetEstimator : With ``SensitivitySampler(p=1, floor=1.0)``, the same as an estimator.

    References
    ----------
    .. [1] A. Munteanu, C. Schwiegelshohn, C. Sohler, D. P. Woodruff, "On Coresets for Logistic
       Regression", NeurIPS 2018.
    .. [2] T. Mai, C. Musco, A. Rao, "Coresets for Classification: Simplified and Strengthened",
       NeurIPS 2021.
    .. [3] A. Munteanu, S. Omlor, "Optimal bounds for l_p sensitivity sampling via l_2
       augmentation", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.coreset import logistic_coreset
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((5000, 3))
    >>> y = X @ [1.0, -1.0, 0.5] + rng.logistic(size=5000) > 0
    >>> indices, weight = logistic_coreset(X, y, 500, random_state=0)
    >>> small = LogisticRegression(C=np.inf).fit(X[indices], y[indices], sample_weight=weight)
    >>> full = LogisticRegression(C=np.inf).fit(X, y)
    >>> bool(np.abs(small.coef_ - full.coef_).max() < 0.5)
    True
    """
    sampler = SensitivitySampler(
        p=1,
        scores=scores,
        n_samples=n_samples,
        floor=1.0,
        include_y="classification",
        fit_intercept=fit_intercept,
        random_state=random_state,
    ).fit(X, y, sample_weight)
    return sampler.sample_indices_, sampler.sample_weight_


def logistic_complexity(
    X: Any, y: ArrayLike, *, fit_intercept: bool = True, sample_weight: ArrayLike | None = None
) -> float:
    r"""The complexity :math:`\mu` of data for logistic regression.

    .. math::
        \mu = \sup_\beta \frac{\|(Z \beta)_+\|_1}{\|(Z \beta)_-\|_1}, \quad z_i = (1 - 2 y_i) x_i

    The size of a coreset grows with it. It is infinite if and only if the classes are linearly
    separable. As :math:`\|(Z\beta)_+\|_1 - \|(Z\beta)_-\|_1` is linear, it is a linear program.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Features.
    y : array-like of shape (n,)
        Labels of two classes.
    fit_intercept : bool, default=True
        Append a column of ones.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    float
        The complexity, at least 1.

    Raises
    ------
    ValueError
        If there are not two classes.

    References
    ----------
    .. [1] A. Munteanu, C. Schwiegelshohn, C. Sohler, D. P. Woodruff, "On Coresets for Logistic
       Regression", NeurIPS 2018, Definition 2.

    Examples
    --------
    >>> from skreg.coreset import logistic_complexity
    >>> logistic_complexity([[0.0], [1.0], [2.0]], [0, 0, 1])
    inf
    >>> round(logistic_complexity([[1.0], [3.0], [1.0]], [0, 0, 1], fit_intercept=False), 6)
    4.0
    """
    X = check_array(X, dtype=np.float64)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) != 2:
        raise ValueError(f"y must have two classes; got {len(classes)}")
    omega = checked_weights(sample_weight, X)
    if fit_intercept:
        X = np.column_stack([X, np.ones(len(X))])
    Z = (1.0 - 2.0 * codes)[:, None] * X
    Z = Z @ whitening(Rows(Z))
    # mu = 1 + max { sum_i omega_i z_i^T beta : sum_i omega_i t_i <= 1, t >= -Z beta, t >= 0 };
    # the dual is min { s : Z^T lambda = -Z^T omega, 0 <= lambda_i <= s omega_i }.
    kept = np.flatnonzero(omega)
    Z, omega = Z[kept], omega[kept]
    solution = linprog(
        np.r_[np.zeros(len(Z)), 1.0],
        A_ub=hstack([eye_array(len(Z)), csc_array(-omega[:, None])], format="csc"),
        b_ub=np.zeros(len(Z)),
        A_eq=np.column_stack([Z.T, np.zeros(Z.shape[1])]),
        b_eq=-Z.T @ omega,
        bounds=(0, None),
        method="highs",
    )
    return np.inf if solution.status == 2 else 1.0 + float(solution.fun)
