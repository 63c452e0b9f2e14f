"""Points that differ in their batch alone: up to which batch they cost nothing more, and what the roofs predict. Pure.

Points are compared by time x paired read roof, never by raw time: the machine's speed drifts between them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from math import ceil

from bench.profile import roof_times, stats
from bench.profile.records import Point
from bench.profile.stats import Estimate, median
from kernels import roofline_model
from kernels.case import Case
from kernels.roofline_model import BANDWIDTH
from reports.analysis.points import Row
from reports.analysis.roofs import Roofs
from reports.analysis.verdict import Verdict

FREE = 1.25
"""A batch is free while its step costs at most this many times the step of one sequence."""
OR_MORE, UNCLEAR = " or more", "unclear"
LONG = 3
"""A series has its free batch marked from this many points on."""
STILL = 1.1
"""The roofs beside two points may differ by this factor for a share to be formed of their times."""
HIDDEN = {"cpu": 1024, "cuda": 4096}
"""Units of the step that matters most, by device: on a GPU the bytes of fewer take no longer than a launch."""
DTYPE = {"cpu": "float32", "cuda": "bfloat16"}
"""The dtype of its weights."""


@dataclass(frozen=True, slots=True)
class Series:
    """The good points of one case and implementation over the batch sizes that were planned for it.

    case             with batch 1, standing for all of them
    free             between which two of the plan the free batch lies: the largest of an unbroken run from 1 whose step
                     costs <= 1.25 times the step of one; the same twice where intervals leave nothing open
    ridge_batch      the smallest batch for which the roofs predict t_flops >= t_bytes; None where they never do
    bandwidth_until  the last batch of an unbroken run of confirmed `bandwidth` verdicts from 1
    """

    case: Case
    implementation: str
    planned: tuple[int, ...]
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    free: tuple[int, int] | None
    ridge_batch: int | None
    bandwidth_until: int | None

    @property
    def fetched(self) -> tuple[str, ...]:
        """Which of W and U every step must fetch."""
        return self.rows[0].point.fetched

    @property
    def free_text(self) -> str | None:
        """The free batch: `4`, `4 to 16`, `64 or more` where it has no end, `unclear` where it may be any.

        None where there is one only.
        """
        if self.free is None or len(self.planned) == 1:
            return None
        if self.unclear:
            return UNCLEAR
        least, most = self.free
        between = f"{least}" if least == most else f"{least} to {most}"
        return between + (OR_MORE if self.endless else "")

    @property
    def endless(self) -> bool:
        """Whether the run from 1 ends before a batch that is surely not free: by the plan, or for want of a figure."""
        measured = {row.case.batch for row in self.rows}
        run = list(takewhile(measured.__contains__, self.planned))
        return self.free is not None and self.free[1] == run[-1]

    @property
    def unclear(self) -> bool:
        """Whether the free batch may be any of the plan."""
        return self.endless and self.free is not None and self.free[0] == self.planned[0]


@dataclass(frozen=True, slots=True)
class Share:
    """What of a step lies in its linear layers: shares of the whole step's time, bytes and FLOPs."""

    case: Case
    implementation: str
    time: Estimate
    bytes: float
    flops: float


@lru_cache(1 << 14)
def alone(case: Case) -> Case:
    """The case of one sequence, by which points that differ in their batch are known to be one series."""
    return replace(case, batch=1)


def joined(
    planned: Iterable[Point], held: Mapping[str, tuple[Row, Verdict]], roofs: Roofs
) -> tuple[Series, ...]:
    """Every series with a good point, in the order of its first. `held` are the good ones of the planned points."""
    batches: dict[tuple[Case, str], list[int]] = {}
    for point in planned:
        key = alone(point.case), point.implementation
        batches.setdefault(key, []).append(point.case.batch)
    found: dict[tuple[Case, str], dict[int, tuple[Row, Verdict]]] = {}
    for row, verdict in held.values():
        key = alone(row.case), row.point.implementation
        found.setdefault(key, {})[row.case.batch] = row, verdict
    return tuple(
        _series(*key, sorted(batches[key]), dict(sorted(by_batch.items())), roofs)
        for key, by_batch in found.items()
    )


def _series(
    case: Case,
    implementation: str,
    planned: Sequence[int],
    by_batch: Mapping[int, tuple[Row, Verdict]],
    roofs: Roofs,
) -> Series:
    rows, verdicts = zip(*by_batch.values(), strict=True)
    unbroken = takewhile(by_batch.__contains__, planned if planned[0] == 1 else ())
    ran = [by_batch[batch] for batch in unbroken]
    # how many hold before the first that does not
    bound = sum(takewhile(bool, (one.confirmed and one.name == BANDWIDTH for _, one in ran)))
    return Series(
        case=case,
        implementation=implementation,
        planned=tuple(planned),
        rows=rows,
        verdicts=verdicts,
        free=_free([row for row, _ in ran]),
        ridge_batch=ridge_batch(rows[0], roofs),
        bandwidth_until=planned[bound - 1] if bound else None,
    )


def _free(rows: Sequence[Row]) -> tuple[int, int] | None:
    """The last batch before the first that is not surely free, and the last before the first that surely is not."""
    if not rows or not rows[0].normalised:
        return None
    found = [True, *(_is_free(row, rows[0]) for row in rows[1:])]
    surely = sum(1 for _ in takewhile(lambda free: free, found))
    perhaps = sum(1 for _ in takewhile(lambda free: free is not False, found))
    return rows[surely - 1].case.batch, rows[perhaps - 1].case.batch


def _is_free(row: Row, first: Row) -> bool | None:
    """By time x roof, as points of one run are compared, and by bare time too, each with its whole interval.

    None where an interval holds FREE. Where the two disagree the roof moved between the points and the step did not
    follow it, and neither says what a sequence costs.
    """
    if not first.normalised or not row.normalised:
        return None
    costs = (
        stats.ratio(row.seconds, first.seconds),
        stats.ratio(row.normalised, first.normalised),
    )
    if all(cost.high <= FREE for cost in costs):
        return True
    return False if all(cost.low > FREE for cost in costs) else None


def shares(rows: Iterable[Row]) -> tuple[Share, ...]:
    """For each step whose linear part was measured too: that part's share, by time x paired roof.

    Only where the roofs beside the two differ by less than STILL: points minutes apart share no machine otherwise.
    """
    by_case = {(row.case, row.point.implementation): row for row in rows}
    found = []
    for (case, implementation), linear in by_case.items():
        whole = by_case.get((replace(case, part="cell"), implementation))
        if case.part != "linear" or whole is None:
            continue
        if not (linear.normalised and whole.normalised and linear.moved and whole.moved):
            continue
        beside = median(linear.point.roof_bytes_per_s), median(whole.point.roof_bytes_per_s)
        if max(beside) > STILL * min(beside):
            continue  # the machine was not the same for the two
        time = stats.ratio(linear.normalised, whole.normalised)
        flops = whole.point.flops or {"linear": 0, "pointwise": 0}
        products = flops["linear"] / max(1, flops["linear"] + flops["pointwise"])
        found.append(Share(whole.case, implementation, time, linear.moved / whole.moved, products))
    return tuple(found)


def ridge_batch(row: Row, roofs: Roofs) -> int | None:
    """The smallest batch for which the roofs beside `row` predict t_flops >= t_bytes; None for a hoisted sequence.

    Weights are read whatever the batch, and to train their gradients written; activations and FLOPs grow with it.
    Solved for B: B * flops_1 / F >= weights / R + gradients / W + B * (read_1 / R + written_1 / W), with roofs F, R and
    W; gradients that are written while weights are read add what `roofline_model.writing` says. None where roofs are
    missing, or where the bytes of a sequence alone take longer than its FLOPs.
    """
    case, point = row.case, row.point
    if not point.bytes or not point.flops or not point.roof_bytes_per_s or point.projection:
        return None
    written = point.bytes["written"]
    arithmetic = roofs.peak(case)
    write = roofs.write_roof(case.device, case.threads, written)
    if arithmetic is None or (written and write is None):
        return None
    read = median(point.roof_bytes_per_s)
    gradients = point.bytes.get("gradients", 0)
    weights = point.bytes["weights"] - gradients
    flops_1 = point.flops["linear"] / case.batch / arithmetic
    bytes_1 = (point.bytes["read"] - weights) / case.batch / read
    bytes_1 += (written - gradients) / case.batch / write if write else 0.0
    if flops_1 <= bytes_1:
        return None
    fixed = weights / read
    if write:
        triad = roof_times.triad_roof(point)
        fixed += roofline_model.writing(weights, gradients, read, write, triad)
    return max(1, ceil(fixed / (flops_1 - bytes_1)))


def foremost(every: Sequence[Series]) -> list[Series]:
    """The series of one case, by every implementation that fetches as much.

    Whole single steps of inference first, then LSTM, streamed, of HIDDEN units and DTYPE.
    """

    def rank(one: Series) -> tuple[object, ...]:
        case = one.case
        whole = (case.part == "cell" and case.phase == "step", case.steps == 1)
        kind = (case.cell == "lstm", case.residency == "streamed")
        sizes = (
            case.hidden == HIDDEN[case.device],
            case.hidden,
            case.input == case.hidden,
            case.input,
        )
        rest = (case.dtype == DTYPE[case.device], case.threads, case.device, case.cell)
        return (*whole, *kind, *sizes, *rest)

    if not every:
        return []
    chosen = max(every, key=rank)
    return [one for one in every if (one.case, one.fetched) == (chosen.case, chosen.fetched)]
