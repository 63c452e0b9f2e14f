"""Known-answer steps, which the instrument must score as what they are (METHODOLOGY.md).

Each reads its weights with the read probe itself, and its weights in PyTorch's convention are zeros, so that the right
answer of an RNN is zero whatever the input: it passes the check while its time is known against the roof.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from bench.device.threads import named
from bench.measure.checker import Checker
from bench.measure.rotation import Step
from bench.roofs import _vector, call, read
from kernels.case import Case
from kernels.contract import Implementation
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Layout, set_bytes

TRUTHS: dict[str, tuple[float, float] | None] = {
    # the share of its paired read roof that it must reach, from .. to; None: it must be called impossible
    "reads once": (0.97, 1.03),
    "reads twice": (0.48, 0.52),
    "sleeps as long as it works": (0.48, 0.52),
    "does nothing": None,
}


class TrustingChecker(Checker):
    """Looks at answers alone: in PyTorch's convention these steps' weights are zeros, whatever the arena holds."""

    def follow(self, step: Step, when: str) -> None:
        """They need not."""


class Place(NamedTuple):
    """Where a known-answer step's weights lie: the case it poses as, and in how many passes over a block it reads."""

    case: Case
    passes: int
    truths: tuple[str, ...]


def places(private_bytes: int, last_level_bytes: int, threads: int) -> dict[str, Place]:
    """A step in a core's own cache, in the last level, streamed, and in memory, and which truths hold there.

    Steps claim eight times the last level's bytes, and in a cache read them in one call, as passes over a block that
    fits (half a core's own cache, a quarter of the last level, which neighbours may share): what a call costs beside
    reading must not be taken for an error of the instrument. That is more than its floor, because the code that makes
    the call is out of the caches when a step has streamed through them: 13 us with one thread, 30 us with two that wait
    for each other, seen where floors were 3 us. So several threads are tried where a call lasts milliseconds. Weights
    streamed and read twice are found in the cache the second time, and a pause puts a pool of threads to sleep and
    leaves a shared cache to its neighbours: those truths are asked for where they hold.
    """
    H = _hidden(8 * last_level_bytes)
    whole = Case(cell="rnn", hidden=H, input=H, batch=1, threads=threads)
    claimed = 8 * H * H
    every = tuple(TRUTHS)
    pauseless = ("reads once", "reads twice", "does nothing")
    two_sets = _hidden(int(3.5 * last_level_bytes))
    streamed = replace(whole, hidden=two_sets, input=two_sets, residency="streamed")
    alone = replace(whole, threads=1)
    return {
        "own cache, 1 thread": Place(alone, 2 * claimed // private_bytes, every),
        "last level, 1 thread": Place(alone, 4 * claimed // last_level_bytes, pauseless),
        f"streamed, {named(threads)}": Place(streamed, 1, ("reads once", "does nothing")),
        f"memory, {named(threads)}": Place(whole, 1, pauseless),
    }


def _hidden(weight_bytes: int) -> int:
    """The multiple of 32 whose RNN has about so many bytes of float32 weights: 2*H*H elements."""
    return max(32, round(math.sqrt(weight_bytes / 8) / 32) * 32)


def layout(place: Place, case: Case) -> Layout:
    """One block of float32: the share of the claimed weights that one pass reads."""
    weights = case.hidden * (case.input + case.hidden) + 2 * case.hidden
    return ((weights // place.passes,),)


def implementation(truth: str, place: Place, variant: _vector.Variant) -> Implementation:
    """The known-answer step of that name in that place, reading as `variant` does."""

    def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:
        dtype, H, I = tensors[0].dtype, case.hidden, case.input  # noqa: E741 - the method's own letters
        shapes = ((H, I), (H, H), (H,), (H,))
        return Weights(*(torch.zeros(shape, dtype=dtype) for shape in shapes))

    def prepare(
        case: Case, sets: Sequence[Sequence[Tensor]], _inputs: Sequence[Inputs]
    ) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
        answer = (torch.zeros(case.batch, case.hidden),)
        # filled without torch's dispatcher, whose code is out of the caches by then
        zeros = answer[0].numpy()
        size = set_bytes(layout(place, case), case.dtype)
        passes = place.passes * {"does nothing": 0, "reads twice": 2}.get(truth, 1)

        def bind(w: int, _i: int) -> Callable[[], Sequence[Tensor]]:
            if read.bytes_per_pass(variant, size, case.threads):
                once = read.prepare(variant, sets[w][0].data_ptr(), size, case.threads)
            else:
                once = call.prepare(case.threads)  # the floor's call, too small to be shared out

            def step() -> Sequence[Tensor]:
                start = perf_counter()
                if passes:
                    once(passes)
                wake = 2 * perf_counter() - start
                while truth == "sleeps as long as it works" and perf_counter() < wake:
                    pass
                zeros.fill(0)
                return answer

            return step

        return bind

    return Implementation(
        label=truth,
        reads={"W": "per_step", "U": "per_step"},
        version=lambda: "planted",
        unavailable=lambda _case: None,
        layout=partial(layout, place),
        canonical=canonical,
        prepare=prepare,
    )
