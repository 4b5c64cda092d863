"""How much an extra of skreg takes on the disk, with all that it brings."""

from __future__ import annotations

import importlib.metadata
import re

_REQUIREMENT = re.compile(r"^([\w.-]+)\s*(?:\[([\w,\s-]+)\])?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([\w-]+)[\"']")


def megabytes_of_extra(extra: str) -> float:
    """Size of the installed packages that an extra brings and skreg alone does not.

    Parameters
    ----------
    extra : str
        Name of the extra.

    Returns
    -------
    float
        Megabytes, from the lists of files of the packages. What is not installed counts nothing.
    """
    added = _needed("skreg", frozenset([extra])) - _needed("skreg", frozenset())
    return sum(_bytes(name) for name in added) / 1e6


def _needed(package: str, extras: frozenset[str]) -> set[str]:
    """Installed packages that one needs, directly or not, without itself."""
    found: set[str] = set()
    seen, waiting = set(), [(package, extras)]
    while waiting:
        asked = waiting.pop()
        if asked not in seen and _is_installed(asked[0]):
            seen.add(asked)
            found.add(asked[0])
            waiting.extend(_requirements(*asked))
    return found - {package}


def _requirements(package: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Requirements with the extras that they ask for; those for other systems are not installed."""
    needed = []
    for line in importlib.metadata.requires(package) or []:
        requirement, _, marker = line.partition(";")
        only_with = _EXTRA.search(marker)
        name = _REQUIREMENT.match(requirement)
        if name and (only_with is None or only_with[1] in extras):
            asked = frozenset(re.findall(r"[\w-]+", name[2] or ""))
            needed.append((_normalised(name[1]), asked))
    return needed


def _normalised(name: str) -> str:
    """One spelling of a package's name, as there may be several."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _bytes(package: str) -> int:
    return sum(file.size or 0 for file in importlib.metadata.files(package) or [])
