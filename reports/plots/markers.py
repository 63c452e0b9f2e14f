"""Measured points as marks on axes: hollow where bytes are modelled, filled where counted, series joined by lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

MANY = 2000
"""With more marks than this in a figure, they are one image within SVG and PDF: every one is drawn, no file grows."""

SIZE = 4.2
DASHED = (0, (3, 1.5))


@dataclass(frozen=True, slots=True)
class Mark:
    """A point at (x, y), its interval from `low` to `high` along y; `filled` where its bytes were counted."""

    x: float
    y: float
    low: float
    high: float
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The marks of a series, joined in their order, in one look."""

    marks: tuple[Mark, ...]
    colour: str
    marker: str
    dashed: bool = False


def draw(ax: Axes, lines: Sequence[Line], *, size: float = SIZE, many: bool = False) -> None:
    """Draw lines with intervals, all of one look in one go. `many`: as an image within SVG and PDF."""
    common: dict[str, Any] = {"zorder": 3, "rasterized": many}
    for (colour, dashed), alike in _by(lines, lambda line: (line.colour, line.dashed)).items():
        x, y = _coordinates(_joined(alike))
        style: Any = DASHED if dashed else "-"
        ax.plot(x, y, color=colour, linestyle=style, linewidth=0.9, **common)
    for colour, alike in _by(lines, lambda line: line.colour).items():
        bars = [mark for line in alike for mark in line.marks if mark.low < mark.high]
        # One broken line, for a thousand bars of their own take seconds to draw.
        ends = [((mark.x, mark.low), (mark.x, mark.high)) for mark in bars]
        caps: dict[str, Any] = {"marker": "_", "markersize": 3, "markeredgewidth": 0.8}
        segments(ax, ends, color=colour, linewidth=0.8, **caps, **common)
    for (colour, marker), alike in _by(lines, lambda line: (line.colour, line.marker)).items():
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", **common}
        marks = [mark for line in alike for mark in line.marks]
        ax.plot(
            *_coordinates(marks),
            markersize=size,
            markerfacecolor="none",
            markeredgewidth=0.9,
            **look,
        )
        filled = [mark for mark in marks if mark.filled]
        if filled:
            ax.plot(*_coordinates(filled), markersize=size + 0.2, **look)


def segments(
    ax: Axes, ends: Sequence[tuple[tuple[float, float], tuple[float, float]]], **look: Any
) -> None:
    """Straight pieces from end to end, as one broken line; nothing where there are none."""
    x = [value for (x0, _), (x1, _) in ends for value in (x0, x1, nan)]
    y = [value for (_, y0), (_, y1) in ends for value in (y0, y1, nan)]
    if ends:
        ax.plot(x, y, **look)


def _by(lines: Sequence[Line], key: Callable[[Line], T]) -> dict[T, list[Line]]:
    found: dict[T, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return found


def _joined(lines: Sequence[Line]) -> list[Mark]:
    """The marks of all lines in a row, with a gap between each two."""
    gap = Mark(nan, nan, nan, nan)
    joined = [mark for line in lines for mark in (*line.marks, gap)]
    return joined[:-1]


def _coordinates(marks: Sequence[Mark]) -> tuple[list[float], list[float]]:
    return [mark.x for mark in marks], [mark.y for mark in marks]
