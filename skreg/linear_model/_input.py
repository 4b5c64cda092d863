"""Targets, weights of samples and weights of the penalty, as arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Number, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skreg._sklearn import _check_sample_weight

PenaltyWeights = ArrayLike | Mapping[Any, float] | None
_SHOWN_NAMES = 10


def plain_numbers(y: np.ndarray) -> np.ndarray:
    """Numbers in an array of objects in their own dtype; other arrays as they are.

    scikit-learn does not take numbers of dtype object for labels.
    """
    if y.dtype == object and all(isinstance(entry, Real) for entry in y.flat):
        return np.array(y.tolist())
    return y


def check_numbers(y: Any) -> np.ndarray:
    """Target of a regression."""
    return check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")


def check_sample_weight(weight: Any, X: Any) -> np.ndarray | None:
    """Weights of the samples as an array, None where all are equal."""
    if weight is None:
        return None
    if isinstance(weight, Number):
        if not (isinstance(weight, Real) and 0.0 < float(weight) < np.inf):
            raise ValueError(
                f"sample_weight={weight!r} must be positive and finite if it is a number; "
                "give nonnegative weights of the samples as an array"
            )
        return None
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    with np.errstate(over="ignore"):
        return weight if np.isfinite(weight.sum()) else weight / weight.max()


def check_penalty_weights(weights: PenaltyWeights, model: Any) -> np.ndarray | None:
    """Weights of a model's features in the penalty as an array, None for ones."""
    if weights is None:
        return None
    ones = np.ones(model.n_features_in_)
    if is_by_name(weights):
        names = column_names(model, "penalty_weights")
        weights = fill_by_name(weights, names, ones, "penalty_weights", "columns of X")
    return check_weights(weights, len(ones))


def check_weights(weights: Any, size: int) -> np.ndarray:
    """Nonnegative weights of the penalty, infinite ones included."""
    array = check_array(
        weights,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite=False,
        input_name="penalty_weights",
    )
    if array.shape != (size,):
        raise ValueError(f"penalty_weights must have shape ({size},), not {array.shape}")
    if not np.all(array >= 0.0):
        raise ValueError(
            f"penalty_weights must be nonnegative (0 frees, inf excludes), not {array.min():.3g}"
        )
    return array


def is_by_name(values: Any) -> bool:
    """Whether values come under names: in a mapping, or in a Series whose index is text."""
    index: Any = getattr(values, "index", None)
    return isinstance(values, Mapping) or getattr(index, "inferred_type", None) == "string"


def column_names(model: Any, parameter: str) -> list[str]:
    """Names of the columns that a model is fitted on.

    Parameters
    ----------
    model : estimator
        Estimator that has seen X.
    parameter : str
        The parameter that speaks of names, for the error.

    Returns
    -------
    list of str
        Names.

    Raises
    ------
    ValueError
        If X had none.
    """
    if not hasattr(model, "feature_names_in_"):
        raise ValueError(
            f"{parameter} names columns, but X has no column names: fit on a data frame (a "
            'transformer gives one after set_output(transform="pandas")), or give positions'
        )
    return list(model.feature_names_in_)


def fill_by_name(
    values: Any, names: Sequence[Any], default: np.ndarray | None, parameter: str, what: str
) -> list[Any]:
    """Values under names in the order of all names.

    Parameters
    ----------
    values : mapping or Series
        Values by name.
    names : sequence
        All names there are.
    default : ndarray of shape (len(names),) or None
        Values of names that are not given; None if all must be.
    parameter : str
        Name of the parameter, for an error.
    what : str
        What the names are names of, for an error.

    Returns
    -------
    list
        A value for each name.

    Raises
    ------
    ValueError
        If a name is unknown, given twice, or missing without a default.
    """
    keys = list(values.keys())
    refuse_names(
        [key for key in keys if key not in set(names)], parameter, "names unknown", what, names
    )
    twice = [key for key, count in Counter(keys).items() if count > 1]
    refuse_names(twice, parameter, "repeats", what, names)
    given = dict(values.items())
    if default is None:
        missing = [name for name in names if name not in given]
        refuse_names(missing, parameter, "leaves out", what, names)
        return [given[name] for name in names]
    return [given.get(name, value) for name, value in zip(names, default, strict=True)]


def refuse_names(
    names: Sequence[Any], parameter: str, fault: str, what: str, known: Sequence[Any]
) -> None:
    """Raise ValueError if there are such names.

    Parameters
    ----------
    names : sequence
        Names with a fault.
    parameter : str
        Name of the parameter that holds them, or should.
    fault : {"names unknown", "repeats", "leaves out"}
        What the parameter does with them.
    what : str
        What they are names of.
    known : sequence
        Those that there are.
    """
    if names:
        raise ValueError(
            f"{parameter} {fault} {what}: {_listed(names)}; there are {_listed(known)}"
        )


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(map(repr, list(names)[:_SHOWN_NAMES]))
    return shown + (f", .. ({len(names)} in all)" if len(names) > _SHOWN_NAMES else "")
