"""Roofs per clock cycle of a core, which a reader can check in his head: 32 or 64 FLOP, 32 or 64 bytes. Pure.

A rate is shared out among its threads, one to a core, and divided by the clock: the median of those beside the points.
"""

from __future__ import annotations

from bench.profile.records import Profile
from bench.profile.stats import median
from reports.analysis import roofs
from reports.analysis.remember import remembered
from reports.analysis.units import ABSENT, number
from reports.tables.points import Cell, Table, count, scaled

CPU = "cpu"


@remembered
def clock(profile: Profile) -> float | None:
    """The clock of the processor in Hz, the median of those measured beside its points; None where none was."""
    found = [
        hertz
        for point in profile.points
        if point.case.device == CPU
        and isinstance(hertz := (point.state or {}).get("clock_hz"), int | float)
        and hertz > 0
    ]
    return median(found) if found else None


def per_cycle(rate: float | None, threads: int | None, hertz: float | None) -> float | None:
    """Of a rate per second, what each thread has in a cycle; None where one of the three is not known."""
    return rate / threads / hertz if rate and threads and hertz else None


def table(profile: Profile) -> Table:
    """Every level's bandwidth and the best products of each dtype at all threads, and at one where it was measured."""
    everyone, hertz = roofs.all_threads(profile, CPU), clock(profile)
    found: list[tuple[str, int, float, str]] = []
    for threads in sorted({1, everyone} if everyone else (), reverse=True):
        curve = roofs.read_curve(profile, CPU).get(threads, [])
        levels = [(level.name, level.bytes_per_s) for level in roofs.levels(profile, CPU)]
        if threads != everyone:
            # The levels are those of all threads: of one only the ends of its curve are known.
            levels = (
                [("start of its curve", curve[0][1]), ("end of its curve", curve[-1][1])]
                if curve
                else []
            )
        found += [(f"read, {name}", threads, rate, "byte") for name, rate in levels]
        dtypes = sorted({one.dtype for one in profile.roofs if one.kind == "matmul" and one.dtype})
        products = [(n, roofs.arithmetic_roof(profile, CPU, threads, n)) for n in dtypes]
        found += [(f"products, {name}", threads, rate, "FLOP") for name, rate in products if rate]
    lines = tuple(
        (
            Cell(name),
            count(threads),
            scaled(rate, 1e-9),
            Cell(f"G{'B' if unit == 'byte' else unit}/s"),
            cell(per_cycle(rate, threads, hertz)),
            Cell(f"{unit}/cycle"),
        )
        for name, threads, rate, unit in found
    )
    return Table(("roof", "threads", "rate", "unit", "a cycle and thread", "unit"), lines)


def cell(value: float | None) -> Cell:
    """So many a cycle."""
    return Cell(ABSENT) if value is None else Cell(number(value), value)
