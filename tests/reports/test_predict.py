"""A prediction is the other's limit over the share reached here; on its own roofs a machine predicts itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports import predict, published, roofs, subject
from tests.reports import synthetic
from tests.reports.synthetic import MIB, READ, profile, roof

DRAM_BYTES_PER_S = READ[-1][1]


def twice_as_fast(made):
    """Another machine whose every roof is twice as high, with points that keep their shares."""
    roofs = [replace(one, samples=tuple(2 * s for s in one.samples)) for one in made.roofs]
    points = [
        replace(
            p,
            seconds=tuple(s / 2 for s in p.seconds),
            roof_bytes_per_s=tuple(2 * r for r in p.roof_bytes_per_s),
            roof_flop_per_s=tuple(2 * r for r in p.roof_flop_per_s),
        )
        for p in made.points
    ]
    machine = {**made.machine, "id": "fast", "label": "fast"}
    return replace(made, roofs=tuple(roofs), points=tuple(points), machine=machine)


def test_steps_that_keep_their_share_are_predicted_on_a_machine_of_twice_the_roofs():
    made = synthetic.suite()
    found = predict.predict(subject.of(made, "a"), subject.of(twice_as_fast(made), "b"))
    good = sum(point.status == "ok" for point in made.points)
    assert len(found.rows) + found.without == good
    assert len(found.rows) >= good - 2
    # The curve is stepped: a resident set between two of its sizes is off by the step.
    streamed = [row for row in found.rows if row.entry.work.residency == "streamed"]
    for row in streamed:
        assert row.error == pytest.approx(0, abs=1e-6)
    assert found.errors[0] < 0.1


def test_a_streamed_step_reads_at_the_memory_of_the_other_whatever_its_sets_span_there():
    made = profile([synthetic.point(fraction=0.5)])
    big = replace(
        made,
        machine={**made.machine, "id": "big"},
        points=(synthetic.point(batch=4),),
        roofs=(
            *made.roofs,
            roof("read", [DRAM_BYTES_PER_S / 4], working_set_bytes=4096 * MIB),
        ),
    )
    (row,) = predict.predict(subject.of(made, "a"), subject.of(big, "b")).rows
    moved = made.points[0].bytes
    needed = moved["read"] / (DRAM_BYTES_PER_S / 4) + moved["written"] / 40e9
    assert row.predicted.median == pytest.approx(needed / 0.5, rel=1e-3)
    assert row.measured is None
    assert row.predicted.low < row.predicted.median < row.predicted.high


def test_a_step_that_the_call_bounds_is_marked():
    made = profile([synthetic.point(fraction=0.3, floor=1.0)])
    other = twice_as_fast(made)
    (row,) = predict.predict(subject.of(made, "a"), subject.of(other, "b")).rows
    assert row.call_bound


def test_the_curve_is_read_between_its_sizes_and_held_at_its_ends():
    curve = ((1024, 400.0), (4096, 100.0))
    assert roofs.interpolated(curve, 2048) == pytest.approx(200.0)
    assert roofs.interpolated(curve, 1) == 400.0
    assert roofs.interpolated(curve, 1 << 40) == 100.0
    assert roofs.interpolated((), 1) is None


def test_a_published_machine_is_predicted_in_its_own_work():
    """The recurrent product alone, at the datasheet's bandwidth, over the share reached here."""
    made = synthetic.suite()
    target = published.find("NVIDIA P100")
    found = predict.predict(subject.of(made, "a"), target)
    for row in found.rows:
        assert row.work.work.part == "recurrent"
        needed = max((row.work.read + row.work.written) / 732e9, row.work.flops / 9.3e12)
        assert row.predicted.median == pytest.approx(needed / row.entry.fraction.median)
