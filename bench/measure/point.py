"""One point: build it, check it, visit it, check it again. Each of these returns a record, whatever happens."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import Tensor

from bench.device.device import Walk
from bench.measure import choice, probes, products, room, rotation, visit
from bench.measure.checker import Checker, Wrong
from bench.measure.context import Context
from bench.profile import stats
from bench.profile.records import Point, Status
from bench.telemetry import energy, memory
from bench.timing import interrupts, rounds, timeout
from kernels import cost, roofline_model
from kernels.case import Case, Unavailable
from kernels.contract import Implementation, Reads, reads_of
from kernels.reference.inputs import draw, redraw, set_bytes

VISITS = 3
"""To a point, at least."""
MOST_VISITS = 12
LOOKS = (3, 6, 12)
"""After so many visits, and at no other moment, it is looked whether they are precise."""

LOST = "the device was lost in this process"
"""How the reasons of points begin that could not be tried for it: a resumed run tries them."""

ABSOLUTE_PATH = re.compile(r"((?:[A-Za-z]:)?[/\\](?:[^/\\\s'\":]+[/\\])+)([^/\\\s'\":]*)")
"""A path as error messages hold them: its folders are cut off, because a profile names no folder of its user's."""

LEAST_FREE = 256 << 20
"""Bytes of memory: whoever takes so many more and leaves less is stopped, before the system stops the run."""

SINGLE_SECONDS = 20e-6
"""Shortest step that is timed alone: the clock itself takes some 0.1 us."""

T = TypeVar("T")


@dataclass
class History:
    """What happened at the visits to a point, whether it stayed built between them or not.

    spent_seconds  what its rounds took
    retaken        how often the visit that is due was made in vain, because threads shared a core
    anew           whether its samples came out impossible, and go with the next visit; `once_anew`: whether they did
    """

    spent_seconds: float = 0.0
    retaken: int = 0
    anew: bool = False
    once_anew: bool = False


class Opened:
    """A point that is built and checked, ready to be visited: its bound steps, and its record so far.

    record      as it is known now, the samples of its visits in it
    kept_bytes  about what it keeps of memory beside the arena
    """

    def __init__(
        self,
        context: Context,
        base: Point,
        implementation: Implementation,
        checker: type[Checker],
        earlier: Point | None,
        history: History,
    ) -> None:
        """Build and check. Raises what the implementation raises, Wrong, Unavailable, room.NoRoom.

        `earlier` is the record of visits that an earlier process, or this one before it let go of the point, made.
        """
        case, arena = base.case, context.arena
        self._history, taken_before = history, context.device.memory_taken()
        self._context, self._base, self._implementation = context, base, implementation
        if reason := implementation.unavailable(case):
            raise Unavailable(reason)
        self._layout = implementation.layout(case)
        one_set = set_bytes(self._layout, case.dtype)
        self._count = rotation.weight_sets(case, one_set, context.span_bytes, arena.most_bytes)
        used = self._count * one_set
        rotation.length(self._count)  # before so many sets are made
        packed = bool(implementation.packs(case))
        room.make(context, case, used, copies=2 if packed else 0)
        sets = arena.sets(self._layout, case.dtype, self._count)
        _digest(context)
        self._generator = torch.Generator(device=case.device).manual_seed(context.seed)
        self._inputs = draw(case, self._generator)
        if case.steps > 1:
            _make_sure_it_ends(context, case, implementation, sets)
            one_set = min(one_set, cost.walked_bytes(case, base.reads or cost.PER_STEP))
        self._checker = checker(case, implementation, sets, self._inputs, arena, used, context.seed)
        prepared_before, began = context.cache.preparing_seconds, perf_counter()
        known = earlier.choice if earlier else None
        way = choice.made(implementation, case, sets, self._inputs, known)
        context.cache.preparing_seconds += perf_counter() - began
        steps = rotation.prepare(context, implementation, case, sets, self._inputs, way)
        prepare_seconds = context.cache.preparing_seconds - prepared_before
        ran = products.counted(steps[0][2], case.steps)
        self._steps = steps
        error = self._checker.check(steps, "before it was timed")

        turning = rotation.in_turn([call for _, _, call in steps])
        self._step = rounds.Contender(turning, pass_calls=self._count)
        self._walk = Walk(one_set, self._count, case.threads, cost.WEIGHT_READS[case.phase], packed)
        self._telemetry = context.device.telemetry()
        self._telemetry.pause()
        self._state_before = (earlier.state if earlier else None) or {}
        self._beside: visit.Beside | None = None
        self._floors = [earlier.floor_seconds] if earlier and earlier.floor_seconds else []
        self._taken = 0
        activations = sum(tensor.nbytes for one in self._inputs for tensor in one)
        self.kept_bytes = 2 * activations + packed * used
        if case.device == "cuda":  # a process's own memory tells less
            self.kept_bytes = max(self.kept_bytes, context.device.memory_taken() - taken_before)
        kept = {name: getattr(earlier, name) for name in visit.FIELDS} if earlier else {}
        self.record = replace(
            base,
            status="ok",
            version=str(implementation.version()),
            choice=way.name if way else None,
            products=ran,
            weight_sets=self._count,
            working_set_bytes=self._count * one_set,
            page_bytes=context.page_bytes,
            own_weights=packed,
            rounds_to=implementation.rounds_to,
            prepare_seconds=(earlier.prepare_seconds or 0.0) if earlier else prepare_seconds,
            error=max(error, (earlier.error if earlier else None) or 0.0),
            tolerance=self._checker.tolerance,
            checked_again=False,
            **kept,
        )

    def visited(self) -> Point:
        """One more visit. The record: failed where something went wrong, as it was where threads shared a core.

        Such a visit is made again, the first one at once.
        """
        self.record = _guarded(self._context, self._base, self._visited)
        return self.record

    def enough(self, wanted: int) -> bool:
        """Whether `wanted` visits are made, and no more are needed to be as precise as the suite asks, or affordable.

        A point that comes out impossible is begun anew, once, with the probe's variant sought anew.
        """
        taken, context, history = len(self.record.visits or ()), self._context, self._history
        if taken < wanted or history.anew:
            return False
        found = visit.fraction(context, self.record)
        if found.low > roofline_model.IMPOSSIBLE and not history.once_anew:
            if self._beside is not None:
                context.cache.variants.pop(probes.alike(self._beside.reading.walk), None)
            self._beside, history.anew, history.once_anew = None, True, True
            return False
        if taken >= MOST_VISITS or history.spent_seconds >= context.budget_seconds:
            return True
        return taken in LOOKS and found.half_width <= context.precision

    def finished(self) -> Point:
        """Single steps, energy, and the second check; the record, complete or failed."""
        self.record = _guarded(self._context, self._base, self._finished)
        return self.record

    def _visited(self) -> Point:
        context, case = self._context, self._base.case
        # float16's have bits of their own, which another point's may have replaced
        context.arena.sets(self._layout, case.dtype, self._count)
        _digest(context)
        had = context.device.memory_taken() - self._taken

        def between() -> None:
            redraw(self._inputs, self._generator)
            taken, free = context.device.memory_taken() - had, context.device.memory_available()
            if taken > LEAST_FREE > free:
                msg = f"it took {taken} bytes of memory since it was built, and {free} were left"
                raise Wrong(msg)

        history = self._history
        so_far = replace(self.record, **visit.NONE) if history.anew else self.record
        self._telemetry.resume()
        if self._beside is None:
            before = context.device.memory_taken()
            floor = probes.floor(context, case, self._base.implementation, self._implementation)
            self._beside = visit.beside(context, so_far, self._step, self._walk, floor)
            had += context.device.memory_taken() - before  # what probes store to is not the step's
        began, made = perf_counter(), None
        while made is None:
            made = visit.taken(context, so_far, self._beside, between, history.retaken)
            history.retaken = 0 if made else history.retaken + 1
            if self.record.visits:
                break  # a machine stays in one state for a while: in another pass
        history.spent_seconds += perf_counter() - began
        self._telemetry.pause()
        self._taken = context.device.memory_taken() - had
        self._checker.rules("while it was timed")
        if made is None:
            return self.record
        found, floor_seconds = made
        history.anew = False
        self._floors += [floor_seconds] if floor_seconds else []
        floors = found.floor_beside or self._floors
        walked = self._beside.reading.walk
        otherwise = {"threads": walked.threads, "set_bytes": walked.one_set}
        packed = self._walk.packed
        own = context.device.page_bytes(context.memory(0, packed=True)) if packed else None
        return replace(
            found,
            floor_seconds=stats.median(floors) if floors else None,
            roof_walk=otherwise if walked != self._walk else None,
            page_bytes=own if packed else context.page_bytes,
            state=_seen(self._telemetry.seen(), self._state_before),
        )

    def _finished(self) -> Point:
        context, device, case = self._context, self._context.device, self._base.case
        context.arena.sets(self._layout, case.dtype, self._count)
        usual = stats.median(self.record.seconds) * case.steps
        alone = case.steps == 1 and usual > SINGLE_SECONDS
        single = rounds.single_calls(self._step, 0.02, device.clock) if alone else None
        launching = device.launch_seconds(self._step.run)
        joules = energy.of_calls(device.meter, self._step.run, usual, device.wait, launching)
        error = self._checker.check(self._steps, "after it was timed")
        return replace(
            self.record,
            single_step_seconds=single,
            launch_seconds=launching,
            joules=None if joules is None else joules / case.steps,
            error=max(error, self.record.error or 0.0),
            checked_again=True,
        )


def opened(
    context: Context,
    case: Case,
    name: str,
    implementation: Implementation,
    order: int,
    checker: type[Checker] = Checker,
    earlier: Point | None = None,
    history: History | None = None,
) -> Opened | Point:
    """`case` by `implementation`, built and checked; or its record, where that fails or cannot be.

    What `checker` finds wrong or any error fails it; what cannot be is skipped. Its device is not lost yet. `earlier`
    has visits that were made before, `history` what happened at them.
    """
    base = Point(
        case=case,
        implementation=name,
        status="failed",
        order=order,
        at=earlier.at if earlier else datetime.now(UTC).isoformat(timespec="seconds"),
    )
    counted = _guarded(context, base, lambda: _counted(base, _reads(implementation, case)))
    if counted.reason:
        return counted
    return _guarded(
        context,
        counted,
        lambda: Opened(context, counted, implementation, checker, earlier, history or History()),
    )


def point(
    context: Context,
    case: Case,
    name: str,
    implementation: Implementation,
    order: int,
    checker: type[Checker] = Checker,
) -> Point:
    """Measure `case` by `implementation`, its visits one after the other."""
    found = opened(context, case, name, implementation, order, checker)
    if isinstance(found, Point):
        return found
    while not found.enough(VISITS):
        if found.visited().status != "ok":
            return found.record
    return found.finished()


def _guarded(context: Context, base: Point, work: Callable[[], T]) -> T | Point:
    """What `work` returns, or why it did not, as the record of a point without samples.

    The arena is filled anew where it was written to: the next point reads the same.
    """

    def without(reason: str, status: Status = "failed") -> Point:
        return replace(base, status=status, reason=reason)

    allowed = timeout.of_point(context.budget_seconds, context.device.name)
    found: T | Point
    try:
        with timeout.within(allowed), torch.inference_mode(base.case.phase == "step"):
            found = work()
    except Unavailable as reason:
        found = without(str(reason), "skipped")
    except torch.OutOfMemoryError as error:
        # its first line says how much was wanted, and how much there was
        found = without(first_line(error), "skipped")
    except (Wrong, room.NoRoom, timeout.TooLong) as reason:
        found = without(str(reason))
    except BaseException as error:
        # whatever an implementation raises is a finding, a wish to exit too, and the run goes on
        if interrupts.asked():
            raise
        found = without(f"{type(error).__name__}: {first_line(error)}"[:500])
    if cause := context.device.lost():
        return without(f"{LOST} while it was measured: {cause}")
    if isinstance(found, Point) and (found.reason or found.checked_again):
        held, weights = _digest(context)
        if context.arena.digest(held) != weights:
            context.arena.refill()
    return found


def _digest(context: Context) -> tuple[int, int]:
    """Bytes that the arena holds, and their digest while nobody had written there."""
    arena, held = context.arena, context.arena.size_bytes
    kind = held, arena.filled_as
    if kind not in context.cache.digests:
        context.cache.digests[kind] = arena.digest(held)
    return held, context.cache.digests[kind]


def first_line(error: BaseException) -> str:
    """What an error says, without folders; of Triton's compiler its own message, which stands below the source."""
    text = str(getattr(error, "error_message", None) or error)
    return ABSOLUTE_PATH.sub(r"\2", text.strip().split("\n", 1)[0])


def _seen(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The state during all visits, of those before the point was built anew too: of load the most, of causes all."""
    loads = [load for one in (now, before) if (load := one.get("load")) is not None]
    causes = {*now.get("throttle", ()), *before.get("throttle", ())}
    return {**now, "load": max(loads, default=None), "throttle": sorted(causes)}


def _reads(implementation: Implementation, case: Case) -> Reads:
    """How often it reads W and U on this machine."""
    asks = callable(implementation.reads) and case.device == "cpu"
    own_bytes = memory.own_cache_bytes() if asks else None
    return reads_of(implementation, case, own_bytes)


def _counted(base: Point, reads: Reads) -> Point:
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
