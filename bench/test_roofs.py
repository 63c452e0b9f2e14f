"""`pytest --benchmark-only`, first part: the roofs, measured when the first of these runs."""

from collections.abc import Callable
from typing import Any

import pytest


def test_roof(
    roofline: Any, roof_kind: str, benchmark: Any, replay: Callable[[Any, list[float]], None]
) -> None:
    """Seconds per GB, GFLOP or call of the best samples of one kind of roof."""
    roofs = [roof for roof in roofline.roofs() if roof.kind == roof_kind]
    if not roofs:
        pytest.skip(f"no {roof_kind} roof was measured")
    best = max(
        roofs, key=lambda roof: max(roof.samples) if roof.unit != "s" else -min(roof.samples)
    )
    benchmark.group = "roofs: seconds per GB, GFLOP or call"
    benchmark.extra_info.update(
        kind=best.kind,
        unit=best.unit,
        working_set_bytes=best.working_set_bytes,
        threads=best.threads,
        dtype=best.dtype,
    )
    replay(benchmark, [sample if best.unit == "s" else 1e9 / sample for sample in best.samples])
