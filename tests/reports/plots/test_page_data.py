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


def test_every_good_point_is_there_once_with_its_marks(made):
    data = data_of(made)
    count = len(Analysis(made).rows)
    assert len(data["points"]) == count
    assert 0 < count < len(made.points)
    assert {name for one in data["points"] for name in one["marks"]} == set(chart_data.PICTURES)


def test_a_point_has_the_figures_of_its_row(made):
    charts = chart_data.charts(Analysis(made))
    data, known = page_data.data(charts), Analysis(made).held
    rows = [one.row for line in charts.lines for one in line.points]
    for point, row in zip(data["points"], rows, strict=True):
        series = data["series"][point["series"]]
        assert series["words"] == wording.setting(row.case)
        assert series["implementation"] == row.point.implementation
        assert point["batch"] == row.case.batch
        assert point["fraction"] == pytest.approx(row.fraction.median, rel=5e-5)
        heading = (
            f"<b>{series['words']}, batch {row.case.batch}</b><br>{row.point.implementation}<br>"
        )
        assert point["hover"].startswith(heading)
        assert f"verdict: {wording.marked(known[row.point.key][1])}" in point["hover"]
        assert f"% of its roof ({percent_range(row.fraction)})" in point["hover"]
        x, y, *_ = point["marks"]["time_against_batch"]
        assert x == row.case.batch
        assert y * row.fraction.median == pytest.approx(point["allowed"], rel=1e-4)


def test_a_missing_figure_is_none_and_counted_bytes_move_the_point():
    bare = replace(synthetic.point(), roof_bytes_per_s=(), floor_seconds=None)
    counted = {"tool": "x", "read": 1_000_000, "written": 0}
    other = replace(synthetic.point(batch=2), counted_bytes=counted)
    first, second = data_of(profile([bare, other]))["points"]
    assert [first[name] for name in ("fraction", "allowed", "floor", "level")] == [None] * 4
    assert first["marks"] == {}
    assert "no roof to hold it against" in first["hover"]
    x, *_, filled = second["marks"]["roofline"]
    assert x == pytest.approx(other.flops["linear"] / 1_000_000, rel=5e-5)
    assert filled


def hovers(made):
    """What hovers beside each point."""
    return [point["hover"] for point in data_of(made)["points"]]


def test_what_hovers_is_text_whatever_a_profile_says():
    levels = (replace(synthetic.levels()[-1], name="<i>DRAM"),)
    named = replace(synthetic.point(fraction=0.9), implementation="<i>mine")
    (said,) = hovers(profile([named], levels=levels))
    assert "&lt;i&gt;DRAM" in said
    assert "&lt;i&gt;mine" in said
    assert "<i>" not in said
    assert "roofs allow" in hovers(profile([synthetic.point()]))[0]


def test_a_setup_has_the_roofs_of_its_own_threads():
    points = [synthetic.point(), synthetic.point(batch=2), synthetic.point(threads=1)]
    data = data_of(profile(points))
    both, single = data["setups"]
    assert data["facets"][0]["options"] == [[0, "2 threads", True], [1, "1 thread", False]]
    assert both["peaks"] == {"float32": 180}
    assert [level["name"] for level in both["levels"]] == ["L1", "L2", "L3", "DRAM"]
    assert (single["peaks"], single["levels"]) == ({}, [])
    assert [curve["name"] for curve in both["curves"]][:2] == ["read, 2 threads", "read, 1 thread"]


def start(*points):
    """What is chosen as the page on these points opens, by facet."""
    return {
        facet["name"]: value
        for facet in data_of(profile(points))["facets"]
        for value, _, chosen in facet["options"]
        if chosen
    }


def test_the_page_opens_with_whole_lstm_steps_where_there_is_a_choice():
    whole, part, gru = synthetic.point(), synthetic.point(part="linear"), synthetic.point("gru")
    assert start(whole) == {}
    assert start(whole, part) == {"part": "cell"}
    assert start(whole, gru) == {"cell": "lstm"}
    assert start(gru, part) == {"part": "cell", "cell": "lstm"}


def test_of_very_many_points_the_page_opens_with_streamed_float32_of_one_size(monkeypatch):
    monkeypatch.setattr(page_data, "MOST_AT_FIRST", 2)
    many = [synthetic.point(hidden=1024, batch=b) for b in (1, 2, 4, 8)]
    others = [synthetic.point(hidden=256), synthetic.point(hidden=256, residency="resident")]
    others.append(synthetic.point(hidden=256, dtype="bfloat16"))
    assert start(*many, *others) == {"weights": "streamed", "dtype": "float32", "H": 1024}
    assert start(many[0], others[1]) == {}


def test_numbers_are_offered_ascending():
    points = [synthetic.point(hidden=hidden) for hidden in (2048, 256, 1024)]
    (sizes,) = [one for one in data_of(profile(points))["facets"] if one["name"] == "H"]
    assert [value for value, *_ in sizes["options"]] == [256, 1024, 2048]


def test_a_profile_without_points_has_nothing_to_draw():
    data = data_of(profile())
    assert data["series"] == data["points"] == []
    assert len(data["setups"]) == 1
    assert data_of(profile(roofs=()))["setups"] == []


@pytest.mark.parametrize(
    ("value", "short"),
    [(None, None), (0.000123456789, 0.00012346), (123456.7, 123460), (2.0, 2), (1e20, 1e20)],
)
def test_numbers_are_five_digits(value, short):
    assert page_data.rounded(value) == short
