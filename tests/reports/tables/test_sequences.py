"""Sequences whose weights stay on chip: past the roofs that fetch them, marked, and never called impossible for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels import roofline_model
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.page import report
from reports.page.markdown import render
from reports.tables import points as point_table
from reports.tables import sequences
from tests.reports.synthetic import MIB, profile
from tests.reports.test_sequences import HOISTED, sequence

ON_CHIP = {"W": "per_call", "U": "per_call"}
OWN_CACHE = {"W": "per_call", "U": "own_cache"}
OWN_BYTES = 4 * 192 * 192 * 4
U_BYTES = 4 * 1024 * 1024 * 4
STREAMED_SECONDS = U_BYTES / 52e9
"""Of a step that fetches the U of an LSTM of 1024 units in float32 from the synthetic machine's memory."""


def kept(seconds, **fields):
    """A sequence that charges the T-th part of its weights, at so many seconds a step."""
    made = sequence(reads=ON_CHIP, seconds=seconds, implementation="triton_persistent", **fields)
    moved = {name: made.bytes[name] // 25 for name in made.bytes}
    return replace(made, bytes=moved, floor_seconds=1e-7, roof_bytes_per_s=(155e9,) * 11)


def reading(point):
    ((_, found),) = Analysis(profile([point])).readings
    return found


def test_a_step_past_the_streaming_roof_is_marked_and_not_impossible():
    point = kept(STREAMED_SECONDS / 2)
    assert point.persistent
    found = reading(point)
    assert wording.marked(found) == "latency (weights on chip)"
    assert found.bound is None
    assert not Analysis(profile([point])).impossible


def test_what_a_tiny_sequence_takes_a_step_is_the_chain_of_steps_too_and_no_cost_of_a_call():
    point = kept(STREAMED_SECONDS / 2)
    slow = replace(point, floor_seconds=STREAMED_SECONDS / 2)
    assert reading(slow).name == "latency"
    fetching = replace(sequence(reads=HOISTED, seconds=1e-3), floor_seconds=0.9e-3)
    assert reading(fetching).name == roofline_model.CALL


def test_a_sequence_that_fetches_u_is_not_marked():
    point = sequence(reads=HOISTED, seconds=1e-3)
    assert not point.persistent
    assert reading(point).name == roofline_model.CODE
    assert not sequences.persistent(Analysis(profile([point]))).rows


def test_one_that_is_faster_than_its_own_bytes_is_impossible_all_the_same():
    assert reading(kept(1e-9)).name == "impossible"


def test_the_table_tells_how_many_times_as_fast_as_fetching_u_it_is():
    (line,) = sequences.persistent(Analysis(profile([kept(STREAMED_SECONDS / 10)]))).rows
    by_name = dict(
        zip(sequences.persistent(Analysis(profile([kept(1.0)]))).header, line, strict=False)
    )
    assert by_name["U, MB"].sort == pytest.approx(U_BYTES)
    assert by_name["from memory, us"].sort == pytest.approx(STREAMED_SECONDS)
    assert line[9].sort == pytest.approx(10)
    paired = line[10].sort
    assert paired == pytest.approx(U_BYTES / 155e9)
    assert line[11].sort == pytest.approx(paired / (STREAMED_SECONDS / 10))


def owned(seconds, **fields):
    """A sequence of which each core reads its part of U from its own cache; a working set in the second level."""
    made = sequence(reads=OWN_CACHE, seconds=seconds, hidden=192, implementation="numba_sequence")
    half = {"linear": made.flops["linear"] // 2, "read": made.bytes["read"] // 50}
    beside = {"projection": half, "working_set_bytes": OWN_BYTES, "floor_seconds": 1e-7}
    return replace(made, roof_bytes_per_s=(190e9,) * 11, **beside | fields)


def test_what_lies_in_the_cores_own_caches_is_held_against_the_level_behind():
    analysis = Analysis(profile([owned(OWN_BYTES / 190e9)]))
    assert analysis.rows[0].level == "L2"
    (line,) = sequences.persistent(analysis).rows
    assert line[10].sort == pytest.approx(OWN_BYTES / 155e9)


def test_bytes_of_an_own_cache_are_charged_and_what_they_do_not_explain_is_the_codes():
    point = owned(1e-3)
    assert point.persistent
    assert point.fetched == ("U",)
    assert reading(point).name == roofline_model.CODE
    assert reading(replace(point, floor_seconds=0.9e-3)).name == "latency"


def test_the_report_shows_it_under_its_own_title():
    text = render(
        report.document(Analysis(profile([kept(STREAMED_SECONDS / 2)])), {}, "command", None)
    )
    assert "Sequences with weights on chip" in text
    assert "latency (weights on chip)" in text
    assert "weights on chip" not in render(
        report.document(Analysis(profile([sequence()])), {}, "c", None)
    )


def test_u_is_what_its_products_multiply():
    assert sequences.recurrent_bytes(kept(1.0)) == U_BYTES == 16 * MIB
    assert sequences.recurrent_bytes(kept(1.0, batch=4)) == U_BYTES


def test_energy_is_a_column_where_it_was_counted_and_a_reason_where_not():
    with_energy = replace(sequence(), joules=0.0125)
    found = point_table.points(Analysis(profile([with_energy])))
    assert found.rows[0][found.header.index("mJ")].text == "12.5"
    assert "mJ" not in point_table.points(Analysis(profile([sequence()]))).header
    made = profile([sequence()])
    told = {"cpu": "kept to administrators", "cuda": "counted"}
    made = replace(made, environment={**made.environment, "energy": told})
    text = render(report.document(Analysis(made), {}, "command", None))
    assert "Energy of a step was not measured on cpu: kept to administrators." in text
    assert "was not measured" not in render(
        report.document(Analysis(profile([sequence()])), {}, "c", None)
    )
