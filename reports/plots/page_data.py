"""What the page's plots are drawn from, as plain data that JSON can hold: the charts' own places, and words.

In the units of the axes; five significant digits, which is more than any picture shows.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import mode
from typing import Any

from kernels.case import Case
from reports.analysis import series
from reports.analysis.wording import dtypes
from reports.plots.chart_data import Charts, Line, Placed, Setup, beside
from reports.plots.hover import hover, words
from reports.plots.style import MARKERS, PALETTE

MOST_AT_FIRST = 1500
"""Points that the page opens with; a browser draws them within a second."""

FACETS: tuple[tuple[str, str, Callable[[Case, str], str | int]], ...] = (
    ("cell", "cell", lambda case, _: case.cell),
    ("phase", "phase", lambda case, _: case.phase),
    ("part", "part", lambda case, _: case.part),
    ("steps", "steps a call", lambda case, _: case.steps),
    ("weights", "weights", lambda case, _: case.residency),
    ("dtype", "dtype", lambda case, _: dtypes(case)),
    ("H", "H", lambda case, _: case.hidden),
    ("implementation", "implementation", lambda _, implementation: implementation),
    ("batch", "batch", lambda case, _: case.batch),
)
"""What the page's filter can choose by: name, title, and a point's value."""


def data(charts: Charts) -> dict[str, Any]:
    """Everything that is drawn: points, the series they belong to, and the roofs of each setup; and the filter.

    A point has its `marks` by picture, each (x, y, low, high, filled), and what was sampled `beside` it, by roof.
    """
    setups = {(one.device, one.threads): index for index, one in enumerate(charts.setups)}
    found = {
        "setups": [_setup(one) for one in charts.setups],
        "series": [
            _series(line, setups[line.case.device, line.case.threads]) for line in charts.lines
        ],
        "points": [
            _point(one, line, index)
            for index, line in enumerate(charts.lines)
            for one in line.points
        ],
        "colours": {
            line.implementation: f"--colour-{PALETTE.index(line.look.colour)}"
            for line in charts.lines
        },
        "facets": _facets(charts),
    }
    return {name: rounded(value) for name, value in found.items()}


def rounded(value: Any) -> Any:
    """The same with numbers to five significant digits, whole ones as such."""
    if isinstance(value, float):
        short = float(f"{value:.5g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _point(one: Placed, line: Line, series: int) -> dict[str, Any]:
    return {
        "series": series,
        "batch": one.row.case.batch,
        "fraction": one.row.fraction.median if one.row.fraction else None,
        "allowed": one.allowed,
        "floor": one.row.point.floor_seconds,
        "level": one.under.level if one.under else None,
        "beside": dict(beside(one, line.arithmetic)),
        "marks": one.marks,
        "hover": hover(one.row, one.verdict),
    }


def _series(line: Line, setup: int) -> dict[str, Any]:
    symbol, sign = MARKERS[line.look.marker]
    return {
        **{name: value(line.case, line.implementation) for name, _, value in FACETS},
        "words": words(line.case, line.fetched),
        "setup": setup,
        "arithmetic": line.arithmetic,
        "dashed": line.look.dashed,
        "symbol": symbol,
        "sign": sign,
    }


def _setup(one: Setup) -> dict[str, Any]:
    return {
        "levels": [asdict(level) for level in one.levels],
        "peaks": one.peaks,
        "curves": [asdict(curve) for curve in one.curves],
        "beside": [(at, *band) for at, band in one.beside.items()],
        "caches": one.caches,
    }


def _facets(charts: Charts) -> list[dict[str, Any]]:
    """What the page's filter offers, where there is a choice: numbers ascending, words in the order of the tables."""
    cases = [(one.row.case, line.implementation) for line in charts.lines for one in line.points]
    signs = {line.case.hidden: MARKERS[line.look.marker][1] for line in charts.lines}
    start = _start([case for case, _ in cases])
    options: list[tuple[str | int, str, bool]]
    found = []
    if len(charts.setups) > 1:
        options = [(index, one.name, index == 0) for index, one in enumerate(charts.setups)]
        found.append({"name": "setup", "title": "threads", "options": options})
    for name, title, value in FACETS:
        values = list(dict.fromkeys(value(*case) for case in cases))
        if all(isinstance(one, int) for one in values):
            values.sort(key=int)
        if len(values) > 1 or name == "implementation":
            options = [
                (
                    one,
                    f"{signs[int(one)]} {one}" if name == "H" else str(one),
                    one == start.get(name),
                )
                for one in values
            ]
            found.append({"name": name, "title": title, "options": options})
    return found


def _start(cases: Sequence[Case]) -> dict[str, str | int]:
    """What is chosen when the page opens, among kinds of which there are several: whole single steps of the LSTM.

    Of more than MOST_AT_FIRST, those streamed, in the dtype of the device that most are of, of the size that most have:
    thousands hide one another.
    """
    wanted: dict[str, str | int] = {"phase": "step", "part": "cell", "cell": "lstm", "steps": 1}
    found = {name: {getattr(case, name) for case in cases} for name in wanted}
    start = {name: wanted[name] for name, kinds in found.items() if {wanted[name]} < kinds}
    shown = [case for case in cases if all(getattr(case, k) == v for k, v in start.items())]
    device = mode([case.device for case in shown]) if shown else "cpu"
    for facet, field, value in (
        ("weights", "residency", "streamed"),
        ("dtype", "dtype", series.DTYPE[device]),
        ("H", "hidden", mode([case.hidden for case in shown]) if shown else 0),
    ):
        kept = [case for case in shown if getattr(case, field) == value]
        if len(shown) > MOST_AT_FIRST and kept:
            start[facet], shown = value, kept
    return start
