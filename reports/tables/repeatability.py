"""What moves between runs as tables, as sentences, and as CSV. Rows in, text out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from math import exp
from typing import NamedTuple

from bench.profile.stats import Estimate
from reports.analysis.verdict import Verdict
from reports.analysis.wording import (
    ABSENT,
    marked,
    number,
    percent,
    setting,
    short,
    time_unit,
    verdict,
)
from reports.compare import agreement as agreeing
from reports.compare.agreement import MIXED, Agreement, ClaimOfRuns, FreeBatch
from reports.compare.repeatability import (
    ADVICE,
    BY_ROOF,
    FRACTION,
    IN_ONE,
    TIME,
    Pairs,
    Repeatability,
    Repeated,
)
from reports.tables.columns import Cell, Column, Table, csv_text, table
from reports.tables.predictions import signed

HOLDS, FAILS = "yes", "NO"
MOST_POINTS = 20
"""Points that a terminal shows, those that move most."""


class Asked(NamedTuple):
    """A figure of the summary: what it was found to be, what is asked of it, and whether it holds; None where open."""

    what: str
    found: str
    asked: str
    holds: bool | None


def summary_table(found: Agreement) -> Table:
    """What a reader relies on from run to run, and whether these runs bear it out."""
    columns: tuple[Column[Asked], ...] = (
        Column("from run to run", lambda one: one.what),
        Column("found", lambda one: one.found),
        Column("asked", lambda one: one.asked),
        Column("holds", lambda one: {True: HOLDS, False: FAILS, None: None}[one.holds]),
    )
    return table(columns, summary(found))


def summary(found: Agreement) -> list[Asked]:
    """Every figure of it."""
    both = found.confirmed
    apart = [one for one in found.free if not one.together]
    unclear = sum(one.unclear for one in found.free)
    flips = [one for one in found.claims if one.flips]
    shares = [one.confirmed_share for one in found.runs if one.confirmed_share is not None]
    widths = [one.half_width for one in found.runs if one.half_width is not None]
    claims = min(one.claims for one in found.runs)
    return [
        Asked(
            "verdicts that both runs of a pair confirm",
            f"{both.all - both.of_kind} of {both.all} equal",
            "all equal",
            not both.of_kind if both.all else None,
        ),
        *(_disjoint(found, name) for name in found.disjoint),
        Asked(
            "free batches of a series",
            f"{len(found.free) - len(apart)} of {len(found.free)} overlap; {unclear} unclear in a run",
            "all overlap",
            not apart if found.free else None,
        ),
        Asked(
            "claims supported in one run and refuted in another",
            f"{len(flips)} of {len(found.claims)}",
            "none",
            not flips if found.claims else None,
        ),
        _at_least(
            "points confirmed of those that are not mixed, in the run with fewest",
            min(shares, default=None),
            agreeing.CONFIRMED,
        ),
        Asked(
            "claims decided, in the run with fewest",
            str(claims),
            f"at least {agreeing.DECIDED}",
            claims >= agreeing.DECIDED,
        ),
        _at_most(
            "half-width of a time, median of the run where it is widest",
            max(widths, default=None),
            agreeing.NARROW,
        ),
    ]


def _disjoint(found: Agreement, name: str) -> Asked:
    pairs, worst = found.disjoint[name], found.worst[name]
    one = _at_most(f"disjoint intervals of {name}", pairs.share, agreeing.OVERLAP)
    return one._replace(found=f"{one.found}; {percent(worst)} in the worst pair")


def _at_most(what: str, value: float | None, most: float) -> Asked:
    holds = None if value is None else value <= most
    return Asked(what, percent(value), f"at most {percent(most)}", holds)


def _at_least(what: str, value: float | None, least: float) -> Asked:
    holds = None if value is None else value >= least
    return Asked(what, percent(value), f"at least {percent(least)}", holds)


def run_table(found: Repeatability, agreed: Agreement) -> Table:
    """Every run: when, how far all its points together lie from the others, and what it decides."""
    drifts = {name: partial(_drift, found, name) for name in found.drift}
    columns: tuple[Column[int], ...] = (
        Column("run", lambda run: run + 1),
        Column("profile", lambda run: found.names[run]),
        Column("measured", lambda run: found.analyses[run].profile.created[:16].replace("T", " ")),
        *(Column(f"drift, {name}", drift, signed) for name, drift in drifts.items()),
        Column("points", lambda run: agreed.runs[run].good),
        Column("mixed", lambda run: agreed.runs[run].mixed),
        Column("confirmed", lambda run: agreed.runs[run].confirmed),
        Column("claims", lambda run: agreed.runs[run].claims),
        Column("half-width", lambda run: agreed.runs[run].half_width, percent),
        Column("warnings", lambda run: len(found.analyses[run].warnings)),
    )
    return table(columns, range(len(found.names)))


def _drift(found: Repeatability, name: str, run: int) -> float | None:
    value = found.drift[name][run]
    return None if value is None else exp(value) - 1


def point_table(found: Repeatability, most: int | None = None) -> Table:
    """Points by run; with `most` no more than so many, those whose time moves most.

    sd is the standard deviation of logarithms between runs: of the time, of that less the drift of each run, of
    time x roof, and of the share; disjoint, of how many pairs of runs the 95 % intervals of the time.
    """
    medians = [one.median for point in found.points for one in point.figure(TIME) if one]
    unit, factor = time_unit(medians)
    columns: tuple[Column[Repeated], ...] = (
        Column("case", lambda one: short(one.case)),
        Column("B", lambda one: one.case.batch),
        Column("implementation", lambda one: one.implementation),
        Column(f"{unit} by run", lambda one: _by_run(one, TIME, lambda x: number(x * factor))),
        Column("sd", lambda one: one.spread[TIME], percent),
        Column("less drift", lambda one: one.apart, percent),
        Column("x roof", lambda one: one.spread[BY_ROOF], percent),
        Column("% of roof", lambda one: _by_run(one, FRACTION, _bare_percent)),
        Column("sd", lambda one: one.spread[FRACTION], percent),
        Column("disjoint", lambda one: _pairs(one.disjoint[TIME])),
        Column("verdicts", lambda one: verdicts_by_run(one.verdicts)),
        Column("moves", _moves),
    )
    rows = found.points
    if most is not None:
        rows = tuple(sorted(rows, key=lambda one: -(one.spread[TIME] or 0.0))[:most])
    return table(columns, rows)


def differing_table(agreed: Agreement) -> Table:
    """Points of which two runs confirm different verdicts."""
    columns: tuple[Column[Repeated], ...] = (
        Column("case", lambda one: setting(one.case)),
        Column("B", lambda one: one.case.batch),
        Column("implementation", lambda one: one.implementation),
        Column("verdicts", lambda one: verdicts_by_run(one.verdicts)),
    )
    return table(columns, agreed.differing)


def free_table(agreed: Agreement) -> Table:
    """Free batches by run, of the series whose runs do not all say the same."""
    columns: tuple[Column[FreeBatch], ...] = (
        Column("series", lambda one: setting(one.case)),
        Column("implementation", lambda one: one.implementation),
        Column("free batch by run", lambda one: _texts(one.texts)),
        Column("overlap", lambda one: HOLDS if one.together else FAILS),
    )
    return table(columns, [one for one in agreed.free if len(set(one.texts)) > 1])


def claim_table(agreed: Agreement) -> Table:
    """Claims by run."""
    columns: tuple[Column[ClaimOfRuns], ...] = (
        Column("claim", lambda one: one.number),
        Column("on", lambda one: one.device),
        Column("states", lambda one: one.statement),
        Column("by run", lambda one: grouped(one.texts)),
        Column("flips", lambda one: FAILS if one.flips else "no"),
    )
    return table(columns, agreed.claims)


def advice(found: Repeatability) -> list[str]:
    """How many points move, and a sentence for every way in which one does: which, and what to do."""
    ways = Counter(one.moves for one in found.points)
    still = ways.pop(None, 0)
    told = [f"{still} of {len(found.points)} points hold still."]
    return told + [f"{ways[way]} move {way}: {todo}." for way, todo in ADVICE.items() if ways[way]]


def points_csv(found: Repeatability) -> str:
    """Every point in SI units, one line each, runs side by side."""
    return csv_text([_line(point) for point in found.points])


def _line(point: Repeated) -> dict[str, object]:
    line: dict[str, object] = {**asdict(point.case), "implementation": point.implementation}
    for run, (row, found) in enumerate(zip(point.rows, point.verdicts, strict=True), 1):
        figures = {
            "seconds": row.seconds if row else None,
            "normalised_bytes": row.normalised if row else None,
            "fraction": row.fraction if row else None,
        }
        for name, value in figures.items():
            for end in Estimate._fields:
                line[f"run{run}_{name}_{end}"] = getattr(value, end) if value else None
        line[f"run{run}_verdict"] = verdict(found) if found else None
        line[f"run{run}_confirmed"] = found.confirmed if found else None
    names = {TIME: "seconds", BY_ROOF: "normalised", FRACTION: "fraction"}
    for figure, name in names.items():
        line[f"{name}_sd_of_log"] = point.spread[figure]
        line[f"{name}_disjoint_pairs"] = point.disjoint[figure].of_kind
    line["seconds_sd_of_log_less_drift"] = point.apart
    line["pairs"] = point.disjoint[TIME].all
    line["moves"] = point.moves
    return line


def verdicts_by_run(verdicts: Sequence[Verdict | None]) -> str:
    """`bandwidth (DRAM) ✓ in all`, or each verdict with the numbers of its runs; how much is to gain left aside."""
    return grouped([_word(one) if one else None for one in verdicts])


def _word(found: Verdict) -> str:
    return MIXED if found.name == MIXED else marked(replace(found, faster=None))


def grouped(texts: Sequence[str | None]) -> str:
    """Each text with the numbers of its runs, once: `supported in 1 3, not supported here in 2`."""
    runs: dict[str, list[str]] = {}
    for run, text in enumerate(texts, 1):
        if text is not None:
            runs.setdefault(text, []).append(str(run))
    if len(runs) == 1 and None not in texts:
        return f"{next(iter(runs))} in all"
    return ", ".join(f"{text} in {' '.join(those)}" for text, those in runs.items())


def _texts(texts: Sequence[str | None]) -> str:
    return ", ".join(text or ABSENT for text in texts)


def _by_run(point: Repeated, name: str, form: Callable[[float], str]) -> str:
    return " ".join(form(one.median) if one else ABSENT for one in point.figure(name))


def _bare_percent(value: float) -> str:
    return percent(value).removesuffix(" %")


def _pairs(found: Pairs) -> Cell:
    return Cell(f"{found.of_kind}/{found.all}", found.share)


def _moves(point: Repeated) -> str:
    if point.moves == IN_ONE and point.odd is not None:
        return f"in run {point.odd + 1}"
    return point.moves or "no"
