"""For tests alone: a warning is an error, and hypothesis repeats itself."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tests")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """First, so that a test's own filters still win."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)
