"""The experiments between points, with their elasticities, and what more threads add to the roofs, as tables."""

from collections.abc import Mapping

from bench.profile.experiments import BATCH, BYTES, RESIDENCY
from kernels.roofline_model import BANDWIDTH, CALL, COMPUTE
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import DRIFT, PEERS, Outcome
from reports.analysis.verdict import BOUNDS
from reports.analysis.wording import TIMES, decimal, gain, giga
from reports.tables.columns import Column, Table, middle, scaled, table

ARROW = "\N{RIGHTWARDS ARROW}"


def _between(outcome: Outcome) -> str:
    one, other = (row.case for row in outcome.rows)
    if outcome.experiment == RESIDENCY:
        ends = (one.residency, other.residency)
    elif outcome.experiment == BYTES:
        ends = (wording.dtypes(one), wording.dtypes(other))
    elif outcome.experiment == BATCH:
        ends = (f"B {one.batch}", str(other.batch))
    elif outcome.experiment == DRIFT:
        roofs = outcome.rows[0].point.roof_bytes_per_s
        ends = (f"{giga(max(roofs))} GB/s", f"{giga(min(roofs))} beside it")
    elif outcome.experiment == PEERS:
        first, second = (row.point.implementation for row in outcome.rows)
        ends = (first, second)
    else:
        ends = (str(one.threads), f"{other.threads} threads")
    return f" {ARROW} ".join(ends)


def _interval(outcome: Outcome) -> str | None:
    """The elasticity's; of a peer comparison how many times as fast the other one is."""
    value, quicker = outcome.elasticity, outcome.quicker
    if quicker:
        return f"{gain(quicker.low)}\N{EN DASH}{gain(quicker.high)}{TIMES} as fast"
    return f"{decimal(value.low)} to {decimal(value.high)}" if value else None


def _said(outcome: Outcome) -> str:
    words = {
        word: [bound for bound in BOUNDS if outcome.answer(bound).word == word]
        for word in (SUPPORTS, CONTRADICTS)
    }
    said = [f"{word} {', '.join(bounds)}" for word, bounds in words.items() if bounds]
    return "; ".join(said) or "nothing"


OUTCOMES: tuple[Column[Outcome], ...] = (
    Column("case", lambda one: wording.setting(one.rows[0].case)),
    Column("B", lambda one: one.rows[0].case.batch),
    Column("implementation", lambda one: one.rows[0].point.implementation),
    Column("experiment", lambda one: one.experiment),
    Column("between", _between),
    Column("elasticity", lambda one: middle(one.elasticity), decimal),
    Column("95 % interval", _interval),
    Column(f"{BANDWIDTH} predicts", lambda one: one.predicted.get(BANDWIDTH), decimal),
    Column(f"{COMPUTE} predicts", lambda one: one.predicted.get(COMPUTE), decimal),
    Column(f"{CALL} predicts", lambda one: one.predicted.get(CALL), decimal),
    Column("says", _said),
)


def outcomes(analysis: Analysis) -> Table:
    """Every experiment: between which two points, the elasticity, what each bound predicts, and what it says."""
    return table(OUTCOMES, analysis.experiments)


def threads(analysis: Analysis) -> Table:
    """What more threads add to the read roof over memory and to the products; no rows for one thread count."""
    roofs = analysis.roofs
    reads = {workers: curve[-1][1] for workers, curve in roofs.curve("cpu").items() if workers}
    columns: list[Column[int]] = [
        Column("threads", int),
        *_against_one("read, memory, GB/s", reads),
    ]
    for dtype in roofs.dtypes():
        peaks = {workers: roofs.arithmetic_roof("cpu", workers, dtype) for workers in reads}
        columns += _against_one(f"products, {dtype} weights, GFLOP/s", peaks)
    return table(columns, reads if len(reads) > 1 else ())


def _against_one(title: str, rates: Mapping[int, float | None]) -> tuple[Column[int], Column[int]]:
    """A rate by threads, and how many times that of one thread."""

    def times(workers: int) -> float | None:
        rate, one = rates[workers], rates.get(1)
        return rate / one if rate and one else None

    return (
        Column(title, lambda workers: rates[workers], scaled(1e-9)),
        Column(f"{TIMES} one thread", times, lambda value: f"{value:.2f}"),
    )
