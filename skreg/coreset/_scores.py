"""The families of scores by name."""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skreg._sklearn import StrOptions, validate_params
from skreg.coreset._checks import checked_power, checked_rows, require_tall
from skreg.coreset._leverage import leverage_of_rows
from skreg.coreset._lewis import lewis_of_rows
from skreg.coreset._rows import squared_distances_to_mean, squared_norms
from skreg.coreset._sensitivity import sensitivities_of_rows
from skreg.coreset._whitening import whitening

Score = Literal[
    "uniform",
    "leverage",
    "root_leverage",
    "lewis",
    "sensitivity",
    "lewis+leverage",
    "sensitivity+leverage",
    "distance",
]
SCORES = get_args(Score)
SAMPLING_TOL, SAMPLING_ITER = 1e-2, 50  # an approximation factor costs that factor in sample size


class Scores(NamedTuple):
    """Scores of the rows, and the rank of the matrix."""

    values: np.ndarray
    rank: int


@validate_params(
    {"scores": [StrOptions(set(SCORES))], "random_state": ["random_state"]},
    prefer_skip_nested_validation=True,
)
def importance_scores(
    X: Any,
    p: float,
    *,
    scores: Score = "lewis",
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    r"""Scores for sampling the rows of a matrix, to one per cent.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A.
    p : float
        The power, p >= 1.
    scores : str, default="lewis"
        "uniform", "leverage" (:math:`\tau_i`), "root_leverage" (:math:`\tau_i^{p/2}`), "lewis"
        (:math:`w_i`), "sensitivity" (:math:`\sigma_i`), "lewis+leverage" (:math:`w_i + \tau_i`) or
        "sensitivity+leverage" (:math:`\sigma_i + \tau_i`). For p > 2, sampling by the last needs of
        the order of :math:`d^{2/p} S^{2-4/p} / \epsilon^2` rows, S the total sensitivity, and beats
        Lewis weights, :math:`d^{p/2} / \epsilon^2`, where S is below :math:`d^{(p+2)/4}`.
        "distance" (:math:`\omega_i \|a_i - \mu\|^2`, with :math:`\mu` the weighted mean of the
        rows, for p = 2) is for clusterings: with as much uniform sampling beside it, a floor of 1,
        it makes the lightweight coresets of [3]_.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers; "uniform" scores are the weights themselves.
    random_state : int, RandomState instance or None, default=None
        Seed of the coreset that sensitivities of more than 5000 rows are computed with.

    Returns
    -------
    ndarray of shape (n,)
        The scores, not normalised.

    Raises
    ------
    ValueError
        If p < 1, if X has NaN, infinity or fewer rows than columns, or if a weight is negative.

    See Also
    --------
    SensitivitySampler : Samples by these scores.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.
    .. [2] A. Munteanu, S. Omlor, "Optimal bounds for l_p sensitivity sampling via l_2
       augmentation", ICML 2024.
    .. [3] O. Bachem, M. Lucic, A. Krause, "Scalable k-Means Clustering via Lightweight Coresets",
       KDD 2018.

    Examples
    --------
    >>> from skreg.coreset import importance_scores
    >>> importance_scores([[1.0], [2.0], [3.0]], p=1, scores="sensitivity+leverage").round(4)
    array([0.2381, 0.619 , 1.1429])
    """
    p = checked_power(p, 1)
    A = checked_rows(X, p, sample_weight)
    if scores != "distance":
        require_tall(A)
    return scores_of_rows(A, p, scores, check_random_state(random_state)).values


def scores_of_rows(A, p, score, rng):
    """Scores of `Rows`; see `importance_scores`."""
    first, _, second = score.partition("+")
    if first == "distance":
        require_squares(p)
        return Scores(spread_of_rows(A), 1)
    if first == "sensitivity":
        rank = whitening(A).shape[1]
        values = sensitivities_of_rows(
            A, p, "auto", np.arange(A.n_rows), None, 1, SAMPLING_TOL, rng
        )
    elif first == "lewis":
        lewis = lewis_of_rows(A, p, SAMPLING_TOL, SAMPLING_ITER)
        values, rank = lewis.weights, lewis.W.shape[1]
    else:
        W = whitening(A)
        rank = W.shape[1]
        if first == "uniform":
            values = np.ones(A.n_rows) if A.scale is None else A.scale**p
        else:
            values = np.clip(squared_norms(A, W), 0.0, 1.0)
            if first == "root_leverage":
                values = values ** (p / 2)
    return Scores(values + leverage_of_rows(A) if second else values, rank)


def require_squares(p):
    """Raise ValueError unless the loss is a square."""
    if p != 2:
        raise ValueError(f"scores='distance' is for squared distances, p=2; got p={p:g}")


def spread_of_rows(A):
    """omega_i ||a_i - mu||^2; a column of ones adds nothing."""
    omega = np.ones(A.n_rows) if A.scale is None else A.scale**2
    return omega * squared_distances_to_mean(A._replace(scale=None), omega / omega.sum())


def sample_size(eps, p, score, scores):
    """m = 1.5 T / eps^2, T the sum of the scores (Lewis weights at p > 2: d^{p/2}, uniform: d).

    The theorems leave polylogarithmic factors open; 1.5 stands for them, and is to be verified
    by the distortion.
    """
    total = scores.values.sum()
    if score == "uniform":
        total = scores.rank
    elif score == "lewis" and p > 2:
        total = scores.rank ** (p / 2)
    return max(scores.rank, int(np.ceil(1.5 * total / eps**2)), 1)
