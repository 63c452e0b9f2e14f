"""A plugin for pytest that fails the first test while roofs are measured, as a time limit of somebody else's would."""

from __future__ import annotations

import pytest


def pytest_sessionstart() -> None:
    """By now everything that a run needs is imported."""

    def survey(*_: object) -> None:
        pytest.fail("it takes too long", pytrace=False)

    pytest.MonkeyPatch().setattr("bench.session.run.survey", survey)
