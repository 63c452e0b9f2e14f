"""A visit to a point: a few rounds of its step beside the probes of its roofs and, where it matters, its floor.

A machine stays in one state for longer than a point's rounds take. So these are cut into visits, spread over the run,
and how far the medians of visits lie apart says how well the figure is known (`bench.profile.stats`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench.device.device import Walk
from bench.measure import probes
from bench.measure.context import Context
from bench.measure.probes import Probe, ReadProbe
from bench.profile import roof_times, stats
from bench.profile.records import PAIRED, Point, Visit
from bench.timing import rounds
from bench.timing.rounds import Contender
from kernels import roofline_model

ROUNDS = 4
"""Of a visit."""
MOST_RETAKEN = 2
"""So often a visit is taken again because threads shared a core."""
FLOOR_MATTERS = 0.05
"""From this share of the time on the floor is sampled in every round; below it, once a visit."""

FIELDS = (*PAIRED, "seconds", "visits", "steps_per_sample", "floor_seconds", "roof_walk", "state")
"""Of a point's record, those that its visits fill."""
NONE: dict[str, Any] = dict.fromkeys((*PAIRED, "seconds", "visits"), ())
"""The samples of no visit."""


@dataclass(frozen=True)
class Beside:
    """What a point is timed beside, and how many calls a block of each has: chosen at its first visit, then kept."""

    step: Contender
    reading: ReadProbe
    writing: Probe | None
    triad: Probe | None
    product: Probe | None
    floor: Contender | None
    floor_paired: bool
    calls: tuple[int, ...]

    @property
    def probes(self) -> tuple[Probe | None, ...]:
        """In the order of their records in PAIRED; None of what it is not timed beside."""
        return self.reading, self.writing, self.triad, self.product

    @property
    def contenders(self) -> list[Contender]:
        """In the order of `calls`, of the step and what is paired with it."""
        paired = [self.step, *(probe.contender for probe in self.probes if probe)]
        return [*paired, self.floor] if self.floor and self.floor_paired else paired


def beside(
    context: Context, point: Point, step: Contender, walk: Walk, floor: Contender | None
) -> Beside:
    """Choose what a step is timed beside, as its record so far has it; `floor` is its call without work."""
    assert point.bytes is not None
    assert point.flops is not None
    case = point.case
    reading = probes.read_probe(context, walk)
    t_read = point.bytes["read"] / reading.amount * reading.seconds_per_pass
    writing, triad = probes.store_probes(context, point.bytes, walk)
    linear, product = point.flops["linear"], None
    floor_paired = floor is not None
    if point.seconds:
        # what goes on pairs what it paired before, whatever its bytes would take today
        writing = writing if point.roof_write_bytes_per_s else None
        triad = triad if point.roof_triad_bytes_per_s else None
        if point.roof_flop_per_s:
            product = probes.arithmetic_probe(context, case, linear, 0.0)
        floor_paired = bool(point.floor_beside)
    else:
        for t_bytes, flops in roofline_model.stages(t_read, 0.0, linear, point.projected):
            product = product or probes.arithmetic_probe(context, case, flops, t_bytes)
    chosen = Beside(step, reading, writing, triad, product, floor, floor_paired, ())
    calls = rounds.calibrated(chosen.contenders, context.settle_seconds, context.device.clock)
    if floor_paired and not point.seconds:
        # blocks are alike in length, so their numbers of calls tell how long a call is; of one call, at least so long
        floor_paired = calls[-1] * FLOOR_MATTERS <= calls[0]
        calls = calls if floor_paired else calls[:-1]
    return replace(chosen, floor_paired=floor_paired, calls=calls)


def taken(
    context: Context, point: Point, chosen: Beside, between: Callable[[], None], retaken: int
) -> tuple[Point, float] | None:
    """The point's record with the samples of one more visit; and seconds of its floor, as this visit found it.

    None where threads shared a core meanwhile, so that it must be made again; unless that was so `retaken` times
    already, and these are MOST_RETAKEN. `between` runs before every round, outside the clock.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    found = rounds.alternate(
        chosen.contenders,
        chosen.calls,
        ROUNDS,
        context.settle_seconds,
        between,
        context.device.clock,
    )
    if retaken < MOST_RETAKEN and context.device.crowded(point.case.threads):
        return None
    seconds, *rows = found.seconds
    left, steps = iter(rows), point.case.steps
    rates = [
        tuple(probe.amount / each for each in next(left)) if probe else ()
        for probe in chosen.probes
    ]
    floors = [each / steps for each in next(left)] if chosen.floor_paired else []
    found_beside = zip(PAIRED, (*rates, floors), strict=True)
    paired: dict[str, Any] = {name: (*getattr(point, name), *each) for name, each in found_beside}
    visit = Visit(at, len(seconds), retaken)
    once = 0.0
    if chosen.floor and not floors:
        once = context.best(chosen.floor, 1, probes.FLOOR_SECONDS, context.settle_seconds) / steps
    return (
        replace(
            point,
            seconds=(*point.seconds, *(each / steps for each in seconds)),
            steps_per_sample=chosen.calls[0] * steps,
            **paired,
            visits=(*(point.visits or ()), visit),
        ),
        once,
    )


def fraction(context: Context, point: Point) -> stats.Estimate:
    """The roof fraction over the visits so far, its spread moderated by that of the points before it."""
    assert point.bytes is not None
    written = context.write_seconds(point.bytes["written"], point.case.threads)
    values = roof_times.roof_fractions(point, written)
    spreads = context.cache.spreads
    prior = stats.prior(spread for key, spread in spreads.items() if key != point.key)
    spreads[point.key] = stats.between(values, point.visits)
    return stats.over(values, point.visits, prior)
