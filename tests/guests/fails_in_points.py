"""A plugin for pytest that fails a test after the first visit to a point, as a time limit of somebody else's would."""

from __future__ import annotations

import pytest


def pytest_sessionstart() -> None:
    """By now everything that a run needs is imported."""
    from bench.session.run import Run

    patch, visit = pytest.MonkeyPatch(), Run._visit

    def once(self: Run, *given: object) -> None:
        visit(self, *given)  # type: ignore[arg-type]
        patch.setattr(Run, "_visit", visit)
        pytest.fail("it takes too long", pytrace=False)

    patch.setattr(Run, "_visit", once)
