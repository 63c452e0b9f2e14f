"""How long the rest of a run will take, from what its points took so far. Pure.

Most points take about as long as one another, whatever they compute: samples are taken until a budget is spent.
What stands out is done once: an implementation compiles when it first meets a kind of case. So a point is expected
to take what ordinary points took, and on top of it what stood out in points of its implementation that were as new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.stats import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.suite import Planned

STANDS_OUT = 2.0
"""A point that takes more than so many times the median is no ordinary one."""


def seconds_left(
    spent: Sequence[tuple[Planned, float]], left: Sequence[Planned], otherwise: float
) -> float:
    """An estimate of what the points left will take; `otherwise` each, as long as none is done."""
    if not spent:
        return otherwise * len(left)
    most = STANDS_OUT * median([seconds for _, seconds in spent])
    ordinary = [seconds for _, seconds in spent if seconds <= most]
    usual = sum(ordinary) / len(ordinary)
    met: set[tuple[str, ...]] = set()
    extra: dict[tuple[str, bool], list[float]] = {}
    for planned, seconds in spent:
        extra.setdefault(_novelty(planned, met), []).append(
            seconds - usual if seconds > most else 0.0
        )
    total = usual * len(left)
    for planned in left:
        known = extra.get(_novelty(planned, met), [])
        total += sum(known) / (len(known) + 1)  # as if one more had been ordinary
    return total


def told(seconds: float) -> str:
    """A length of time as progress tells it: `45 s`, `12 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _novelty(planned: Planned, met: set[tuple[str, ...]]) -> tuple[str, bool]:
    """Its implementation, and whether that meets such a case for the first time; it is met from then on."""
    case, name = planned.case, planned.implementation
    kind = (name, case.cell, case.part, case.phase, case.dtype, str(case.batch))
    new = kind not in met
    met.add(kind)
    return name, new
