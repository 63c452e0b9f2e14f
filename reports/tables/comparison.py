"""A comparison as tables, as sentences, and as CSV. Rows in, text out."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict

from bench.profile.stats import Estimate
from reports.analysis import cycles, methods
from reports.analysis.units import ABSENT, number, percent, span, time_unit
from reports.compare import ratios, system
from reports.compare.gate import Gate
from reports.compare.match import LETTERS, LIMITS, Comparison, Row
from reports.compare.predict import Predictions
from reports.compare.system import Entry, Subject, Work
from reports.tables.csv import field
from reports.tables.points import Cell, Table, count, scaled

ABOUT = ("suite", "measured")
"""Facts that tell two runs of one machine apart."""
CYCLES = (
    "Roofs are those of all threads, best of their samples; byte/cycle and FLOP/cycle are a thread's share of them, by "
    "the median clock beside the points."
)
CLASS = (system.KIND, system.NUMBERS)
PEAKS = {name: (name, name) for name in ("float32", "bfloat16")} | {"int8": ("int8", "float32")}
UNEQUAL = "\N{DOUBLE DAGGER}"
"""Stands beside a ratio of unequal work."""


def names(comparison: Comparison) -> list[str]:
    """`A = AMD EPYC, 2 cores (quick, 2026-11-22T18:51:42+00:00)` and so on: what every letter stands for."""
    return [
        f"{letter} = {one.name} ({', '.join(one.facts[key] for key in ABOUT if key in one.facts)})"
        for letter, one in zip(LETTERS, comparison.subjects, strict=False)
    ]


def overall(comparison: Comparison) -> list[str]:
    """One sentence per subject held against the first: by how much, over how many points, and how many fell where."""
    found = []
    for other, value in enumerate(comparison.overall, 1):
        rows = [row for row in comparison.rows if row.other == other]
        counts = {
            name: sum(row.verdict == name for row in rows)
            for name in ("slower", "same", "faster", "ambiguous")
        }
        what = "time x paired roof" if all(row.by_roof for row in rows) else "time"
        if any(row.unequal for row in rows):
            what = "time by recurrent FLOPs"
        told = ", ".join(f"{amount} {name}" for name, amount in counts.items() if amount)
        reach = f" ({_span(value)})" if value.high > value.low else ""
        points = f"{len(rows)} point{'' if len(rows) == 1 else 's'}"
        found.append(
            f"{LETTERS[other]} over A: {what} {_ratio(value.median)}{reach} over {points}: {told}."
        )
    return found


def notes(comparison: Comparison) -> list[str]:
    """What a reader has to know before a figure is quoted."""
    rows, subjects = comparison.rows, comparison.subjects
    found = [
        "Ratios are of times to those of A: above 1 is slower. Limits are what each alone would give.",
        f"Same is an interval within {percent(ratios.SAME - 1)} of 1; ambiguous is where the samples do not tell.",
    ]
    if any(row.by_roof for row in rows):
        found.append(
            "On one kind of machine, times x paired roofs are compared, and a verdict needs bare times to agree. "
            "Intervals hold what the rounds within a run tell: two runs of the same code may differ by more, which "
            "only --fail-if-slower takes into account, from two runs a side."
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
    found += methods.apart(subjects)
    found += [remark for one in subjects for remark in one.remarks]
    return list(dict.fromkeys(found))


def ratio_table(comparison: Comparison) -> Table:
    """Every matched point, with both times, the ratio and its interval, the limits' ratios, and what it follows."""
    unit, factor = time_unit(row.first.time for row in comparison.rows)
    many = len(comparison.subjects) > 2
    counted = any(_energy(row) is not None for row in comparison.rows)
    header = ("case", "B", "implementation", *(("over A",) if many else ()), f"A, {unit}")
    header += ("other" if many else "B, " + unit, "ratio", "95 % interval", "says")
    lines = []
    for row in comparison.rows:
        words = (Cell(setting(row.first.work)), count(row.first.work.batch))
        who = (Cell(row.implementation), *((Cell(LETTERS[row.other]),) if many else ()))
        times = (scaled(row.first.time, factor), scaled(row.second.time, factor))
        energy = _energy(row)
        spent = (
            (Cell(ABSENT) if energy is None else Cell(_ratio(energy), energy),) if counted else ()
        )
        lines.append((*words, *who, *times, *_judgement(row), *_limits(row), *spent))
    return Table((*header, *LIMITS, "follows", *(("energy",) if counted else ())), tuple(lines))


def ranking_table(comparison: Comparison) -> Table:
    """Per cell, the subjects by the geometric mean of their ratios over the steps that all have."""
    lines = []
    for place in comparison.ranking:
        what = Cell(place.cell if place.phase == "step" else f"{place.cell}, {place.phase}")
        who = Cell(f"{LETTERS[place.subject]}: {comparison.subjects[place.subject].name}")
        mean = Cell(_ratio(place.ratio.median), place.ratio.median)
        lines.append(
            (what, count(place.place), who, mean, Cell(_span(place.ratio)), count(place.points))
        )
    header = ("cell", "place", "machine", "time over A\u2019s", "95 % interval", "steps in common")
    return Table(header, tuple(lines))


def machine_table(comparison: Comparison) -> Table:
    """Each subject's class, clock, and the roofs at all its threads, with what a thread has of them in a cycle."""
    names = ["machine", *CLASS, "threads", "clock, GHz", "memory, GB/s", "byte/cycle"]
    names += [text for name in PEAKS for text in (f"{name}, GFLOP/s", f"{name}, FLOP/cycle")]
    columns = []
    for one in comparison.subjects:
        words = (Cell(one.name), *(Cell(one.facts.get(fact, ABSENT)) for fact in CLASS))
        memory = one.levels[-1][1] if one.levels else None
        everyone = one.roofs.get(system.ALL)
        peaks = [everyone.peaks.get(pair) if everyone else None for pair in PEAKS.values()]
        rates = [cell for rate in (memory, *peaks) for cell in _rates(one, rate)]
        columns.append((*words, count(one.threads), scaled(one.clock_hz, 1e-9), *rates))
    lines = tuple((Cell(name), *cells) for name, *cells in zip(names, *columns, strict=True))
    return Table(("", *LETTERS[: len(columns)]), lines)


def _rates(one: Subject, rate: float | None) -> tuple[Cell, Cell]:
    return scaled(rate, 1e-9), cycles.cell(cycles.per_cycle(rate, one.threads, one.clock_hz))


def differing_table(comparison: Comparison) -> Table:
    """What differs between the subjects; empty where nothing does."""
    letters = LETTERS[: len(comparison.subjects)]
    lines = [
        (Cell(what), *(Cell(value or ABSENT) for value in values))
        for what, values in comparison.differing
    ]
    return Table(("what differs", *letters), tuple(lines))


def gate_table(gate: Gate, most: int = 10) -> Table:
    """The slowest points of a gate, and every one that failed."""
    shown = gate.rows[: max(most, len(gate.failed))]
    lines = [
        (
            Cell(setting(row.entry.work)),
            count(row.entry.work.batch),
            Cell(row.entry.implementation),
            Cell(_ratio(row.ratio.median), row.ratio.median),
            Cell(_span(row.ratio)),
            Cell(_ratio(row.time.median), row.time.median),
            Cell(_span(row.time)),
            Cell("FAILED" if row.failed else "passed"),
        )
        for row in shown
    ]
    header = ("case", "B", "implementation", "time x roof", "interval", "time", "interval", "gate")
    return Table(header, tuple(lines))


def prediction_table(found: Predictions) -> Table:
    """Predicted and, where known, measured times with the error."""
    unit, factor = time_unit(row.predicted.median for row in found.rows)
    header = ("case", "B", "implementation", "% of roof there", f"predicted, {unit}", "interval")
    lines = []
    for row in found.rows:
        share = row.entry.fraction.median if row.entry.fraction else None
        lines.append(
            (
                Cell(setting(row.work.work)),
                count(row.work.work.batch),
                Cell(row.entry.implementation),
                Cell(percent(share), share),
                scaled(row.predicted.median, factor),
                Cell(span(row.predicted, factor)),
                scaled(row.measured, factor),
                Cell(signed(row.error), row.error),
                Cell("the call bounds it" if row.call_bound else ""),
            )
        )
    return Table((*header, f"measured, {unit}", "error", "remark"), tuple(lines))


def ratios_csv(comparison: Comparison) -> str:
    """Every matched point in SI units, one line each."""
    lines = []
    for row in comparison.rows:
        line: dict[str, object] = {
            "first": comparison.subjects[0].name,
            "second": comparison.subjects[row.other].name,
        }
        line |= asdict(row.first.work) | {"implementation": row.implementation}
        line |= _sides("first", row.first) | _sides("second", row.second)
        for name, value in (("ratio", row.ratio), ("time_ratio", row.time)):
            line |= {f"{name}_{end}": getattr(value, end) for end in ("median", "low", "high")}
        line |= {f"{name}_ratio": row.limits[name] for name in LIMITS}
        line |= {"follows": " ".join(row.follows), "verdict": row.verdict}
        line |= {"by_roof": row.by_roof, "unequal_work": row.unequal, "spread_known": row.spread}
        lines.append(line)
    return written(lines)


def predictions_csv(found: Predictions) -> str:
    """Every prediction in SI units, one line each."""
    lines = []
    for row in found.rows:
        line: dict[str, object] = {"source": found.source.name, "target": found.target.name}
        line |= asdict(row.work.work) | {"implementation": row.entry.implementation}
        line |= {
            f"predicted_seconds_{e}": getattr(row.predicted, e) for e in ("median", "low", "high")
        }
        line |= {"measured_seconds": row.measured, "error": row.error, "call_bound": row.call_bound}
        lines.append(line)
    return written(lines)


def written(lines: list[dict[str, object]]) -> str:
    """Lines of the same keys as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(lines[0])
    for line in lines:
        writer.writerow([field(value) for value in line.values()])
    return out.getvalue()


def setting(work: Work) -> str:
    """Work without its batch, in words."""
    words = [work.cell if work.part in ("cell", "recurrent") else f"{work.cell} {work.part}"]
    words += [f"H {work.hidden}"]
    if work.input not in (None, work.hidden):
        words.append(f"I {work.input}")
    mixed = work.activations != work.dtype
    words += [work.residency, f"{work.dtype} x {work.activations}" if mixed else work.dtype]
    words += [work.phase] if work.phase != "step" else []
    words += [f"{work.steps} steps"] if work.steps > 1 else []
    if work.device == "cuda":
        words.append(work.device)
    elif work.input:
        words.append(f"{work.threads} thread{'' if work.threads == '1' else 's'}")
    return ", ".join(words)


def signed(value: float | None) -> str:
    """A relative error: +12 %, -3.1 %."""
    if value is None:
        return ABSENT
    return ("+" if value >= 0 else "\N{MINUS SIGN}") + percent(abs(value))


def _ratio(value: float) -> str:
    """Two decimals where that is enough to tell a ratio from 1: 2.00, 0.98, 0.0356, 13.4."""
    return f"{value:.2f}" if 0.1 <= value < 10 else number(value)


def _judgement(row: Row) -> tuple[Cell, ...]:
    mark = f" {UNEQUAL}" if row.unequal else ""
    reach = _span(row.ratio) if row.spread or row.unequal else ABSENT
    return Cell(_ratio(row.ratio.median) + mark, row.ratio.median), Cell(reach), Cell(row.verdict)


def _span(value: Estimate) -> str:
    low, high = _ratio(value.low), _ratio(value.high)
    return low if low == high else f"{low}\N{EN DASH}{high}"


def _limits(row: Row) -> tuple[Cell, ...]:
    cells = [
        Cell(ABSENT) if value is None else Cell(_ratio(value), value)
        for value in row.limits.values()
    ]
    return (*cells, Cell(" or ".join(row.follows) or "none"))


def _energy(row: Row) -> float | None:
    """The ratio of the energies of a step; None where one of the two was not counted."""
    first, second = row.first.joules, row.second.joules
    return second / first if first and second else None


def _sides(name: str, entry: Entry) -> dict[str, object]:
    return {
        f"{name}_seconds": entry.time,
        f"{name}_bytes": entry.read + entry.written,
        f"{name}_flops": entry.flops,
        f"{name}_steps": entry.work.steps,
        f"{name}_joules": entry.joules,
        f"{name}_fraction": entry.fraction.median if entry.fraction else None,
    }
