"""One point: build it, check it, time it beside its roofs, check it again. Returns a record whatever happens."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import torch
from torch import Tensor

from bench.device.device import Walk
from bench.measure import probes, products, rotation
from bench.measure.checker import Checker, Wrong
from bench.measure.context import Context
from bench.profile import stats
from bench.profile.records import Point
from bench.telemetry import energy
from bench.timing import interrupts, rounds, timeout
from kernels import cost, roofline_model
from kernels.case import ELEMENT_BYTES, Case, Unavailable
from kernels.contract import Implementation
from kernels.reference.inputs import INPUT_SETS, draw, redraw, set_bytes

LOST = "the device was lost in this process"
NO_ROOM = "memory was taken by others"
"""How the reasons of points begin that could not be tried and might have been: a resumed run tries them."""

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
    context: Context,
    case: Case,
    name: str,
    implementation: Implementation,
    order: int,
    checker: type[Checker] = Checker,
) -> Point:
    """Measure `case` by `implementation`.

    What `checker` finds wrong or any error fails it; what cannot be is skipped. Its device is not lost yet.
    """
    base = Point(
        case=case,
        implementation=name,
        status="failed",
        order=order,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    held, weights = _digest(context)
    allowed = timeout.of_point(context.budget_seconds, context.device.name)
    try:
        base = _counted(base, implementation.reads)
        with timeout.within(allowed), torch.inference_mode(case.phase == "step"):
            found = _measured(context, base, implementation, checker)
    except Unavailable as reason:
        found = replace(base, status="skipped", reason=str(reason))
    except torch.OutOfMemoryError as error:
        # its first line says how much was wanted, and how much there was
        found = replace(base, status="skipped", reason=first_line(error))
    except (Wrong, NoRoom, timeout.TooLong) as reason:
        found = replace(base, reason=str(reason))
    except BaseException as error:
        # whatever an implementation raises is a finding, a wish to exit too, and the run goes on
        if interrupts.asked():
            raise
        found = replace(base, reason=f"{type(error).__name__}: {first_line(error)}"[:500])
    if cause := context.device.lost():
        return replace(base, reason=f"{LOST} while it was measured: {cause}")
    if context.arena.digest(held) != weights:
        context.arena.refill()  # whatever wrote there: the next point reads the same arena
    return found


def _digest(context: Context) -> tuple[int, int]:
    """Bytes that the arena holds, and their digest: as the point before left them, for that one saw them unchanged."""
    cache, arena, held = context.cache, context.arena, context.arena.size_bytes
    if cache.digest is None or cache.digest[:2] != (arena, held):
        cache.digest = arena, held, arena.digest(held)
    return cache.digest[1:]


def first_line(error: BaseException) -> str:
    """What an error says, without folders; of Triton's compiler its own message, which stands below the source."""
    text = str(getattr(error, "error_message", None) or error)
    return ABSOLUTE_PATH.sub(r"\2", text.strip().split("\n", 1)[0])


def memory_needed(case: Case, arena_bytes: int) -> int:
    """Bytes a point takes at its worst: its weights, the float64 reference's, and the activations of both.

    To train, the gradients of the weights come in float64 too: the reference's, those as collected from the answer, and
    their difference, each in one or two forms. What a sequence keeps of all its steps beside its inputs, outputs and
    gate sums, is 6 elements per unit, as float64.
    """
    step = cost.count(replace(case, phase="step", steps=1))
    exact = step.weight_bytes // ELEMENT_BYTES[case.dtype] * 8
    activations = case.batch * (case.steps * case.input + 12 * case.hidden)
    kept = (case.steps - 1) * case.batch * 6 * case.hidden * 8
    if case.phase == "train":
        exact, activations = 8 * exact, 4 * activations
    each = INPUT_SETS * ELEMENT_BYTES[case.activations] + 8
    return arena_bytes + exact + activations * each + kept


def _counted(base: Point, reads: Mapping[str, str]) -> Point:
    """With its FLOPs and bytes, for an implementation that reads its weights so often."""
    costs = cost.count(base.case, reads)
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
    context: Context, base: Point, implementation: Implementation, checker: type[Checker]
) -> Point:
    case, device = base.case, context.device
    if reason := implementation.unavailable(case):
        raise Unavailable(reason)
    layout = implementation.layout(case)
    one_set = set_bytes(layout, case.dtype)
    count = rotation.weight_sets(case, one_set, context.span_bytes, context.arena.most_bytes)
    used = count * one_set
    rotation.length(count)  # before so many sets are made
    packed = bool(implementation.packs(case))
    _make_room(context, case, used, copies=2 if packed else 0)
    sets = context.arena.sets(layout, case.dtype, count)
    generator = torch.Generator(device=case.device).manual_seed(context.seed)
    inputs = draw(case, generator)
    if case.steps > 1:
        _make_sure_it_ends(context, case, implementation, sets)
        one_set = min(one_set, cost.walked_bytes(case, implementation.reads))
    checked = checker(case, implementation, sets, inputs, context.arena, used, context.seed)
    prepared_before = context.cache.preparing_seconds
    steps = rotation.prepare(context, implementation, case, sets, inputs)
    prepare_seconds = context.cache.preparing_seconds - prepared_before
    ran = products.counted(steps[0][2], case.steps)
    worst = checked.check(steps, "before it was timed")

    turning = rotation.in_turn([call for _, _, call in steps])
    step = rounds.Contender(turning, pass_calls=count)
    walk = Walk(one_set, count, case.threads, cost.WEIGHT_READS[case.phase], packed)
    telemetry = device.telemetry()
    had = device.memory_taken()

    def between() -> None:
        redraw(inputs, generator)
        taken, free = device.memory_taken() - had, device.memory_available()
        if taken > LEAST_FREE > free:
            raise Wrong(f"it took {taken} bytes of memory since it was built, and {free} were left")

    samples, walked, (read, written, multiplied) = _rounds(context, base, step, walk, between)
    state = telemetry.seen()
    usual = stats.median(samples.seconds[0])
    alone = case.steps == 1 and usual > SINGLE_SECONDS
    single = rounds.single_calls(step, 0.02, device.clock) if alone else None
    launching = device.launch_seconds(step.run)
    joules = energy.of_calls(device.meter, step.run, usual, device.wait, launching)
    worst = max(worst, checked.check(steps, "after it was timed"))
    own = device.page_bytes(context.memory(0, packed=True)) if packed else context.page_bytes
    otherwise = {"threads": walked.threads, "set_bytes": walked.one_set}
    return replace(
        base,
        status="ok",
        version=str(implementation.version()),
        seconds=tuple(taken / case.steps for taken in samples.seconds[0]),
        steps_per_sample=samples.calls[0] * case.steps,
        single_step_seconds=single,
        roof_walk=otherwise if walked != walk else None,
        roof_bytes_per_s=read,
        roof_write_bytes_per_s=written,
        roof_flop_per_s=multiplied,
        products=ran,
        floor_seconds=probes.floor_seconds(context, case, base.implementation, implementation),
        launch_seconds=launching,
        joules=None if joules is None else joules / case.steps,
        weight_sets=count,
        working_set_bytes=count * one_set,
        page_bytes=own,
        own_weights=packed,
        rounds_to=implementation.rounds_to,
        prepare_seconds=prepare_seconds,
        error=worst,
        tolerance=checked.tolerance,
        state=state,
    )


def _make_room(context: Context, case: Case, weights: int, copies: int) -> None:
    """Have the arena hold a point's weights.

    Raises Unavailable where this machine's memory does not hold the point, and NoRoom where it did when the run began.
    `copies` of the weights lie beside the arena: those that a library packs, and the block that stands in for them.
    """
    arena, device, free = context.arena, context.device, context.free_bytes
    needed = memory_needed(case, weights) + copies * weights
    for bytes_needed, most in ((needed, free // 2), (weights, arena.most_bytes)):
        if bytes_needed > most:
            raise Unavailable(
                f"too large for this machine's memory: it needs {bytes_needed} bytes and {most} are there for it, of "
                f"{free} that were free"
            )
    more = needed - min(weights, arena.size_bytes)
    if more > NEARLY_ALL * device.memory_available():
        context.cache.release()
    there = device.memory_available()
    if more > NEARLY_ALL * there:
        raise NoRoom(
            f"{NO_ROOM}: it needs {more} bytes more and {there} are left of {free}: free some and --resume"
        )
    arena.grow(weights)


def _make_sure_it_ends(
    context: Context, case: Case, implementation: Implementation, sets: Sequence[Sequence[Tensor]]
) -> None:
    """Raise Unavailable for a sequence whose call, made some sixty times for a point, takes longer than is allowed."""
    expected = rotation.call_seconds(context, case, implementation, sets)
    if expected > context.longest_call_seconds:
        raise Unavailable(
            f"a call of {case.steps} steps takes about {expected:.2g} s here, longer than the suite's "
            f"longest_call_seconds, {context.longest_call_seconds:g}"
        )


def _rounds(
    context: Context, base: Point, step: rounds.Contender, walk: Walk, between: Callable[[], None]
) -> tuple[rounds.Samples, Walk, list[tuple[float, ...]]]:
    """The step beside its probes; once more, with the probe's variant sought anew, if it comes out impossible.

    Returns the samples, what the read probe walked, and the rates of the read, write and product probe, () of one that
    is not paired.
    """
    case = base.case
    assert base.bytes is not None
    assert base.flops is not None
    read, written, linear = base.bytes["read"], base.bytes["written"], base.flops["linear"]
    for _attempt in range(2):
        reading = probes.read_probe(context, walk)
        writing = probes.write_probe(context, base.bytes, case.threads)
        t_read = read / reading.amount * reading.seconds_per_pass
        product = None
        for t_bytes, flops in roofline_model.stages(t_read, 0.0, linear, base.projected):
            product = product or probes.arithmetic_probe(context, case, flops, t_bytes)
        three = (reading, writing, product)
        figure = partial(
            fractions,
            steps=case.steps,
            calls=[
                amount / probe.amount if probe else None
                for amount, probe in zip((read, written, linear), three, strict=True)
            ],
            written_seconds=context.write_seconds(written, case.threads),
            projected=base.projected,
        )
        samples = rounds.rounds(
            [step, *(probe.contender for probe in three if probe)],
            figure,
            context.precision,
            context.budget_seconds,
            context.settle_seconds,
            between,
            context.device.clock,
        )
        if stats.estimate(figure(samples.seconds)).low <= roofline_model.IMPOSSIBLE:
            break
        context.cache.variants.pop(reading.walk, None)
    rows = iter(samples.seconds[1:])
    rates = [
        tuple(probe.amount / seconds for seconds in next(rows)) if probe else () for probe in three
    ]
    return samples, reading.walk, rates


def fractions(
    rows: Sequence[Sequence[float]],
    steps: int,
    calls: Sequence[float | None],
    written_seconds: float,
    projected: tuple[float, float],
) -> list[float]:
    """Round by round, the least that bytes and products need, over the step's time.

    `rows` are seconds per call of the step, which holds `steps` of them, and of the probes that are paired; `calls` how
    many calls of the read, write and product probe make up one step, None for one that is not paired. Where writing is
    not, it takes `written_seconds`, as the surveyed roof says. `projected` are the shares of reading and products that
    a hoisted sequence does first (`kernels.roofline_model`).
    """
    found = []
    for taken, *each in zip(*rows, strict=True):
        seconds = iter(each)
        reading, writing, products = (count and count * next(seconds) for count in calls)
        writing = written_seconds if writing is None else writing
        least = roofline_model.limit(reading or 0.0, writing, products or 0.0, projected)
        found.append(least * steps / taken)
    return found
