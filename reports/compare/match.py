"""Two to twenty sides, each a run or several: which is faster at what, and which limit the difference follows.

Pure: systems in, rows out. Every other system is held against the first. Points are matched by case and
implementation, threads by their number or by being all there are. A ratio of times above 1 means slower than the first.

On one kind of machine (the same id) the roofs have moved between two runs, so of a step that follows its roof times x
paired roofs are compared, and a verdict is given only where bare times agree; any other step by its bare times. Runs of
the same code differ, by how much one run a side does not tell: of one machine it gives ratios and no verdict, of two
machines a verdict beyond what runs were seen to differ by.

A measured step against a published one is no equal work: the published one leaves the input's products out. Two
readings bound it: the measured step's whole time, and the share of it that its recurrent FLOPs have.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import geometric_mean

from bench.profile.stats import Estimate
from reports.analysis.points import FEWEST
from reports.compare import ratios
from reports.compare.system import (
    Entry,
    Samples,
    System,
    Work,
    entire,
    normalised,
    times,
    told_apart,
)
from reports.locate import BadInput

LEAST, MOST = 2, 20
"""Sides that a comparison takes."""
RUN_EFFECT = 1.1
"""By so much two runs of the same code were seen to differ in all their points; single runs say nothing within it."""
LETTERS = "ABCDEFGHIJKLMNOPQRST"
WHOLE = ("cell", "recurrent")
"""Parts that are a whole step, to its source."""
LIMITS = ("bandwidth", "arithmetic", "call")


@dataclass(frozen=True, slots=True)
class Matched:
    """A point of the first system, and the same work of another.

    other       index of the other system
    ratio       what is judged: of times x paired roofs on one machine, else of times
    time        of bare times
    limits      the ratio of times that each limit alone would give: bandwidth, arithmetic, the empty call
    follows     those of them that the bare ratio meets, the nearest first
    verdict     slower, faster, same or ambiguous; empty where single runs allow none
    by_roof     whether `ratio` is of times x paired roofs
    unequal     whether the two do not do the same work, and `ratio` spans two readings
    spread      whether both sides have samples to form an interval of
    repeated    whether both sides have several runs, so that the interval holds what runs differ by
    """

    first: Entry
    second: Entry
    other: int
    ratio: Estimate
    time: Estimate
    limits: dict[str, float | None]
    follows: tuple[str, ...]
    verdict: str
    by_roof: bool
    unequal: bool
    spread: bool
    repeated: bool

    @property
    def implementation(self) -> str:
        """Who computed: one name, or both where they differ."""
        names = dict.fromkeys((self.first.implementation, self.second.implementation))
        return " / ".join(names)


@dataclass(frozen=True, slots=True)
class Place:
    """A system's place for one cell and phase: the geometric mean of its time ratios over the work all have.

    It needs FEWEST pieces of work. Of single runs the ratio has no interval.
    """

    cell: str
    phase: str
    place: int
    system: int
    ratio: Estimate
    points: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems, the first being what the others are held against, and what was found.

    overall  per other system the mean ratio; None of fewer than FEWEST points. Of single runs it has no interval
    """

    systems: tuple[System, ...]
    rows: tuple[Matched, ...]
    overall: tuple[Estimate | None, ...]
    ranking: tuple[Place, ...]
    differing: tuple[tuple[str, tuple[str | None, ...]], ...]


def compare(systems: Sequence[System]) -> Comparison:
    """Hold every system against the first. Raises BadInput where that is no comparison."""
    refuse(systems)
    systems = told_apart(systems)
    first = systems[0]
    rows: list[Matched] = []
    overall = []
    for index, other in enumerate(systems[1:], 1):
        one_machine = alike(first, other)
        found = [_compared(a, b, index, one_machine) for a, b in matched(first, other)]
        if not found:
            raise BadInput(
                f"{first.name} and {other.name}: no case in common: compare runs of one suite"
            )
        rows += found
        overall.append(_overall(found) if len(found) >= FEWEST else None)
    ranking, differing = _ranking(systems, rows), _differing(systems)
    return Comparison(tuple(systems), tuple(rows), tuple(overall), ranking, differing)


def refuse_number(count: int) -> None:
    """Raise BadInput for too few or too many profiles."""
    if not LEAST <= count <= MOST:
        raise BadInput(f"compare takes {LEAST} to {MOST} profiles: {count} given")


def refuse(systems: Sequence[System]) -> None:
    """Raise BadInput for too few or many, and for one run given twice."""
    refuse_number(len(systems))
    refuse_twice(systems)


def refuse_twice(systems: Sequence[System]) -> None:
    """Raise BadInput for one run given twice."""
    for other, one in combinations(systems, 2):
        if _twice(one, other):
            raise BadInput(f"{one.name}: the same run is given twice: name another profile")


def alike(one: System, other: System) -> bool:
    """Whether both were measured on the same kind of machine."""
    return one.machine is not None and one.machine == other.machine


def matched(first: System, other: System) -> list[tuple[Entry, Entry]]:
    """The points of both that are about the same: case and implementation; of unlike sources, the work they share.

    A CPU's points at all threads meet a GPU's where neither machine has points of the other's kind.
    """
    mixed = first.measured != other.measured

    def key(entry: Entry, against: System) -> object:
        work = entry.work
        if mixed:
            return _shared(work)
        if entire(work.threads) and work.threads not in against.roofs:
            work = replace(work, device="", threads="")
        return (work, entry.implementation) if first.measured else work

    by_key: dict[object, list[Entry]] = {}
    for entry in other.entries:
        by_key.setdefault(key(entry, first), []).append(entry)
    by_key.pop(None, None)
    return [
        (entry, second) for entry in first.entries for second in by_key.get(key(entry, other), ())
    ]


def _shared(work: Work) -> tuple[object, ...] | None:
    """What a measured and a published step have to agree in; None for work that no published one can be."""
    if work.part not in WHOLE or work.residency != "resident" or not entire(work.threads):
        return None
    return (work.cell, forward(work.phase), work.hidden, work.batch, work.dtype, work.activations)


def forward(phase: str) -> str:
    """The phase, the forward pass of a training run being a step like that of inference."""
    return "step" if phase == "forward" else phase


def _twice(one: System, other: System) -> bool:
    """Whether all that two systems have in common is number by number the same: one run, whatever its file."""
    if one.measured != other.measured:
        return False
    pairs = matched(one, other)
    return bool(pairs) and all(a.seconds == b.seconds for a, b in pairs)


def _compared(a: Entry, b: Entry, other: int, one_machine: bool) -> Matched:
    unequal = (a.work.part == "recurrent") != (b.work.part == "recurrent")
    repeated = min(len(a.runs), len(b.runs)) > 1
    time = ratios.ratio(times(a), times(b))
    by_roof = one_machine and a.follows_roof and b.follows_roof
    ratio = ratios.ratio(normalised(a), normalised(b)) if by_roof else time
    if unequal:
        ratio = _readings(a, b, time)
    verdict = _verdict(ratio, repeated, one_machine)
    if by_roof and _verdict(time, repeated, one_machine) != verdict:
        verdict = "ambiguous"
    limits = _limits(a, b)
    return Matched(
        first=a,
        second=b,
        other=other,
        ratio=ratio,
        time=time,
        limits=limits,
        follows=ratios.followed(ratio.median if unequal else time.median, limits),
        verdict=verdict,
        by_roof=by_roof,
        unequal=unequal,
        spread=len(a.seconds) > 1 and len(b.seconds) > 1,
        repeated=repeated,
    )


def _verdict(value: Estimate, repeated: bool, one_machine: bool) -> str:
    """What a ratio says; of single runs of unlike machines if it does so beyond RUN_EFFECT, of one machine nothing."""
    if repeated:
        return ratios.judged(value)
    if one_machine:
        return ""
    wider = Estimate(value.median, value.low / RUN_EFFECT, value.high * RUN_EFFECT)
    return ratios.judged(wider)


def _readings(a: Entry, b: Entry, time: Estimate) -> Estimate:
    """A ratio between both readings of the step that has more work; its middle is by recurrent FLOPs."""
    share = _recurrent_share(b) / _recurrent_share(a)
    ends = (time.low, time.high, time.low * share, time.high * share)
    return Estimate(time.median * share, min(ends), max(ends))


def _recurrent_share(entry: Entry) -> float:
    return entry.recurrent / entry.flops if entry.flops else 1.0


def _limits(a: Entry, b: Entry) -> dict[str, float | None]:
    """Per limit, how much longer the second would take if that limit alone decided.

    Not of bytes where writing was held against a triad on one side alone.
    """
    alike = a.together == b.together
    ends = (
        (
            _per(b.t_bytes if alike else None, b.read + b.written),
            _per(a.t_bytes, a.read + a.written),
        ),
        (_per(b.t_flops, b.flops), _per(a.t_flops, a.flops)),
        (b.floor, a.floor),
    )
    over = [above / below if above is not None and below else None for above, below in ends]
    return dict(zip(LIMITS, over, strict=True))


def _per(seconds: float | None, amount: float) -> float | None:
    return seconds / amount if seconds is not None and amount else None


def _overall(rows: Sequence[Matched]) -> Estimate:
    """The geometric mean of what is judged; of unequal work from the least of its readings to the largest.

    What a run moves all points by is no part of an interval of single runs, so none is given.
    """
    if any(row.unequal for row in rows):
        return Estimate(
            *(geometric_mean(ends) for ends in zip(*(r.ratio for r in rows), strict=True))
        )
    by_roof = all(row.by_roof for row in rows)

    def samples(entry: Entry) -> Samples:
        return normalised(entry) if by_roof else times(entry)

    found = ratios.mean([(samples(row.first), samples(row.second)) for row in rows])
    if all(row.repeated for row in rows):
        return found
    return Estimate(found.median, found.median, found.median)


def _ranking(systems: Sequence[System], rows: Sequence[Matched]) -> tuple[Place, ...]:
    """Per cell and phase the whole steps that every system has, if they are enough, fastest system first."""
    found: dict[int, dict[int, Matched]] = {}
    for row in rows:
        if row.first.work.part in WHOLE:
            found.setdefault(id(row.first), {}).setdefault(row.other, row)
    groups: dict[tuple[str, str], list[dict[int, Matched]]] = {}
    for by_other in found.values():
        if len(by_other) == len(systems) - 1:
            work = by_other[1].first.work
            groups.setdefault((work.cell, forward(work.phase)), []).append(by_other)
    places: list[Place] = []
    for (cell, phase), lines in groups.items():
        if len(lines) < FEWEST:
            continue
        means = [Estimate(1.0, 1.0, 1.0)]
        means += [_overall([line[other] for line in lines]) for other in range(1, len(systems))]
        order = sorted(range(len(systems)), key=lambda index: means[index].median)
        places += [
            Place(cell, phase, place, index, means[index], len(lines))
            for place, index in enumerate(order, 1)
        ]
    return tuple(places)


def _differing(systems: Sequence[System]) -> tuple[tuple[str, tuple[str | None, ...]], ...]:
    """The facts in which the systems are not all alike; what a published one does not tell makes no difference."""
    found = []
    for key in dict.fromkeys(key for system in systems for key in system.facts):
        told = {one.facts.get(key) for one in systems if one.measured or key in one.facts}
        if len(told) > 1:
            found.append((key, tuple(system.facts.get(key) for system in systems)))
    return tuple(found)
