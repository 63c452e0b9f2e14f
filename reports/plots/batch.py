"""Step time against batch: what the machine allows, what is reached, and up to where a batch rides free.

Times are at the drawn roofs: what those allow over the fraction reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kernels.case import Case
from reports.analysis.wording import time_unit
from reports.plots import chart_data, figures, panels
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED, Mark, markers

INCHES_PER_DECADE = 0.65
ROOM = 12
"""Batch sizes that can stand beside one another; of more, the axis names powers of two."""
ALLOWED_SIZE = 2.2


def draw(charts: Charts) -> Any:
    """A panel per cell and residency; None without such points, else the axes.

    Shown are whole steps of one phase in float32 (or the dtype there is most of) on the device that has most points, at
    its most threads.
    """
    lines = chart_data.shown(charts, "time_against_batch")
    if not lines:
        return None
    rows = panels.by_cell(lines)
    marks = [one.batch for line in lines for one in line.points if one.batch]
    unit, factor = time_unit(mark.y for mark in marks)
    ranges = {cell: _range(own) for cell, own in rows.items()}
    batches = sorted({int(mark.x) for mark in marks})
    with figures.style():
        spans = (INCHES_PER_DECADE * log10(high / low) for low, high in ranges.values())
        columns, phase = panels.residencies(lines), lines[0].case.phase
        figure, axes = figures.panels(list(rows), columns, panels.inches(spans), phase)
        for ax, cell, here in panels.each(axes, rows):
            figures.plain_log(ax, "x", base=2)
            figures.plain_log(ax, "y")
            if len(batches) <= ROOM:
                ax.set_xticks(batches, [str(batch) for batch in batches])
            _panel(ax, charts, here, factor, many=len(marks) > figures.MANY)
            ax.set_ylim(*(end * factor for end in ranges[cell]))
        y = f"time of a step at the drawn roof, {unit}"
        figures.name_axes(axes, "batch, sequences per step", y)
        figures.legend(figure, _handles(charts, lines))
        return axes


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """The ends of an axis that holds all points and what the roofs allow, in seconds."""
    points = [one for line in lines for one in line.points]
    ends = [end for one in points if one.batch for end in (one.batch.low, one.batch.high)]
    ends += [one.allowed for one in points if one.allowed]
    return min(ends) / 1.4, max(ends) * 1.4


def _panel(ax: Axes, charts: Charts, lines: Sequence[Line], factor: float, *, many: bool) -> None:
    """What the roofs allow each case, small and grey, and the points."""
    by_size = markers(line.case.hidden for line in charts.lines)
    allowed: dict[Case, dict[int, float]] = {}
    for line in lines:
        known = allowed.setdefault(line.case, {})
        known |= {one.row.case.batch: one.allowed * factor for one in line.points if one.allowed}
    limits = [
        ([Mark(b, t, t, t) for b, t in sorted(known.items())], MUTED, by_size[case.hidden], False)
        for case, known in allowed.items()
    ]
    figures.draw(ax, limits, many=many, size=ALLOWED_SIZE)
    panels.draw_points(
        ax, charts, lines, lambda one: one.batch and one.batch.scaled(y=factor), many=many
    )


def _handles(charts: Charts, lines: Sequence[Line]) -> list[Line2D]:
    free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
    return [
        *panels.implementation_handles(charts.lines, lines),
        *panels.size_handles(charts.lines, lines),
        Line2D([], [], color=MUTED, linewidth=0.8, marker=".", label="what the roofs allow"),
        Line2D([], [], label="filled: free batch", **free),
    ]
