"""Coefficients, their uncertainty and odds ratios in a data frame."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from skreg._optional import require

DIRECTIONS = {"lower", "higher"}
# columns, and those that they are the exponentials of
ODDS_RATIOS = {
    "odds_ratio": "coefficient",
    "odds_ratio_lower": "lower",
    "odds_ratio_upper": "upper",
}


class Estimates(NamedTuple):
    """Coefficients in the sign of `coef_`, then thresholds, with the ends of their intervals.

    `levels` are those of the index of the table, by their names.
    """

    levels: dict[str, list[str]]
    n_coefficients: int
    value: np.ndarray
    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def threshold_names(class_order):
    """Name of each boundary by the classes on its two sides."""
    return [f"{below}|{above}" for below, above in pairwise(class_order)]


def in_direction(estimates, direction):
    """Coefficients of which a positive one makes lower, or higher, classes more probable."""
    if direction == "lower":
        return estimates
    value, lower, upper = (
        estimates.value.copy(), estimates.lower.copy(), estimates.upper.copy()
    )  # fmt: skip
    slopes = slice(0, estimates.n_coefficients)
    value[slopes] *= -1.0
    lower[slopes], upper[slopes] = -estimates.upper[slopes], -estimates.lower[slopes]
    return estimates._replace(value=value, lower=lower, upper=upper)


def coefficient_table(estimates, direction, link, by):
    """Data frame of estimates; odds ratios are of the logistic link, and not of thresholds."""
    pandas = require("pandas", "bench", by)
    estimates = in_direction(estimates, direction)
    is_slope = np.arange(len(estimates.value)) < estimates.n_coefficients
    columns = {
        "coefficient": estimates.value,
        "standard_error": estimates.standard_error,
        "lower": estimates.lower,
        "upper": estimates.upper,
    }
    ratios = ODDS_RATIOS if link == "logit" else {}
    with np.errstate(over="ignore"):
        for ratio, column in ratios.items():
            columns[ratio] = np.where(is_slope, np.exp(columns[column]), np.nan)
    index = pandas.MultiIndex.from_arrays(list(estimates.levels.values()), names=estimates.levels)
    return pandas.DataFrame(
        columns, index=index if index.nlevels > 1 else index.get_level_values(0)
    )


def with_wald_tests(table):
    """The table with z statistics and their two-sided p-values after the standard errors."""
    z = table["coefficient"] / table["standard_error"]
    table.insert(2, "z", z)
    table.insert(3, "p_value", 2.0 * ndtr(-np.abs(z)))
    return table
