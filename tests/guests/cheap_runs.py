"""A plugin for pytest that gives a run made-up roofs, short samples and a lock of its own: its figures mean nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_sessionstart() -> None:
    """By now everything that a run needs is imported, and no roof is measured."""
    from tests.bench import cheap_roofs

    patch = pytest.MonkeyPatch()
    cheap_roofs.make(patch)
    patch.setattr("bench.timing.clock.SAMPLE_SECONDS", 0.0005)
    patch.setattr("bench.timing.rounds.SETTLE_SECONDS", 0.0001)
    patch.setattr("bench.session.lock.PATH", Path(os.environ["GUEST_LOCK"]))
