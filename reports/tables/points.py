"""Every planned point as a table, for the pages and for the terminal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bench.profile.records import Point
from kernels.case import Case
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.points import Row
from reports.analysis.verdict import Verdict
from reports.analysis.warnings import BETWEEN
from reports.analysis.wording import number, percent, percent_range, time_unit
from reports.tables.columns import Cell, Column, Table, scaled, table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned point, good or not: its row and verdict where it is good, and the codes of the warnings about it."""

    point: Point
    row: Row | None
    verdict: Verdict | None
    warned: str

    @property
    def case(self) -> Case:
        """The case of the point."""
        return self.point.case

    @property
    def says(self) -> str:
        """Its verdict, or why it has no figure."""
        return wording.marked(self.verdict) if self.verdict else wording.why_absent(self.point)


def planned(analysis: Analysis) -> list[Planned]:
    """Every planned point in the order in which points are listed."""
    codes: dict[str, set[str]] = {}
    for warning in analysis.warnings:
        for key in warning.about.split(BETWEEN):
            codes.setdefault(key, set()).add(warning.code)
    found = []
    for point in analysis.ordered:
        key = point.key
        row, verdict = analysis.held.get(key, (None, None))
        warned = ", ".join(sorted(codes.get(key, ())))
        found.append(Planned(point, row, verdict, warned))
    return found


def points(analysis: Analysis) -> Table:
    """Every planned point, good or not; one unit per column."""
    unit, factor = time_unit(row.seconds.median for row in analysis.rows)
    columns: list[Column[Planned]] = [
        Column("cell", lambda one: one.case.cell),
        Column("part", lambda one: _part(one.case)),
        Column("weights", lambda one: one.case.residency),
        Column("H", lambda one: one.case.hidden),
        Column("I", lambda one: one.case.input),
        Column("B", lambda one: one.case.batch),
        Column("T", lambda one: one.case.steps),
        Column("dtype", lambda one: wording.dtypes(one.case)),
        Column("threads", lambda one: _threads(one.case)),
        Column("implementation", lambda one: wording.contender(one.point)),
        Column(f"time, {unit}", _of(lambda row: row.seconds.median), scaled(factor)),
        Column("95 % interval", _of(lambda row: row.seconds), partial(wording.span, factor=factor)),
        Column("GB/s", _of(lambda row: row.bytes_per_s), scaled(1e-9)),
        Column("GFLOP/s", _of(lambda row: row.flop_per_s), scaled(1e-9)),
        Column("FLOP/byte", _of(lambda row: row.intensity), number),
        Column("% of roof", _reached),
        Column("95 % interval", _of(lambda row: row.fraction), percent_range),
    ]
    if any(point.joules is not None for point in analysis.ordered):
        columns.append(Column("mJ", lambda one: one.point.joules, scaled(1e3)))
    columns += [Column("verdict", lambda one: one.says), Column("warnings", lambda one: one.warned)]
    return table(columns, planned(analysis))


def closing(analysis: Analysis) -> Table:
    """What a terminal shows of every planned point when a run ends."""
    unit, factor = time_unit(row.seconds.median for row in analysis.rows)
    many_threads = len({point.case.threads for point in analysis.ordered}) > 1

    def named(case: Case) -> str:
        return wording.short(case) + (f" t{case.threads}" if many_threads else "")

    columns: list[Column[Planned]] = [
        Column("case", lambda one: named(one.case)),
        Column("B", lambda one: one.case.batch),
        Column("implementation", lambda one: wording.contender(one.point)),
        Column(unit, _of(lambda row: row.seconds.median), scaled(factor)),
        Column("\N{PLUS-MINUS SIGN}", _of(lambda row: row.seconds.half_width), percent),
        Column("GB/s", _of(lambda row: row.bytes_per_s), scaled(1e-9)),
        Column("GFLOP/s", _of(lambda row: row.flop_per_s), scaled(1e-9)),
        Column("% of roof", _reached),
        Column("verdict", lambda one: one.says),
    ]
    return table(columns, planned(analysis))


def _of(figure: Callable[[Row], T | None]) -> Callable[[Planned], T | None]:
    """A figure of points that are good; None of others."""
    return lambda one: figure(one.row) if one.row else None


def _reached(one: Planned) -> Cell | None:
    if one.row is None or one.row.fraction is None or one.verdict is None:
        return None
    return Cell(wording.reached(one.row.fraction, one.verdict), one.row.fraction.median)


def _part(case: Case) -> str:
    return case.part if case.phase == "step" else f"{case.part}, {case.phase}"


def _threads(case: Case) -> int | str:
    return case.threads if case.device == "cpu" else case.device
