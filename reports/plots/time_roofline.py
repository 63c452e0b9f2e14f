"""The roofline in times: what the bytes and the FLOPs of a step take at the roofs, and what the step took.

After Wang et al., "Time-Based Roofline for Deep Learning Performance Analysis" (arXiv 2009.04598).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.profile.stats import median
from reports.analysis.wording import time_unit
from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line
from reports.plots.style import INK, MUTED

MARKERS = {"rnn": "o", "lstm": "s", "gru": "^"}
"""A cell each: the hidden size is seen by how far out a point lies."""
DOT: dict[str, Any] = {"marker": ".", "color": MUTED}
BOX: dict[str, Any] = {"linewidth": 0.8, "linestyle": figures.LONG_DASHES}


def draw(charts: Charts) -> Any:
    """A panel per residency; None without such points, else the axes."""
    lines = chart_data.shown(charts, "time_roofline")
    if not lines:
        return None
    points = [one for line in lines for one in line.points]
    unit, factor = time_unit(one.row.seconds.median for one in points)
    # Both axes' ends are equal, so that the ridge is the diagonal of a square.
    floors = [one.row.point.floor_seconds for one in points if one.row.point.floor_seconds]
    shares = [(one.time, one.row.fraction) for one in points if one.time and one.row.fraction]
    low = min(*(min(at.x, at.y) * share.median for at, share in shares), *floors) / 1.6
    high = max(*(max(at.x, at.y) for at, _ in shares), *floors) * 1.6
    with figures.style():
        columns, phase = chart_data.residencies(lines), lines[0].case.phase
        names = f"time for the FLOPs, {unit}", f"time for the bytes, {unit}"
        figure, axes, places = figures.panels(
            ["all cells"], columns, [6.5 / len(columns)], phase, names
        )
        for (_, residency), ax in places.items():
            here = [line for line in lines if line.case.residency == residency]
            for axis in "xy":
                figures.plain_log(ax, axis, decades=True)
            ax.set_xlim(low * factor, high * factor)
            ax.set_ylim(low * factor, high * factor)
            _panel(ax, here, factor, many=len(points) > figures.MANY)
        figures.legend(figure, _handles(lines))
        return axes[0]


def _panel(ax: Axes, lines: Sequence[Line], factor: float, *, many: bool) -> None:
    low, high = ax.get_xlim()
    ax.plot([low, high], [low, high], color=INK, linewidth=1.2, zorder=2)
    above: dict[str, Any] = {"fontsize": 6.2, "color": MUTED, "transform": ax.transAxes}
    ax.text(0.02, 0.98, "bytes take longer", va="top", **above)
    ax.text(0.98, 0.02, "FLOPs take longer", ha="right", **above)
    floors: dict[tuple[str, str], list[float]] = {}
    gaps = []
    for line in lines:
        for one in line.points:
            assert one.time is not None
            assert one.row.fraction is not None
            mark, share = one.time.scaled(factor, factor), one.row.fraction.median
            gaps.append(((mark.x * share, mark.y * share), (mark.x, mark.y)))
            if one.row.point.floor_seconds:
                own = floors.setdefault((line.implementation, line.colour), [])
                own.append(one.row.point.floor_seconds)
    # A step within its implementation's floor would be the cost of its call and little else.
    for (_, colour), found in floors.items():
        end = median(found) * factor
        ax.plot([low, end, end], [end, end, low], color=colour, zorder=1, **BOX)
    thin: dict[str, Any] = {"linewidth": 0.6, "color": MUTED, "alpha": 0.45, "zorder": 1}
    figures.segments(ax, gaps, rasterized=many, **thin)
    dots = [at[0] for at, _ in gaps], [at[1] for at, _ in gaps]
    ax.plot(*dots, markersize=3, linestyle="none", rasterized=many, zorder=2, **DOT)
    drawn = [
        replace(line.drawn("time", factor, factor), marker=MARKERS[line.case.cell])
        for line in lines
    ]
    figures.draw(ax, drawn, joined=False, many=many)


def _handles(lines: Sequence[Line]) -> list[Line2D]:
    cells = {line.case.cell for line in lines}
    return [
        *figures.handles({line.implementation: line.colour for line in lines}, {}),
        *(
            Line2D([], [], marker=marker, label=cell.upper(), **figures.HOLLOW)
            for cell, marker in MARKERS.items()
            if cell in cells
        ),
        Line2D([], [], label="what the roofs allow", linewidth=0.6, **DOT),
        Line2D([], [], label="floor of a call", color=MUTED, **BOX),
    ]
