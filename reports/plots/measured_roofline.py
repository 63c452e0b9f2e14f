"""The measured roofline: a row of panels per cell, a column per residency, batch sizes of a series joined."""

from collections.abc import Mapping, Sequence
from math import atan, degrees, inf, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.plots import chart_data, figures
from reports.plots.chart_data import Charts, Line, Setup
from reports.plots.figures import Ends
from reports.plots.style import INK, MUTED, PAPER, name_of, trimmed

PICTURE = "roofline"
PANEL_WIDTH = {1: 6.5, 2: 3.05}
"""Inches inside a panel, by columns; a decade is as high as it is wide: a bandwidth roof rises at 45 degrees."""

ABOVE = 1.055
"""A level's name stands off its line by this factor."""
CROWDED = 1.5
"""A level that is slower than the next by less has its name beneath its line."""
SMALL = 6.2
"""Points: the size of the values of arithmetic roofs and ridges."""
SAME_RIDGE = 1.05
"""Ridges nearer than this share one value."""
ROOF: dict[str, Any] = {"color": INK, "linewidth": 1.2, "zorder": 2}
BAND: dict[str, Any] = {"color": INK, "alpha": 0.1, "linewidth": 0, "zorder": 1.5}


def draw(charts: Charts, ax: Axes | None = None) -> Any:
    """Draw all steps into `ax`, or make a figure with a panel per cell and residency.

    Returns the axes drawn on (an array of them for a figure), or None where no point has an intensity. Shown are whole
    steps of one phase on the device that has most points, at the most threads that its roofs were measured with.
    """
    lines = chart_data.shown(charts, PICTURE)
    if not lines:
        return None
    with figures.style():
        if ax is None:
            return _figure(charts, lines)
        setup = charts.setup(lines[0].case)
        _panel(ax, setup, lines, _ends(setup, lines))
        return ax


def _figure(charts: Charts, lines: Sequence[Line]) -> Any:
    setup = charts.setup(lines[0].case)
    columns, rows = chart_data.residencies(lines), chart_data.by_cell(lines)
    wide = _ends(setup, lines)
    ends = {cell: _ends(setup, own, wide) for cell, own in rows.items()}
    decade = PANEL_WIDTH[len(columns)] / log10(wide.right / wide.left)
    heights = figures.inches(decade * log10(end.top / end.bottom) for end in ends.values())
    drawn = {(line.case.cell, line.case.residency) for line in lines}
    figure, axes, places = figures.panels(
        list(rows), columns, heights, lines[0].case.phase, figures.INTENSITY, drawn
    )
    many = sum(len(line.points) for line in lines) > figures.MANY
    for (cell, residency), ax in places.items():
        here = [line for line in rows[cell] if line.case.residency == residency]
        _panel(ax, setup, here, ends[cell], many=many)
    handles = figures.handles(*chart_data.looks(lines))
    if any(line.look.dashed for line in lines):
        dashes: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": figures.DASHED}
        handles.append(Line2D([], [], label="weights not float32", **dashes))
    figures.legend(figure, handles)
    return axes


def _ends(setup: Setup, lines: Sequence[Line], wide: Ends | None = None) -> Ends:
    """Ends that hold the points, their roofs and the elbows; the x axis of `wide` if given."""
    marks = [mark for line in lines for mark in line.marks(PICTURE)]
    peaks = [setup.peaks[line.arithmetic] for line in lines if line.arithmetic in setup.peaks]
    x = [mark.x for mark in marks]
    y = [end for mark in marks for end in (mark.low, mark.high)]
    top = max([*y, *peaks])
    slowest = [level.rate for level in setup.levels[-1:]]
    x += [top / rate for rate in slowest]
    left, right = (wide.left, wide.right) if wide else (min(x) / 3.2, max(x) * 2)
    y += [left * rate for rate in slowest]
    return Ends(left, right, min(y) / 1.5, top * 1.55)


def _panel(
    ax: Axes, setup: Setup, lines: Sequence[Line], ends: Ends, *, many: bool = False
) -> None:
    """Roofs, each before a band from where to where it stood beside the points, and the points.

    Bandwidth roofs go up to their elbow with the highest arithmetic roof, those begin at their first elbow.
    """
    figures.plain_log(ax, "x", base=2)
    figures.plain_log(ax, "y")
    ax.set(xlim=(ends.left, ends.right), ylim=(ends.bottom, ends.top))
    kinds = {line.arithmetic for line in lines}
    peaks = {name: peak for name, peak in setup.peaks.items() if name in kinds}
    used = {one.under.level for line in lines for one in line.points if one.under}
    drawn = {**{level.name: level.rate for level in setup.levels}, **peaks}
    bands = chart_data.moved(lines, drawn)
    highest = max(peaks.values(), default=ends.top)
    faster = inf
    for level in setup.levels:
        if level.name in bands:
            low, high = bands[level.name]
            x = [ends.left, highest / low, highest / high, ends.left]
            ax.fill(x, [ends.left * low, highest, highest, ends.left * high], **BAND)
        x = [ends.left, min(ends.right, highest / level.rate)]
        if x[1] > ends.left:
            look = ROOF if level.name in used else {**ROOF, "color": MUTED, "linewidth": 0.6}
            ax.plot(x, [one * level.rate for one in x], **look)
            name, beneath = f"{name_of(level.name)} {level.value}", faster / level.rate < CROWDED
            _along(ax, ends, level.rate, name, look["color"], beneath=beneath)
        faster = level.rate
    for name, peak in peaks.items():
        start = peak / setup.levels[0].rate if setup.levels else ends.left
        if name in bands:
            ax.fill_between([start, ends.right], *bands[name], **BAND)
        ax.plot([start, ends.right], [peak] * 2, **ROOF)
    _peaks(ax, ends, peaks)
    rates = [level.rate for level in setup.levels if level.name in used]
    _ridges(ax, ends, {(peak / rate, peak) for peak in peaks.values() for rate in rates})
    figures.draw(ax, [(line.look, line.marks(PICTURE)) for line in lines], many=many)


def _peaks(ax: Axes, ends: Ends, peaks: Mapping[str, float]) -> None:
    """Values of the arithmetic roofs over their lines; those too close for a text each share one over the highest."""
    high = ax.get_window_extent().height * 72 / ax.figure.dpi
    # of dtypes that share a roof, as bfloat16 x float32 with float32, the shortest name stands for all
    names = {peaks[name]: name for name in sorted(peaks, key=len, reverse=True)}
    groups: list[list[float]] = []
    for peak in sorted(names, reverse=True):
        above = groups[-1][0] if groups else inf
        if log10(above / peak) / log10(ends.top / ends.bottom) * high < SMALL + 3:
            groups[-1].append(peak)
        else:
            groups.append([peak])
    look: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": SMALL}
    for group in groups:
        text = ", ".join(f"{names[peak]} {trimmed(peak)}" for peak in group)
        place = (ends.right, group[0])
        ax.annotate(f"{text} GFLOP/s", place, (-2, 2), textcoords="offset points", **look)


def _ridges(ax: Axes, ends: Ends, ridges: set[tuple[float, float]]) -> None:
    """Dotted verticals from each elbow of the levels in use down to the axis; their values as low as there is room."""
    wide = ax.get_window_extent().width * 72 / ax.figure.dpi / log10(ends.right / ends.left)
    taken: list[float] = []
    before = 0.0
    for ridge, peak in sorted(ridges):
        if not ends.left < ridge < ends.right:
            continue
        ax.plot([ridge] * 2, [ends.bottom, peak], color=MUTED, linewidth=0.8, ls=":", zorder=1)
        if ridge < SAME_RIDGE * before:
            continue
        before, text, start = ridge, trimmed(ridge), wide * log10(ridge / ends.left)
        row = next((i for i, end in enumerate(taken) if end <= start), len(taken))
        # Digits are 0.64 of their size wide; the font's widest figure.
        taken[row : row + 1] = [start + 5 + 0.64 * SMALL * len(text)]
        look: dict[str, Any] = {"color": MUTED, "fontsize": SMALL, "zorder": 2}
        # On paper of its own, where a neighbour's line would run through it.
        look["bbox"] = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "linewidth": 0}
        above = (2, 2 + row * (SMALL + 2.5))
        ax.annotate(text, (ridge, ends.bottom), above, textcoords="offset points", **look)


def _along(ax: Axes, ends: Ends, rate: float, name: str, colour: str, *, beneath: bool) -> None:
    """A level's name and value along its line, where it enters the panel: above it, or below if that is crowded."""
    x = max(ends.left, ends.bottom / rate) * 1.1
    slope = rate * (1 / ABOVE if beneath else ABOVE)
    ax.text(
        x,
        x * slope,
        name,
        # The direction in data; matplotlib turns it to the panel's, whose size is not known yet.
        rotation=degrees(atan(slope)),
        transform_rotates_text=True,
        rotation_mode="anchor",
        ha="left",
        va="top" if beneath else "baseline",
        fontsize=5.6,
        color=colour,
    )
