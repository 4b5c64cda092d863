"""How far each head is from being right, estimated without labels, and weights from that.

Zhang et al. (2023) estimate the gap g_i(x) of head i by

    entropy         H_i = -sum_c p_ic log p_ic of its probabilities p_i             (PEM)
    similarity      the distance of the features to the mean of domain i             (SM)
    discriminator   -log d_i of a classifier d that tells the domains apart          (NNM)

and take the head of the least gap, or all with weights in proportion to H_i^-gamma, dist_i^-gamma
and d_i^gamma: gamma = 0 is uniform and gamma = inf takes the best head alone.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import row_norms, safe_sparse_dot

LEAST_ENTROPY = 1e-8  # added to entropies, which may be zero
quiet = np.errstate(invalid="ignore", over="ignore")  # callers ask whether gaps are finite
ROUNDING = 1e-10  # a spread below this share of a column's size is no spread
LEAST = np.finfo(np.float64).tiny  # below it distances count as this, and weights stay numbers


class Center(NamedTuple):
    """Means of domains, and the metric in which rows are compared with them.

    Attributes
    ----------
    means : ndarray of shape (n_domains, n_features)
        Weighted means.
    whitening : ndarray of shape (n_features, rank) or None
        Turns the distance into that of Mahalanobis.
    """

    means: np.ndarray
    whitening: np.ndarray | None


def domain_means(Z: Any, codes: np.ndarray, weight: np.ndarray, n_domains: int) -> np.ndarray:
    """Weighted mean of each domain's rows.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    codes : ndarray of shape (n,)
        Domains.
    weight : ndarray of shape (n,)
        Weights, of positive sum in each domain.
    n_domains : int
        Number of domains.

    Returns
    -------
    ndarray of shape (n_domains, n_features)
        Means.
    """
    share = weight / weight.max()
    share = share / np.bincount(codes, share, n_domains)[codes]
    rows = np.arange(len(codes))
    average = sparse.csr_array((share, (codes, rows)), shape=(n_domains, len(codes)))
    return np.asarray(safe_sparse_dot(average, Z, dense_output=True), dtype=np.float64)


def whitening_within(
    Z: np.ndarray, codes: np.ndarray, weight: np.ndarray, means: np.ndarray
) -> tuple[np.ndarray, float]:
    """Factor W of the inverse covariance within domains, S^+ = W W'.

    The covariance is that of rows around the mean of their domain. Directions in which no domain
    varies have no place in it; eigenvalues are judged on the scale of correlations, so that units
    of columns do not matter.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Features.
    codes : ndarray of shape (n,)
        Domains.
    weight : ndarray of shape (n,)
        Weights.
    means : ndarray of shape (n_domains, n_features)
        Means of the domains.

    Returns
    -------
    whitening : ndarray of shape (n_features, rank)
        The factor.
    ignored : float
        Share of the variance between means that lies in columns or directions left out.
    """
    root = np.sqrt(weight / weight.sum())[:, None]
    deviations = root * (Z - means[codes])
    spread = np.sqrt((deviations**2).sum(axis=0))
    apart = root * (means[codes] - (root**2 * means[codes]).sum(axis=0))
    total = np.sqrt((deviations**2 + apart**2).sum(axis=0))
    total[total <= ROUNDING * np.abs(means).max(axis=0)] = 0.0  # what is left of a constant
    varies = spread > ROUNDING * np.maximum(total, np.abs(means).max(axis=0))
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)
    _, singular, directions = np.linalg.svd(deviations * inverse, full_matrices=False)
    cut = singular.max(initial=0.0) * max(Z.shape) * np.finfo(np.float64).eps
    kept = directions[singular > cut]
    whitening = inverse[:, None] * (kept / singular[singular > cut][:, None]).T
    return whitening, _share_left_out(apart, inverse, total, kept)


def _share_left_out(apart, inverse, total, kept):
    """Share of the variance between means in columns, or in directions, without a metric."""
    scaled = np.divide(apart, total, out=np.zeros_like(apart), where=total > 0.0) ** 2
    in_columns = scaled[:, inverse == 0.0].sum() / max(scaled.sum(), LEAST)
    known = apart * inverse
    outside = known - known @ kept.T @ kept
    in_directions = (outside**2).sum() / max((known**2).sum(), LEAST)
    return float(max(in_columns, in_directions))


@quiet
def distances(Z: Any, center: Center) -> np.ndarray:
    """Distance of each row to the mean of each domain, Euclidean or Mahalanobis'.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    center : Center
        Means and metric.

    Returns
    -------
    ndarray of shape (n, n_domains)
        Distances, not squared.
    """
    origin = _origin(center)
    squares = _squares_less_those_of_rows(Z, center, origin)
    if sparse.issparse(Z):
        squares += (row_norms(Z, squared=True) - 2.0 * (Z @ origin) + origin @ origin)[:, None]
    else:
        rows = Z - origin if origin.any() else Z
        squares += _squared_norms(_in_metric(rows, center))[:, None]
    return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)


@quiet
def relative_squares(Z: Any, center: Center) -> np.ndarray:
    """Squared distances less what does not depend on the domain: enough to find the nearest.

    With x and m_k relative to any origin, |x - m_k|^2 - |x|^2 = |m_k|^2 - 2 x'm_k.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    center : Center
        Means and metric.

    Returns
    -------
    ndarray of shape (n, n_domains)
        Numbers of either sign; the domains come one after the other in memory.
    """
    return _squares_less_those_of_rows(Z, center, _origin(center))


def _squares_less_those_of_rows(Z, center, origin):
    dual = center.means - origin
    means = _in_metric(dual, center)
    if center.whitening is not None:
        dual = means @ center.whitening.T
    products = (Z @ dual.T).T if sparse.issparse(Z) else dual @ Z.T
    products *= -2.0
    products += (_squared_norms(means) + 2.0 * dual @ origin)[:, None]
    return products.T


def _origin(center):
    """What rows and means are taken relative to: an offset that all share would cost digits.

    One of less than ten times the distance between the means costs two digits of their squares at
    most, and rows are left as they are, which need not be copied then.
    """
    offset = center.means.mean(axis=0)
    apart = _squared_norms(_in_metric(center.means - offset, center)).max()
    shared = _squared_norms(_in_metric(offset[None], center))[0]
    return offset if shared > 100.0 * apart else np.zeros_like(offset)


def _in_metric(rows, center):
    return rows if center.whitening is None else rows @ center.whitening


def _squared_norms(rows):
    return np.einsum("ij,ij->i", rows, rows)


def nearest(squares: np.ndarray) -> np.ndarray:
    """Position of the least number of each row, the first of equal ones.

    By passes along the columns, several times faster than `argmin` along short rows.

    Parameters
    ----------
    squares : ndarray of shape (n, n_domains)
        Finite numbers; columns are best one after the other in memory.

    Returns
    -------
    ndarray of shape (n,)
        Positions, in the smallest type that holds them.
    """
    dtype = np.min_scalar_type(squares.shape[1] - 1)
    least, position = squares[:, 0], np.zeros(len(squares), dtype=dtype)
    for k in range(1, squares.shape[1]):
        lower = np.minimum(least, squares[:, k])
        np.maximum(position, (lower < least) * dtype.type(k), out=position)
        least = lower
    return position


@quiet
def cosine_gaps(Z: Any, means: np.ndarray) -> np.ndarray:
    """One minus the cosine of each row with each mean; that of a zero row is 0.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    means : ndarray of shape (n_domains, n_features)
        Means.

    Returns
    -------
    ndarray of shape (n, n_domains)
        Gaps from 0 to 2.
    """
    lengths = np.asfortranarray(row_norms(Z)[:, None] * row_norms(means))
    products = np.asarray(safe_sparse_dot(Z, means.T, dense_output=True), order="F")
    cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths != 0.0)
    return np.clip(1.0 - cosines, 0.0, 2.0)


@quiet
def relative_cosine_gaps(Z: Any, means: np.ndarray) -> np.ndarray:
    """Negative cosines times the length of the row: enough to find the nearest.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    means : ndarray of shape (n_domains, n_features)
        Means.

    Returns
    -------
    ndarray of shape (n, n_domains)
        Numbers of either sign; the domains come one after the other in memory.
    """
    lengths = row_norms(means)[:, None]
    towards = np.divide(means, -lengths, out=np.zeros_like(means), where=lengths > 0.0)
    return Z @ towards.T if sparse.issparse(Z) else (towards @ Z.T).T


def entropies(proba: np.ndarray) -> np.ndarray:
    """Entropy -sum_c p_c log p_c of each row, with 0 log 0 = 0.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities.

    Returns
    -------
    ndarray of shape (n,)
        From 0 to log(n_classes).
    """
    logs = np.maximum(proba, LEAST)
    np.log(logs, out=logs)
    return -np.einsum("ic,ic->i", logs, proba)


def weights_by_gaps(gaps: np.ndarray, gamma: float) -> np.ndarray:
    """Weights in proportion to gap^-gamma, in each row.

    Parameters
    ----------
    gaps : ndarray of shape (n, n_heads)
        Gaps, all positive.
    gamma : float
        Sharpness: 0 is uniform.

    Returns
    -------
    ndarray of shape (n, n_heads)
        Weights of sum one.
    """
    weights = gaps.min(axis=1, keepdims=True) / gaps
    if gamma != 1.0:
        weights **= gamma
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def softmax_weights(affinities: np.ndarray, gamma: float) -> np.ndarray:
    """Weights in proportion to exp(gamma a_i), in each row.

    Parameters
    ----------
    affinities : ndarray of shape (n, n_heads)
        Affinities a.
    gamma : float
        Sharpness: 0 is uniform.

    Returns
    -------
    ndarray of shape (n, n_heads)
        Weights of sum one.
    """
    weights = gamma * affinities
    weights -= weights.max(axis=1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def hard_weights(chosen: np.ndarray, n_heads: int) -> np.ndarray:
    """Weight one for the chosen head of each row.

    Parameters
    ----------
    chosen : ndarray of shape (n,)
        Positions of heads.
    n_heads : int
        Number of heads.

    Returns
    -------
    ndarray of shape (n, n_heads)
        Zeros and ones.
    """
    weights = np.zeros((len(chosen), n_heads))
    weights[np.arange(len(chosen)), chosen] = 1.0
    return weights
