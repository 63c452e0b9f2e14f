"""The look that still pictures and the page share: marks, an implementation's colour, a size's, how names are cut.

Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

INK, MUTED, GRID, PAPER = "#1b1f24", "#68707a", "#e4e7eb", "#fefefe"
"""Text and roofs, notes, grid, background."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Mark:
    """A median at (x, y), and its interval from `low` to `high` along y; `filled` as the caption says."""

    x: float
    y: float
    low: float
    high: float
    filled: bool = False

    def scaled(self, x: float = 1.0, y: float = 1.0) -> Mark:
        """The same in other units."""
        return Mark(self.x * x, self.y * y, self.low * y, self.high * y, self.filled)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Marks that are joined in their order, in one look."""

    marks: Sequence[Mark]
    colour: str
    marker: str
    dashed: bool = False


def colours(implementations: Iterable[str], looks: Sequence[str] = PALETTE) -> dict[str, str]:
    """A colour (or another of `looks`) for each implementation; PyTorch's own cell has the first."""
    known = sorted(set(implementations), key=lambda name: (name != "torch_cell", name))
    return {name: looks[index % len(looks)] for index, name in enumerate(known)}


def markers(sizes: Iterable[int]) -> dict[int, str]:
    """A marker for each hidden size, the smallest first."""
    return {size: MARKERS[index % len(MARKERS)] for index, size in enumerate(sorted(set(sizes)))}


def name_of(text: str) -> str:
    """A name of a profile as a picture can hold it: printable, and no longer than there is room for."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    if len(shown) <= LONGEST_NAME:
        return shown
    return shown[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def trimmed(text: str) -> str:
    """A number without zeros that say nothing: 0.50 is 0.5, 1.00 is 1."""
    return text.rstrip("0").rstrip(".") if "." in text else text
