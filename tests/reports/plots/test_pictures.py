"""The pictures show every series they claim to, their roofs end at their elbows, and text stays text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports import locate
from reports.analysis.analysis import Analysis
from reports.analysis.wording import time_unit
from reports.page import build, markdown, report
from reports.plots import (
    bandwidth,
    batch,
    chart_data,
    figures,
    measured_roofline,
    style,
    time_roofline,
)
from tests.reports import synthetic
from tests.reports.synthetic import profile


@pytest.fixture(autouse=True)
def _closed():
    """No figure outlives its test."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def made():
    """Two implementations, two residencies, two dtypes and two thread counts."""
    cases = [
        {"batch": batch, "residency": r} for batch in (1, 4, 16) for r in ("resident", "streamed")
    ]
    points = [synthetic.point(fraction=0.8, **case) for case in cases]
    points += [
        synthetic.point(fraction=0.6, implementation="torch_gates", **case) for case in cases
    ]
    points += [synthetic.point("gru", dtype="bfloat16"), synthetic.point(threads=1)]
    return profile(points)


def charts(made):
    """What is drawn of a profile."""
    return chart_data.charts(Analysis(made))


def roofline(made):
    """The axes of its roofline."""
    return measured_roofline.draw(charts(made))


def time_against_batch(made):
    """The axes of its times."""
    return batch.draw(charts(made))


def bandwidth_against_working_set(made):
    """The axes of its curves."""
    return bandwidth.draw(charts(made))


def saved(made, folder):
    """Its pictures, written: their names."""
    build.save_pictures(charts(made), folder)
    return list(chart_data.pictures(charts(made)))


def texts(ax):
    """All text drawn on axes."""
    return [text.get_text() for text in ax.texts]


def test_a_panel_per_cell_and_residency(made):
    axes = roofline(made)
    titles = [ax.get_title(loc="left") for ax in axes.flat]
    assert axes.shape == (2, 2)
    assert titles[0].startswith("LSTM, weights streamed")
    assert titles[3].startswith("GRU, weights resident")


def test_a_picture_is_of_one_phase_and_says_which_it_is_if_not_inference(made):
    """Training stays out of pictures that have steps of inference, and fills those of a run that trains alone."""
    points = [synthetic.point(phase="train", batch=batch) for batch in (2, 8)]
    both, alone = replace(made, points=(*made.points, *points)), profile(points)
    for draw in (roofline, time_against_batch):
        mixed, without = draw(both)[0, 0], draw(made)[0, 0]
        assert [len(line.get_xdata()) for line in mixed.lines] == [
            len(line.get_xdata()) for line in without.lines
        ]
        (ax,) = draw(alone).flat
        assert ax.get_title(loc="left") == "LSTM training, weights streamed, from memory"
        assert any(len(line.get_xdata()) == 2 and line.get_marker() == "o" for line in ax.lines)


def test_bandwidth_roofs_end_at_their_elbow_and_arithmetic_begins_at_the_first(made):
    ax = roofline(made)[0, 0]
    lines = [
        line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"
    ]
    ends = [tuple(line.get_xdata()) + tuple(line.get_ydata()) for line in lines]
    dram = next(e for e in ends if e[2] / e[0] == pytest.approx(52) and e[1] > e[0])
    assert dram[1] == pytest.approx(180 / 52)
    assert dram[3] == pytest.approx(180)
    flat = next(e for e in ends if e[2] == e[3])
    assert flat[0] == pytest.approx(180 / 330)


def test_roofs_carry_their_values_and_ridges_theirs(made):
    found = texts(roofline(made)[0, 0])
    assert "DRAM 52 GB/s" in found
    assert "float32 180 GFLOP/s" in found
    assert "3.46" in found


def test_the_points_of_other_thread_counts_stay_out_of_the_roofline(made):
    ax = roofline(made)[0, 0]
    shown = sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o")
    assert shown == 6


def test_a_point_stands_at_its_intensity_and_rate(made):
    (row,) = [
        r for r in Analysis(made).rows
        if r.case.batch == 16 and r.case.residency == "streamed" and r.point.implementation == "torch_cell"
    ]  # fmt: skip
    drawn = {
        (x, y)
        for line in roofline(made)[0, 0].lines
        if line.get_marker() == "o"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert (row.intensity, row.flop_per_s / 1e9) in drawn


def test_labels_of_one_panel_do_not_overlap(made):
    axes = roofline(made)
    axes.flat[0].figure.canvas.draw()
    for ax in axes.flat:
        boxes = [text.get_window_extent() for text in ax.texts if not text.get_rotation()]
        for i, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("name", locate.gallery())
def test_labels_of_the_gallerys_rooflines_do_not_overlap(name):
    axes = roofline(locate.load(name)[0])
    axes.flat[0].figure.canvas.draw()
    for ax in axes.flat:
        boxes = [text.get_window_extent() for text in ax.texts if not text.get_rotation()]
        assert len(boxes) > 1
        for i, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_the_roofline_in_times_ends_at_the_time_that_was_measured(made):
    ax = time_roofline.draw(charts(made))[0]
    marks = {
        (x, y)
        for line in ax.lines
        if line.get_marker() in ("s", "^") and line.get_linestyle() == "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    dots = {
        (x, y)
        for line in ax.lines
        if line.get_marker() == "."
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    rows = [
        r for r in Analysis(made).rows if r.case.residency == "streamed" and r.case.threads == 2
    ]
    unit = time_unit([r.seconds.median for r in Analysis(made).rows if r.case.threads == 2])[1]
    assert len(rows) == len(marks)
    measured = sorted(row.seconds.median * unit for row in rows)
    allowed = sorted(row.limit.median * unit for row in rows)
    assert sorted(max(place) for place in marks) == pytest.approx(measured)
    ends = {round(max(place), 9) for place in dots}
    assert sorted(ends) == pytest.approx(sorted({round(one, 9) for one in allowed}))
    balance = {round(x / y, 6) for x, y in dots}
    assert {round(x / y, 6) for x, y in marks} == balance


def test_a_mark_is_filled_where_its_bytes_were_counted_and_stands_there():
    counted = {"tool": "cachegrind", "read": 2_000_000, "written": 0}
    one = replace(synthetic.point(), counted_bytes=counted)
    ax = roofline(profile([one, synthetic.point(batch=4)]))[0, 0]
    filled = [
        line
        for line in ax.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() != "none"
    ]
    (line,) = filled
    assert list(line.get_xdata()) == [one.flops["linear"] / 2_000_000]


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


def test_time_has_a_limit_line_beneath_every_measured_one(made):
    ax = time_against_batch(made)[0, 0]
    dotted = [line for line in ax.lines if line.get_marker() == "o"]
    limits = [line for line in dotted if line.get_color() == style.MUTED]
    measured = [line for line in dotted if line not in limits and len(line.get_xdata()) == 3]
    assert len(limits) == 1
    assert len(measured) == 2
    for line in measured:
        assert all(a < b for a, b in zip(limits[0].get_ydata(), line.get_ydata(), strict=True))


def test_the_free_batch_is_filled(made):
    ax = time_against_batch(made)[0, 0]
    filled = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in filled] == [4, 4]


def test_the_bandwidth_plot_has_a_curve_per_thread_count_and_the_systems_caches(made):
    ax = bandwidth_against_working_set(made)
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:2] == ["read, 2 threads", "read, 1 thread"]
    assert {"write, 2 threads", "copy, 2 threads", "triad, 2 threads"} <= set(labels)
    assert {"L1 64 KiB", "L2 2 MiB", "L3 32 MiB", "DRAM\n52 GB/s"} <= set(texts(ax))


def test_the_bandwidth_plot_names_the_levels_though_points_had_fewer_threads():
    ax = bandwidth_against_working_set(profile([synthetic.point(threads=1)]))
    assert {"L1\n330 GB/s", "DRAM\n52 GB/s"} <= set(texts(ax))


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
    build.save_pictures(charts(small), again)
    for name in names:
        assert (again / f"{name}.svg").read_text() == (tmp_path / f"{name}.svg").read_text()
    (again / "roofline.svg").write_text("there already")
    (again / "time_roofline.svg").unlink()
    assert saved(small, again) == names
    assert (again / "roofline.svg").read_text() == "there already"
    assert (again / "time_roofline.svg").is_file()


def test_an_implementation_keeps_its_colour(made):
    for shown in (["torch_cell"], [point.implementation for point in made.points]):
        assert style.colours(shown)["torch_cell"] == style.PALETTE[0]


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
