"""Whether runs say the same: planted flips of verdicts, free batches and claims are found, and equal ones are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.analysis import Analysis
from reports.analysis.claims import REFUTED, SUPPORTED, UNTESTED, Claim
from reports.analysis.verdict import Verdict
from reports.compare import agreement
from reports.compare.agreement import Range, RunFigures
from reports.compare.repeatability import TIME, repeated
from reports.tables import repeatability as tables
from tests.reports.compare.test_repeatability import runs


def analyses(profiles):
    return [Analysis(one) for one in profiles]


def agreed(made):
    return agreement.agreement(repeated(made, [str(number) for number in range(len(made))]))


def with_verdicts(made, *by_run):
    """Each run's point of batch 1 with a verdict of ours."""
    for analysis, verdict in zip(made, by_run, strict=True):
        key = next(row.key for row in analysis.rows if row.case.batch == 1)
        analysis.held[key] = (analysis.held[key][0], verdict)
    return made


@pytest.fixture
def three():
    return analyses(runs(drift=(0.0, 0.001, -0.001), spread=0.02))


SURE, OTHER = Verdict("bandwidth", confirmed=True), Verdict("implementation", confirmed=True)
OPEN = Verdict("implementation")


@pytest.mark.parametrize(
    ("verdicts", "differing", "pairs"),
    [
        ((SURE, SURE, SURE), 0, 3),
        ((SURE, OTHER, SURE), 2, 3),
        ((SURE, OPEN, SURE), 0, 1),
        ((SURE, OPEN, OTHER), 1, 1),
        ((OPEN, OPEN, SURE), 0, 0),
        ((SURE, None, replace(SURE, level="L2")), 0, 1),
    ],
)
def test_a_verdict_differs_where_two_runs_confirm_another(verdicts, differing, pairs):
    assert agreement.differing_pairs(verdicts) == (differing, pairs)


def test_a_planted_flip_of_a_verdict_is_found_and_fails(three):
    told = agreed(with_verdicts(three, SURE, OTHER, SURE))
    assert told.confirmed.of_kind == 2
    assert [one.case.batch for one in told.differing] == [1]
    (line,) = [one for one in tables.summary(told) if one.holds is False and "verdict" in one.what]
    assert line.asked == "all equal"
    assert len(tables.differing_table(told).rows) == 1


@pytest.mark.parametrize(
    ("ranges", "together"),
    [
        ((Range(4, 4), Range(4, 4)), True),
        ((Range(4, 4), Range(8, 8)), False),
        ((Range(1, 4), Range(4, 16), Range(2, 8)), True),
        ((Range(1, 4), Range(2, 8), Range(5, 16)), False),
        ((Range(64, None), Range(16, None)), True),
        ((Range(64, None), Range(16, 32)), False),
        ((Range(64, None), None, Range(16, 64)), True),
        ((None, None), True),
    ],
)
def test_free_batches_agree_where_every_two_ranges_have_a_batch_in_common(ranges, together):
    assert agreement.overlap(ranges) is together
    assert agreement.overlap(ranges[::-1]) is together


def test_a_free_batch_has_no_end_where_no_larger_one_was_measured(three):
    (series,) = three[0].series
    assert series.planned[-1] == 32
    for free, expected in (
        ((4, 32), Range(4, None)),
        ((4, 16), Range(4, 16)),
        ((8, 8), Range(8, 8)),
        (None, None),
    ):
        assert agreement.free_range(replace(series, free=free)) == expected
    assert agreement.free_range(replace(series, planned=(1,), free=(1, 1))) is None
    failed = replace(series, planned=(*series.planned, 64), free=(4, 32))
    assert agreement.free_range(failed) == Range(4, None)


def test_a_free_batch_that_may_be_any_is_told_and_agrees_with_all(three):
    first, *others = three
    (series,) = first.series
    first.__dict__["series"] = (replace(series, free=(1, 32)),)
    for other, batch in zip(others, (4, 8), strict=True):
        other.__dict__["series"] = (replace(series, free=(batch, 8)),)
    (told,) = agreed(three).free
    assert (told.together, told.unclear) == (True, True)
    first.__dict__["series"] = (replace(series, free=(1, 4)),)
    (told,) = agreed(three).free
    assert (told.together, told.unclear) == (False, False)


def test_free_batches_of_a_series_are_held_against_each_other_run_by_run():
    """In the second run the batches beyond 1 take twice as long."""
    one, other = runs(drift=(0.0, 0.001))
    slow = [
        replace(point, seconds=tuple((1 + (point.case.batch > 1)) * s for s in point.seconds))
        for point in other.points
    ]
    told = agreed(analyses([one, replace(other, points=tuple(slow))]))
    (series,) = told.free
    assert not series.together
    assert series.texts[0] != series.texts[1]
    (same,) = agreed(analyses([one, other])).free
    assert same.together


def claim(verdict, until=None):
    return Claim(2, "cpu", verdict, "residency", (), until)


@pytest.mark.parametrize(
    ("claims", "flips", "decided"),
    [
        ((claim(SUPPORTED), claim(SUPPORTED), claim(SUPPORTED, 4)), False, 1),
        ((claim(SUPPORTED), claim(UNTESTED), claim(SUPPORTED)), False, 0),
        ((claim(SUPPORTED), claim(UNTESTED), claim(REFUTED)), True, 0),
        ((claim(UNTESTED), claim(REFUTED), claim(REFUTED)), False, 0),
        ((claim(SUPPORTED, 1), claim(REFUTED), claim(REFUTED)), True, 1),
    ],
)
def test_a_claim_flips_between_supported_and_not_supported(three, claims, flips, decided):
    for analysis, one in zip(three, claims, strict=True):
        analysis.__dict__["claims"] = (one,)
    told = agreed(three)
    (found,) = told.claims
    assert found.flips is flips
    assert min(run.claims for run in told.runs) == decided


def test_what_a_run_decides_is_counted_by_its_own_points(three):
    told = agreed(with_verdicts(three, SURE, Verdict("mixed"), OPEN))
    for run, analysis in zip(told.runs, three, strict=True):
        verdicts = [verdict for _, verdict in analysis.held.values()]
        assert run.good == 6
        assert run.mixed == [verdict.name for verdict in verdicts].count("mixed")
        assert run.confirmed == [verdict.confirmed for verdict in verdicts].count(True)
        widths = sorted(row.seconds.half_width for row in analysis.rows)
        assert run.half_width == pytest.approx((widths[2] + widths[3]) / 2)
    assert told.runs[0].confirmed == told.runs[2].confirmed + 1


def test_points_are_confirmed_as_a_share_of_those_that_are_not_mixed():
    assert RunFigures(10, 5, 2, 0, None).confirmed_share == pytest.approx(0.4)
    assert RunFigures(5, 5, 0, 0, None).confirmed_share is None


def test_disjoint_intervals_are_a_share_of_points_and_the_worst_pair_is_told():
    """Run three alone moves batch 1 by half: two of three pairs of one of six points."""
    told = agreed(analyses(runs(of=(0.0, 0.0, 0.4), drift=(0.0, 1e-6, -1e-6))))
    assert told.disjoint[TIME] == (2, 18)
    assert told.worst[TIME] == pytest.approx(1 / 6)
    (line,) = [one for one in tables.summary(told) if one.what.endswith("of time")]
    assert line.holds is False


def test_runs_that_are_alike_hold_and_those_that_decide_nothing_do_not(three):
    lines = tables.summary(agreed(three))
    holds = {one.what: one.holds for one in lines}
    assert len(lines) == 9
    assert all(value is not False for what, value in holds.items() if "disjoint" in what)
    for analysis in three:
        analysis.__dict__["claims"] = ()
    (claims,) = [one for one in tables.summary(agreed(three)) if one.what.startswith("claims dec")]
    assert claims.holds is False
