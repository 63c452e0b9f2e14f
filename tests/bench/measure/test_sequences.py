"""A sequence is a call of many steps: all its figures are a step's, its roof is the roof of what every step walks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.measure import point, probes, room, rotation
from kernels import cost, implementations, roofline_model
from kernels.case import Case
from tests.bench.measure.test_probes import rounds_of

torch_cell, torch_sequence = map(implementations.load, ("torch_cell", "torch_sequence"))
CASE = Case("gru", hidden=64, input=160, batch=2, steps=6)


def test_a_sequence_is_measured_per_step_beside_the_weights_that_every_step_reads(context):
    found = point.point(context, CASE, "torch_sequence", torch_sequence, order=0)
    assert (found.status, found.reason) == ("ok", None)
    assert found.steps_per_sample % 6 == 0
    assert found.single_step_seconds is None
    assert found.reads == torch_sequence.reads
    assert found.fetched == ("U",)
    counted = cost.count(CASE, torch_sequence.reads)
    assert found.bytes["read"] == counted.bytes_read < cost.count(CASE).bytes_read
    assert found.projection == {
        "linear": counted.projection_flops,
        "read": counted.projection_bytes_read,
    }
    # U and its bias, 3*H*(H+1) float32; W is larger and not in it
    assert found.working_set_bytes == 3 * 64 * 65 * 4


def test_seconds_and_floor_are_a_steps_share_of_a_call(context, monkeypatch):
    rounds_of(monkeypatch, (0.6, 1e-3))
    monkeypatch.setattr(probes.rounds, "best", lambda *_arguments: [0.006])
    monkeypatch.setattr(point, "_make_sure_it_ends", lambda *_arguments: None)
    found = point.point(context, CASE, "torch_sequence", torch_sequence, order=0)
    assert found.seconds == pytest.approx([0.1] * 12)
    assert found.floor_seconds == pytest.approx(0.001)


def test_a_single_step_has_no_stage_before_it(context):
    one = replace(CASE, steps=1)
    found = point.point(context, one, "torch_sequence", torch_sequence, order=0)
    assert found.status == "ok"
    assert found.projection is None
    assert found.fetched == ("W", "U")
    assert found.bytes == point.point(context, one, "torch_cell", torch_cell, order=0).bytes


def test_a_call_that_takes_too_long_is_skipped_with_its_time(context, monkeypatch):
    seconds = iter([0.9, 4.5])  # a call of two steps, and of six
    monkeypatch.setattr(probes.rounds, "best", lambda *_arguments: [next(seconds)])
    found = point.point(context, CASE, "torch_sequence", torch_sequence, order=0)
    assert found.status == "skipped"
    assert found.reason.startswith("a call of 6 steps takes about 4.5 s here, longer than")


@pytest.mark.parametrize(("first", "longer", "expected"), [(2.5, 10.5, 100.5), (3.0, 2.0, 3.0)])
def test_how_long_a_call_takes_is_told_from_a_short_one(
    context, monkeypatch, first, longer, expected
):
    seconds = iter([first, longer])
    monkeypatch.setattr(probes.rounds, "best", lambda *_arguments: [next(seconds)])
    long = replace(CASE, steps=100)
    sets = context.arena.sets(torch_sequence.layout(long), "float32", 1)
    assert rotation.call_seconds(context, long, torch_sequence, sets) == pytest.approx(expected)


def test_the_limits_of_two_stages_are_added_up():
    # first: 2 of bytes, 6 of products; then 8 + 1 of bytes, 4 of products
    assert roofline_model.limit(10.0, 1.0, 10.0, (0.2, 0.6)) == pytest.approx(6 + 9)
    assert roofline_model.limit(10.0, 1.0, 10.0, (0.0, 0.0)) == 11.0


def test_arithmetic_is_paired_where_the_hoisted_stage_alone_is_near_its_limit(context, monkeypatch):
    """100 steps make W's bytes cheap; the recurrence stays far from arithmetic."""
    case = replace(CASE, batch=1, steps=100)
    counted = cost.count(case, torch_sequence.reads)
    rest = (counted.bytes_read - counted.projection_bytes_read, counted.recurrent_flops)
    assert counted.projection_flops / counted.projection_bytes_read > 10 * rest[1] / rest[0]
    seen = []
    monkeypatch.setattr(
        probes, "arithmetic_probe", lambda _b, _c, flops, t: seen.append((flops, t)) or None
    )
    rounds_of(monkeypatch, (0.6, 1e-3))
    point.point(context, case, "torch_sequence", torch_sequence, order=0)
    (first, first_time), (then, then_time) = seen
    assert first == pytest.approx(counted.projection_flops)
    assert then == pytest.approx(counted.recurrent_flops)
    assert first_time / then_time == pytest.approx(counted.projection_bytes_read / rest[0])


def test_a_product_that_one_stage_asks_for_is_paired_whatever_the_other_asks(context, monkeypatch):
    hoisted = cost.count(CASE, torch_sequence.reads).projection_flops
    product = probes.Probe(probes.rounds.Contender(lambda _count: None), 1000)
    monkeypatch.setattr(
        probes, "arithmetic_probe", lambda _b, _c, flops, _t: product if flops == hoisted else None
    )
    seen = rounds_of(monkeypatch, (1e6, 1e-3))
    found = point.point(context, CASE, "torch_sequence", torch_sequence, order=0)
    assert seen[0][2] is product.contender
    assert found.roof_flop_per_s == (1000 / 1e-3,) * 12


def test_a_sequence_needs_memory_for_the_inputs_and_outputs_of_all_its_steps():
    one, many = (room.memory_needed(replace(CASE, steps=steps), 0) for steps in (1, 1000))
    inputs, outputs = 999 * 2 * 160 * 4 * 4, 999 * 2 * 64 * (4 + 8 + 3 * 4)
    assert many - one >= inputs + outputs


def test_an_implementation_that_declares_nonsense_is_a_failed_point(context):
    nonsense = replace(torch_sequence, reads={"W": "never", "U": "per_step"})
    found = point.point(context, CASE, "torch_sequence", nonsense, order=0)
    assert found.status == "failed"
    assert "reads 'never' is unknown" in found.reason
