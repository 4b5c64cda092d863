"""Whether a series can be told from a random walk."""

import numpy as np

CRITICAL = -2.86  # 5 %, with a constant, long series (Fuller 1976; MacKinnon 1994)


def dickey_fuller(x: np.ndarray, n_differences: int) -> float:
    r"""Augmented Dickey-Fuller statistic of a series x (n_times,); NaN if it is too short.

    It is the t statistic of :math:`\rho` in the regression (Said and Dickey 1984)

        x_t - x_{t-1} = c + rho x_{t-1} + sum_{i=1..k} g_i (x_{t-i} - x_{t-i-1}) + e_t

    with k = `n_differences`. A random walk has rho = 0; a stationary series has rho < 0, and the
    more rows there are, the further the statistic lies below `CRITICAL`.
    """
    change = np.diff(x)
    k = n_differences
    n = len(change) - k
    columns = [x[k:-1] - x.mean(), np.ones(max(n, 0))]
    columns += [change[k - i : len(change) - i] for i in range(1, k + 1)]
    if n <= len(columns) + 1:
        return float("nan")
    regressors = np.column_stack(columns)
    scale = np.sqrt((regressors**2).mean(axis=0))
    if not np.all(scale > 0):
        return float("nan")
    coefficients, _, rank, _ = np.linalg.lstsq(regressors / scale, change[k:], rcond=None)
    if rank < len(columns):
        return float("nan")
    residual = change[k:] - (regressors / scale) @ coefficients
    variance = residual @ residual / (n - len(columns))
    gram = (regressors / scale).T @ (regressors / scale)
    error = np.sqrt(variance * np.linalg.inv(gram)[0, 0])
    return float(coefficients[0] / error) if error > 0 else float("nan")
