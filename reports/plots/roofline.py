"""The measured roofline: a row of panels per cell, a column per residency, batch sizes of a series joined.

Points stand at their fraction of the drawn roof (`reports.plots.chart_data`), around which a band says how far it
moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan, degrees, inf, log10
from typing import TYPE_CHECKING, Any

from bench.profile.records import Level, Profile
from reports.analysis import points as model
from reports.analysis import roofs, series
from reports.analysis.points import Row
from reports.analysis.roofs import Ridge
from reports.analysis.units import giga, number
from reports.plots import chart_data, markers, style
from reports.plots.markers import DASHED, Line, Mark
from reports.plots.style import INK, MUTED, PAPER, trimmed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_WIDTH = {1: 6.5, 2: 3.05}
"""Inches inside a panel, by columns; a decade is as high as it is wide: a bandwidth roof rises at 45 degrees."""

ABOVE = 1.055
"""A level's name stands off its line by this factor."""
CROWDED = 1.5
"""A level that is slower than the next by less has its name beneath its line."""
SMALL = 6.2
"""Points: the size of the values of arithmetic roofs and ridges."""
BAND = 0.1
"""Opacity of the band over which a roof moved."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a panel is drawn in: the roofs of one device at one thread count, and the axes' ends (FLOP/byte, FLOP/s).

    `peaks` are by the name that `drawn.arithmetic` gives them.
    """

    levels: tuple[Level, ...]
    peaks: dict[str, float]
    ridges: tuple[Ridge, ...]
    left: float
    right: float
    bottom: float
    top: float


def roofline(profile: Profile, ax: Axes | None = None) -> Any:
    """Draw all steps into `ax`, or make a figure with a panel per cell and residency.

    Returns the axes drawn on (an array of them for a figure), or None where no point has an intensity. Shown are whole
    steps of one phase on the device that has most points, at the most threads that its roofs were measured with.
    """
    shown = whole_steps(profile)
    if not shown:
        return None
    with style.style():
        if ax is None:
            return _figure(profile, shown)
        _panel(ax, profile, shown, _frame(profile, shown))
        return ax


def whole_steps(profile: Profile) -> list[Row]:
    """Whole steps with an intensity and a fraction, on the device that has most of them, at its most threads."""
    steps = [row for row in model.rows(profile) if row.case.part == "cell"]
    phase = style.phase_of(row.case for row in steps)
    rows = [row for row in steps if row.case.phase == phase and row.intensity and row.fraction]
    devices = [row.case.device for row in rows]
    device = max(sorted(set(devices)), key=devices.count, default="cpu")
    here = [row for row in rows if row.case.device == device]
    most = max((row.case.threads for row in here), default=0)
    return [row for row in here if row.case.threads == most]


def _figure(profile: Profile, shown: list[Row]) -> Any:
    from matplotlib.lines import Line2D

    cells = list(dict.fromkeys(row.case.cell for row in shown))
    residencies = [
        name
        for name in ("streamed", "resident")
        if any(row.case.residency == name for row in shown)
    ]
    wide = _frame(profile, shown)
    by_cell = {cell: [row for row in shown if row.case.cell == cell] for cell in cells}
    frames = {cell: _frame(profile, rows, wide) for cell, rows in by_cell.items()}
    decade = PANEL_WIDTH[len(residencies)] / log10(wide.right / wide.left)
    heights = [decade * log10(frame.top / frame.bottom) for frame in frames.values()]
    phase = shown[0].case.phase
    heights = [min(3.4, max(1.2, height)) for height in heights]
    figure, axes = style.panels(cells, residencies, heights, phase)
    for i, cell in enumerate(cells):
        for j, residency in enumerate(residencies):
            rows = [row for row in by_cell[cell] if row.case.residency == residency]
            _panel(axes[i, j], profile, rows, frames[cell], many=len(shown) > markers.MANY)
        axes[i, 0].set_ylabel("GFLOP/s at the drawn roof")
    for ax in axes[-1]:
        ax.set_xlabel("arithmetic intensity, FLOP/byte (modelled bytes)")
    handles = style.implementation_handles(profile, {row.point.implementation for row in shown})
    handles += style.size_handles(profile, {row.case.hidden for row in shown})
    if any(row.case.dtype != "float32" for row in shown):
        look = Line2D(
            [], [], color=INK, linewidth=0.9, linestyle=DASHED, label="weights not float32"
        )
        handles.append(look)
    style.legend(figure, handles)
    return axes


def _frame(profile: Profile, rows: Sequence[Row], wide: Frame | None = None) -> Frame:
    """Roofs for `rows`, and ends that hold them, the points and the elbows; the x axis of `wide` if given."""
    device, threads = rows[0].case.device, rows[0].case.threads
    known = threads == roofs.all_threads(profile, device)
    levels = tuple(roofs.levels(profile, device)) if known else ()
    cases = {chart_data.arithmetic(row.case): row.case for row in rows}
    found = {
        name: roofs.arithmetic_roof(profile, device, threads, case.dtype, case.activations)
        for name, case in sorted(cases.items())
    }
    peaks = {name: peak for name, peak in found.items() if peak is not None}
    placed = [mark for row in rows if (mark := _mark(profile, row))]
    x = [mark.x for mark in placed]
    y = [end * 1e9 for mark in placed for end in (mark.low, mark.high)]
    top = max([*y, *peaks.values()])
    if levels:
        x.append(top / levels[-1].bytes_per_s)
    left, right = (wide.left, wide.right) if wide else (min(x) / 3.2, max(x) * 2)
    if levels:
        y.append(left * levels[-1].bytes_per_s)
    return Frame(
        levels, peaks, tuple(roofs.ridges(levels, peaks)), left, right, min(y) / 1.5, top * 1.55
    )


def _panel(
    ax: Axes, profile: Profile, rows: Sequence[Row], frame: Frame, *, many: bool = False
) -> None:
    style.plain_log(ax, "x", base=2)
    style.plain_log(ax, "y")
    ax.set_xlim(frame.left, frame.right)
    ax.set_ylim(frame.bottom / 1e9, frame.top / 1e9)
    used = {one.level for row in rows if (one := chart_data.held(profile, row))}
    kinds = {chart_data.arithmetic(row.case) for row in rows}
    _bands(ax, frame, chart_data.bands(profile, rows, _lines(frame)), kinds)
    _roofs(ax, frame, used, kinds)
    by_colour = style.colours(profile)
    by_size = style.markers({point.case.hidden for point in profile.points})
    joined: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        joined.setdefault((series.alone(row.case), row.point.implementation), []).append(row)
    lines = [
        Line(
            tuple(
                mark
                for row in sorted(alike, key=lambda row: row.case.batch)
                if (mark := _mark(profile, row))
            ),
            by_colour[implementation],
            by_size[case.hidden],
            dashed=case.dtype != "float32",
        )
        for (case, implementation), alike in joined.items()
    ]
    markers.draw(ax, lines, many=many)


def _mark(profile: Profile, row: Row) -> Mark | None:
    """At the counted bytes where a tool counted them, else at the modelled ones; its fraction of the roof there."""
    under, counted = chart_data.held(profile, row), model.counted_intensity(row)
    x = counted or row.intensity
    if under is None or not x or row.fraction is None:
        return None
    middle, low, high = chart_data.times(row.fraction, under.height(x) / 1e9)
    return Mark(x, middle, low, high, filled=counted is not None)


def _lines(frame: Frame) -> dict[str, float]:
    """Every roof by its name."""
    return frame.peaks | {level.name: level.bytes_per_s for level in frame.levels}


def _bands(ax: Axes, frame: Frame, moved: Mapping[str, chart_data.Band], kinds: set[str]) -> None:
    """Where each roof in use stood beside the points, from its lowest to its highest, behind its line."""
    look: dict[str, Any] = {"color": INK, "alpha": BAND, "linewidth": 0, "zorder": 1.5}
    highest = max((frame.peaks[name] for name in kinds if name in frame.peaks), default=frame.top)
    for level in frame.levels:
        low, high = moved.get(level.name, (0.0, 0.0))
        if low < high:
            x = [frame.left, highest / low, highest / high, frame.left]
            y = [frame.left * low, highest, highest, frame.left * high]
            ax.fill(x, [value / 1e9 for value in y], **look)
    for name in kinds & frame.peaks.keys() & moved.keys():
        low, high = moved[name]
        start = frame.peaks[name] / frame.levels[0].bytes_per_s if frame.levels else frame.left
        ax.fill_between([start, frame.right], low / 1e9, high / 1e9, **look)


def _roofs(ax: Axes, frame: Frame, used: set[str | None], kinds: set[str]) -> None:
    """Bandwidth roofs up to their elbow with the highest arithmetic roof, that one from the first elbow on."""
    highest = max((frame.peaks[name] for name in kinds if name in frame.peaks), default=frame.top)
    for index, level in enumerate(frame.levels):
        end = min(frame.right, highest / level.bytes_per_s)
        strong = level.name in used
        if end <= frame.left:
            continue
        ends = [frame.left, end]
        width, colour = (1.2, INK) if strong else (0.6, MUTED)
        heights = [x * level.bytes_per_s / 1e9 for x in ends]
        ax.plot(ends, heights, color=colour, linewidth=width, zorder=2)
        _along(ax, frame, index, colour)
    for name, peak in frame.peaks.items():
        if name not in kinds:
            continue
        start = peak / frame.levels[0].bytes_per_s if frame.levels else frame.left
        ax.plot([start, frame.right], [peak / 1e9] * 2, color=INK, linewidth=1.2, zorder=2)
    _peaks(ax, frame, {name: peak for name, peak in frame.peaks.items() if name in kinds})
    _ridges(ax, frame, used, kinds)


def _peaks(ax: Axes, frame: Frame, peaks: Mapping[str, float]) -> None:
    """Values of the arithmetic roofs over their lines; those too close for a text each share one over the highest."""
    high = ax.get_window_extent().height * 72 / ax.figure.dpi
    decades = log10(ax.get_ylim()[1] / ax.get_ylim()[0])
    groups: list[list[str]] = []
    for name in sorted(peaks, key=lambda name: peaks[name], reverse=True):
        above = peaks[groups[-1][0]] if groups else inf
        if log10(above / peaks[name]) / decades * high < SMALL + 3:
            groups[-1].append(name)
        else:
            groups.append([name])
    look: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": SMALL}
    look["textcoords"] = "offset points"
    for names in groups:
        values = ", ".join(_named(names, peaks))
        place = (frame.right, peaks[names[0]] / 1e9)
        ax.annotate(f"{values} GFLOP/s", place, (-2, 2), **look)


def _named(names: Sequence[str], peaks: Mapping[str, float]) -> list[str]:
    """`int8 458`, `float32 234`; of dtypes that share a roof, as bfloat16 x float32 with float32, the shortest name."""
    by_peak: dict[float, str] = {}
    for name in sorted(names, key=len, reverse=True):
        by_peak[peaks[name]] = name
    return [f"{name} {trimmed(giga(peak))}" for peak, name in sorted(by_peak.items())[::-1]]


def _ridges(ax: Axes, frame: Frame, used: set[str | None], kinds: set[str]) -> None:
    """Dotted verticals from each elbow of the levels in use down to the axis, with their values."""
    shown = dict.fromkeys(
        (ridge.flop_per_byte, frame.peaks[ridge.dtype])
        for ridge in frame.ridges
        if ridge.dtype in kinds and ridge.level in used
    )
    elbows = [elbow for elbow in shown if frame.left < elbow[0] < frame.right]
    texts = [trimmed(number(ridge)) for ridge, _ in elbows]
    heights = _staggered(ax, [ridge for ridge, _ in elbows], texts)
    for (ridge, peak), text, height in zip(elbows, texts, heights, strict=True):
        ends = [frame.bottom / 1e9, peak / 1e9]
        ax.plot([ridge, ridge], ends, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
        place: dict[str, Any] = {"xytext": (2, 2 + height), "textcoords": "offset points"}
        # On paper of its own, where a neighbour's line would run through it.
        place["bbox"] = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "linewidth": 0}
        ax.annotate(text, (ridge, ends[0]), color=MUTED, fontsize=SMALL, zorder=2, **place)


def _staggered(ax: Axes, ridges: Sequence[float], texts: Sequence[str]) -> list[float]:
    """How far up each value stands, in points: as low as it can without touching one to its left."""
    left, right = ax.get_xlim()
    wide = ax.get_window_extent().width * 72 / ax.figure.dpi
    ends: list[float] = []
    heights = []
    for ridge, text in zip(ridges, texts, strict=True):
        start = wide * log10(ridge / left) / log10(right / left)
        level = next((i for i, end in enumerate(ends) if end <= start), len(ends))
        # Digits are 0.64 of their size wide; the font's widest figure.
        ends[level : level + 1] = [start + 5 + 0.64 * SMALL * len(text)]
        heights.append(level * (SMALL + 2.5))
    return heights


def _along(ax: Axes, frame: Frame, index: int, colour: str) -> None:
    """A level's name and value along its line, where it enters the panel: above it, or below if that is crowded."""
    level = frame.levels[index]
    faster = frame.levels[index - 1].bytes_per_s if index else float("inf")
    beneath = faster / level.bytes_per_s < CROWDED
    x = max(frame.left, frame.bottom / level.bytes_per_s) * 1.1
    slope = level.bytes_per_s / 1e9 * (1 / ABOVE if beneath else ABOVE)
    ax.text(
        x,
        x * slope,
        f"{style.name_of(level.name)} {trimmed(giga(level.bytes_per_s))} GB/s",
        # The direction in data; matplotlib turns it to the panel's, whose size is not known yet.
        rotation=degrees(atan(slope)),
        transform_rotates_text=True,
        rotation_mode="anchor",
        ha="left",
        va="top" if beneath else "baseline",
        fontsize=5.6,
        color=colour,
    )
