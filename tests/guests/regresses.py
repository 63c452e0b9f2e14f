"""A plugin for pytest that lets pytest-benchmark find a regression, as its --benchmark-compare-fail does."""

from __future__ import annotations

import pytest
from pytest_benchmark.session import BenchmarkSession, PerformanceRegression


def pytest_sessionstart() -> None:
    """Whatever it compares with."""

    def regressed(_: BenchmarkSession) -> None:
        raise PerformanceRegression("it is slower")

    pytest.MonkeyPatch().setattr(BenchmarkSession, "check_regressions", regressed)
