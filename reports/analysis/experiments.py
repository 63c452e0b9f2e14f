"""The experiments: points that differ in one thing alone, and what they say about what bounds them.

Pure: a profile in, outcomes out. What a pair may say of a bound, and when, is `reports.analysis.elasticity`'s.

residency  weights resident against streamed: t_bytes moves as the two roofs do, t_flops and floor stay
bytes      float32 against bfloat16 or int8 weights of one implementation, whatever its activations
batch      neighbouring batches: t_flops grows with the batch, t_bytes hardly, the floor not; so it never tells
           bandwidth from overhead
threads    one thread against all: each bound by the speed-up of its own roof
contest    the same case by a quicker implementation, which shows that the machine allows it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations, pairwise
from math import log
from operator import attrgetter

from bench.profile.records import Profile
from bench.profile.stats import Estimate
from kernels.case import Case
from kernels.roofline_model import BANDWIDTH, CODE, COMPUTE, EXPLAINED
from reports.analysis import elasticity as judgement
from reports.analysis import points, verdict
from reports.analysis.elasticity import APART, CONTRADICTS, SPEEDUPS, SUPPORTS, Answer, Held
from reports.analysis.points import Row
from reports.analysis.remember import remembered

RESIDENCY, BYTES, BATCH, THREADS, CONTEST = "residency", "bytes", "batch", "threads", "contest"
NAMES = (RESIDENCY, BYTES, BATCH, THREADS, CONTEST)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One experiment between two points.

    rows        the two points, in the order in which the elasticity is formed
    about       keys of those that the answers are about: both, of a contest the slower one alone
    driver      what the elasticity is formed against: `t_bytes`, `B`, `threads`; None for a contest
    elasticity  d log t / d log driver; None for a contest, or where the driver hardly moves
    predicted   the elasticity that each bound predicts
    quicker     how many times as fast the second point is; of a contest alone
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


@remembered
def of(profile: Profile) -> tuple[Outcome, ...]:
    """Every experiment that the profile holds both points of, in the order of NAMES and of the points.

    Points without a verdict, and impossible ones, take part in none; sequences of two stages, which move as neither
    bound alone predicts, in contests only.
    """
    sound = (
        row
        for row, found in verdict.readings(profile)
        if found.name not in ("unknown", "impossible")
    )
    held = [judgement.held(profile, row) for row in sound]
    of_one_stage = [one for one in held if one.row.point.projection is None]
    made = [_asked(*pair) for pair in _pairs(of_one_stage)]
    made += [_contest(slow, quick) for slow, quick in _contests([one.row for one in held])]
    return tuple(made)


def _pairs(held: Sequence[Held]) -> Iterator[tuple[str, Held, Held]]:
    """Points of one implementation that differ in one thing."""
    for group in _groups(held, "residency"):
        by_residency = {one.row.case.residency: one for one in group}
        if len(by_residency) == 2:
            yield RESIDENCY, by_residency["resident"], by_residency["streamed"]
    for group in _groups(held, "dtype", "activations"):
        for one, other in combinations(sorted(group, key=_weights, reverse=True), 2):
            if one.row.case.dtype != other.row.case.dtype:
                yield BYTES, one, other
    for group in _groups(held, "batch"):
        for one, other in pairwise(sorted(group, key=lambda one: one.row.case.batch)):
            yield BATCH, one, other
    for group in _groups(held, "threads"):
        by_threads = {one.row.case.threads: one for one in group}
        if 1 in by_threads and max(by_threads) > 1:
            yield THREADS, by_threads[1], by_threads[max(by_threads)]


def _groups(held: Sequence[Held], *differ: str) -> list[list[Held]]:
    """Points of one implementation whose cases are alike but for these fields."""
    same = attrgetter(*(each.name for each in fields(Case) if each.name not in differ))
    found: dict[tuple[object, str], list[Held]] = {}
    for one in held:
        found.setdefault((same(one.row.case), one.row.point.implementation), []).append(one)
    return list(found.values())


def _weights(one: Held) -> int:
    return one.row.point.bytes["weights"] if one.row.point.bytes else 0


def _asked(experiment: str, one: Held, other: Held) -> Outcome:
    narrow = experiment == BYTES
    found = judgement.of(one, other, SPEEDUPS if experiment == THREADS else APART, narrow=narrow)
    driver, by = _driver(experiment, one, other)
    shown = BANDWIDTH if driver == "t_bytes" or one.larger not in found.measured else one.larger
    tells = abs(by) >= log(APART) and shown in found.measured
    return Outcome(
        experiment,
        (one.row, other.row),
        (one.row.point.key, other.row.point.key),
        driver,
        _over(found.measured[shown], by) if tells else None,
        {bound: value / by for bound, value in found.predicted.items()} if tells else {},
        answers=found.answers,
    )


def _driver(experiment: str, one: Held, other: Held) -> tuple[str, float]:
    """What the elasticity is formed against, and the log ratio by which it moves."""
    cases = one.row.case, other.row.case
    if experiment == BATCH:
        return "B", log(cases[1].batch / cases[0].batch)
    if experiment == THREADS:
        return "threads", log(cases[1].threads / cases[0].threads)
    return "t_bytes", judgement.shift(one, other, BANDWIDTH)


def _over(value: Estimate, by: float) -> Estimate:
    low, high = sorted((value.low / by, value.high / by))
    return Estimate(value.median / by, low, high)


def _contests(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Each point with the quickest other implementation of its case that reads its weights as often."""
    by_work: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        by_work.setdefault((row.case, row.point.fetched), []).append(row)
    for row in rows:
        quickest = min(by_work[row.case, row.point.fetched], key=lambda other: other.seconds.median)
        if quickest.seconds.median < row.seconds.median:
            yield row, quickest


def _contest(slow: Row, quick: Row) -> Outcome:
    """By time x paired roof and by bare time, the smaller of the two: a roof that moved between them is no gain."""
    by_clock = points.quotient(slow.seconds, quick.seconds)
    quicker = min(by_clock, points.times_apart(slow, quick), key=lambda ratio: ratio.low)
    shown = quicker.low >= 1 / EXPLAINED
    answers = {CODE: Answer(SUPPORTS), BANDWIDTH: Answer(CONTRADICTS), COMPUTE: Answer(CONTRADICTS)}
    return Outcome(
        CONTEST,
        (slow, quick),
        (slow.point.key,),
        quicker=quicker,
        answers=answers if shown else {},
    )
