"""Forecasts and edges of a structural autoregression as a window moves through a series."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_array

from skreg._optional import require
from skreg._sklearn import _safe_indexing
from skreg.causal._autoregression import least_squares
from skreg.causal._names import default_names
from skreg.causal._structural_var import StructuralVAR

CONTESTANTS = ("model", "autoregression", "last_value")


class RollingEvaluation(NamedTuple):
    """What happened as the window moved.

    Attributes
    ----------
    forecasts : pandas.DataFrame
        One row for each window, step and variable, with the columns ``window_end`` (the number of
        the first row after the window), ``step``, ``variable``, ``actual``, and the forecasts of
        the ``model``, of an ``autoregression`` by least squares without a graph, and the
        ``last_value`` of the window.
    errors : pandas.DataFrame
        Root of the mean squared errors of these over the windows, by variable and step.
    edge_frequency : ndarray of shape (n_variables, n_variables)
        Shares of the windows that have the instantaneous edges.
    lagged_edge_frequency : ndarray of shape (order, n_variables, n_variables)
        Shares of the windows that have the lagged edges.
    n_windows : int
        Number of windows.
    """

    forecasts: Any
    errors: Any
    edge_frequency: np.ndarray
    lagged_edge_frequency: np.ndarray
    n_windows: int

    def __repr__(self) -> str:
        d = len(self.edge_frequency)
        return f"RollingEvaluation({self.n_windows} windows of {d} variables)"


def rolling_evaluation(
    estimator: StructuralVAR, X: ArrayLike, *, window: int, horizon: int = 1, step: int = 1
) -> RollingEvaluation:
    """Fit to a moving window, and forecast what follows it.

    Parameters
    ----------
    estimator : StructuralVAR
        What to fit; a clone for each window.
    X : array-like of shape (n_times, n_variables)
        Rows of one series in the order of time.
    window : int
        Rows that each fit sees.
    horizon : int, default=1
        Rows after the window that are forecast.
    step : int, default=1
        By how many rows the window moves.

    Returns
    -------
    RollingEvaluation
        Forecasts and errors beside those of an autoregression by least squares of the same order
        and of the last value, and how often each edge was found.

    Raises
    ------
    ValueError
        If X has NaN or infinity, a number is not positive, or the window and what follows do not
        fit into X.
    TypeError
        If the estimator is another one.
    ImportError
        If pandas is not installed.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : Splits for a search over parameters.

    Notes
    -----
    Windows overlap unless `step` is at least `window`, so that their edges agree by what they have
    in common, too. A frequency is no probability that the edge is right.

    Examples
    --------
    >>> from skreg.causal import StructuralVAR, rolling_evaluation
    >>> from skreg.datasets import make_structural_var
    >>> X = make_structural_var(400, 4, random_state=0).X
    >>> model = StructuralVAR(mode="fast")
    >>> found = rolling_evaluation(model, X, window=300, step=25)
    >>> found
    RollingEvaluation(4 windows of 4 variables)
    >>> list(found.errors.columns)
    ['model', 'autoregression', 'last_value']
    """
    pandas = require("pandas", "bench", "rolling_evaluation")
    if not isinstance(estimator, StructuralVAR):
        raise TypeError(f"estimator={estimator!r} must be a StructuralVAR")
    values = check_array(X, dtype=np.float64, input_name="X")
    columns = getattr(X, "columns", default_names(values.shape[1]))
    names = [str(name) for name in columns]
    for name, number in (("window", window), ("horizon", horizon), ("step", step)):
        if not isinstance(number, Integral) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{name}={number!r} must be a positive integer")
    if window + horizon > len(values):
        raise ValueError(
            f"window={window} and horizon={horizon} need {window + horizon} rows; "
            f"X has {len(values)}"
        )
    ends = range(window, len(values) - horizon + 1, step)
    seen = [_safe_indexing(X, np.arange(end - window, end)) for end in ends]  # names stay
    fits = [_fit(estimator, rows, end) for rows, end in zip(seen, ends, strict=True)]
    tables = [
        _table(model.forecast(rows, horizon), model.order, values, end, window, names)
        for model, rows, end in zip(fits, seen, ends, strict=True)
    ]
    forecasts = pandas.DataFrame(
        {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
    )
    squares = forecasts[list(CONTESTANTS)].sub(forecasts["actual"], axis=0) ** 2
    keys = [forecasts["variable"], forecasts["step"]]
    return RollingEvaluation(
        forecasts,
        squares.groupby(keys, sort=False).mean() ** 0.5,
        np.mean([model.adjacency_matrix_ != 0 for model in fits], axis=0),
        np.mean([model.lagged_adjacency_ != 0 for model in fits], axis=0),
        len(fits),
    )


def _fit(estimator, rows, end):
    try:
        return clone(estimator).fit(rows)
    except ValueError as error:
        error.add_note(f"in the window of {len(rows)} rows before row {end}")
        raise


def _table(forecast, order, X, end, window, names):
    """Columns of the forecasts after one window; variables are fastest."""
    seen, (horizon, d) = X[end - window : end], forecast.shape
    return {
        "window_end": np.full(horizon * d, end),
        "step": np.repeat(np.arange(1, horizon + 1), d),
        "variable": np.array(names * horizon, dtype=object),
        "actual": X[end : end + horizon].ravel(),
        "model": forecast.ravel(),
        "autoregression": least_squares(seen, order).forecast(seen, horizon).ravel(),
        "last_value": np.tile(seen[-1], horizon),
    }
