"""The still pictures as files: SVG, PNG and PDF of each picture of each device."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from reports.plots import chart_data
from reports.plots.chart_data import Charts

MODULES = {
    "roofline": "measured_roofline",
    "time_roofline": "time_roofline",
    "time_against_batch": "batch",
    "bandwidth_against_working_set": "bandwidth",
}
"""Where each picture is drawn."""
LAST = "svg"
"""Of a picture's three files, the one that is written last."""
DPI, IMAGE_DPI = 200, 120
"""Of the PNG, and of what is an image within SVG and PDF because there is so much of it."""


def missing() -> str | None:
    """Why no picture can be drawn here, or None: a machine that measures need not draw."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        return str(error)
    return None


def names(charts: Charts) -> dict[str, tuple[str, str]]:
    """What the files of each picture with data are called: (picture, device). A second device's bear its name."""
    found = {}
    for index, device in enumerate(charts.devices):
        own = charts.of(device)
        for picture in chart_data.PICTURES:
            if chart_data.drawable(own, picture):
                found[f"{picture}_{device}" if index else picture] = (picture, device)
    return found


def save_all(charts: Charts, folder: Path) -> None:
    """Write each picture that is not in `folder` yet."""
    for name, (picture, device) in names(charts).items():
        if not (folder / f"{name}.{LAST}").is_file():
            module = import_module(f"reports.plots.{MODULES[picture]}")
            write(module.draw(charts.of(device)), folder, name)


def write(drawn: Any, folder: Path, name: str, kinds: Sequence[str] = ("png", "pdf", LAST)) -> None:
    """Write the figure that axes belong to, and close it; the file named `LAST` appears when it is whole."""
    import matplotlib.pyplot as plt
    from matplotlib.text import Text

    from reports.plots import figures

    with figures.style():
        figure = figures.figure_of(drawn)
        for text in figure.findobj(Text):
            # A ligature is a glyph beyond the alphabet: "float32" would need a second font within the PDF.
            if hasattr(text, "set_fontfeatures"):  # since matplotlib 3.11
                text.set_fontfeatures(("-liga",))
        # Place everything once: an engine that stays would draw the whole figure anew before each file.
        engine = figure.get_layout_engine()
        if engine is not None:
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
