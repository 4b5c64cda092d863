"""What a report keeps of a run, as JSON beside it: the pages of a size are made from these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skreg.bench._output import OutputError, write_whole

_FIELDS = {
    "name": str,
    "size": str,
    "summary": str,
    "paper": str,
    "date": str,
    "verdicts": dict,
    "claims": list,
    "n_failed": int,
    "n_missing": int,
    "seconds_of_cells": dict,
    "section": str,
}


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of the last report in a folder.

    Parameters
    ----------
    folder : Path
        Folder of the report.

    Returns
    -------
    dict or None
        None where there is no report, or one that another version or a damaged disk left behind:
        a record is made anew with each report.
    """
    path = folder / "report.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise OutputError.of("read", path, error) from error
    known = isinstance(record, dict) and record.keys() == _FIELDS.keys()
    if known and all(isinstance(record[name], kind) for name, kind in _FIELDS.items()):
        return record
    return None


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record of a report into its folder."""
    write_whole(folder / "report.json", json.dumps(record))
