"""How groups of features are given."""

from collections import Counter
from itertools import chain
from numbers import Integral
from typing import Any

import numpy as np

from skreg._sklearn import is_pandas_na
from skreg.linear_model._input import column_names, fill_by_name, is_by_name, refuse_names


def group_labels(groups: Any, model: Any) -> np.ndarray:
    """Label of each feature's group, sorted as the weights of the groups are.

    Parameters
    ----------
    groups : None, int, array-like of shape (n_features,), list of lists, dict or Series
        Each feature alone, labelled by its position; contiguous groups of that size, or lists of
        the positions or the names of each group's features, numbered in order; labels of any kind,
        of the features in their order or by the names of the columns.
    model : estimator
        Estimator that has seen X.

    Returns
    -------
    ndarray of shape (n_features,)
        Labels.

    Raises
    ------
    ValueError
        If the groups do not place each feature in exactly one group, or if a label is missing.
    """
    n_features = model.n_features_in_
    if groups is None:
        return np.arange(n_features)
    if isinstance(groups, Integral):
        return _contiguous(int(groups), n_features)
    if is_by_name(groups):
        names = column_names(model, "groups")
        groups = fill_by_name(groups, names, None, "groups", "columns of X")
    elif len(groups) and all(np.ndim(group) == 1 for group in groups):
        return _labels_of_partition(_positions(groups, model), n_features)
    if len(groups) != n_features or any(np.ndim(label) for label in groups):
        raise ValueError(
            f"groups must hold one label for each of the {n_features} features, or lists of "
            f"features; it holds {len(groups)} entries, here the first: {list(groups)[:3]}"
        )
    return _labels_of_one_kind(groups)


def _contiguous(size: int, n_features: int) -> np.ndarray:
    if n_features % size:
        raise ValueError(f"groups={size} does not divide the number {n_features} of features")
    return np.arange(n_features) // size


def _labels_of_one_kind(groups: Any) -> np.ndarray:
    missing = [j for j, label in enumerate(groups) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"groups has no label for the features {missing[:10]} (nan or None); give a feature "
            "that is alone a label of its own"
        )
    kinds = {isinstance(label, str) for label in groups}
    if len(kinds) > 1:
        raise ValueError("labels in groups must be all text or all numbers, they are mixed")
    return np.asarray(groups)


def _is_missing(label: Any) -> bool:
    return label is None or is_pandas_na(label) or label != label


def _positions(groups: Any, model: Any) -> list[np.ndarray]:
    """Lists of features by position; names become positions."""
    if any(len(group) == 0 for group in groups):
        raise ValueError("groups must not hold an empty list")
    members = list(chain.from_iterable(groups))
    if not any(isinstance(member, str) for member in members):
        return [np.asarray(group) for group in groups]
    names = column_names(model, "groups")
    place = {name: j for j, name in enumerate(names)}
    twice = [name for name, count in Counter(members).items() if count > 1]
    unknown = [name for name in members if name not in place]
    missing = [name for name in names if name not in set(members)]
    for fault, some in (("names unknown", unknown), ("repeats", twice), ("leaves out", missing)):
        refuse_names(some, "groups", fault, "columns of X", names)
    return [np.array([place[name] for name in group]) for group in groups]


def _labels_of_partition(groups: list[np.ndarray], n_features: int) -> np.ndarray:
    members = np.concatenate(groups)
    if not np.array_equal(np.sort(members), np.arange(n_features)):
        raise ValueError(
            f"groups must be a partition of the features 0, .., {n_features - 1}: "
            "each in exactly one list"
        )
    labels = np.empty(n_features, dtype=np.intp)
    labels[members.astype(np.intp)] = np.repeat(
        np.arange(len(groups)), [len(group) for group in groups]
    )
    return labels
