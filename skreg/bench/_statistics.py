"""Statistics over seeds: means with standard errors, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def mean_and_standard_error(values: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds and its standard error, s / sqrt(n) with n - 1 degrees of freedom.

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_groups)
        One row per seed.

    Returns
    -------
    DataFrame of shape (n_groups, 2)
        Columns ``mean`` and ``standard_error``; the latter is NaN where there is one seed or
        the mean is infinite.
    """
    import numpy as np
    import pandas as pd

    finite = values.where(np.isfinite(values))  # an infinite mean has no standard error
    return pd.DataFrame(
        {
            "mean": values.mean(),
            "standard_error": finite.sem(ddof=1).where(np.isfinite(values.mean())),
        }
    )


def by_seed(
    results: pd.DataFrame, setting: str, metric: str, groups: Sequence[str]
) -> pd.DataFrame:
    """One metric in one setting, seeds down, groups across.

    Parameters
    ----------
    results : DataFrame
        The table of all results.
    setting : str
        The setting.
    metric : str
        The metric's column.
    groups : sequence of str
        Columns that make up the groups, e.g. ``["method", "n_train"]``.

    Returns
    -------
    DataFrame of shape (n_seeds, n_groups)
        The values; NaN where there is none.
    """
    rows = results[results["setting"] == setting]
    return rows.pivot(index="seed", columns=list(groups), values=metric)


def paired_differences(values: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Difference of every method from the reference at the same seed.

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_groups)
        From `by_seed`, with ``method`` as the first or only level of its columns.
    reference : str
        The method that is subtracted.

    Returns
    -------
    DataFrame
        As `values`, without the reference.
    """
    import pandas as pd

    methods = values.columns.get_level_values("method").unique()
    differences = {
        method: values[method] - values[reference] for method in methods if method != reference
    }
    if values.columns.nlevels == 1:
        return pd.DataFrame(differences).rename_axis(columns="method")
    return pd.concat(differences, axis=1, names=["method"])
