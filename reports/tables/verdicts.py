"""What bounds each series and point, and what its linear layers hold, as tables."""

from itertools import groupby

from kernels.roofline_model import CODE
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.points import Row
from reports.analysis.series import Series, Share
from reports.analysis.verdict import Verdict
from reports.analysis.wording import ABSENT, TIMES, gain, percent, percent_range, time_unit
from reports.tables.columns import Cell, Column, Table, middle, scaled, table


def _along(one: Series) -> str:
    """Verdicts of a series, neighbours that agree taken together: `1-4 bandwidth (DRAM); 8 mixed`."""
    parts = []
    by_verdict = groupby(zip(one.rows, one.verdicts, strict=True), key=lambda pair: _alike(pair[1]))
    for _, pairs in by_verdict:
        rows, verdicts = zip(*pairs, strict=True)
        batches = wording.joined(str(rows[0].case.batch), str(rows[-1].case.batch))
        parts.append(f"B {batches}: {_together(verdicts)}")
    return "; ".join(parts)


def _alike(found: Verdict) -> tuple[object, ...]:
    level = found.level if found.name != CODE else None
    return found.name, level, found.between, found.confirmed


def _together(verdicts: tuple[Verdict, ...]) -> str:
    gains = sorted(found.faster for found in verdicts if found.faster)
    if verdicts[0].name != CODE or not gains:
        return wording.marked(verdicts[0])
    span = wording.joined(gain(gains[0]), gain(gains[-1]))
    return f"{CODE} ({span}{TIMES} to gain) {verdicts[0].mark}"


BY_SERIES: tuple[Column[Series], ...] = (
    Column("case", lambda one: wording.setting(one.case)),
    Column("implementation", lambda one: wording.contender(one.rows[0].point)),
    Column("verdicts by batch", _along),
    Column(
        "free batch", lambda one: Cell(one.free_text or ABSENT, one.free[0] if one.free else None)
    ),
    Column("ridge predicted", lambda one: one.ridge_batch),
    Column("confirmed bandwidth until", lambda one: one.bandwidth_until),
)
LINEAR_SHARES: tuple[Column[Share], ...] = (
    Column("case", lambda one: wording.setting(one.case)),
    Column("B", lambda one: one.case.batch),
    Column("implementation", lambda one: one.implementation),
    Column("of the time", lambda one: one.time.median, percent),
    Column("95 % interval", lambda one: one.time, percent_range),
    Column("of the bytes", lambda one: one.bytes, percent),
    Column("of the FLOPs", lambda one: one.flops, percent),
)


def _fraction(one: tuple[Row, Verdict]) -> Cell:
    row, found = one
    return Cell(wording.reached(row.fraction, found), middle(row.fraction))


def by_series(analysis: Analysis) -> Table:
    """Verdicts along the batch, the free batch, and where the roofs predict that."""
    return table(BY_SERIES, analysis.series)


def linear_shares(analysis: Analysis) -> Table:
    """What of a step its linear layers hold; without rows where no linear part was measured."""
    return table(LINEAR_SHARES, analysis.shares)


def evidence(analysis: Analysis) -> Table:
    """What each verdict rests on: the times the roofs allow, the floor, the two shares, and what confirms it or not."""
    unit, factor = time_unit(row.seconds.median for row in analysis.rows)
    time = scaled(factor)
    columns: tuple[Column[tuple[Row, Verdict]], ...] = (
        Column("case", lambda one: wording.setting(one[0].case)),
        Column("B", lambda one: one[0].case.batch),
        Column("implementation", lambda one: wording.contender(one[0].point)),
        Column(f"t, {unit}", lambda one: one[0].seconds.median, time),
        Column("t_bytes", lambda one: middle(one[0].t_bytes), time),
        Column("t_flops", lambda one: middle(one[0].t_flops), time),
        Column("t_floor", lambda one: one[0].point.floor_seconds, time),
        Column("fraction", _fraction),
        Column("explained", lambda one: middle(one[0].explained), percent),
        Column("verdict", lambda one: wording.marked(one[1])),
        Column("because", lambda one: one[1].reason),
    )
    return table(columns, analysis.held.values())
