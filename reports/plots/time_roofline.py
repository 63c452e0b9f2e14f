"""The roofline in times: what the bytes and the FLOPs of a step take at the roofs, and what the step took.

After Wang et al., "Time-Based Roofline for Deep Learning Performance Analysis" (arXiv 2009.04598).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.profile.records import Profile
from reports.analysis.points import Row
from reports.analysis.units import time_unit
from reports.plots import markers, style
from reports.plots.markers import Line, Mark
from reports.plots.roofline import whole_steps
from reports.plots.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = {"rnn": "o", "lstm": "s", "gru": "^"}
"""A cell each: the hidden size is seen by how far out a point lies."""

DIM = 0.45
"""Opacity of what the roofs allow, behind what was measured."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies: seconds for its FLOPs and for its bytes, and both stretched to its own time.

    The larger of the last two is the time that was measured, the larger of the first two its fraction of that: what the
    roofs beside it allow.
    """

    t_flops: float
    t_bytes: float
    flops_side: float
    bytes_side: float


def place(row: Row) -> Place | None:
    """None where a roof is missing, or a time is zero and has no place on a logarithmic axis."""
    if row.t_bytes is None or row.t_flops is None or row.fraction is None:
        return None
    t_bytes, t_flops = row.t_bytes.median, row.t_flops.median
    if not t_bytes or not t_flops:
        return None
    stretched = row.seconds.median / max(t_bytes, t_flops)
    flops_side, bytes_side = t_flops * stretched, t_bytes * stretched
    share = row.fraction.median
    return Place(flops_side * share, bytes_side * share, flops_side, bytes_side)


def time_roofline(profile: Profile, axes: Any = None) -> Any:
    """A panel per residency; `axes` may be a sequence of as many. None without such points.

    Shown are the points of the roofline. Returns the axes.
    """
    shown = [row for row in whole_steps(profile) if place(row)]
    if not shown:
        return None
    present = {row.case.residency for row in shown}
    residencies = [name for name in ("streamed", "resident") if name in present]
    unit, factor = time_unit(row.seconds.median for row in shown)
    low, high = _range(shown)
    with style.style():
        figure = None
        if axes is None:
            figure, axes = style.panels(
                ("all cells",), residencies, [6.5 / len(residencies)], shown[0].case.phase
            )
            axes = axes[0]
        for ax, residency in zip(axes, residencies, strict=True):
            here = [row for row in shown if row.case.residency == residency]
            for axis in "xy":
                style.plain_log(ax, axis, decades=True)
            ax.set_xlim(low * factor, high * factor)
            ax.set_ylim(low * factor, high * factor)
            _panel(ax, profile, here, factor, many=len(shown) > markers.MANY)
            ax.set_xlabel(f"time for the FLOPs, {unit}")
        axes[0].set_ylabel(f"time for the bytes, {unit}")
        if figure is not None:
            style.legend(figure, _handles(profile, shown))
        return axes


def _range(shown: Sequence[Row]) -> tuple[float, float]:
    """Both axes' ends in seconds: equal, so that the ridge is the diagonal of a square."""
    places = [found for row in shown if (found := place(row))]
    low = min(min(one.t_flops, one.t_bytes) for one in places)
    high = max(max(one.flops_side, one.bytes_side) for one in places)
    floors = [row.point.floor_seconds for row in shown if row.point.floor_seconds]
    return min([low, *floors]) / 1.6, max([high, *floors]) * 1.6


def _panel(ax: Axes, profile: Profile, rows: Sequence[Row], factor: float, *, many: bool) -> None:
    low, high = ax.get_xlim()
    ax.plot([low, high], [low, high], color=INK, linewidth=1.2, zorder=2)
    above: dict[str, Any] = {"fontsize": 6.2, "color": MUTED, "transform": ax.transAxes}
    ax.text(0.02, 0.98, "bytes take longer", va="top", **above)
    ax.text(0.98, 0.02, "FLOPs take longer", ha="right", **above)
    by_colour = style.colours(profile)
    _floors(ax, rows, by_colour, factor)
    lines, gaps, allowed = [], [], []
    for row in rows:
        at = place(row)
        if at is None:
            continue
        x, y = at.flops_side * factor, at.bytes_side * factor
        look = (by_colour[row.point.implementation], MARKERS[row.case.cell])
        filled = row.point.counted_bytes is not None
        lines.append(Line((Mark(x, y, y, y, filled=filled),), *look))
        gaps.append(((at.t_flops * factor, at.t_bytes * factor), (x, y)))
        allowed.append(gaps[-1][0])
    thin: dict[str, Any] = {"linewidth": 0.6, "color": MUTED, "alpha": DIM}
    markers.segments(ax, gaps, rasterized=many, zorder=1, **thin)
    dots: dict[str, Any] = {"marker": ".", "markersize": 3, "linestyle": "none", "color": MUTED}
    ax.plot([x for x, _ in allowed], [y for _, y in allowed], rasterized=many, zorder=2, **dots)
    markers.draw(ax, lines, many=many)


def _floors(ax: Axes, rows: Sequence[Row], by_colour: dict[str, str], factor: float) -> None:
    """Each implementation's floor as a box: a step within it would be the cost of its call and little else."""
    from bench.profile.stats import median

    found: dict[str, list[float]] = {}
    for row in rows:
        if row.point.floor_seconds:
            found.setdefault(row.point.implementation, []).append(row.point.floor_seconds)
    low = ax.get_xlim()[0]
    for name, floors in found.items():
        end = median(floors) * factor
        look: dict[str, Any] = {
            "color": by_colour[name],
            "linewidth": 0.8,
            "linestyle": (0, (4, 2)),
        }
        ax.plot([low, end, end], [end, end, low], zorder=1, **look)


def _handles(profile: Profile, shown: Sequence[Row]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = style.implementation_handles(profile, {row.point.implementation for row in shown})
    hollow: dict[str, Any] = {"markerfacecolor": "none", "linestyle": "none", "markersize": 4.2}
    cells = {row.case.cell for row in shown}
    handles += [
        Line2D([], [], marker=marker, color=INK, label=cell.upper(), **hollow)
        for cell, marker in MARKERS.items()
        if cell in cells
    ]
    dots: dict[str, Any] = {"marker": ".", "linewidth": 0.6, "color": MUTED}
    handles.append(Line2D([], [], label="what the roofs allow", **dots))
    box: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (4, 2)), "color": MUTED}
    handles.append(Line2D([], [], label="floor of a call", **box))
    return handles
