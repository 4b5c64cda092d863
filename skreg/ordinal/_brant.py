"""Wald statistics of proportional odds, from separate logistic regressions (Brant 1990).

Boundary k has the logistic regression of 1[y > k] on the features, with fitted probabilities pi_k
and coefficients beta_k. The covariance of two of them, with the constant among the columns of X, is

    Cov(beta_k, beta_l) = (X^T W_kk X)^-1 X^T W_kl X (X^T W_ll X)^-1,
    W_kl = diag(w (pi_l - pi_k pi_l)),     k <= l,

with the weights w as numbers of rows. Proportional odds say that D beta = 0, with D the differences
to the first boundary, and (D beta)^T (D Cov D^T)^-1 D beta is then chi-squared.
"""

import numpy as np
from scipy.linalg import inv, solve
from scipy.special import expit

from skreg.ordinal._gram import gram
from skreg.ordinal._maximum import free_increments
from skreg.ordinal._maximum_likelihood import checked_maximum
from skreg.ordinal._problem import make_problem, sorted_by_class


def separate_fits(X, codes, sample_weight, offset, included, names, boundary_names):
    """Slopes of the separate logistic regressions, and their joint covariance.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Features.
    codes : ndarray of shape (n_samples,)
        Positions of the labels in their order.
    sample_weight : ndarray of shape (n_samples,)
        Numbers of rows.
    offset : ndarray of shape (n_samples,) or None
        Known part of the predictors.
    included : ndarray of bool of shape (n_features,)
        Features in the model.
    names, boundary_names : list of str
        Of the features and of the boundaries, for messages.

    Returns
    -------
    slopes : ndarray of shape (n_boundaries, n_included)
        Of 1[y > k], on standardised features.
    covariance : ndarray of shape (n_boundaries, n_included, n_boundaries, n_included)
        Theirs.
    """
    weights = np.where(included, 0.0, np.inf)[None, :]
    slopes, probability, bread = [], [], []
    for k, boundary in enumerate(boundary_names):
        above = (codes > k).astype(np.intp)
        problem = make_problem(X, above, 2, sample_weight, weights, 0.0, True, offset=offset)
        free = free_increments(problem)
        by = f"the logistic regression at the boundary {boundary}"
        maximum = checked_maximum(problem, problem.start, free, names, by)
        theta = maximum.point.theta.reshape(-1)[free]
        order = sorted_by_class(above, sample_weight)
        eta = np.empty(len(codes))
        eta[order] = np.where(
            np.isfinite(maximum.point.a), maximum.point.a, maximum.point.b
        )  # the predictor of P(Y <= k)
        slopes.append(-theta[1:])
        probability.append(expit(-eta))
        bread.append(inv(maximum.hessian))
    covariance = _joint_covariance(problem, order, free, sample_weight, probability, bread)
    return np.array(slopes), covariance


def _joint_covariance(problem, order, free, sample_weight, probability, bread):
    """`bread` are inverses of the mean information: W (X^T W_kk X)^-1 of a total weight W."""
    total, weight = sample_weight.sum(), sample_weight[order] / sample_weight.sum()
    n_boundaries, n_slopes = len(bread), len(free) - 1
    covariance = np.empty((n_boundaries, n_slopes, n_boundaries, n_slopes))
    for k in range(n_boundaries):
        for l in range(k, n_boundaries):
            pi_k, pi_l = probability[k][order], probability[l][order]
            between = gram(problem.rows.design, free, 0, len(order), weight * pi_l * (1.0 - pi_k))
            block = (bread[k] @ between @ bread[l])[1:, 1:] / total
            covariance[k, :, l], covariance[l, :, k] = block, block.T
    return covariance


def wald_statistic(slopes, covariance, features):
    """Brant's statistic of some of the features, and its degrees of freedom."""
    n_boundaries = len(slopes)
    differences = (slopes[1:, features] - slopes[0, features]).reshape(-1)
    block = covariance[np.ix_(range(n_boundaries), features, range(n_boundaries), features)]
    first = block[:1]
    spread = block[1:] - first
    spread = spread[:, :, 1:] - spread[:, :, :1]
    size = len(differences)
    return float(differences @ solve(spread.reshape(size, size), differences)), size
