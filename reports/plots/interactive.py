"""What the page's plots are drawn from, as plain data that JSON can hold. Pure: a profile in, a dictionary out.

Columns of equal length, one entry per good point; a missing figure is None. SI units; five significant digits, which is
more than any picture shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode
from typing import Any

from bench.profile.records import Profile
from bench.profile.stats import Estimate
from kernels.case import Case
from reports.analysis import points, roofs, warnings
from reports.analysis import series as grouped
from reports.analysis.units import size
from reports.plots import chart_data, style
from reports.tables import points as point_table

Setup = tuple[str, int]
"""A device and its thread count: points of one setup share their roofs."""

MOST_AT_FIRST = 1500
"""Points that the page opens with; a browser draws them within a second."""

CURVES = ("read", "write", "copy", "triad")


def data(profile: Profile) -> dict[str, Any]:
    """Everything that is drawn: points, the series they belong to, and the roofs of each setup."""
    rows = points.rows(profile)
    setups = _setups(profile)
    at = {setup: index for index, setup in enumerate(setups)}
    series: dict[tuple[Case, str, tuple[str, ...]], int] = {}
    verdicts: dict[tuple[str, str], int] = {}
    held = point_table.held(profile)
    columns: dict[str, list[Any]] = {name: [] for name in ("series", "batch", "verdict", "counted")}
    for row in rows:
        key = (grouped.alone(row.case), row.point.implementation, row.point.fetched)
        found = held[row.point.key][1]
        said = (found.marked, found.reason)
        columns["series"].append(series.setdefault(key, len(series)))
        columns["batch"].append(row.case.batch)
        columns["verdict"].append(verdicts.setdefault(said, len(verdicts)))
        columns["counted"].append(rounded(points.counted_intensity(row)))
        _figures(columns, row)
        _places(columns, row, chart_data.held(profile, row))
    free = {(one.case, one.implementation): _free(one) for one in grouped.of(profile)}
    sizes = sorted({row.case.hidden for row in rows})
    return {
        "setups": [_setup(profile, setup) for setup in setups],
        "series": [
            {**_series(case, name, fetched, at[_of(case)]), "free": free.get((case, name))}
            for case, name, fetched in series
        ],
        "verdicts": list(verdicts),
        "points": columns,
        "implementations": style.colours(profile),
        "first": next(
            (name for name, it in style.colours(profile).items() if it == style.PALETTE[0]), None
        ),
        "sizes": sizes,
        "start": _start(rows),
    }


def _start(rows: Sequence[points.Row]) -> dict[str, str | int]:
    """What is chosen when the page opens, among kinds of which there are several: whole single steps of the LSTM.

    Of more than MOST_AT_FIRST, those streamed in float32 of the size that most have: thousands hide one another.
    """
    wanted: dict[str, str | int] = {"phase": "step", "part": "cell", "cell": "lstm", "steps": 1}
    found = {name: {getattr(row.case, name) for row in rows} for name in wanted}
    start = {name: wanted[name] for name, kinds in found.items() if {wanted[name]} < kinds}
    shown = [row.case for row in rows if all(getattr(row.case, k) == v for k, v in start.items())]
    for facet, field, value in (
        ("weights", "residency", "streamed"),
        ("dtype", "dtype", "float32"),
        ("H", "hidden", mode([case.hidden for case in shown]) if shown else 0),
    ):
        kept = [case for case in shown if getattr(case, field) == value]
        if len(shown) > MOST_AT_FIRST and kept:
            start[facet], shown = value, kept
    return start


def _free(one: grouped.Series) -> int | None:
    """The free batch of a series that is long enough to have one, as on the still picture."""
    return one.free_batch if len(one.rows) >= grouped.LONG else None


def rounded(value: float | None) -> float | None:
    """A number to five significant digits, whole ones as such."""
    if value is None:
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _figures(columns: dict[str, list[Any]], row: points.Row) -> None:
    figures: dict[str, float | None] = {
        **_ends("t", row.seconds),
        "bytes_per_s": row.bytes_per_s,
        "flop_per_s": row.flop_per_s,
        "intensity": row.intensity,
        **_ends("fraction", row.fraction),
        "t_bytes": row.t_bytes.median if row.t_bytes else None,
        "t_flops": row.t_flops.median if row.t_flops else None,
        "limit": row.limit.median if row.limit else None,
        "floor": row.point.floor_seconds,
        "working_set": row.point.working_set_bytes,
    }
    for name, value in figures.items():
        columns.setdefault(name, []).append(rounded(value) if isinstance(value, float) else value)


def _places(columns: dict[str, list[Any]], row: points.Row, under: chart_data.Held | None) -> None:
    """Where the pictures draw it, all at its fraction of a drawn roof; and where that roof stood beside it.

    `held` is under the roofline in FLOP/s, `read` under the read curve in byte/s. `roof_seconds` is the least time by
    the drawn roofs, of which the time drawn is a fraction.
    """
    x = points.counted_intensity(row) or row.intensity
    read = chart_data.share_of_bandwidth(row)
    held = chart_data.times(row.fraction, under.height(x)) if row.fraction and under and x else None
    below = chart_data.times(read, under.curve) if read and under and under.curve else None
    figures = {
        **_ends("held", held if row.flop_per_s else None),
        **_ends("read", below),
        "roof_seconds": under.seconds if under else None,
        "beside_bytes_per_s": under.beside[0] if under else None,
        "beside_flop_per_s": under.beside[1] if under else None,
    }
    for name, value in figures.items():
        columns.setdefault(name, []).append(rounded(value))
    columns.setdefault("level", []).append(under.level if under else None)


def _ends(name: str, value: Estimate | None) -> dict[str, float | None]:
    if value is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: value.median, f"{name}_low": value.low, f"{name}_high": value.high}


def _of(case: Case) -> Setup:
    return case.device, case.threads


def _setups(profile: Profile) -> list[Setup]:
    """Every setup that has a point, that with most points first, of those alike the one with most threads.

    Without points every device whose roofs were measured, at all threads.
    """
    found = [_of(row.case) for row in points.rows(profile)]
    if not found:
        devices = dict.fromkeys(roof.device for roof in profile.roofs)
        found = [(name, roofs.all_threads(profile, name) or 0) for name in devices]
    counts = {setup: found.count(setup) for setup in dict.fromkeys(found)}
    return sorted(counts, key=lambda setup: (-counts[setup], setup[0], -setup[1]))


def _series(
    case: Case, implementation: str, fetched: tuple[str, ...], setup: int
) -> dict[str, Any]:
    # what one step must fetch and another need not are two cases: words tell them apart
    once = " and ".join(name for name in ("W", "U") if name not in fetched)
    return {
        "words": point_table.setting(case) + (f", {once} read once a call" if once else ""),
        "cell": case.cell,
        "part": case.part,
        "phase": case.phase,
        "steps": case.steps,
        "H": case.hidden,
        "dtype": point_table.dtypes(case),
        "weights": case.residency,
        "implementation": implementation,
        "setup": setup,
        "arithmetic": chart_data.arithmetic(case),
    }


def _setup(profile: Profile, setup: Setup) -> dict[str, Any]:
    device, threads = setup
    everyone = threads == roofs.all_threads(profile, device)
    cases = {
        chart_data.arithmetic(row.case): row.case
        for row in points.rows(profile)
        if _of(row.case) == setup
    }
    peaks = {
        name: roofs.arithmetic_roof(profile, device, threads, case.dtype, case.activations)
        for name, case in sorted(cases.items())
    }
    levels = roofs.levels(profile, device) if everyone else []
    return {
        "name": point_table.setup(device, threads),
        "levels": [
            {"name": one.name, "up_to": one.up_to_bytes, "bytes_per_s": rounded(one.bytes_per_s)}
            for one in levels
        ],
        "peaks": {name: rounded(peak) for name, peak in peaks.items() if peak is not None},
        "curves": _curves(profile, device),
        "caches": _caches(profile) if device == "cpu" else [],
    }


def _curves(profile: Profile, device: str) -> list[dict[str, Any]]:
    """The read curve at every thread count, the others at all threads."""
    found = []
    everyone = roofs.all_threads(profile, device)
    for kind in CURVES:
        for threads, curve in sorted(roofs.read_curve(profile, device, kind).items(), reverse=True):
            if kind == "read" or threads == everyone:
                name = f"{kind}, {point_table.setup(device, threads)}"
                found.append({"name": name, "kind": kind, **_xy(curve)})
    return found


def _xy(curve: Sequence[tuple[int, float]]) -> dict[str, list[Any]]:
    return {"x": [x for x, _ in curve], "y": [rounded(y) for _, y in curve]}


def _caches(profile: Profile) -> list[dict[str, Any]]:
    return [
        {"name": f"L{level} {size(total)}", "bytes": total}
        for level, total in warnings.system_caches(profile).items()
    ]
