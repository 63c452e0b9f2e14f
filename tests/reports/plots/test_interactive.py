"""What the page's plots are drawn from: each point once, its figures those of its row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis import points as roofline
from reports.plots import interactive
from reports.tables import points as tables
from tests.reports import synthetic
from tests.reports.synthetic import profile


@pytest.fixture(scope="module")
def made():
    """A profile with several of everything."""
    return synthetic.suite()


def test_every_column_has_an_entry_per_good_point(made):
    columns = interactive.data(made)["points"]
    count = len(roofline.rows(made))
    assert {len(column) for column in columns.values()} == {count}
    assert 0 < count < len(made.points)


def test_a_point_has_the_figures_of_its_row(made):
    data = interactive.data(made)
    columns = data["points"]
    for i, row in enumerate(roofline.rows(made)):
        series = data["series"][columns["series"][i]]
        assert series["words"] == tables.setting(row.case)
        assert series["implementation"] == row.point.implementation
        assert columns["batch"][i] == row.case.batch
        assert columns["t"][i] == pytest.approx(row.seconds.median, rel=5e-5)
        assert columns["t_low"][i] == pytest.approx(row.seconds.low, rel=5e-5)
        assert columns["fraction_high"][i] == pytest.approx(row.fraction.high, rel=5e-5)
        assert columns["t_bytes"][i] == pytest.approx(row.t_bytes.median, rel=5e-5)
        assert columns["flop_per_s"][i] == pytest.approx(row.flop_per_s, rel=5e-5)
        found = tables.held(made)[row.point.key][1]
        assert data["verdicts"][columns["verdict"][i]] == (found.marked, found.reason)


def test_a_missing_figure_is_none_and_counted_bytes_move_the_point():
    bare = replace(synthetic.point(), roof_bytes_per_s=(), floor_seconds=None)
    counted = {"tool": "x", "read": 1_000_000, "written": 0}
    other = replace(synthetic.point(batch=2), counted_bytes=counted)
    columns = interactive.data(profile([bare, other]))["points"]
    assert [columns[name][0] for name in ("fraction", "t_bytes", "limit", "floor", "counted")] == [
        None
    ] * 5
    assert columns["counted"][1] == pytest.approx(other.flops["linear"] / 1_000_000, rel=5e-5)


def test_a_setup_has_the_roofs_of_its_own_threads():
    points = [synthetic.point(), synthetic.point(batch=2), synthetic.point(threads=1)]
    both, single = interactive.data(profile(points))["setups"]
    assert (both["name"], single["name"]) == ("2 threads", "1 thread")
    assert both["peaks"] == {"float32": 180e9}
    assert [level["name"] for level in both["levels"]] == ["L1", "L2", "L3", "DRAM"]
    assert (single["peaks"], single["levels"]) == ({}, [])
    assert [curve["name"] for curve in both["curves"]][:2] == ["read, 2 threads", "read, 1 thread"]


def test_the_page_opens_with_whole_lstm_steps_where_there_is_a_choice():
    whole, part, gru = synthetic.point(), synthetic.point(part="linear"), synthetic.point("gru")
    assert interactive.data(profile([whole]))["start"] == {}
    assert interactive.data(profile([whole, part]))["start"] == {"part": "cell"}
    assert interactive.data(profile([whole, gru]))["start"] == {"cell": "lstm"}
    assert interactive.data(profile([gru, part]))["start"] == {"part": "cell", "cell": "lstm"}


def test_of_very_many_points_the_page_opens_with_streamed_float32_of_one_size(monkeypatch):
    monkeypatch.setattr(interactive, "MOST_AT_FIRST", 2)
    many = [synthetic.point(hidden=1024, batch=b) for b in (1, 2, 4)]
    others = [synthetic.point(hidden=256), synthetic.point(hidden=256, residency="resident")]
    found = interactive.data(profile([*many, *others]))["start"]
    assert found == {"weights": "streamed", "dtype": "float32", "H": 1024}
    assert interactive.data(profile([many[0], others[1]]))["start"] == {}


def test_a_profile_without_points_has_nothing_to_draw():
    data = interactive.data(profile())
    assert data["series"] == []
    assert [setup["name"] for setup in data["setups"]] == ["2 threads"]
    assert interactive.data(profile(roofs=()))["setups"] == []
    assert all(column == [] for column in data["points"].values())


@pytest.mark.parametrize(
    ("value", "short"),
    [(None, None), (0.000123456789, 0.00012346), (123456.7, 123460), (2.0, 2), (1e20, 1e20)],
)
def test_numbers_are_five_digits(value, short):
    assert interactive.rounded(value) == short
