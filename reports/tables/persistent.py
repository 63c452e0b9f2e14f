"""Sequences that keep U on chip: held beside the step that fetches it from memory every time, which they go past."""

from __future__ import annotations

from bench.profile.records import Point, Profile
from bench.profile.stats import median
from kernels.case import ELEMENT_BYTES
from reports.analysis import points, roofs
from reports.analysis.units import ABSENT, number
from reports.tables.points import Cell, Table, count, dtypes, scaled


def table(profile: Profile) -> Table:
    """Every good sequence that reads U once a call, whatever bounds it."""
    header: tuple[str, ...] = (
        "cell",
        "H",
        "B",
        "T",
        "dtype",
        "implementation",
        "us per step",
        "U, MB",
    )
    header += ("from memory, us", "times that", "from a cache, us", "times that")
    lines = []
    for row in points.rows(profile):
        case, point = row.case, row.point
        if not point.on_chip or not point.flops:
            continue
        size, taken = recurrent_bytes(point), row.seconds.median
        known = roofs.levels(profile, case.device)
        memory = size / known[-1].bytes_per_s if known else None
        cache = size / median(point.roof_bytes_per_s) if point.roof_bytes_per_s else None
        words = (Cell(case.cell), count(case.hidden), count(case.batch), count(case.steps))
        name = (Cell(dtypes(case)), Cell(point.implementation))
        figures = (scaled(taken, 1e6), scaled(size, 1e-6))
        lines.append((*words, *name, *figures, *_against(memory, taken), *_against(cache, taken)))
    return Table(header, tuple(lines))


def recurrent_bytes(point: Point) -> int:
    """Bytes of U's matrix, from the FLOPs of its products: 2 for each of its elements and sequences."""
    assert point.flops is not None
    elements = point.flops["recurrent"] // (2 * point.case.batch)
    return elements * ELEMENT_BYTES[point.case.dtype]


def _against(least: float | None, taken: float) -> tuple[Cell, Cell]:
    """The least time of a step that fetches U, and how many times as fast the measured one is."""
    if least is None:
        return Cell(ABSENT), Cell(ABSENT)
    return scaled(least, 1e6), Cell(
        f"{number(least / taken)}\N{MULTIPLICATION SIGN}", least / taken
    )
