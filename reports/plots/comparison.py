"""The rooflines of several machines in one picture: a colour each, the steps that were compared under the roofs.

Full lines are measured roofs, dashed ones datasheet figures. Drawn are memory, the levels above it that a step of the
panel lies in, and the arithmetic of the dtypes in use. Measured steps stand at their fraction of these lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.profile.stats import estimate
from reports.analysis.units import giga
from reports.compare.match import LETTERS, WHOLE, Comparison, forward
from reports.compare.system import Entry, Subject
from reports.plots import chart_data, markers, style
from reports.plots.style import PALETTE, trimmed
from reports.published import ORIGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "rooflines"
PANEL_INCHES = 2.4
DASHED = (0, (4, 2))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def save(
    comparison: Comparison, folder: Path, kinds: Sequence[str] = ("svg", "png", "pdf")
) -> bool:
    """Write the picture in each of `kinds`; False where no compared step has an intensity."""
    import matplotlib.pyplot as plt

    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with style.style():
        axes = rooflines(comparison)
        if axes is None:
            return False
        figure = style.figure_of(axes)
        for kind in kinds:
            figure.savefig(folder / f"{NAME}.{kind}", dpi=200, metadata=metadata.get(kind))
        plt.close(figure)
    return True


def rooflines(comparison: Comparison) -> Any:
    """A panel per cell and residency of the steps compared. Returns the array of axes, or None without any."""
    points, phase = shown(comparison)
    every = [entry for entries in points.values() for entry in entries]
    if not every:
        return None
    cells = sorted({entry.work.cell for entry in every}, key=("rnn", "lstm", "gru").index)
    kinds = sorted({entry.work.residency for entry in every}, reverse=True)
    with style.style():
        figure, axes = style.panels(cells, kinds, [PANEL_INCHES] * len(cells), phase)
        ends = _ends(comparison.subjects, every)
        for i, cell in enumerate(cells):
            for j, kind in enumerate(kinds):
                _panel(axes[i, j], comparison, points, cell, kind, ends)
            axes[i, 0].set_ylabel("GFLOP/s at the drawn roof")
        for ax in axes[-1]:
            ax.set_xlabel("arithmetic intensity, FLOP/byte (modelled bytes)")
        # Two columns: a machine's entry is long, for it holds the values of its roofs.
        figure.legend(handles=_handles(comparison, every), loc="outside lower center", ncols=2)
    return axes


def shown(comparison: Comparison) -> tuple[dict[int, list[Entry]], str]:
    """The whole steps drawn of each subject, and their phase: forward where there are any, else training."""
    whole = {
        index: [entry for entry in entries if entry.work.part in WHOLE and _mark(entry)]
        for index, entries in _compared(comparison).items()
    }
    phases = {forward(entry.work.phase) for entries in whole.values() for entry in entries}
    phase = "step" if "step" in phases else "train"
    return {
        index: [entry for entry in entries if forward(entry.work.phase) == phase]
        for index, entries in whole.items()
    }, phase


def pair(entry: Entry) -> tuple[str, str]:
    """The dtypes that decide an arithmetic roof: of the weights and of the activations."""
    return entry.work.dtype, entry.work.activations


def _compared(comparison: Comparison) -> dict[int, list[Entry]]:
    """The entries of each subject that some row is about, each once."""
    found: dict[int, dict[int, Entry]] = {index: {} for index in range(len(comparison.subjects))}
    for row in comparison.rows:
        found[0][id(row.first)] = row.first
        found[row.other][id(row.second)] = row.second
    return {index: list(entries.values()) for index, entries in found.items()}


def _panel(
    ax: Axes,
    comparison: Comparison,
    points: dict[int, list[Entry]],
    cell: str,
    residency: str,
    ends: tuple[float, float, float, float],
) -> None:
    style.plain_log(ax, "x", base=2)
    style.plain_log(ax, "y")
    ax.set_xlim(*ends[:2])
    ax.set_ylim(*ends[2:])
    by_name = _markers(entry for entries in points.values() for entry in entries)
    dtypes = {pair(entry) for entries in points.values() for entry in entries}
    for index, one in enumerate(comparison.subjects):
        colour = PALETTE[index % len(PALETTE)]
        here = [
            entry
            for entry in points[index]
            if (entry.work.cell, entry.work.residency) == (cell, residency)
        ]
        _roofs(ax, one, dtypes, {entry.level for entry in here}, ends, colour)
        series: dict[tuple[Any, ...], list[Entry]] = {}
        for entry in sorted(here, key=lambda entry: entry.work.batch):
            work = entry.work
            key = (entry.implementation, work.hidden, work.input, pair(entry), work.threads)
            series.setdefault((*key, work.steps, forward(work.phase)), []).append(entry)
        lines = [
            markers.Line(tuple(filter(None, map(_mark, entries))), colour, by_name[name])
            for (name, *_), entries in series.items()
        ]
        markers.draw(ax, lines)


def _mark(entry: Entry) -> markers.Mark | None:
    """Its fraction of its line, with the interval; of a published step its rate, where no line is known for it."""
    if not entry.flops:
        return None
    x = entry.flops / (entry.read + entry.written)
    if entry.fraction and entry.roof:
        return markers.Mark(x, *chart_data.times(entry.fraction, entry.roof / 1e9))
    if entry.work.device != ORIGIN:
        return None  # it was measured, and against no roof
    rate = entry.flops / 1e9
    middle, low, high = estimate(entry.seconds)
    return markers.Mark(x, rate / middle, rate / high, rate / low)


def _roofs(
    ax: Axes,
    one: Subject,
    dtypes: set[tuple[str, str]],
    used: set[str | None],
    ends: tuple[float, float, float, float],
    colour: str,
) -> None:
    """Lines of memory and of the levels `used` up to the highest arithmetic roof, and that of each dtype in use."""
    look: dict[str, Any] = {
        "color": colour,
        "linewidth": 1.1,
        "linestyle": "-" if one.measured else DASHED,
        "zorder": 2,
    }
    peaks = {d: p for d, p in _peaks(one).items() if d in dtypes}
    top = max(peaks.values(), default=ends[3] * 1e9)
    lines = [rate for name, rate in one.levels if name in used or name == one.levels[-1][0]]
    for rate in lines:
        elbow = min(ends[1], top / rate)
        if elbow > ends[0]:
            ax.plot([ends[0], elbow], [ends[0] * rate / 1e9, elbow * rate / 1e9], **look)
    for peak in dict.fromkeys(peaks.values()):
        start = peak / lines[0] if lines else ends[0]
        ax.plot([min(start, ends[1]), ends[1]], [peak / 1e9] * 2, **look)


def _peaks(one: Subject) -> dict[tuple[str, str], float]:
    """The arithmetic roofs at all threads, by dtype of weights and activations."""
    found = one.roofs.get("all") or next(iter(one.roofs.values()), None)
    return found.peaks if found else {}


def _ends(
    subjects: Sequence[Subject], entries: Sequence[Entry]
) -> tuple[float, float, float, float]:
    """Left and right in FLOP/byte, bottom and top in GFLOP/s, that hold the points and the roofs."""
    placed = [mark for entry in entries if (mark := _mark(entry))]
    x, y = [mark.x for mark in placed], [mark.y * 1e9 for mark in placed]
    dtypes = {pair(entry) for entry in entries}
    peaks = [p for one in subjects for d, p in _peaks(one).items() if d in dtypes]
    ridges = [
        max(_peaks(one).values()) / one.levels[-1][1]
        for one in subjects
        if one.levels and _peaks(one)
    ]
    left, right = min([*x, *ridges]) / 2.5, max([*x, *ridges]) * 2
    y += [left * one.levels[-1][1] for one in subjects if one.levels]
    return left, right, min(y) / 1.6e9, max([*y, *peaks]) * 1.8 / 1e9


def _markers(entries: Iterable[Entry]) -> dict[str, str]:
    known = sorted(
        {entry.implementation for entry in entries}, key=lambda n: (n != "torch_cell", n)
    )
    return {name: MARKERS[index % len(MARKERS)] for index, name in enumerate(known)}


def _values(one: Subject, dtypes: set[tuple[str, str]]) -> str:
    """`67.9 GB/s, 195 GFLOP/s (datasheet)`; of several arithmetic roofs, each by the dtype of its weights."""
    highest: dict[str, float] = {}
    for dtype, peak in _peaks(one).items():
        if dtype in dtypes:
            highest[dtype[0]] = max(peak, highest.get(dtype[0], 0.0))
    by_value: dict[str, list[str]] = {}
    for name, peak in sorted(highest.items(), key=lambda one: one[1]):
        by_value.setdefault(trimmed(giga(peak)), []).append(name)
    told = [f"{trimmed(giga(one.levels[-1][1]))} GB/s"] if one.levels else []
    if by_value:
        named = [f"{' and '.join(names)} {value}" for value, names in by_value.items()]
        told.append(f"{', '.join(named if len(named) > 1 else by_value)} GFLOP/s")
    return ", ".join(told) + ("" if one.measured else " (datasheet)")


def _handles(comparison: Comparison, every: Sequence[Entry]) -> list[Any]:
    """A line per machine with its roofs' values, which on close lines would overlap; a marker per implementation."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=PALETTE[index % len(PALETTE)],
            linestyle="-" if one.measured else DASHED,
            label=f"{LETTERS[index]}: {one.name}, {_values(one, {pair(entry) for entry in every})}",
        )
        for index, one in enumerate(comparison.subjects)
    ]
    look: dict[str, Any] = {"markerfacecolor": "none", "linestyle": "none", "color": style.INK}
    handles += [
        Line2D([], [], marker=marker, markersize=4.2, label=name, **look)
        for name, marker in _markers(every).items()
    ]
    return handles
