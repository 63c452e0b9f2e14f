"""Step time against batch: what the machine allows, what is reached, and up to where sequences ride free."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

from reports import marks, plots
from reports import series as grouped
from reports.marks import Line, Mark
from reports.plots import INK, MUTED
from reports.units import time_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from bench.records import Profile
    from kernels.contract import Case
    from reports.series import Series

INCHES_PER_DECADE = 0.65
ROOM = 12
"""Batch sizes that can stand beside one another; of more, the axis names powers of two."""
LIMIT = 2.2
"""Size of the marks on what the roofs allow."""


def time_against_batch(profile: Profile, axes: Any = None) -> Any:
    """A panel per cell and residency; `axes` may be an array shaped (cells, residencies). None without such points.

    Shown are whole steps of one phase in float32 (or the dtype there is most of) on the device that has most points, at
    its most threads. Returns the axes.
    """
    shown = _shown(profile)
    if not shown:
        return None
    cells = list(dict.fromkeys(one.case.cell for one in shown))
    present = {one.case.residency for one in shown}
    residencies = [name for name in ("streamed", "resident") if name in present]
    unit, factor = time_unit(row.seconds.median for one in shown for row in one.rows)
    batches = sorted({row.case.batch for one in shown for row in one.rows})
    many = sum(len(one.rows) for one in shown) > marks.MANY
    with plots.style():
        figure = None
        if axes is None:
            ranges = [_range([one for one in shown if one.case.cell == cell]) for cell in cells]
            heights = [INCHES_PER_DECADE * log10(high / low) for low, high in ranges]
            heights = [min(3.4, max(1.2, height)) for height in heights]
            figure, axes = plots.panels(cells, residencies, heights, shown[0].case.phase)
        for i, cell in enumerate(cells):
            for j, residency in enumerate(residencies):
                kind = (cell, residency)
                here = [one for one in shown if (one.case.cell, one.case.residency) == kind]
                _panel(axes[i, j], profile, here, factor, batches, many=many)
            low, high = _range([one for one in shown if one.case.cell == cell])
            axes[i, 0].set_ylim(low * factor, high * factor)
            axes[i, 0].set_ylabel(f"time of a step, {unit}")
        for ax in axes[-1]:
            ax.set_xlabel("batch, sequences per step")
        if figure is not None:
            plots.legend(figure, _handles(profile, shown))
        return axes


def _shown(profile: Profile) -> list[Series]:
    whole = [one for one in grouped.of(profile) if one.case.part == "cell"]
    fetched = [one.fetched for one in whole]
    most = max(sorted(set(fetched)), key=fetched.count, default=())
    # a step that must fetch W and U and one that must fetch U alone are no comparison
    alike = [one for one in whole if one.fetched == most]
    phase = plots.phase_of(one.case for one in alike)
    steps = [one for one in alike if one.case.phase == phase]
    devices = [one.case.device for one in steps]
    device = max(sorted(set(devices)), key=devices.count, default="cpu")
    here = [one for one in steps if one.case.device == device]
    dtypes = [one.case.dtype for one in here]
    dtype = "float32" if "float32" in dtypes else max(dtypes, key=dtypes.count, default="")
    workers = max((one.case.threads for one in here), default=0)
    return [one for one in here if (one.case.dtype, one.case.threads) == (dtype, workers)]


def _range(shown: Sequence[Series]) -> tuple[float, float]:
    """The ends of an axis that holds all points and limits, in seconds."""
    ends = [end for one in shown for row in one.rows for end in (row.seconds.low, row.seconds.high)]
    ends += [seconds for line in _limits(shown).values() for seconds in line.values()]
    return min(ends) / 1.4, max(ends) * 1.4


def _panel(
    ax: Axes,
    profile: Profile,
    shown: Sequence[Series],
    factor: float,
    batches: Sequence[int],
    *,
    many: bool,
) -> None:
    plots.plain_log(ax, "x", base=2)
    plots.plain_log(ax, "y")
    if len(batches) <= ROOM:
        ax.set_xticks(list(batches), [str(batch) for batch in batches])
    by_colour = plots.colours(profile)
    by_size = plots.markers({point.case.hidden for point in profile.points})
    allowed = [
        Line(
            tuple(_exact(batch, t * factor) for batch, t in line.items()),
            MUTED,
            by_size[case.hidden],
        )
        for case, line in _limits(shown).items()
    ]
    marks.draw(ax, allowed, many=many, size=LIMIT)
    lines = []
    for one in shown:
        # Filled stands for the free batch here: nothing on these axes rests on bytes.
        free = one.free_batch if len(one.rows) >= grouped.LONG else None
        dots = tuple(
            Mark(
                row.case.batch,
                row.seconds.median * factor,
                row.seconds.low * factor,
                row.seconds.high * factor,
                filled=row.case.batch == free,
            )
            for row in one.rows
        )
        lines.append(Line(dots, by_colour[one.implementation], by_size[one.case.hidden]))
    marks.draw(ax, lines, many=many)


def _exact(x: float, y: float) -> Mark:
    """A mark without an interval."""
    return Mark(x, y, y, y)


def _limits(shown: Sequence[Series]) -> dict[Case, dict[int, float]]:
    """For each case, by batch: floor + limit in seconds, the lowest among the implementations."""
    lines: dict[Case, dict[int, float]] = {}
    for one in shown:
        line = lines.setdefault(one.case, {})
        for row in one.rows:
            if row.limit is not None:
                least = row.limit.median + (row.point.floor_seconds or 0.0)
                line[row.case.batch] = min(least, line.get(row.case.batch, least))
    return {case: dict(sorted(line.items())) for case, line in lines.items() if line}


def _handles(profile: Profile, shown: Sequence[Series]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = plots.implementation_handles(profile, {one.implementation for one in shown})
    handles += plots.size_handles(profile, {one.case.hidden for one in shown})
    free: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none", "markersize": 4.4}
    handles.append(Line2D([], [], color=MUTED, linewidth=0.8, marker=".", label="roofs + floor"))
    handles.append(Line2D([], [], label="filled: free batch", **free))
    return handles
