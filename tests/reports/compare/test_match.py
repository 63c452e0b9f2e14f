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
from reports.compare import match, measured
from reports.compare import sides as joining
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


def side(*profiles):
    """Runs of one side, joined."""
    return joining.joined(sides(*profiles))


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
        assert row.verdict == ("slower" if apart else "")
    texts = {row[5].text for row in comparison_tables.ratio_table(found).rows}
    assert texts == {"2.00"}
    assert found.overall[0].median == pytest.approx(2)


def test_a_profile_is_the_same_as_itself_in_every_row(made):
    one = side(made, made)
    pairs = match.matched(one, one)
    assert len(pairs) == len(one.entries)
    rows = [match._compared(a, b, 1, True) for a, b in pairs]
    assert {row.verdict for row in rows} == {"same"}
    assert {row.ratio.median for row in rows} == {1.0}


def repeated(profile, factor=1.0, seeds=range(1, 4), effect=0.0):
    """Several runs as one side; each moves all its points alike by up to `effect`."""
    effects = np.linspace(-effect, effect, len(seeds))
    return side(
        *(
            slowed(noisy(profile, seed, 0.005), factor * float(np.exp(moved)))
            for seed, moved in zip(seeds, effects, strict=True)
        )
    )


@pytest.mark.parametrize(("factor", "word"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_per_cent_is_found_between_three_runs_a_side(made, factor, word):
    found = match.compare([repeated(made), repeated(made, factor, range(4, 7))])
    verdicts = [row.verdict for row in found.rows]
    assert verdicts.count(word) > 0.9 * len(verdicts)
    assert found.overall[0].low < factor < found.overall[0].high


def test_half_a_per_cent_is_not_called(made):
    found = match.compare([repeated(made), repeated(made, 1.005, range(4, 7))])
    assert {row.verdict for row in found.rows} <= {"same", "ambiguous"}
    assert found.overall[0].high < 1.02


def test_what_runs_differ_by_is_in_every_interval_and_no_mean_averages_it_away(made):
    """Rounds agree to half a per cent, runs differ by five to either side: three per cent are nothing."""
    found = match.compare(
        [repeated(made, effect=0.05), repeated(made, 1.03, range(4, 7), effect=0.05)]
    )
    assert {row.verdict for row in found.rows} == {"ambiguous"}
    assert found.overall[0].low < 1 / 1.03
    assert found.overall[0].high > 1.03 * 1.03


def test_one_run_a_side_gives_ratios_and_no_verdict_on_one_machine(made):
    found = match.compare(sides(noisy(made, 1, 0.005), slowed(noisy(made, 2, 0.005), 1.5)))
    assert {row.verdict for row in found.rows} == {""}
    assert {place.ratio.high - place.ratio.low for place in found.ranking} == {0}
    assert found.overall[0].low == found.overall[0].high == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize(("factor", "words"), [(1.05, {"ambiguous"}), (1.5, {"slower"})])
def test_single_runs_of_two_machines_say_nothing_within_what_runs_differ_by(made, factor, words):
    other = other_machine(slowed(noisy(made, 2, 0.001), factor))
    assert {row.verdict for row in match.compare(sides(made, other)).rows} == words


def bound(residency="streamed", fraction=0.9, roof=1.0, **more):
    """A profile of six steps at this fraction of a memory that is so many times as fast as the synthetic one."""
    points = [synthetic.point(batch=b, fraction=fraction, residency=residency) for b in range(1, 7)]
    points = [
        replace(
            p,
            seconds=tuple(s / (roof if fraction > 0.75 else 1) for s in p.seconds),
            roof_bytes_per_s=tuple(roof * r for r in p.roof_bytes_per_s),
        )
        for p in points
    ]
    return slowed(synthetic.profile(points), **{"factor": 1.0, **more})


def test_a_step_that_follows_its_roof_is_compared_by_it_and_any_other_by_its_time():
    """Half the memory's speed: who is bound by it takes twice as long, and nobody became slower."""
    for fraction, by_roof, ratio in ((0.9, True, 2.0), (0.4, False, 1.0)):
        rows = match.compare(
            sides(bound(fraction=fraction), bound(fraction=fraction, roof=0.5, factor=1.001))
        )
        for row in rows.rows:
            assert row.by_roof == by_roof
            assert row.ratio.median == pytest.approx(1, rel=0.01)
            assert row.time.median == pytest.approx(ratio, rel=0.01)


def test_a_roof_that_moves_with_the_step_gives_no_verdict_without_time():
    """Twice the time beside half the roof: by time x roof the same, by time not; so nothing is said."""
    half = bound(roof=0.5)
    first, second = side(bound(), noisy(bound(), 1, 1e-3)), side(half, noisy(half, 2, 1e-3))
    for row in match.compare([first, second]).rows:
        assert row.by_roof
        assert row.ratio.median == pytest.approx(1, rel=0.01)
        assert row.verdict == "ambiguous"
        assert row.follows[0] == "bandwidth"
    far = replace(second, machine="far")
    assert all(row.verdict == "slower" for row in match.compare([first, far]).rows)


def test_no_mean_and_no_ranking_of_fewer_than_five_points():
    for count, told in ((4, False), (5, True)):
        few = synthetic.profile([synthetic.point(batch=b) for b in range(1, count + 1)])
        found = match.compare(sides(few, slowed(few, 2.0)))
        assert (found.overall[0] is not None) == told
        assert bool(found.ranking) == told


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
    assert match.compare(sides(made, other)).rows[0].ratio == (1.0, 1.0, 1.0)


def test_the_csv_has_every_row_and_its_figures(made):
    found = match.compare(sides(made, slowed(made, 2.0)))
    lines = list(csv.DictReader(io.StringIO(comparison_tables.ratios_csv(found))))
    assert len(lines) == len(found.rows)
    assert {round(float(line["ratio_median"]), 9) for line in lines} == {2.0}
    ratio = float(lines[0]["second_seconds"]) / float(lines[0]["first_seconds"])
    assert ratio == pytest.approx(float(lines[0]["time_ratio_median"]))


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


def test_profiles_of_two_methods_are_compared_with_what_changed(made):
    old, later = replace(made, method=1), replace(slowed(made, 2.0), method=2)
    found = match.compare(sides(old, later))
    said = " ".join(comparison_tables.notes(found))
    assert all(change in said for change in warnings.changed(1, 2))
    assert dict(found.differing)["method"] == ("1", "2")
    assert not set(warnings.changed(1, 2)) & set(
        comparison_tables.notes(match.compare(sides(made, slowed(made, 2.0))))
    )
    told = " ".join(comparison_tables.notes(match.compare(sides(later, replace(old, method=3)))))
    assert warnings.changed(2, 3)
    assert all(change in told for change in warnings.changed(2, 3))


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
