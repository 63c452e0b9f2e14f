"""The measured roofline: every series it claims to show, roofs that end at their elbows, names that do not overlap."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from reports import locate
from reports.analysis.analysis import Analysis
from tests.reports import synthetic
from tests.reports.plots import roofline, texts, time_against_batch
from tests.reports.synthetic import profile


def test_a_panel_per_cell_and_residency_that_there_is_something_of(made):
    axes = roofline(made)
    there = {(point.case.cell, point.case.residency) for point in made.points}
    assert there == {("lstm", "streamed"), ("lstm", "resident"), ("gru", "streamed")}
    titles = [ax.get_title(loc="left") for ax in axes.flat]
    assert axes.shape == (2, 2)
    assert titles[0].startswith("LSTM, weights streamed")
    assert [ax.get_visible() for ax in axes.flat] == [True, True, True, False]
    assert axes[0, 1].get_xlabel() == axes[1, 0].get_xlabel() != ""


def test_an_axis_shorter_than_a_decade_has_three_ticks_at_least():
    points = [synthetic.point(fraction=0.9, batch=batch) for batch in (1, 2, 4)]
    ax = time_against_batch(profile(points))[0, 0]
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    assert high / low < 10
    assert sum(low <= one <= high for one in ax.get_yticks()) >= 3


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


def test_ticks_of_many_octaves_do_not_touch():
    """From a step of one sequence to a sequence whose weights stay on chip: a GPU's 14 octaves side by side."""
    far = [
        synthetic.point(residency=residency, hidden=hidden, batch=batch, dtype="bfloat16")
        for residency in ("resident", "streamed")
        for hidden, batch in ((64, 1), (1024, 4096))
    ]
    axes = roofline(profile(far))
    figure = axes.flat[0].figure
    figure.set_dpi(200)
    figure.canvas.draw()
    for ax in axes.flat:
        shown = [
            tick.label1.get_window_extent()
            for tick in ax.xaxis.get_major_ticks()
            if ax.get_xlim()[0] <= tick.get_loc() <= ax.get_xlim()[1]
        ]
        assert not any(one.overlaps(two) for one, two in pairwise(shown))


@pytest.mark.parametrize("name", locate.gallery())
def test_labels_of_the_gallerys_rooflines_do_not_overlap(name):
    axes = roofline(locate.load(name)[0])
    axes.flat[0].figure.canvas.draw()
    for ax in (ax for ax in axes.flat if ax.get_visible()):
        boxes = [text.get_window_extent() for text in ax.texts if not text.get_rotation()]
        assert len(boxes) > 1
        for i, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[i + 1 :])


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
