"""Temperatures of heads, from probabilities of rows that they were not fitted on."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

HOTTEST, COLDEST = 100.0, 0.01  # where nearly all rows are wrong, or none is
LEAST_PROBABILITY = np.finfo(np.float64).eps  # as in scikit-learn's log-loss


def tempered(proba: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities in proportion to p^(1 / T): those of logits divided by T.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities.
    temperature : float
        T; above one it makes them less certain. Zeros stay zero.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Probabilities.
    """
    if temperature == 1.0:
        return proba
    powers = (proba / proba.max(axis=1, keepdims=True)) ** (1.0 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def best_temperature(proba: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> float:
    """The temperature of the least log-loss (Guo et al. 2017).

    With logits z = log p and b = 1 / T, the loss is sum_i w_i (log sum_c exp(b z_ic) - b z_i,y),
    convex in b; its derivative sum_i w_i (E_p(b)[z_i] - z_i,y) rises with b, and its root is found
    within [1 / 100, 100].

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities of rows that were held out.
    labels : ndarray of shape (n,)
        Their classes, as positions of columns.
    weight : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    float
        The temperature.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017.
    """
    logits = np.log(np.maximum(proba, LEAST_PROBABILITY))
    weight = weight / weight.sum()
    of_label = logits[np.arange(len(labels)), labels]

    def slope(inverse):
        p = softmax(inverse * logits, axis=1)
        return weight @ ((p * logits).sum(axis=1) - of_label)

    if slope(1.0 / COLDEST) <= 0.0:
        return COLDEST
    if slope(1.0 / HOTTEST) >= 0.0:
        return HOTTEST
    return float(1.0 / brentq(slope, 1.0 / HOTTEST, 1.0 / COLDEST, xtol=1e-10, rtol=1e-10))
