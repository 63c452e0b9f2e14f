"""Steps as comparisons and predictions take them, streamed and of as many bytes each, with planted times and roofs."""

from __future__ import annotations

from typing import Any

from bench.profile.stats import Estimate
from reports.compare.system import ALL, Entry, Work

BYTES = 1 << 24
"""Read by each."""


def step(index: int, seconds: float, roof: float, fraction: float, **more: Any) -> Entry:
    """The step of that number, which took these seconds beside a memory of `roof` byte/s; `fraction` is within 3 %."""
    return Entry(
        work=Work(
            cell="lstm",
            part="cell",
            phase="step",
            hidden=1024 + index,
            input=1024,
            batch=1,
            dtype="float32",
            activations="float32",
            residency="streamed",
            device="cpu",
            threads=ALL,
            steps=1,
        ),
        setting="",
        implementation="any",
        seconds=(seconds,),
        read=BYTES,
        written=0,
        flops=0,
        recurrent=0,
        working_set=BYTES,
        t_bytes=BYTES / roof,
        t_flops=None,
        fraction=Estimate(fraction, fraction * 0.97, fraction * 1.03),
        level=None,
        roof=None,
        **more,
    )
