"""Recursive sampling by root leverage scores."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skreg._sklearn import Interval, validate_params
from skreg.coreset._checks import checked_power, checked_rows, require_tall
from skreg.coreset._leverage import leverage_of_rows
from skreg.coreset._rows import Rows
from skreg.coreset._sampling import bernoulli, hashed_uniform, mixed_scores, water_filling


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [None, Interval(Integral, 1, None, closed="left")],
        "floor": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def root_leverage_coreset(
    X: Any,
    p: float,
    n_samples: int,
    *,
    n_rounds: int | None = None,
    floor: float = 0.01,
    sample_weight: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Coreset by root leverage scores :math:`\tau_i^{p/2}`, recomputed on the sample of each
    round.

    One round brings n rows to the order of :math:`n^{1-p/2} d^{p/2} / \epsilon^2`. Repeating it on
    the weighted sample, the sizes go geometrically in :math:`\log(n / m)`: the ratio of the size to
    `n_samples` is raised to the power :math:`1 - p/2` each time.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, d)
        The matrix A.
    p : float
        The power, 1 <= p <= 2.
    n_samples : int
        Expected number of rows in the end, at least d.
    n_rounds : int, default=None
        Number of rounds; if None, as many as bring the size before the last round below
        twice `n_samples`, of the order log log n.
    floor : float, default=0.01
        Share of uniform sampling that is added to the normalised scores.
    sample_weight : array-like of shape (n,), default=None
        Weights of the p-th powers.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    indices : ndarray of shape (m,)
        The rows that were kept.
    weight : ndarray of shape (m,)
        Their weights.

    Raises
    ------
    ValueError
        If p is not in [1, 2], if n_samples < d, or as `leverage_scores`.

    See Also
    --------
    root_leverage_scores : Scores of one round.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.coreset import root_leverage_coreset
    >>> X = np.random.default_rng(0).standard_normal((5000, 3))
    >>> indices, weight = root_leverage_coreset(X, 1, 300, random_state=0)
    >>> len(indices) < 400, bool(abs(weight.sum() / 5000 - 1) < 0.2)
    (True, True)
    """
    p = checked_power(p, 1)
    if p > 2:
        raise ValueError(f"root leverage bounds sensitivities for p in [1, 2]; got p={p}")
    A = checked_rows(X, p, sample_weight)
    require_tall(A)
    if n_samples < A.n_columns:
        raise ValueError(f"n_samples={n_samples} is below the number of columns, {A.n_columns}")
    omega = np.ones(A.n_rows) if A.scale is None else A.scale**p
    rng = check_random_state(random_state)
    kept = np.flatnonzero(omega)
    for size in round_sizes(len(kept), p, n_samples, n_rounds):
        rows = Rows(A.X[kept], None, omega[kept] ** (1 / p))
        mixed = mixed_scores(leverage_of_rows(rows) ** (p / 2), floor, omega[kept])
        q = water_filling(mixed, size)
        chosen = bernoulli(q, hashed_uniform(rng.randint(2**31), kept))
        kept = kept[chosen]
        omega[kept] /= q[chosen]
    return kept, omega[kept]


def round_sizes(n, p, n_samples, n_rounds):
    """n_t = m (n / m)^{(1 - p/2)^t}, and m in the last round."""
    excess = np.log(max(n / n_samples, 1.0))
    rate = 1 - p / 2
    if n_rounds is None:
        n_rounds = 1
        while rate**n_rounds * excess > np.log(2):
            n_rounds += 1
    sizes = [int(np.ceil(n_samples * np.exp(excess * rate**t))) for t in range(1, n_rounds)]
    return [*sizes, n_samples]
