"""What the page's plots are drawn from: each point once, its figures those of its row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.wording import percent_range
from reports.plots import chart_data, page_data
from tests.reports import synthetic
from tests.reports.synthetic import profile


def data_of(made):
    """The page's data of a profile."""
    return page_data.data(chart_data.charts(Analysis(made)))


@pytest.fixture(scope="module")
def made():
    """A profile with several of everything."""
    return synthetic.suite()


def test_every_column_has_an_entry_per_good_point(made):
    data = data_of(made)
    columns = [*data["points"].values()]
    columns += [column for chart in data["charts"].values() for column in chart.values()]
    count = len(Analysis(made).rows)
    assert {len(column) for column in columns} == {count}
    assert 0 < count < len(made.points)
    assert set(data["charts"]) == set(chart_data.PICTURES)


def test_a_point_has_the_figures_of_its_row(made):
    charts = chart_data.charts(Analysis(made))
    data, known = page_data.data(charts), Analysis(made).held
    columns = data["points"]
    rows = [one.row for line in charts.lines for one in line.points]
    for i, row in enumerate(rows):
        series = data["series"][columns["series"][i]]
        assert series["words"] == wording.setting(row.case)
        assert series["implementation"] == row.point.implementation
        assert columns["batch"][i] == row.case.batch
        assert columns["seconds"][i] == pytest.approx(row.seconds.median, rel=5e-5)
        assert columns["fraction"][i] == pytest.approx(row.fraction.median, rel=5e-5)
        assert f"verdict: {wording.marked(known[row.point.key][1])}" in columns["hover"][i]
        assert f"% of its roof ({percent_range(row.fraction)})" in columns["hover"][i]
        batch = data["charts"]["time_against_batch"]
        assert batch["x"][i] == row.case.batch
        assert batch["y"][i] * row.fraction.median == pytest.approx(columns["allowed"][i], rel=1e-4)


def test_a_missing_figure_is_none_and_counted_bytes_move_the_point():
    bare = replace(synthetic.point(), roof_bytes_per_s=(), floor_seconds=None)
    counted = {"tool": "x", "read": 1_000_000, "written": 0}
    other = replace(synthetic.point(batch=2), counted_bytes=counted)
    data = data_of(profile([bare, other]))
    columns, roofs = data["points"], data["charts"]["roofline"]
    assert [columns[name][0] for name in ("fraction", "allowed", "floor", "level")] == [None] * 4
    assert [chart["x"][0] for chart in data["charts"].values()] == [None] * 4
    assert "no roof to hold it against" in columns["hover"][0]
    assert roofs["x"][1] == pytest.approx(other.flops["linear"] / 1_000_000, rel=5e-5)
    assert roofs["filled"] == [None, True]


def test_what_hovers_is_text_whatever_a_profile_says():
    named = replace(synthetic.point(), case=replace(synthetic.point().case, threads=3))
    levels = (replace(synthetic.levels()[-1], name="<b>DRAM"),)
    (said,) = data_of(profile([synthetic.point(fraction=0.9)], levels=levels))["points"]["hover"]
    assert "&lt;b&gt;DRAM" in said
    assert "roofs allow" in data_of(profile([synthetic.point()]))["points"]["hover"][0]
    assert "<b>" not in "".join(data_of(profile([named]))["points"]["hover"])


def test_a_setup_has_the_roofs_of_its_own_threads():
    points = [synthetic.point(), synthetic.point(batch=2), synthetic.point(threads=1)]
    both, single = data_of(profile(points))["setups"]
    assert (both["name"], single["name"]) == ("2 threads", "1 thread")
    assert both["peaks"] == {"float32": 180e9}
    assert [level["name"] for level in both["levels"]] == ["L1", "L2", "L3", "DRAM"]
    assert (single["peaks"], single["levels"]) == ({}, [])
    assert [curve["name"] for curve in both["curves"]][:2] == ["read, 2 threads", "read, 1 thread"]


def test_the_page_opens_with_whole_lstm_steps_where_there_is_a_choice():
    whole, part, gru = synthetic.point(), synthetic.point(part="linear"), synthetic.point("gru")
    assert data_of(profile([whole]))["start"] == {}
    assert data_of(profile([whole, part]))["start"] == {"part": "cell"}
    assert data_of(profile([whole, gru]))["start"] == {"cell": "lstm"}
    assert data_of(profile([gru, part]))["start"] == {"part": "cell", "cell": "lstm"}


def test_of_very_many_points_the_page_opens_with_streamed_float32_of_one_size(monkeypatch):
    monkeypatch.setattr(page_data, "MOST_AT_FIRST", 2)
    many = [synthetic.point(hidden=1024, batch=b) for b in (1, 2, 4)]
    others = [synthetic.point(hidden=256), synthetic.point(hidden=256, residency="resident")]
    found = data_of(profile([*many, *others]))["start"]
    assert found == {"weights": "streamed", "dtype": "float32", "H": 1024}
    assert data_of(profile([many[0], others[1]]))["start"] == {}


def test_a_profile_without_points_has_nothing_to_draw():
    data = data_of(profile())
    assert data["series"] == []
    assert [setup["name"] for setup in data["setups"]] == ["2 threads"]
    assert data_of(profile(roofs=()))["setups"] == []
    assert all(column == [] for column in data["points"].values())
    assert all(column == [] for one in data["charts"].values() for column in one.values())


@pytest.mark.parametrize(
    ("value", "short"),
    [(None, None), (0.000123456789, 0.00012346), (123456.7, 123460), (2.0, 2), (1e20, 1e20)],
)
def test_numbers_are_five_digits(value, short):
    assert page_data.rounded(value) == short
