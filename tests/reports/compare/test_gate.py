"""A gate fails what is slower, passes what is not, and says so where its runs cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.analysis import Analysis
from reports.compare import gate, measured
from reports.locate import BadInput
from reports.tables import gate as tables
from tests.reports import synthetic
from tests.reports.compare.test_match import bound, noisy, other_machine, sides, slowed


@pytest.fixture(scope="module")
def made():
    return synthetic.suite()


def gated(profile, factor, percent, only=None, spread=0.002, runs=3, effect=0.0):
    """Runs before, and as many after whose times are scaled; each moves all its points alike by up to `effect`."""
    effects = np.exp(np.linspace(-effect, effect, runs))
    before = [slowed(noisy(profile, 1 + i, spread), effects[i]) for i in range(runs)]
    after = [
        slowed(slowed(noisy(profile, 50 + i, spread), factor, only), effects[::-1][i])
        for i in range(runs)
    ]
    return gate.gate(sides(*before), sides(*after), percent)


def test_the_gate_fails_what_is_slower_and_nothing_else(made):
    judged = gated(made, 1.05, 2, only="gru")
    assert judged.outcome == "failed"
    assert {row.entry.work.cell for row in judged.failed} == {"gru"}
    assert len(judged.failed) == sum(row.entry.work.cell == "gru" for row in judged.rows)
    assert not any(one.failed for one in judged.common.values())


@pytest.mark.parametrize(
    ("factor", "percent"), [(1.0, 2), (1.005, 2), (1.05, 10), (0.8, 2), (1, 0)]
)
def test_the_gate_passes_what_surely_is_not(made, factor, percent):
    assert gated(made, factor, percent).outcome == "passed"


def test_what_makes_all_points_slower_alike_fails_and_is_no_one_points_own(made):
    judged = gated(made, 1.08, 5)
    assert judged.outcome == "failed"
    assert all(one.failed for one in judged.common.values())
    assert all(row.judged.shift.low(row.judged.chance) < 0 for row in judged.rows)


def test_the_table_shows_a_point_as_slow_as_it_is(made):
    """All points four per cent slower, one kind of cell another four."""
    profile = slowed(made, 1.04, only="gru")
    before = [noisy(made, 1 + i, 0.002) for i in range(3)]
    after = [slowed(noisy(profile, 50 + i, 0.002), 1.04) for i in range(3)]
    judged = gate.gate(sides(*before), sides(*after), 5)
    assert {row.entry.work.cell for row in judged.failed} == {"gru"}
    shown = tables.gate_table(judged)
    column = shown.header.index("after / before")
    assert {"1.08", "1.04"} <= {f"{row[column].sort:.2f}" for row in shown.rows}


def test_what_stays_as_it_was_beside_others_that_became_faster_is_not_slower(made):
    faster = [replace(p, seconds=tuple(0.8 * s for s in p.seconds)) for p in made.points]
    slow = {index for index, p in enumerate(made.points) if p.case.cell == "rnn"}
    points = [
        p if i in slow else q for i, (p, q) in enumerate(zip(made.points, faster, strict=True))
    ]
    after = replace(made, points=tuple(points))
    runs = [
        sides(*(noisy(one, seed + i, 0.002) for i in range(3)))
        for one, seed in ((made, 1), (after, 9))
    ]
    assert gate.gate(*runs, 5).outcome == "passed"


def test_runs_that_cannot_tell_are_inconclusive_and_say_how_many_would(made):
    """Rounds agree to 0.01 %, points of runs differ by three per cent: five cannot be told, nor excluded."""
    generator = np.random.default_rng(3)

    def wild(factor):
        points = [
            replace(p, seconds=tuple(factor * m * s for s in p.seconds))
            for p, m in zip(made.points, generator.normal(1, 0.03, len(made.points)), strict=True)
        ]
        return replace(made, points=tuple(points))

    for factor in (1.0, 1.04):
        judged = gate.gate(
            sides(*(wild(1) for _ in range(3))), sides(*(wild(factor) for _ in range(3))), 5
        )
        assert judged.outcome == "inconclusive"
        assert judged.needed > 3
        assert max(row.judged.found for row in judged.rows) > 1.1
        assert tables.judgement(judged)[0].startswith("INCONCLUSIVE")
        assert str(judged.needed) in " ".join(tables.judgement(judged))


def test_seventy_per_cent_fail_whatever_the_roof_does():
    """A step that does not follow its roof, beside one that moves by half: time x roof would tell nothing."""
    runs = [bound(fraction=0.3, roof=roof) for roof in (1.0, 0.6, 1.5, 0.7, 1.4, 1.0)]
    before = sides(*(noisy(one, i, 0.01) for i, one in enumerate(runs[:3])))
    after = sides(*(slowed(noisy(one, 9 + i, 0.01), 1.7) for i, one in enumerate(runs[3:])))
    judged = gate.gate(before, after, 5)
    assert {row.by for row in judged.rows} == {gate.BY_TIME}
    assert judged.outcome == "failed"


def test_a_memory_that_became_slower_is_no_fault_of_a_step_that_follows_it():
    before = sides(*(noisy(bound(roof=roof), i, 0.002) for i, roof in enumerate((1.0, 1.1, 0.9))))
    after = sides(
        *(noisy(bound(roof=roof), 9 + i, 0.002) for i, roof in enumerate((0.7, 0.5, 0.6)))
    )
    judged = gate.gate(before, after, 5)
    assert {row.by for row in judged.rows} == {gate.BY_ROOF}
    assert judged.outcome == "passed"


def test_runs_in_turns_are_advised_where_one_side_came_wholly_first(made):
    def at(hours):
        found = [
            noisy(replace(made, created=f"2025-01-02T{h:02}:00:00+00:00"), h, 0.002) for h in hours
        ]
        return sides(*found)

    assert gate.gate(at((1, 2, 3)), at((4, 5, 6)), 5).ordered
    assert not gate.gate(at((1, 4, 5)), at((2, 3, 6)), 5).ordered


def test_the_gate_asks_for_three_runs_a_side_of_one_machine_and_one_method(made):
    good = sides(*(noisy(made, i, 0.002) for i in range(6)))
    with pytest.raises(BadInput, match="at least 3 runs a side"):
        gate.gate(good[:2], good[2:4], 5)
    far = measured.system(Analysis(other_machine(slowed(made, 3.0))), "far")
    with pytest.raises(BadInput, match="far is another machine"):
        gate.gate(good[:3], [*good[3:5], far], 5)
    with pytest.raises(BadInput, match="methods"):
        gate.gate(good[:3], [*good[3:5], replace(good[5], method=1)], 5)
    with pytest.raises(BadInput, match="from 0"):
        gate.gate(good[:3], good[3:], -1)
    with pytest.raises(BadInput, match="given twice"):
        gate.gate(good[:3], [*good[3:5], good[0]], 5)


def test_what_so_many_runs_a_side_could_tell_is_what_a_gate_of_runs_that_differ_so_tells(made):
    """Runs held against themselves, and against others that differ by as much."""
    runs = [sides(*(noisy(made, seed + i, 0.02) for i in range(4))) for seed in (1, 11)]
    could = gate.alike(runs[0])
    tells = gate.gate(*runs, 0)
    assert could.runs == (4, 4)
    assert not could.failed
    assert all(row.judged.ratio == pytest.approx(1) for row in could.rows)
    middles = [np.median([row.judged.found - 1 for row in one.rows]) for one in (could, tells)]
    assert middles[0] == pytest.approx(middles[1], rel=0.25)
    more = gate.alike([*runs[0], *runs[1]])
    assert np.median([row.judged.found - 1 for row in more.rows]) < middles[0]
    with pytest.raises(BadInput):
        gate.alike(runs[0][:2])


def told_by(runs, **facts):
    """The same runs, whose profiles tell other facts."""
    return [replace(one, facts={**one.facts, **facts}) for one in runs]


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        ("threads", ("2", "1")),
        ("allowed cores", ("0-1", "0-3")),
        ("quota", ("none", "1.5")),
        ("clock governor", ("performance", "powersave")),
        ("page size", ("4096", "2097152")),
        ("torch", ("2.13.0", "2.14.0")),
        ("version of onnxruntime", ("1.32.0", "1.33.0")),
        ("driver", ("580.1", "590.2")),
        ("ECC", ("on", "off")),
    ],
)
def test_a_gate_refuses_runs_that_were_not_measured_alike_and_names_what_differs(
    made, fact, values
):
    runs = sides(*(noisy(made, i, 0.002) for i in range(6)))
    before, after = (
        told_by(part, **{fact: value})
        for part, value in zip((runs[:3], runs[3:]), values, strict=True)
    )
    said = f"differ in {fact} \\({values[0]}; {values[1]}\\)"
    with pytest.raises(BadInput, match=said):
        gate.gate(before, after, 5)
    with pytest.raises(BadInput, match=said):  # within a side, too
        gate.gate([*before[:2], after[0]], [*after[1:], before[2]], 5)
    judged = gate.gate(before, after, 5, unlike=True)
    assert judged.outcome == gate.gate(runs[:3], runs[3:], 5).outcome
    assert any(fact in line for line in tables.judgement(judged))


def test_what_some_runs_do_not_tell_and_the_code_itself_are_no_difference(made):
    runs = sides(*(noisy(made, i, 0.002) for i in range(6)))
    before = told_by(runs[:3], **{"commit": "a", "rnn-roofline": "0.1", "quota": "none"})
    after = told_by(runs[3:], commit="b", **{"rnn-roofline": "0.2"})
    assert gate.gate(before, after, 5).unlike == ()


def test_pages_are_those_of_most_points_for_a_few_miss_theirs_by_chance(made):
    large = [replace(point, page_bytes=2 << 20) for point in made.points]
    few = replace(made, points=(replace(large[0], page_bytes=4096), *large[1:]))
    all_large = replace(made, points=tuple(large))
    told = [measured.system(Analysis(one), "a").facts["page size"] for one in (few, all_large)]
    assert told == [str(2 << 20)] * 2


def test_runs_of_a_gpu_tell_driver_ecc_power_limit_and_mig(made):
    card = {"driver": "580.159.04", "ecc": True, "power_limit_w": 700.0, "mig": False}
    with_card = replace(made, machine={**made.machine, "gpus": [card, card], "quota": None})
    facts = measured.system(Analysis(with_card), "a").facts
    asked = ("driver", "ECC", "power limit, W", "MIG", "quota")
    assert [facts[name] for name in asked] == ["580.159.04", "on", "700.0", "off", "none"]


def test_of_variables_those_are_named_that_differ(made):
    runs = sides(*(noisy(made, i, 0.002) for i in range(6)))
    before = told_by(
        runs[:3], variables="MKL_NUM_THREADS=1, OMP_PLACES={0},{1}, OMP_PROC_BIND=close"
    )
    after = told_by(runs[3:], variables="OMP_PLACES={0}, OMP_PROC_BIND=close")
    assert gate.differing([*before, *after]) == [
        "variables (MKL_NUM_THREADS=1, OMP_PLACES={0},{1}; OMP_PLACES={0})"
    ]
