"""Gaussian classes with one covariance, the simulation of Zheng et al. (2023)."""

from numbers import Integral

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_shared_covariance_gaussians(
    n_samples: int = 1000,
    n_features: int = 100,
    *,
    n_classes: int = 2,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    r"""Draw balanced Gaussian classes that share a diagonal covariance.

    Class k has the mean :math:`a_k (1, \dots, 1)` with :math:`a_0 = -1` and
    :math:`a_k = 2^{k-1}`, that is -1, 1, 2, 4, 8, ... The first half of the features has variance
    n (the number of features), the other half variance 1. With more than two classes, all features
    are mapped by :math:`x \mapsto (x - c) / c`, :math:`c = 2^{K-3}`, to keep them of order one.

    Every feature separates the classes, so the distance between classes grows with the number of
    features. This is the setting in which naive Bayes needs :math:`O(\log n)` samples to reach its
    own limit, which here is the Bayes error, and logistic regression :math:`O(n)`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of samples. Classes differ in size by at most one.
    n_features : int, default=100
        Number of features n.
    n_classes : int, default=2
        Number of classes K; the paper has 2, 3, 5 and 7.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Class labels 0, ..., K - 1, in random order.
    bayes_error : float
        Error of the best possible classifier under equal class probabilities, in closed form:

        .. math::
            \frac{2}{K} \sum_{k=1}^{K-1} \Phi\left(-\frac{a_k - a_{k-1}}{2} \sqrt{J}\right),
            \qquad J = \sum_j 1 / s_j^2,

        because the means lie on a line, and a point's position along it, in units of the
        covariance, is sufficient for its class. For two classes and an even n it is
        :math:`\Phi(-\sqrt{(n + 1) / 2})`.

    Raises
    ------
    ValueError
        If an argument is not an integer in its range.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting Discriminative vs.
       Generative Classifiers: Theory and Implications", ICML 2023, simulation.

    Examples
    --------
    >>> from skreg.datasets import make_shared_covariance_gaussians
    >>> X, y, bayes_error = make_shared_covariance_gaussians(6, 4, n_classes=3, random_state=0)
    >>> X.shape, sorted(y.tolist())
    ((6, 4), [0, 0, 1, 1, 2, 2])
    >>> round(bayes_error, 4)
    0.181
    """
    rng = check_random_state(random_state)
    means = np.concatenate([[-1.0], 2.0 ** np.arange(n_classes - 1)])
    variance = np.ones(n_features)
    variance[: n_features // 2] = n_features
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.standard_normal((n_samples, n_features))
    X *= np.sqrt(variance)
    X += means[y, None]
    if n_classes > 2:
        centre = 2.0 ** (n_classes - 3)
        X -= centre
        X /= centre
    half_gaps = np.diff(means) / 2
    bayes_error = 2 / n_classes * norm.sf(half_gaps * np.sqrt((1 / variance).sum())).sum()
    return X, y, float(bayes_error)
