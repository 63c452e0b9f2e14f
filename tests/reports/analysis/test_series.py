"""The free batch, the ridge that roofs predict, unbroken runs, and the share of the linear layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile.records import Point
from reports.analysis import series
from reports.analysis.analysis import Analysis
from reports.analysis.roofs import Roofs
from tests.reports import synthetic
from tests.reports.synthetic import profile


def costing(batch, cost, speed=1.0):
    """A point whose time x paired roof is `cost`, on a machine that runs at `speed` while it is measured."""
    point = synthetic.point(batch=batch)
    rounds = len(point.seconds)
    return replace(
        point, seconds=(cost / speed,) * rounds, roof_bytes_per_s=(50e9 * speed,) * rounds
    )


def one(*points):
    """The series of these points."""
    (found,) = Analysis(profile(points)).series
    return found


def test_sequences_ride_free_while_a_step_costs_a_quarter_more_at_most():
    points = costing(1, 1e-3), costing(2, 1.1e-3), costing(4, 1.25e-3), costing(8, 1.3e-3)
    assert one(*points).free == (4, 4)


def test_the_free_run_is_unbroken():
    assert one(costing(1, 1e-3), costing(2, 2e-3), costing(4, 1e-3)).free == (1, 1)


def test_what_rides_free_is_said_only_where_bare_times_agree():
    # The machine ran at half its speed during the second point: twice the time, but not twice the cost.
    found = one(costing(1, 1e-3), costing(2, 1.1e-3, speed=0.5), costing(4, 3e-3))
    assert (found.free, found.free_text) == ((1, 2), "1 to 2")
    assert one(costing(1, 1e-3), costing(2, 1.1e-3), costing(4, 3e-3)).free == (2, 2)
    # And twice as fast during the second: the bare time rides free, the cost does not.
    assert one(costing(1, 1e-3), costing(2, 2.2e-3, speed=2.0), costing(4, 3e-3)).free == (1, 2)


def swinging(batch, cost, by):
    """Such a point whose rounds go from -by to +by: evenly, and so do the interval's ends."""
    point = costing(batch, cost)
    swing = [1 + by * (2 * i / 10 - 1) for i in range(11)]
    return replace(point, seconds=tuple(s * w for s, w in zip(point.seconds, swing, strict=True)))


@pytest.mark.parametrize(
    ("cost", "by", "free"),
    [(1.24, 0.001, (2, 2)), (1.24, 0.05, (1, 2)), (1.26, 0.05, (1, 2)), (1.26, 0.001, (1, 1))],
)
def test_what_an_interval_leaves_open_is_a_range(cost, by, free):
    points = costing(1, 1e-3), swinging(2, cost * 1e-3, by), costing(4, 2e-3)
    assert one(*points).free == free


def test_beyond_an_open_batch_the_run_may_go_on():
    points = [costing(1, 1e-3), swinging(2, 1.24e-3, 0.05), costing(4, 1.1e-3), costing(8, 2e-3)]
    assert (one(*points).free, one(*points).free_text) == ((1, 4), "1 to 4")
    assert one(*points[:3]).free_text == "unclear"
    assert one(costing(1, 1e-3), costing(2, 1e-3), swinging(4, 1.24e-3, 0.05)).free_text == (
        "2 to 4 or more"
    )


def test_a_case_without_figure_ends_the_run():
    failed = Point(synthetic.point(batch=2).case, "torch_cell", "failed", reason="wrong")
    assert one(costing(1, 1e-3), failed, costing(4, 1e-3)).free == (1, 1)


def test_a_case_without_figure_leaves_open_whether_more_ride_free():
    failed = Point(synthetic.point(batch=16).case, "torch_cell", "failed", reason="wrong")
    points = costing(1, 1e-3), costing(4, 1e-3)
    assert one(*points, failed).free_text == "4 or more"
    assert one(*points, costing(8, 2e-3), failed).free_text == "4"
    assert one(points[0], failed).free_text == "unclear"


def test_without_a_single_sequence_nothing_is_said_to_ride_free():
    assert one(costing(2, 1e-3), costing(4, 1e-3)).free is None


def test_a_plan_that_ends_before_the_free_run_says_so():
    assert one(costing(1, 1e-3), costing(2, 1e-3)).free_text == "2 or more"
    assert one(costing(1, 1e-3), costing(2, 2e-3)).free_text == "1"
    assert one(costing(1, 1e-3)).free_text is None


@pytest.mark.parametrize(("phase", "ridge"), [("step", 7), ("train", 8)])
def test_the_ridge_is_where_the_roofs_times_cross(phase, ridge):
    """Search for it by brute force, with bytes and FLOPs counted anew for every batch."""
    made = profile([synthetic.point(phase=phase)])
    (row,) = Analysis(made).rows
    for batch in range(1, 100):
        flops, moved = synthetic.counts(replace(row.case, batch=batch))
        t_bytes = moved["read"] / 52e9 + moved["written"] / synthetic.WRITE_BYTES_PER_S
        if flops["linear"] / 180e9 >= t_bytes:
            break
    assert series.ridge_batch(row, Roofs(made)) == batch == ridge


def test_gradients_that_are_written_while_weights_are_read_bring_the_ridge_nearer():
    """Two weights are read for each gradient: a triad of 75 GB/s takes 3 / 75 where both apart take 2 / 52 + 1 / 40."""
    point = synthetic.point(phase="train")
    sampled = {
        "roof_write_bytes_per_s": (synthetic.WRITE_BYTES_PER_S,) * len(point.seconds),
        "roof_triad_bytes_per_s": (75e9,) * len(point.seconds),
    }
    made = profile([replace(point, **sampled)])
    (row,) = Analysis(made).rows
    apart, beside = 2 / 52 + 1 / synthetic.WRITE_BYTES_PER_S * 1e9, 3 / 75
    fewer = 8 * beside / apart
    assert series.ridge_batch(row, Roofs(made)) == pytest.approx(fewer, abs=1)
    assert fewer < 6


def test_there_is_no_ridge_where_sequences_bring_more_bytes_than_work():
    made = profile([synthetic.point()], roofs=(
        synthetic.roof("write", [1.0], working_set_bytes=8192),
        synthetic.roof("matmul", [1e20], dtype="float32"),
    ))  # fmt: skip
    assert series.ridge_batch(Analysis(made).rows[0], Roofs(made)) is None


def held(batch, residency="streamed", fraction=0.9):
    """A step of 512 units at this share of its roof."""
    look = {"residency": residency, "fraction": fraction, "visits": 3}
    return synthetic.point(hidden=512, batch=batch, **look)


def until(*points):
    """`bandwidth_until` of the streamed series."""
    (found,) = (s for s in Analysis(profile(points)).series if s.case.residency == "streamed")
    return found.bandwidth_until


def test_the_bandwidth_run_ends_at_the_first_verdict_that_is_another_or_not_confirmed():
    near = [held(batch) for batch in (1, 2, 4, 8)]
    hot = [held(batch, "resident") for batch in (1, 2, 4, 8)]
    assert until(*near, *hot) == 4  # at 8 arithmetic takes longer
    assert until(*near, *hot[:2]) == 2  # at 4 only the batch speaks for it
    assert until(*near) is None
    far = held(2, fraction=0.5)
    assert (
        until(near[0], far, near[2], *hot) is None
    )  # at 2 half of the roof, and 1 is contradicted
    assert until(*near[1:], *hot) is None


def test_series_differ_in_everything_but_the_batch():
    points = [
        synthetic.point(),
        synthetic.point(batch=2),
        synthetic.point(implementation="other"),
        synthetic.point(residency="resident"),
        synthetic.point(dtype="bfloat16"),
        synthetic.point("gru"),
        synthetic.point(phase="train"),
    ]
    found = [(one.case.phase, len(one.rows)) for one in Analysis(profile(points)).series]
    assert sorted(found) == [("step", 1)] * 4 + [("step", 2), ("train", 1)]


def test_the_linear_share_is_time_for_time_and_byte_for_byte():
    whole, part = costing(1, 1e-3), costing(1, 0.9e-3, speed=0.95)
    part = replace(
        part,
        case=replace(part.case, part="linear"),
        bytes={**part.bytes, "read": part.bytes["read"] // 2, "written": 0},
    )
    (share,) = Analysis(profile([whole, part])).shares
    assert share.time.median == pytest.approx(0.9)
    moved = whole.bytes["read"] + whole.bytes["written"]
    assert share.bytes == pytest.approx((whole.bytes["read"] // 2) / moved)
    assert 0.99 < share.flops < 1


def test_there_is_no_share_of_points_beside_which_the_roof_moved():
    whole, part = costing(1, 1e-3), costing(1, 0.9e-3, speed=0.8)
    part = replace(part, case=replace(part.case, part="linear"))
    assert Analysis(profile([whole, part])).shares == ()


def test_without_a_linear_part_there_is_no_share():
    assert Analysis(profile([synthetic.point()])).shares == ()
