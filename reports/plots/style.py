"""The pictures: measured roofline, the same in times, step time against batch, bandwidth against working set.

Log-log throughout. Heavy straight lines are measured roofs (best of their samples); points are medians with the 95 %
interval as error bar, hollow where their bytes are modelled and filled where counted. Colours are Okabe and Ito's,
which colour-blind readers can tell apart; an implementation keeps its colour in every picture of a device.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.profile.records import Profile
from kernels.case import Case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1b1f24", "#68707a", "#e4e7eb", "#fefefe"
"""Text and roofs, notes, grid, background. A page that knows light and dark replaces these four by its own."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI, IMAGE_DPI = 200, 120
"""Of the PNG, and of what is an image within SVG and PDF because there is so much of it."""
MOST_ENTRIES, LONGEST_NAME = 32, 28
WIDTH = 7.2
"""Inches: the text width of a page."""

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


MODULES = {
    "roofline": "reports.plots.roofline",
    "time_roofline": "reports.plots.time_roofline",
    "time_against_batch": "reports.plots.batch",
    "bandwidth_against_working_set": "reports.plots.bandwidth",
}
"""Where each picture is drawn, by a function of its name."""
NAMES = tuple(MODULES)
LAST = "svg"
"""Of a picture's three files, the one that is written last."""


@contextmanager
def style() -> Iterator[None]:
    """The look of all pictures, drawn without a display unless a notebook has chosen one; it is put back after."""
    import matplotlib as mpl

    if "matplotlib.pyplot" not in sys.modules:
        mpl.use("Agg", force=False)
    with mpl.rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name in a script that the font lacks is drawn as boxes here; SVG and the page have it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def missing() -> str | None:
    """Why no picture can be drawn here, or None: a machine that measures need not draw."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        return str(error)
    return None


def devices(profile: Profile) -> list[str]:
    """Devices that were measured, the one with most points first."""
    measured = [point.case.device for point in profile.points]
    known = measured or [roof.device for roof in profile.roofs]
    return sorted(set(known), key=lambda device: (-known.count(device), device))


def names(profile: Profile) -> dict[str, tuple[str, str]]:
    """What each picture's files are called: (picture, device). Pictures of a second device bear its name."""
    first, *others = devices(profile) or ["cpu"]
    found = {name: (name, first) for name in NAMES}
    return found | {f"{name}_{other}": (name, other) for other in others for name in NAMES}


def save_all(profile: Profile, folder: Path) -> list[str]:
    """Write each picture of each device as SVG, PNG and PDF into `folder`, if it is not there yet.

    Returns the names of those there was data for.
    """
    return [
        name for name in names(profile) if _is_there(name, folder) or _save(profile, folder, name)
    ]


def pieces(profile: Profile, folder: Path) -> list[Callable[[], object]]:
    """The pictures in two parts that take alike long to write; what is asked of a profile is asked before."""
    slow = [name for name, (picture, _) in names(profile).items() if picture == NAMES[0]]
    parts = slow, [name for name in names(profile) if name not in slow]
    return [partial(_save_each, profile, folder, part) for part in parts]


def _of(profile: Profile, device: str) -> Profile:
    """What was measured of this device."""
    return replace(
        profile,
        points=tuple(point for point in profile.points if point.case.device == device),
        roofs=tuple(roof for roof in profile.roofs if roof.device == device),
        levels=tuple(level for level in profile.levels if level.device == device),
    )


def _save_each(profile: Profile, folder: Path, part: Sequence[str]) -> None:
    for name in part:
        _save(profile, folder, name)


def _is_there(name: str, folder: Path) -> bool:
    return (folder / f"{name}.{LAST}").is_file()


def _save(profile: Profile, folder: Path, name: str) -> bool:
    """Write one picture; says whether there was anything to draw. The file named `LAST` appears when it is whole."""
    import matplotlib.pyplot as plt
    from matplotlib.text import Text

    picture, device = names(profile)[name]
    draw = getattr(import_module(MODULES[picture]), picture)
    with style():
        drawn = draw(_of(profile, device))
        if drawn is None:
            return False
        figure = figure_of(drawn)
        for text in figure.findobj(Text):
            # A ligature is a glyph beyond the alphabet: "float32" would need a second font within the PDF.
            if hasattr(text, "set_fontfeatures"):  # since matplotlib 3.11
                text.set_fontfeatures(("-liga",))
        _lay_out(figure)
        # No dates: the same profile gives the same files.
        figure.savefig(folder / f"{name}.png", dpi=DPI, pil_kwargs={"compress_level": 3})
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None}, dpi=IMAGE_DPI)
        draft = folder / f".{name}.{LAST}"
        figure.savefig(draft, metadata={"Date": None}, dpi=IMAGE_DPI, format=LAST)
        draft.replace(folder / f"{name}.{LAST}")
        plt.close(figure)
    return True


def _lay_out(figure: Figure) -> None:
    """Place everything once: an engine that stays would draw the whole figure anew before each file."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def roofline(profile: Profile, ax: Axes | None = None) -> Any:
    """The measured roofline, into `ax` or a figure of its own; returns the axes, None without a point to draw."""
    from reports.plots.roofline import roofline as drawn

    return drawn(profile, ax)


def figure_of(drawn: Any) -> Figure:
    """The figure that axes, or an array of them, belong to."""
    axes = drawn if hasattr(drawn, "figure") else drawn.flat[0]
    figure: Figure = axes.figure
    return figure


def name_of(text: str) -> str:
    """A name of a profile as a picture can hold it: printable, and no longer than there is room for."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return (
        shown
        if len(shown) <= LONGEST_NAME
        else shown[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    )


def colours(profile: Profile) -> dict[str, str]:
    """A colour for each implementation; PyTorch's own cell has the first."""
    names = sorted(
        {point.implementation for point in profile.points}, key=lambda n: (n != "torch_cell", n)
    )
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def markers(sizes: set[int]) -> dict[int, str]:
    """A marker for each hidden size, the smallest first."""
    return {size: MARKERS[index % len(MARKERS)] for index, size in enumerate(sorted(sizes))}


def phase_of(cases: Iterable[Case]) -> str:
    """The phase that a picture is of, for one holds one alone: inference where there is any, else training."""
    return min((case.phase for case in cases), default="step", key=lambda phase: phase != "step")


def panels(
    cells: Sequence[str], residencies: Sequence[str], heights: Sequence[float], phase: str
) -> Any:
    """A figure and its axes: a row of `heights` inches per cell, a column per residency, titled."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(cells),
        len(residencies),
        figsize=(WIDTH, sum(heights) + 0.42 * len(cells) + 0.5),
        height_ratios=heights,
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for i, cell in enumerate(cells):
        for j, residency in enumerate(residencies):
            memory = ", from memory" if residency == "streamed" else ""
            name = cell if " " in cell else cell.upper()
            name = name if phase == "step" else f"{name} training"
            axes[i, j].set_title(f"{name}, weights {residency}{memory}")
    return figure, axes


def plain_log(ax: Axes, axis: str, base: int = 10, *, decades: bool = False) -> None:
    """A logarithmic axis whose ticks read 1, 2, 5, 10, or with `decades` 1, 10, 100: no exponents."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from reports.analysis.units import number

    if axis == "x":
        ax.set_xscale("log", base=base)
    else:
        ax.set_yscale("log", base=base)
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    steps = (1.0, 2.0, 5.0) if base == 10 and not decades else (1.0,)
    chosen.set_major_locator(LogLocator(base=base, subs=steps, numticks=30))
    chosen.set_minor_locator(NullLocator())
    chosen.set_major_formatter(FuncFormatter(lambda value, _: trimmed(number(value))))


def trimmed(text: str) -> str:
    """A number without zeros that say nothing: 0.50 is 0.5, 1.00 is 1."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend below all panels, at most four entries a row; of very many the first, and how many more there are."""
    if len(handles) > MOST_ENTRIES:
        from matplotlib.lines import Line2D

        more = Line2D([], [], linestyle="none", label=f"and {len(handles) - MOST_ENTRIES} more")
        handles = [*handles[:MOST_ENTRIES], more]
    columns = min(4, len(handles)) if len(handles) != 5 else 5
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns)


def implementation_handles(profile: Profile, shown: set[str]) -> list[Any]:
    """Legend entries: a line in each implementation's colour."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=colour, linewidth=1.6, label=name_of(name))
        for name, colour in colours(profile).items()
        if name in shown
    ]


def size_handles(profile: Profile, shown: set[int]) -> list[Any]:
    """Legend entries: each hidden size's marker."""
    from matplotlib.lines import Line2D

    every = markers({point.case.hidden for point in profile.points})
    look: dict[str, Any] = {
        "markerfacecolor": "none",
        "linestyle": "none",
        "markersize": 4.2,
        "color": INK,
    }
    return [
        Line2D([], [], marker=every[size], label=f"H = {size}", **look) for size in sorted(shown)
    ]
