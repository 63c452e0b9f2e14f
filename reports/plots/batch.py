"""Step time against batch: what the machine allows, what is reached, and the free batch.

Times are at the drawn roofs: what those allow over the fraction reached.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log10
from typing import Any

from matplotlib.lines import Line2D

from kernels.case import Case
from reports.analysis.wording import time_unit
from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED, Drawn, Mark

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
    rows, columns = chart_data.by_cell(lines), chart_data.residencies(lines)
    marks = [one.batch for line in lines for one in line.points if one.batch]
    unit, factor = time_unit(mark.y for mark in marks)
    ranges = {cell: _range(own) for cell, own in rows.items()}
    batches = sorted({int(mark.x) for mark in marks})
    names = "batch, sequences per step", f"time of a step at the drawn roof, {unit}"
    with figures.style():
        spans = (INCHES_PER_DECADE * log10(high / low) for low, high in ranges.values())
        figure, axes, places = figures.panels(
            list(rows), columns, figures.inches(spans), lines[0].case.phase, names
        )
        for (cell, residency), ax in places.items():
            figures.plain_log(ax, "x", base=2)
            figures.plain_log(ax, "y")
            if len(batches) <= ROOM:
                ax.set_xticks(batches, [str(batch) for batch in batches])
            here = [line for line in rows[cell] if line.case.residency == residency]
            many = len(marks) > figures.MANY
            # all are of one dtype, so no dash tells any apart
            drawn = [replace(line.drawn("batch", y=factor), dashed=False) for line in here]
            figures.draw(ax, _allowed(here, factor), many=many, size=ALLOWED_SIZE)
            figures.draw(ax, drawn, many=many)
            ax.set_ylim(*(end * factor for end in ranges[cell]))
        free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
        handles = figures.handles(
            {line.implementation: line.colour for line in lines},
            {line.case.hidden: line.marker for line in lines},
        )
        grey: dict[str, Any] = {"color": MUTED, "linewidth": 0.8, "marker": "."}
        handles.append(Line2D([], [], label="what the roofs allow", **grey))
        handles.append(Line2D([], [], label="filled: free batch", **free))
        figures.legend(figure, handles)
        return axes


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """The ends of an axis that holds all points and what the roofs allow, in seconds."""
    points = [one for line in lines for one in line.points]
    ends = [end for one in points if one.batch for end in (one.batch.low, one.batch.high)]
    ends += [one.allowed for one in points if one.allowed]
    return min(ends) / 1.4, max(ends) * 1.4


def _allowed(lines: Sequence[Line], factor: float) -> list[Drawn]:
    """What the roofs allow each case, small and grey."""
    known: dict[tuple[Case, str], dict[int, float]] = {}
    for line in lines:
        times = known.setdefault((line.case, line.marker), {})
        times |= {one.row.case.batch: one.allowed * factor for one in line.points if one.allowed}
    return [
        Drawn(
            [Mark(batch, time, time, time) for batch, time in sorted(times.items())], MUTED, marker
        )
        for (_, marker), times in known.items()
    ]
