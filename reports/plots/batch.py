"""Step time against batch: what the machine allows, what is reached, and the free batch.

Times are at the drawn roofs: what those allow over the fraction reached.
"""

from collections.abc import Iterator, Sequence
from math import log10
from typing import Any

from matplotlib.lines import Line2D

from kernels.case import Case
from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED, Look, Mark

PICTURE = "time_against_batch"
INCHES_PER_DECADE = 0.65
ROOM = 12
"""Batch sizes that can stand beside one another; of more, the axis names powers of two."""
ALLOWED_SIZE = 2.2


def draw(charts: Charts) -> Any:
    """A panel per cell and residency; None without such points, else the axes.

    Shown are whole steps of one phase, in the device's own dtype (or what there is most of), on the device that has
    most points, at its most threads.
    """
    lines = chart_data.shown(charts, PICTURE)
    if not lines:
        return None
    rows, columns = chart_data.by_cell(lines), chart_data.residencies(lines)
    ranges = {cell: _range(own) for cell, own in rows.items()}
    batches = sorted({one.row.case.batch for line in lines for one in line.points})
    many = sum(len(line.points) for line in lines) > figures.MANY
    names = "batch, sequences per step", "time at the drawn roof"
    with figures.style():
        heights = [INCHES_PER_DECADE * log10(high / low) for low, high in ranges.values()]
        there = {(line.case.cell, line.case.residency) for line in lines}
        figure, axes, places = figures.panels(
            list(rows), columns, figures.inches(heights), lines[0].case.phase, names, there
        )
        for (cell, residency), ax in places.items():
            figures.plain_log(ax, "x", base=2)
            figures.plain_log(ax, "y", seconds=True)
            if len(batches) <= ROOM:
                ax.set_xticks(batches, [str(batch) for batch in batches])
            here = [line for line in rows[cell] if line.case.residency == residency]
            # all are of one dtype, so no dash tells any apart
            drawn = [(line.look._replace(dashed=False), line.marks(PICTURE)) for line in here]
            figures.draw(ax, _allowed(here), many=many, size=ALLOWED_SIZE)
            figures.draw(ax, drawn, many=many)
            ax.set_ylim(*ranges[cell])
        allowed = Line2D([], [], color=MUTED, lw=0.8, marker=".", label="what the roofs allow")
        free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
        filled = Line2D([], [], label="filled: free batch", **free)
        figures.legend(figure, [*figures.handles(*chart_data.looks(lines)), allowed, filled])
        return axes


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """The ends of an axis that holds all points and what the roofs allow, in seconds."""
    ends = [end for line in lines for mark in line.marks(PICTURE) for end in (mark.low, mark.high)]
    ends += [one.allowed for line in lines for one in line.points if one.allowed]
    return min(ends) / 1.4, max(ends) * 1.4


def _allowed(lines: Sequence[Line]) -> Iterator[tuple[Look, list[Mark]]]:
    """What the roofs allow each case, small and grey."""
    known: dict[tuple[Case, str], dict[int, float]] = {}
    for line in lines:
        times = known.setdefault((line.case, line.look.marker), {})
        times |= {one.row.case.batch: one.allowed for one in line.points if one.allowed}
    for (_, marker), times in known.items():
        marks = [Mark(batch, time, time, time) for batch, time in sorted(times.items())]
        yield Look(MUTED, marker), marks
