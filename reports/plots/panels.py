"""A picture's panels: a row per cell, a column per residency, points in the look of their lines, and the key to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.plots import figures
from reports.plots.chart_data import Charts, Line, Placed
from reports.plots.style import Mark, colours, markers, name_of


def residencies(lines: Iterable[Line]) -> list[str]:
    """Those that there is something of, a column each."""
    present = {line.case.residency for line in lines}
    return [name for name in ("streamed", "resident") if name in present]


def by_cell(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines of each cell, a row each."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.case.cell, []).append(line)
    return found


def each(axes: Any, rows: Mapping[str, Sequence[Line]]) -> Iterator[tuple[Axes, str, list[Line]]]:
    """Every panel with its cell and what is drawn there."""
    columns = residencies(line for lines in rows.values() for line in lines)
    for (i, cell), (j, residency) in product(enumerate(rows), enumerate(columns)):
        here = [line for line in rows[cell] if line.case.residency == residency]
        yield axes[i, j], cell, here


def inches(decades: Iterable[float]) -> list[float]:
    """Heights of panels, neither flat nor taller than a page has room for."""
    return [min(3.4, max(1.2, height)) for height in decades]


def implementation_handles(every: Iterable[Line], shown: Iterable[Line]) -> list[Line2D]:
    """Legend entries: a line in the colour of each implementation that is shown."""
    names = {line.implementation for line in shown}
    return [
        Line2D([], [], color=colour, linewidth=1.6, label=name_of(name))
        for name, colour in colours(line.implementation for line in every).items()
        if name in names
    ]


def size_handles(every: Iterable[Line], shown: Iterable[Line]) -> list[Line2D]:
    """Legend entries: the marker of each hidden size that is shown."""
    sizes = {line.case.hidden for line in shown}
    known = markers(line.case.hidden for line in every)
    return [
        Line2D([], [], marker=known[s], label=f"H = {s}", **figures.HOLLOW) for s in sorted(sizes)
    ]


def draw_points(
    ax: Axes,
    charts: Charts,
    lines: Sequence[Line],
    at: Callable[[Placed], Mark | None],
    *,
    many: bool,
) -> None:
    """The points of lines where `at` puts them, in the colour of their implementation and the mark of their size."""
    by_colour = colours(line.implementation for line in charts.lines)
    by_size = markers(line.case.hidden for line in charts.lines)
    looks = [
        (
            [mark for one in line.points if (mark := at(one))],
            by_colour[line.implementation],
            by_size[line.case.hidden],
            line.case.dtype != "float32",
        )
        for line in lines
    ]
    figures.draw(ax, looks, many=many)
