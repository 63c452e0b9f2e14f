"""`pytest --benchmark-only`, second part: one test per planned point. A wrong answer fails it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from bench.profile.suite import Planned


def test_step(
    roofline: Any, planned: Planned, benchmark: Any, replay: Callable[[Any, list[float]], None]
) -> None:
    """Seconds per time step."""
    point = roofline.measure(planned)
    if point is None:
        pytest.skip("not measured: the session stopped before")
    if point.status == "skipped":
        pytest.skip(point.reason)
    if point.checked_again is False:
        pytest.skip("unfinished: the session stopped before")
    if point.status == "failed":
        pytest.fail(point.reason, pytrace=False)
    case = point.case
    part = case.part if case.phase == "step" else f"{case.part} {case.phase}"
    benchmark.group = f"{case.cell} {part}, {case.residency}"
    benchmark.extra_info.update(
        case=asdict(case),
        implementation=point.implementation,
        flops=point.flops,
        bytes=point.bytes,
    )
    replay(benchmark, list(point.seconds))
