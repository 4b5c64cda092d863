"""Exempt checks are skipped with their reason, known faults must fail."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exemptions import EXEMPT, KNOWN_FAULTS, reason


def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        subject = (params or {}).get("case") or (params or {}).get("display")
        if subject is None or Path(__file__).parent not in item.path.parents:
            continue
        exempt = reason(EXEMPT, subject, item.originalname)
        fault = reason(KNOWN_FAULTS, subject, item.originalname)
        if exempt:
            item.add_marker(pytest.mark.skip(reason=exempt))
        elif fault:
            item.add_marker(pytest.mark.xfail(reason=fault, strict=True))
