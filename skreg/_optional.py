"""Packages that an installation may lack: where they are imported, and what to do without them."""

import importlib
from types import ModuleType


def install_hint(extra: str) -> str:
    """Command that installs skreg with one of its extras."""
    return f"pip install 'skreg[{extra}]'"


def require(module: str, extra: str, by: str) -> ModuleType:
    """Import an optional package, or say who needs it and how to install it.

    Parameters
    ----------
    module : str
        What to import, such as ``"matplotlib.pyplot"``.
    extra : str
        Extra of skreg that brings it.
    by : str
        Who needs it, the subject of the message.

    Returns
    -------
    module
        The module.

    Raises
    ------
    ImportError
        If the package is not installed. Errors inside of an installed package pass unchanged.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(
            f"{by} needs {package}, which is not installed: {install_hint(extra)}"
        ) from error
