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
from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED, Mark, colours, markers

INCHES_PER_DECADE = 0.65
ROOM = 12
"""Batch sizes that can stand beside one another; of more, the axis names powers of two."""
ALLOWED_SIZE = 2.2


def draw(charts: Charts, axes: Any = None) -> Any:
    """A panel per cell and residency; `axes` may be an array shaped (cells, residencies). None without such points.

    Shown are whole steps of one phase in float32 (or the dtype there is most of) on the device that has most points, at
    its most threads. Returns the axes.
    """
    lines = chart_data.shown(charts, "time_against_batch")
    if not lines:
        return None
    cells = list(dict.fromkeys(line.case.cell for line in lines))
    columns = chart_data.residencies(lines)
    marks = [one.batch for line in lines for one in line.points if one.batch]
    unit, factor = time_unit(mark.y for mark in marks)
    ranges = {cell: _range([line for line in lines if line.case.cell == cell]) for cell in cells}
    with figures.style():
        figure = None
        if axes is None:
            heights = [INCHES_PER_DECADE * log10(high / low) for low, high in ranges.values()]
            heights = [min(3.4, max(1.2, height)) for height in heights]
            figure, axes = figures.panels(cells, columns, heights, lines[0].case.phase)
        for row, cell in zip(axes, cells, strict=True):
            for ax, residency in zip(row, columns, strict=True):
                here = [x for x in lines if (x.case.cell, x.case.residency) == (cell, residency)]
                _panel(ax, charts, here, factor, many=len(marks) > figures.MANY)
                batches = sorted({int(mark.x) for mark in marks})
                if len(batches) <= ROOM:
                    ax.set_xticks(batches, [str(batch) for batch in batches])
            row[0].set_ylim(*(end * factor for end in ranges[cell]))
            row[0].set_ylabel(f"time of a step at the drawn roof, {unit}")
        for ax in axes[-1]:
            ax.set_xlabel("batch, sequences per step")
        if figure is not None:
            figures.legend(figure, _handles(charts, lines))
        return axes


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """The ends of an axis that holds all points and what the roofs allow, in seconds."""
    points = [one for line in lines for one in line.points]
    ends = [end for one in points if one.batch for end in (one.batch.low, one.batch.high)]
    ends += [one.allowed for one in points if one.allowed]
    return min(ends) / 1.4, max(ends) * 1.4


def _panel(ax: Axes, charts: Charts, lines: Sequence[Line], factor: float, *, many: bool) -> None:
    figures.plain_log(ax, "x", base=2)
    figures.plain_log(ax, "y")
    by_colour = colours(line.implementation for line in charts.lines)
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
    looks = [
        (
            [one.batch.times(factor) for one in line.points if one.batch],
            by_colour[line.implementation],
            by_size[line.case.hidden],
            False,
        )
        for line in lines
    ]
    figures.draw(ax, looks, many=many)


def _handles(charts: Charts, lines: Sequence[Line]) -> list[Line2D]:
    free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
    return [
        *figures.implementation_handles(
            (line.implementation for line in charts.lines), (line.implementation for line in lines)
        ),
        *figures.size_handles(
            (line.case.hidden for line in charts.lines), (line.case.hidden for line in lines)
        ),
        Line2D([], [], color=MUTED, linewidth=0.8, marker=".", label="what the roofs allow"),
        Line2D([], [], label="filled: free batch", **free),
    ]
