"""Where a benchmark ran: versions, machine, installed extras."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
from pathlib import Path

_REPORTED = ("skreg", "numpy", "scipy", "scikit-learn", "numba", "joblib")
_EXTRA_MARKER = re.compile(r"extra\s*==\s*[\"']([\w-]+)[\"']")
_REQUIREMENT_NAME = re.compile(r"^([\w.-]+)(?:\[([\w,-]+)\])?")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the results depend on."""
    return {"Python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _REPORTED
    }


def machine() -> dict[str, str]:
    """Processor, cores, memory and operating system of this computer."""
    import joblib

    return {
        "Processor": _processor(),
        "Cores": f"{joblib.cpu_count(only_physical_cores=True)} physical, "
        f"{joblib.cpu_count()} usable",
        "Memory": _memory(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), flags=re.MULTILINE)
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _memory() -> str:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return "unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"


def extras() -> dict[str, list[str]]:
    """Packages that are missing from each extra of skreg; an empty list means installed.

    Returns
    -------
    dict of str to list of str
        Names of the missing packages by extra.
    """
    required: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("skreg") or []:
        marker = _EXTRA_MARKER.search(requirement)
        name = _REQUIREMENT_NAME.match(requirement)
        if marker and name:
            parts = name[2].split(",") if name[1] == "skreg" else [None]
            for part in parts:  # an extra may name other extras, which stand before it
                required.setdefault(marker[1], []).extend(required[part] if part else [name[1]])
    return {extra: [n for n in names if not _installed(n)] for extra, names in required.items()}


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def numba_cache_folder() -> str:
    """The folder beneath which the compiled kernels lie, a subfolder for each folder of sources."""
    from numba.core.caching import FunctionCache

    from skreg import _jit

    return str(Path(FunctionCache(_jit.kernel).cache_path).parent)
