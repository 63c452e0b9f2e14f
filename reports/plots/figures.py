"""What the still pictures have in common: matplotlib's style, panels, axes, keys, and marks with their intervals.

Log-log throughout. Heavy straight lines are measured roofs (best of their samples); points are medians with the 95 %
interval as error bar.
"""

import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reports.plots.style import GRID, INK, MUTED, PAPER, Look, Mark, name_of, trimmed

WIDTH = 7.2
"""Inches: the text width of a page."""
MANY = 2000
"""With more marks than this in a figure, they are one image within SVG and PDF: every one is drawn, no file grows."""
MOST_ENTRIES = 32
FEW = 3
"""Ticks that an axis has at the least."""
MOST_OCTAVES = 11
"""Ticks of an axis in powers of 2 before every other one goes: more would touch where two panels share the width."""
DPI, IMAGE_DPI = 200, 120
"""Of the PNG, and of what is an image within SVG and PDF because there is so much of it."""
SIZE = 4.2
GAP = Mark(nan, nan, nan, nan)
DASHED, LONG_DASHES = (0, (3, 1.5)), (0, (4, 2))
INTENSITY = "arithmetic intensity, FLOP/byte (modelled bytes)", "GFLOP/s at the drawn roof"
"""The names of a roofline's axes."""
HOLLOW: dict[str, Any] = {
    "markerfacecolor": "none",
    "linestyle": "none",
    "markersize": SIZE,
    "color": INK,
}

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "rnn-roofline",
    "pdf.fonttype": 42,
    "pdf.compression": 3,
}


class Ends(NamedTuple):
    """The ends of a roofline's axes: FLOP/byte, and GFLOP/s."""

    left: float
    right: float
    bottom: float
    top: float


@contextmanager
def style() -> Iterator[None]:
    """The look of all pictures, drawn without a display unless a notebook has chosen one; it is put back after."""
    if "matplotlib.pyplot" not in sys.modules:
        mpl.use("Agg", force=False)
    with mpl.rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name in a script that the font lacks is drawn as boxes here; SVG and the page have it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def write(
    drawn: Any, folder: Path, name: str, kinds: Sequence[str] = ("png", "pdf", "svg")
) -> None:
    """Write the figure that axes belong to in each of `kinds`, each whole or not at all, and close it."""
    import matplotlib.pyplot as plt

    with style():
        figure = figure_of(drawn)
        for text in figure.findobj(Text):
            # A ligature is a glyph beyond the alphabet: "float32" would need a second font within the PDF.
            if hasattr(text, "set_fontfeatures"):  # since matplotlib 3.11
                text.set_fontfeatures(("-liga",))
        # Place everything once: an engine that stays would draw the whole figure anew before each file.
        engine = figure.get_layout_engine()
        if engine is not None:
            figure.set_dpi(DPI)  # letters are as wide as the PNG's
            engine.execute(figure)
            figure.set_layout_engine(None)
        # No dates: the same profile gives the same files.
        options: dict[str, dict[str, Any]] = {
            "png": {"dpi": DPI, "pil_kwargs": {"compress_level": 3}},
            "pdf": {"dpi": IMAGE_DPI, "metadata": {"CreationDate": None}},
            "svg": {"dpi": IMAGE_DPI, "metadata": {"Date": None}},
        }
        for kind in kinds:
            draft = folder / f".{name}.{kind}"
            figure.savefig(draft, format=kind, **options[kind])
            draft.replace(folder / f"{name}.{kind}")
        plt.close(figure)


def figure_of(drawn: Any) -> Figure:
    """The figure that axes, or an array of them, belong to."""
    axes = drawn if hasattr(drawn, "figure") else drawn.flat[0]
    figure: Figure = axes.figure
    return figure


def panels(
    cells: Sequence[str],
    columns: Sequence[str],
    heights: Sequence[float],
    phase: str,
    axes_names: tuple[str, str],
    drawn: Collection[tuple[str, str]] | None = None,
) -> tuple[Figure, Any, dict[tuple[str, str], Axes]]:
    """A figure, its axes, and those by cell and residency: a row of `heights` inches per cell, a column per residency.

    Each is titled; `axes_names` are what runs along the foot and the left. Places that are not in `drawn`, if that is
    given, stay empty.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(cells),
        len(columns),
        figsize=(WIDTH, sum(heights) + 0.42 * len(cells) + 0.5),
        height_ratios=heights,
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    places = dict(zip(product(cells, columns), axes.flat, strict=True))
    for place in [place for place in places if drawn is not None and place not in drawn]:
        places.pop(place).set_visible(False)
    for (cell, residency), ax in places.items():
        memory = ", from memory" if residency == "streamed" else ""
        name = cell if " " in cell else cell.upper()
        name = name if phase == "step" else f"{name} training"
        ax.set_title(f"{name}, weights {residency}{memory}")
    for residency in columns:
        foot = [ax for (_, column), ax in places.items() if column == residency][-1]
        foot.set_xlabel(axes_names[0])
        foot.tick_params(labelbottom=True)
    for cell in cells:
        left = next(ax for (row, _), ax in places.items() if row == cell)
        left.set_ylabel(axes_names[1])
        left.tick_params(labelleft=True)
    return figure, axes, places


def inches(heights: Iterable[float]) -> list[float]:
    """Heights of panels, with room for an axis' name and none taller than a page has room for."""
    return [min(3.4, max(1.5, height)) for height in heights]


class Ticks(LogLocator):
    """Those of a logarithmic axis; of one so short that it would have fewer than FEW, evenly spaced ones."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Places from one end to the other, and perhaps beyond."""
        found = super().tick_values(vmin, vmax)
        if sum(vmin <= one <= vmax for one in found) >= FEW:
            return found
        return MaxNLocator(FEW + 2, steps=[1, 2, 5, 10]).tick_values(vmin, vmax)


def plain_log(
    ax: Axes, axis: str, base: int = 10, *, decades: bool = False, seconds: bool = False
) -> None:
    """A logarithmic axis whose ticks read 1, 2, 5, 10, or with `decades` 1, 10, 100: no exponents."""
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log", base=base)
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    steps = (1.0, 2.0, 5.0) if base == 10 and not decades else (1.0,)
    most = 30 if base == 10 else MOST_OCTAVES  # of powers of 10 and what lies between them, or of 2
    chosen.set_major_locator(Ticks(base=base, subs=steps, numticks=most))
    chosen.set_minor_locator(NullLocator())
    plain = FuncFormatter(lambda value, _: trimmed(value))
    chosen.set_major_formatter(EngFormatter("s") if seconds else plain)


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """One legend below all panels, at most four entries a row; of very many the first, and how many more there are."""
    if len(handles) > MOST_ENTRIES:
        more = Line2D([], [], linestyle="none", label=f"and {len(handles) - MOST_ENTRIES} more")
        handles = [*handles[:MOST_ENTRIES], more]
    columns = min(4, len(handles)) if len(handles) != 5 else 5
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns)


def handles(colours: Mapping[str, str], markers: Mapping[int, str]) -> list[Line2D]:
    """Legend entries: a line in the colour of each implementation, PyTorch's own first, and each hidden size's mark."""
    names = sorted(colours, key=lambda name: (name != "torch_cell", name))
    lines = [Line2D([], [], color=colours[n], linewidth=1.6, label=name_of(n)) for n in names]
    sizes = sorted(markers)
    return lines + [Line2D([], [], marker=markers[s], label=f"H = {s}", **HOLLOW) for s in sizes]


def draw(
    ax: Axes,
    lines: Iterable[tuple[Look, Sequence[Mark]]],
    *,
    size: float = SIZE,
    joined: bool = True,
    many: bool = False,
) -> None:
    """Draw lines with their intervals, all of one look in one go. `many`: as an image."""
    looks: dict[Look, list[Mark]] = {}
    for look, marks in lines:
        looks.setdefault(look, []).extend([*marks, GAP])
    for look, marks in looks.items():
        common: dict[str, Any] = {"color": look.colour, "zorder": 3, "rasterized": many}
        dots: dict[str, Any] = {**common, "marker": look.marker, "linestyle": "none"}
        if joined:
            dashes: Any = DASHED if look.dashed else "-"
            ax.plot(*_places(marks), linestyle=dashes, linewidth=0.9, **common)
        caps: dict[str, Any] = {"marker": "_", "markersize": 3, "markeredgewidth": 0.8}
        bars = [((one.x, one.low), (one.x, one.high)) for one in marks if one.low < one.high]
        segments(ax, bars, linewidth=0.8, **caps, **common)
        hollow: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 0.9}
        shown = [one for one in marks if one is not GAP]
        ax.plot(*_places(shown), markersize=size, **hollow, **dots)
        filled = [one for one in marks if one.filled]
        if filled:
            ax.plot(*_places(filled), markersize=size + 0.2, **dots)


def segments(
    ax: Axes, ends: Sequence[tuple[tuple[float, float], tuple[float, float]]], **look: Any
) -> None:
    """Straight pieces from end to end, as one broken line, for a thousand of their own take seconds to draw."""
    x = [value for (x0, _), (x1, _) in ends for value in (x0, x1, nan)]
    y = [value for (_, y0), (_, y1) in ends for value in (y0, y1, nan)]
    if ends:
        ax.plot(x, y, **look)


def _places(marks: Sequence[Mark]) -> tuple[list[float], list[float]]:
    return [mark.x for mark in marks], [mark.y for mark in marks]
