"""Sequences in a report: their limit in stages, marked, never beside what must fetch more, and as DeepBench counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.case import Case
from reports.analysis import claims, series, wording
from reports.analysis.analysis import Analysis
from reports.page import report
from reports.page.markdown import render
from reports.plots import chart_data, page_data
from reports.tables import sequences
from tests.reports import synthetic
from tests.reports.synthetic import profile

HOISTED = {"W": "per_call", "U": "per_step"}
PER_STEP = {"W": "per_step", "U": "per_step"}


def sequence(steps=25, reads=HOISTED, seconds=None, **fields):
    """A synthetic point made a sequence of that many steps."""
    made = synthetic.point(**{"residency": "resident", "implementation": "torch_sequence"} | fields)
    case = replace(made.case, steps=steps)
    projection = {"linear": made.flops["linear"] // 2, "read": made.bytes["read"] // 40}
    return replace(
        made,
        case=case,
        reads=reads,
        seconds=made.seconds if seconds is None else (seconds,) * 11,
        projection=projection if steps > 1 and reads == HOISTED else None,
    )


def planted(projection):
    """1000 bytes read and 100 written, 4000 FLOPs; beside reading at 50 GB/s, writing at 40, products at 180."""
    return replace(
        sequence(),
        seconds=(73e-9,),
        roof_bytes_per_s=(50e9,),
        bytes={"weights": 900, "activations": 200, "read": 1000, "written": 100},
        flops={"linear": 4000, "recurrent": 400, "pointwise": 10},
        projection=projection,
        floor_seconds=7.3e-9,
    )


def test_the_limits_of_a_sequences_two_stages_are_added_up():
    # first 300 bytes, 6 ns, and 3600 FLOPs, 20 ns; then 14 + 2.5 ns and 2.2 ns
    (row,) = Analysis(profile([planted({"linear": 3600, "read": 300})])).rows
    assert row.limit.median == pytest.approx(36.5e-9)
    assert row.fraction.median == pytest.approx(0.5)
    assert row.explained.median == pytest.approx(0.6)
    assert row.balance.median == pytest.approx(20 / 6)
    assert row.t_bytes.median == pytest.approx(22.5e-9)


def test_without_a_stage_of_its_own_the_larger_of_bytes_and_flops_is_the_limit():
    (row,) = Analysis(profile([planted(None)])).rows
    assert row.limit.median == pytest.approx(22.5e-9)
    assert row.balance.median == pytest.approx(4000 / 180e9 / 22.5e-9)


def test_what_bounds_the_longer_stage_bounds_the_sequence():
    # first 980 bytes, 19.6 ns, and 360 FLOPs, 2 ns; then 0.4 + 0.5 ns and 20.2 ns
    point = planted({"linear": 360, "read": 980})
    point = replace(point, bytes=point.bytes | {"activations": 120, "written": 20})
    (row,) = Analysis(profile([point])).rows
    assert row.limit.median == pytest.approx((19.6 + 3640 / 180) * 1e-9)
    assert row.balance.median == pytest.approx(3640 / 180 / 0.9)


def test_a_sequence_that_hoists_is_marked_wherever_its_implementation_is_named():
    made = profile([sequence(), synthetic.point(residency="resident")])
    assert wording.contender(made.points[0]) == f"torch_sequence {wording.HOISTED}"
    assert wording.contender(made.points[1]) == "torch_cell"
    text = render(report.document(Analysis(made), {}, "command", None))
    marked = text.count(f"torch_sequence {wording.HOISTED}")
    assert marked == 4  # series, evidence, points, sequences
    assert text.count(wording.HOISTED) > marked  # and what the mark means
    assert "25 steps a call" in text


@pytest.mark.parametrize(("steps", "reads"), [(1, HOISTED), (25, PER_STEP), (25, None)])
def test_what_fetches_all_weights_at_each_step_is_not_marked(steps, reads):
    made = profile([sequence(steps, reads)])
    assert wording.contender(made.points[0]) == "torch_sequence"
    assert wording.HOISTED not in wording.legend(made.points)
    assert wording.HOISTED not in render(report.document(Analysis(made), {}, "command", None))


def test_a_headline_is_about_single_steps_where_there_are_any():
    single = synthetic.point(hidden=256, residency="resident", fraction=0.2)
    text = Analysis(profile([sequence(fraction=0.9), single])).headline
    assert "256 units" in text
    assert "sequence" not in text


def test_a_headline_never_compares_what_must_fetch_all_weights_with_what_need_not():
    hoisted = sequence(fraction=0.9)
    honest = sequence(reads=PER_STEP, fraction=0.5, implementation="torch_loop")
    made = profile([hoisted, honest])
    assert len(series.foremost(Analysis(made).series)) == 1
    text = Analysis(made).headline
    assert "in sequences of 25" in text
    assert ("torch_sequence" in text) != ("torch_loop" in text)


def time_lines(made):
    """What the still picture of times against batch shows."""
    return chart_data.shown(chart_data.charts(Analysis(made)), "time_against_batch")


def test_time_against_batch_shows_what_fetches_alike():
    single = [synthetic.point(batch=batch, residency="resident") for batch in (1, 2)]
    many = profile([sequence(), *single, synthetic.point(cell="gru")])
    assert {one.fetched for one in time_lines(many)} == {("W", "U")}
    assert {one.fetched for one in time_lines(profile([sequence()]))} == {("U",)}


def test_no_ridge_is_predicted_for_a_sequence_of_two_stages():
    found = Analysis(profile([sequence(), sequence(reads=PER_STEP, cell="gru")])).series
    assert [one.ridge_batch is None for one in found] == [True, False]


# cell, H, B, T, milliseconds and TFLOP/s as published for an NVIDIA V100 with cuDNN 7.6.2, float32
PUBLISHED = [
    ("vanilla", 1760, 16, 50, 4.201, 1.18),
    ("lstm", 512, 16, 25, 1.095, 0.766),
    ("gru", 2816, 32, 1500, 223.343, 10.23),
]


@pytest.mark.parametrize(("cell", "hidden", "batch", "steps", "milliseconds", "rate"), PUBLISHED)
def test_rates_are_deepbenchs_own(cell, hidden, batch, steps, milliseconds, rate):
    """A call that takes as long as one of its published calls is given the rate published."""
    each = milliseconds / 1e3 / steps
    ours = {"vanilla": "rnn"}.get(cell, cell)
    made = profile([sequence(steps, seconds=each, cell=ours, hidden=hidden, batch=batch)])
    ((*words, time, found),) = sequences.deepbench(Analysis(made)).rows
    assert [word.text for word in words[:4]] == [cell, str(hidden), str(batch), str(steps)]
    assert time.sort == pytest.approx(milliseconds / 1e3)
    assert found.sort / 1e12 == pytest.approx(rate, rel=0.01)


def test_a_vanilla_step_has_a_flop_more_per_unit():
    case = Case("rnn", hidden=10, input=10, batch=3, steps=50)
    assert sequences.deepbench_flops(case, 2 * 3 * 10 * 10) == 630
    assert sequences.deepbench_flops(replace(case, cell="gru"), 1800) == 1800


def test_single_steps_are_deepbenchs_in_its_own_suite_alone():
    made = profile([synthetic.point("gru", hidden=512, residency="resident")])
    assert not sequences.deepbench(Analysis(made)).rows
    assert len(sequences.deepbench(Analysis(replace(made, suite="deepbench"))).rows) == 1
    part = Case("gru", 512, 512, 1, part="linear", threads=2)
    parts = profile([replace(synthetic.point("gru"), case=part)], suite="deepbench")
    assert not sequences.deepbench(Analysis(parts)).rows


def test_a_claim_about_a_step_is_not_tested_on_sequences():
    found = Analysis(profile([sequence(batch=batch) for batch in (1, 2)])).claims
    assert {one.verdict for one in found} == {claims.UNTESTED}
    assert any("no LSTM step was measured" in figure for one in found for figure in one.figures)


def test_sequences_of_two_stages_take_part_in_no_experiment_but_peer_comparisons_with_their_like():
    slow, quick = sequence(fraction=0.3), sequence(fraction=0.6, implementation="onnx")
    more = [sequence(fraction=0.3, batch=64), sequence(fraction=0.9, reads=PER_STEP, cell="gru")]
    unlike = sequence(fraction=0.9, reads=PER_STEP, implementation="torch_loop")
    found = Analysis(profile([slow, quick, unlike, *more])).experiments
    assert [one.experiment for one in found] == ["peer comparison"]
    assert {row.point.implementation for row in found[0].rows} == {"torch_sequence", "onnx"}


def test_the_pages_plots_open_on_single_steps_and_tell_apart_what_must_fetch_less():
    made = [sequence(), sequence(reads=PER_STEP, implementation="torch_loop"), sequence(steps=1)]
    data = page_data.data(chart_data.charts(Analysis(profile(made))))
    (steps,) = [one["options"] for one in data["facets"] if one["name"] == "steps"]
    assert steps == [[1, "1", True], [25, "25", False]]
    words = {(one["implementation"], one["steps"]): one["words"] for one in data["series"]}
    assert words["torch_sequence", 25].endswith(", W read once a call")
    assert not words["torch_loop", 25].endswith("once a call")
    assert not words["torch_sequence", 1].endswith("once a call")
