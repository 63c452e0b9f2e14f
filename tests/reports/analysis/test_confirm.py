"""Confirmed are verdicts that independent experiments agree on; one that contradicts is enough to prevent it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile.records import RunWarning, Visit
from reports.analysis import verdict, wording
from reports.analysis.analysis import Analysis
from tests.reports import synthetic
from tests.reports.analysis.test_experiments import resident, step, threaded, timed
from tests.reports.synthetic import profile


def of(*points):
    """The verdict of the first point."""
    return Analysis(profile(points)).held[points[0].key][1]


def test_two_experiments_that_agree_confirm():
    found = of(step(fraction=0.9), resident(fraction=0.9), step(fraction=0.9, batch=2))
    assert (found.confirmed, found.reason) == (True, "residency and batch agree")
    assert wording.marked(found) == f"bandwidth (DRAM) {verdict.CONFIRMED}"


def test_one_experiment_does_not():
    found = of(step(fraction=0.9), resident(fraction=0.9))
    assert (found.confirmed, found.reason) == (False, "residency alone supports it")
    assert wording.marked(found) == f"bandwidth (DRAM) {verdict.MARK}"


def test_two_of_a_kind_are_one_experiment():
    found = of(*(step(fraction=0.9, batch=batch) for batch in (2, 1, 4)))
    assert (found.confirmed, found.reason) == (False, "batch alone supports it")


def test_experiments_that_leave_a_rival_do_not_confirm():
    """The bytes exclude overhead, but not products that are 2.3 times as fast in bfloat16."""
    found = of(step(fraction=0.9), step(fraction=0.9, dtype="bfloat16"))
    assert (found.confirmed, found.reason) == (False, "bytes cannot exclude compute")
    with_batch = of(
        step(fraction=0.9), step(fraction=0.9, dtype="bfloat16"), step(fraction=0.9, batch=2)
    )
    reason = "bytes and batch agree, but no roof moved"
    assert (with_batch.confirmed, with_batch.reason) == (False, reason)
    with_resident = of(
        step(fraction=0.9), step(fraction=0.9, dtype="bfloat16"), resident(fraction=0.9)
    )
    assert (with_resident.confirmed, with_resident.reason) == (True, "residency and bytes agree")


def test_two_experiments_that_leave_the_same_rival_do_not_confirm_either():
    """Roofs that speed up alike cannot show products at work, nor can bytes whose products are quicker too."""
    (alone, both), fields = threaded(read=1 / 1.8, products=1 / 1.9, taken=1 / 1.8)
    made = profile([alone, both, step(fraction=0.9, dtype="bfloat16")], **fields)
    found = Analysis(made).held[both.key][1]
    assert (found.confirmed, found.reason) == (False, "bytes and threads cannot exclude compute")


@pytest.mark.parametrize(("read", "sure"), [(1.0, False), (1 / 1.25, False), (1 / 1.35, True)])
def test_threads_move_a_roof_where_one_alone_reads_slower(read, sure):
    """Else a step that runs on one core, and takes the same time, seems to follow the roof."""
    (alone, both), fields = threaded(read=read, products=0.5, taken=read)
    found = Analysis(profile([alone, both, step(fraction=0.9, batch=2)], **fields)).held[both.key]
    assert found[1].bound == "bandwidth"
    assert found[1].confirmed is sure


def shared(point):
    """The point in six visits of four rounds, all alike."""
    return replace(
        point,
        seconds=(point.seconds[5],) * 24,
        roof_bytes_per_s=(point.roof_bytes_per_s[5],) * 24,
        visits=tuple(Visit(synthetic.AT, 4) for _ in range(6)),
    )


def test_experiments_that_look_at_the_same_visits_do_not_confirm_each_other():
    (alone, both), fields = threaded(read=1 / 1.35, products=0.5, taken=1 / 1.35)
    odd = both, alone, resident(fraction=0.9)
    of_all = Analysis(profile(odd, **fields)).held[both.key][1]
    assert (of_all.confirmed, of_all.reason) == (True, "residency and threads agree")
    odd = shared(both), *odd[1:]
    found = Analysis(profile(odd, **fields)).held[both.key][1]
    assert (found.confirmed, found.bound) == (False, "bandwidth")
    third = Analysis(profile([*odd, step(fraction=0.9, batch=2)], **fields)).held[both.key][1]
    assert (third.confirmed, third.reason) == (True, "residency, batch and threads agree")


def test_overhead_needs_excluding_where_it_is_named_beside_the_bound():
    """One thread reads nearly as fast as two: neither that nor the batch could show the cost of a call."""
    (alone, both), fields = threaded(read=0.9, products=0.5, taken=0.9)
    points = [alone, both, step(fraction=0.9, batch=2)]
    reason = "batch and threads agree, but no roof moved"
    assert Analysis(profile(points, **fields)).held[both.key][1].reason == reason
    called = [
        replace(
            point,
            seconds=tuple(taken * 1.3 for taken in point.seconds),
            floor_seconds=0.3 * point.seconds[5],
        )
        for point in points
    ]
    found = Analysis(profile(called, **fields)).held[called[1].key][1]
    assert (found.name, found.confirmed) == ("bandwidth + overhead", False)
    assert found.reason == "batch and threads cannot exclude overhead"


def test_one_contradiction_blocks_any_number_that_agree():
    agreeing = resident(fraction=0.9), step(fraction=0.9, dtype="bfloat16")
    assert of(step(fraction=0.9), *agreeing, step(fraction=0.9, batch=2)).confirmed
    found = of(step(fraction=0.9), *agreeing, timed(step(fraction=0.9, batch=2), 2))
    assert (found.confirmed, found.reason) == (False, "contradicted by batch")


def test_arithmetic_is_confirmed_by_batch_and_residency():
    points = [step(fraction=0.9, batch=batch) for batch in (64, 128)]
    found = of(*points, resident(fraction=0.9, batch=64))
    assert (found.name, found.confirmed) == ("compute", True)


def test_overhead_is_confirmed_where_neither_bytes_nor_sequences_change_the_time():
    points = [
        replace(point, seconds=(1e-5,) * 11, floor_seconds=9e-6)
        for point in (
            step(hidden=64),
            resident(hidden=64),
            step(hidden=64, batch=4),
        )
    ]
    found = of(*points)
    assert (found.name, found.confirmed) == ("overhead", True)


def test_a_slow_implementation_is_confirmed_by_one_that_is_faster():
    quick = step(implementation="other", fraction=0.9)
    found = of(step(fraction=0.3), quick)
    assert (found.confirmed, found.reason) == (True, "other is 3.0\N{MULTIPLICATION SIGN} as fast")
    assert not of(quick, step(fraction=0.3)).confirmed


def test_or_by_two_experiments_in_which_its_time_moves_as_no_limit_does():
    slow = step(fraction=0.3)
    hot = resident()
    hot = timed(hot, slow.seconds[5] / hot.seconds[5])
    two = timed(step(fraction=0.3, batch=2), 2)
    both = of(slow, hot, two)
    assert both.confirmed
    assert both.reason == "residency and batch agree: its time moves as no limit does"
    alone = of(slow, hot)
    assert (alone.confirmed, "no quicker implementation" in alone.reason) == (False, True)


def once(point):
    """The same rounds, as those of one visit."""
    return replace(point, visits=(Visit("2025-01-02T03:04:05Z", len(point.seconds)),))


def test_what_was_visited_once_is_not_confirmed_between_runs():
    points = step(fraction=0.9), resident(fraction=0.9), step(fraction=0.9, batch=2)
    for visited_once in (once(points[0]), replace(points[0], visits=None)):
        found = of(visited_once, *points[1:])
        assert (found.confirmed, found.reason) == (False, verdict.BETWEEN_RUNS)
    slow = once(step(fraction=0.3))
    assert of(slow, step(implementation="other", fraction=0.9)).reason == verdict.BETWEEN_RUNS


def test_a_point_beside_which_another_process_ran_confirms_nothing_and_is_not_confirmed():
    points = step(fraction=0.9), resident(fraction=0.9), step(fraction=0.9, batch=2)
    for disturbed in points:
        about = f"other, {disturbed.key}"
        busy = RunWarning("load", about, "another process ran", "stop it")
        held = Analysis(profile(points, warnings=(busy,))).held
        assert not held[points[0].key][1].confirmed
        assert held[disturbed.key][1].reason == "another process ran beside it"
    whole_run = RunWarning("load", "run", "others were busy", "stop them")
    assert Analysis(profile(points, warnings=(whole_run,))).held[points[0].key][1].confirmed


def test_a_verdict_between_two_bounds_is_never_confirmed():
    straddling = step(fraction=0.75, spread=0.05, floor=1e-12)
    found = of(straddling, resident(fraction=0.9), step(fraction=0.8, batch=2))
    assert (found.name, found.confirmed) == ("mixed", False)
    assert found.reason == "the interval leaves more than one bound open"


@pytest.mark.parametrize("point", [step(fraction=1.2), replace(step(), roof_bytes_per_s=())])
def test_what_is_impossible_or_unknown_keeps_its_reason(point):
    found = of(point, resident(fraction=0.9), step(fraction=0.9, batch=2))
    assert wording.marked(found) == found.name
    ((_, alone),) = Analysis(profile([point])).readings
    assert found.reason == alone.reason


def test_a_point_without_partners_says_so():
    assert of(step(fraction=0.9)).reason == "no point to compare it with"


def test_partners_that_do_not_decide_are_named():
    noisy = {"fraction": 0.9, "spread": 0.1}
    made = of(step(fraction=0.9), resident(fraction=0.55), step(**noisy, batch=2))
    assert made.reason == "batch alone supports it"
    assert of(step(fraction=0.9), resident(fraction=0.55)).reason == "residency decided nothing"


def test_every_good_point_has_a_verdict():
    made = synthetic.suite()
    good = {point.key for point in made.points if point.status == "ok"}
    assert Analysis(made).held.keys() == good
