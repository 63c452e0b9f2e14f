"""The machine's roofs: runs every probe over its sizes and thread counts, and yields a record for each.

A roof is the best of all its samples. The read curve is swept more than once, so that a neighbour's burst at one moment
does not become the roof of one size.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench import bounded, clock, measure, threads
from bench.records import Roof
from bench.roofs import call, copy, matmul, read, triad, write
from bench.roofs.product import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SMALLEST = 32 << 10
CURVE_SAMPLE_SECONDS = 0.002
SAMPLE_SECONDS = 0.010
REPEATS = 3
MATMUL_DTYPES = ("float32", "bfloat16", "int8")


def sizes(largest: int, thorough: bool) -> list[int]:
    """Working sets of the read curve: 32 KiB and its doublings, midway too if `thorough`, to `largest` bytes."""
    found: list[int] = []
    for power in itertools.count():
        for size in (SMALLEST << power, 3 * (SMALLEST << power) // 2):
            if size > largest:
                return found
            if thorough or size == SMALLEST << power:
                found.append(size)
    raise AssertionError


def read_curve(
    address: int,
    largest: int,
    page_bytes: int | None,
    counts: Sequence[int],
    seconds: float,
    thorough: bool,
    limit: bounded.Limit | None = None,
) -> Iterator[Roof]:
    """Read bandwidth of every variant over the working set; swept until `seconds` are spent, and once at least.

    Sizes of which a pass would take too long are left out, which `limit` then tells.
    """
    limit = limit or bounded.Limit()
    samples: dict[tuple[int, int, read.Variant], tuple[list[float], list[str]]] = {}
    start = perf_counter()
    for sweep in itertools.count():
        for count in counts:
            threads.use(count)
            for size in sizes(largest, thorough):
                if sweep and perf_counter() - start > seconds:
                    break
                for variant in read.VARIANTS:
                    moved = read.bytes_per_pass(variant, size, count)
                    if not moved or not _allowed(limit, read, variant, count, size):
                        continue  # many threads share out few bytes, or it takes too long
                    contender = measure.Contender(read.prepare(variant, address, size, count))
                    each = measure.best(contender, 2, CURVE_SAMPLE_SECONDS, 0.0)
                    limit.took((read.KIND, variant, count), moved, min(each))
                    rates, at = samples.setdefault((count, size, variant), ([], []))
                    rates += [moved / s for s in each]
                    at += [_now()] * len(each)
        if perf_counter() - start > seconds:
            break
    for (count, size, variant), (rates, at) in samples.items():
        yield _roof(read, size, page_bytes, count, variant.name, rates, at=tuple(at))


def sentinel(address: int, size: int, page_bytes: int | None, count: int) -> Roof:
    """The best variant's samples at one size, taken at the start and at the end of a run to see whether it drifted."""
    threads.use(count)
    found = []
    for variant in read.VARIANTS:
        moved = read.bytes_per_pass(variant, size, count)
        contender = measure.Contender(read.prepare(variant, address, size, count))
        rates = [moved / s for s in measure.best(contender, REPEATS, SAMPLE_SECONDS, 0.0)]
        found.append(_roof(read, size, page_bytes, count, variant.name, rates))
    return max(found, key=lambda roof: max(roof.samples))


def writing(
    address: int,
    working_sets: Sequence[int],
    page_bytes: int | None,
    counts: Sequence[int],
    thorough: bool,
    limit: bounded.Limit | None = None,
) -> Iterator[Roof]:
    """Write, copy and triad bandwidth, one working set per level, swept twice if `thorough`; overwrites the memory.

    Working sets ascend; those of which a pass would take too long are left out, which `limit` then tells.
    """
    limit = limit or bounded.Limit()
    probes: tuple[Any, ...] = (write, copy, triad)
    for _sweep, count, probe, size in itertools.product(
        range(1 + thorough), counts, probes, working_sets
    ):
        threads.use(count)
        for variant in probe.VARIANTS:
            moved = probe.bytes_per_pass(variant, size, count)
            if not moved or not _allowed(limit, probe, variant, count, size):
                continue
            contender = measure.Contender(probe.prepare(variant, address, size, count))
            each = measure.best(contender, REPEATS, CURVE_SAMPLE_SECONDS, 0.0)
            limit.took((probe.KIND, variant, count), moved, min(each))
            rates = [moved / s for s in each]
            yield _roof(probe, size, page_bytes, count, variant.name, rates)


def _allowed(limit: bounded.Limit, probe: Any, variant: Any, count: int, size: int) -> bool:
    """Whether a pass over so many bytes may be made, as far as a smaller one told."""
    where = f"{probe.KIND} by {variant.name}, {count} threads"
    return limit.allows((probe.KIND, variant, count), size, where, f"{size / 2**20:.4g} MiB")


def arithmetic(
    device: str, counts: Sequence[int], thorough: bool, limit: bounded.Limit | None = None
) -> Iterator[Roof]:
    """Matrix products of every dtype and shape, swept twice if `thorough`.

    A library's whose call would take too long are left out, which `limit` then tells.
    """
    limit = limit or bounded.Limit()
    for _sweep, count, dtype in itertools.product(range(1 + thorough), counts, MATMUL_DTYPES):
        threads.use(count)
        for variant in matmul.variants(dtype, device):
            if _ends_in_time(limit, variant, dtype, device, count):
                yield _product(variant, dtype, device, count)


def _ends_in_time(
    limit: bounded.Limit, variant: Shape | matmul.Tile, dtype: str, device: str, count: int
) -> bool:
    """Whether a product may be called, as far as a smaller one tells. Our own of a tile is small."""
    if not isinstance(variant, Shape):
        return True
    kind, small = (matmul.KIND, dtype, count), variant.smaller(bounded.TRIED)
    limit.tried(kind, small.flops, matmul.prepare(small, dtype, device), clock)
    return limit.allows(kind, variant.flops, f"{dtype} products, {count} threads", variant.name)


def fastest_products(
    known: Mapping[tuple[str, int], tuple[float, Shape | matmul.Tile]], device: str
) -> Iterator[Roof]:
    """The fastest product of each dtype and number of threads once more."""
    for (dtype, count), (_rate, variant) in known.items():
        threads.use(count)
        yield _product(variant, dtype, device, count)


def _product(variant: Shape | matmul.Tile, dtype: str, device: str, count: int) -> Roof:
    contender = measure.Contender(matmul.prepare(variant, dtype, device))
    flops = matmul.flops(variant, dtype, count)
    rates = [flops / s for s in measure.best(contender, REPEATS, SAMPLE_SECONDS, 0.0)]
    return _roof(matmul, None, None, count, variant.name, rates, dtype=dtype)


def calls(counts: Sequence[int]) -> Iterator[Roof]:
    """Seconds of an empty parallel region."""
    for count in counts:
        threads.use(count)
        each = measure.best(measure.Contender(call.prepare(count)), REPEATS, SAMPLE_SECONDS, 0.0)
        yield _roof(call, None, None, count, "empty parallel region", each)


def _roof(
    probe: Any,
    size: int | None,
    page_bytes: int | None,
    count: int,
    name: str,
    samples: Sequence[float],
    dtype: str | None = None,
    at: tuple[str, ...] = (),
) -> Roof:
    return Roof(
        device="cpu",
        kind=probe.KIND,
        source="measured",
        dtype=dtype,
        working_set_bytes=size,
        page_bytes=page_bytes,
        threads=count,
        implementation=name,
        unit=probe.UNIT,
        samples=tuple(samples),
        at=at or (_now(),) * len(samples),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
