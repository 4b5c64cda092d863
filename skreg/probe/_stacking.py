"""Weights of an average of probabilities, by the left-out likelihood of the average."""

import numpy as np

N_STEPS = 50


def stacking_weights(probabilities, weights, prior):
    """Weights a (G,) of members that make their average likely, and close to a prior.

    Rows of weights w_i, of sum n, and left-out probabilities p_gi, of the class that row i has,
    give the objective

        sum_i w_i log sum_g a_g p_gi + sum_g prior_g log a_g,

    stacking of densities [1] where the prior counts as one row. `N_STEPS` steps of expectation
    maximisation from the prior raise it, a_g <- (a_g sum_i w_i p_gi / p_i + prior_g) / (n + 1).
    A member is not ruled out by one row, and so no single temperature is trusted where rows are
    few.

    [1] P. Smyth, D. Wolpert, "Linearly combining density estimators via stacking", Machine
    Learning 36, 1999.

    Parameters
    ----------
    probabilities : ndarray of shape (G, n)
        Left-out probabilities of the own class, positive.
    weights : ndarray of shape (n,)
        Weights of the rows.
    prior : ndarray of shape (G,)
        Weights before any row, of sum one.

    Returns
    -------
    ndarray of shape (G,)
        The weights, of sum one.
    """
    total = weights.sum()
    a = prior
    for _ in range(N_STEPS):
        a = (a * (probabilities @ (weights / (a @ probabilities))) + prior) / (total + 1.0)
    return a / a.sum()


def without_the_least(a, share):
    """Weights without the smallest ones, which together have at most this share."""
    order = np.argsort(a, kind="stable")
    kept = a.copy()
    kept[order[np.cumsum(a[order]) <= share]] = 0.0
    return kept / kept.sum()
