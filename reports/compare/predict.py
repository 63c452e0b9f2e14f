"""What the steps of one machine would take on another's roofs. Pure.

time there = floor there + limit there * (time - floor here) / limit here. A step keeps its factor over the limit of
the roofs, the cost of the call left aside, which is the other machine's own. Limits are of both stages of a hoisted
sequence, by the roofs as a rule: a fraction pairs a step with the roof beside it, not with the best there ever was, so
it is carried by the medians beside the other machine's own steps. (time - floor) / limit is (1 - overhead) / fraction.
Where no cost of a call is known there, it is carried over in the fraction. A step that the call bounds is marked.

The interval joins that of the fraction, what the roofs there did beside their own steps, and that an implementation may
reach another share there: where both machines measured enough steps, it is at least as wide as 19 in 20 of the others
went wrong; where they did not, the share may be off by `SHARE`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, hypot, log, log1p

from bench.profile.stats import Estimate, median, quantile
from kernels import roofline_model
from reports.analysis.points import FEWEST
from reports.analysis.roofs import interpolated
from reports.compare import match
from reports.compare.system import (
    ALL,
    PRODUCTS,
    STREAMED,
    TRAIN,
    Entry,
    Limits,
    System,
    call_of,
    told_apart,
)
from reports.locate import BadInput

COVERED = 0.95
ENOUGH = 20
"""From so many other steps on their errors tell what 19 in 20 of them stay within."""
SHARE = 2.5
"""Within this factor the profiles of the gallery predicted 19 in 20 steps of one another (FINDINGS)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A step of one system on another's roofs, in seconds per step.

    entry      whose fraction is taken
    work       whose work is predicted: the entry's own, or of unlike sources the other's
    predicted  with its interval
    measured   what the other machine took, where that is known
    error      predicted / measured - 1
    call_bound whether the call, which no roof decides, took most of the time here
    """

    entry: Entry
    work: Entry
    predicted: Estimate
    measured: float | None
    error: float | None
    call_bound: bool


@dataclass(frozen=True, slots=True)
class Predictions:
    """All of them, in the order of the entries; `without` counts the steps that could not be predicted."""

    source: System
    target: System
    rows: tuple[Prediction, ...]
    without: int

    @property
    def errors(self) -> tuple[float, float] | None:
        """Median and 90th percentile of the absolute error, where FEWEST are known."""
        known = [abs(row.error) for row in self.rows if row.error is not None]
        return (median(known), quantile(known, 0.9)) if len(known) >= FEWEST else None

    @property
    def known(self) -> int:
        """How many steps were measured on both."""
        return sum(row.error is not None for row in self.rows)

    @property
    def covered(self) -> int:
        """How many intervals hold what was measured."""
        return sum(
            row.predicted.low <= row.measured <= row.predicted.high
            for row in self.rows
            if row.measured is not None
        )


def predict(source: System, target: System) -> Predictions:
    """Step times of `source`'s cases on `target`'s roofs. Raises BadInput where none can be predicted."""
    match.refuse((source, target))
    source, target = told_apart((source, target))
    met: dict[int, list[Entry]] = {}
    for entry, other in match.matched(source, target):
        met.setdefault(id(entry), []).append(other)
    unlike = source.measured != target.measured
    asked: list[tuple[Entry, Entry, Entry | None]] = []
    for entry in source.entries:
        others = met.get(id(entry), [])
        if unlike:  # the other's work, where the two are of one kind
            asked += [(entry, other, other) for other in others]
        else:
            asked.append((entry, entry, others[0] if others else None))
    made = (_prediction(*one, source, target) for one in asked)
    rows = [one for one in made if one is not None]
    if not rows:
        raise BadInput(f"{source.name} on {target.name}: {_why_none(asked, source, target)}")
    return Predictions(source, target, tuple(_widened(rows)), len(asked) - len(rows))


def _why_none(
    asked: Sequence[tuple[Entry, Entry, Entry | None]], source: System, target: System
) -> str:
    """Why not one of these steps could be predicted, in words."""
    if not asked and source.entries:
        return "no case in common, and a published machine's work is not a measured one's"
    absent = {work.work.threads for _, work, _ in asked} - set(target.roofs)
    if absent and all(work.work.threads in absent for _, work, _ in asked):
        told = sorted("all threads of a CPU" if role == ALL else role for role in absent)
        return f"{target.name} has no roofs of {', '.join(told)}"
    return "no step whose fraction and roofs are both known"


def _prediction(
    entry: Entry, work: Entry, known: Entry | None, source: System, target: System
) -> Prediction | None:
    there = target.roofs.get(work.work.threads)
    cached = known is not None and not target.measured and known.t_bytes is None
    if entry.fraction is None or there is None or cached:
        return None  # of a published machine's caches no bandwidth is known
    needed = limit(work, there)
    if needed is None or not needed.median:
        return None
    floor = _floor(entry, source, there)
    # What is neither call nor limit is carried over as a factor of the limit.
    beyond = 1.0 if floor is None or entry.overhead is None else max(0.0, 1 - entry.overhead)
    share, paid = entry.fraction, floor or 0.0
    measured = known.time if known else None
    predicted = Estimate(
        paid + needed.median * beyond / share.median,
        paid + needed.low * beyond / share.high,
        paid + needed.high * beyond / share.low,
    )
    return Prediction(
        entry=entry,
        work=work,
        predicted=predicted,
        measured=measured,
        error=predicted.median / measured - 1 if measured else None,
        call_bound=entry.overhead is not None and entry.overhead >= roofline_model.OVERHEAD,
    )


def limit(entry: Entry, limits: Limits) -> Estimate | None:
    """What a step's bytes or products need at the least, in seconds; None where a roof is missing.

    A streamed step reads from memory whatever its sets span there, a resident one at its own working set. Of a hoisted
    sequence both stages count. The interval is what it may be as far as the samples beside the machine's steps reach.
    """
    if not entry.working_set or not limits.read:
        return None
    memory = (limits.training if entry.work.phase == TRAIN else None) or limits.memory
    streamed = entry.work.residency == STREAMED
    read = memory if streamed else interpolated(limits.read, entry.working_set)
    write = roofline_model.nearest(limits.write, entry.written)
    touched = entry.working_set + entry.written
    triad = roofline_model.nearest(limits.triad, touched) if entry.together else None
    product = limits.products.get((entry.work.dtype, entry.work.activations))
    if not read or (entry.flops and not product) or (entry.written and not write):
        return None

    def at(reading: float, multiplying: float) -> float:
        """With the read roof and the products so many times what they are as a rule."""
        rate, writing = read * reading, 0.0
        if write:
            # a triad reads, too: it is as slow or quick as reading is
            rates = rate, write, triad * reading if triad else None
            writing = roofline_model.writing(entry.read, entry.written, *rates, entry.projected[0])
        return roofline_model.limit(
            entry.read / rate,
            writing,
            entry.flops / (product * multiplying) if product else 0.0,
            entry.projected,
        )

    low, high = limits.reach.get(entry.work.residency, (1.0, 1.0))
    slow, quick = limits.reach.get(PRODUCTS, (1.0, 1.0))
    return Estimate(at(1.0, 1.0), at(high, quick), at(low, slow))


def _floor(entry: Entry, source: System, there: Limits) -> float | None:
    """What the call costs there: as its own calls do, else as the emptiest calls of both compare; None: not known."""
    own = there.floors.get(call_of(entry.implementation, entry.work))
    if own is not None or entry.floor is None:
        return own
    here = source.roofs.get(entry.work.threads)
    if here is None or not here.call or not there.call:
        return None
    return entry.floor * there.call / here.call


def _widened(rows: Sequence[Prediction]) -> Iterator[Prediction]:
    """Each interval with what it means that an implementation need not keep its share on another machine.

    How far it does not, no sample of one machine tells; where both measured, the *other* steps do, those of the same
    implementation if they are enough, and all that went wrong is in their errors. Else it is SHARE, independent of what
    the roofs do: logarithms are added in squares.
    """
    for row in rows:
        others = [one for one in rows if one.error is not None and one is not row]
        alike = [one for one in others if one.entry.implementation == row.entry.implementation]
        taken = alike if len(alike) >= ENOUGH else others
        middle, low, high = row.predicted
        if len(taken) < ENOUGH:
            above = exp(hypot(log(high / middle), log(SHARE)))
            below = exp(hypot(log(middle / low), log(SHARE)))
            yield replace(row, predicted=Estimate(middle, middle / below, middle * above))
            continue
        factor = exp(quantile([abs(log1p(one.error or 0.0)) for one in taken], COVERED))
        wider = Estimate(middle, min(low, middle / factor), max(high, middle * factor))
        yield replace(row, predicted=wider)
