"""Names of domains, and the numbers under which the estimators know them."""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np

from skreg._sklearn import is_pandas_na

NO_DOMAIN = "no domain: leave such rows out, or give them a name of their own"


class Domains(NamedTuple):
    """Domains of rows.

    Attributes
    ----------
    names : ndarray of shape (n_domains,)
        The domains, sorted if they can be.
    codes : ndarray of shape (n,), int64
        Position of each row's domain among them.
    """

    names: np.ndarray
    codes: np.ndarray


def chosen_alias(domains: Any, sample_domain: Any) -> Any:
    """What was given as `domains` or under its other name.

    Parameters
    ----------
    domains, sample_domain : array-like or None
        One of them at most.

    Returns
    -------
    array-like or None
        The one that is given.

    Raises
    ------
    ValueError
        If both are.
    """
    if domains is not None and sample_domain is not None:
        raise ValueError("domains and sample_domain are two names of one argument: give one")
    return sample_domain if domains is None else domains


def encoded_domains(domains: Any, n: int) -> Domains:
    """Number the domains of rows.

    Parameters
    ----------
    domains : array-like of hashable, of shape (n,)
        The domain of each row.
    n : int
        Number of rows.

    Returns
    -------
    Domains
        Names and numbers.

    Raises
    ------
    ValueError
        If there is another number of them, or one is missing or cannot be hashed.
    """
    values = as_vector(domains, n)
    if values.dtype != object:
        return Domains(*np.unique(values, return_inverse=True))
    found: dict[Hashable, int] = {}
    codes = np.fromiter((found.setdefault(value, len(found)) for value in values), np.int64, n)
    order = _sorted_positions(list(found))
    names = np.fromiter(found, dtype=object, count=len(found))
    return Domains(names[order], np.argsort(order)[codes])


def known_domains(domains: Any, names: np.ndarray, n: int) -> np.ndarray:
    """Positions of the domains of rows among known ones.

    Parameters
    ----------
    domains : array-like of shape (n,), or a single domain
        The domain of each row; a string or a number is that of all.
    names : ndarray of shape (n_domains,)
        The known ones.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int64
        Positions, -1 for other domains.

    Raises
    ------
    ValueError
        As `encoded_domains`.
    """
    if isinstance(domains, str | bytes) or np.ndim(domains) == 0:
        values = np.fromiter([domains] * n, dtype=object, count=n)
        domains = as_vector(values, n)
    position = {name: i for i, name in enumerate(names.tolist())}
    given, codes = encoded_domains(domains, n)
    return np.array([position.get(name, -1) for name in given.tolist()], dtype=np.int64)[codes]


def as_vector(domains: Any, n: int) -> np.ndarray:
    """Domains of rows as a vector without gaps.

    Parameters
    ----------
    domains : array-like of hashable, of shape (n,)
        The domain of each row.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,)
        Numbers, strings or dates as they are, all else as objects.

    Raises
    ------
    ValueError
        As `encoded_domains`.
    """
    values = _array_of(domains)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n,):
        raise ValueError(
            f"domains must name the domain of each row, shape ({n},); got shape {values.shape}"
        )
    if values.dtype == object:
        for i, value in enumerate(values):
            _check_name(value, i)
    elif values.dtype.kind in "fcmM" and (missing := np.flatnonzero(values != values)).size:
        raise ValueError(f"domains[{missing[0]}] is {values[missing[0]]}, which is {NO_DOMAIN}")
    return values


def _array_of(domains):
    if isinstance(domains, str | bytes) or not isinstance(domains, Iterable):
        raise ValueError(f"domains must name the domain of each row; got {domains!r}")
    if isinstance(domains, list | tuple):  # whose entries may be tuples themselves
        plain = all(isinstance(value, str | int | float | np.generic) for value in domains)
        if not plain or len({isinstance(value, str) for value in domains}) > 1:
            return np.fromiter(domains, dtype=object, count=len(domains))
    return np.asarray(domains)


def _check_name(value, i):
    if value is None or is_pandas_na(value) or value != value:
        raise ValueError(f"domains[{i}] is {value!r}, which is {NO_DOMAIN}")
    try:
        hash(value)
    except TypeError:
        raise ValueError(
            f"domains[{i}] is {value!r}, a {type(value).__name__}, which cannot be hashed: name "
            "domains by strings, numbers or tuples"
        ) from None


def _sorted_positions(names):
    """Order of names: their own where they have one, that of types and texts otherwise."""
    positions = range(len(names))
    try:
        return np.array(sorted(positions, key=names.__getitem__), dtype=np.int64)
    except TypeError:
        return np.array(
            sorted(positions, key=lambda i: (type(names[i]).__name__, repr(names[i]))),
            dtype=np.int64,
        )
