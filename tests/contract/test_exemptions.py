"""The tables name what there is, and a new estimator is in the suite without being named."""

import re
from pathlib import Path

import pytest
from estimator_cases import CASES, discover, public_classes
from exemptions import EXEMPT, KNOWN_FAULTS, NO_CASE, names_of
from sklearn.base import BaseEstimator


def checks_of_the_suite():
    files = Path(__file__).parent.glob("test_*.py")
    return {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}


def subjects():
    displays = [cls for cls in public_classes() if cls.__name__.endswith("Display")]
    return {name for subject in [*CASES, *displays] for name in names_of(subject)}


@pytest.mark.parametrize("table", [EXEMPT, KNOWN_FAULTS], ids=["exempt", "known faults"])
def test_every_line_of_a_table_is_about_something(table):
    for name, check in table:
        assert name in subjects(), name
        assert check.partition("-")[0] in checks_of_the_suite(), check


def test_exempt_classes_exist():
    assert {cls.__name__ for cls in public_classes()} >= NO_CASE.keys()


def test_every_public_estimator_is_a_case():
    public = {
        cls for cls in public_classes() if issubclass(cls, BaseEstimator) and hasattr(cls, "fit")
    }
    asked = {type(case.estimator) for case in CASES}
    assert {cls.__name__ for cls in public - asked} == set(NO_CASE)
    assert asked == set(discover())
