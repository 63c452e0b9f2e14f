"""Rows into tables: every point, for the pages and for the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.profile.records import Point, Profile
from bench.profile.stats import Estimate
from kernels.case import Case
from reports.analysis import confirm, warnings
from reports.analysis import points as roofline
from reports.analysis.points import Row
from reports.analysis.remember import remembered
from reports.analysis.units import ABSENT, giga, number, percent, percent_range, span, time_unit
from reports.analysis.verdict import Verdict

if TYPE_CHECKING:
    from rich.table import Table as RichTable


HOISTED = "\N{DOUBLE DAGGER}"
"""Stands behind an implementation whose steps need not fetch all weights."""
HOISTED_LEGEND = (
    f"{HOISTED} fetches W or U once for all steps of a call: to be compared with its like alone."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a table shows in one place, and the number it sorts by where it is one."""

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A header, and rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers, or nothing but missing ones."""
        columns = range(len(self.header))
        return tuple(all(_is_number(row[column]) for row in self.rows) for column in columns)


def points(profile: Profile) -> Table:
    """Every planned point, good or not; one unit per column."""
    unit, factor = time_unit(row.seconds.median for row in roofline.rows(profile))
    codes: dict[str, set[str]] = {}
    for warning in warnings.of(profile):
        for key in warning.about.split(warnings.BETWEEN):
            codes.setdefault(key, set()).add(warning.code)
    header: tuple[str, ...] = (
        "cell",
        "part",
        "weights",
        "H",
        "I",
        "B",
        "T",
        "dtype",
        "threads",
        "implementation",
    )
    header += (f"time, {unit}", "95 % interval", "GB/s", "GFLOP/s", "FLOP/byte", "% of roof")
    counted = any(point.joules is not None for point in profile.points)
    header += ("95 % interval", *(("mJ",) if counted else ()), "verdict", "warnings")
    rows = []
    known = held(profile)
    for point in roofline.ordered(profile):
        row, found = known.get(point.key, (None, None))
        verdict_or_reason = found.marked if found else outcome(point)
        warned_of = ", ".join(sorted(codes.get(point.key, ())))
        spent = (scaled(point.joules, 1e3),) if counted else ()
        words = (Cell(verdict_or_reason), Cell(warned_of))
        rows.append((*_case(point), *_figures(row, factor), *spent, *words))
    return Table(header, tuple(rows))


def closing(profile: Profile) -> RichTable:
    """The table a terminal shows when a run ends: one line per planned point, a rule between series."""
    from rich.table import Table as Grid
    from rich.text import Text

    unit, factor = time_unit(row.seconds.median for row in roofline.rows(profile))
    grid = Grid(caption=legend(profile), caption_justify="left")
    numbers = ("B", unit, "\N{PLUS-MINUS SIGN}", "GB/s", "GFLOP/s", "% of roof")
    for name in ("case", "B", "implementation", *numbers[1:], "verdict"):
        grid.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    many_threads = len({point.case.threads for point in profile.points}) > 1
    before = None
    known = held(profile)
    for point in roofline.ordered(profile):
        case = short(point.case) + (f" t{point.case.threads}" if many_threads else "")
        if before not in (None, case):
            grid.add_section()
        before = case
        row, found = known.get(point.key, (None, None))
        figures = ["", "", "", "", "", outcome(point)]
        if row is not None and found is not None:
            figures = [number(row.seconds.median * factor), percent(row.seconds.half_width)]
            figures += [giga(row.bytes_per_s), giga(row.flop_per_s)]
            figures += [percent(row.fraction.median if row.fraction else None), found.marked]
        words = (case, str(point.case.batch), contender(point), *figures)
        # Text, not markup: a reason may hold square brackets.
        grid.add_row(*(Text(word) for word in words))
    return grid


def setting(case: Case) -> str:
    """A case without its batch, in words: `lstm, H 1024, streamed, float32, 2 threads`."""
    words = [f"{case.cell}{_kind(case)}", f"H {case.hidden}"]
    if case.input != case.hidden:
        words.append(f"I {case.input}")
    if case.steps > 1:
        words.append(f"{case.steps} steps a call")
    words += [case.residency, dtypes(case)]
    words.append(setup(case.device, case.threads))
    return ", ".join(words)


def short(case: Case) -> str:
    """A case without batch and threads, as short as a terminal wants it: `lstm 1024 streamed float32`."""
    sizes = str(case.hidden) if case.input == case.hidden else f"{case.input}>{case.hidden}"
    device = "" if case.device == "cpu" else f" {case.device}"
    steps = "" if case.steps == 1 else f" T{case.steps}"
    return f"{case.cell}{_kind(case)} {sizes}{steps} {case.residency} {dtypes(case)}{device}"


def _kind(case: Case) -> str:
    """What a case is beside a whole step of inference, with a blank in front: ` linear`, ` train`."""
    part = "" if case.part == "cell" else f" {case.part}"
    return part if case.phase == "step" else f"{part} {case.phase}"


def contender(point: Point) -> str:
    """Its implementation's name, marked where it must fetch less than another may have to."""
    mark = "" if point.fetched == ("W", "U") else f" {HOISTED}"
    return point.implementation + mark


def legend(profile: Profile) -> str:
    """What the marks behind verdicts mean, and those behind names where there are any."""
    hoisted = any(point.fetched != ("W", "U") for point in profile.points)
    return f"{confirm.LEGEND} {HOISTED_LEGEND}" if hoisted else confirm.LEGEND


def energy(profile: Profile) -> str:
    """Why points have no energy, by device, in a sentence; nothing where all that could be was counted."""
    told = profile.environment.get("energy")
    if not isinstance(told, dict):
        return ""
    why = [f"on {device}: {reason}" for device, reason in told.items() if reason != "counted"]
    return f"Energy of a step was not measured {'; '.join(why)}." if why else ""


def threads(case: Case) -> str:
    """`1 thread`, `2 threads`."""
    return setup("cpu", case.threads)


def setup(device: str, threads: int) -> str:
    """Where a step runs, in words: `2 threads`, or the device that is no CPU."""
    return f"{threads} thread{'' if threads == 1 else 's'}" if device == "cpu" else device


def dtypes(case: Case) -> str:
    """The weights' dtype, and the activations' where it is another: `bfloat16 x float32`."""
    return case.dtype if case.activations == case.dtype else f"{case.dtype} x {case.activations}"


def outcome(point: Point) -> str:
    """Why a point has no figure: `skipped: takes float32 only`."""
    return f"{point.status}: {point.reason or 'no reason recorded'}"


@remembered
def held(profile: Profile) -> dict[str, tuple[Row, Verdict]]:
    """Row and verdict of every good point, by its key; those that failed or were skipped have none."""
    verdicts = confirm.verdicts(profile)
    return {row.point.key: (row, verdicts[row.point.key]) for row in roofline.rows(profile)}


def count(value: int | None) -> Cell:
    """A whole number."""
    return Cell(ABSENT) if value is None else Cell(str(value), value)


def scaled(value: float | None, factor: float) -> Cell:
    """A number in the unit of its column; it sorts by its own."""
    return Cell(ABSENT) if value is None else Cell(number(value * factor), value)


def share(value: Estimate | None) -> Cell:
    """The median of a fraction, in per cent."""
    return Cell(ABSENT) if value is None else Cell(percent(value.median), value.median)


def _is_number(cell: Cell) -> bool:
    return cell.value is not None or cell.text == ABSENT


def _case(point: Point) -> tuple[Cell, ...]:
    case = point.case
    workers = count(case.threads) if case.device == "cpu" else Cell(case.device)
    sizes = (count(case.hidden), count(case.input), count(case.batch), count(case.steps))
    part = case.part if case.phase == "step" else f"{case.part}, {case.phase}"
    words = (Cell(case.cell), Cell(part), Cell(case.residency))
    return (*words, *sizes, Cell(dtypes(case)), workers, Cell(contender(point)))


def _figures(row: Row | None, factor: float) -> tuple[Cell, ...]:
    if row is None:
        return (Cell(ABSENT),) * 7
    return (
        scaled(row.seconds.median, factor),
        Cell(span(row.seconds, factor)),
        scaled(row.bytes_per_s, 1e-9),
        scaled(row.flop_per_s, 1e-9),
        scaled(row.intensity, 1),
        share(row.fraction),
        Cell(percent_range(row.fraction)),
    )
