"""The rotation of a step through its weights and inputs: how many sets there are, and the calls bound to them."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import torch
from torch import Tensor

from bench.device import threads
from bench.measure.context import Context
from bench.timing import rounds
from kernels.case import Case, Unavailable
from kernels.contract import Choice, Implementation
from kernels.reference.cells import Inputs
from kernels.reference.inputs import INPUT_SETS, draw

Step = tuple[int, int, Callable[[], Sequence[Tensor]]]
"""Number of the weight set, number of the input set, and the call bound to them."""

MOST_STEPS = 1 << 16
"""Longest rotation of bound steps: beyond it the list itself would fill the caches."""

GLANCE_STEPS = 10
"""Steps of the call from which the length of a longer one is told."""


def weight_sets(
    case: Case, one_set_bytes: int, span_bytes: int, most_bytes: int | None = None
) -> int:
    """How many sets of weights a case rotates through: one where resident, else as many as span `span_bytes`.

    Several on a GPU are a multiple of the sets of inputs: each pair that the rotation meets may be a graph of its own,
    and a GPU that replays many in turn takes longer for each (on an H200 11 us for one, 20 for 13, 43 for 52).

    No more than `most_bytes` hold: where memory is short the last set would not fit, and those before it span nearly as
    much.
    """
    if case.residency == "resident":
        return 1
    needed = math.ceil(span_bytes / one_set_bytes)
    if case.device == "cuda" and needed > 1:
        needed = math.ceil(needed / INPUT_SETS) * INPUT_SETS
    return max(1, needed if most_bytes is None else min(needed, most_bytes // one_set_bytes))


def length(sets: int) -> int:
    """How many bound steps meet every set of weights with inputs in turn. Raises Unavailable for too many."""
    steps = math.lcm(sets, INPUT_SETS)
    if steps > MOST_STEPS:
        raise Unavailable(
            f"its weights are too small to stream: that takes {steps} bound steps, more than {MOST_STEPS}"
        )
    return steps


def bind(
    implementation: Implementation,
    case: Case,
    sets: Sequence[Sequence[Tensor]],
    inputs: Sequence[Inputs],
    choice: Choice | None = None,
) -> list[Step]:
    """The step of every pair of sets that the rotation meets, in its order; by a choice, where one was made."""
    pairs = [(j % len(sets), j % len(inputs)) for j in range(length(len(sets)))]
    with threads.unbound():
        chosen = () if choice is None else (choice,)
        of_pair = implementation.prepare(case, sets, inputs, *chosen)
        return [(w, i, of_pair(w, i)) for w, i in pairs]


def prepare(
    context: Context,
    implementation: Implementation,
    case: Case,
    sets: Sequence[Sequence[Tensor]],
    inputs: Sequence[Inputs],
    choice: Choice | None = None,
) -> list[Step]:
    """The rotation's steps, as `bind` makes them; the first was called once, for many compile then.

    How long all that took is added to the cache's `preparing_seconds`.
    """
    began = perf_counter()
    try:
        steps = bind(implementation, case, sets, inputs, choice)
        steps[0][2]()
        context.device.wait()
    finally:
        context.cache.preparing_seconds += perf_counter() - began
    return steps


def in_turn(calls: Sequence[Callable[[], object]]) -> Callable[[int], None]:
    """A function of the number of calls to make, going on where it stopped."""
    turning = itertools.cycle(calls)

    def run(count: int) -> None:
        for call in itertools.islice(turning, count):
            call()

    return run


def call_seconds(
    context: Context, case: Case, implementation: Implementation, sets: Sequence[Sequence[Tensor]]
) -> float:
    """About how long a call of a sequence takes: read off calls of two steps and of a few, in proportion."""
    few, seconds = min(case.steps, GLANCE_STEPS), []
    for steps in (2, few):
        short = replace(case, steps=steps)
        inputs = draw(short, torch.Generator(device=case.device).manual_seed(context.seed))
        with threads.unbound():
            call = implementation.prepare(short, sets, inputs)(0, 0)
        seconds.append(context.best(rounds.Contender(in_turn([call])), 3, 0.0))
    each = max(0.0, seconds[1] - seconds[0]) / max(1, few - 2)
    return seconds[0] + each * (case.steps - 2)
