"""The target: numbers, or classes, and the columns by which it takes part in the residual."""

from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

_DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
_FEW_ROWS = 20  # below it every row may well be a class of its own


def checked_target(y):
    """y as an array of numbers, booleans or strings; objects that are numbers become numbers.

    Raises
    ------
    ValueError
        If y holds dates or complex numbers, or objects that are not all numbers, all strings or all
        booleans (missing values among them).
    """
    y = np.asarray(y)
    if y.dtype.kind in "biufUST":
        return y
    types = {type(value) for value in y.ravel()} if y.dtype.kind == "O" else {y.dtype.type}

    def all_are(kinds):
        return all(issubclass(kind, kinds) for kind in types)

    names = " and ".join(sorted(kind.__name__ for kind in types))
    if any(issubclass(kind, _DATES) for kind in types):
        raise ValueError(
            f"y holds dates or durations ({names}), which are neither numbers nor classes; "
            "convert them to numbers, such as the days since a date"
        )
    if all_are((bool, np.bool_)):
        return y.astype(bool)
    if all_are(Integral):
        return y.astype(np.int64)
    if all_are((Real, Decimal)):
        return y.astype(np.float64)
    if all_are(str):
        return y
    raise ValueError(
        "y must hold numbers, or labels that are all strings or all booleans, without missing "
        f"values; got {names} (dtype {y.dtype})"
    )


def target_kind(y, include_y):
    """How the checked target takes part: "regression", "classification", or None for not at all."""
    if y is None or include_y is None:
        return None
    if include_y == "auto":
        return "classification" if _looks_like_classes(y) else "regression"
    return include_y


def residual_columns(n_rows, y, kind, fit_intercept):
    """Columns beside X that enter the residual: ones, and those of the checked target."""
    columns = [np.ones((n_rows, 1))] if fit_intercept else []
    if kind == "regression":
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y must be numeric where it is a column of the residual; got labels ({y.dtype}). "
                "Encode them as numbers, or leave y out by include_y=None"
            )
        columns.append(y.reshape(n_rows, -1).astype(np.float64))
    elif kind == "classification":
        columns.append(_class_indicators(y, fit_intercept))
    columns = [column for column in columns if column.shape[1]]
    return np.concatenate(columns, axis=1) if columns else None


def heaviest_of_each_class(y, scores):
    """For each class of each target, its row of highest score, unless all its scores are zero."""
    heaviest = []
    for target in y.reshape(len(y), -1).T:
        order = np.lexsort((-scores, target))
        first = np.r_[True, target[order][1:] != target[order][:-1]]
        heaviest.append(order[first])
    rows = np.unique(np.concatenate(heaviest))
    return rows[scores[rows] > 0]


def _looks_like_classes(y):
    """Labels, or integers of at most n^{1/2} values: more would be counts or amounts."""
    if y.dtype.kind in "iu":
        return len(np.unique(y)) <= np.sqrt(max(len(y), 4))
    return y.dtype.kind != "f"


def _class_indicators(y, fit_intercept):
    """Indicators of the classes, without the first if they would add up to the intercept."""
    if y.dtype.kind == "f":
        check_classification_targets(y)
    columns = []
    for target in y.reshape(len(y), -1).T:
        classes = np.unique(target)
        if len(classes) > max(_FEW_ROWS, len(y)) / 2:
            raise ValueError(
                f"y has {len(classes)} different labels in {len(y)} rows: these are no classes. "
                "Give numbers, or leave y out by include_y=None"
            )
        columns.append(target[:, None] == classes[int(fit_intercept) :])
    return np.concatenate(columns, axis=1, dtype=np.float64)
