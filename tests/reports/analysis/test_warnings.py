"""Warnings that only reading reveals: impossible points, missing cases, levels that end elsewhere than caches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile import records
from bench.profile.records import Level, Point, RunWarning
from reports.analysis import warnings
from reports.analysis.analysis import Analysis
from reports.analysis.roofs import Roofs
from tests.reports import synthetic
from tests.reports.synthetic import KIB, MIB, profile


def codes(made):
    """The codes of a profile's warnings, in order."""
    return [warning.code for warning in Analysis(made).warnings]


def test_a_sound_profile_is_not_warned_of():
    assert codes(profile([synthetic.point(fraction=0.9)])) == []


def test_impossible_points_come_first():
    stored = RunWarning("noisy", "run", "interval of 9 %", "measure longer")
    made = profile(
        [synthetic.point(), synthetic.point(fraction=1.2, batch=2)],
        warnings=(stored,),
        complete=False,
    )
    assert codes(made) == ["impossible", "incomplete", "noisy"]
    first = Analysis(made).warnings[0]
    assert first.about == made.points[1].key
    assert "119\N{EN DASH}121 %" in first.message


def test_a_roof_measured_too_slow_makes_a_good_point_impossible():
    sound = synthetic.point(fraction=0.9)
    slow = replace(sound, roof_bytes_per_s=tuple(r * 0.8 for r in sound.roof_bytes_per_s))
    (warning,) = Analysis(profile([slow, synthetic.point(fraction=0.9, batch=2)])).warnings
    assert (warning.code, warning.about) == ("impossible", slow.key)


def test_pages_of_another_size_than_the_roofs_are_warned_of():
    other = replace(synthetic.point(fraction=0.9), page_bytes=2 * MIB)
    unknown = replace(synthetic.point(fraction=0.9, batch=4), page_bytes=None)
    (warning,) = Analysis(
        profile([other, synthetic.point(fraction=0.9, batch=2), unknown])
    ).warnings
    assert (warning.code, warning.about) == ("page sizes differ", other.key)
    assert "pages of 2 MiB, the read roof of 4 KiB" in warning.message


def test_one_implementation_in_two_versions_is_warned_of_and_two_implementations_are_not():
    points = [synthetic.point(fraction=0.9), synthetic.point(fraction=0.9, batch=2)]
    newer = replace(points[1], version="torch 3.0")
    (warning,) = Analysis(profile([points[0], newer])).warnings
    assert (warning.code, warning.about) == ("unequal versions", "run")
    assert "torch 2.9.1, torch 3.0" in warning.message
    assert codes(profile([points[0], replace(newer, implementation="other")])) == []


def test_failed_and_skipped_cases_are_listed_with_their_reasons():
    case = synthetic.point().case
    made = profile([
        Point(case, "a", "failed", reason="wrong by 3e-2"),
        Point(replace(case, batch=2), "a", "skipped", reason="no such dtype"),
        Point(replace(case, batch=4), "a", "skipped", reason="no such dtype"),
        Point(replace(case, batch=8), "a", "skipped"),
    ])  # fmt: skip
    failed, together, silent = Analysis(made).warnings
    assert (failed.code, failed.message) == ("missing case", "failed: wrong by 3e-2")
    assert (together.code, together.message) == ("skipped", "no such dtype")
    assert together.about.split(warnings.BETWEEN) == [point.key for point in made.points[1:3]]
    assert silent.message == "no reason was recorded"


def test_points_that_no_roof_holds_are_warned_of_together():
    points = [replace(synthetic.point(batch=b), roof_bytes_per_s=()) for b in (1, 2)]
    (warning,) = Analysis(profile(points)).warnings
    assert (warning.code, warning.about.split(warnings.BETWEEN)) == (
        "no verdict",
        [p.key for p in points],
    )
    assert "no read roof" in warning.message


@pytest.mark.parametrize(
    ("name", "end", "warned_of"),
    [
        ("L3", 32 * MIB, False),
        ("L3", 16 * MIB, False),
        ("L3", 15 * MIB, True),
        ("L3", 65 * MIB, True),
        ("L2", 2 * MIB, False),
        ("L2", 512 * KIB, True),
        ("L1", 32 * KIB, False),
        ("L4", 32 * KIB, False),
        ("cache 2", 32 * KIB, False),
    ],
)
def test_a_plateau_agrees_with_its_cache_within_a_factor_of_two(name, end, warned_of):
    made = profile(levels=(Level("cpu", name, end, 1e11), Level("cpu", "DRAM", None, 5e10)))
    assert codes(made) == (["level disagrees"] if warned_of else [])


@pytest.mark.parametrize(
    ("rates", "warned_of"),
    [((3e11, 2e11, 1.9e11), True), ((3e11, 1.49e11, 1e11), True), ((3e11, 1.5e11, 1e11), False), ((3e11,), True)],
)  # fmt: skip
def test_a_curve_that_ends_as_fast_as_a_cache_may_not_have_reached_memory(rates, warned_of):
    named = [*zip(("L1", "L2"), (64 * KIB, 2 * MIB), strict=True)][: len(rates) - 1]
    plateaus = zip([*named, ("DRAM", None)], rates, strict=True)
    made = profile(levels=tuple(Level("cpu", *at, rate) for at, rate in plateaus))
    assert codes(made) == (["memory unsure"] if warned_of else [])


def test_a_curve_that_did_not_come_to_its_end_is_warned_of_once():
    said = RunWarning("memory not reached", "run", "it still fell", "free memory")
    plateaus = (Level("cpu", "L1", 64 * KIB, 2e11), Level("cpu", "largest set", 512 * MIB, 1.9e11))
    made = profile(levels=plateaus, warnings=(said,))
    assert codes(made) == ["memory not reached"]
    assert (
        Roofs(made).level_by_size(replace(synthetic.point(), working_set_bytes=1024 * MIB))
        == (plateaus[1])
    )


@pytest.mark.parametrize("method", range(1, records.METHOD))
def test_every_older_method_has_something_to_be_warned_of(method):
    assert codes(profile(method=method)) == ["older method"]
    assert warnings.changed(method, method + 1)


def test_a_profile_of_an_older_method_is_warned_of_with_what_changed_since(monkeypatch):
    monkeypatch.setattr(records, "METHOD", 2)
    (warning,) = Analysis(profile(method=1)).warnings
    assert (warning.code, warning.about) == ("older method", "run")
    assert all(change in warning.message for change in warnings.changed(1, 2))
    assert codes(profile(method=2)) == []


def test_a_point_beside_a_roof_of_another_level_is_warned_of():
    fast = replace(synthetic.point(fraction=0.9), roof_bytes_per_s=(150e9,) * 11)
    (warning,) = Analysis(profile([fast, synthetic.point(batch=2)])).warnings
    assert (warning.code, warning.about) == ("level unclear", fast.key)


def test_caches_are_counted_with_all_instances_and_without_instructions():
    assert warnings.system_caches(profile()) == {1: 64 * KIB, 2: 2 * MIB, 3: 32 * MIB}


@pytest.mark.parametrize(
    "cpu",
    [
        {},
        {"caches": []},
        {"caches": [{"level": 1, "size_bytes": None}, {"level": None, "size_bytes": 32768}, {}]},
    ],
)
def test_a_machine_that_reports_no_caches_is_not_warned_of(cpu):
    assert codes(profile(machine={"cpu": cpu})) == []


@pytest.mark.parametrize(
    ("curve", "beside", "bus", "warned_of"),
    [
        (3.2e12, 3.3e12, 3.35e12, False),
        (3.4e12, 3.3e12, 3.35e12, True),
        (3.2e12, 3.4e12, 3.35e12, True),
        (3.4e12, 3.4e12, None, False),
    ],
)
def test_a_memory_of_a_gpu_that_is_faster_than_its_bus_is_warned_of(curve, beside, bus, warned_of):
    point = synthetic.point(residency="streamed", fraction=0.9)
    case = replace(point.case, device="cuda")
    point = replace(point, case=case, roof_bytes_per_s=tuple(beside for _ in point.seconds))
    levels = (Level("cuda", "L2", 30 * MIB, 5e12), Level("cuda", "DRAM", None, curve))
    made = profile([point], levels=levels, machine={"gpus": [{"datasheet_bytes_per_s": bus}]})
    assert ("above the bus" in codes(made)) == warned_of
