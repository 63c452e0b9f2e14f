"""Points are visited in passes: how often, in which order, and what is left of them when a run ends midway."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace

import pytest

from bench.device import cpu
from bench.device.device import Walk
from bench.measure import point, probes, visit
from bench.profile.journal import from_journal
from bench.profile.suite import Planned, Suite
from bench.roofs import matmul
from bench.session import visitor, visits
from bench.session.run import Run
from kernels import implementations
from kernels.case import Case
from reports.analysis.analysis import Analysis

SETTINGS = {
    "precision": 0.5,
    "budget_seconds": 0.01,
    "curve_seconds": 0.01,
    "longest_call_seconds": 1.0,
}
LONE = Case("rnn", hidden=16, input=16, batch=2)
SHARED = Case("lstm", hidden=16, input=16, batch=1)
PLAN = [
    *(Planned(case, "torch_cell") for case in (SHARED, replace(SHARED, batch=2))),
    Planned(replace(SHARED, residency="streamed"), "torch_cell"),
    Planned(LONE, "torch_cell"),
    Planned(LONE, "torch_gates"),
]


def suite(points, **more):
    return Suite("planned", "", SETTINGS, tuple(points), "why = 1", **more)


@pytest.fixture
def begin(short_runs, tmp_path):  # noqa: ARG001 - for what it patches
    """A function that begins a run of such a suite in the same folder, or goes on with it."""
    made = []

    def begin(points=PLAN, *, resume=False, **more):
        folder = tmp_path / "run"
        made.append(Run(suite(points, **more), 0, folder, from_journal(folder) if resume else None))
        made[-1].begin()
        return made[-1]

    yield begin
    for run in reversed(made):
        run.close()


def died(run):
    """As the system does for a process that died."""
    run._machine.release()


def test_what_experiments_of_two_kinds_share_is_visited_twice_as_often():
    """The first point has a neighbour in batch and one from memory; each of these has it alone."""
    assert [visits.wanted(PLAN)[one.key] for one in PLAN] == [6, 3, 3, 3, 3]


def test_every_pass_has_another_order_and_contestants_side_by_side():
    plan = [
        Planned(replace(SHARED, batch=batch), name)
        for batch in range(1, 9)
        for name in ("torch_cell", "torch_gates")
    ]
    passes = [visits.order(plan, number, seed=0) for number in range(6)]
    assert passes[0] == plan
    assert all(sorted(one, key=plan.index) == plan for one in passes)
    assert len({tuple(one.case.batch for one in each) for each in passes}) == 6
    for each in passes:
        assert len(list(groupby(each, key=lambda one: one.case))) == 8
    assert visits.order(plan, 3, seed=0) == passes[3]
    assert visits.order(plan, 3, seed=1) != passes[3]


def test_a_plan_that_runs_as_written_does_so_in_every_pass():
    assert [visits.order(PLAN, number, seed=None) for number in (0, 1, 5)] == [PLAN] * 3


def test_visits_span_the_run(begin):
    """Three visits go to every other of six passes; the record has all of them, in the order of time."""
    run, seen = begin(), []
    run.measure_all(PLAN, lambda found: bool(seen.append((found.key, len(found.visits)))))
    assert [count for key, count in seen if key == PLAN[0].key] == [1, 2, 3, 4, 5, 6]
    lone = [place for place, (key, _) in enumerate(seen) if key == PLAN[3].key]
    first = [place for place, (key, _) in enumerate(seen) if key == PLAN[0].key]
    assert len(lone) == 3
    assert first[1] < lone[1] < first[3] < lone[2] < first[5]
    profile = run.finish(PLAN)
    assert profile.complete
    for one in profile.points:
        assert one.checked_again
        assert sum(each.rounds for each in one.visits) == len(one.seconds)
        assert {each.rounds for each in one.visits} == {visit.ROUNDS}
        assert [each.at for each in one.visits] == sorted(each.at for each in one.visits)


def test_a_run_that_ends_midway_keeps_every_visit_and_goes_on_with_the_next(begin):
    run, count = begin(), 0

    def stop(_found):
        nonlocal count
        count += 1
        return count == 6

    run.measure_all(PLAN, stop)
    midway = {one.key: one for one in from_journal(run.folder).points}
    assert [len(midway[one.key].visits) for one in PLAN] == [2, 1, 1, 1, 1]
    assert not any(one.checked_again for one in midway.values())
    cut = run.finish(PLAN)
    assert not cut.complete
    assert "unfinished" in {warning.code for warning in Analysis(cut).warnings}
    run = begin(resume=True)
    run.measure_all(PLAN)
    profile = run.finish(PLAN)
    assert profile.complete
    for one in profile.points:
        before = midway[one.key]
        assert one.seconds[: len(before.seconds)] == before.seconds
        assert one.visits[: len(before.visits)] == before.visits
        assert one.at == before.at
        assert len(one.visits) == visits.wanted(PLAN)[one.key]
    assert "unfinished" not in {warning.code for warning in Analysis(profile).warnings}


def test_a_wrong_answer_after_the_last_visit_takes_the_samples_with_it(begin, monkeypatch):
    right, calls = implementations.load("torch_cell"), 0

    def prepare(case, sets, inputs):
        bind = right.prepare(case, sets, inputs)

        def bound(w, i):
            step = bind(w, i)

            def call():
                nonlocal calls
                calls += 1
                return [2 * one for one in step()] if run.known(PLAN[3]) else step()

            return call

        return bound

    monkeypatch.setattr(implementations, "load", lambda _name: replace(right, prepare=prepare))
    run = begin(PLAN[3:4])
    found = run.measure(PLAN[3])
    assert (found.status, found.seconds) == ("failed", ())
    assert "wrong answer after it was timed" in found.reason


def test_a_point_that_memory_cannot_keep_is_built_anew_for_every_visit(begin, monkeypatch):
    built = []
    real = point.opened
    monkeypatch.setattr(
        visitor.points, "opened", lambda *a, **k: built.append(a[1]) or real(*a, **k)
    )
    run = begin(PLAN[3:4])
    run.measure_all(PLAN[3:4])
    assert built == [LONE]
    died(run)
    monkeypatch.setattr(visitor, "KEPT_SHARE", 1 << 62)
    built.clear()
    run.close()
    again = Planned(replace(LONE, batch=3), "torch_cell")
    run = Run(suite([again]), 0, run.folder.parent / "other", None)
    run.begin()
    try:
        found = run.measure(again)
    finally:
        run.close()
    assert built == [again.case] * 3
    assert (found.status, len(found.visits), len(found.seconds)) == ("ok", 3, 12)


def test_threads_that_share_a_core_make_a_visit_again(context, monkeypatch):
    crowded = iter([True, False, True, True, False])
    monkeypatch.setattr(type(context.device), "crowded", lambda *_: next(crowded))
    torch_cell = implementations.load("torch_cell")
    found = point.point(context, LONE, "torch_cell", torch_cell, order=0)
    assert [one.retaken for one in found.visits] == [1, visit.MOST_RETAKEN, 0]
    assert len(found.seconds) == 3 * visit.ROUNDS


def test_a_floor_that_matters_is_sampled_in_every_round_and_one_that_does_not_is_a_median(
    context, monkeypatch
):
    torch_cell = implementations.load("torch_cell")
    small = point.point(context, LONE, "torch_cell", torch_cell, order=0)
    assert len(small.floor_beside) == len(small.seconds)
    assert min(small.floor_beside) <= small.floor_seconds <= max(small.floor_beside)
    monkeypatch.setattr(visit, "FLOOR_MATTERS", float("inf"))
    found = point.point(context, LONE, "torch_cell", torch_cell, order=0)
    assert found.floor_beside == ()
    assert found.floor_seconds > 0


def test_precision_is_looked_at_after_three_six_and_twelve_visits(context, monkeypatch):
    """Of a precision that nothing reaches it is visited as often as may be; of any, three times."""
    torch_cell = implementations.load("torch_cell")
    context = replace(context, budget_seconds=60.0, precision=0.0)
    found = point.point(context, LONE, "torch_cell", torch_cell, order=0)
    assert len(found.visits) == point.MOST_VISITS == 12
    widths = {3: 0.3, 4: 0.1, 5: 0.1, 6: 0.1}
    monkeypatch.setattr(
        visit,
        "fraction",
        lambda _, found: visit.stats.Estimate(
            0.5, 0.5 - widths[len(found.visits)], 0.5 + widths[len(found.visits)]
        ),
    )
    found = point.point(replace(context, precision=0.5), LONE, "torch_cell", torch_cell, order=0)
    assert len(found.visits) == 6


def test_a_probe_keeps_the_memory_that_it_walks(context):
    """A larger block takes its place in the cache while the point waits for its next visit."""
    train = replace(LONE, phase="train")
    small, large = 1 << 16, 1 << 22
    kept = {}
    for size in (small, large):
        moved, walk = {"read": 2 * size, "written": size}, Walk(size, 1, 1, times=2)
        kept[size] = probes.store_probes(context, moved, walk)
        for kind, probe in zip(("write", "triad"), kept[size], strict=True):
            assert context.cache.stored[kind] is probe.block
    for first, second in zip(kept[small], kept[large], strict=True):
        assert first.block is not second.block
        first.contender.run(3)
    torch_cell = implementations.load("torch_cell")
    assert point.point(context, train, "torch_cell", torch_cell, order=0).status == "ok"


def test_a_point_that_waits_keeps_no_reference_in_float64(context):
    torch_cell = implementations.load("torch_cell")
    found = point.opened(context, LONE, "torch_cell", torch_cell, order=0)
    assert found._checker._kept is None


def test_a_run_cut_after_a_point_came_out_impossible_can_be_resumed(begin, monkeypatch):
    """Until its next visit it keeps the samples that it had."""
    monkeypatch.setattr(point.roofline_model, "IMPOSSIBLE", 0.0)
    run = begin(PLAN[3:4])
    run.measure_all(PLAN[3:4], lambda found: len(found.visits) == 3)
    (cut,) = from_journal(run.folder).points
    assert (len(cut.visits), cut.checked_again) == (3, False)
    found = run.measure(PLAN[3])
    assert (len(found.visits), found.checked_again) == (3, True)
    assert not set(found.seconds) & set(cut.seconds)


def test_a_point_that_is_built_anew_for_each_visit_ends_though_it_is_impossible_and_crowded(
    begin, monkeypatch
):
    monkeypatch.setattr(point.roofline_model, "IMPOSSIBLE", 0.0)
    monkeypatch.setattr(visitor, "KEPT_SHARE", 1 << 62)
    run = begin(PLAN[3:4])
    monkeypatch.setattr(type(run.context().device), "crowded", lambda *_: True)
    visited = 0

    def count(_found):
        nonlocal visited
        visited += 1
        return visited > 60

    run.measure_all(PLAN[3:4], count)
    assert visited <= 60
    assert [one.retaken for one in run.known(PLAN[3]).visits] == [visit.MOST_RETAKEN] * 3


def test_the_load_of_a_visit_is_remembered_when_a_point_is_built_anew(context):
    torch_cell = implementations.load("torch_cell")
    first = point.opened(context, LONE, "torch_cell", torch_cell, order=0).visited()
    busy = replace(first, state={**first.state, "load": 0.7, "throttle": ["heat"]})
    again = point.opened(context, LONE, "torch_cell", torch_cell, order=0, earlier=busy).visited()
    assert (again.state["load"], again.state["throttle"]) == (0.7, ["heat"])


def test_what_stands_first_in_a_plan_that_runs_as_written_is_whole_first(begin):
    plan = [Planned(replace(LONE, batch=batch), "torch_cell") for batch in range(1, 15)]
    run, seen = begin(plan, written=True), []
    run.measure_all(plan, lambda found: bool(seen.append(found.key)))
    assert set(seen[: 3 * visits.PART]) == {one.key for one in plan[: visits.PART]}
    assert run.finish(plan).complete


def test_threads_that_always_share_a_core_are_no_reason_to_visit_again(monkeypatch):
    """Two of one core's take twice as long as one has it alone, at every look."""
    device = cpu.Cpu()
    monkeypatch.setattr(
        device, "probe", lambda _kind, _variant, _block, walk: (lambda _count: walk.threads, 1)
    )
    ratio = 2.0
    monkeypatch.setattr(
        cpu.Cpu,
        "clock",
        SimpleNamespace(seconds_each=lambda run, _count: ratio if run(1) > 1 else 1.0),
    )
    assert not device.crowded(1)
    assert not any(device.crowded(2) for _ in range(3))
    ratio = 1.0
    assert not device.crowded(2)
    ratio = 2.0
    assert device.crowded(2)


def test_a_point_that_is_built_anew_pairs_what_it_paired_before(context):
    """Its bytes take longer than its products when it is built again, so that products would not be paired any more."""
    torch_cell = implementations.load("torch_cell")
    slow = replace(context, arithmetic={("float32", 1): (1e3, matmul.Shape(8, 8, 8))})
    first = point.opened(slow, LONE, "torch_cell", torch_cell, order=0).visited()
    assert len(first.roof_flop_per_s) == len(first.seconds) == visit.ROUNDS
    fast = replace(context, arithmetic={("float32", 1): (1e18, matmul.Shape(8, 8, 8))})
    again = point.opened(fast, LONE, "torch_cell", torch_cell, order=0, earlier=first).visited()
    assert (again.status, again.reason) == ("ok", None)
    assert len(again.roof_flop_per_s) == len(again.seconds) == 2 * visit.ROUNDS


def test_where_memory_is_short_the_largest_points_are_built_anew(begin, monkeypatch):
    built = []
    real = point.opened
    monkeypatch.setattr(
        visitor.points, "opened", lambda *a, **k: built.append(a[1].batch) or real(*a, **k)
    )
    plan = [Planned(replace(LONE, batch=batch), "torch_cell") for batch in (4, 2, 64)]
    run = begin(plan)
    # of x and h of both smaller ones, of four sets of inputs, twice
    room = 2 * 4 * 16 * (2 + 4) * 2 * 4
    monkeypatch.setattr(visitor, "KEPT_SHARE", run.context().free_bytes // room)
    run.measure_all(plan)
    counts = {batch: built.count(batch) for batch in (2, 4, 64)}
    assert counts[64] > 1
    assert counts[2] == counts[4] == 1
