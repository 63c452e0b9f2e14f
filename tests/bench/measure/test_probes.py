"""What a point is timed beside: which probes join its rounds, over what, and what an impossible fraction asks anew."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from bench.device.device import Walk
from bench.measure import point, probes, visit
from bench.profile import roof_times
from bench.roofs import matmul
from bench.session import point_warnings
from bench.timing import rounds
from kernels import cost, implementations
from kernels.case import Case, Unavailable

torch_cell = implementations.load("torch_cell")
CASE = Case("lstm", hidden=64, input=32, batch=4)
STREAMED = Case("lstm", hidden=64, input=32, batch=4, residency="streamed")


def rounds_of(monkeypatch, *each):
    """Every measurement, of three visits, gives the next of these (step seconds, probe seconds).

    What was measured beside the step is noted, once a measurement. Floors take no time.
    """
    given, seen = iter(each), []
    visits = 0

    def alternate(contenders, calls, count, *_arguments, **_named):
        nonlocal visits
        if visits % point.VISITS == 0:
            seen.append(list(contenders))
            seen.append(next(given))
        visits += 1
        step, probe = seen[-1]
        rows = ((step,) * count, *((probe,) * count for _ in contenders[1:]))
        return rounds.Samples(rows, calls)

    monkeypatch.setattr(rounds, "calibrated", lambda contenders, *_: (1,) * len(contenders))
    monkeypatch.setattr(rounds, "alternate", alternate)
    monkeypatch.setattr(visit, "FLOOR_MATTERS", inf)
    return Seen(seen)


def timed(context, monkeypatch, case, step_seconds):
    """A point of a step that takes so long, whose probes take a millisecond; and how many take turns with them."""
    seen = rounds_of(monkeypatch, (step_seconds, 1e-3))
    return point.point(context, case, "torch_cell", torch_cell, order=0), len(seen[0])


class Seen:
    """Contenders of each measurement."""

    def __init__(self, seen):
        self._seen = seen

    def __len__(self):
        return len(self._seen) // 2

    def __getitem__(self, index):
        return self._seen[2 * index]


def test_an_impossible_point_is_measured_once_more_with_a_probe_chosen_anew(context, monkeypatch):
    seen = rounds_of(monkeypatch, (1e-9, 1e-3), (2e-3, 1e-3))
    found = point.point(context, CASE, "torch_cell", torch_cell, order=0)
    assert len(seen) == 2
    assert seen[0][0] is seen[1][0]
    assert seen[0][1] is not seen[1][1]
    assert found.seconds[0] == 2e-3


def test_a_point_impossible_twice_is_recorded_as_it_was_measured(context, monkeypatch):
    seen = rounds_of(monkeypatch, (1e-9, 1e-3), (1e-9, 1e-3))
    found = point.point(context, CASE, "torch_cell", torch_cell, order=0)
    assert len(seen) == 2
    assert (found.status, found.seconds[0]) == ("ok", 1e-9)


def test_a_possible_point_is_measured_once(context, monkeypatch):
    seen = rounds_of(monkeypatch, (2e-3, 1e-3))
    point.point(context, CASE, "torch_cell", torch_cell, order=0)
    assert len(seen) == 1


def test_the_arithmetic_probe_is_paired_where_products_take_more_than_half_as_long_as_the_bytes(
    context, monkeypatch
):
    variant = matmul.Shape(8, 8, 8)
    context = replace(
        context, arithmetic={("float32", 1): (1e6, variant)}
    )  # so slow that arithmetic must be the limit
    found, contenders = timed(context, monkeypatch, CASE, 1.0)
    assert contenders == 3
    assert found.roof_flop_per_s == (matmul.flops(variant, "float32", 1) / 1e-3,) * 12
    context = replace(context, arithmetic={("float32", 1): (1e18, variant)})
    found, contenders = timed(context, monkeypatch, CASE, 1.0)
    assert contenders == 2
    assert found.roof_flop_per_s == ()


def test_write_and_triad_probes_are_paired_where_more_than_a_tenth_of_the_bytes_is_written(
    context, monkeypatch
):
    train = replace(CASE, phase="train")
    written = cost.count(train).bytes_written
    assert written > 0.1 * (cost.count(train).bytes_read + written)
    found, contenders = timed(context, monkeypatch, train, 1.0)
    assert contenders == 4
    (rate,), (triad,) = set(found.roof_write_bytes_per_s), set(found.roof_triad_bytes_per_s)
    assert rate == pytest.approx(written / 1e-3, rel=0.05)
    # its weights, once, and what it writes: a triad goes over so much memory as the step does
    assert triad == pytest.approx((found.working_set_bytes + written) / 1e-3, rel=0.05)
    assert found.roof_flop_per_s == ()
    context = replace(context, writes={1: {1 << 20: 1.0}})  # what was surveyed counts no more
    read, reading = found.bytes["read"], found.roof_bytes_per_s[0]
    apart = read / reading + written / rate
    together = 3 * (read / 2) / triad + (written - read / 2) / rate
    assert read < 2 * written  # states count as written: of some bytes there is no read beside them
    least = min(apart, max(together, read / reading))
    assert roof_times.roof_fractions(found, 1e9) == pytest.approx([least] * len(found.seconds))
    alone = replace(found, roof_triad_bytes_per_s=())  # as of older profiles
    assert roof_times.roof_fractions(alone, 1e9) == pytest.approx([apart] * len(found.seconds))
    found, contenders = timed(context, monkeypatch, CASE, 1.0)
    assert contenders == 2
    assert found.roof_write_bytes_per_s == ()


def test_a_training_step_at_its_arithmetic_limit_is_held_against_all_four_probes(
    context, monkeypatch
):
    variant = matmul.Shape(8, 8, 8)
    context = replace(context, arithmetic={("float32", 1): (1e6, variant)})
    train = replace(CASE, phase="train")
    found, contenders = timed(context, monkeypatch, train, 1e3)
    assert contenders == 5
    assert found.roof_flop_per_s == (variant.flops / 1e-3,) * 12


@pytest.mark.parametrize(("dtype", "paired"), [("bfloat16", "float32"), ("float32", "float32")])
def test_weights_are_held_against_the_best_arithmetic_they_widen_to(
    context, monkeypatch, dtype, paired
):
    """Faster float32 products are a limit of bfloat16 weights, never the other way round."""
    prepared = []
    monkeypatch.setattr(
        matmul,
        "prepare",
        lambda _variant, dtype: prepared.append(dtype) or (lambda _count: None),
    )
    variant = matmul.Shape(8, 8, 8)
    slow, fast = (1e3, variant), (1e4, variant)
    context = replace(context, arithmetic={("float32", 1): fast, ("bfloat16", 1): slow})
    if dtype == "float32":
        context = replace(context, arithmetic={("float32", 1): slow, ("bfloat16", 1): fast})
    rounds_of(monkeypatch, (1e9, 1e-3))
    case = Case("lstm", 64, 32, 4, dtype=dtype, activations=dtype)
    point.point(context, case, "torch_cell", torch_cell, order=0)
    assert prepared == [paired]


def test_the_floor_is_measured_once_per_kind_of_call(context, monkeypatch):
    rounds_of(monkeypatch, *[(1.0, 1e-3)] * 3)
    for batch in (1, 2):
        point.point(context, Case("lstm", 64, 32, batch), "torch_cell", torch_cell, order=0)
    assert len(context.cache.floors) == 1
    point.point(context, Case("gru", 64, 32, 1), "torch_cell", torch_cell, order=0)
    assert len(context.cache.floors) == 2


def test_a_floor_that_cannot_be_had_is_null_and_costs_the_point_nothing(context):
    asked = []

    def prepare(case, sets, inputs):
        asked.append(case.hidden)
        if case.hidden == probes.FLOOR_SIZE:
            raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED")
        return torch_cell.prepare(case, sets, inputs)

    library = replace(torch_cell, prepare=prepare)
    for batch in (1, 2):
        found = point.point(context, replace(CASE, batch=batch), "library", library, order=0)
        assert (found.status, found.reason, found.floor_seconds) == ("ok", None, None)
    assert asked == [CASE.hidden, probes.FLOOR_SIZE, CASE.hidden]


def test_a_variant_of_the_probe_is_tried_once_per_working_set(context):
    walk = Walk(1 << 16, 2, 1)
    probes.best_variant(context, walk)
    assert context.cache.variants.keys() == {probes.alike(walk)}
    context.cache.variants[probes.alike(walk)] = "kept"
    assert probes.best_variant(context, walk) == "kept"


def test_the_read_probe_never_reads_beyond_the_arena(context):
    too_many = context.arena.size_bytes // (1 << 16) + 1
    with pytest.raises(Unavailable, match="more than the arena"):
        probes.best_variant(context, Walk(1 << 16, too_many, 1))


def test_a_training_steps_probe_is_no_moving_roof(context):
    """It reads each set twice, the second time maybe in a cache: its speed is another one by right."""
    step = point.point(context, STREAMED, "torch_cell", torch_cell, order=0)
    double = tuple(2 * roof for roof in step.roof_bytes_per_s)
    train = replace(step, case=replace(STREAMED, phase="train"), roof_bytes_per_s=double)
    assert not list(point_warnings.of_paired_roofs([step, train]))
    assert list(point_warnings.of_paired_roofs([step, replace(train, case=STREAMED)]))


@pytest.mark.parametrize(("t_bytes", "paired"), [(0.0019, True), (0.0021, False)])
def test_the_matrix_product_joins_a_round_from_half_of_the_bytes_time_on(context, t_bytes, paired):
    context = replace(context, arithmetic={("float32", 1): (1e9, matmul.Shape(8, 8, 8))})
    case = Case("lstm", 64, 64, 1)
    assert (probes.arithmetic_probe(context, case, 1e6, t_bytes) is not None) is paired
