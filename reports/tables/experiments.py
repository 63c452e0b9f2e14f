"""The experiments between points, with their elasticities, and what more threads add to the roofs, as tables."""

from __future__ import annotations

from bench.profile.records import Profile
from kernels.roofline_model import BANDWIDTH, CALL, COMPUTE
from reports.analysis import experiments, roofs
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import BATCH, BYTES, CONTEST, RESIDENCY, Outcome
from reports.analysis.units import ABSENT, decimal, gain
from reports.analysis.verdict import BOUNDS
from reports.tables import points
from reports.tables.points import Cell, Table, count, scaled, setting

ARROW = "\N{RIGHTWARDS ARROW}"
TIMES = "\N{MULTIPLICATION SIGN}"


def outcomes(profile: Profile) -> Table:
    """Every experiment: between which two points, the elasticity, what each bound predicts, and what it says."""
    header = ("case", "B", "implementation", "experiment", "between", "elasticity", "95 % interval")
    predictions = tuple(f"{bound} predicts" for bound in (BANDWIDTH, COMPUTE, CALL))
    lines = []
    for outcome in experiments.of(profile):
        row = outcome.rows[0]
        words = (Cell(setting(row.case)), count(row.case.batch), Cell(row.point.implementation))
        kind = (Cell(outcome.experiment), Cell(_between(outcome)))
        predicted = (_signed(outcome.predicted.get(b)) for b in (BANDWIDTH, COMPUTE, CALL))
        lines.append((*words, *kind, *_measured(outcome), *predicted, Cell(_said(outcome))))
    return Table((*header, *predictions, "says"), tuple(lines))


def threads(profile: Profile) -> Table:
    """What more threads add to the read roof over memory and to the products; no rows for one thread count."""
    curves = roofs.read_curve(profile, "cpu")
    reads = {workers: curve[-1][1] for workers, curve in curves.items() if workers}
    dtypes = sorted({roof.dtype for roof in profile.roofs if roof.kind == "matmul" and roof.dtype})
    products = {
        dtype: {workers: roofs.arithmetic_roof(profile, "cpu", workers, dtype) for workers in reads}
        for dtype in dtypes
    }
    header = ["threads", "read, memory, GB/s", f"{TIMES} one thread"]
    for dtype in products:
        header += [f"products, {dtype} weights, GFLOP/s", f"{TIMES} one thread"]
    lines = []
    for workers, rate in reads.items() if len(reads) > 1 else ():
        line = [count(workers), scaled(rate, 1e-9), _times(rate, reads.get(1))]
        for peaks in products.values():
            peak = peaks[workers]
            line += [scaled(peak, 1e-9), _times(peak, peaks.get(1))]
        lines.append(tuple(line))
    return Table(tuple(header), tuple(lines))


def _between(outcome: Outcome) -> str:
    one, other = (row.case for row in outcome.rows)
    if outcome.experiment == RESIDENCY:
        ends = (one.residency, other.residency)
    elif outcome.experiment == BYTES:
        ends = (points.dtypes(one), points.dtypes(other))
    elif outcome.experiment == BATCH:
        ends = (f"B {one.batch}", str(other.batch))
    elif outcome.experiment == CONTEST:
        names = [row.point.implementation for row in outcome.rows]
        ends = (names[0], names[1])
    else:
        ends = (str(one.threads), f"{other.threads} threads")
    return f" {ARROW} ".join(ends)


def _measured(outcome: Outcome) -> tuple[Cell, Cell]:
    """The elasticity and its interval; of a contest how many times as fast the other one is."""
    value = outcome.elasticity
    if outcome.quicker:
        quicker = outcome.quicker
        times = f"{gain(quicker.low)}\N{EN DASH}{gain(quicker.high)}{TIMES}"
        return Cell(ABSENT), Cell(f"{times} as fast")
    if value is None:
        return Cell(ABSENT), Cell(ABSENT)
    ends = f"{decimal(value.low)} to {decimal(value.high)}"
    return _signed(value.median), Cell(ends)


def _said(outcome: Outcome) -> str:
    words = {
        word: [bound for bound in BOUNDS if outcome.answer(bound).word == word]
        for word in (SUPPORTS, CONTRADICTS)
    }
    said = [f"{word} {', '.join(bounds)}" for word, bounds in words.items() if bounds]
    return "; ".join(said) or "nothing"


def _signed(value: float | None) -> Cell:
    return Cell(ABSENT) if value is None else Cell(decimal(value), value)


def _times(value: float | None, one: float | None) -> Cell:
    return Cell(ABSENT) if not value or not one else Cell(f"{value / one:.2f}", value / one)
