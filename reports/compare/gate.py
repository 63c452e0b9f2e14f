"""Is the code slower than before? A gate for continuous integration: failed, passed, or inconclusive. Pure.

What is counted are runs, `between_runs.RUNS` a side at least. A step that follows its roof, on both sides, is judged by
time x paired roof; any other by its bare time, for time x roof would bring the roof's noise into it. Runs that could
not tell the slow-down asked for have not shown that there is none: the gate is inconclusive then, and says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log

import numpy as np

from reports.compare import match
from reports.compare.between_runs import RUNS, Judged, Outcome, judge, outcome
from reports.compare.ratios import SAME
from reports.compare.system import Entry, System, middle, normalised, times
from reports.locate import BadInput

ADVISED = 4
"""Runs a side that are advised."""
MAY_DIFFER = frozenset(
    {"measured", "commit", "rnn-roofline", "machine", "suite", "settings", "complete"}
)
"""Facts of runs that a gate takes as equals; in every other one they have to agree, where all tell it."""
BY_ROOF, BY_TIME = "time x paired roof", "time"
"""What a step is judged by."""


@dataclass(frozen=True, slots=True)
class Gated:
    """A point that every run has, what it is judged by, and the judgement."""

    entry: Entry
    by: str
    judged: Judged


@dataclass(frozen=True, slots=True)
class Gate:
    """All points that every run has, the slowest first; `unjudged` counts the others.

    common   what moved all points of one kind alike, by what they are judged by; empty where they are too few
    allowed  ratios: a point fails that is surely slower than this, and passes if surely not slower than `asked`
    runs     of the sides before and after
    unlike   in what else than the code the runs differ, and how, where they are judged all the same
    ordered  whether all runs before were measured before all runs after, by their times
    """

    rows: tuple[Gated, ...]
    common: dict[str, Judged]
    unjudged: int
    allowed: float
    asked: float
    runs: tuple[int, int]
    unlike: tuple[str, ...]
    ordered: bool

    @property
    def failed(self) -> tuple[Gated, ...]:
        """The points that are slower than allowed."""
        return tuple(row for row in self.rows if row.judged.failed)

    @property
    def undecided(self) -> tuple[Gated, ...]:
        """The points of which these runs do not tell whether they are slower than allowed."""
        return tuple(row for row in self.rows if row.judged.undecided)

    @property
    def every(self) -> tuple[Judged, ...]:
        """All judgements, of points and of what they have in common."""
        return (*(row.judged for row in self.rows), *self.common.values())

    @property
    def outcome(self) -> Outcome:
        """As `between_runs.outcome` has it."""
        return outcome(self.every)

    @property
    def needed(self) -> int | None:
        """Runs a side that would most likely let this pass if nothing changed; None: more than anybody takes."""
        wanted = [one.needed for one in self.every]
        known = [one for one in wanted if one is not None]
        return max(known) if len(known) == len(wanted) else None


def gate(
    before: Sequence[System], after: Sequence[System], percent: float, *, unlike: bool = False
) -> Gate:
    """Judge runs of the code as it is now against runs of it as it was, where asked `unlike` ones too.

    Raises BadInput.
    """
    if min(len(before), len(after)) < RUNS:
        raise BadInput(
            f"--fail-if-slower needs at least {RUNS} runs a side ({ADVISED} are advised), those before first, then as "
            f"many after: {len(before)} and {len(after)} given"
        )
    if not 0 <= percent <= 1000:
        raise BadInput(f"--fail-if-slower {percent:g}: give a percentage from 0 to 1000")
    systems = (*before, *after)
    _refuse(systems)
    differ = differing(systems)
    if differ and not unlike:
        raise BadInput(
            f"--fail-if-slower: the runs differ in {', '.join(differ)}: measure both sides alike, or judge them all "
            "the same by --unlike"
        )
    return _gate(systems, len(before), percent, differ)


def alike(runs: Sequence[System], percent: float = 0.0) -> Gate:
    """What a gate could tell between two sides of as many runs as these, which differ as these do. Raises BadInput."""
    if len(runs) < RUNS:
        raise BadInput(f"a gate takes {RUNS} runs a side at least: {len(runs)} given")
    _refuse(runs)
    return _gate((*runs, *runs), len(runs), percent, differing(runs))


def _gate(systems: Sequence[System], before: int, percent: float, differ: Sequence[str]) -> Gate:
    """Of these runs the first `before` ones are those before; `differ`: in what else than the code they do."""
    runs = [{(e.work, e.implementation): e for e in one.entries} for one in systems]
    keys = [key for key in runs[0] if all(key in run for run in runs)]
    if not keys:
        raise BadInput("--fail-if-slower: no case that all runs have: compare runs of one suite")
    points = [[run[key] for run in runs] for key in keys]
    kinds = [_judged_by(entries, before) for entries in points]
    logs = np.array(
        [
            [log(middle((normalised if by == BY_ROOF else times)(e))) for e in entries]
            for entries, by in zip(points, kinds, strict=True)
        ]
    ).T
    allowed = 1 + percent / 100
    asked = max(allowed, SAME)
    judged, common = judge(logs, before, kinds, allowed, asked)
    rows = [
        Gated(entries[0], by, one) for entries, by, one in zip(points, kinds, judged, strict=True)
    ]
    every = {key for run in runs for key in run}
    return Gate(
        rows=tuple(sorted(rows, key=lambda row: -row.judged.ratio)),
        common={str(kind): one for kind, one in common.items()},
        unjudged=len(every) - len(keys),
        allowed=allowed,
        asked=asked,
        runs=(before, len(systems) - before),
        unlike=tuple(differ),
        ordered=_ordered(systems[:before], systems[before:]),
    )


def _refuse(systems: Sequence[System]) -> None:
    """Raise BadInput for runs that no gate can be made of."""
    match.refuse_twice(systems)
    for other in systems[1:]:
        if not match.alike(systems[0], other):
            raise BadInput(
                f"--fail-if-slower: {other.name} is another machine than {systems[0].name}: gate one machine"
            )
        if other.method != systems[0].method:
            raise BadInput(
                f"--fail-if-slower: methods {systems[0].method} and {other.method} measure otherwise: measure both "
                "sides with one version"
            )


def differing(systems: Sequence[System]) -> list[str]:
    """In what runs of one machine differ, and how, but for what may differ; what some do not tell is no difference."""
    found = []
    for key in dict.fromkeys(key for one in systems for key in one.facts):
        told = dict.fromkeys(one.facts[key] for one in systems if key in one.facts)
        if key not in MAY_DIFFER and len(told) > 1:
            found.append(f"{key} ({'; '.join(_apart(list(told)))})")
    return found


def _apart(lists: Sequence[str]) -> list[str]:
    """Of lists of NAME=VALUE what is not in all of them; of anything else all."""
    each = [re.split(r", (?=\w+=)", one) for one in lists]
    common = set(each[0]).intersection(*each[1:])
    return [", ".join(one for one in ones if one not in common) or "none" for ones in each]


def _judged_by(entries: Sequence[Entry], before: int) -> str:
    """By its roof where most runs of either side say that it follows it."""
    sides = entries[:before], entries[before:]
    follows = all(2 * sum(entry.follows_roof for entry in side) > len(side) for side in sides)
    return BY_ROOF if follows and all(entry.paired for entry in entries) else BY_TIME


def _ordered(before: Sequence[System], after: Sequence[System]) -> bool:
    """Whether the times told say that one side was measured wholly before the other."""
    try:
        sides = [
            [datetime.fromisoformat(one.facts["measured"]) for one in side]
            for side in (before, after)
        ]
        return max(sides[0]) < min(sides[1]) or max(sides[1]) < min(sides[0])
    except (KeyError, ValueError, TypeError):  # no time, or one with and one without its zone
        return False
