"""Ordinal outcomes: the simulations of Faletto and Bien (2023), and diabetes in stages."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.datasets import load_diabetes

from skreg._sklearn import Interval, StrOptions, validate_params
from skreg.datasets._random_state import generator

MAX_DRAWS = 1000
INCREMENT = 0.5


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "differences": [StrOptions({"sparse", "dense"})],
        "density": [Interval(Real, 0, 1, closed="both")],
        "intercepts": ["array-like"],
        "random_state": ["random_state", np.random.Generator],
    },
    prefer_skip_nested_validation=True,
)
def make_ordinal(
    n_samples: int = 2500,
    n_features: int = 10,
    *,
    differences: Literal["sparse", "dense"] = "sparse",
    density: float = 0.5,
    intercepts: ArrayLike = (0.0, 3.5, 5.5),
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Draw an ordinal outcome with a rare last class and its true probabilities.

    Features are uniform on [-1, 1] and
    :math:`P(Y \le k \mid x) = \sigma(\alpha_k + x^\top \beta_k)`. Each boundary has its own
    coefficients. With sparse differences, :math:`\beta_{0j}` is 0.5 with probability `density` and
    0 otherwise, and each further boundary adds to each coefficient +0.5 or -0.5 with probability
    `density`. With dense differences, the first coefficients and all increments are uniform on
    [-0.5, 0.5]. Everything is drawn again while boundaries cross at some row; only features and
    outcomes are while a class is missing.

    Parameters
    ----------
    n_samples : int, default=2500
        Number of samples.
    n_features : int, default=10
        Number of features.
    differences : {"sparse", "dense"}, default="sparse"
        How coefficients differ between boundaries.
    density : float, default=0.5
        Share of nonzero coefficients and increments; without effect on dense differences.
    intercepts : array-like of shape (n_classes - 1,), default=(0.0, 3.5, 5.5)
        Increasing intercepts :math:`\alpha_k`. The larger the last, the rarer the last class.
    random_state : int, RandomState, Generator or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Classes 0 .. K-1; the last is rare.
    probability : ndarray of shape (n_samples, n_classes)
        True class probabilities; the last column belongs to the rare class.

    Raises
    ------
    ValueError
        If `intercepts` do not increase, or if after 1000 draws boundaries still cross or a class
        is still missing.

    References
    ----------
    .. [1] G. Faletto, J. Bien, "Predicting Rare Events by Shrinking Towards Proportional Odds",
       ICML 2023, sections 4.1 and 4.2.

    Examples
    --------
    >>> from skreg.datasets import make_ordinal
    >>> X, y, probability = make_ordinal(random_state=0)
    >>> X.shape, probability.shape
    ((2500, 10), (2500, 4))
    >>> [int((y == k).sum()) for k in range(4)]
    [1261, 1172, 57, 10]
    """
    alpha = np.asarray(intercepts, dtype=float)
    if alpha.ndim != 1 or len(alpha) == 0 or not np.all(np.diff(alpha) > 0):
        raise ValueError(f"intercepts={alpha.tolist()} must be increasing numbers")
    rng = generator(random_state)
    beta = None
    for _ in range(MAX_DRAWS):
        if beta is None:
            beta = _draw_coefficients(rng, differences, density, len(alpha), n_features)
        X = rng.uniform(-1, 1, (n_samples, n_features))
        below = expit(alpha + X @ beta.T)
        if np.any(np.diff(below, axis=1) < 0):
            beta = None
            continue
        y = (rng.random(n_samples)[:, None] > below).sum(axis=1)
        if len(np.unique(y)) == len(alpha) + 1:
            return X, y, np.diff(below, axis=1, prepend=0.0, append=1.0)
    raise ValueError(
        f"in {MAX_DRAWS} draws boundaries crossed or a class was missing: choose more rows than "
        f"n_samples={n_samples}, fewer features than n_features={n_features}, or intercepts="
        f"{alpha.tolist()} further apart or closer to 0"
    )


def _draw_coefficients(rng, differences, density, n_boundaries, n_features):
    """Coefficients of each boundary, (n_boundaries, n_features)."""
    if differences == "dense":
        return np.cumsum(rng.uniform(-0.5, 0.5, (n_boundaries, n_features)), axis=0)
    increments = [np.where(rng.random(n_features) < density, INCREMENT, 0.0)]
    for _ in range(n_boundaries - 1):
        nonzero = np.where(rng.random(n_features) < density, INCREMENT, 0.0)
        increments.append(nonzero * rng.choice([-1, 1], n_features))
    return np.cumsum(increments, axis=0)


@validate_params(
    {"quantiles": ["array-like"], "return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_ordinal_diabetes(
    *,
    quantiles: ArrayLike = (0.5, 0.8, 0.95),
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    """Load scikit-learn's diabetes data with the progression of the disease in ordered stages.

    The target, a measure of progression after one year, is cut at its quantiles. 442 patients, 10
    features; at the default quantiles the stages have 221, 131, 67 and 23 patients.

    Parameters
    ----------
    quantiles : array-like of shape (n_classes - 1,), default=(0.5, 0.8, 0.95)
        Increasing quantiles between 0 and 1.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects; the target is then an ordered categorical.

    Returns
    -------
    Bunch or (data, target)
        ``data`` of shape (442, 10), ``target`` of shape (442,) with the stages 0 .. K-1,
        ``feature_names``, ``DESCR``.

    Raises
    ------
    ValueError
        If `quantiles` do not increase strictly between 0 and 1.

    Examples
    --------
    >>> from skreg.datasets import load_ordinal_diabetes
    >>> X, y = load_ordinal_diabetes(return_X_y=True)
    >>> [int((y == k).sum()) for k in range(4)]
    [221, 131, 67, 23]
    """
    levels = np.asarray(quantiles, dtype=float)
    inside = levels.ndim == 1 and len(levels) and levels[0] > 0 and levels[-1] < 1
    if not inside or not np.all(np.diff(levels) > 0):
        raise ValueError(f"quantiles={levels.tolist()} must increase strictly between 0 and 1")
    diabetes = load_diabetes(as_frame=as_frame)
    progression = np.asarray(diabetes.target)
    target = np.searchsorted(np.quantile(progression, levels), progression, side="right")
    if as_frame:
        import pandas as pd

        target = pd.Series(
            pd.Categorical(target, categories=range(len(levels) + 1), ordered=True),
            index=diabetes.data.index,
            name="stage",
        )
    diabetes.target = target
    if as_frame:
        diabetes.frame = diabetes.data.assign(stage=target)
    return (diabetes.data, target) if return_X_y else diabetes
