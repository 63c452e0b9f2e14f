"""One point: build it, check it, time it beside its roofs, check it again. Returns a record whatever happens."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

from bench import machine, measure, stats
from bench.records import Point
from bench.roofs import matmul, read
from kernels import check, cost
from kernels.contract import ELEMENT_BYTES, Case, Unavailable
from kernels.inputs import INPUT_SETS, Arena, draw, redraw, set_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from kernels.cells import Inputs, Weights
    from kernels.implementations import Implementation

IMPOSSIBLE = 1.03
"""A median fraction whose whole interval lies above this is measured once more (method 5)."""

STREAM_FACTOR = 4
"""Streamed weights span at least so many times the last cache level."""

MOST_STEPS = 1 << 16
"""Longest rotation of bound steps: beyond it the list itself would fill the caches."""

VARIANT_TURNS = 4
"""How often each variant of the read probe has its turn when the best for a working set is sought."""

FLOOR_SIZE = 8
WIDENS_TO = {"float32": ("float32",), "bfloat16": ("bfloat16", "float32")}
"""Dtypes that weights widen to exactly: any of their arithmetic roofs may be a case's."""


@dataclass
class Bench:
    """What points are measured with: the arena, the roofs found so far, and how long to take."""

    arena: Arena
    page_bytes: int | None
    last_level_bytes: int
    arithmetic: dict[tuple[str, int], tuple[float, matmul.Variant]]
    precision: float
    budget_seconds: float
    settle_seconds: float
    seed: int
    floors: dict[tuple[str, ...], float] = field(default_factory=dict)
    variants: dict[tuple[int, int, int], read.Variant] = field(default_factory=dict)


class _Wrong(Exception):
    """An answer outside its tolerance; the message says by how much, and when."""


def point(bench: Bench, case: Case, name: str, implementation: Implementation, order: int) -> Point:
    """Measure `case` by `implementation`. A wrong answer or any error fails the point; what cannot be is skipped."""
    flops_bytes = cost.of(case)
    base = Point(
        case=case,
        implementation=name,
        status="ok",
        order=order,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        flops={
            "linear": flops_bytes.linear_flops,
            "recurrent": flops_bytes.recurrent_flops,
            "pointwise": flops_bytes.pointwise_flops,
        },
        bytes={
            "weights": flops_bytes.weight_bytes,
            "activations": flops_bytes.activation_bytes,
            "read": flops_bytes.bytes_read,
            "written": flops_bytes.bytes_written,
        },
        reads=dict(implementation.reads),
    )
    try:
        with torch.inference_mode():
            return _measured(bench, base, implementation)
    except Unavailable as reason:
        return _ended(base, "skipped", str(reason))
    except _Wrong as reason:
        return _ended(base, "failed", str(reason))
    except Exception as error:  # noqa: BLE001 - whatever an implementation raises is a finding, and the run goes on
        text = str(error).strip().split("\n", 1)[0]
        return _ended(base, "failed", f"{type(error).__name__}: {text}"[:500])


def weight_sets(case: Case, one_set_bytes: int, last_level_bytes: int) -> int:
    """How many sets of weights a case rotates through: one where resident, else enough to outgrow the last level."""
    if case.residency == "resident":
        return 1
    return max(1, math.ceil(STREAM_FACTOR * last_level_bytes / one_set_bytes))


def memory_needed(case: Case, arena_bytes: int) -> int:
    """Bytes a point takes at its worst: its weights, the float64 reference's, and the activations of both."""
    exact = cost.of(case).weight_bytes // ELEMENT_BYTES[case.dtype] * 8
    activations = case.batch * (case.input + 12 * case.hidden)
    return arena_bytes + exact + activations * (INPUT_SETS * ELEMENT_BYTES[case.activations] + 8)


def _measured(bench: Bench, base: Point, implementation: Implementation) -> Point:
    case = base.case
    reason = implementation.unavailable(case)
    if reason:
        raise Unavailable(reason)
    layout = implementation.layout(case)
    one_set = set_bytes(layout, case.dtype)
    count = weight_sets(case, one_set, bench.last_level_bytes)
    needed, there = (
        memory_needed(case, count * one_set),
        machine.memory_available() // 2 + bench.arena.size_bytes,
    )
    if needed > there or count * one_set > bench.arena.size_bytes:
        room = min(there, bench.arena.size_bytes)
        msg = f"too large for this machine's memory: it needs {needed} bytes and {room} are there"
        raise Unavailable(msg)
    sets = bench.arena.sets(layout, case.dtype, count)
    generator = torch.Generator(device=case.device).manual_seed(bench.seed)
    inputs = draw(case, generator)
    steps = _bind(implementation, case, sets, inputs)
    judge = _Judge(case, implementation, sets, inputs, steps)
    worst = judge.check("before it was timed")

    working_set = count * one_set
    step = measure.Contender(_rotation([call for _, _, call in steps]), pass_calls=count)
    probe = _read_probe(bench, one_set, count, case.threads)
    contenders = [step, probe.contender]
    arithmetic = _arithmetic_probe(
        bench, base, _read(base) / probe.bytes_per_pass * probe.seconds_per_pass
    )
    if arithmetic:
        contenders.append(arithmetic[0])
    flops = arithmetic[1] if arithmetic else 0

    def fractions(rows: Sequence[Sequence[float]]) -> list[float]:
        return [
            max(
                _read(base) / probe.bytes_per_pass * row[1],
                _linear(base) / flops * row[2] if flops else 0.0,
            )
            / row[0]
            for row in zip(*rows, strict=True)
        ]

    load = machine.Load()
    for _attempt in range(2):
        samples = measure.rounds(
            contenders,
            fractions,
            bench.precision,
            bench.budget_seconds,
            bench.settle_seconds,
            between=lambda: redraw(inputs, generator),
        )
        if stats.estimate(fractions(samples.seconds)).low <= IMPOSSIBLE:
            break
        bench.variants.pop((one_set, count, case.threads), None)
        probe = _read_probe(bench, one_set, count, case.threads)
        contenders[1] = probe.contender
    others = load.cores_taken_by_others()
    each = stats.median(samples.seconds[0])
    single = measure.single_calls(step, 0.02) if each > 20e-6 else None
    worst = max(worst, judge.check("after it was timed"))
    return _ended(
        base,
        "ok",
        None,
        version=implementation.version(),
        seconds=samples.seconds[0],
        steps_per_sample=samples.calls[0],
        single_step_seconds=single,
        roof_bytes_per_s=tuple(probe.bytes_per_pass / seconds for seconds in samples.seconds[1]),
        roof_flop_per_s=tuple(flops / seconds for seconds in samples.seconds[2]) if flops else (),
        floor_seconds=_floor(bench, base, implementation),
        weight_sets=count,
        working_set_bytes=working_set,
        page_bytes=bench.page_bytes,
        error=worst,
        tolerance=check.tolerance(case),
        state={
            "clock_hz": None,
            "temperature_c": None,
            "throttle": [],
            "power_w": None,
            "load": others,
        },
    )


def _ended(base: Point, status: str, reason: str | None, **findings: object) -> Point:
    from dataclasses import replace

    return replace(base, status=status, reason=reason, **findings)  # type: ignore[arg-type]


def _read(base: Point) -> int:
    assert base.bytes is not None
    return base.bytes["read"]


def _linear(base: Point) -> int:
    assert base.flops is not None
    return base.flops["linear"]


def _bind(
    implementation: Implementation,
    case: Case,
    sets: Sequence[Sequence[Tensor]],
    inputs: Sequence[Inputs],
) -> list[tuple[int, int, Callable[[], Sequence[Tensor]]]]:
    """One call for every pair of weight set and input set that the rotation meets."""
    length = math.lcm(len(sets), len(inputs))
    if length > MOST_STEPS:
        msg = f"its weights are too small to stream: that takes {length} bound steps, more than {MOST_STEPS}"
        raise Unavailable(msg)
    bind = implementation.prepare(case, sets, inputs)
    pairs = [(j % len(sets), j % len(inputs)) for j in range(length)]
    return [(w, i, bind(w, i)) for w, i in pairs]


def _rotation(calls: Sequence[Callable[[], object]]) -> Callable[[int], None]:
    """A function of the number of calls to make, going on where it stopped."""
    rotation = itertools.cycle(calls)

    def run(count: int) -> None:
        for call in itertools.islice(rotation, count):
            call()

    return run


class _Judge:
    """Compares a sample of a point's bound steps with the reference; keeps the exact weights of one set at a time."""

    def __init__(
        self,
        case: Case,
        implementation: Implementation,
        sets: Sequence[Sequence[Tensor]],
        inputs: Sequence[Inputs],
        steps: Sequence[tuple[int, int, Callable[[], Sequence[Tensor]]]],
    ) -> None:
        last = len(steps) - 1
        chosen = sorted({round(last * part / (INPUT_SETS - 1)) for part in range(INPUT_SETS)})
        self._steps = sorted((steps[j] for j in chosen), key=lambda step: step[0])
        self._case, self._inputs = case, inputs
        self._implementation, self._sets = implementation, sets

    def check(self, when: str) -> float:
        """The largest error; raises _Wrong beyond the tolerance, and where a step leaves its answer unwritten."""
        case, worst, known = self._case, 0.0, -1
        for w, i, call in self._steps:
            if w != known:
                weights, known = self._exact(w), w
            given = tuple(tensor.clone() for tensor in self._inputs[i])
            check.poison(call())
            worst = max(worst, check.error(case, call(), self._inputs[i], weights))
            if any(not torch.equal(a, b) for a, b in zip(given, self._inputs[i], strict=True)):
                msg = f"it changed its input ({when})"
                raise _Wrong(msg)
        if not worst <= check.tolerance(case):
            msg = f"wrong answer {when}: error {worst:.3g}, tolerance {check.tolerance(case):.3g}"
            raise _Wrong(msg)
        return worst

    def _exact(self, w: int) -> Weights:
        from kernels.cells import Weights

        weights = self._implementation.canonical(self._case, self._sets[w])
        return Weights(*(tensor.to("cpu", torch.float64) for tensor in weights))


@dataclass(frozen=True)
class _ReadProbe:
    """The read probe over the sets of weights a step rotates through."""

    contender: measure.Contender
    bytes_per_pass: int
    seconds_per_pass: float


def _read_probe(bench: Bench, one_set: int, sets: int, threads: int) -> _ReadProbe:
    """The probe that walks the arena's first `sets` blocks of `one_set` bytes, and its time alone."""
    variant = best_variant(bench, one_set, sets, threads)
    contender = measure.Contender(
        read.prepare(variant, bench.arena.address, one_set, threads, sets)
    )
    each = min(measure.best(contender, 2, 0.002, 0.0))
    return _ReadProbe(contender, read.bytes_per_pass(variant, one_set, threads, sets), each)


def best_variant(bench: Bench, one_set: int, sets: int, threads: int) -> read.Variant:
    """The variant of the read probe that is fastest over this memory; tried once per working set, in turns."""
    key = (one_set, sets, threads)
    if key not in bench.variants:
        rates: dict[read.Variant, float] = {}
        for variant in read.VARIANTS * VARIANT_TURNS:
            size = read.bytes_per_pass(variant, one_set, threads, sets)
            if size:
                contender = measure.Contender(
                    read.prepare(variant, bench.arena.address, one_set, threads, sets)
                )
                rate = size / min(measure.best(contender, 1, 0.002, 0.0))
                rates[variant] = max(rate, rates.get(variant, 0.0))
        if not rates:
            msg = f"a set of {one_set} bytes is too small for the read probe with {threads} threads"
            raise Unavailable(msg)
        bench.variants[key] = max(rates, key=lambda variant: rates[variant])
    return bench.variants[key]


def _arithmetic_probe(
    bench: Bench, base: Point, t_bytes: float
) -> tuple[measure.Contender, int] | None:
    """The matrix product to pair with, where arithmetic takes more than half the `t_bytes` seconds of the bytes."""
    case = base.case
    roofs = [
        (*bench.arithmetic[dtype, case.threads], dtype)
        for dtype in WIDENS_TO[case.dtype]
        if (dtype, case.threads) in bench.arithmetic
    ]
    if not roofs:
        return None
    flop_per_s, variant, dtype = max(roofs, key=lambda roof: roof[0])
    if _linear(base) / flop_per_s <= t_bytes / 2:
        return None
    return measure.Contender(matmul.prepare(variant, dtype, case.device)), variant.flops


def _floor(bench: Bench, base: Point, implementation: Implementation) -> float:
    """Seconds of the same call with next to no work, H = I = 8, B = 1: the best of 5, once per kind of call."""
    case = base.case
    kind = (
        base.implementation,
        case.cell,
        case.part,
        case.dtype,
        case.activations,
        str(case.threads),
    )
    if kind not in bench.floors:
        small = Case(
            cell=case.cell,
            hidden=FLOOR_SIZE,
            input=FLOOR_SIZE,
            batch=1,
            part=case.part,
            dtype=case.dtype,
            activations=case.activations,
            device=case.device,
            threads=case.threads,
        )
        sets = bench.arena.sets(implementation.layout(small), small.dtype, 1)
        inputs = draw(small, torch.Generator(device=case.device).manual_seed(bench.seed))
        calls = [call for _, _, call in _bind(implementation, small, sets, inputs)]
        bench.floors[kind] = min(
            measure.best(measure.Contender(_rotation(calls)), 5, 0.003, bench.settle_seconds)
        )
    return bench.floors[kind]
