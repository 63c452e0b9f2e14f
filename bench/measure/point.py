"""One point: build it, check it, time it beside its roofs, check it again. Returns a record whatever happens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from bench.measure import probes
from bench.measure.checker import Judge, Wrong
from bench.measure.probes import Bench
from bench.profile import stats
from bench.profile.records import Point
from bench.telemetry import energy
from bench.timing import interrupts, rounds, timeout
from kernels import cost, implementations, roofline_model
from kernels.case import ELEMENT_BYTES, Case, Unavailable
from kernels.contract import Implementation
from kernels.reference.inputs import INPUT_SETS, draw, redraw, set_bytes

LOST = "the device was lost in this process"
NO_ROOM = "memory was taken by others"
"""How the reasons of points begin that could not be tried and might have been: a resumed run tries them."""

STREAM_FACTOR = 4
"""Streamed weights span at least so many times the last cache level."""

ABSOLUTE_PATH = re.compile(r"((?:[A-Za-z]:)?[/\\](?:[^/\\\s'\":]+[/\\])+)([^/\\\s'\":]*)")
"""A path as error messages hold them: its folders are cut off, because a profile names no folder of its user's."""

LEAST_FREE = 256 << 20
"""Bytes of memory: whoever takes so many more and leaves less is stopped, before the system stops the run."""

NEARLY_ALL = 0.75
"""Of the memory that is free, the share that a point may take at once."""

SINGLE_SECONDS = 20e-6
"""Shortest step that is timed alone: the clock itself takes some 0.1 us."""


class NoRoom(Exception):
    """Memory that a point needs, and that was free when the run began, is taken."""


def point(
    bench: Bench,
    case: Case,
    name: str,
    implementation: Implementation,
    order: int,
    judge: type[Judge] = Judge,
) -> Point:
    """Measure `case` by `implementation`. What `judge` finds wrong or any error fails it; what cannot be is skipped."""
    base = Point(
        case=case,
        implementation=name,
        status="failed",
        order=order,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if cause := bench.instruments.lost():
        return replace(base, reason=f"{LOST}: {cause}")
    held = bench.arena.size_bytes
    weights = bench.arena.digest(held)
    allowed = timeout.SECONDS + 4 * bench.budget_seconds
    try:
        base = _counted(base, implementation.reads)
        with timeout.within(allowed), torch.inference_mode(case.phase == "step"):
            return _measured(bench, base, implementation, judge)
    except Unavailable as reason:
        return replace(base, status="skipped", reason=str(reason))
    except torch.OutOfMemoryError as error:
        # its first line says how much was wanted, and how much there was
        return replace(base, status="skipped", reason=first_line(error))
    except (Wrong, NoRoom, timeout.TooLong) as reason:
        return replace(base, reason=str(reason))
    except BaseException as error:
        # whatever an implementation raises is a finding, a wish to exit too, and the run goes on
        if interrupts.asked():
            raise
        return replace(base, reason=f"{type(error).__name__}: {first_line(error)}"[:500])
    finally:
        intact = bench.instruments.lost() is None
        if intact and bench.arena.digest(held) != weights:
            bench.arena.refill()  # whatever wrote there: the next point reads the same arena


def first_line(error: BaseException) -> str:
    """What an error says, without folders; of Triton's compiler its own message, which stands below the source."""
    text = str(getattr(error, "error_message", None) or error)
    return ABSOLUTE_PATH.sub(r"\2", text.strip().split("\n", 1)[0])


def weight_sets(
    case: Case, one_set_bytes: int, span_bytes: int, most_bytes: int | None = None
) -> int:
    """How many sets of weights a case rotates through: one where resident, else as many as span `span_bytes`.

    No more than `most_bytes` hold: where memory is short the last set would not fit, and those before it span nearly as
    much.
    """
    if case.residency == "resident":
        return 1
    needed = math.ceil(span_bytes / one_set_bytes)
    return max(1, needed if most_bytes is None else min(needed, most_bytes // one_set_bytes))


def memory_needed(case: Case, arena_bytes: int) -> int:
    """Bytes a point takes at its worst: its weights, the float64 reference's, and the activations of both.

    To train, the gradients of the weights come in float64 too: the reference's, those as collected from the answer, and
    their difference, each in one or two forms. What a sequence keeps of all its steps beside its inputs, outputs and
    gate sums, is 6 elements per unit, as float64.
    """
    step = cost.of(replace(case, phase="step", steps=1))
    exact = step.weight_bytes // ELEMENT_BYTES[case.dtype] * 8
    activations = case.batch * (case.steps * case.input + 12 * case.hidden)
    kept = (case.steps - 1) * case.batch * 6 * case.hidden * 8
    if case.phase == "train":
        exact, activations = 8 * exact, 4 * activations
    each = INPUT_SETS * ELEMENT_BYTES[case.activations] + 8
    return arena_bytes + exact + activations * each + kept


@dataclass(frozen=True, slots=True)
class Pairing:
    """How many calls of each probe beside a step make up one step's bytes and FLOPs; 0 for a probe that is not paired.

    `written_seconds` is what writing takes at the surveyed roof where its probe is not paired. `projected` are the
    shares of reading and products that a hoisted sequence does first (`kernels.roofline_model`).
    """

    steps: int
    read_calls: float
    write_calls: float
    written_seconds: float
    product_calls: float
    projected: tuple[float, float]

    def fractions(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Round by round, the least that bytes and products need, over the step's time.

        `rows` are seconds per call of the step, which holds `steps` of them, and of the probes that are paired: read,
        write, product.
        """
        found = []
        for taken, reading, *rest in zip(*rows, strict=True):
            writing = rest.pop(0) * self.write_calls if self.write_calls else self.written_seconds
            products = rest.pop(0) * self.product_calls if self.product_calls else 0.0
            least = roofline_model.limit(
                reading * self.read_calls, writing, products, self.projected
            )
            found.append(least * self.steps / taken)
        return found


def _counted(base: Point, reads: Mapping[str, str]) -> Point:
    """With its FLOPs and bytes, for an implementation that reads its weights so often."""
    costs = cost.of(base.case, reads)
    projection = {"linear": costs.projection_flops, "read": costs.projection_bytes_read}
    return replace(
        base,
        flops={
            "linear": costs.linear_flops,
            "recurrent": costs.recurrent_flops,
            "pointwise": costs.pointwise_flops,
        },
        bytes={
            "weights": costs.weight_bytes,
            "activations": costs.activation_bytes,
            "read": costs.bytes_read,
            "written": costs.bytes_written,
            **({"gradients": costs.gradient_bytes} if base.case.phase == "train" else {}),
        },
        projection=projection if costs.projection_flops else None,
        reads=dict(reads),
    )


def _measured(
    bench: Bench, base: Point, implementation: Implementation, judge: type[Judge]
) -> Point:
    case = base.case
    reason = implementation.unavailable(case)
    if reason:
        raise Unavailable(reason)
    layout = implementation.layout(case)
    one_set = set_bytes(layout, case.dtype)
    count = weight_sets(case, one_set, bench.span_bytes, bench.arena.most_bytes)
    used = count * one_set
    probes.rotation_length(count)  # before so many sets are made
    packed = implementations.packs(implementation, case)
    _make_room(bench, case, used, copies=2 if packed else 0)
    sets = bench.arena.sets(layout, case.dtype, count)
    generator = torch.Generator(device=case.device).manual_seed(bench.seed)
    inputs = draw(case, generator)
    if case.steps > 1:
        _make_sure_it_ends(bench, case, implementation, sets)
        one_set = min(one_set, cost.walked_bytes(case, implementation.reads))
    judged = judge(case, implementation, sets, inputs, bench.arena, used, bench.seed)
    prepared_before = bench.preparing_seconds
    steps = probes.prepare(bench, implementation, case, sets, inputs)
    prepare_seconds = bench.preparing_seconds - prepared_before
    worst = judged.check(steps, "before it was timed")

    device = bench.instruments
    step = rounds.Contender(probes.rotation([call for _, _, call in steps]), pass_calls=count)
    walk = probes.Walk(one_set, count, case.threads, cost.WEIGHT_READS[case.phase], packed)
    watching = device.watch()
    had = device.memory_taken()

    def between() -> None:
        redraw(inputs, generator)
        taken, free = device.memory_taken() - had, device.memory_available()
        if taken > LEAST_FREE > free:
            raise Wrong(f"it took {taken} bytes of memory since it was built, and {free} were left")

    sampled = _rounds(bench, base, step, walk, between)
    samples = sampled.samples
    state = watching.seen()
    alone = case.steps == 1 and stats.median(samples.seconds[0]) > SINGLE_SECONDS
    single = rounds.single_calls(step, 0.02, device.clock) if alone else None
    joules = energy.of_calls(device.meter, step.run, stats.median(samples.seconds[0]), device.wait)
    worst = max(worst, judged.check(steps, "after it was timed"))
    return replace(
        base,
        status="ok",
        version=implementation.version(),
        seconds=tuple(taken / case.steps for taken in samples.seconds[0]),
        steps_per_sample=samples.calls[0] * case.steps,
        single_step_seconds=single,
        roof_walk=_otherwise(walk, sampled.walk),
        roof_bytes_per_s=sampled.read,
        roof_write_bytes_per_s=sampled.written,
        roof_flop_per_s=sampled.products,
        floor_seconds=probes.floor_seconds(bench, case, base.implementation, implementation),
        launch_seconds=device.launch_seconds(step.run),
        joules=None if joules is None else joules / case.steps,
        weight_sets=count,
        working_set_bytes=count * one_set,
        page_bytes=device.page_bytes(bench.memory(0, packed=True)) if packed else bench.page_bytes,
        own_weights=packed,
        rounds_to=implementations.rounds_to(implementation),
        prepare_seconds=prepare_seconds,
        error=worst,
        tolerance=judged.tolerance,
        state=state,
    )


def _otherwise(walk: probes.Walk, walked: probes.Walk) -> dict[str, int] | None:
    """How the read probe walked where it could not walk as the step does."""
    if walked == walk:
        return None
    return {"threads": walked.threads, "set_bytes": walked.one_set}


def _make_room(bench: Bench, case: Case, weights: int, copies: int) -> None:
    """Have the arena hold a point's weights.

    Raises Unavailable where this machine's memory does not hold the point, and NoRoom where it did when the run began.
    `copies` of the weights lie beside the arena: those that a library packs, and the block that stands in for them.
    """
    arena = bench.arena
    needed = memory_needed(case, weights) + copies * weights
    for bytes_needed, most in ((needed, bench.free_bytes // 2), (weights, arena.most_bytes)):
        if bytes_needed > most:
            raise Unavailable(
                f"too large for this machine's memory: it needs {bytes_needed} bytes and {most} are there for it, of "
                f"{bench.free_bytes} that were free"
            )
    more = needed - min(weights, arena.size_bytes)
    if more > NEARLY_ALL * bench.instruments.memory_available():
        bench.release()
    there = bench.instruments.memory_available()
    if more > NEARLY_ALL * there:
        was = bench.free_bytes
        raise NoRoom(
            f"{NO_ROOM}: it needs {more} bytes more and {there} are left of {was}: free some and --resume"
        )
    arena.grow(weights)


def _make_sure_it_ends(
    bench: Bench, case: Case, implementation: Implementation, sets: Sequence[Sequence[Tensor]]
) -> None:
    """Raise Unavailable for a sequence whose call, made some sixty times for a point, takes longer than is allowed."""
    expected = probes.call_seconds(bench, case, implementation, sets)
    if expected > bench.longest_call_seconds:
        raise Unavailable(
            f"a call of {case.steps} steps takes about {expected:.2g} s here, longer than the suite's "
            f"longest_call_seconds, {bench.longest_call_seconds:g}"
        )


@dataclass(frozen=True, slots=True)
class Sampled:
    """A step's samples, those of the probes beside it as rates, and what the read probe walked."""

    samples: rounds.Samples
    walk: probes.Walk
    read: tuple[float, ...]
    written: tuple[float, ...]
    products: tuple[float, ...]


def _rounds(
    bench: Bench,
    base: Point,
    step: rounds.Contender,
    walk: probes.Walk,
    between: Callable[[], None],
) -> Sampled:
    """The step beside its probes; once more, with the probe's variant sought anew, if it comes out impossible."""
    case = base.case
    assert base.bytes is not None
    assert base.flops is not None
    linear, written = base.flops["linear"], base.bytes["written"]
    for _attempt in range(2):
        probe = probes.read_probe(bench, walk)
        writing = probes.write_probe(bench, base.bytes, case.threads)
        calls = base.bytes["read"] / probe.bytes_per_pass
        product = None
        for reading, flops in roofline_model.stages(
            calls * probe.seconds_per_pass, 0.0, linear, base.projected
        ):
            product = product or probes.arithmetic_probe(bench, case, flops, reading)
        pairing = Pairing(
            steps=case.steps,
            read_calls=calls,
            write_calls=written / writing[1] if writing else 0.0,
            written_seconds=bench.write_seconds(written, case.threads),
            product_calls=linear / product[1] if product else 0.0,
            projected=base.projected,
        )
        others = [one for one in (writing, product) if one]
        samples = rounds.rounds(
            [step, probe.contender, *(contender for contender, _ in others)],
            pairing.fractions,
            bench.precision,
            bench.budget_seconds,
            bench.settle_seconds,
            between,
            bench.instruments.clock,
        )
        if stats.estimate(pairing.fractions(samples.seconds)).low <= roofline_model.IMPOSSIBLE:
            break
        bench.variants.pop(probe.walk, None)
    rates = [
        tuple(amount / seconds for seconds in row)
        for (_, amount), row in zip(others, samples.seconds[2:], strict=True)
    ]
    return Sampled(
        samples,
        walk=probe.walk,
        read=tuple(probe.bytes_per_pass / seconds for seconds in samples.seconds[1]),
        written=rates.pop(0) if writing else (),
        products=rates.pop(0) if product else (),
    )
