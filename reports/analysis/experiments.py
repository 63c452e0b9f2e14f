"""The experiments: points that differ in one thing alone, and what they say about what bounds them.

Pure: a profile in, outcomes out. What a pair may say of a bound, and when, is `reports.analysis.elasticity`'s.

residency  weights resident against streamed: t_bytes moves as the two roofs do, t_flops and floor stay
bytes      float32 against bfloat16 or int8 weights of one implementation, whatever its activations
batch      neighbouring batches: t_flops grows with the batch, t_bytes hardly, the floor not; so it never tells
           bandwidth from overhead
threads    one thread against all: each bound by the speed-up of its own roof
peers      the same case by a quicker implementation, which shows that the machine allows it
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from operator import attrgetter

from bench.profile.experiments import BATCH, BYTES, RESIDENCY, THREADS, pairs
from bench.profile.stats import Estimate
from kernels.roofline_model import BANDWIDTH, CODE, COMPUTE, EXPLAINED
from reports.analysis import elasticity, points
from reports.analysis.elasticity import APART, CONTRADICTS, SPEEDUPS, SUPPORTS, Answer, Held
from reports.analysis.points import Row

PEERS = "peer comparison"
NAMES = (RESIDENCY, BYTES, BATCH, THREADS, PEERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One experiment between two points.

    rows        the two points, in the order in which the elasticity is formed
    about       keys of those that the answers are about: both, of a peer comparison the slower one alone
    driver      what the elasticity is formed against: `t_bytes`, `B`, `threads`; None for a peer comparison
    elasticity  d log t / d log driver; None for a peer comparison, or where the driver hardly moves
    predicted   the elasticity that each bound predicts
    quicker     how many times as fast the second point is; of a peer comparison alone
    answers     by bound; a bound that is not in it is passed over in silence
    """

    experiment: str
    rows: tuple[Row, Row]
    about: tuple[str, ...]
    driver: str | None = None
    elasticity: Estimate | None = None
    predicted: dict[str, float] = field(default_factory=dict)
    quicker: Estimate | None = None
    answers: dict[str, Answer] = field(default_factory=dict)

    def answer(self, bound: str) -> Answer:
        """What it says of a bound."""
        return self.answers.get(bound, Answer())


def between(sound: Sequence[Row]) -> tuple[Outcome, ...]:
    """Every experiment between two of these points, in the order of NAMES and of the points.

    Sequences of two stages, which move as neither bound alone predicts, take part in peer comparisons only.
    """
    held = {
        row.key: elasticity.held(
            row.point.seconds, row.point.floor_seconds or 0.0, row.byte_times, row.flop_times
        )
        for row in sound
        if row.point.projection is None
    }
    of_one_stage = [row for row in sound if row.point.projection is None]
    made = [
        _asked(name, one, other, held[one.key], held[other.key])
        for name, one, other in pairs(
            of_one_stage, attrgetter("case"), attrgetter("point.implementation")
        )
    ]
    return (*made, *(_compared(slow, quick) for slow, quick in _peers(sound)))


def _asked(experiment: str, first: Row, second: Row, one: Held, other: Held) -> Outcome:
    least = SPEEDUPS if experiment == THREADS else APART
    found = elasticity.compared(one, other, least, narrow=experiment == BYTES)
    cases = first.case, second.case
    if experiment == BATCH:
        driver, by = "B", log(cases[1].batch / cases[0].batch)
    elif experiment == THREADS:
        driver, by = "threads", log(cases[1].threads / cases[0].threads)
    else:
        driver, by = "t_bytes", elasticity.shift(one, other, BANDWIDTH)
    shown = BANDWIDTH if driver == "t_bytes" or one.larger not in found.measured else one.larger
    tells = abs(by) >= log(APART) and shown in found.measured
    return Outcome(
        experiment,
        (first, second),
        (first.key, second.key),
        driver,
        _over(found.measured[shown], by) if tells else None,
        {bound: value / by for bound, value in found.predicted.items()} if tells else {},
        answers=found.answers,
    )


def _over(value: Estimate, by: float) -> Estimate:
    low, high = sorted((value.low / by, value.high / by))
    return Estimate(value.median / by, low, high)


def _peers(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Each point with the quickest other implementation of its case that reads its weights as often."""
    by_work: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        by_work.setdefault((row.case, row.point.fetched), []).append(row)
    for row in rows:
        quickest = min(by_work[row.case, row.point.fetched], key=lambda other: other.seconds.median)
        if quickest.seconds.median < row.seconds.median:
            yield row, quickest


def _compared(slow: Row, quick: Row) -> Outcome:
    """By time x paired roof and by bare time, the smaller of the two: a roof that moved between them is no gain."""
    by_clock = points.quotient(slow.seconds, quick.seconds)
    quicker = min(by_clock, points.times_apart(slow, quick), key=lambda ratio: ratio.low)
    shown = quicker.low >= 1 / EXPLAINED
    answers = {CODE: Answer(SUPPORTS), BANDWIDTH: Answer(CONTRADICTS), COMPUTE: Answer(CONTRADICTS)}
    return Outcome(
        PEERS, (slow, quick), (slow.key,), quicker=quicker, answers=answers if shown else {}
    )
