"""Verdicts by the method's thresholds, and mixed ones where an interval straddles a threshold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels import roofline_model
from reports.analysis import verdict, wording
from reports.analysis.analysis import Analysis
from tests.reports import synthetic
from tests.reports.synthetic import profile


def of(point, **fields):
    """The verdict of a profile's one point."""
    ((_, found),) = Analysis(profile([point], **fields)).readings
    return found


@pytest.mark.parametrize(
    ("overhead", "explained", "balance", "name"),
    [
        (0.5, 0.9, 0.1, "overhead"),
        (0.499, 0.9, 0.1, "bandwidth + overhead"),
        (0.201, 0.9, 2.0, "compute + overhead"),
        (0.2, 0.9, 0.1, "bandwidth"),
        (0.0, 0.75, 0.999, "bandwidth"),
        (0.0, 0.75, 1.001, "compute"),
        (0.0, 0.749, 0.1, "implementation"),
        (0.4, 0.749, 0.1, "implementation"),
        (0.6, 0.7, 0.1, "overhead"),
    ],
)
def test_thresholds_are_the_methods(overhead, explained, balance, name):
    assert roofline_model.bound(overhead, explained, balance) == name


def test_a_step_near_its_roof_is_bound_by_its_level():
    found = of(synthetic.point(fraction=0.9))
    assert (found.name, found.level, wording.verdict(found)) == (
        "bandwidth",
        "DRAM",
        "bandwidth (DRAM)",
    )


def test_a_large_batch_near_its_roof_is_bound_by_arithmetic():
    assert of(synthetic.point(fraction=0.9, batch=64)).name == "compute"


def test_half_the_roof_is_the_implementations_fault_by_a_factor_of_two():
    found = of(synthetic.point(fraction=0.5))
    assert found.name == "implementation"
    point = synthetic.point(fraction=0.5)
    # what roofs and call together leave over; half of the time is the limit
    assert found.faster == pytest.approx(1 / (0.5 + 1e-6 / point.seconds[5]))
    assert "2.0\N{MULTIPLICATION SIGN}" in wording.verdict(found)
    third = of(synthetic.point(fraction=0.3))
    assert wording.verdict(third) == "implementation (3.3\N{MULTIPLICATION SIGN} to gain)"


def test_a_step_that_is_mostly_call_is_overhead():
    point = synthetic.point(fraction=0.2, spread=0.001)
    middle = point.seconds[len(point.seconds) // 2]
    assert of(replace(point, floor_seconds=0.6 * middle)).name == "overhead"
    assert of(replace(point, floor_seconds=0.3 * middle)).name == "implementation"


def test_a_floor_above_a_fifth_is_named_beside_the_bound():
    point = synthetic.point(fraction=0.7, spread=0.001)
    found = of(replace(point, floor_seconds=0.3 * point.seconds[5]))
    assert wording.verdict(found) == "bandwidth (DRAM) + overhead"


def test_an_interval_across_a_threshold_is_mixed():
    straddling = of(synthetic.point(fraction=0.75, spread=0.05, floor=1e-12))
    assert straddling.name == "mixed"
    assert straddling.between == ("bandwidth", "implementation")
    assert wording.verdict(straddling) == "mixed (bandwidth or implementation)"
    assert of(synthetic.point(fraction=0.75 * 1.12, spread=0.05, floor=1e-12)).name == "bandwidth"
    assert (
        of(synthetic.point(fraction=0.75 * 0.88, spread=0.05, floor=1e-12)).name == "implementation"
    )


def test_what_another_run_may_find_on_the_other_side_of_a_threshold_is_mixed():
    for fraction in (0.75 / 1.04, 0.75 * 1.04):
        assert of(synthetic.point(fraction=fraction, spread=0.001, floor=1e-12)).name == "mixed"
    for fraction, name in ((0.75 / 1.06, "implementation"), (0.75 * 1.06, "bandwidth")):
        assert of(synthetic.point(fraction=fraction, spread=0.001, floor=1e-12)).name == name


def test_a_point_at_the_ridge_is_mixed():
    point = synthetic.point(fraction=0.9, batch=7)
    (row,) = Analysis(profile([point])).rows
    balance = row.balance.median
    # The paired roof swings by 5 % about the value at which bytes and FLOPs take as long.
    swing = [1 + 0.05 * (2 * i / 10 - 1) for i in range(11)]
    roofs = tuple(r / balance * s for r, s in zip(point.roof_bytes_per_s, swing, strict=True))
    assert of(replace(point, roof_bytes_per_s=roofs)).between == ("bandwidth", "compute")


@pytest.mark.parametrize(
    ("fraction", "spread", "impossible"),
    [(1.1, 0.02, True), (1.05, 0.1, False), (1.02, 0.001, False)],
)
def test_only_an_interval_wholly_above_its_roof_is_impossible(fraction, spread, impossible):
    found = of(synthetic.point(fraction=fraction, spread=spread))
    assert (found.name == "impossible") == impossible


@pytest.mark.parametrize(
    ("lacking", "fields", "reason"),
    [
        ({"roof_bytes_per_s": ()}, {}, "no read roof"),
        ({"bytes": None}, {}, "bytes and FLOPs"),
        ({"floor_seconds": None}, {}, "empty call"),
        ({}, {"roofs": (synthetic.roof("matmul", [1e11], dtype="float32"),)}, "no write roof"),
        (
            {},
            {"roofs": (synthetic.roof("write", [4e10], working_set_bytes=4096),)},
            "no arithmetic roof",
        ),
    ],
)
def test_what_cannot_be_decided_is_unknown_and_says_why(lacking, fields, reason):
    found = of(replace(synthetic.point(), **lacking), **fields)
    assert found.name == "unknown"
    assert reason in found.reason


def test_a_point_by_itself_is_never_confirmed():
    found = of(synthetic.point(fraction=0.9))
    assert not found.confirmed
    assert wording.marked(found).endswith(verdict.MARK)
    assert wording.marked(replace(found, confirmed=True)) == f"bandwidth (DRAM) {verdict.CONFIRMED}"


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("bandwidth", "bandwidth"),
        ("bandwidth + overhead", "bandwidth"),
        ("compute + overhead", "compute"),
        ("overhead", "overhead"),
        ("implementation", "implementation"),
        ("mixed", None),
        ("impossible", None),
        ("unknown", None),
    ],
)
def test_a_verdict_names_one_bound_or_none(name, bound):
    assert verdict.Verdict(name).bound == bound
