"""Two profiles side by side: planted factors come back, themselves are the same, and bad pairs are refused."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from reports import published
from reports.analysis import warnings
from reports.analysis.analysis import Analysis
from reports.compare import gate, match, measured
from reports.compare.match import BadInput
from reports.plots import comparison
from reports.tables import comparison as comparison_tables
from tests.reports import synthetic


def other_machine(profile, name="elsewhere"):
    """The same profile as if from another kind of machine."""
    return replace(profile, machine={**profile.machine, "id": name, "label": name})


def slowed(profile, factor, only=None):
    """Its times scaled, all of them or those of one cell."""
    points = [
        replace(
            point,
            seconds=tuple(factor * s for s in point.seconds)
            if only is None or point.case.cell == only
            else point.seconds,
        )
        for point in profile.points
    ]
    return replace(profile, points=tuple(points))


def noisy(profile, seed, spread=0.01):
    """Another run of the same: every sample moved, alone."""
    generator = np.random.default_rng(seed)
    points = [
        replace(
            point,
            seconds=tuple(float(s * generator.normal(1, spread)) for s in point.seconds),
        )
        for point in profile.points
    ]
    return replace(profile, points=tuple(points))


def sides(*profiles):
    return [
        measured.system(Analysis(profile), f"machine {i}") for i, profile in enumerate(profiles)
    ]


@pytest.fixture(scope="module")
def made():
    return synthetic.suite()


@pytest.mark.parametrize("apart", [False, True])
def test_times_scaled_by_two_compare_as_two_in_every_row(made, apart):
    twice = slowed(made, 2.0)
    found = match.compare(sides(made, other_machine(twice) if apart else twice))
    assert len(found.rows) == sum(point.status == "ok" for point in made.points)
    for row in found.rows:
        assert row.ratio.median == pytest.approx(2, rel=1e-12)
        assert row.verdict == "slower"
        assert row.by_roof == (not apart)
    texts = {row[5].text for row in comparison_tables.ratio_table(found).rows}
    assert texts == {"2.00"}
    assert found.overall[0].median == pytest.approx(2)


def test_a_profile_is_the_same_as_itself_in_every_row(made):
    one = sides(made)[0]
    pairs = match.matched(one, one)
    assert len(pairs) == len(one.entries)
    rows = [match._compared(a, b, 1, True) for a, b in pairs]
    assert {row.verdict for row in rows} == {"same"}
    assert {row.ratio.median for row in rows} == {1.0}


@pytest.mark.parametrize(("factor", "word"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_per_cent_is_found_between_two_runs(made, factor, word):
    found = match.compare(sides(noisy(made, 1, 0.005), slowed(noisy(made, 2, 0.005), factor)))
    verdicts = [row.verdict for row in found.rows]
    assert verdicts.count(word) > 0.9 * len(verdicts)
    assert found.overall[0].low < factor < found.overall[0].high


def test_half_a_per_cent_is_not_called(made):
    found = match.compare(sides(noisy(made, 1, 0.005), slowed(noisy(made, 2, 0.005), 1.005)))
    assert {row.verdict for row in found.rows} <= {"same", "ambiguous"}
    assert found.overall[0].high < 1.02


def test_a_roof_that_moves_with_the_step_is_no_difference_on_one_machine_and_no_verdict_without_time(
    made,
):
    """Twice the time beside half the roof: by time x roof the same, by time not; so nothing is said."""
    half = replace(
        slowed(made, 2.0),
        points=tuple(
            replace(p, roof_bytes_per_s=tuple(r / 2 for r in p.roof_bytes_per_s))
            for p in slowed(made, 2.0).points
        ),
    )
    for row in match.compare(sides(made, half)).rows:
        assert row.ratio.median == pytest.approx(1)
        assert row.time.median == pytest.approx(2)
        assert row.verdict == "ambiguous"
        assert row.follows[0] == "bandwidth"
    assert all(
        row.verdict == "slower" for row in match.compare(sides(made, other_machine(half))).rows
    )


def test_all_threads_of_two_machines_are_matched_and_one_thread_is_not_all(made):
    def threads(profile, count):
        points = [replace(p, case=replace(p.case, threads=count)) for p in profile.points]
        told = {**profile.environment, "threads": 8}
        return replace(other_machine(profile), points=tuple(points), environment=told)

    everyone = match.compare(sides(made, threads(slowed(made, 2.0), 8)))
    assert len(everyone.rows) == sum(point.status == "ok" for point in made.points)
    with pytest.raises(BadInput, match="no case in common"):
        match.compare(sides(made, threads(slowed(made, 2.0), 1)))


def test_the_ranking_puts_the_fastest_first_per_cell(made):
    faster = other_machine(slowed(slowed(made, 2.0), 0.2, only="lstm"))
    places = match.compare(sides(made, faster)).ranking
    by_cell = {
        cell: [place.system for place in places if place.cell == cell]
        for cell in ("rnn", "lstm", "gru")
    }
    assert by_cell == {"rnn": [0, 1], "lstm": [1, 0], "gru": [0, 1]}
    assert all(place.ratio.median == 1 for place in places if place.system == 0)


def test_what_differs_is_named_and_what_does_not_is_not(made):
    told = {**made.environment, "packages": {"torch": "2.10.0"}}
    other = replace(slowed(made, 2.0), environment=told, suite="full")
    found = dict(match.compare(sides(made, other)).differing)
    assert found == {"torch": ("2.9.1", "2.10.0"), "suite": (made.suite, "full")}


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (lambda p: [p], "2 to 20 profiles: 1 given"),
        (lambda p: [slowed(p, 1 + i / 10) for i in range(21)], "21 given"),
        (lambda p: [p, p], "the same run is given twice"),
        (lambda p: [p, replace(p, complete=False)], "the same run is given twice"),
        (lambda p: [p, slowed(p, 2.0), p], "the same run is given twice"),
        (lambda p: [p, replace(p, points=())], "no case in common"),
    ],
)
def test_what_is_no_comparison_is_refused_in_one_line(made, pick, message):
    with pytest.raises(BadInput, match=message) as caught:
        match.compare(sides(*pick(made)))
    assert "\n" not in str(caught.value)


def test_a_profile_of_two_runs_is_not_the_same_run_for_one_point_that_agrees(made):
    other = replace(slowed(made, 2.0), points=(made.points[0], *slowed(made, 2.0).points[1:]))
    assert match.compare(sides(made, other)).rows[0].verdict == "same"


def test_the_csv_has_every_row_and_its_figures(made):
    found = match.compare(sides(made, slowed(made, 2.0)))
    lines = list(csv.DictReader(io.StringIO(comparison_tables.ratios_csv(found))))
    assert len(lines) == len(found.rows)
    assert {round(float(line["ratio_median"]), 9) for line in lines} == {2.0}
    ratio = float(lines[0]["second_seconds"]) / float(lines[0]["first_seconds"])
    assert ratio == pytest.approx(float(lines[0]["time_ratio_median"]))


def runs(profile, factor, only=None, spread=0.002):
    """Two runs before, two after."""
    before = [noisy(profile, seed, spread) for seed in (1, 2)]
    return sides(*before, *(slowed(noisy(profile, seed, spread), factor, only) for seed in (3, 4)))


def test_the_gate_fails_what_is_slower_and_nothing_else(made):
    judged = gate.gate(runs(made, 1.05, only="gru"), 2)
    assert judged.failed
    assert {row.entry.work.cell for row in judged.failed} == {"gru"}
    assert len(judged.failed) == sum(row.entry.work.cell == "gru" for row in judged.rows)


@pytest.mark.parametrize(("factor", "percent"), [(1.0, 2), (1.005, 2), (1.05, 10), (0.8, 2)])
def test_the_gate_lets_pass_what_is_not(made, factor, percent):
    assert not gate.gate(runs(made, factor), percent).failed


def test_the_gate_is_judged_on_what_runs_differ_by_not_on_rounds(made):
    """Rounds agree to 0.01 %, runs differ by 20 %: five per cent cannot be told."""
    wild = [slowed(noisy(made, i, 1e-4), f) for i, f in enumerate((1.0, 1.2, 1.05, 1.26))]
    assert not gate.gate(sides(*wild), 2).failed


def test_the_gate_asks_for_two_runs_a_side_of_one_machine(made):
    good = runs(made, 1.0)
    for few in (good[:2], good[:3]):
        with pytest.raises(BadInput, match="at least 2 runs a side"):
            gate.gate(few, 5)
    far = measured.system(Analysis(other_machine(slowed(made, 3.0))), "far")
    with pytest.raises(BadInput, match="far is another machine"):
        gate.gate([*good[:3], far], 5)
    with pytest.raises(BadInput, match="above 0"):
        gate.gate(good, -1)


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [
        (0.975, 2, 4.303),
        (0.975, 5, 2.571),
        (0.975, 30, 2.042),
        (0.9995, 10, 4.587),
        (0.95, 4, 2.132),
    ],
)  # values of printed tables
def test_students_t_is_that_of_the_tables(probability, freedom, value):
    assert gate.student(probability, freedom) == pytest.approx(value, rel=0.01)


def test_a_published_step_is_held_against_the_work_both_have(made):
    mine = measured.system(Analysis(made), "mine")
    p100 = published.find("nvidia p100")
    found = match.compare([mine, p100])
    assert found.rows
    for row in found.rows:
        assert row.first.work.residency == "resident"
        assert (row.first.work.cell, row.first.work.hidden, row.first.work.batch) == (
            row.second.work.cell, row.second.work.hidden, row.second.work.batch,
        )  # fmt: skip
        # Half of a step's FLOPs are the recurrent ones where I = H: the readings are 1 and 2 times the bare ratio.
        assert row.unequal
        assert row.ratio.median == pytest.approx(2 * row.second.time / row.first.time)
        assert row.ratio.low <= row.second.time / row.first.time <= row.ratio.high
    told = " ".join(comparison_tables.notes(found))
    for defect in published.sets()[0].defects:
        assert defect in told
    assert "datasheet" in told


def test_the_picture_has_every_machine_its_roofs_and_dashes_for_a_datasheet(made):
    import matplotlib.pyplot as plt

    found = match.compare([measured.system(Analysis(made), "mine"), published.find("NVIDIA P100")])
    axes = comparison.draw(found)
    legend = axes.flat[0].figure.legends[0]
    told = [text.get_text() for text in legend.get_texts()]
    assert told[0].startswith("A: mine, 52 GB/s, 180 GFLOP/s")
    assert told[1] == "B: NVIDIA P100, 732 GB/s, 9,300 GFLOP/s (datasheet)"
    styles = [line.get_linestyle() for line in legend.get_lines()[:2]]
    assert styles == ["-", "--"]
    figure = axes.flat[0].figure
    figure.canvas.draw()
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    plt.close("all")


def test_a_picture_is_of_one_phase():
    """Both boards published forward passes and training steps; their FLOP/s do not belong under one title."""
    found = match.compare([published.find("NVIDIA P100"), published.find("NVIDIA TitanXp")])
    assert {row.first.work.phase for row in found.rows} == {"forward", "train"}
    points, phase = comparison.shown(found)
    assert phase == "step"
    assert {entry.work.phase for entries in points.values() for entry in entries} == {"forward"}


def test_energy_is_compared_where_both_counted_it():
    def side(joules, factor):
        return slowed(synthetic.profile([replace(synthetic.point(), joules=joules)]), factor)

    more, silent = (other_machine(side(joules, 1.5)) for joules in (3.0, None))
    table = comparison_tables.ratio_table(match.compare(sides(side(2.0, 1.0), more)))
    assert (table.header[-1], table.rows[0][-1].text) == ("energy", "1.50")
    table = comparison_tables.ratio_table(match.compare(sides(side(2.0, 1.0), silent)))
    assert "energy" not in table.header


def test_a_gpus_roofs_are_its_own_beside_a_cpus():
    on_gpu = {"device": "cuda", "threads": 0}
    gpu = [
        replace(roof, **on_gpu, samples=tuple(9 * s for s in roof.samples))
        for roof in synthetic.profile().roofs
        if roof.threads == 2
    ]
    made = synthetic.profile([synthetic.point(), synthetic.point(**on_gpu)])
    found = measured.system(Analysis(replace(made, roofs=(*made.roofs, *gpu))), "both")
    assert {entry.work.threads for entry in found.entries} == {"all", "cuda"}
    assert found.roofs["cuda"].read[-1][1] == 9 * found.roofs["all"].read[-1][1]


def test_profiles_of_two_methods_are_compared_with_what_changed_and_gated_never(made):
    old, later = replace(made, method=1), replace(slowed(made, 2.0), method=2)
    found = match.compare(sides(old, later))
    said = " ".join(comparison_tables.notes(found))
    assert all(change in said for change in warnings.changed(1, 2))
    assert dict(found.differing)["method"] == ("1", "2")
    assert not set(warnings.changed(1, 2)) & set(
        comparison_tables.notes(match.compare(sides(made, slowed(made, 2.0))))
    )
    good = runs(old, 1.0)
    with pytest.raises(BadInput, match="methods 1 and 2"):
        gate.gate([*good[:3], replace(good[3], method=2)], 5)


def on_a_gpu(made):
    """The same profile as a GPU's."""
    points = [
        replace(point, case=replace(point.case, device="cuda", threads=0)) for point in made.points
    ]
    roofs = [
        replace(roof, device="cuda", threads=0)
        for roof in made.roofs
        if roof.threads == made.environment["threads"]
    ]
    machine = {**made.machine, "id": "gpu", "label": "gpu"}
    return replace(made, points=tuple(points), roofs=tuple(roofs), machine=machine)


def test_a_published_step_is_held_against_a_gpus_as_against_a_cpus(made):
    p100 = published.find("NVIDIA P100")
    here, there = (measured.system(Analysis(one), "mine") for one in (made, on_a_gpu(made)))
    assert there.peak("float32", "float32") == here.peak("float32", "float32")
    found, alike = match.compare([here, p100]), match.compare([there, p100])
    assert len(alike.rows) == len(found.rows)


def test_a_gpus_steps_meet_a_cpus_of_the_same_work_where_neither_has_both(made):
    cpu, gpu = made, on_a_gpu(made)
    both = replace(cpu, points=cpu.points + gpu.points, roofs=cpu.roofs + gpu.roofs)
    one, other, two = (measured.system(Analysis(each), "mine") for each in (cpu, gpu, both))
    found = match.matched(one, other)
    assert {a.work.threads for a, _ in found} == {"all"}
    assert {b.work.threads for _, b in found} == {"cuda"}
    assert all(replace(a.work, threads="cuda", device="cuda") == b.work for a, b in found)
    assert {(a.work.threads, b.work.threads) for a, b in match.matched(one, two)} <= {
        (role, role) for role in one.roofs
    }
