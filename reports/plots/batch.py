"""Step time against batch: what the machine allows, what is reached, and up to where sequences ride free.

Times are at the drawn roofs: what those allow over the fraction reached (`reports.plots.chart_data`), so that a
point whose memory was quick and one whose memory was slow stand under one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

from bench.profile.records import Profile
from bench.profile.stats import Estimate
from kernels.case import Case
from reports.analysis import series as grouped
from reports.analysis.series import Series
from reports.analysis.units import time_unit
from reports.plots import chart_data, markers, style
from reports.plots.markers import Line, Mark
from reports.plots.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_PER_DECADE = 0.65
ROOM = 12
"""Batch sizes that can stand beside one another; of more, the axis names powers of two."""
LIMIT = 2.2
"""Size of the marks on what the roofs allow."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A series and its times at the drawn roofs, in seconds by batch."""

    series: Series
    times: dict[int, Estimate]


def time_against_batch(profile: Profile, axes: Any = None) -> Any:
    """A panel per cell and residency; `axes` may be an array shaped (cells, residencies). None without such points.

    Shown are whole steps of one phase in float32 (or the dtype there is most of) on the device that has most points, at
    its most threads. Returns the axes.
    """
    found = _shown(profile)
    limits = _limits(profile, found)
    shown = [placed for one in found if (placed := _placed(one, limits)).times]
    if not shown:
        return None
    cells = list(dict.fromkeys(one.series.case.cell for one in shown))
    present = {one.series.case.residency for one in shown}
    residencies = [name for name in ("streamed", "resident") if name in present]
    unit, factor = time_unit(time.median for one in shown for time in one.times.values())
    batches = sorted({batch for one in shown for batch in one.times})
    many = sum(len(one.times) for one in shown) > markers.MANY
    with style.style():
        figure = None
        if axes is None:
            ranges = [_range(_of(shown, cell), limits) for cell in cells]
            heights = [INCHES_PER_DECADE * log10(high / low) for low, high in ranges]
            heights = [min(3.4, max(1.2, height)) for height in heights]
            figure, axes = style.panels(cells, residencies, heights, shown[0].series.case.phase)
        for i, cell in enumerate(cells):
            for j, residency in enumerate(residencies):
                here = [one for one in _of(shown, cell) if one.series.case.residency == residency]
                _panel(axes[i, j], profile, here, limits, factor, batches, many=many)
            low, high = _range(_of(shown, cell), limits)
            axes[i, 0].set_ylim(low * factor, high * factor)
            axes[i, 0].set_ylabel(f"time of a step at the drawn roof, {unit}")
        for ax in axes[-1]:
            ax.set_xlabel("batch, sequences per step")
        if figure is not None:
            style.legend(figure, _handles(profile, shown))
        return axes


def _shown(profile: Profile) -> list[Series]:
    whole = [one for one in grouped.of(profile) if one.case.part == "cell"]
    fetched = [one.fetched for one in whole]
    most = max(sorted(set(fetched)), key=fetched.count, default=())
    # a step that must fetch W and U and one that must fetch U alone are no comparison
    alike = [one for one in whole if one.fetched == most]
    phase = style.phase_of(one.case for one in alike)
    steps = [one for one in alike if one.case.phase == phase]
    devices = [one.case.device for one in steps]
    device = max(sorted(set(devices)), key=devices.count, default="cpu")
    here = [one for one in steps if one.case.device == device]
    dtypes = [one.case.dtype for one in here]
    dtype = "float32" if "float32" in dtypes else max(dtypes, key=dtypes.count, default="")
    workers = max((one.case.threads for one in here), default=0)
    return [one for one in here if (one.case.dtype, one.case.threads) == (dtype, workers)]


def _of(shown: Sequence[Placed], cell: str) -> list[Placed]:
    return [one for one in shown if one.series.case.cell == cell]


def _placed(one: Series, limits: dict[Case, dict[int, float]]) -> Placed:
    """A series at its fractions of the drawn limits."""
    line = limits.get(one.case, {})
    return Placed(
        one,
        {
            row.case.batch: chart_data.over(line[row.case.batch], row.fraction)
            for row in one.rows
            if row.fraction and row.case.batch in line
        },
    )


def _range(shown: Sequence[Placed], limits: dict[Case, dict[int, float]]) -> tuple[float, float]:
    """The ends of an axis that holds all points and limits, in seconds."""
    ends = [end for one in shown for time in one.times.values() for end in time]
    ends += [seconds for one in shown for seconds in limits[one.series.case].values()]
    return min(ends) / 1.4, max(ends) * 1.4


def _panel(
    ax: Axes,
    profile: Profile,
    shown: Sequence[Placed],
    limits: dict[Case, dict[int, float]],
    factor: float,
    batches: Sequence[int],
    *,
    many: bool,
) -> None:
    style.plain_log(ax, "x", base=2)
    style.plain_log(ax, "y")
    if len(batches) <= ROOM:
        ax.set_xticks(list(batches), [str(batch) for batch in batches])
    by_colour = style.colours(profile)
    by_size = style.markers({point.case.hidden for point in profile.points})
    allowed = [
        Line(
            tuple(_exact(batch, t * factor) for batch, t in limits[case].items()),
            MUTED,
            by_size[case.hidden],
        )
        for case in dict.fromkeys(one.series.case for one in shown)
    ]
    markers.draw(ax, allowed, many=many, size=LIMIT)
    lines = []
    for one in shown:
        series = one.series
        # Filled stands for the free batch here: nothing on these axes rests on bytes.
        free = series.free_batch if len(series.rows) >= grouped.LONG else None
        dots = tuple(
            Mark(
                batch,
                time.median * factor,
                time.low * factor,
                time.high * factor,
                filled=batch == free,
            )
            for batch, time in one.times.items()
        )
        lines.append(Line(dots, by_colour[series.implementation], by_size[series.case.hidden]))
    markers.draw(ax, lines, many=many)


def _exact(x: float, y: float) -> Mark:
    """A mark without an interval."""
    return Mark(x, y, y, y)


def _limits(profile: Profile, shown: Sequence[Series]) -> dict[Case, dict[int, float]]:
    """For each case, by batch: what the drawn roofs allow in seconds, the lowest among the implementations."""
    lines: dict[Case, dict[int, float]] = {}
    for one in shown:
        line = lines.setdefault(one.case, {})
        for row in one.rows:
            under = chart_data.held(profile, row)
            if under is not None:
                line[row.case.batch] = min(under.seconds, line.get(row.case.batch, under.seconds))
    return {case: dict(sorted(line.items())) for case, line in lines.items() if line}


def _handles(profile: Profile, shown: Sequence[Placed]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = style.implementation_handles(profile, {one.series.implementation for one in shown})
    handles += style.size_handles(profile, {one.series.case.hidden for one in shown})
    free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
    handles.append(
        Line2D([], [], color=MUTED, linewidth=0.8, marker=".", label="what the roofs allow")
    )
    handles.append(Line2D([], [], label="filled: free batch", **free))
    return handles
