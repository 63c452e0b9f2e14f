"""What bounds each series and point, and what its linear layers hold, as tables."""

from __future__ import annotations

from bench.profile.records import Profile
from kernels import roofline_model
from reports.analysis import series
from reports.analysis.series import Series
from reports.analysis.units import ABSENT, gain, percent, percent_range, time_unit
from reports.analysis.verdict import Verdict
from reports.tables.points import Cell, Table, contender, count, held, scaled, setting, share


def by_series(profile: Profile) -> Table:
    """Verdicts along the batch, where sequences stop riding free, and where the roofs predict that."""
    header = ("case", "implementation", "verdicts by batch", "free batch", "ridge predicted")
    lines = []
    for one in series.of(profile):
        name = Cell(contender(one.rows[0].point))
        words = (Cell(setting(one.case)), name, Cell(_along(one)))
        free = Cell(one.free_text or ABSENT, one.free_batch)
        lines.append((*words, free, count(one.ridge_batch), count(one.bandwidth_until)))
    return Table((*header, "confirmed bandwidth until"), tuple(lines))


def evidence(profile: Profile) -> Table:
    """What each verdict rests on: the times the roofs allow, the floor, the two shares, and what confirms it or not."""
    known = held(profile).values()
    unit, factor = time_unit(row.seconds.median for row, _ in known)
    header = ("case", "B", "implementation", f"t, {unit}", "t_bytes", "t_flops", "t_floor")
    lines = []
    for row, found in known:
        words = (Cell(setting(row.case)), count(row.case.batch), Cell(contender(row.point)))
        times = (row.seconds, row.t_bytes, row.t_flops)
        spent = tuple(scaled(value.median if value else None, factor) for value in times)
        floor = scaled(row.point.floor_seconds, factor)
        shares = (share(row.fraction), share(row.explained))
        lines.append((*words, *spent, floor, *shares, Cell(found.marked), Cell(found.reason)))
    return Table((*header, "fraction", "explained", "verdict", "because"), tuple(lines))


def linear_shares(profile: Profile) -> Table:
    """What of a step its linear layers hold; without rows where no linear part was measured."""
    header = ("case", "B", "implementation", "of the time", "95 % interval", "of the bytes")
    lines = []
    for one in series.shares(profile):
        words = (Cell(setting(one.case)), count(one.case.batch), Cell(one.implementation))
        time = (share(one.time), Cell(percent_range(one.time)))
        counted = tuple(Cell(percent(value), value) for value in (one.bytes, one.flops))
        lines.append((*words, *time, *counted))
    return Table((*header, "of the FLOPs"), tuple(lines))


def _along(one: Series) -> str:
    """Verdicts of a series, neighbours that agree taken together: `1-4 bandwidth (DRAM); 8 mixed`."""
    runs: list[tuple[list[int], list[Verdict]]] = []
    for row, found in zip(one.rows, one.verdicts, strict=True):
        if runs and _alike(runs[-1][1][-1]) == _alike(found):
            runs[-1][0].append(row.case.batch)
            runs[-1][1].append(found)
        else:
            runs.append(([row.case.batch], [found]))
    return "; ".join(f"B {_range(batches)}: {_together(found)}" for batches, found in runs)


def _alike(found: Verdict) -> tuple[object, ...]:
    level = found.level if found.name != roofline_model.CODE else None
    return found.name, level, found.between, found.confirmed


def _together(verdicts: list[Verdict]) -> str:
    gains = sorted(found.faster for found in verdicts if found.faster)
    if verdicts[0].name != roofline_model.CODE or not gains:
        return verdicts[0].marked
    low, high = gain(gains[0]), gain(gains[-1])
    span = low if low == high else f"{low}\N{EN DASH}{high}"
    return f"{roofline_model.CODE} ({span}\N{MULTIPLICATION SIGN} to gain) {verdicts[0].mark}"


def _range(batches: list[int]) -> str:
    return str(batches[0]) if len(batches) == 1 else f"{batches[0]}\N{EN DASH}{batches[-1]}"
