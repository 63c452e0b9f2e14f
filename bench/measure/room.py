"""Whether memory has room for a point: what it takes at its worst, and the arena grown for its weights."""

from dataclasses import replace

from bench.measure.context import Context
from kernels import cost
from kernels.case import ELEMENT_BYTES, Case, Unavailable
from kernels.reference.inputs import INPUT_SETS

NO_ROOM = "memory was taken by others"
"""How the reasons of points begin that might have been tried: a resumed run tries them."""

NEARLY_ALL = 0.75
"""Of the memory that is free, the share that a point may take at once."""


class NoRoom(Exception):
    """Memory that a point needs, and that was free when the run began, is taken."""


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


def make(context: Context, case: Case, weights: int, copies: int) -> None:
    """Have the arena hold a point's weights.

    Raises Unavailable where this machine's memory does not hold the point, and NoRoom where it did when the run began.
    `copies` of the weights lie beside the arena: those that a library packs, and the block that stands in for them.
    """
    arena, device, free = context.arena, context.device, context.free_bytes
    needed = memory_needed(case, weights) + copies * weights
    if case.phase == "train":
        needed += context.span_bytes  # at most, for the probes that store beside it
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
