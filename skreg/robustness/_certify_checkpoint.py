"""Certificates on disk, so that an interrupted certification goes on where it ended."""

import hashlib
import json
import os
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

from skreg.robustness._certify import Certificates
from skreg.robustness._smoothing_modules import module_inside

SHARE = 0.05  # of the time may go into writing
FIELDS = (
    ("label", np.int64),
    ("radius", np.float64),
    ("p_lower", np.float64),
    ("p_upper", np.float64),
    ("map_index", np.int64),
)


class Found(NamedTuple):
    """Certificates by row, and which rows have one."""

    done: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def empty(cls, n_rows: int) -> "Found":
        return cls(np.zeros(n_rows, dtype=bool), {name: np.zeros(n_rows, t) for name, t in FIELDS})

    def put(self, rows: range, certificates: Certificates) -> None:
        for name, column in self.columns.items():
            column[rows.start : rows.stop] = getattr(certificates, name)
        self.done[rows.start : rows.stop] = True


class Checkpoint:
    """A file that holds certificates, and says of what.

    Parameters
    ----------
    path : path-like
        The file; it need not exist.
    about : dict of str to str
        Model, data and settings that certificates depend on.
    seed : int
        Seed of the noise, if the file has none yet.
    n_rows : int
        Number of rows.

    Raises
    ------
    ValueError
        If the file is none of `certify`, or one of something else.
    """

    def __init__(self, path: Any, about: dict[str, str], seed: int, n_rows: int) -> None:
        self.path = Path(path)
        self.about = about
        self.seed = seed
        self.found = Found.empty(n_rows)
        self._next = 0.0
        if self.path.exists():
            self._read()
        elif not self.path.absolute().parent.is_dir():
            raise ValueError(
                f"checkpoint {str(self.path)!r} cannot be written: make its folder first"
            )

    def _read(self):
        try:
            with np.load(self.path, allow_pickle=False) as file:
                head = json.loads(str(file["about"]))
                parts = {name: file[name] for name in ("done", *dict(FIELDS))}
        except (KeyError, ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint of certify: give another path"
            ) from error
        there = head["about"]
        other = [name for name in self.about if there.get(name) != self.about[name]]
        if other:
            differences = "; ".join(
                name
                if name in ("estimator", "X")
                else f"{name} = {there.get(name)} there, {self.about[name]} here"
                for name in other
            )
            raise ValueError(
                f"checkpoint {str(self.path)!r} is of another certification ({differences}): give "
                "another path, or delete the file"
            )
        self.seed = head["seed"]
        self.found = Found(parts.pop("done"), parts)

    def save_now_and_then(self) -> None:
        """Write, unless that would take more than a small share of the time."""
        if time.monotonic() >= self._next:
            start = time.monotonic()
            self.save()
            end = time.monotonic()
            self._next = end + (end - start) / SHARE

    def save(self) -> None:
        """Write to a new file that takes the place of the old one in one step."""
        head = json.dumps({"about": self.about, "seed": self.seed})
        parts: dict[str, Any] = {"about": np.array(head), "done": self.found.done}
        parts |= self.found.columns
        handle, name = tempfile.mkstemp(dir=self.path.absolute().parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **parts)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def fingerprint(estimator: Any) -> str:
    """Text that is the same for the same fitted estimator, in another process too."""
    module = module_inside(estimator)
    if module is None:
        return joblib.hash(estimator)
    weights = [
        (name, value.detach().float().cpu().numpy()) for name, value in module.state_dict().items()
    ]
    numbers = sorted(
        (name, np.asarray(value).tolist())
        for name, value in vars(estimator).items()
        if isinstance(value, (np.ndarray, np.generic, int, float, str))
    )
    text = f"{type(estimator).__qualname__} {module} {joblib.hash(weights)} {numbers}"
    return hashlib.sha256(text.encode()).hexdigest()
