"""The experiments: points that differ in one thing alone, and what they say about what bounds them.

Pure: a profile in, outcomes out. What a pair may say of a bound, and when, is `reports.analysis.elasticity`'s.

residency  weights resident against streamed: t_bytes moves as the two roofs do, t_flops and floor stay
bytes      float32 against bfloat16 or int8 weights of one implementation, whatever its activations
batch      neighbouring batches: t_flops grows with the batch, t_bytes hardly, the floor not; so it never tells
           bandwidth from overhead
threads    one thread against all: each bound by the speed-up of its own roof
drift      one point's visits among themselves, where the roof beside it moved: t_bytes moves with it, the rest stays
peers      the same case by a quicker implementation, which shows that the machine allows it

A point with many visits is shared by several experiments. Residency and threads look at its first, third and fifth
visit, bytes and batch at the others, so that one disturbed visit cannot speak to both. Drift needs all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from operator import attrgetter

from bench.profile import stats
from bench.profile.experiments import BATCH, BYTES, RESIDENCY, THREADS, pairs
from bench.profile.stats import Estimate
from kernels.roofline_model import BANDWIDTH, CODE, COMPUTE, EXPLAINED
from reports.analysis import elasticity, points
from reports.analysis.elasticity import APART, CONTRADICTS, SPEEDUPS, SUPPORTS, Answer, Held
from reports.analysis.points import Row

DRIFT, PEERS = "roof drift", "peer comparison"
NAMES = (RESIDENCY, BYTES, BATCH, THREADS, DRIFT, PEERS)
MOVE_A_ROOF = (RESIDENCY, THREADS, DRIFT)
"""Those that move a roof. In the others bytes or FLOPs alone move, which a core feels as memory does."""
ON_ODD, ON_EVEN = frozenset({RESIDENCY, THREADS}), frozenset({BYTES, BATCH})
"""Those that look at the same visits of a point that has many."""
SHARED_VISITS = 6
"""Visits from which on a point is judged on different ones by different experiments."""
ODD, EVEN = slice(0, None, 2), slice(1, None, 2)
"""The first, third and fifth visit; the second, fourth and sixth."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One experiment between two points, or between the visits of one.

    rows        the two points, in the order in which the elasticity is formed; of roof drift one point twice
    about       keys of those that the answers are about: both, of a peer comparison the slower one alone
    driver      what the elasticity is formed against: `t_bytes`, `B`, `threads`; None for a peer comparison
    elasticity  d log t / d log driver; None for a peer comparison, or where the driver hardly moves
    predicted   the elasticity that each bound predicts
    quicker     how many times as fast the second point is; of a peer comparison alone
    moved       whether a roof moved, so far that a step which stands still can be told from one that follows it
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
    moved: bool = False

    def answer(self, bound: str) -> Answer:
        """What it says of a bound."""
        return self.answers.get(bound, Answer())


def between(sound: Sequence[Row]) -> tuple[Outcome, ...]:
    """Every experiment between two of these points, in the order of NAMES and of the points.

    Sequences of two stages, which move as neither bound alone predicts, take part in peer comparisons only.
    """
    of_one_stage = [row for row in sound if row.point.projection is None]
    known: dict[tuple[str, int], Held] = {}

    def held(experiment: str, row: Row) -> Held:
        visits = _visits(experiment, row)
        place = row.key, -1 if visits is points.ALL else visits.start
        if place not in known:
            known[place] = _held(row, visits)
        return known[place]

    found = pairs(of_one_stage, attrgetter("case"), attrgetter("point.implementation"))
    made = [
        _asked(name, one, other, held(name, one), held(name, other)) for name, one, other in found
    ]
    drifts = (_drifted(row) for row in of_one_stage)
    peers = (_compared(slow, quick) for slow, quick in _peers(sound))
    return (*made, *(one for one in drifts if one), *peers)


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
        moved=experiment in MOVE_A_ROOF
        and abs(elasticity.shift(one, other, BANDWIDTH)) >= log(least),
    )


def shared(row: Row) -> bool:
    """Whether a point is judged on different visits by different experiments."""
    return len(row.point.visits or ()) >= SHARED_VISITS


def _visits(experiment: str, row: Row) -> slice:
    """Which visits of a point an experiment looks at."""
    if not shared(row):
        return points.ALL
    return ODD if experiment in ON_ODD else EVEN


def _held(row: Row, visits: slice) -> Held:
    """A point against its bounds, by some of its visits."""
    limits: dict[str, float] = {}
    ratios: dict[str, Estimate] = {}
    for bound, (figure, beyond) in points.ALLOWED.items():
        allowed, over = row.part(figure, visits), row.part(beyond, visits)
        ratio = (
            row.estimate(beyond, visits) if over and min(allowed) > 0 and min(over) > 0 else None
        )
        if ratio:
            limits[bound] = row.middle(figure, visits)
            ratios[bound] = ratio
    return elasticity.held(limits, ratios, row.middle("seconds", visits))


def _drifted(row: Row) -> Outcome | None:
    if not row.sampled.visited:
        return None
    beside = (("t_flops", row.point.roof_flop_per_s), ("floor", row.point.floor_beside))
    core = [row.part(figure) for figure, sampled in beside if sampled]
    found = elasticity.drift(
        stats.by_visit(row.byte_times, row.point.visits),
        row.part(points.ALLOWED[BANDWIDTH][1]),
        core,
    )
    if found is None:
        return None
    slope = found.measured[BANDWIDTH]
    return Outcome(
        *(DRIFT, (row, row), (row.key,), "t_bytes", slope, found.predicted),
        answers=found.answers,
        moved=True,
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
    by_clock = stats.ratio(slow.seconds, quick.seconds)
    quicker = min(by_clock, points.times_apart(slow, quick), key=lambda ratio: ratio.low)
    shown = quicker.low >= 1 / EXPLAINED
    answers = {CODE: Answer(SUPPORTS), BANDWIDTH: Answer(CONTRADICTS), COMPUTE: Answer(CONTRADICTS)}
    return Outcome(
        PEERS, (slow, quick), (slow.key,), quicker=quicker, answers=answers if shown else {}
    )
