r"""Exact leave-one-out of the generative family: shrinkages and sharpnesses at one eigenframe.

The score of class k is log pi_k - (t/2) (x - m_k)^T Sigma^-1 (x - m_k) in the coordinates of an
`Eigenframe`. One copy of row i of class c leaves, of weight w. With n = n_c / (n_c - w) and W the
sum of the weights,

    x - m_c^(-i) = n u_i,    (W - w) C^(-i) = W C - w n u_i u_i^T,

for columns whose scale stays. With D = 1 / ((1 - rho) W / (W - w) lambda + rho), gamma = (1 - rho)
w n / (W - w), delta_k = x - m_k for k != c and delta_c = n u, the formula of Sherman and Morrison
gives the squared distances

    q_k = delta_k^T D delta_k + gamma (delta_k^T D u)^2 / (1 - gamma u^T D u).

All of them follow from a = x^T D x, B_k = x^T D m_k and C_kl = m_k^T D m_l: two matrix products
serve all rows, classes and shrinkages. The priors left out are (n_k - w [k = c]) / (W - w).

w is 1, or the weight of a row that is lighter: all of it leaves. Where such weights differ, what is
left of the scatter is divided by W less their weighted mean, so that one D serves all rows.
"""

import numpy as np

from skreg._jit import kernel
from skreg.probe._mixture import LEAST_PROBABILITY

LEAST_LEFT = 1e-12  # of the variance along a row without it, 0 for as many rows as columns
SHRINKAGES = (1.0, 0.8, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001)


def left_out_distances(Z, codes, frame, count, unit, typical, shrinkages):
    """Squared distances q (n, n_shrinkages, K) of every row to the classes without it.

    Parameters
    ----------
    Z : ndarray of shape (n, r)
        Rows in the coordinates of `frame`, of classes that weigh more than `unit`.
    codes : ndarray of shape (n,)
        Their classes.
    frame : Eigenframe
        Class means and eigenvalues of all rows.
    count : ndarray of shape (K,)
        Weights of the classes.
    unit : float or ndarray of shape (n,)
        Weight w of the copy that is left out.
    typical : float
        Weighted mean of such weights over all rows.
    shrinkages : sequence of float
        Values of rho.

    Returns
    -------
    ndarray of shape (n, n_shrinkages, K)
        The distances.
    """
    mass = count.sum()
    precision = frame.precision(shrinkages, mass / (mass - typical))
    weighted = precision[:, None, :] * frame.means
    square = Z**2 @ precision.T
    cross = np.tensordot(Z, weighted, axes=(1, 2))
    among = weighted @ frame.means.T
    grown = count[codes] / (count[codes] - unit)
    gamma = (unit * grown / (mass - typical))[:, None] * (1.0 - np.asarray(shrinkages))
    add_change_of_scatter(cross, square, among, codes, grown, gamma)
    return cross


@kernel
def add_change_of_scatter(cross, square, among, codes, grown, gamma):
    """Put the squared distances in place of x^T D m_k (n, n_shrinkages, K).

    With `square` x^T D x (n, n_shrinkages), `among` m_k^T D m_l (n_shrinkages, K, K), and `grown`
    n (n,) and `gamma` (n, n_shrinkages) of the own class.
    """
    n, n_shrinkages, n_classes = cross.shape
    for i in range(n):
        c = codes[i]
        for g in range(n_shrinkages):
            x, own = square[i, g], cross[i, g, c]
            to_own = x - 2.0 * own + among[g, c, c]
            change = gamma[i, g] / max(1.0 - gamma[i, g] * to_own, LEAST_LEFT)
            for k in range(n_classes):
                along = x - own - cross[i, g, k] + among[g, c, k]
                cross[i, g, k] = x - 2.0 * cross[i, g, k] + among[g, k, k] + change * along**2
            along = grown[i] * to_own
            cross[i, g, c] = grown[i] * along + change * along**2


@kernel
def own_probabilities(distances, codes, prior, own_prior, smallest, out):
    """Left-out probabilities of the own class at t = smallest, 2 smallest, 4 smallest, ...

    `prior` (K,) and `own_prior` (n,), of any common sum, are those without the row, of other
    classes and of the own;
    `out` is (n_shrinkages, n_sharpnesses, n). Doubling t squares exp(-t q / 2).
    """
    n, n_shrinkages, n_classes = distances.shape
    n_sharpnesses = out.shape[1]
    power = np.empty(n_classes)
    for i in range(n):
        c = codes[i]
        for g in range(n_shrinkages):
            least = np.inf
            for k in range(n_classes):
                if prior[k] > 0.0 or k == c:
                    least = min(least, distances[i, g, k])
            for k in range(n_classes):
                gap = max(distances[i, g, k] - least, 0.0)
                power[k] = np.exp(-0.5 * smallest * gap)
            for t in range(n_sharpnesses):
                own = own_prior[i] * power[c]
                total = own
                for k in range(n_classes):
                    if k != c:
                        total += prior[k] * power[k]
                for k in range(n_classes):
                    power[k] *= power[k]
                out[g, t, i] = max(own / total, LEAST_PROBABILITY)
