"""What two points that differ in one thing alone say about what bounds them. Pure: a profile in, outcomes out.

A bound predicts by how much the time moves from one point to the other: bandwidth as t_bytes does, compute as t_flops,
overhead as the call's floor. Between two bounds an experiment decides only where their predictions lie far enough
apart, and it supports one only where the measured interval lies wholly beside its prediction. It judges those bounds
alone that could rule both points: the larger of t_bytes and t_flops, and the call where the floor takes half the time
or more. Where it contradicts all of these, it supports that the implementation is the bound. What was measured is
compared with a prediction round by round, each time over the limit sampled beside it: t_bytes from the paired read
roof, t_flops from the paired arithmetic roof. So a machine that changes its speed between two points moves both sides.
Bandwidth and compute are held against the time beyond the call's floor, overhead against the whole.

residency  weights resident against streamed: t_bytes moves as the two roofs do, t_flops and floor stay
bytes      float32 against bfloat16 or int8 weights of one implementation, whatever its activations
batch      neighbouring batches: t_flops grows with the batch, t_bytes hardly, the floor not; so it never tells
           bandwidth from overhead
threads    one thread against all: each bound by the speed-up of its own roof
contest    the same case by a quicker implementation, which shows that the machine allows it
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from math import log
from typing import TYPE_CHECKING

from bench.stats import Estimate, estimate, median
from reports import roofline, verdict
from reports.verdict import BANDWIDTH, CALL, CODE, COMPUTE, EXPLAINED, OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.records import Profile
    from kernels.contract import Case
    from reports.roofline import Row

APART = 1.5
"""Two bounds whose predicted times differ by a smaller factor are not told apart."""
SPEEDUPS = 1.3
"""The same for threads: by how much the speed-ups of two roofs must differ."""
TOLERANCE = log(1 / EXPLAINED)
"""How far a measured log ratio may lie from its prediction: as much as a bound may leave unexplained of the time."""

RESIDENCY, BYTES, BATCH, THREADS, CONTEST = "residency", "bytes", "batch", "threads", "contest"
NAMES = (RESIDENCY, BYTES, BATCH, THREADS, CONTEST)
SUPPORTS, CONTRADICTS, SILENT = "supports", "contradicts", "silent"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an experiment says of one bound, and which other bounds it excludes where it supports this one."""

    word: str = SILENT
    excludes: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class _Held:
    """A row, by bound what the bound predicts (median seconds), and the time over it, round by round."""

    row: Row
    limits: dict[str, float]
    ratios: dict[str, Estimate]

    @property
    def larger(self) -> str:
        """The larger of the machine's two limits."""
        return max((BANDWIDTH, COMPUTE), key=lambda bound: self.limits.get(bound, 0.0))

    @property
    def rules(self) -> set[str]:
        """What could bound it: the larger limit, and the call where the floor takes half of the time."""
        called = self.limits.get(CALL, 0.0) >= OVERHEAD * self.row.seconds.median
        return {self.larger, CALL} if called else {self.larger}


def of(profile: Profile) -> tuple[Outcome, ...]:
    """Every experiment that the profile holds both points of, in the order of NAMES and of the points.

    Points without a verdict, and impossible ones, take part in none.
    """
    sound = (
        row
        for row in roofline.rows(profile)
        if verdict.of(row).name not in ("unknown", "impossible")
    )
    held = [_held(profile, row) for row in sound]
    made = [_judged(*pair) for pair in _pairs(held)]
    made += [_contest(slow, quick) for slow, quick in _contests([one.row for one in held])]
    return tuple(made)


def _pairs(held: Sequence[_Held]) -> Iterator[tuple[str, _Held, _Held]]:
    """Points of one implementation that differ in one thing."""
    for group in _groups(held, residency="resident"):
        by_residency = {one.row.case.residency: one for one in group}
        if len(by_residency) == 2:
            yield RESIDENCY, by_residency["resident"], by_residency["streamed"]
    for group in _groups(held, dtype="float32", activations="float32"):
        for one, other in combinations(sorted(group, key=_weights, reverse=True), 2):
            if one.row.case.dtype != other.row.case.dtype:
                yield BYTES, one, other
    for group in _groups(held, batch=1):
        for one, other in pairwise(sorted(group, key=lambda one: one.row.case.batch)):
            yield BATCH, one, other
    for group in _groups(held, threads=1):
        by_threads = {one.row.case.threads: one for one in group}
        if 1 in by_threads and max(by_threads) > 1:
            yield THREADS, by_threads[1], by_threads[max(by_threads)]


def _groups(held: Sequence[_Held], **same: object) -> list[list[_Held]]:
    found: dict[tuple[Case, str], list[_Held]] = {}
    for one in held:
        key = (replace(one.row.case, **same), one.row.point.implementation)  # type: ignore[arg-type]
        found.setdefault(key, []).append(one)
    return list(found.values())


def _weights(one: _Held) -> int:
    return one.row.point.bytes["weights"] if one.row.point.bytes else 0


def _held(profile: Profile, row: Row) -> _Held:
    point, floor = row.point, row.point.floor_seconds or 0.0
    beyond = [taken - floor for taken in point.seconds]
    spent = {
        BANDWIDTH: (beyond, roofline.bytes_times(profile, point)),
        COMPUTE: (beyond, roofline.flops_times(profile, point)),
        CALL: (point.seconds, [floor] * len(beyond)),
    }
    known = {bound: pair for bound, pair in spent.items() if min(pair[0]) > 0 and min(pair[1]) > 0}
    return _Held(
        row,
        {bound: median(limit) for bound, (_, limit) in known.items()},
        {
            bound: estimate([above / below for above, below in zip(*pair, strict=True)])
            for bound, pair in known.items()
        },
    )


def _judged(experiment: str, one: _Held, other: _Held) -> Outcome:
    shared = [bound for bound in one.limits if bound in other.limits]
    shift = {bound: log(other.limits[bound] / one.limits[bound]) for bound in shared}
    predicted = {bound: (value, value) for bound, value in shift.items()}
    if experiment == BYTES and COMPUTE in shift:
        # Narrow weights may be multiplied by the faster products of their own dtype, or be widened first.
        predicted[COMPUTE] = (min(0.0, shift[COMPUTE]), max(0.0, shift[COMPUTE]))
    measured = {bound: _moved(shift[bound], one, other, bound) for bound in shared}
    least = log(SPEEDUPS if experiment == THREADS else APART)
    answers = {
        bound: _answer(bound, measured[bound], predicted, least)
        for bound in shared
        if bound in one.rules and bound in other.rules
    }
    if answers and all(said.word == CONTRADICTS for said in answers.values()):
        answers[CODE] = Answer(SUPPORTS)  # the time moves as no limit does that could rule it
    driver, by = _driver(experiment, one, other, shift)
    shown = BANDWIDTH if driver == "t_bytes" or one.larger not in measured else one.larger
    tells = abs(by) >= least and shown in measured
    return Outcome(
        experiment,
        (one.row, other.row),
        (one.row.point.key, other.row.point.key),
        driver,
        _over(measured[shown], by) if tells else None,
        {bound: value / by for bound, value in shift.items()} if tells else {},
        answers=answers,
    )


def _driver(
    experiment: str, one: _Held, other: _Held, shift: dict[str, float]
) -> tuple[str, float]:
    """What the elasticity is formed against, and the log ratio by which it moves."""
    cases = one.row.case, other.row.case
    if experiment == BATCH:
        return "B", log(cases[1].batch / cases[0].batch)
    if experiment == THREADS:
        return "threads", log(cases[1].threads / cases[0].threads)
    return "t_bytes", shift.get(BANDWIDTH, 0.0)


def _moved(shift: float, one: _Held, other: _Held, bound: str) -> Estimate:
    """The log ratio of the times, as `shift` times what is left of it when each is held against its own limit."""
    before, after = one.ratios[bound], other.ratios[bound]
    return Estimate(
        shift + log(after.median / before.median),
        shift + log(after.low / before.high),
        shift + log(after.high / before.low),
    )


def _over(value: Estimate, by: float) -> Estimate:
    low, high = sorted((value.low / by, value.high / by))
    return Estimate(value.median / by, low, high)


def _answer(
    bound: str, measured: Estimate, predicted: dict[str, tuple[float, float]], least: float
) -> Answer:
    """Supports: wholly within TOLERANCE of its own prediction, and nearer to it than to any other that can be told

    apart. Contradicts: wholly beyond TOLERANCE, and farther than half-way.
    """
    own = predicted[bound]
    gaps = {
        name: max(other[0] - own[1], own[0] - other[1])
        for name, other in predicted.items()
        if name != bound
    }
    rivals = {name: gap for name, gap in gaps.items() if gap >= least}
    if not rivals:
        return Answer()
    halfway = min(rivals.values()) / 2
    nearest = max(own[0] - measured.high, measured.low - own[1], 0.0)
    farthest = max(own[0] - measured.low, measured.high - own[1], 0.0)
    if farthest <= min(TOLERANCE, halfway):
        return Answer(SUPPORTS, tuple(rivals))
    return Answer(CONTRADICTS if nearest > max(TOLERANCE, halfway) else SILENT)


def _contests(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Each point with the quickest other implementation of its case that reads its weights as often."""
    for row in rows:
        others = [
            other
            for other in rows
            if other.case == row.case
            and other.point.reads == row.point.reads
            and other.seconds.median < row.seconds.median
        ]
        if others:
            yield row, min(others, key=lambda other: other.seconds.median)


def _contest(slow: Row, quick: Row) -> Outcome:
    """By time x paired roof and by bare time, the smaller of the two: a roof that moved between them is no gain."""
    by_clock = roofline.quotient(slow.seconds, quick.seconds)
    quicker = min(by_clock, roofline.times_apart(slow, quick), key=lambda ratio: ratio.low)
    shown = quicker.low >= 1 / EXPLAINED
    answers = {CODE: Answer(SUPPORTS), BANDWIDTH: Answer(CONTRADICTS), COMPUTE: Answer(CONTRADICTS)}
    return Outcome(
        CONTEST,
        (slow, quick),
        (slow.point.key,),
        quicker=quicker,
        answers=answers if shown else {},
    )
