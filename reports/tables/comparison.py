"""A comparison as tables, as sentences, and as CSV. Rows in, text out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from math import log
from operator import methodcaller

from bench.profile.stats import Estimate
from reports.analysis.warnings import changed
from reports.analysis.wording import ABSENT, joined, number, percent, time_unit
from reports.compare import ratios
from reports.compare.match import LETTERS, LIMITS, RUN_EFFECT, Comparison, Matched, Place
from reports.compare.system import KIND, NUMBERS, Entry, System
from reports.tables.columns import Cell, Column, Table, csv_text, middle, scaled, table
from reports.tables.machine import per_cycle

ABOUT = ("suite", "measured")
"""Facts that tell two runs of one machine apart."""
CYCLES = (
    "Roofs are those of all threads, best of their samples; byte/cycle and FLOP/cycle are a thread's share of them, by "
    "the median clock beside the points."
)
PEAKS = {name: (name, name) for name in ("float32", "bfloat16")} | {"int8": ("int8", "float32")}
UNEQUAL = "\N{DOUBLE DAGGER}"
"""Stands beside a ratio of unequal work."""


def names(comparison: Comparison) -> list[str]:
    """`A = AMD EPYC, 2 cores (quick, 2026-11-22T18:51:42+00:00)` and so on: what every letter stands for."""
    return [
        f"{letter} = {one.name} ({', '.join(one.facts[key] for key in ABOUT if key in one.facts)})"
        for letter, one in zip(LETTERS, comparison.systems, strict=False)
    ]


def overall(comparison: Comparison) -> list[str]:
    """One sentence per system held against the first: by how much, over how many points, and how many fell where."""
    found = []
    for other, value in enumerate(comparison.overall, 1):
        rows = [row for row in comparison.rows if row.other == other]
        counts = Counter(row.verdict for row in rows)
        what = "time x paired roof" if all(row.by_roof for row in rows) else "time"
        if any(row.unequal for row in rows):
            what = "time by recurrent FLOPs"
        words = [f"{counts[name]} {name}" for name in ratios.WORDS if counts[name]]
        told = ", ".join(words) or "one run a side gives no verdict"
        points = f"{len(rows)} point{'' if len(rows) == 1 else 's'}"
        if value is None:
            found.append(f"{LETTERS[other]} over A: {points}, too few for a mean: {told}.")
            continue
        reach = f" ({_span(value)})" if value.high > value.low else ""
        found.append(
            f"{LETTERS[other]} over A: {what} {ratio_text(value.median)}{reach} over {points}: {told}."
        )
    return found


def notes(comparison: Comparison) -> list[str]:
    """What a reader has to know before a figure is quoted."""
    rows, systems = comparison.rows, comparison.systems
    found = [
        "Ratios are of times to those of A: above 1 is slower. Limits are what each alone would give.",
        f"Same is an interval within {percent(ratios.SAME - 1)} of 1; ambiguous is where the samples do not tell.",
    ]
    if any(row.by_roof for row in rows):
        found.append(
            "On one kind of machine, times x paired roofs are compared of steps that follow their roof, and a verdict "
            "needs bare times to agree; of all others bare times."
        )
    if not all(row.repeated for row in rows):
        found.append(
            "Intervals of one run a side hold what differs within a run. Two runs of the same code differ by more: of "
            "one machine such ratios give no verdict, of two machines one beyond "
            f"{percent(RUN_EFFECT - 1)}. Give folders of runs, as bench repeat writes them, to have runs counted."
        )
    if any(not row.spread for row in rows):
        found.append("A source that publishes one figure per case gives no interval of its own.")
    if any(row.unequal for row in rows):
        found.append(
            f"{UNEQUAL} No equal work: the published step leaves the input's products out. The ratio is by recurrent "
            "FLOPs; its interval spans that and the whole step's time, as if the input's products were free."
        )
        found.append(
            "A published forward pass is held against a step; its training mode keeps more."
        )
    found += apart(systems)
    found += [remark for one in systems for remark in one.remarks]
    return list(dict.fromkeys(found))


def apart(systems: Sequence[System]) -> list[str]:
    """A sentence where measured systems are of unlike methods: what changed between them."""
    known = sorted({one.method for one in systems if one.measured})
    if len(known) < 2:
        return []
    between = f"Methods {' and '.join(map(str, known))} are compared; what changed between them: "
    return [f"{between}{'; '.join(changed(known[0], known[-1])) or 'not known here'}."]


def ratio_table(comparison: Comparison, most: int | None = None) -> Table:
    """Every matched point, with both times, the ratio and its interval, the limits' ratios, and what it follows.

    With `most` no more than so many, those farthest from 1.
    """
    unit, factor = time_unit(row.first.time for row in comparison.rows)
    many = len(comparison.systems) > 2
    columns: list[Column[Matched]] = [
        Column("case", lambda row: row.first.setting),
        Column("B", lambda row: row.first.work.batch),
        Column("implementation", lambda row: row.implementation),
        Column(f"A, {unit}", lambda row: row.first.time, scaled(factor)),
        Column("other" if many else f"B, {unit}", lambda row: row.second.time, scaled(factor)),
        Column("ratio", _marked_ratio),
        Column(
            "95 % interval", lambda row: row.ratio if row.spread or row.unequal else None, _span
        ),
        Column("says", lambda row: row.verdict or None),
        *(Column(name, partial(_limit, name), ratio_text) for name in LIMITS),
        Column("follows", lambda row: " or ".join(row.follows) or "none"),
    ]
    if many:
        columns.insert(3, Column("over A", lambda row: LETTERS[row.other]))
    if any(_energy(row) is not None for row in comparison.rows):
        columns.append(Column("energy", _energy, ratio_text))
    rows = comparison.rows
    if most is not None:
        rows = tuple(sorted(rows, key=lambda row: -abs(log(row.ratio.median)))[:most])
    return table(columns, rows)


def ranking_table(comparison: Comparison) -> Table:
    """Per cell, the systems by the geometric mean of their ratios over the steps that all have."""

    def machine(one: Place) -> str:
        return f"{LETTERS[one.system]}: {comparison.systems[one.system].name}"

    columns: tuple[Column[Place], ...] = (
        Column("cell", lambda one: one.cell if one.phase == "step" else f"{one.cell}, {one.phase}"),
        Column("place", lambda one: one.place),
        Column("machine", machine),
        Column("time over A\u2019s", lambda one: one.ratio.median, ratio_text),
        Column("95 % interval", _reach, _span),
        Column("steps in common", lambda one: one.points),
    )
    return table(columns, comparison.ranking)


def _reach(one: Place) -> Estimate | None:
    """The interval of a place; None where there is none, and for the first, which is held against itself."""
    return one.ratio if one.ratio.high > one.ratio.low else None


def machine_table(comparison: Comparison) -> Table:
    """Each system's class, clock, and the roofs at all its threads, with what a thread has of them in a cycle."""
    facts: list[Column[System]] = [
        Column("machine", lambda one: one.name),
        Column(KIND, lambda one: one.facts.get(KIND)),
        Column(NUMBERS, lambda one: one.facts.get(NUMBERS)),
        Column("threads", lambda one: one.threads),
        Column("clock, GHz", lambda one: one.clock_hz, scaled(1e-9)),
        *_rate("memory, GB/s", "byte/cycle", lambda one: one.memory),
    ]
    for name, pair in PEAKS.items():
        facts += _rate(f"{name}, GFLOP/s", f"{name}, FLOP/cycle", methodcaller("peak", *pair))
    rows = [(Cell(fact.title), *map(fact.cell, comparison.systems)) for fact in facts]
    return Table(("", *LETTERS[: len(comparison.systems)]), tuple(rows))


def _rate(
    title: str, a_cycle: str, rate: Callable[[System], float | None]
) -> tuple[Column[System], Column[System]]:
    """What a machine does in a second, and each of its threads in a cycle."""
    return (
        Column(title, rate, scaled(1e-9)),
        Column(a_cycle, lambda one: per_cycle(rate(one), one.threads, one.clock_hz), number),
    )


def differing_table(comparison: Comparison) -> Table:
    """What differs between the systems; empty where nothing does."""
    rows = (
        (Cell(what), *(Cell(value or ABSENT) for value in values))
        for what, values in comparison.differing
    )
    return Table(("what differs", *LETTERS[: len(comparison.systems)]), tuple(rows))


def ratios_csv(comparison: Comparison) -> str:
    """Every matched point in SI units, one line each."""
    names = [one.name for one in comparison.systems]
    lines: list[dict[str, object]] = [
        {
            "first": names[0],
            "second": names[row.other],
            **asdict(row.first.work),
            "implementation": row.implementation,
            **_side("first", row.first),
            **_side("second", row.second),
            **ends("ratio", row.ratio),
            **ends("time_ratio", row.time),
            **{f"{name}_ratio": row.limits[name] for name in LIMITS},
            "follows": " ".join(row.follows),
            "verdict": row.verdict,
            "by_roof": row.by_roof,
            "unequal_work": row.unequal,
            "spread_known": row.spread,
            "repeated": row.repeated,
        }
        for row in comparison.rows
    ]
    return csv_text(lines)


def ratio_text(value: float) -> str:
    """Two decimals where that is enough to tell a ratio from 1: 2.00, 0.98, 0.0356, 13.4."""
    return f"{value:.2f}" if 0.1 <= value < 10 else number(value)


def _marked_ratio(row: Matched) -> Cell:
    mark = f" {UNEQUAL}" if row.unequal else ""
    return Cell(ratio_text(row.ratio.median) + mark, row.ratio.median)


def _span(value: Estimate) -> str:
    return joined(ratio_text(value.low), ratio_text(value.high))


def _limit(name: str, row: Matched) -> float | None:
    return row.limits[name]


def _energy(row: Matched) -> float | None:
    """The ratio of the energies of a step; None where one of the two was not counted."""
    first, second = row.first.joules, row.second.joules
    return second / first if first and second else None


def ends(name: str, value: Estimate) -> dict[str, object]:
    """An estimate as columns of a CSV file."""
    return {f"{name}_{end}": figure for end, figure in value._asdict().items()}


def _side(name: str, entry: Entry) -> dict[str, object]:
    return {
        f"{name}_seconds": entry.time,
        f"{name}_bytes": entry.read + entry.written,
        f"{name}_flops": entry.flops,
        f"{name}_steps": entry.work.steps,
        f"{name}_joules": entry.joules,
        f"{name}_fraction": middle(entry.fraction),
    }
