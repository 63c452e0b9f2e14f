"""What two points say of the bounds that could rule them, by how their times moved. Pure: figures in, answers out.

A bound predicts by how much the time moves from one point to the other: bandwidth as t_bytes does, compute as t_flops,
overhead as the call's floor. Two bounds are told apart only where their predictions lie far enough apart, and one is
supported only where the measured interval lies wholly beside its prediction. Judged are those bounds alone that could
rule both points: the larger of t_bytes and t_flops, and the call where the floor takes half the time or more. If all of
these are contradicted, that supports the implementation as the bound. If the larger limit is another one at each of the
points, a time that goes from the one limit to the other supports both.

What was measured is compared with a prediction round by round, each time over the limit sampled beside it: t_bytes from
the paired read roof, t_flops from the paired arithmetic roof. So a machine that changes its speed between two points
moves both sides. Bandwidth and compute are held against the time beyond the call's floor, overhead against the whole.
The ratio of two points has the interval of both (`stats.ratio`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf, log, pi, sqrt
from statistics import variance

from bench.profile import stats
from bench.profile.stats import Estimate
from kernels.roofline_model import BANDWIDTH, CALL, CODE, COMPUTE, EXPLAINED, LIMIT, OVERHEAD

APART = 1.5
"""Two bounds whose predicted times differ by a smaller factor are not told apart."""
SPEEDUPS = 1.3
"""The same for threads: by how much the speed-ups of two roofs must differ."""
TOLERANCE = log(1 / EXPLAINED)
"""How far a measured log ratio may lie from its prediction: as much as a bound may leave unexplained of the time."""

SUPPORTS, CONTRADICTS, SILENT = "supports", "contradicts", "silent"

DRIFTED = 1.1
"""By how much the roof beside one point must have moved between its visits to say what the step follows."""
LEAST_VISITS = 4
"""From so few on a slope over visits has an interval."""
BY_CHANCE = 0.25
"""So much of the variance of the roof's medians between visits the rounds within them may explain, for it to tell."""
STOOD = 0.5
"""So much of the roof's movement, as logarithms, the core's own speed may show for the roof to be what moved."""
HALFWAY = 0.5
"""Between the slopes of a step that waits for bytes, 1, and of one that does not, 0."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an experiment says of one bound, and which other bounds it excludes where it supports this one."""

    word: str = SILENT
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A point's time against its bounds.

    limits  by bound what it predicts, seconds
    ratios  the time over it, the floor taken off where the bound is not the call
    larger  the larger of the machine's two limits
    rules   what could bound the point: that limit, and the call where the floor takes half of the time
    """

    limits: Mapping[str, float]
    ratios: Mapping[str, Estimate]
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


def held(limits: Mapping[str, float], ratios: Mapping[str, Estimate], seconds: float) -> Held:
    """A point that takes so long, with what bounds predict and its time over that; of a bound unknown, none."""
    larger = max((BANDWIDTH, COMPUTE), key=lambda bound: limits.get(bound, 0.0))
    called = limits.get(CALL, 0.0) >= OVERHEAD * seconds
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
    way = shift(one, other, bound)
    return Estimate(
        *(way + log(end) for end in stats.ratio(other.ratios[bound], one.ratios[bound]))
    )


def drift(
    t_bytes: Sequence[Sequence[float]], ratios: Sequence[float], core: Sequence[Sequence[float]]
) -> Elasticities | None:
    """What the visits of one point say among themselves; None where the roof beside it stood still, or visits are few.

    Visit by visit what the bytes take, every round of it; the median time over that (the floor taken off), and of what
    was sampled of the core's own speed beside it, the products and the floor. Where t_bytes moves a step that waits for
    bytes moves by as much, others do not: the slope of log time on log t_bytes, by least squares. Chance in t_bytes
    makes it too small (Fuller, Measurement Error Models, 1987, 1.1.1): where rounds explain more than BY_CHANCE of the
    movement, None. What slows the whole machine down moves step and roof alike, whatever bounds the step; so a slope
    supports bandwidth only where something of the core was sampled and moved by less than STOOD of the roof.
    """
    if len(t_bytes) < LEAST_VISITS or len(ratios) != len(t_bytes) or min(ratios) <= 0:
        return None
    if min(map(min, t_bytes)) <= 0:
        return None
    middles = list(map(stats.median, t_bytes))
    moved = max(middles) / min(middles)
    across = list(map(log, middles))
    if moved <= DRIFTED or _chance(t_bytes) > BY_CHANCE * variance(across):
        return None
    slope = _slope(across, list(map(log, ratios)))
    slope = Estimate(*(1 + end for end in slope))  # of the time itself
    answers = {}
    # a part without products tells nothing of the core's speed by them
    known = [one for one in core if min(one, default=0) > 0]
    stood = [log(max(one) / min(one)) <= STOOD * log(moved) for one in known]
    if slope.high < HALFWAY:
        answers[BANDWIDTH] = Answer(CONTRADICTS)
    elif slope.low > HALFWAY and slope.high < 1 + HALFWAY and stood and all(stood):
        answers[BANDWIDTH] = Answer(SUPPORTS, (COMPUTE, CALL))
    predicted = {BANDWIDTH: 1.0, COMPUTE: 0.0, CALL: 0.0}
    return Elasticities(predicted, {BANDWIDTH: slope}, answers)


def _chance(visits: Sequence[Sequence[float]]) -> float:
    """The variance of a visit's log median that the scatter of its rounds explains; infinite where they are single.

    Of n normal rounds pi / 2n of their variance, as n grows (Kendall and Stuart, Advanced Theory of Statistics, 10.11).
    """
    freedom = sum(len(rounds) - 1 for rounds in visits)
    if not freedom:
        return inf
    squares = fsum(variance(map(log, one)) * (len(one) - 1) for one in visits if len(one) > 1)
    return squares / freedom * fsum(pi / 2 / len(one) for one in visits) / len(visits)


def _slope(across: list[float], up: list[float]) -> Estimate:
    """Of a line by least squares, with Student's interval (Draper and Smith, Applied Regression Analysis, 1.4)."""
    middle_across, middle_up = fsum(across) / len(across), fsum(up) / len(up)
    squares = fsum((x - middle_across) ** 2 for x in across)
    slope = (
        fsum((x - middle_across) * (y - middle_up) for x, y in zip(across, up, strict=True))
        / squares
    )
    left = [y - middle_up - slope * (x - middle_across) for x, y in zip(across, up, strict=True)]
    freedom = len(across) - 2
    error = sqrt(fsum(one * one for one in left) / freedom / squares)
    reach = stats.student((1 + stats.CONFIDENCE) / 2, freedom) * error
    return Estimate(slope, slope - reach, slope + reach)


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
