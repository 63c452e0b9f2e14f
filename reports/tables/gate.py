"""A gate as a table and as sentences. Rows in, text out."""

from collections.abc import Iterable

from bench.profile.stats import median
from reports.analysis.points import FEWEST
from reports.compare.between_runs import MOST_RUNS, POWER, Judged
from reports.compare.gate import ADVISED, BY_ROOF, Gate, Gated
from reports.tables.columns import Cell, Column, Table, table
from reports.tables.comparison import ratio_text

SLOWEST = 10
"""Points of a gate that are shown in any case."""
SHARE = f"{100 * POWER:.0f} %"
Line = Gated | tuple[str, Judged]
"""A point, or what all points judged by the same have in common."""


def gate_table(gate: Gate) -> Table:
    """What all points have in common, the slowest points, and every one that did not pass."""
    told = [row for row in gate.rows if row.judged.failed or row.judged.undecided]
    shown = dict.fromkeys((*told, *gate.rows[:SLOWEST]))
    columns: tuple[Column[Line], ...] = (
        Column("case", lambda row: row.entry.setting if isinstance(row, Gated) else "all alike"),
        Column("B", lambda row: row.entry.work.batch if isinstance(row, Gated) else None),
        Column(
            "implementation", lambda row: row.entry.implementation if isinstance(row, Gated) else ""
        ),
        Column("judged by", lambda row: row.by if isinstance(row, Gated) else row[0]),
        Column("after / before", lambda row: _of(row).ratio, ratio_text),
        Column("surely above", lambda row: _of(row).low, ratio_text),
        Column("surely below", lambda row: _of(row).high, ratio_text),
        Column(f"told in {SHARE}", lambda row: _of(row).found, ratio_text),
        Column("gate", lambda row: Cell(_word(_of(row)))),
    )
    ordered = sorted(shown, key=lambda row: -row.judged.ratio)
    lines: list[Line] = [*gate.common.items(), *ordered]
    return table(columns, lines)


def judgement(gate: Gate) -> list[str]:
    """The outcome first, and what it rests on: sentences."""
    percent = f"{100 * (gate.allowed - 1):g} %"
    rows, failed, undecided = len(gate.rows), len(gate.failed), len(gate.undecided)
    common = [one for one in gate.common.values() if one.failed]
    unsure = [one for one in gate.common.values() if one.undecided]
    slower = f"{failed} of {rows} points {'is' if failed == 1 else 'are'} slower than before by more than {percent}"
    if common:
        slower += ", and so is what all points have in common"
    if gate.outcome == "failed":
        opening = f"FAILED: {slower}."
    elif gate.outcome == "inconclusive":
        what = [f"of {undecided} of {rows} points"] if undecided else []
        what += ["of what all points have in common"] if unsure else []
        opening = (
            f"INCONCLUSIVE: {' and '.join(what)} these runs do not tell whether they are slower than before by more "
            f"than {_asked(gate)}."
        )
    else:
        opening = f"PASSED: no point is slower than before by more than {_asked(gate)}."
    found = [opening]
    if gate.outcome == "failed" and (undecided or unsure):
        found.append(
            f"Of {undecided} more, and of {len(unsure)} common effects, these runs do not tell."
        )
    found.append(told(gate))
    if gate.outcome != "failed":
        found += _needed(gate)
    if gate.unlike:
        found.append(f"Not the code alone changed: the runs differ in {', '.join(gate.unlike)}.")
    if gate.unjudged:
        found.append(f"{gate.unjudged} points are not in every run, and are not judged.")
    if min(gate.runs) < ADVISED:
        found.append(f"Of each side {min(gate.runs)} runs are few: {ADVISED} or more are advised.")
    if gate.ordered:
        found.append(
            "All runs of one side were measured before those of the other, so a machine that drifts looks like a "
            "change: take them in turns (A B B A)."
        )
    return found


def _asked(gate: Gate) -> str:
    """The slow-down that a point must surely not have to pass."""
    asked = f"{100 * (gate.asked - 1):g} %"
    return (
        asked
        if gate.asked == gate.allowed
        else f"{asked} (two times nearer than that are the same)"
    )


def told(gate: Gate) -> str:
    """From which slow-down on these runs would have found one."""
    points = [row.judged.found for row in gate.rows]
    if len(points) >= FEWEST:
        of_points = f"of the middle point from {_percent([median(points)])} on, of the noisiest from {_percent(points)}"
    else:
        of_points = f"of each point from {_percent(points)} on"
    words = f"By how these runs differ, a slow-down is found in {SHARE} of cases {of_points}"
    for by, one in gate.common.items():
        kind = "steps that follow their roof" if by == BY_ROOF else "other steps"
        words += f"; one of all {kind} alike from {_percent([one.found])}"
    return f"{words}."


def _needed(gate: Gate) -> list[str]:
    """How many runs a side would do, where these did not."""
    if gate.outcome == "passed":
        return []
    if gate.needed is None:
        return [
            f"More than {MOST_RUNS} runs a side would be needed: measure on a quieter machine, or allow more."
        ]
    more = max(gate.needed, min(gate.runs) + 1)
    return [f"If nothing changed, {more} runs a side would most likely tell."]


def _percent(ratios: Iterable[float]) -> str:
    return f"{100 * (max(ratios) - 1):.1f} %"


def _of(row: Line) -> Judged:
    return row.judged if isinstance(row, Gated) else row[1]


def _word(one: Judged) -> str:
    if one.failed:
        return "FAILED"
    return "inconclusive" if one.undecided else "passed"
