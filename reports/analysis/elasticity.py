"""What two points say of the bounds that could rule them, by how their times moved. Pure: samples in, answers out.

A bound predicts by how much the time moves from one point to the other: bandwidth as t_bytes does, compute as t_flops,
overhead as the call's floor. Two bounds are told apart only where their predictions lie far enough apart, and one is
supported only where the measured interval lies wholly beside its prediction. Judged are those bounds alone that could
rule both points: the larger of t_bytes and t_flops, and the call where the floor takes half the time or more. If all of
these are contradicted, that supports the implementation as the bound. If the larger limit is another one at each of the
points, a time that goes from the one limit to the other supports both.

What was measured is compared with a prediction round by round, each time over the limit sampled beside it: t_bytes from
the paired read roof, t_flops from the paired arithmetic roof. So a machine that changes its speed between two points
moves both sides. Bandwidth and compute are held against the time beyond the call's floor, overhead against the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from bench.profile.stats import Estimate, estimate, median
from kernels.roofline_model import BANDWIDTH, CALL, CODE, COMPUTE, EXPLAINED, OVERHEAD

APART = 1.5
"""Two bounds whose predicted times differ by a smaller factor are not told apart."""
SPEEDUPS = 1.3
"""The same for threads: by how much the speed-ups of two roofs must differ."""
TOLERANCE = log(1 / EXPLAINED)
"""How far a measured log ratio may lie from its prediction: as much as a bound may leave unexplained of the time."""

SUPPORTS, CONTRADICTS, SILENT = "supports", "contradicts", "silent"
LIMIT = "limit"
"""The larger of t_bytes and t_flops, where a point is held against whichever it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an experiment says of one bound, and which other bounds it excludes where it supports this one."""

    word: str = SILENT
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A point's samples against its bounds.

    limits  by bound what it predicts, median seconds
    ratios  the time over it, round by round
    larger  the larger of the machine's two limits
    rules   what could bound the point: that limit, and the call where the floor takes half of the time
    """

    limits: dict[str, float]
    ratios: dict[str, Estimate]
    larger: str
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Elasticities:
    """Log ratios between two points: what each bound predicts, what was measured against it, and the answers.

    A bound that is not among the answers is passed over in silence.
    """

    predicted: dict[str, float]
    measured: dict[str, Estimate]
    answers: dict[str, Answer]


def held(
    seconds: Sequence[float], floor: float, t_bytes: Sequence[float], t_flops: Sequence[float]
) -> Held:
    """The samples of a point with its limits, round by round; of a limit that is not known, none."""
    beyond = [taken - floor for taken in seconds]
    spent = {
        BANDWIDTH: (beyond, t_bytes),
        COMPUTE: (beyond, t_flops),
        CALL: (seconds, [floor] * len(seconds)),
        LIMIT: (beyond, list(map(max, t_bytes, t_flops))),
    }
    known = {
        bound: pair for bound, pair in spent.items() if pair[1] and min(*pair[0], *pair[1]) > 0
    }
    limits = {bound: median(limit) for bound, (_, limit) in known.items()}
    ratios = {
        bound: estimate([above / below for above, below in zip(*pair, strict=True)])
        for bound, pair in known.items()
    }
    larger = max((BANDWIDTH, COMPUTE), key=lambda bound: limits.get(bound, 0.0))
    called = limits.get(CALL, 0.0) >= OVERHEAD * median(seconds)
    return Held(limits, ratios, larger, frozenset({larger, CALL} if called else {larger}))


def compared(one: Held, other: Held, least: float, *, narrow: bool = False) -> Elasticities:
    """What the way from `one` to `other` says; bounds whose predictions differ by less than `least` are not told apart.

    `narrow`: the weights change their dtype. They may be multiplied by the products of their own, or be widened first;
    so compute predicts anything from no change to that of the arithmetic roofs.
    """
    shared = [bound for bound in one.limits if bound in other.limits and bound != LIMIT]
    moves = {bound: shift(one, other, bound) for bound in shared}
    predicted = {bound: (value, value) for bound, value in moves.items()}
    if narrow and COMPUTE in moves:
        predicted[COMPUTE] = (min(0.0, moves[COMPUTE]), max(0.0, moves[COMPUTE]))
    measured = {bound: _moved(one, other, bound) for bound in shared}
    answers = {
        bound: _answer(bound, measured[bound], predicted, least)
        for bound in shared
        if bound in one.rules and bound in other.rules
    }
    if answers and all(said.word == CONTRADICTS for said in answers.values()):
        answers[CODE] = Answer(SUPPORTS)  # the time moves as no limit does that could rule it
    if one.larger != other.larger:
        answers |= _crossed(one, other, predicted, least)
    return Elasticities(moves, measured, answers)


def shift(one: Held, other: Held, bound: str) -> float:
    """By how much a bound says that the time moves, as a log ratio; 0 where it says nothing of one of the points."""
    if bound not in one.limits or bound not in other.limits:
        return 0.0
    return log(other.limits[bound] / one.limits[bound])


def _crossed(
    one: Held, other: Held, predicted: dict[str, tuple[float, float]], least: float
) -> dict[str, Answer]:
    """Where another limit takes over between the points: the time goes from the one limit to the other.

    That supports each where it rules. A time that does otherwise says nothing: it may leave either of the two.
    """
    if LIMIT not in one.limits or LIMIT not in other.limits:
        return {}
    way = shift(one, other, LIMIT)
    measured = _moved(one, other, LIMIT)
    found = {
        bound: _answer(bound, measured, predicted | {bound: (way, way)}, least)
        for bound in (BANDWIDTH, COMPUTE)
        if bound in predicted
    }
    return {bound: answer for bound, answer in found.items() if answer.word == SUPPORTS}


def _moved(one: Held, other: Held, bound: str) -> Estimate:
    """The log ratio of the times: the bound's, and what is left of it when each time is held against the bound."""
    way, before, after = shift(one, other, bound), one.ratios[bound], other.ratios[bound]
    return Estimate(
        way + log(after.median / before.median),
        way + log(after.low / before.high),
        way + log(after.high / before.low),
    )


def _answer(
    bound: str, measured: Estimate, predicted: dict[str, tuple[float, float]], least: float
) -> Answer:
    """Supports: wholly within TOLERANCE of its own prediction, nearer to it than to any that can be told apart.

    Contradicts: wholly beyond TOLERANCE, and farther than half-way.
    """
    own = predicted[bound]
    gaps = {
        name: max(other[0] - own[1], own[0] - other[1])
        for name, other in predicted.items()
        if name != bound
    }
    rivals = {name: gap for name, gap in gaps.items() if gap >= log(least)}
    if not rivals:
        return Answer()
    halfway = min(rivals.values()) / 2
    nearest = max(own[0] - measured.high, measured.low - own[1], 0.0)
    farthest = max(own[0] - measured.low, measured.high - own[1], 0.0)
    if farthest <= min(TOLERANCE, halfway):
        return Answer(SUPPORTS, tuple(rivals))
    return Answer(CONTRADICTS if nearest > max(TOLERANCE, halfway) else SILENT)
