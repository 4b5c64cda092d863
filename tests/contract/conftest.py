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
        check = item.originalname
        checks = [check, f"{check}-{params['name']}"] if "name" in params else [check]
        exempt = reason(EXEMPT, subject, checks)
        fault = reason(KNOWN_FAULTS, subject, checks)
        if exempt:
            item.add_marker(pytest.mark.skip(reason=exempt))
        elif fault:
            item.add_marker(pytest.mark.xfail(reason=fault, strict=True))
