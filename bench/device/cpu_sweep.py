"""The machine's bandwidths: runs every memory probe over its sizes and thread counts, and yields a record for each.

A roof is the best of so many samples, however long they take. Those of a size of the read curve lie apart in time, so
that a neighbour's burst at one moment does not become its roof.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from bench import roofs
from bench.device import levels, threads
from bench.device.sweeps import now, record
from bench.profile.records import BEST_OF, Roof
from bench.roofs import _vector, read
from bench.timing import call_limit, rounds
from kernels.reference.inputs import Arena

SMALLEST = 32 << 10
LEAST_MEMORY = 1 << 30
"""The curve goes on to so many bytes at least, where there is memory for it: caches of hundreds of MiB are built, and a
virtual machine may report a few."""
SWEPT = 256 << 20
"""Up to so many bytes every variant is swept; beyond, only the best of them."""
MEMORY_ROUNDS = 9
MEMORY_ROUNDS_IN_HASTE = 5
CURVE_SAMPLE_SECONDS = 0.002
SAMPLE_SECONDS = 0.010
REPEATS = BEST_OF
GLANCE_SECONDS = 0.0005
"""For a sample that only tells which variants are worth more of them."""
FINALISTS = 2
"""So many of the variants that looked fastest are sampled in full."""


def sizes(largest: int, thorough: bool) -> list[int]:
    """Working sets of the read curve: 32 KiB and its doublings, midway too if `thorough`, to `largest` bytes."""
    return levels.sizes(SMALLEST, largest, midway=thorough)


def read_curve(
    address: int,
    largest: int,
    page_bytes: int | None,
    counts: Sequence[int],
    thorough: bool,
    limit: call_limit.Limit,
) -> Iterator[Roof]:
    """Read bandwidth of every variant over the working set: BEST_OF samples of each, one in each pass over all.

    A sample makes as many calls as the rate of the one before it asks for, of as many threads. Sizes of which a pass
    would take too long are left out, which `limit` then tells.
    """
    samples: Samples = {}
    for _pass, count in itertools.product(range(BEST_OF), counts):
        threads.use(count)
        rate: float | None = None
        for size, variant in itertools.product(sizes(largest, thorough), read.VARIANTS):
            moved = read.bytes_per_pass(variant, size, count)
            if not moved or not _allowed(limit, read, count, size):
                continue  # many threads share out few bytes, or it takes too long
            contender = rounds.Contender(read.prepare(variant, address, size, count))
            if rate is None:
                (seconds,) = rounds.best(contender, 1, CURVE_SAMPLE_SECONDS, 0.0)
            else:
                seconds = rounds.again(
                    contender, max(1, round(CURVE_SAMPLE_SECONDS * rate / moved))
                )
            rate = moved / seconds
            limit.record((read.KIND, count), size, seconds)
            samples.setdefault((count, size, variant), []).append((rate, now()))
    yield from _read_roofs(samples, page_bytes)


Samples = dict[tuple[int, int, _vector.Variant], list[tuple[float, str]]]
"""By number of threads, working set and variant: rates, and when they were taken."""


def _read_roofs(
    samples: Samples, page_bytes: int | None, sweep: int | None = None
) -> Iterator[Roof]:
    for (count, size, variant), taken in samples.items():
        rates, at = zip(*taken, strict=True)
        yield record(
            "cpu",
            read,
            variant.name,
            rates,
            threads=count,
            working_set_bytes=size,
            page_bytes=page_bytes,
            at=at,
            sweep=sweep,
        )


def memory(
    arena: Arena,
    working_sets: Sequence[int],
    page_bytes: int | None,
    count: int,
    fast: Sequence[_vector.Variant],
    times: int,
    sweep: int,
    limit: call_limit.Limit,
) -> Iterator[Roof]:
    """Read bandwidth of large sets, by the variants that were `fast` before: in each round every size has its turn.

    So within a round the sizes met the same state of a machine that drifts, and may be compared. The arena grows to the
    largest. The order turns round by round, and each set is walked once before it is timed. Sets of which a pass would
    take too long are left out, which `limit` then tells.
    """
    threads.use(count)
    arena.grow(max(working_sets))
    turns = [(size, variant) for size in working_sets for variant in fast]
    samples: Samples = {}
    for number in range(times):
        for size, variant in list(turns):
            if not number and not _allowed(limit, read, count, size):
                turns.remove((size, variant))
                continue
            moved = read.bytes_per_pass(variant, size, count)
            contender = rounds.Contender(read.prepare(variant, arena.address, size, count))
            seconds = rounds.once(contender, CURVE_SAMPLE_SECONDS)
            limit.record((read.KIND, count), size, seconds)
            samples.setdefault((count, size, variant), []).append((moved / seconds, now()))
        turns.reverse()
    yield from _read_roofs(samples, page_bytes, sweep)


def fastest(found: Sequence[Roof], count: int) -> list[_vector.Variant]:
    """The fastest variant of one stream and that of several, over the largest set that all of them walked.

    Streams that lie a power of two apart may meet in one bank of memory: of 1 GiB four streams read 18 GB/s where one
    read 31, and of 192 MiB both were alike. So either may be the better one.
    """
    known = {variant.name: variant for variant in read.VARIANTS}
    walked: dict[int, dict[_vector.Variant, float]] = {}
    for roof in found:
        if roof.kind == read.KIND and roof.threads == count and roof.working_set_bytes:
            rates = walked.setdefault(roof.working_set_bytes, {})
            variant = known[roof.implementation]
            rates[variant] = max(rates.get(variant, 0.0), *roof.samples)
    most = max(len(rates) for rates in walked.values())
    rates = walked[max(size for size, rates in walked.items() if len(rates) == most)]
    of_kind: dict[bool, _vector.Variant] = {}
    for variant in sorted(rates, key=lambda variant: rates[variant]):
        of_kind[variant.streams == 1] = variant
    return list(of_kind.values())


def sentinel(address: int, size: int, page_bytes: int | None, count: int) -> Roof:
    """The best variant's samples at one size, taken at the start and at the end of a run to see whether it drifted."""
    threads.use(count)
    found = [
        _roof(read, variant, address, size, page_bytes, count, SAMPLE_SECONDS)
        for variant in read.VARIANTS
    ]
    return max(found, key=lambda roof: max(roof.samples))


def _roof(
    probe: Any,
    variant: Any,
    address: int,
    size: int,
    page_bytes: int | None,
    count: int,
    seconds: float,
) -> Roof:
    """REPEATS samples of a probe, each of at least so many seconds."""
    rates = _rates(probe, variant, address, size, count, REPEATS, seconds)
    at = {"working_set_bytes": size, "page_bytes": page_bytes}
    return record("cpu", probe, variant.name, rates, threads=count, **at)


def _rates(
    probe: Any, variant: Any, address: int, size: int, count: int, repeats: int, seconds: float
) -> list[float]:
    """byte/s of so many samples of a probe, each of at least so many seconds."""
    moved = probe.bytes_per_pass(variant, size, count)
    contender = rounds.Contender(probe.prepare(variant, address, size, count))
    return [moved / each for each in rounds.best(contender, repeats, seconds, 0.0)]


def within_levels(
    address: int,
    working_sets: Sequence[int],
    page_bytes: int | None,
    counts: Sequence[int],
    times: int,
    limit: call_limit.Limit,
) -> Iterator[Roof]:
    """Bandwidth of write, copy, triad and the like, one working set per level, swept `times` times.

    Overwrites the memory. In each sweep every variant has one short sample; the FINALISTS fastest of them are sampled
    in full and yielded. So a dozen variants cost little more than two. Working sets ascend; those of which a pass would
    take too long are left out, which `limit` then tells.
    """
    probes = roofs.probes("cpu", roofs.LEVELS)
    for _sweep, count, probe, size in itertools.product(range(times), counts, probes, working_sets):
        threads.use(count)
        for variant in ranked(probe, address, size, count, limit=limit)[:FINALISTS]:
            where = variant, address, size, page_bytes, count
            yield _roof(probe, *where, CURVE_SAMPLE_SECONDS)


def ranked(
    probe: Any,
    address: int,
    size: int,
    count: int,
    turns: int = 1,
    limit: call_limit.Limit | None = None,
) -> list[Any]:
    """The probe's variants, the fastest over this memory first, by the best of `turns` short samples in turns.

    Without those for which `count` threads cannot share out so small a block, and of which a pass would take too long.
    """
    limit = limit or call_limit.Limit()
    rates: dict[Any, float] = {}
    for variant in tuple(probe.VARIANTS) * turns:
        moved = probe.bytes_per_pass(variant, size, count)
        if moved and _allowed(limit, probe, count, size):
            seconds = rounds.glance(probe.prepare(variant, address, size, count), GLANCE_SECONDS)
            limit.record((probe.KIND, count), size, seconds)
            rates[variant] = max(moved / seconds, rates.get(variant, 0.0))
    return sorted(rates, key=lambda variant: -rates[variant])


def _allowed(limit: call_limit.Limit, probe: Any, count: int, size: int) -> bool:
    """Whether a pass over so many bytes may be made, as far as a smaller one told."""
    where = f"{probe.KIND}, {threads.named(count)}"
    return limit.allows((probe.KIND, count), size, where, f"{size / 2**20:.4g} MiB")
