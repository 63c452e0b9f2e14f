"""What the page's plots are drawn from, as plain data that JSON can hold: the charts' own places, and words.

A column per figure, one entry per good point, line by line; a missing figure is None. SI units; five significant
digits, which is more than any picture shows.
"""

from collections.abc import Sequence
from dataclasses import fields
from statistics import mode
from typing import Any

from kernels.case import Case
from reports.analysis.wording import dtypes, setting
from reports.plots.chart_data import PICTURES, Charts, Line, Placed, Setup, beside
from reports.plots.hover import hover
from reports.plots.style import PALETTE, Mark

MOST_AT_FIRST = 1500
"""Points that the page opens with; a browser draws them within a second."""


def data(charts: Charts) -> dict[str, Any]:
    """Everything that is drawn: points, the series they belong to, and the roofs of each setup."""
    points = [(one, line) for line in charts.lines for one in line.points]
    by_colour = {line.implementation: line.colour for line in charts.lines}
    setups = {(one.device, one.threads): index for index, one in enumerate(charts.setups)}
    return {
        "setups": [_setup(one) for one in charts.setups],
        "series": [
            _series(line, setups[line.case.device, line.case.threads]) for line in charts.lines
        ],
        "points": {
            "series": [index for index, line in enumerate(charts.lines) for _ in line.points],
            **_columns(points),
        },
        "charts": {
            name: _places([getattr(one, at) for one, _ in points]) for name, at in PICTURES.items()
        },
        "implementations": by_colour,
        "first": next((name for name, it in by_colour.items() if it == PALETTE[0]), None),
        "sizes": sorted({line.case.hidden for line in charts.lines}),
        "start": _start([one.row.case for one, _ in points]),
    }


def rounded(value: float | None) -> float | None:
    """A number to five significant digits, whole ones as such."""
    if value is None:
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _columns(points: Sequence[tuple[Placed, Line]]) -> dict[str, list[Any]]:
    """What is not the place of a point on one chart: `beside` are the roofs sampled there, by name."""
    return {
        "batch": [one.row.case.batch for one, _ in points],
        "seconds": [rounded(one.row.seconds.median) for one, _ in points],
        "fraction": [
            rounded(one.row.fraction.median if one.row.fraction else None) for one, _ in points
        ],
        "allowed": [rounded(one.allowed) for one, _ in points],
        "floor": [rounded(one.row.point.floor_seconds) for one, _ in points],
        "level": [one.under.level if one.under else None for one, _ in points],
        "beside": [
            {name: rounded(rate) for name, rate in beside(one, line.arithmetic)}
            for one, line in points
        ],
        "hover": [hover(one.row, one.verdict) for one, _ in points],
    }


def _places(marks: Sequence[Mark | None]) -> dict[str, list[Any]]:
    return {
        field.name: [None if mark is None else rounded(getattr(mark, field.name)) for mark in marks]
        for field in fields(Mark)
    }


def _start(cases: Sequence[Case]) -> dict[str, str | int]:
    """What is chosen when the page opens, among kinds of which there are several: whole single steps of the LSTM.

    Of more than MOST_AT_FIRST, those streamed in float32 of the size that most have: thousands hide one another.
    """
    wanted: dict[str, str | int] = {"phase": "step", "part": "cell", "cell": "lstm", "steps": 1}
    found = {name: {getattr(case, name) for case in cases} for name in wanted}
    start = {name: wanted[name] for name, kinds in found.items() if {wanted[name]} < kinds}
    shown = [case for case in cases if all(getattr(case, k) == v for k, v in start.items())]
    for facet, field, value in (
        ("weights", "residency", "streamed"),
        ("dtype", "dtype", "float32"),
        ("H", "hidden", mode([case.hidden for case in shown]) if shown else 0),
    ):
        kept = [case for case in shown if getattr(case, field) == value]
        if len(shown) > MOST_AT_FIRST and kept:
            start[facet], shown = value, kept
    return start


def _series(line: Line, setup: int) -> dict[str, Any]:
    case = line.case
    # what one step must fetch and another need not are two cases: words tell them apart
    once = " and ".join(name for name in ("W", "U") if name not in line.fetched)
    return {
        "words": setting(case) + (f", {once} read once a call" if once else ""),
        "cell": case.cell,
        "part": case.part,
        "phase": case.phase,
        "steps": case.steps,
        "H": case.hidden,
        "dtype": dtypes(case),
        "weights": case.residency,
        "implementation": line.implementation,
        "setup": setup,
        "arithmetic": line.arithmetic,
    }


def _setup(one: Setup) -> dict[str, Any]:
    return {
        "name": one.name,
        "levels": [
            {"name": level.name, "up_to": level.up_to_bytes, "rate": rounded(level.bytes_per_s)}
            for level in one.levels
        ],
        "peaks": {name: rounded(peak) for name, peak in one.peaks.items()},
        "curves": [
            {
                "name": curve.name,
                "kind": curve.kind,
                "x": [x for x, _ in curve.places],
                "y": [rounded(rate) for _, rate in curve.places],
            }
            for curve in one.curves
        ],
        "beside": [[at, *map(rounded, band)] for at, band in one.beside.items()],
        "caches": [{"name": name, "bytes": count} for name, count in one.caches],
    }
