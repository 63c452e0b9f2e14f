"""What is swept alike on every device: products of each dtype, the emptiest calls. And the record of a roof."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bench import roofs
from bench.device import threads
from bench.device.device import Device, fastest_products
from bench.profile.records import Roof
from bench.roofs._product import Shape
from bench.timing import call_limit


def products(
    device: Device, counts: Sequence[int], times: int, limit: call_limit.Limit
) -> Iterator[Roof]:
    """Products of every dtype and shape, by so many threads each, swept `times` times.

    A library's whose call would take too long are left out, which `limit` then tells.
    """
    probes = roofs.probes(device.name, roofs.PRODUCTS)
    for _sweep, count, probe in itertools.product(range(times), counts, probes):
        for dtype in probe.DTYPES:
            device.use(count)
            for variant in probe.variants(dtype):
                if _ends_in_time(device, limit, probe, variant, dtype, count):
                    yield _product(device, probe, variant, dtype, count)


def _ends_in_time(
    device: Device, limit: call_limit.Limit, probe: Any, variant: Any, dtype: str, count: int
) -> bool:
    """Whether a product may be called, as far as a smaller one tells. Our own of a tile is small."""
    if not isinstance(variant, Shape):
        return True
    kind, small = (probe.KIND, dtype, count), variant.smaller(call_limit.TRIED)
    limit.tried(kind, small.flops, probe.prepare(small, dtype), device.clock)
    where = f"{dtype} products, {threads.named(count)}" if count else f"{dtype} products"
    return limit.allows(kind, variant.flops, where, variant.name)


def _product(device: Device, probe: Any, variant: Any, dtype: str, count: int) -> Roof:
    flops = probe.flops(variant, dtype, count)
    rates = [flops / each for each in device.roof_seconds(probe.prepare(variant, dtype))]
    return record(device.name, probe, variant.name, rates, threads=count, dtype=dtype)


def fastest_once_more(device: Device, known: Sequence[Roof]) -> Iterator[Roof]:
    """The fastest matrix product of each dtype and number of threads."""
    for (dtype, count), (_rate, variant) in fastest_products(known, device.matmul).items():
        device.use(count)
        yield _product(device, device.matmul, variant, dtype, count)


def calls(device: Device, counts: Sequence[int]) -> Iterator[Roof]:
    """Seconds of the emptiest calls, by so many threads each."""
    for probe, count in itertools.product(roofs.probes(device.name, roofs.CALLS), counts):
        device.use(count)
        for name, prepare in probe.VARIANTS.items():
            seconds = device.roof_seconds(prepare(count))
            yield record(device.name, probe, name, seconds, threads=count)


def record(
    device: str, probe: Any, name: str, samples: Sequence[float], *, threads: int, **more: Any
) -> Roof:
    """Samples of a probe's variant `name` as a roof, measured now; `more` are fields that are otherwise."""
    usual = {
        "source": "measured",
        "dtype": None,
        "working_set_bytes": None,
        "page_bytes": None,
        "at": (now(),) * len(samples),
    }
    return Roof(
        device=device,
        kind=probe.KIND,
        threads=threads,
        implementation=name,
        unit=probe.UNIT,
        samples=tuple(samples),
        **(usual | more),
    )


def now() -> str:
    """As a profile states it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
