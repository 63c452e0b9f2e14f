"""Roofs a cycle and thread by the clock beside the points; unlike machines never have one name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.analysis import Analysis
from reports.compare import match, measured, predict
from reports.tables import comparison, machine
from tests.reports import synthetic
from tests.reports.synthetic import profile


def clocked(*clocks, **cpu):
    """A profile whose points were measured at these clocks, on a processor of this class."""
    points = [
        replace(synthetic.point(batch=batch), state={"clock_hz": clock})
        for batch, clock in enumerate(clocks, 1)
    ]
    made = profile(points)
    return replace(made, machine={**made.machine, "cpu": {**made.machine["cpu"], **cpu}})


def figures(table):
    """The cells of a table with two columns of words before them, by their first two."""
    return {(row[0].text, row[1].text): [cell.sort for cell in row[2:]] for row in table.rows}


def test_a_roof_is_shared_out_among_threads_and_cycles_of_the_median_clock():
    made = clocked(2e9, 2.5e9, 4e9, None)
    assert Analysis(made).clock == 2.5e9
    found = figures(machine.roofs(Analysis(made)))
    assert found["products, float32", "2"][3] == pytest.approx(180 / 2 / 2.5)
    assert found["read, DRAM", "2"][3] == pytest.approx(52 / 2 / 2.5)
    assert found["read, L1", "2"][0] == pytest.approx(330e9)
    assert found["read, start of its curve", "1"][3] == pytest.approx(0.55 * 330 / 2.5)


def test_without_a_clock_nothing_is_said_of_cycles():
    made = profile([synthetic.point()])
    assert Analysis(made).clock is None
    assert all(values[3] is None for values in figures(machine.roofs(Analysis(made))).values())


def test_the_class_of_a_processor_is_told_or_said_to_be_not_told_never_derived():
    old, new = clocked(1e9), clocked(1e9, family=25, model_number=17, stepping=1, microarch="Zen 4")
    for made, told in ((old, ("not told", "not told")), (new, ("25, 17, 1", "Zen 4"))):
        facts = {row[0].text: row[1].text for row in machine.facts(Analysis(made)).rows}
        assert (facts["family, model, stepping"], facts["microarchitecture"]) == told


def sides(*made):
    """Unlike machines of one label, each with another microarchitecture or id."""
    return [
        measured.system(
            Analysis(
                replace(
                    one,
                    machine={**one.machine, "id": f"{index:x}0123456789abcde"},
                    points=tuple(
                        replace(p, seconds=tuple((1 + index / 10) * s for s in p.seconds))
                        for p in one.points
                    ),
                )
            ),
            "AMD EPYC, 2 cores",
        )
        for index, one in enumerate(made, 1)
    ]


def test_unlike_machines_of_one_label_are_told_apart_in_every_table():
    clocks = [1e9] * 5
    zens = sides(clocked(*clocks, microarch="Zen 4"), clocked(*clocks, microarch="Zen 5"))
    alike = sides(clocked(*clocks, microarch="Zen 4"), clocked(*clocks, microarch="Zen 4"))
    old = sides(clocked(*clocks), clocked(*clocks))
    for given in (zens, alike, old):
        found = match.compare(given)
        names = {one.name for one in found.systems}
        assert len(names) == 2
        assert len({cell.text for cell in comparison.machine_table(found).rows[0][1:]}) == 2
        assert len({row[2].text for row in comparison.ranking_table(found).rows}) == 2
        predicted = predict.predict(*given)
        assert {predicted.source.name, predicted.target.name} == names
    assert {one.name for one in match.compare(zens).systems} == {
        "AMD EPYC, 2 cores (Zen 4)",
        "AMD EPYC, 2 cores (Zen 5)",
    }


def test_two_runs_of_one_machine_keep_its_name():
    one, other = sides(clocked(1e9), clocked(1e9))
    other = replace(other, machine=one.machine)
    assert {s.name for s in match.compare([one, other]).systems} == {"AMD EPYC, 2 cores"}


def test_a_comparison_states_what_each_machine_does_in_a_cycle():
    slow, quick = clocked(2e9, microarch="Zen 4"), clocked(4e9, microarch="Zen 5")
    found = match.compare(sides(slow, quick))
    rows = {row[0].text: row[1:] for row in comparison.machine_table(found).rows}
    assert [cell.text for cell in rows["microarchitecture"]] == ["Zen 4", "Zen 5"]
    assert [cell.sort for cell in rows["float32, FLOP/cycle"]] == pytest.approx([45.0, 22.5])
    assert [cell.sort for cell in rows["byte/cycle"]] == pytest.approx([13.0, 6.5])
