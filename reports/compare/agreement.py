"""Whether runs of one suite on one machine say the same: their verdicts, free batches and claims, in numbers. Pure.

A verdict that two runs confirm and that differs is an error of one of them, as is a claim that one finds supported and
another not. To say nothing is no agreement: how much each run decides is counted, too.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple, TypeVar

from bench.profile.stats import median
from kernels.case import Case
from reports.analysis.analysis import Analysis
from reports.analysis.claims import REFUTED, SUPPORTED, Claim
from reports.analysis.series import Series
from reports.analysis.verdict import Verdict
from reports.compare.repeatability import (
    FIGURES,
    LEAST,
    Pairs,
    Repeatability,
    Repeated,
    disjoint_pairs,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MIXED = "mixed"
OVERLAP = 0.08
"""At most this share of pairs of runs may have intervals of a point that are disjoint."""
CONFIRMED = 0.4
"""At least this share of the points that are not mixed should be confirmed in each run."""
DECIDED = 3
"""At least so many claims should be decided in each run."""
NARROW = 0.08
"""In each run the half-width of an interval of a time should be at most this in the median."""


class Range(NamedTuple):
    """The batches between which a free batch lies; `high` is None where no larger one was measured."""

    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class FreeBatch:
    """The free batch of a series by run: None where the run has none.

    together  whether all ranges overlap
    unclear   whether in a run it may be any batch of the plan
    """

    case: Case
    implementation: str
    texts: tuple[str | None, ...]
    together: bool
    unclear: bool


@dataclass(frozen=True, slots=True)
class ClaimOfRuns:
    """A claim by run: None where the run has no such claim; `flips` between supported and not supported."""

    device: str
    number: int
    statement: str
    texts: tuple[str | None, ...]
    flips: bool


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run decides: points by their verdicts, claims, and the median half-width of its times."""

    good: int
    mixed: int
    confirmed: int
    claims: int
    half_width: float | None

    @property
    def confirmed_share(self) -> float | None:
        """Of the points that are not mixed; None where all are."""
        clear = self.good - self.mixed
        return self.confirmed / clear if clear else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What runs agree on.

    confirmed    pairs of runs that both confirm a verdict of a point, and those where it differs
    differing    the points where it does
    disjoint     by figure, pairs of runs whose intervals of a point are disjoint, over all points
    worst        by figure, the largest share of points with disjoint intervals in any one pair of runs
    free         series with a free batch in two runs at least
    claims       claims that two runs at least have
    runs         what each run decides
    """

    confirmed: Pairs
    differing: tuple[Repeated, ...]
    disjoint: dict[str, Pairs]
    worst: dict[str, float | None]
    free: tuple[FreeBatch, ...]
    claims: tuple[ClaimOfRuns, ...]
    runs: tuple[RunFigures, ...]


def agreement(found: Repeatability) -> Agreement:
    """What these runs agree on."""
    judged = [(point, differing_pairs(point.verdicts)) for point in found.points]
    runs = range(len(found.names))
    shares = {
        name: [_disjoint_share(found.points, name, *pair) for pair in combinations(runs, 2)]
        for name in FIGURES
    }
    return Agreement(
        confirmed=Pairs(
            sum(pairs.of_kind for _, pairs in judged), sum(pairs.all for _, pairs in judged)
        ),
        differing=tuple(point for point, pairs in judged if pairs.of_kind),
        disjoint={name: found.disjoint(name) for name in FIGURES},
        worst={
            name: max((one for one in each if one is not None), default=None)
            for name, each in shares.items()
        },
        free=_free_batches(found.analyses),
        claims=_claims(found.analyses),
        runs=tuple(map(_decides, found.analyses)),
    )


def differing_pairs(verdicts: Sequence[Verdict | None]) -> Pairs:
    """Pairs of runs that both confirm a verdict, and how many of them do not name the same one."""
    names = [one.name for one in verdicts if one and one.confirmed]
    pairs = list(combinations(names, 2))
    return Pairs(sum(one != other for one, other in pairs), len(pairs))


def _disjoint_share(points: Sequence[Repeated], name: str, one: int, other: int) -> float | None:
    """Of the points that two runs have, the share whose intervals have nothing in common."""
    pairs = [disjoint_pairs([point.figure(name)[run] for run in (one, other)]) for point in points]
    return Pairs(sum(pair.of_kind for pair in pairs), sum(pair.all for pair in pairs)).share


def _by_run(runs: Sequence[Mapping[K, V]]) -> dict[K, list[V | None]]:
    """Everything that any run has, run by run; None where a run has it not."""
    return {key: [run.get(key) for run in runs] for key in dict.fromkeys(chain(*runs))}


def _free_batches(analyses: Sequence[Analysis]) -> tuple[FreeBatch, ...]:
    found = _by_run([{(one.case, one.implementation): one for one in a.series} for a in analyses])
    made = []
    for (case, implementation), by_run in found.items():
        ranges = [free_range(one) if one else None for one in by_run]
        if sum(one is not None for one in ranges) >= LEAST:
            texts = tuple(one.free_text if one else None for one in by_run)
            unclear = any(one.unclear for one in by_run if one)
            made.append(FreeBatch(case, implementation, texts, overlap(ranges), unclear))
    return tuple(made)


def free_range(series: Series) -> Range | None:
    """Between which batches the free batch of a series lies; None where the run does not say."""
    if series.free is None or len(series.planned) == 1:
        return None
    least, most = series.free
    return Range(least, None if series.endless else most)


def overlap(ranges: Sequence[Range | None]) -> bool:
    """Whether every two of these ranges have a batch in common; those that are not known are passed over."""
    known = [one for one in ranges if one is not None]
    ends = [one.high for one in known if one.high is not None]
    return not known or not ends or max(one.low for one in known) <= min(ends)


def _claims(analyses: Sequence[Analysis]) -> tuple[ClaimOfRuns, ...]:
    found = _by_run([{(one.device, one.number): one for one in a.claims} for a in analyses])
    return tuple(
        ClaimOfRuns(
            device,
            number,
            next(one.statement for one in by_run if one),
            tuple(one.text if one else None for one in by_run),
            {True, False} <= {decision(one) for one in by_run if one},
        )
        for (device, number), by_run in sorted(found.items())
        if sum(one is not None for one in by_run) >= LEAST
    )


def decision(claim: Claim) -> bool | None:
    """Whether a claim holds here, to whatever batch; None where it is not decided."""
    return {SUPPORTED: True, REFUTED: False}.get(claim.verdict)


def _decides(analysis: Analysis) -> RunFigures:
    verdicts = [verdict for _, verdict in analysis.held.values()]
    widths = [row.seconds.half_width for row in analysis.rows]
    return RunFigures(
        good=len(verdicts),
        mixed=sum(one.name == MIXED for one in verdicts),
        confirmed=sum(one.confirmed for one in verdicts),
        claims=sum(decision(one) is not None for one in analysis.claims),
        half_width=median(widths) if widths else None,
    )
