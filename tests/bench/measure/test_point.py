"""A point is checked, rotates through all its weights and inputs, and ends in a record whatever happens."""

from __future__ import annotations

import re
from dataclasses import replace
from math import lcm

import pytest

from bench.device import threads
from bench.measure import point, probes, room, rotation
from bench.measure.checker import CALLS_IN_A_ROW
from bench.session import run
from bench.telemetry import memory
from bench.timing import rounds
from kernels import cost, implementations
from kernels.case import RESIDENCIES, Case
from kernels.reference import check
from kernels.reference.inputs import INPUT_SETS, Arena, set_bytes
from tests.kernels import declared

torch_cell = implementations.load("torch_cell")
CASE = Case("lstm", hidden=64, input=32, batch=4)
PREPARED = 2
"""The first call, in which many compile, and the one whose products are counted."""
JUDGED = PREPARED + CALLS_IN_A_ROW * INPUT_SETS + 2
"""Calls before the timing: the check's, its two with changed weights among them, and the first."""

STREAMED = Case("lstm", hidden=64, input=32, batch=4, residency="streamed")


def spy(log):
    """PyTorch's cell, noting which weights and inputs each call uses."""

    def prepare(case, sets, inputs):
        bind = torch_cell.prepare(case, sets, inputs)

        def bound(w, i):
            step = bind(w, i)

            def call():
                if case.hidden != probes.FLOOR_SIZE:
                    log.append((w, i))
                return step()

            return call

        return bound

    return replace(torch_cell, prepare=prepare)


@declared.each(
    "residency", but=declared.COMPILED, residency=RESIDENCIES, device="cpu", cell="lstm", steps=1
)
def test_a_good_point_has_samples_beside_its_roof_and_passed_its_check(context, name, residency):
    """But for the implementation that compiles for seconds: suite smoke measures it."""
    case = replace(CASE, residency=residency, dtype="int8" if name == "torch_int8" else CASE.dtype)
    implementation = implementations.load(name)
    if reason := implementation.unavailable(case):
        pytest.skip(reason)
    found = point.point(context, case, name, implementation, order=5)
    assert (found.status, found.reason, found.order) == ("ok", None, 5)
    assert len(found.seconds) == len(found.roof_bytes_per_s) >= 10
    assert all(s > 0 for s in (*found.seconds, *found.roof_bytes_per_s, found.floor_seconds))
    assert 0 <= found.error <= found.tolerance == check.tolerance(case, found.rounds_to)
    assert found.roof_flop_per_s == ()
    counted = cost.count(case)
    assert found.bytes["read"] == counted.bytes_read
    assert found.flops["linear"] == counted.linear_flops
    one_set = set_bytes(implementation.layout(case), case.dtype)
    assert found.working_set_bytes == found.weight_sets * one_set


@pytest.mark.parametrize("name", ["torch_cell", "torch_gates"])
@pytest.mark.parametrize("case", [CASE, STREAMED], ids=["resident", "streamed"])
def test_a_good_point_of_training_is_held_against_a_training_steps_cost(context, name, case):
    case = replace(case, phase="train")
    found = point.point(context, case, name, implementations.load(name), order=5)
    assert (found.status, found.reason) == ("ok", None)
    assert 0 < found.error <= found.tolerance
    counted = cost.count(case)
    assert found.flops["linear"] == counted.linear_flops == 3 * cost.count(CASE).linear_flops
    assert found.bytes["read"] == counted.bytes_read
    assert found.bytes["gradients"] == counted.gradient_bytes
    assert found.key == f"{case.id}-{name}"


def test_the_probe_beside_training_reads_each_set_twice_in_a_row(context, monkeypatch):
    asked = []
    real = probes.read_probe
    monkeypatch.setattr(probes, "read_probe", lambda *a: asked.append(real(*a)) or asked[-1])
    for phase in ("step", "train"):
        point.point(context, replace(STREAMED, phase=phase), "torch_cell", torch_cell, order=0)
    step, train = asked[0], asked[-1]
    assert train.amount == 2 * step.amount


def test_a_floor_of_training_is_another_one(context):
    step, train = (
        probes.floor(context, replace(CASE, phase=phase), "torch_cell", torch_cell)
        for phase in ("step", "train")
    )
    assert len(context.cache.floors) == 2
    assert step is not train


def forgets(what):
    """PyTorch's cell in training, whose answer `what` spoils."""

    def prepare(case, sets, inputs):
        bind = torch_cell.prepare(case, sets, inputs)
        if case.phase == "step":
            return bind
        return lambda w, i: lambda: what(bind(w, i)())

    return replace(torch_cell, prepare=prepare)


@pytest.mark.parametrize(
    "what",
    [
        lambda answer: answer[:2],
        lambda answer: [*answer[:5], 2 * answer[5], *answer[6:]],
        lambda answer: [*answer[:7], answer[7] * 0, answer[8]],
        lambda answer: [*answer[:2], *(t.half().float() for t in answer[2:])],
    ],
    ids=["no gradients", "twice W's", "none of a bias", "float16"],
)
def test_wrong_gradients_are_a_failed_point_and_never_timed(context, monkeypatch, what):
    monkeypatch.setattr(rounds, "alternate", None)
    case = replace(CASE, phase="train")
    found = point.point(context, case, "forgets", forgets(what), order=0)
    assert found.status == "failed"
    assert "wrong answer before it was timed" in found.reason


def test_gradients_added_to_what_was_there_are_a_failed_point(context):
    """They must be written: the memory of the answer before holds NaN."""
    held = {}

    def adds(answer):
        for index, tensor in enumerate(answer[5:]):
            held[index] = held[index].add_(tensor) if index in held else tensor
        return [*answer[:5], *held.values()]

    found = point.point(context, replace(CASE, phase="train"), "adds", forgets(adds), order=0)
    assert (found.status, found.reason) == (
        "failed",
        "wrong answer before it was timed: error inf, tolerance 1e-05",
    )


@pytest.mark.parametrize("span", [1 << 22, 132 << 20, 1 << 30])
@pytest.mark.parametrize("one_set", [4096, 100_001, 1 << 20, 3 << 20, 1 << 30])
def test_streamed_weights_span_memory_and_not_a_set_more(one_set, span):
    sets = rotation.weight_sets(STREAMED, one_set, span)
    assert sets * one_set >= span
    assert sets == 1 or (sets - 1) * one_set < span
    assert rotation.weight_sets(CASE, one_set, span) == 1


@pytest.mark.parametrize(
    ("span", "sets"), [(1 << 20, 1), (16 << 20, 8), (24 << 20, 8), (25 << 20, 12)]
)
def test_a_gpu_meets_no_more_pairs_of_weights_and_inputs_than_it_has_sets(span, sets):
    on_a_gpu = replace(STREAMED, device="cuda", threads=0)
    assert rotation.weight_sets(on_a_gpu, 3 << 20, span) == sets
    assert rotation.length(sets) == max(sets, INPUT_SETS)


def test_streamed_weights_are_as_many_as_the_memory_for_them_holds():
    assert rotation.weight_sets(STREAMED, 3 << 20, 16 << 20, 16 << 20) == 5
    assert rotation.weight_sets(STREAMED, 3 << 20, 16 << 20, 1 << 30) == 6
    assert rotation.weight_sets(STREAMED, 3 << 20, 16 << 20, 1 << 20) == 1


def test_a_point_whose_weights_outgrow_the_arena_makes_it_grow(context):
    context = replace(context, arena=Arena(1 << 16, "cpu", 0, most_bytes=8 << 20))
    found = point.point(context, STREAMED, "torch_cell", torch_cell, order=0)
    assert found.status == "ok", found.reason
    assert context.arena.size_bytes >= found.working_set_bytes >= context.span_bytes


def test_a_point_whose_memory_others_took_is_failed_and_tried_again_on_resuming(
    context, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: 1 << 10)
    found = point.point(context, CASE, "torch_cell", torch_cell, order=0)
    assert found.status == "failed"
    assert found.reason.startswith(room.NO_ROOM)
    assert run._was_lost(found)


def test_a_streamed_point_says_how_many_sets_it_rotates(context):
    found = point.point(context, STREAMED, "torch_cell", torch_cell, order=0)
    assert found.weight_sets > 1
    assert found.working_set_bytes >= context.span_bytes


def test_a_step_rotates_through_every_set_of_weights_and_of_inputs(context):
    log = []
    found = point.point(context, STREAMED, "spy", spy(log), order=0)
    K = found.weight_sets
    timed = log[JUDGED:]  # after the check's calls
    turn = lcm(K, INPUT_SETS)
    assert timed[:turn] == [(j % K, j % INPUT_SETS) for j in range(turn)]
    assert timed[turn : 2 * turn] == timed[:turn]
    assert {w for w, _ in timed} == set(range(K))


def test_a_resident_step_keeps_its_weights_and_rotates_its_inputs(context):
    log = []
    point.point(context, CASE, "spy", spy(log), order=0)
    timed = log[JUDGED:]
    assert timed[: 2 * INPUT_SETS] == [(0, i) for i in range(INPUT_SETS)] * 2


def test_the_check_looks_at_four_steps_from_the_first_to_the_last_set(context):
    log = []
    found = point.point(context, STREAMED, "spy", spy(log), order=0)
    looked_at = log[PREPARED:][: CALLS_IN_A_ROW * INPUT_SETS]
    assert len(set(looked_at)) == INPUT_SETS
    assert {i for _, i in looked_at} == set(range(INPUT_SETS))
    assert {0, found.weight_sets - 1} <= {w for w, _ in looked_at}


def test_inputs_are_drawn_anew_in_every_round(context, monkeypatch):
    drawn = []
    monkeypatch.setattr(point, "redraw", lambda *_arguments: drawn.append(1))
    found = point.point(context, CASE, "torch_cell", torch_cell, order=0)
    assert len(drawn) >= len(found.seconds)


def test_a_case_too_large_for_memory_is_skipped_with_the_bytes_needed_and_there(context):
    context = replace(context, free_bytes=2 << 20)
    large = Case("lstm", hidden=64, input=32, batch=1 << 16)
    found = point.point(context, large, "torch_cell", torch_cell, order=0)
    assert found.status == "skipped"
    needed, there = map(
        int, re.search(r"needs (\d+) bytes and (\d+) are there", found.reason).groups()
    )
    assert needed > there
    assert needed >= cost.count(large).activation_bytes


def test_weights_that_outgrow_the_arena_are_skipped_with_the_bytes_needed_and_there(context):
    large = Case("lstm", hidden=1024, input=1024, batch=1)
    found = point.point(context, large, "torch_cell", torch_cell, order=0)
    assert found.status == "skipped"
    needed, there = map(
        int, re.search(r"needs (\d+) bytes and (\d+) are there", found.reason).groups()
    )
    assert needed >= cost.count(large).weight_bytes > there == context.arena.size_bytes


def test_where_memory_is_the_limit_the_bytes_there_are_half_of_what_was_free(context):
    context = replace(context, free_bytes=100 << 20)
    large = Case("lstm", hidden=64, input=32, batch=1 << 16)
    found = point.point(context, large, "torch_cell", torch_cell, order=0)
    assert f"{50 << 20} are there" in found.reason
    assert str(context.free_bytes) in found.reason


@pytest.mark.parametrize("part", ["cell", "linear", "pointwise"])
def test_the_memory_a_point_needs_covers_weights_reference_and_activations(part):
    case = Case("gru", hidden=100, input=50, batch=10, part=part)
    counted = cost.count(case)
    least = 12345 + 2 * counted.weight_bytes + INPUT_SETS * counted.activation_bytes
    assert room.memory_needed(case, 12345) >= least


def test_the_memory_to_train_covers_gradients_of_the_reference_and_of_the_answer():
    case = Case("gru", hidden=100, input=50, batch=10, phase="train")
    counted = cost.count(case)
    exact = 2 * counted.gradient_bytes
    least = 12345 + 3 * exact + counted.gradient_bytes + INPUT_SETS * counted.activation_bytes
    assert room.memory_needed(case, 12345) >= least


def test_a_case_that_the_implementation_refuses_is_skipped_with_its_reason(context):
    case = Case("lstm", 64, 32, 4, dtype="bfloat16", activations="float32")
    found = point.point(context, case, "torch_cell", torch_cell, order=0)
    assert (found.status, found.reason) == ("skipped", torch_cell.unavailable(case))
    assert found.seconds == ()


def test_weights_too_small_to_stream_are_skipped(context, monkeypatch):
    """The list of bound steps itself would fill the caches."""
    monkeypatch.setattr(rotation, "MOST_STEPS", 4095)
    small = Case("rnn", hidden=1, input=1, batch=1, residency="streamed")
    found = point.point(context, small, "torch_cell", torch_cell, order=0)
    assert found.status == "skipped"
    assert "too small to stream" in found.reason


@pytest.mark.parametrize("count", [0, -1, 4096])
def test_threads_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=f"threads {count} is out of range"):
        threads.use(count)
