"""The CPU's read curve, from the first cache to where memory begins, and what is read off it.

It goes on past every cache that the system reports, for a virtual machine may report less than there is, until it is
flat or a share of the free memory is walked (METHODOLOGY, section 5).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import perf_counter

from bench.device import cpu_sweep, levels, memory_rate
from bench.device.device import Curve
from bench.profile.level_names import LARGEST_SET, MEMORY
from bench.profile.records import Roof
from bench.timing import call_limit
from kernels.reference.inputs import Arena

MOST_SWEEP_SECONDS = 30.0
"""A sweep that took longer is not begun again with a set twice as large."""

BEYOND = 16
"""A curve that ends before LEAST_MEMORY is believed to have reached memory from so many times the reported cache on: a
larger cache than reported is flat too."""

ROUNDS_OF_FEWER_THREADS = 3
"""For their curve; where memory begins is told by all threads."""


def sweep(
    arena: Arena,
    reported: int,
    page_bytes: int | None,
    counts: Sequence[int],
    thorough: bool,
    number: int,
    limit: call_limit.Limit,
) -> Iterator[Roof]:
    """Every variant up to some caches' size; then the fastest over doublings until these are flat.

    `reported` is the last cache level as the system tells it. The arena grows to the largest size, at most as far as it
    may: then the curve ends where it still falls. It is the run's sweep of that `number`.
    """
    everyone = max(counts)
    reported = max(reported, cpu_sweep.SMALLEST * everyone)  # of less, not every variant has a turn
    swept = min(levels.STREAM_FACTOR * reported, cpu_sweep.SWEPT, arena.most_bytes)
    arena.grow(swept)
    seen = list(cpu_sweep.read_curve(arena.address, swept, page_bytes, counts, thorough, limit))
    yield from seen
    enough = max(levels.STREAM_FACTOR * reported, cpu_sweep.LEAST_MEMORY)
    doublings = cpu_sweep.sizes(min(enough, arena.most_bytes), thorough=False)
    # where memory is less than the caches, its largest set alone: a cache may hold all that is walked
    sets = [size for size in doublings if size > min(reported, arena.most_bytes) // 2]

    def memory(count: int, times: int) -> Iterator[Roof]:
        fast = cpu_sweep.fastest(seen, count)
        return cpu_sweep.memory(arena, sets, page_bytes, count, fast, times, number, limit)

    rounds = cpu_sweep.MEMORY_ROUNDS if thorough else cpu_sweep.MEMORY_ROUNDS_IN_HASTE
    twice = False
    while True:
        began = perf_counter()
        found = list(memory(everyone, rounds))
        if memory_rate.flat_from(memory_rate.of_roofs(found)):
            break
        walked = {roof.working_set_bytes for roof in found}
        if not twice:  # a burst of a neighbour's must not make a curve fall
            twice, rounds = True, 2 * rounds
        elif 2 * sets[-1] > arena.most_bytes or sets[-1] not in walked:
            break  # no memory for more, or a pass takes too long
        elif perf_counter() - began > MOST_SWEEP_SECONDS:
            break
        else:
            sets.append(2 * sets[-1])
    yield from found
    for count in counts:
        if count != everyone:
            yield from memory(count, ROUNDS_OF_FEWER_THREADS)


def read_off(
    roofs: Iterable[Roof], threads: int, reported: int, caches: Sequence[tuple[int, int]]
) -> Curve:
    """What the read roofs of so many threads say. `caches` are (level, bytes), as the system reports."""
    mine = [one for one in roofs if one.kind == "read" and one.threads == threads]
    best, rounds = levels.best_rates(mine), memory_rate.of_roofs(mine)
    far = max(best) >= min(cpu_sweep.LEAST_MEMORY, BEYOND * reported)
    flat = memory_rate.flat_from(rounds) if far else None
    fade = memory_rate.fade(rounds) if far and not flat else None
    begins = flat or (fade.begins if fade else None)
    if rounds:
        best = _in_rounds(best, memory_rate.to_largest(rounds), memory_rate.best(mine, begins))
    memory = best[max(best)] * fade.rate if fade else None
    plateaus = levels.plateaus(best, begins, memory)
    found = levels.named("cpu", plateaus, caches, MEMORY if begins else LARGEST_SET)
    last = levels.last_level(levels.last_cache_bytes(plateaus), reported)
    untold = min(max(best), max(cpu_sweep.LEAST_MEMORY, levels.STREAM_FACTOR * last))
    slow = min(fade.least(memory_rate.FLAT), max(best)) if fade else flat
    span = max(slow, levels.STREAM_FACTOR * last) if slow else untold
    return Curve(
        levels=found,
        last_cache=last,
        span=span,
        middles=levels.middles(found, cpu_sweep.SMALLEST, span),
        unsure=begins is None,
        nearly_flat=fade.least(memory_rate.NEARLY_FLAT)
        if fade
        else memory_rate.within(rounds, memory_rate.NEARLY_FLAT) or max(best),
        largest=max(best),
    )


def _in_rounds(
    best: Mapping[int, float], faster: Mapping[int, float], fastest: float
) -> dict[int, float]:
    """The best rate of each size; of those that had turns in rounds, the largest one's times how much faster they are.

    At most their own best. The best of a size that was sampled minutes before another would show a machine that drifts
    as a cache: what lies between those in rounds is left out.
    """
    least, most = min(faster), max(faster)
    outside = {size: rate for size, rate in best.items() if not least <= size <= most}
    return outside | {size: min(best[size], fastest * times) for size, times in faster.items()}
