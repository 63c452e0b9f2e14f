"""What moves between runs: planted shifts come back, run by run and point by point, and name what to do."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import pytest

from bench.profile.stats import Estimate
from reports.analysis.analysis import Analysis
from reports.analysis.verdict import Verdict
from reports.compare import repeatability
from reports.compare.repeatability import (
    BETWEEN,
    BY_ROOF,
    BY_SHARE,
    FRACTION,
    IN_ONE,
    TIME,
    WITH_ROOF,
    WITH_RUN,
    WITHIN,
)
from reports.locate import BadInput
from reports.tables import repeatability as tables
from tests.reports import synthetic

STILL = (0.0, 0.001, -0.001, 0.002, -0.002)
"""Logarithms by which runs differ that are alike."""


def moved(point, by, roof=0.0):
    """The step with times and roofs times e to the power of these."""
    return replace(
        point,
        seconds=tuple(s * exp(by) for s in point.seconds),
        roof_bytes_per_s=tuple(r * exp(roof) for r in point.roof_bytes_per_s),
    )


def runs(*, of=None, roof=None, drift=STILL, batches=(1, 2, 4, 8, 16, 32), spread=0.001):
    """As many runs as `drift` is long, all points moved by it; that of batch 1 by `of` too, and its roofs by `roof`.

    No two runs are the same to the last digit.
    """
    made = []
    for run, together in enumerate(drift):
        points = []
        for batch in batches:
            own = batch == 1
            by = together + run * 1e-9 + (of[run] if of and own else 0.0)
            roofs = roof[run] if roof and own else 0.0
            points.append(moved(synthetic.point(batch=batch, spread=spread), by, roofs))
        made.append(synthetic.profile(points))
    return made


def found(profiles):
    names = [f"run {number}" for number in range(1, len(profiles) + 1)]
    return repeatability.repeated([Analysis(one) for one in profiles], names)


def first(profiles):
    """What is told of the point of batch 1."""
    return next(one for one in found(profiles).points if one.case.batch == 1)


def test_the_spread_between_runs_is_the_standard_deviation_of_logarithms():
    of = (0.1, -0.1, 0.0, 0.0, 0.0)
    one = first(runs(of=of, drift=(0.0,) * 5))
    expected = sqrt(0.02 / 4)
    assert one.spread[TIME] == pytest.approx(expected)
    assert one.spread[BY_ROOF] == pytest.approx(expected)
    assert one.spread[FRACTION] == pytest.approx(expected)
    assert one.apart == pytest.approx(expected)


def test_the_drift_of_a_run_is_what_its_median_point_does_and_is_told_apart():
    drift = (0.2, -0.1, 0.0, -0.1, 0.0)
    told = found(runs(drift=drift, of=(0.5, 0.0, 0.0, 0.0, 0.0)))
    assert told.drift[TIME] == pytest.approx(drift, abs=1e-8)
    still = next(one for one in told.points if one.case.batch == 8)
    assert still.spread[TIME] == pytest.approx(sqrt(sum(x * x for x in drift) / 4))
    assert still.apart == pytest.approx(0.0, abs=1e-8)
    assert still.moves == WITH_RUN


def test_of_few_points_no_drift_is_told():
    told = found(runs(drift=(0.2, -0.2, 0.0), batches=(1, 2, 4, 8)))
    assert told.drift[TIME] == (None, None, None)
    assert all(one.apart is None for one in told.points)


@pytest.mark.parametrize(
    ("how", "moves"),
    [
        ({}, None),
        ({"of": (0.1, -0.1, 0.05, 0.0, -0.05)}, BETWEEN),
        ({"of": (0.1, -0.1, 0.05, 0.0, -0.05), "spread": 0.3}, WITHIN),
        ({"of": (0.0, 0.0, 0.3, 0.0, 0.0)}, IN_ONE),
        ({"of": (0.1, -0.1, 0.05, 0.0, -0.05), "roof": (-0.1, 0.1, -0.05, 0.0, 0.05)}, WITH_ROOF),
        ({"roof": (0.1, -0.1, 0.05, 0.0, -0.05)}, BY_SHARE),
        ({"drift": (0.1, -0.1, 0.05, 0.0, -0.05)}, WITH_RUN),
    ],
)
def test_how_a_point_moves_is_named_and_has_its_advice(how, moves):
    profiles = runs(**how)
    one = first(profiles)
    assert one.moves == moves
    assert one.odd == (2 if moves == IN_ONE else None)
    told = tables.advice(found(profiles))
    assert any(repeatability.ADVICE[moves] in line for line in told) if moves else len(told) == 1


def test_disjoint_intervals_are_counted_by_pairs_of_runs():
    spans = [Estimate(1.0, 0.9, 1.1), None, Estimate(1.15, 1.1, 1.2), Estimate(1.3, 1.25, 1.35)]
    assert repeatability.disjoint_pairs(spans) == (2, 3)
    assert repeatability.disjoint_pairs(spans).share == pytest.approx(2 / 3)
    assert repeatability.disjoint_pairs([None, None]).share is None
    told = first(runs(of=(0.0, 0.0, 0.5), drift=(0.0, 1e-6, -1e-6)))
    assert told.disjoint[TIME] == (2, 3)


def test_one_run_is_odd_where_the_others_agree_and_it_lies_far_from_all_of_them():
    assert repeatability.odd_run([0.0, 0.01, -0.01, 0.2]) == 3
    assert repeatability.odd_run([0.0, None, 0.01, -0.01, -0.2]) == 4
    assert repeatability.odd_run([0.0, 0.01, -0.01, 0.08]) is None
    assert repeatability.odd_run([0.0, 0.1, -0.1, 0.4]) is None
    assert repeatability.odd_run([0.0, 0.01, 0.2]) is None


def test_a_point_that_a_run_lacks_is_told_of_the_runs_that_have_it():
    whole = runs(drift=(0.0, 0.01, -0.01))
    lacking = replace(whole[1], points=whole[1].points[1:])
    told = found([whole[0], lacking, whole[2]])
    one = next(one for one in told.points if one.case.batch == 1)
    assert [row is None for row in one.rows] == [False, True, False]
    assert one.spread[TIME] == pytest.approx(0.01 / sqrt(2))
    assert one.disjoint[TIME].all == 1
    assert len(told.points) == 6


def test_runs_that_cannot_be_held_against_one_another_are_refused():
    one, other = runs(drift=(0.0, 0.01))
    elsewhere = replace(other, machine={**other.machine, "id": "elsewhere"})
    older = replace(other, method=1)
    apart = replace(other, points=(synthetic.point("gru"),))
    for profiles in ([one], [one, elsewhere], [one, older], [one, one], [one, apart]):
        with pytest.raises(BadInput):
            found(profiles)


def test_every_figure_of_every_run_is_in_the_csv():
    profiles = runs(of=(0.1, -0.1, 0.0), drift=(0.0, 1e-6, -1e-6))
    told = found(profiles)
    lines = tables.points_csv(told).splitlines()
    assert len(lines) == 1 + len(told.points)
    by_name = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    one = told.points[0]
    for run, row in enumerate(one.rows, 1):
        assert float(by_name[f"run{run}_seconds_median"]) == row.seconds.median
        assert float(by_name[f"run{run}_fraction_low"]) == row.fraction.low
        assert by_name[f"run{run}_verdict"]
    assert float(by_name["seconds_sd_of_log"]) == one.spread[TIME]
    assert log(float(by_name["run1_seconds_median"]) / one.rows[2].seconds.median) == pytest.approx(
        0.1, abs=1e-4
    )


def test_verdicts_are_told_once_with_the_runs_that_say_so():
    bandwidth, mixed = Verdict("bandwidth", "DRAM", confirmed=True), Verdict("mixed")
    code = [Verdict("implementation", faster=factor) for factor in (2.0, 2.2)]
    assert tables.verdicts_by_run([bandwidth, mixed, bandwidth]).count("bandwidth") == 1
    assert tables.verdicts_by_run([bandwidth, None, mixed]).endswith("in 3")
    assert tables.verdicts_by_run(code).endswith("in all")
