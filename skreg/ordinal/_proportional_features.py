"""Which features have one coefficient for all boundaries (Peterson and Harrell 1990)."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

ALL = "all"


def proportional_mask(
    proportional: ArrayLike | None,
    n_features: int,
    feature_names: Sequence[str] | None = None,
) -> np.ndarray:
    """Mask of the features whose effect is the same at every boundary.

    Parameters
    ----------
    proportional : array-like, "all" or None
        Names or positions of these features, or a mask; None for none of them.
    n_features : int
        Number of features.
    feature_names : sequence of str, default=None
        Names of all features, if X had any.

    Returns
    -------
    ndarray of bool of shape (n_features,)
        The mask.

    Raises
    ------
    ValueError
        If `proportional` names features that X does not have, or is none of the above.
    """
    if proportional is None:
        return np.zeros(n_features, dtype=bool)
    if isinstance(proportional, str):
        if proportional == ALL:
            return np.ones(n_features, dtype=bool)
        raise ValueError(
            f"proportional={proportional!r} is no list of features: write [{proportional!r}] for "
            f"one of that name, or {ALL!r}"
        )
    given = np.array(np.asarray(proportional).tolist())  # of a plain dtype, from any of pandas
    if given.ndim == 1 and given.dtype.kind == "b":
        return _from_mask(given, n_features)
    if given.ndim != 1 or (len(given) and given.dtype.kind not in "iuU"):
        raise ValueError(
            "proportional must be a list of names or positions of features, a mask with one entry "
            f"for each feature, {ALL!r} or None; got {proportional!r}"
        )
    mask = np.zeros(n_features, dtype=bool)
    if len(given):
        of_positions = given.dtype.kind in "iu"
        mask[_checked(given, n_features) if of_positions else _named(given, feature_names)] = True
    return mask


def _from_mask(mask, n_features):
    if len(mask) != n_features:
        raise ValueError(
            f"proportional is a mask of {len(mask)} entries; it must have one for each of the "
            f"{n_features} features"
        )
    return mask.copy()


def _checked(positions, n_features):
    outside = positions[(positions < 0) | (positions >= n_features)]
    if len(outside):
        raise ValueError(
            f"proportional has the positions {outside[:5].tolist()}; those of the {n_features} "
            f"features of X are 0 to {n_features - 1}"
        )
    return positions


def _named(given, feature_names):
    """Positions of features by their names."""
    if feature_names is None:
        raise ValueError(
            "proportional names features, but X has no column names; give their positions, or a "
            "mask with one entry for each feature"
        )
    names = list(feature_names)
    unknown = [name for name in given.tolist() if name not in names]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), names, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"its columns are {names[:10]}" + (", .." if len(names) > 10 else "")
        )
        raise ValueError(f"proportional names {unknown[:5]}, which X does not have; {hint}")
    return [names.index(name) for name in given.tolist()]
