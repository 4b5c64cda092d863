"""Rooms of the engine that know what lies in them: one file, one kind of loss or penalty."""

import importlib
import pkgutil
from collections.abc import Iterable


def records_of(room: str, path: Iterable[str]) -> dict[str, type]:
    """NamedTuples that the files of a package define, by name.

    Importing a file registers its bodies; a new file needs no other place that names it.

    Parameters
    ----------
    room : str
        Name of the package.
    path : iterable of str
        Its ``__path__``.

    Returns
    -------
    dict of str to type
        The public NamedTuple classes, in the order of their names.
    """
    found = {}
    for info in pkgutil.iter_modules(path):
        module = importlib.import_module(f"{room}.{info.name}")
        for name, value in vars(module).items():
            is_record = isinstance(value, type) and issubclass(value, tuple)
            if is_record and value.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = value
    return dict(sorted(found.items()))
