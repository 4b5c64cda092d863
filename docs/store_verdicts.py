"""Stores the verdicts of finished benchmark runs as CSV files beside the site's sources.

``python docs/store_verdicts.py skreg-bench`` reads the records of the reports in that folder. A
run replaces a stored one of the same or of a smaller size, unless cells are missing or failed.
"""

import csv
import json
import os
import sys
from pathlib import Path

from skreg.bench._benchmark import SIZES
from skreg.bench._environment import machine, versions

FOLDER = Path(__file__).resolve().parent / "verdicts"
COLUMNS = ("claim", "outcome", "numbers", "size", "date", "machine", "versions")


def store(record: dict, folder: Path = FOLDER) -> str:
    """Store one record; returns what was done, in words."""
    path = folder / f"{record['name']}.csv"
    if record["n_missing"] or record["n_failed"]:
        return f"{record['name']}: left as it was, the run of size {record['size']} has gaps"
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            stored = next(csv.DictReader(file))["size"]
        if SIZES.index(record["size"]) < SIZES.index(stored):
            return f"{record['name']}: left as it was, size {stored} is stored"
    about = [record["size"], record["date"][:10], _words(machine()), _words(versions())]
    folder.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for claim in record["claims"]:
            writer.writerow([claim["statement"], claim["badge"], claim["numbers"], *about])
    os.replace(temporary, path)
    return f"{record['name']}: {len(record['claims'])} claims stored, size {record['size']}"


def _words(facts: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/store_verdicts.py FOLDER_OF_RUNS")
    for found in sorted(Path(sys.argv[1]).rglob("report.json")):
        print(store(json.loads(found.read_text(encoding="utf-8"))))
