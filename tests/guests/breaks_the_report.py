"""A plugin for pytest that lets the report fail, as whatever draws it could."""

from __future__ import annotations

import pytest


def pytest_sessionstart() -> None:
    """By now everything that a run needs is imported."""
    pytest.MonkeyPatch().setattr("reports.page.build._command", None)
