"""A GPU's bandwidths: runs its memory probes over their sizes, a record for each, and the levels of its read curve.

A sample is one launch of as many passes as last SAMPLE_SECONDS; throttled ones are taken again. Tested with a stand-in
whose bandwidths are known; ran on an H100 and an H200.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from bench.device import levels
from bench.device.device import Curve
from bench.device.sweeps import record
from bench.machine.nvml import Card
from bench.profile.records import BEST_OF, Roof
from bench.roofs import load
from bench.timing import cuda_clock
from bench.timing.cuda_clock import Throttle
from kernels.case import Unavailable

SMALLEST = 4 << 20
"""Less gives each of a large GPU's processors some kilobytes, which show how a launch begins and ends. Where the cache
is small the curve begins with one part in INSIDE of it, so that some sizes lie in it."""
INSIDE = 4
FAR = 16
"""Memory's level is of sizes so many times the second-level cache, which keeps a part of smaller ones: an H200 with 60
MiB of it read 1.7 % faster over 1 GiB than over 4."""
LARGEST = 4 << 30
"""Of more words than 32 bits count, the probes would be compiled anew."""
MEMORY_SHARE = 4
"""The curve ends at one part in so many of the memory that is free, if that is less."""
L2_BYTES = 64 << 20
"""The second-level cache where PyTorch does not tell."""
SAMPLE_SECONDS = 0.005
REPEATS = BEST_OF


def smallest(l2_bytes: int) -> int:
    """Where the read curve of a GPU with such a second-level cache begins: a power of two."""
    return min(SMALLEST, 1 << (l2_bytes // INSIDE).bit_length() - 1)


def sizes(largest: int, l2_bytes: int) -> list[int]:
    """Working sets of the read curve: the smallest, its doublings and midway between, to `largest` bytes."""
    return levels.sizes(smallest(l2_bytes), largest, midway=True)


def block(free_bytes: int, device: str, l2_bytes: int) -> Tensor:
    """Random words as large as the curve's largest size."""
    largest = sizes(min(LARGEST, free_bytes // MEMORY_SHARE), l2_bytes)
    if not largest:
        raise Unavailable(f"{free_bytes} bytes are free on the GPU: too few for a read curve")
    words = torch.empty(largest[-1] // 4, dtype=torch.int32, device=device)
    # magnitudes of 2**-7 to 2**-5 as floats: no zeros, no infinities, for the probes that add floats
    return words.random_().bitwise_and_(0x00FFFFFF).bitwise_or_(0x3C000000)


def memory(
    probe: Any, words: Tensor, working_sets: Sequence[int], processors: int, throttle: Throttle
) -> Iterator[Roof]:
    """Bandwidth of a probe, every variant, at each working set; these ascend."""
    before: dict[str, int] = {}
    for size, variant in itertools.product(working_sets, probe.VARIANTS):
        moved = probe.bytes_per_pass(variant, size)
        if moved:
            run, _ = probe.prepare(variant, words[: size // 4], processors)
            # as many bytes as a sample of the set before had, or a quarter, for this one may be slower
            count = calls(run, max(1, before.get(variant.name, 0) // (4 * moved)))
            before[variant.name] = count * moved
            rates = [moved / seconds for seconds in samples(run, throttle, count)]
            yield record("cuda", probe, variant.name, rates, threads=0, working_set_bytes=size)


def sentinel(words: Tensor, processors: int, throttle: Throttle) -> Roof:
    """The best variant's samples over one block, taken at the start and at the end of a run."""
    size = words.numel() * 4
    found = memory(load("cuda", "read"), words, [size], processors, throttle)
    return max(found, key=lambda roof: max(roof.samples))


def datasheet(card: Card) -> Iterator[Roof]:
    """What the memory's bus and clock would give."""
    if card.datasheet_bytes_per_s is not None:
        rates, read = [card.datasheet_bytes_per_s], load("cuda", "read")
        yield record("cuda", read, "bus times clock", rates, threads=0, source="datasheet")


def read_off(roofs: Iterable[Roof], l2_bytes: int) -> Curve:
    """The plateaus of the measured read curve, named with the second-level cache that the GPU reports.

    Memory's is of sizes from FAR times that cache on (STREAM_FACTOR times, where there are none), the cache's of those
    that fit it: what lies between is served by both, and falls over several sizes where the cache has two partitions.
    """
    best = levels.best_rates(roofs)
    most = max(best, default=0)
    far = next((n * l2_bytes for n in (FAR, levels.STREAM_FACTOR) if most >= n * l2_bytes), most)
    apart = {size: rate for size, rate in best.items() if not l2_bytes < size < far}
    sure = most >= levels.STREAM_FACTOR * l2_bytes and min(apart) < far
    curve = apart if sure else best
    plateaus = levels.plateaus(curve, far if sure else None)
    found = levels.named("cuda", plateaus, [(2, l2_bytes)])
    cache = levels.last_cache_bytes(plateaus) if len(plateaus) > 1 else l2_bytes
    last, largest = max(cache, l2_bytes), max(curve)  # no neighbour takes a share of it
    span = levels.STREAM_FACTOR * last
    return Curve(
        levels=found,
        last_cache=last,
        span=span,
        middles=levels.middles(found, min(curve), largest),
        unsure=False,
        nearly_flat=span,
        largest=largest,
    )


def calls(run: Callable[[int], object], first: int = 1) -> int:
    """How many calls last SAMPLE_SECONDS, sought from `first` on."""
    return cuda_clock.calls_for(run, SAMPLE_SECONDS, first)


def samples(
    run: Callable[[int], object], throttle: Throttle, count: int | None = None
) -> list[float]:
    """Seconds per call, of blocks of `count` calls; without it, of as many as last SAMPLE_SECONDS."""
    count = count or calls(run)
    return [
        cuda_clock.unthrottled(lambda: cuda_clock.seconds_each(run, count), throttle).seconds
        for _ in range(REPEATS)
    ]
