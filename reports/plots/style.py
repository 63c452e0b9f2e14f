"""The look that still pictures and the page share: colours, an implementation's, a size's mark, how names are cut.

The first six colours are Okabe and Ito's, which colour-blind readers can tell apart. The four after them are told apart
in normal sight.
"""

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

from reports.analysis.wording import number

INK, MUTED, GRID, PAPER = "#1b1f24", "#68707a", "#e4e7eb", "#fefefe"
"""Text and roofs, notes, grid, background."""

PALETTE = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#882255", "#999933", "#5e3c99", "#8c510a"),
)
LIGHT = {"ink": INK, "muted": MUTED, "grid": GRID, "paper": PAPER}
LIGHT |= {f"colour-{index}": colour for index, colour in enumerate(PALETTE)}
DARK = {"ink": "#e6e9ed", "muted": "#98a1ac", "grid": "#2c323a", "paper": "#161a20"}
DARK |= {"colour-0": "#3d7fe0", "colour-1": "#e8702a", "colour-5": "#7cc8f5"}
DARK |= {"colour-6": "#e0436f", "colour-8": "#a48ce6", "colour-9": "#b98b5e"}
"""The page's CSS variables, and those that are others on a dark screen: some of the palette are too dark for it."""

MARKERS = {
    "o": ("circle", "\N{WHITE CIRCLE}"),
    "s": ("square", "\N{WHITE SQUARE}"),
    "^": ("triangle-up", "\N{WHITE UP-POINTING TRIANGLE}"),
    "D": ("diamond", "\N{WHITE DIAMOND}"),
    "v": ("triangle-down", "\N{WHITE DOWN-POINTING TRIANGLE}"),
    "p": ("pentagon", "\N{WHITE PENTAGON}"),
    "X": ("x", "\N{MULTIPLICATION X}"),
}
"""Marks as matplotlib calls them, with Plotly's name and a letter that looks like it."""
LONGEST_NAME = 28


class Mark(NamedTuple):
    """A median at (x, y), and its interval from `low` to `high` along y; `filled` as the caption says."""

    x: float
    y: float
    low: float
    high: float
    filled: bool = False


class Look(NamedTuple):
    """What marks that are joined in their order look like."""

    colour: str
    marker: str
    dashed: bool = False


def colours(implementations: Iterable[str], looks: Iterable[str] = PALETTE) -> dict[str, str]:
    """A colour (or another of `looks`) for each implementation; PyTorch's own cell has the first."""
    known = sorted(set(implementations), key=lambda name: (name != "torch_cell", name))
    return dict(zip(known, cycle(looks), strict=False))


def markers(sizes: Iterable[int]) -> dict[int, str]:
    """A marker for each hidden size, the smallest first."""
    return dict(zip(sorted(set(sizes)), cycle(MARKERS), strict=False))


def name_of(text: str) -> str:
    """A name of a profile as a picture can hold it: printable, and no longer than there is room for."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    if len(shown) <= LONGEST_NAME:
        return shown
    return shown[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def trimmed(value: float) -> str:
    """A number without zeros that say nothing: 0.50 is 0.5, 1.00 is 1."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
