"""What a point is measured beside: the read probe over its own memory, the matrix product, the floor."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.device import threads
from bench.device.protocol import Instruments
from bench.timing import rounds
from kernels import roofline_model
from kernels.case import Case, Unavailable
from kernels.contract import Implementation
from kernels.reference.cells import Inputs
from kernels.reference.inputs import ALIGNMENT, INPUT_SETS, Arena, draw

Step = tuple[int, int, Callable[[], Sequence[Tensor]]]

VARIANT_TURNS = 4
"""How often each variant of the read probe has its turn when the best for a working set is sought."""

MOST_STEPS = 1 << 16
"""Longest rotation of bound steps: beyond it the list itself would fill the caches."""

FLOOR_SIZE = 8

GLANCE_STEPS = 10
"""Steps of the call from which the length of a longer one is told."""


class Walk(NamedTuple):
    """What the read probe does: so many threads read so many sets of weights of so many bytes, each so many times.

    `packed`: not in the arena but in the block that stands in for a library's own copies.
    """

    one_set: int
    sets: int
    threads: int
    times: int = 1
    packed: bool = False


@dataclass
class Bench:
    """What points of one device are measured with: the arena, the roofs found so far, and how long to take."""

    instruments: Instruments
    arena: Arena
    page_bytes: int | None
    last_level_bytes: int
    span_bytes: int
    """What streamed weights span at least."""
    free_bytes: int
    """Memory of the device that was free when the run began."""
    arithmetic: dict[tuple[str, int], tuple[float, Any]]
    precision: float
    budget_seconds: float
    longest_call_seconds: float
    settle_seconds: float
    seed: int
    writes: dict[int, dict[int, float]] = field(default_factory=dict)
    """Write roofs: threads, then working set in bytes, to byte/s."""
    floors: dict[tuple[str, ...], float] = field(default_factory=dict)
    preparing_seconds: float = 0.0
    """What packing and compiling took so far, of points and of their floors."""
    variants: dict[Walk, Any] = field(default_factory=dict)
    """The read probe's fastest variant over each memory that it walked so far."""
    stand_in: Arena | None = None
    """A block as libraries allocate theirs: see `memory`."""

    write_variants: dict[tuple[int, int], Any] = field(default_factory=dict)
    """The write probe's fastest variant by bytes written and threads."""
    written: Arena | None = None
    """What the write probe fills beside a step."""

    def memory(self, size_bytes: int, *, packed: bool) -> Arena:
        """What the probe reads beside a step: the arena, whose views the step reads, or a stand-in for its own copies.

        A library that packs its weights keeps them in blocks whose addresses it tells nobody. The stand-in comes from
        the same allocator, so it has the same pages, of which the arena's differ. Raises Unavailable.
        """
        if not packed:
            return self.arena
        if self.stand_in is None or self.stand_in.size_bytes < size_bytes:
            self.stand_in = None  # before another one is allocated
            self.stand_in = Arena(size_bytes, self.instruments.device, self.seed, large_pages=False)
        return self.stand_in

    def release(self) -> None:
        """Give back the blocks that earlier points needed beside the arena: they are no memory that others took."""
        self.stand_in = self.written = None

    def write_seconds(self, written: int, threads: int) -> float:
        """How long `written` bytes take at the write roof of the working set nearest to them; 0 where there is none."""
        curve = tuple(self.writes.get(threads, {}).items())
        roof = roofline_model.nearest(curve, written)
        return written / roof if roof else 0.0

    def best(
        self, contender: rounds.Contender, repeats: int, sample_seconds: float, settle: float
    ) -> float:
        """Seconds per call of the best of some samples, by the device's clock."""
        return min(rounds.best(contender, repeats, sample_seconds, settle, self.instruments.clock))


@dataclass(frozen=True)
class ReadProbe:
    """The read probe over the sets of weights a step rotates through, or the nearest to them that it can walk."""

    walk: Walk
    contender: rounds.Contender
    bytes_per_pass: int
    seconds_per_pass: float


def read_probe(bench: Bench, walk: Walk) -> ReadProbe:
    """The probe that walks its block's first `sets` blocks of `one_set` bytes, and its time alone.

    It reads each block `times` times in a row, as often as the step goes through one set. Where a set is too small for
    it, it walks as `nearest` says.
    """
    walked = nearest(bench, walk)
    variant = best_variant(bench, walked)
    contender = _walker(bench, walked, variant)
    each = bench.best(contender, 2, 0.002, 0.0)
    size = bench.instruments.bytes_per_pass(variant, walked)
    return ReadProbe(walked, contender, size, each)


def nearest(bench: Bench, walk: Walk) -> Walk:
    """The walk itself, or where its sets are too small for the probe, the nearest that is none too small.

    That of the most threads that can share such a set; and where one thread cannot, the smallest set that it can walk,
    doubling, and as many of them as the same memory holds.
    """
    variants, found = bench.instruments.variants(), walk
    while not any(bench.instruments.bytes_per_pass(variant, found) for variant in variants):
        if found.threads > 1:
            found = found._replace(threads=found.threads - 1)
        else:
            larger = 2 * found.one_set or ALIGNMENT
            found = found._replace(one_set=larger, sets=max(1, found.sets // 2))
    return found


def best_variant(bench: Bench, walk: Walk) -> Any:
    """The variant of the read probe that is fastest over this memory; tried once per walk, in turns.

    Raises Unavailable where the sets are larger than the arena. None may be too small: see `nearest`.
    """
    need = walk.one_set * walk.sets
    if need > bench.memory(need, packed=walk.packed).size_bytes:
        raise Unavailable(
            f"{walk.sets} sets of {walk.one_set} bytes are more than the arena's {bench.arena.size_bytes}"
        )
    if walk not in bench.variants:
        rates: dict[Any, float] = {}
        for variant in tuple(bench.instruments.variants()) * VARIANT_TURNS:
            size = bench.instruments.bytes_per_pass(variant, walk)
            if size:
                seconds = bench.best(_walker(bench, walk, variant), 1, 0.002, 0.0)
                rates[variant] = max(size / seconds, rates.get(variant, 0.0))
        bench.variants[walk] = max(rates, key=lambda variant: rates[variant])
    return bench.variants[walk]


def _walker(bench: Bench, walk: Walk, variant: Any) -> rounds.Contender:
    block = bench.memory(walk.one_set * walk.sets, packed=walk.packed)
    return rounds.Contender(bench.instruments.walker(variant, block, walk))


def write_probe(
    bench: Bench, bytes_moved: dict[str, int], threads: int
) -> tuple[rounds.Contender, int] | None:
    """The write probe to pair with and the bytes of its pass, where more than `WRITTEN_SHARE` of all bytes are written.

    It fills a block of its own, as large as what a step writes, by the variant that is fastest there. None where the
    device pairs no writing or the block is too small to be shared out, too.
    """
    written = bytes_moved["written"]
    if written <= roofline_model.WRITTEN_SHARE * (bytes_moved["read"] + written):
        return None
    if bench.written is None or bench.written.size_bytes < written:
        bench.written = None  # before another one is allocated
        bench.written = Arena(written, bench.instruments.device, bench.seed)
    known = bench.write_variants.get((written, threads))
    tried = (known,) if known else tuple(bench.instruments.write_variants()) * VARIANT_TURNS
    found = []
    for variant in tried:
        run, moved = bench.instruments.writer(variant, bench.written, written, threads)
        if moved:
            contender = rounds.Contender(run)
            seconds = 0.0 if known else bench.best(contender, 1, 0.002, 0.0)
            found.append((seconds / moved, variant, contender, moved))
    if not found:
        return None
    _, variant, contender, moved = min(found, key=lambda one: one[0])
    bench.write_variants[written, threads] = variant
    return contender, moved


def arithmetic_probe(
    bench: Bench, case: Case, flops: float, t_bytes: float
) -> tuple[rounds.Contender, int] | None:
    """The matrix product to pair with and its FLOPs, where arithmetic takes more than half the `t_bytes` seconds."""
    roofs = [
        (*bench.arithmetic[dtype, case.threads], dtype)
        for dtype in roofline_model.arithmetic(case.dtype, case.activations)
        if (dtype, case.threads) in bench.arithmetic
    ]
    if not roofs:
        return None
    flop_per_s, variant, dtype = max(roofs, key=lambda roof: roof[0])
    if flops / flop_per_s <= t_bytes / 2:
        return None
    product = rounds.Contender(bench.instruments.product(variant, dtype))
    return product, bench.instruments.product_flops(variant, dtype, case.threads)


def floor_seconds(bench: Bench, case: Case, name: str, implementation: Implementation) -> float:
    """Seconds per step of the same call with next to no work, H = I = 8, B = 1: best of 5, once per kind of call."""
    numbers = (case.dtype, case.activations, str(case.threads), str(case.steps))
    kind = (name, case.cell, case.part, case.phase, *numbers)
    if kind not in bench.floors:
        small = Case(
            cell=case.cell,
            hidden=FLOOR_SIZE,
            input=FLOOR_SIZE,
            batch=1,
            part=case.part,
            phase=case.phase,
            dtype=case.dtype,
            activations=case.activations,
            device=case.device,
            threads=case.threads,
            steps=case.steps,
        )
        sets = bench.arena.sets(implementation.layout(small), small.dtype, 1)
        inputs = draw(small, torch.Generator(device=case.device).manual_seed(bench.seed))
        steps = prepare(bench, implementation, small, sets, inputs)
        contender = rounds.Contender(rotation([call for _, _, call in steps]))
        best = bench.best(contender, 5, 0.003, bench.settle_seconds)
        bench.floors[kind] = best / case.steps
    return bench.floors[kind]


def call_seconds(
    bench: Bench, case: Case, implementation: Implementation, sets: Sequence[Sequence[Tensor]]
) -> float:
    """About how long a call of a sequence takes: read off calls of two steps and of a few, in proportion."""
    few, seconds = min(case.steps, GLANCE_STEPS), []
    for steps in (2, few):
        short = replace(case, steps=steps)
        inputs = draw(short, torch.Generator(device=case.device).manual_seed(bench.seed))
        with threads.unbound():
            call = implementation.prepare(short, sets, inputs)(0, 0)
        contender = rounds.Contender(rotation([call]))
        seconds.append(bench.best(contender, 3, 0.0, 0.0))
    each = max(0.0, seconds[1] - seconds[0]) / max(1, few - 2)
    return seconds[0] + each * (case.steps - 2)


def prepare(
    bench: Bench,
    implementation: Implementation,
    case: Case,
    sets: Sequence[Sequence[Tensor]],
    inputs: Sequence[Inputs],
) -> list[Step]:
    """The rotation's steps, as `bind` makes them; the first was called once, for many compile then.

    How long all that took is added to the bench's `preparing_seconds`.
    """
    began = perf_counter()
    try:
        steps = bind(implementation, case, sets, inputs)
        steps[0][2]()
        bench.instruments.wait()
    finally:
        bench.preparing_seconds += perf_counter() - began
    return steps


def rotation_length(sets: int) -> int:
    """How many bound steps meet every set of weights with inputs in turn. Raises Unavailable for too many."""
    length = math.lcm(sets, INPUT_SETS)
    if length > MOST_STEPS:
        raise Unavailable(
            f"its weights are too small to stream: that takes {length} bound steps, more than {MOST_STEPS}"
        )
    return length


def bind(
    implementation: Implementation,
    case: Case,
    sets: Sequence[Sequence[Tensor]],
    inputs: Sequence[Inputs],
) -> list[Step]:
    """(weight set, input set, call) for every pair that the rotation meets, in its order."""
    length = rotation_length(len(sets))
    pairs = [(j % len(sets), j % len(inputs)) for j in range(length)]
    with threads.unbound():
        of_pair = implementation.prepare(case, sets, inputs)
        return [(w, i, of_pair(w, i)) for w, i in pairs]


def rotation(calls: Sequence[Callable[[], object]]) -> Callable[[int], None]:
    """A function of the number of calls to make, going on where it stopped."""
    turning = itertools.cycle(calls)

    def run(count: int) -> None:
        for call in itertools.islice(turning, count):
            call()

    return run
