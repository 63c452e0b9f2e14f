"""The roofline in times: what the bytes and the FLOPs of a step take at the roofs, and what the step took.

After Wang et al., "Time-Based Roofline for Deep Learning Performance Analysis" (arXiv 2009.04598).
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.profile.stats import median
from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED

PICTURE = "time_roofline"
MARKERS = {"rnn": "o", "lstm": "s", "gru": "^"}
"""A cell each: the hidden size is seen by how far out a point lies."""
DOT: dict[str, Any] = {"marker": ".", "color": MUTED}
BOX: dict[str, Any] = {"linewidth": 0.8, "linestyle": figures.LONG_DASHES}


def draw(charts: Charts) -> Any:
    """A panel per residency; None without such points, else the axes."""
    lines = chart_data.shown(charts, PICTURE)
    if not lines:
        return None
    # Both axes' ends are equal, so that the ridge is the diagonal of a square.
    ends = [end for line in lines for gap in _gaps(line) for place in gap for end in place]
    ends += [end for line in lines for end in _floors(line)]
    low, high = min(ends) / 1.6, max(ends) * 1.6
    many = sum(len(line.points) for line in lines) > figures.MANY
    names = "time for the FLOPs", "time for the bytes"
    with figures.style():
        columns, phase = chart_data.residencies(lines), lines[0].case.phase
        heights = [6.5 / len(columns)]
        figure, axes, places = figures.panels(["all cells"], columns, heights, phase, names)
        for (_, residency), ax in places.items():
            for axis in "xy":
                figures.plain_log(ax, axis, decades=True, seconds=True)
            ax.set(xlim=(low, high), ylim=(low, high))
            _panel(ax, [line for line in lines if line.case.residency == residency], many=many)
        figures.legend(figure, _handles(lines))
        return axes[0]


def _gaps(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """From what the roofs allow, each point's fraction of what was measured, to that."""
    found = []
    for one, mark in zip(line.points, line.marks(PICTURE), strict=True):
        assert one.row.fraction is not None
        share = one.row.fraction.median
        found.append(((mark.x * share, mark.y * share), (mark.x, mark.y)))
    return found


def _floors(line: Line) -> list[float]:
    return [floor for one in line.points if (floor := one.row.point.floor_seconds)]


def _panel(ax: Axes, lines: Sequence[Line], *, many: bool) -> None:
    low, high = ax.get_xlim()
    ax.plot([low, high], [low, high], color=INK, linewidth=1.2, zorder=2)
    above: dict[str, Any] = {"fontsize": 6.2, "color": MUTED, "transform": ax.transAxes}
    ax.text(0.02, 0.98, "bytes take longer", va="top", **above)
    ax.text(0.98, 0.02, "FLOPs take longer", ha="right", **above)
    # A step within its implementation's floor would be the cost of its call and little else.
    for name, colour in {line.implementation: line.look.colour for line in lines}.items():
        own = [end for line in lines if line.implementation == name for end in _floors(line)]
        if own:
            end = median(own)
            ax.plot([low, end, end], [end, end, low], color=colour, zorder=1, **BOX)
    gaps = [gap for line in lines for gap in _gaps(line)]
    thin: dict[str, Any] = {"linewidth": 0.6, "color": MUTED, "alpha": 0.45, "zorder": 1}
    figures.segments(ax, gaps, rasterized=many, **thin)
    dots = [at for (at, _), _ in gaps], [at for (_, at), _ in gaps]
    ax.plot(*dots, markersize=3, linestyle="none", rasterized=many, zorder=2, **DOT)
    drawn = [
        (line.look._replace(marker=MARKERS[line.case.cell]), line.marks(PICTURE)) for line in lines
    ]
    figures.draw(ax, drawn, joined=False, many=many)


def _handles(lines: Sequence[Line]) -> list[Line2D]:
    cells = {line.case.cell for line in lines}
    return [
        *figures.handles(chart_data.looks(lines)[0], {}),
        *(
            Line2D([], [], marker=marker, label=cell.upper(), **figures.HOLLOW)
            for cell, marker in MARKERS.items()
            if cell in cells
        ),
        Line2D([], [], label="what the roofs allow", linewidth=0.6, **DOT),
        Line2D([], [], label="floor of a call", color=MUTED, **BOX),
    ]
