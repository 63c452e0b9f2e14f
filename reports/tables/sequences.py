"""Sequences as tables: as DeepBench prints them, and held beside a step that fetches U from memory every time.

DeepBench's count of FLOPs is the recurrent matrix's (baidu-research/DeepBench, its result books and issue 55): per step
8BH^2 for LSTM, 6BH^2 for GRU, 2BH^2 + BH for its vanilla cell. Each is 2BGH^2, which a point records as
`flops.recurrent`; the BH are the vanilla cell's activations.
"""

from collections.abc import Callable

from bench.profile.records import Point
from bench.profile.stats import median
from kernels.case import ELEMENT_BYTES, Case
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.points import Row
from reports.analysis.wording import TIMES, number
from reports.tables.columns import Column, Table, scaled, table

SUITE = "deepbench"
NAMES = {"rnn": "vanilla", "lstm": "lstm", "gru": "gru"}

ABOUT: tuple[Column[Row], ...] = (
    Column("H", lambda row: row.case.hidden),
    Column("B", lambda row: row.case.batch),
    Column("T", lambda row: row.case.steps),
    Column("dtype", lambda row: wording.dtypes(row.case)),
)


def deepbench(analysis: Analysis) -> Table:
    """Every good sequence, and in the suite of that name its single steps too: one of its problems has one step."""
    every = analysis.profile.suite == SUITE
    columns: tuple[Column[Row], ...] = (
        Column("cell", lambda row: NAMES[row.case.cell]),
        *ABOUT,
        Column("implementation", lambda row: wording.contender(row.point)),
        Column("ms per sequence", lambda row: row.seconds.median * row.case.steps, scaled(1e3)),
        Column("TFLOP/s", _rate, scaled(1e-12)),
    )
    whole = (row for row in analysis.rows if row.case.part == "cell" and row.point.flops)
    return table(columns, (row for row in whole if row.case.steps > 1 or every))


def _rate(row: Row) -> float:
    assert row.point.flops is not None
    return deepbench_flops(row.case, row.point.flops["recurrent"]) / row.seconds.median


def deepbench_flops(case: Case, recurrent: int) -> int:
    """DeepBench's FLOPs of one step."""
    return recurrent + (case.batch * case.hidden if case.cell == "rnn" else 0)


def persistent(analysis: Analysis) -> Table:
    """Every good sequence whose U stays on chip, whatever bounds it: it may go past the step that fetches U."""

    def from_memory(row: Row) -> float | None:
        known = analysis.roofs.levels(row.case.device)
        return recurrent_bytes(row.point) / known[-1].bytes_per_s if known else None

    def from_cache(row: Row) -> float | None:
        """By the roof beside it; what lies in cores' own caches would have to come from the level behind."""
        paired = row.point.roof_bytes_per_s
        rate = median(paired) if paired else None
        if row.point.in_own_cache:
            behind = analysis.roofs.level_behind(row.point)
            rate = behind.bytes_per_s if behind else None
        return recurrent_bytes(row.point) / rate if rate else None

    columns: tuple[Column[Row], ...] = (
        Column("cell", lambda row: row.case.cell),
        *ABOUT,
        Column("implementation", lambda row: row.point.implementation),
        Column("us per step", lambda row: row.seconds.median, scaled(1e6)),
        Column("U, MB", lambda row: recurrent_bytes(row.point), scaled(1e-6)),
        *_against("from memory, us", from_memory),
        *_against("from a cache, us", from_cache),
    )
    return table(
        columns, (row for row in analysis.rows if row.point.persistent and row.point.flops)
    )


def recurrent_bytes(point: Point) -> int:
    """Bytes of U's matrix, from the FLOPs of its products: 2 for each of its elements and sequences."""
    assert point.flops is not None
    elements = point.flops["recurrent"] // (2 * point.case.batch)
    return elements * ELEMENT_BYTES[point.case.dtype]


def _against(title: str, least: Callable[[Row], float | None]) -> tuple[Column[Row], Column[Row]]:
    """The least time of a step that fetches U, and how many times as fast the measured one is."""

    def times(row: Row) -> float | None:
        found = least(row)
        return None if found is None else found / row.seconds.median

    return (
        Column(title, least, scaled(1e6)),
        Column("times that", times, lambda value: f"{number(value)}{TIMES}"),
    )
