"""The roofline in times: a mark at the time that was measured, a dot at what the roofs allow."""

from __future__ import annotations

import pytest

from reports.analysis.analysis import Analysis
from reports.plots import time_roofline
from tests.reports.plots import charts


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
    assert len(rows) == len(marks)
    measured = sorted(row.seconds.median for row in rows)
    allowed = sorted(row.limit.median for row in rows)
    assert sorted(max(place) for place in marks) == pytest.approx(measured)
    ends = {round(max(place), 12) for place in dots}
    assert sorted(ends) == pytest.approx(sorted({round(one, 12) for one in allowed}))
    balance = {round(x / y, 6) for x, y in dots}
    assert {round(x / y, 6) for x, y in marks} == balance
