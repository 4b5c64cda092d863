"""The output folder: what lies where, and files that are written whole or not at all.

Finished cells are shared by all sizes, ``cells/NAME/``; what is made from them lies apart for each
size, ``SIZE/NAME/`` and ``SIZE/index.html``, so that a quick run leaves a full one's report alone.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class OutputError(Exception):
    """Something in the output folder cannot be read or written."""

    @classmethod
    def of(cls, verb: str, path: Path, error: OSError) -> OutputError:
        """What could not be done to which file, and the system's reason."""
        return cls(f"cannot {verb} {path}: {error.strerror or error}")


def cells_folder(output: Path, name: str) -> Path:
    """Folder of the finished cells of a benchmark."""
    return output / "cells" / name


def results_folder(output: Path, size: str, name: str) -> Path:
    """Folder of the results and the report of a benchmark at one size."""
    return output / size / name


def index_page(output: Path, size: str) -> Path:
    """The page that joins all reports of a size."""
    return output / size / "index.html"


def open_for_writing(folder: Path) -> None:
    """Make a folder with its parents and try whether files can be made in it.

    Raises
    ------
    OutputError
        If not.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, where a folder is needed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError.of("write into", folder, error) from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file: into a temporary one beside it first, then into place in one step.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    content : bytes or str
        All of it; text is encoded as UTF-8.

    Raises
    ------
    OutputError
        If it cannot be written. What was there before is left as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's are for their owner only
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError.of("write", path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
