"""A profile's report on disk: report.md, report.html, points.csv and plots/, each file whole or not at all."""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from reports.analysis.analysis import Analysis
from reports.locate import CHECKOUT, shown
from reports.page import atomic_write, html, markdown, parallel, report
from reports.plots import chart_data, page_data
from reports.plots.chart_data import Charts
from reports.tables import csv

MANY = 2000
"""Of more points than this the pictures are drawn beside the tables: they take seconds."""

PAGE = "report.html"
METHODOLOGY = CHECKOUT / "bench" / "METHODOLOGY.md"


@dataclass(frozen=True, slots=True)
class Built:
    """A report that stands in `folder`; `impossible` where a point lies above its roof."""

    headline: str
    folder: Path
    page: Path
    impossible: bool


def build(
    analysis: Analysis, out: Path, source: str | None = None, *, alone: bool = False
) -> Built:
    """Write the report on a profile into `out`, made if missing; an older report there is replaced.

    `source` is the PROFILE argument to print in the command that makes the report again; without it, `out`. A report
    that is to stand `alone`, away from the checkout, links to nothing beside it. Raises BadInput where `out` cannot be
    written.
    """
    with atomic_write.draft(out, last=PAGE) as folder:
        _write(analysis, folder, _command(out, source), None if alone else _methodology(out))
    return Built(analysis.headline, out, out / PAGE, analysis.impossible)


def _write(analysis: Analysis, draft: Path, command: str, methodology: str | None) -> None:
    plots = draft / "plots"
    plots.mkdir()
    charts = chart_data.charts(analysis)
    named = chart_data.pictures(charts)
    # the first, the roofline, takes nearly as long as all others
    each = list(named.items())
    parts = [each[:1], each[1:]] if len(analysis.rows) > MANY else []
    draw = partial(save_pictures, charts, plots)
    with parallel.forked([partial(draw, dict(part)) for part in parts if part]):
        # asked within: the import starts threads, beside which nothing is forked
        undrawn = _undrawn()
        named = {} if undrawn else named
        text = csv.points_csv(analysis)
        (draft / "points.csv").write_text(text, encoding="utf-8", newline="")
        data = page_data.data(charts)
        document = report.document(analysis, named, command, methodology, undrawn)
        (draft / "report.md").write_text(markdown.render(document), encoding="utf-8")
    if named:
        draw(named)
    drawn = {name: plots / f"{name}.svg" for name in named}
    (draft / PAGE).write_text(html.render(document, drawn, data), encoding="utf-8")


def save_pictures(charts: Charts, folder: Path, pictures: Mapping[str, tuple[str, str]]) -> None:
    """Write each picture as SVG, PNG and PDF into `folder`, if it is not there yet: (picture, device) by its name."""
    from reports.plots import bandwidth, batch, figures, measured_roofline, time_roofline

    draw: dict[str, Callable[[Charts], Any]] = {
        "roofline": measured_roofline.draw,
        "time_roofline": time_roofline.draw,
        "time_against_batch": batch.draw,
        "bandwidth_against_working_set": bandwidth.draw,
    }
    for name, (picture, device) in pictures.items():
        if not (folder / f"{name}.svg").is_file():  # the last of its files
            figures.write(draw[picture](charts.of(device)), folder, name)


def _undrawn() -> str | None:
    """Why no picture can be drawn here, or None: a machine that measures need not draw."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        return str(error)
    return None


def _command(out: Path, source: str | None) -> str:
    """What makes the report again, run from the checkout; elsewhere a reader puts in where the folder lies."""
    return f"python -m reports build {shlex.quote(source or shown(out))}"


def _methodology(out: Path) -> str | None:
    """A relative link, where the report lies in the checkout; elsewhere it would name this machine's folders."""
    if not out.resolve().is_relative_to(CHECKOUT) or not METHODOLOGY.is_file():
        return None
    return Path(os.path.relpath(METHODOLOGY, out.resolve())).as_posix()
