"""The rooflines of several machines in one picture: a colour each, the steps that were compared under the roofs.

Full lines are measured roofs, dashed ones datasheet figures. Drawn are memory, the caches that a step of the panel lies
in (of resident weights the last one always), and the arithmetic of the dtypes in use. Measured steps stand at their
fraction of these lines.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.profile.stats import estimate
from reports.analysis.wording import giga
from reports.compare.match import LETTERS, WHOLE, Comparison, forward
from reports.compare.system import Entry, System
from reports.plots import figures
from reports.plots.chart_data import at_fraction
from reports.plots.style import MARKERS, PALETTE, Drawn, Mark, colours, trimmed
from reports.published import ORIGIN

NAMES = "arithmetic intensity, FLOP/byte (modelled bytes)", "GFLOP/s at the drawn roof"
PANEL_INCHES = 2.4

Ends = tuple[float, float, float, float]
"""Left and right in FLOP/byte, bottom and top in GFLOP/s."""


def draw(comparison: Comparison) -> Any:
    """A panel per cell and residency of the steps compared. Returns the array of axes, or None without any."""
    points, phase = shown(comparison)
    every = [entry for entries in points.values() for entry in entries]
    if not every:
        return None
    cells = sorted({entry.work.cell for entry in every}, key=("rnn", "lstm", "gru").index)
    kinds = sorted({entry.work.residency for entry in every}, reverse=True)
    ends = _ends(comparison.systems, every)
    by_name = colours((entry.implementation for entry in every), MARKERS)
    with figures.style():
        figure, axes, places = figures.panels(
            cells, kinds, [PANEL_INCHES] * len(cells), phase, NAMES
        )
        for (cell, kind), ax in places.items():
            figures.plain_log(ax, "x", base=2)
            figures.plain_log(ax, "y")
            ax.set_xlim(*ends[:2])
            ax.set_ylim(*ends[2:])
            for index, one in enumerate(comparison.systems):
                here = [e for e in points[index] if e.work.residency == kind]
                colour = PALETTE[index % len(PALETTE)]
                _roofs(ax, one, every, {entry.level for entry in here}, kind, ends, colour)
                _steps(ax, [e for e in here if e.work.cell == cell], by_name, colour)
        # Two columns: a machine's entry is long, for it holds the values of its roofs.
        handles = _handles(comparison.systems, every, by_name)
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


def _pair(entry: Entry) -> tuple[str, str]:
    """The dtypes that decide an arithmetic roof: of the weights and of the activations."""
    return entry.work.dtype, entry.work.activations


def _mark(entry: Entry) -> Mark | None:
    """Its fraction of its line, with the interval; of a published step its rate, where no line is known for it."""
    if not entry.flops:
        return None
    x = entry.flops / (entry.read + entry.written)
    if entry.fraction and entry.roof:
        return at_fraction(x, entry.fraction, entry.roof / 1e9)
    if entry.work.device != ORIGIN:
        return None  # it was measured, and against no roof
    rate = entry.flops / 1e9
    middle, low, high = estimate(entry.seconds)
    return Mark(x, rate / middle, rate / high, rate / low)


def _steps(ax: Axes, entries: Sequence[Entry], by_name: dict[str, str], colour: str) -> None:
    """The steps of one system, joined along the batch."""
    series: dict[tuple[Any, ...], list[Mark]] = {}
    for entry in sorted(entries, key=lambda entry: entry.work.batch):
        work, mark = entry.work, _mark(entry)
        key = (work.hidden, work.input, _pair(entry), work.threads, work.steps, work.phase)
        if mark:
            series.setdefault((entry.implementation, *key), []).append(mark)
    figures.draw(ax, [Drawn(marks, colour, by_name[key[0]]) for key, marks in series.items()])


def _roofs(
    ax: Axes,
    one: System,
    every: Sequence[Entry],
    used: set[str | None],
    residency: str,
    ends: Ends,
    colour: str,
) -> None:
    """Lines of memory and of the caches in use up to the highest arithmetic roof, and that of each dtype in use."""
    style = "-" if one.measured else figures.LONG_DASHES
    look: dict[str, Any] = {"color": colour, "linewidth": 1.1, "linestyle": style, "zorder": 2}
    peaks = _peaks(one, every)
    top = max(peaks.values(), default=ends[3] * 1e9)
    always = {name for name, _ in one.levels[-2 if residency == "resident" else -1 :]}
    rates = [rate for name, rate in one.levels if name in used | always]
    for rate in rates:
        elbow = min(ends[1], top / rate)
        if elbow > ends[0]:
            ax.plot([ends[0], elbow], [ends[0] * rate / 1e9, elbow * rate / 1e9], **look)
    for peak in dict.fromkeys(peaks.values()):
        start = peak / rates[0] if rates else ends[0]
        ax.plot([min(start, ends[1]), ends[1]], [peak / 1e9] * 2, **look)


def _peaks(one: System, every: Sequence[Entry]) -> dict[tuple[str, str], float]:
    """The arithmetic roofs at all threads of the dtypes in use, of weights and activations."""
    found = one.roofs.get("all") or next(iter(one.roofs.values()), None)
    used = {_pair(entry) for entry in every}
    return {pair: peak for pair, peak in found.peaks.items() if pair in used} if found else {}


def _ends(systems: Sequence[System], every: Sequence[Entry]) -> Ends:
    """The axes' ends that hold the points, the roofs and the ridges."""
    marks = [mark for entry in every if (mark := _mark(entry))]
    peaks = [max(_peaks(one, every).values(), default=0.0) for one in systems]
    memory = [one.levels[-1][1] if one.levels else None for one in systems]
    x = [mark.x for mark in marks]
    x += [peak / rate for peak, rate in zip(peaks, memory, strict=True) if peak and rate]
    left, right = min(x) / 2.5, max(x) * 2
    y = [mark.y for mark in marks]
    y += [left * rate / 1e9 for rate in memory if rate]
    return left, right, min(y) / 1.6, max([*y, *(peak / 1e9 for peak in peaks)]) * 1.8


def _values(one: System, every: Sequence[Entry]) -> str:
    """`67.9 GB/s, 195 GFLOP/s (datasheet)`; of several arithmetic roofs, each by the dtype of its weights."""
    highest: dict[str, float] = {}
    for (dtype, _), peak in _peaks(one, every).items():
        highest[dtype] = max(peak, highest.get(dtype, 0.0))
    by_value: dict[str, list[str]] = {}
    for name, peak in sorted(highest.items(), key=lambda one: one[1]):
        by_value.setdefault(trimmed(giga(peak)), []).append(name)
    told = [f"{trimmed(giga(one.levels[-1][1]))} GB/s"] if one.levels else []
    if by_value:
        named = [f"{' and '.join(names)} {value}" for value, names in by_value.items()]
        told.append(f"{', '.join(named if len(named) > 1 else by_value)} GFLOP/s")
    return ", ".join(told) + ("" if one.measured else " (datasheet)")


def _handles(
    systems: Sequence[System], every: Sequence[Entry], by_name: dict[str, str]
) -> list[Line2D]:
    """A line per machine with its roofs' values, which on close lines would overlap; a marker per implementation."""
    machines = [
        Line2D(
            [],
            [],
            color=PALETTE[index % len(PALETTE)],
            linestyle="-" if one.measured else figures.LONG_DASHES,
            label=f"{LETTERS[index]}: {one.name}, {_values(one, every)}",
        )
        for index, one in enumerate(systems)
    ]
    marks = [Line2D([], [], marker=m, label=name, **figures.HOLLOW) for name, m in by_name.items()]
    return [*machines, *marks]
