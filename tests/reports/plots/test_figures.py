"""Pictures as files: reproducible, their text is text, none without data, one of each for each device."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.analysis.analysis import Analysis
from reports.page import markdown, report
from reports.plots import chart_data, figures
from tests.reports.plots import (
    bandwidth_against_working_set,
    charts,
    roofline,
    saved,
    time_against_batch,
)
from tests.reports.synthetic import profile


def test_very_many_marks_are_one_image_each_of_them_drawn(made, tmp_path, monkeypatch):
    saved(made, tmp_path)
    assert "<image" not in (tmp_path / "roofline.svg").read_text()
    monkeypatch.setattr("reports.plots.figures.MANY", 3)
    axes = roofline(made)
    assert sum(len(ln.get_xdata()) for ln in axes[0, 0].lines if ln.get_marker() == "o") == 6
    many = tmp_path / "many"
    many.mkdir()
    saved(made, many)
    for name in ("roofline", "time_roofline", "time_against_batch"):
        text = (many / f"{name}.svg").read_text()
        assert "<image" in text
        assert "</text>" in text


def test_a_long_key_says_how_many_it_leaves_out(made, monkeypatch):
    monkeypatch.setattr(figures, "MOST_ENTRIES", 2)
    figure = figures.figure_of(roofline(made))
    assert [text.get_text() for text in figure.legends[0].get_texts()][2] == "and 2 more"


def test_a_picture_without_data_is_not_drawn(tmp_path):
    assert saved(profile(roofs=(), levels=()), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lacking", [{"levels": ()}, {"roofs": ()}, {"roofs": (), "levels": ()}])
def test_pictures_do_without_what_a_profile_lacks(made, lacking):
    bare = replace(made, **lacking)
    for drawn in (roofline(bare), time_against_batch(bare)):
        # Without roofs there are no fractions, and nothing to draw points at.
        assert (drawn is None) == ("roofs" in lacking)
        if drawn is not None:
            figures.figure_of(drawn).canvas.draw()
    assert (bandwidth_against_working_set(bare) is None) == ("roofs" in lacking)


def test_files_are_reproducible_and_their_text_is_text(made, tmp_path):
    small = replace(made, points=(replace(made.points[0], implementation="<script>$x^2$_"),))
    names = saved(small, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in names for kind in ("svg", "png", "pdf")
    )
    first = (tmp_path / "roofline.svg").read_text()
    assert "&lt;script&gt;$x^2$_</text>" in first
    assert "<script" not in first
    assert not re.search(r"<dc:date>", first)
    again = tmp_path / "again"
    again.mkdir()
    saved(small, again)
    for name in names:
        assert (again / f"{name}.svg").read_text() == (tmp_path / f"{name}.svg").read_text()
    (again / "roofline.svg").write_text("there already")
    (again / "time_roofline.svg").unlink()
    assert saved(small, again) == names
    assert (again / "roofline.svg").read_text() == "there already"
    assert (again / "time_roofline.svg").is_file()


def test_each_device_has_its_pictures_and_the_page_says_of_which(made, tmp_path):
    """The second device's alone hold its implementation, and the first's do not."""
    point = replace(made.points[0], implementation="mine")
    moved = replace(
        point, implementation="theirs", case=replace(point.case, device="cuda", threads=0)
    )
    roofs = tuple(replace(roof, device="cuda", threads=None) for roof in made.roofs)
    levels = tuple(replace(level, device="cuda") for level in made.levels)
    both = replace(
        made,
        points=(point, replace(point, implementation="other"), moved),
        roofs=(*made.roofs, *roofs),
        levels=(*made.levels, *levels),
    )
    assert charts(both).devices == ["cpu", "cuda"]
    names = saved(both, tmp_path)
    assert {"roofline", "roofline_cuda", "bandwidth_against_working_set_cuda"} <= set(names)
    first, second = (
        (tmp_path / f"{name}.svg").read_text() for name in ("roofline", "roofline_cuda")
    )
    assert (">mine<" in first, ">theirs<" in first) == (True, False)
    assert (">mine<" in second, ">theirs<" in second) == (False, True)
    text = markdown.render(
        report.document(Analysis(both), chart_data.pictures(charts(both)), "command", None)
    )
    assert "### Roofline, cpu" in text
    assert "### Roofline, cuda" in text
    assert "roofline_cuda.svg" in text
    assert set(chart_data.pictures(charts(made))) == set(chart_data.PICTURES)
