"""What the steps of one machine would take on another's roofs. Pure.

A step keeps the share of the roof that it reached (its fraction); the roofs are the other machine's: time = limit there
/ fraction here. What no roof decides, such as the cost of a call, is carried over in the fraction, so a step that the
call bounds is marked. Where the other machine measured the same step, the error of the prediction stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.stats import Estimate, median, quantile
from reports import compare
from reports.profiles import BadInput
from reports.roofs import interpolated
from reports.verdict import OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.subject import Entry, Roofs, Subject


@dataclass(frozen=True, slots=True)
class Prediction:
    """A step of one subject on another's roofs, in seconds per step.

    entry      whose fraction is taken
    work       whose work is predicted: the entry's own, or of unlike sources the other's
    predicted  from the interval of the fraction
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

    source: Subject
    target: Subject
    rows: tuple[Prediction, ...]
    without: int

    @property
    def errors(self) -> tuple[float, float] | None:
        """Median and 90th percentile of the absolute error, where any is known."""
        known = [abs(row.error) for row in self.rows if row.error is not None]
        return (median(known), quantile(known, 0.9)) if known else None


def predict(source: Subject, target: Subject) -> Predictions:
    """Step times of `source`'s cases on `target`'s roofs. Raises BadInput where none can be predicted."""
    compare.refuse((source, target))
    met: dict[int, list[Entry]] = {}
    for entry, other in compare.matched(source, target):
        met.setdefault(id(entry), []).append(other)
    unlike = source.measured != target.measured
    rows: list[Prediction] = []
    asked = 0
    for entry in source.entries:
        others = met.get(id(entry), [])
        pairs: Sequence[tuple[Entry, Entry | None]] = [(other, other) for other in others]
        if not others or not unlike:
            pairs = [(entry, others[0] if others else None)]
        if unlike and not others:
            continue  # its work and the other's are not of one kind
        asked += len(pairs)
        rows += [
            made
            for work, known in pairs
            if (made := _prediction(entry, work, known, target)) is not None
        ]
    if not rows:
        msg = f"{source.name} on {target.name}: no step whose fraction and roofs are both known"
        raise BadInput(msg)
    return Predictions(source, target, tuple(rows), asked - len(rows))


def limit(entry: Entry, roofs: Roofs) -> float | None:
    """What a step's bytes or products need at the least, in seconds; None where a roof is missing.

    A streamed step reads from memory whatever its sets span there; a resident one at its own working set.
    """
    if not entry.working_set or not roofs.read:
        return None
    memory = entry.work.residency == "streamed"
    read = roofs.read[-1][1] if memory else interpolated(roofs.read, entry.working_set)
    write = interpolated(roofs.write, max(1, entry.written))
    peak = roofs.peaks.get((entry.work.dtype, entry.work.activations))
    if not read or (entry.flops and not peak) or (entry.written and not write):
        return None
    t_bytes = entry.read / read + (entry.written / write if write else 0.0)
    return max(t_bytes, entry.flops / peak if peak else 0.0)


def _prediction(
    entry: Entry, work: Entry, known: Entry | None, target: Subject
) -> Prediction | None:
    roofs = target.roofs.get(work.work.threads)
    needed = limit(work, roofs) if roofs else None
    cached = known is not None and not target.measured and known.t_bytes is None
    if entry.fraction is None or not needed or cached:
        return None  # of a published machine's caches no bandwidth is known
    share = entry.fraction
    predicted = Estimate(needed / share.median, needed / share.high, needed / share.low)
    measured = known.time if known else None
    return Prediction(
        entry=entry,
        work=work,
        predicted=predicted,
        measured=measured,
        error=predicted.median / measured - 1 if measured else None,
        call_bound=entry.overhead is not None and entry.overhead >= OVERHEAD,
    )
