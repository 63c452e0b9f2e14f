"""Times against batch: what the roofs allow beneath what was measured, the free batch filled."""

from __future__ import annotations

from reports.plots import style
from tests.reports.plots import time_against_batch


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
