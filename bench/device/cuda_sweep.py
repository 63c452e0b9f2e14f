"""A GPU's roofs: runs its probes over their sizes and yields a record for each, and the levels of its read curve.

A sample is one launch of as many passes as last SAMPLE_SECONDS; throttled ones are taken again. Tested with a stand-in
whose bandwidths are known; not run on a card yet.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from bench.device import levels
from bench.device.device import Curve
from bench.machine.nvml import Card
from bench.profile.records import Roof
from bench.roofs import gpu_call, gpu_matmul
from bench.roofs._product import Shape
from bench.timing import call_limit, cuda_clock
from kernels.case import Unavailable

Throttle = Callable[[], tuple[str, ...]]

SMALLEST = 1 << 20
LARGEST = 8 << 30
MEMORY_SHARE = 4
"""The curve ends at one part in so many of the memory that is free, if that is less."""
L2_BYTES = 64 << 20
"""The second-level cache where PyTorch does not tell."""
SAMPLE_SECONDS = 0.010
REPEATS = 3


def memory_probes() -> Any:
    """`bench.roofs.triton_memory`. Raises Unavailable without Triton."""
    try:
        from bench.roofs import triton_memory
    except ImportError as error:
        raise Unavailable(
            f"a GPU's memory probes need Triton, and a step without its roof is no result: {error}"
        ) from error
    return triton_memory


def sizes(largest: int) -> list[int]:
    """Working sets of the read curve: 1 MiB, its doublings and midway between, to `largest` bytes."""
    return levels.sizes(SMALLEST, largest, midway=True)


def block(free_bytes: int, device: str) -> Tensor:
    """Random words as large as the curve's largest size."""
    largest = sizes(min(LARGEST, free_bytes // MEMORY_SHARE))
    if not largest:
        raise Unavailable(f"{free_bytes} bytes are free on the GPU: too few for a read curve")
    words = torch.empty(largest[-1] // 4, dtype=torch.int32, device=device)
    # magnitudes of 2**-7 to 2**-5 as floats: no zeros, no infinities, for the probes that add floats
    return words.random_().bitwise_and_(0x00FFFFFF).bitwise_or_(0x3C000000)


def memory(
    kind: str, words: Tensor, working_sets: Sequence[int], processors: int, throttle: Throttle
) -> Iterator[Roof]:
    """Bandwidth of a kind of probe, every variant, at each working set. Raises Unavailable without Triton."""
    triton_memory = memory_probes()
    for size, variant in itertools.product(working_sets, triton_memory.VARIANTS):
        moved = triton_memory.bytes_per_pass(kind, variant, size)
        if not moved:
            continue
        run, _ = triton_memory.prepare(kind, variant, words[: size // 4], processors)
        rates = [moved / seconds for seconds in _samples(run, throttle)]
        yield _roof(kind, triton_memory.UNIT, variant.name, rates, size=size)


def arithmetic(
    device: str, throttle: Throttle, limit: call_limit.Limit | None = None
) -> Iterator[Roof]:
    """Matrix products of every kind that this GPU has, and shape.

    Those whose call would take too long are left out, which `limit` then tells.
    """
    limit, clock = limit or call_limit.Limit(), cuda_clock.Clock(throttle)
    for kind, shape in itertools.product(gpu_matmul.KINDS, gpu_matmul.SHAPES):
        if gpu_matmul.unavailable(kind, device):
            continue
        small = shape.smaller(call_limit.TRIED)
        limit.tried(kind, small.flops, gpu_matmul.prepare(kind, small, device), clock)
        if limit.allows(kind, shape.flops, f"{kind} products", shape.name):
            yield _product(kind, shape, device, throttle)


def _product(kind: str, shape: Shape, device: str, throttle: Throttle) -> Roof:
    run = gpu_matmul.prepare(kind, shape, device)
    rates = [shape.flops / seconds for seconds in _samples(run, throttle)]
    return _roof(gpu_matmul.KIND, gpu_matmul.UNIT, shape.name, rates, dtype=kind)


def calls(device: str, throttle: Throttle) -> Iterator[Roof]:
    """Seconds of an empty launch and of an empty graph's replay."""
    for variant in gpu_call.VARIANTS:
        seconds = _samples(gpu_call.prepare(variant, device), throttle)
        yield _roof(gpu_call.KIND, gpu_call.UNIT, variant, seconds)


def sentinel(words: Tensor, processors: int, throttle: Throttle) -> Roof:
    """The best variant's samples over one block, taken at the start and at the end of a run."""
    size = words.numel() * 4
    return max(memory("read", words, [size], processors, throttle), key=lambda r: max(r.samples))


def fastest_products(
    known: Mapping[tuple[str, int], tuple[float, Shape]], device: str, throttle: Throttle
) -> Iterator[Roof]:
    """The fastest product of each kind once more."""
    for (kind, _threads), (_rate, shape) in known.items():
        yield _product(kind, shape, device, throttle)


def datasheet(card: Card) -> Iterator[Roof]:
    """What the memory's bus and clock would give."""
    if card.datasheet_bytes_per_s is not None:
        rates = [card.datasheet_bytes_per_s]
        yield _roof("read", "byte/s", "bus times clock", rates, source="datasheet")


def read_off(roofs: Iterable[Roof], l2_bytes: int) -> Curve:
    """The plateaus of the measured read curve, named with the second-level cache that the GPU reports."""
    curve = levels.best_rates(roofs)
    plateaus = levels.plateaus(curve)
    found = levels.named("cuda", plateaus, [(2, l2_bytes)])
    cache = levels.last_cache_bytes(plateaus) if len(plateaus) > 1 else l2_bytes
    last, largest = levels.last_level(cache, l2_bytes), max(curve)
    span = levels.STREAM_FACTOR * last
    return Curve(
        levels=found,
        last_cache=last,
        span=span,
        middles=levels.middles(found, SMALLEST, largest),
        unsure=False,
        nearly_flat=span,
        largest=largest,
    )


def _samples(run: Callable[[int], object], throttle: Throttle) -> list[float]:
    """Seconds per call, of blocks that last SAMPLE_SECONDS."""
    count = cuda_clock.calls_for(run, SAMPLE_SECONDS)
    return [
        cuda_clock.unthrottled(lambda: cuda_clock.seconds_each(run, count), throttle)[0].seconds
        for _ in range(REPEATS)
    ]


def _roof(kind: str, unit: str, name: str, samples: Sequence[float], **more: Any) -> Roof:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Roof(
        device="cuda",
        kind=kind,
        source=more.get("source", "measured"),
        dtype=more.get("dtype"),
        working_set_bytes=more.get("size"),
        page_bytes=None,
        threads=0,
        implementation=name,
        unit=unit,
        samples=tuple(samples),
        at=(now,) * len(samples),
    )
