"""The rooflines of several machines in one picture: a colour each, the steps that were compared under the roofs.

Full lines are measured roofs, dashed ones datasheet figures. Drawn are memory, the caches that a step of the panel lies
in (of resident weights the last one always), and the arithmetic of the dtypes in use. Measured steps stand at their
fraction of these lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.profile.stats import estimate
from reports.compare.match import LETTERS, WHOLE, Comparison, forward
from reports.compare.system import Entry, System
from reports.plots import figures
from reports.plots.chart_data import GIGA, at_fraction
from reports.plots.figures import Ends
from reports.plots.style import MARKERS, PALETTE, Look, Mark, colours, trimmed
from reports.published import ORIGIN

PANEL_INCHES = 2.4


def draw(comparison: Comparison) -> Any:
    """A panel per cell and residency of the steps compared. Returns the array of axes, or None without any."""
    points, phase = shown(comparison)
    every = [entry for entries in points.values() for entry in entries]
    if not every:
        return None
    cells = sorted({entry.work.cell for entry in every}, key=("rnn", "lstm", "gru").index)
    kinds = sorted({entry.work.residency for entry in every}, reverse=True)
    peaks = [_peaks(one, every) for one in comparison.systems]
    ends = _ends(comparison.systems, peaks, every)
    looks = [_look(index, one) for index, one in enumerate(comparison.systems)]
    by_name = colours((entry.implementation for entry in every), MARKERS)
    with figures.style():
        figure, axes, places = figures.panels(
            cells, kinds, [PANEL_INCHES] * len(cells), phase, figures.INTENSITY
        )
        for (cell, kind), ax in places.items():
            figures.plain_log(ax, "x", base=2)
            figures.plain_log(ax, "y")
            ax.set(xlim=(ends.left, ends.right), ylim=(ends.bottom, ends.top))
            for index, one in enumerate(comparison.systems):
                here = [entry for entry in points[index] if entry.work.residency == kind]
                used = {entry.level for entry in here}
                used |= {name for name, _ in one.levels[-2 if kind == "resident" else -1 :]}
                rates = [rate * GIGA for name, rate in one.levels if name in used]
                _roofs(ax, rates, list(peaks[index].values()), ends, **looks[index])
                steps = [entry for entry in here if entry.work.cell == cell]
                figures.draw(ax, _steps(steps, by_name, looks[index]["color"]))
        # Two columns: a machine's entry is long, for it holds the values of its roofs.
        handles = [
            Line2D([], [], label=f"{letter}: {one.name}, {_values(one, own)}", **look)
            for letter, one, own, look in zip(
                LETTERS, comparison.systems, peaks, looks, strict=False
            )
        ]
        for name, marker in by_name.items():
            handles.append(Line2D([], [], marker=marker, label=name, **figures.HOLLOW))
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return axes


def shown(comparison: Comparison) -> tuple[dict[int, list[Entry]], str]:
    """The whole steps drawn of each system, and their phase: forward where there are any, else training."""
    compared: dict[int, dict[int, Entry]] = {index: {} for index in range(len(comparison.systems))}
    for row in comparison.rows:
        for index, entry in ((0, row.first), (row.other, row.second)):
            if entry.work.part in WHOLE and _mark(entry):
                compared[index][id(entry)] = entry
    entries = {index: list(found.values()) for index, found in compared.items()}
    phases = {forward(entry.work.phase) for found in entries.values() for entry in found}
    phase = "step" if "step" in phases else "train"
    return {
        index: [entry for entry in found if forward(entry.work.phase) == phase]
        for index, found in entries.items()
    }, phase


def _look(index: int, one: System) -> dict[str, Any]:
    style = "-" if one.measured else figures.LONG_DASHES
    return {"color": PALETTE[index % len(PALETTE)], "linewidth": 1.1, "linestyle": style}


def _mark(entry: Entry) -> Mark | None:
    """Its fraction of its line, with the interval; of a published step its rate, where no line is known for it."""
    if not entry.flops:
        return None
    x = entry.flops / (entry.read + entry.written)
    if entry.fraction and entry.roof:
        return at_fraction(x, entry.fraction, entry.roof * GIGA)
    if entry.work.device != ORIGIN:
        return None  # it was measured, and against no roof
    rate = entry.flops * GIGA
    middle, low, high = estimate(entry.seconds)
    return Mark(x, rate / middle, rate / high, rate / low)


def _steps(
    entries: Sequence[Entry], by_name: dict[str, str], colour: str
) -> Iterator[tuple[Look, list[Mark]]]:
    """The steps of one system, joined along the batch."""
    series: dict[tuple[Any, ...], list[Mark]] = {}
    for entry in sorted(entries, key=lambda entry: entry.work.batch):
        alone = replace(entry.work, batch=1)
        if mark := _mark(entry):
            series.setdefault((entry.implementation, alone), []).append(mark)
    for (implementation, _), marks in series.items():
        yield Look(colour, by_name[implementation]), marks


def _roofs(
    ax: Axes, rates: Sequence[float], peaks: Sequence[float], ends: Ends, **look: Any
) -> None:
    """Lines of memory levels, the fastest first, up to the highest arithmetic roof, and arithmetic roofs."""
    for rate in rates:
        elbow = min(ends.right, max(peaks, default=ends.top) / rate)
        if elbow > ends.left:
            ax.plot([ends.left, elbow], [ends.left * rate, elbow * rate], zorder=2, **look)
    for peak in dict.fromkeys(peaks):
        start = peak / rates[0] if rates else ends.left
        ax.plot([min(start, ends.right), ends.right], [peak] * 2, zorder=2, **look)


def _peaks(one: System, every: Sequence[Entry]) -> dict[tuple[str, str], float]:
    """The arithmetic roofs (GFLOP/s) at all threads of the dtypes in use, of weights and activations."""
    found = one.roofs.get("all") or next(iter(one.roofs.values()), None)
    used = {(entry.work.dtype, entry.work.activations) for entry in every}
    return (
        {pair: peak * GIGA for pair, peak in found.peaks.items() if pair in used} if found else {}
    )


def _ends(
    systems: Sequence[System],
    peaks: Sequence[dict[tuple[str, str], float]],
    every: Sequence[Entry],
) -> Ends:
    """The axes' ends that hold the points, the roofs and the ridges."""
    marks = [mark for entry in every if (mark := _mark(entry))]
    highest = [max(own.values(), default=0.0) for own in peaks]
    memory = [(one.memory or 0.0) * GIGA for one in systems]
    x = [mark.x for mark in marks]
    x += [peak / rate for peak, rate in zip(highest, memory, strict=True) if peak and rate]
    left, right = min(x) / 2.5, max(x) * 2
    y = [mark.y for mark in marks] + [left * rate for rate in memory if rate]
    return Ends(left, right, min(y) / 1.6, max([*y, *highest]) * 1.8)


def _values(one: System, peaks: dict[tuple[str, str], float]) -> str:
    """`67.9 GB/s, 195 GFLOP/s (datasheet)`; of several arithmetic roofs, each by the dtype of its weights."""
    highest: dict[str, float] = {}
    for (dtype, _), peak in peaks.items():
        highest[dtype] = max(peak, highest.get(dtype, 0.0))
    by_value: dict[str, list[str]] = {}
    for name, peak in sorted(highest.items(), key=lambda one: one[1]):
        by_value.setdefault(trimmed(peak), []).append(name)
    told = [f"{trimmed(one.memory * GIGA)} GB/s"] if one.memory else []
    if by_value:
        named = [f"{' and '.join(names)} {value}" for value, names in by_value.items()]
        told.append(f"{', '.join(named if len(named) > 1 else by_value)} GFLOP/s")
    return ", ".join(told) + ("" if one.measured else " (datasheet)")
