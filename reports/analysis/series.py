"""Points that differ in their batch alone: up to where sequences ride free, and what the roofs predict. Pure.

Points are compared by time x paired read roof, never by raw time: the machine's speed drifts between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from bench.profile.records import Profile
from bench.profile.stats import Estimate, median
from kernels import roofline_model
from kernels.case import Case
from reports.analysis import confirm, points, roofs
from reports.analysis.points import Row
from reports.analysis.remember import remembered
from reports.analysis.verdict import Verdict

FREE = 1.25
"""A batch rides free while its step costs at most this many times the step of one sequence."""

LONG = 3
"""A series has its free batch marked from this many points on."""

STILL = 1.1
"""The roofs beside two points may differ by this factor for a share to be formed of their times."""


@dataclass(frozen=True, slots=True)
class Series:
    """The good points of one case and implementation over the batch sizes that were planned for it.

    case             with batch 1, standing for all of them
    free_batch       the largest batch of an unbroken run from 1 whose step costs <= 1.25 times the step of one
    ridge_batch      the smallest batch for which the roofs predict t_flops >= t_bytes; None where they never do
    bandwidth_until  the last batch of an unbroken run of confirmed `bandwidth` verdicts from 1
    """

    case: Case
    implementation: str
    planned: tuple[int, ...]
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    free_batch: int | None
    ridge_batch: int | None
    bandwidth_until: int | None

    @property
    def fetched(self) -> tuple[str, ...]:
        """Which of W and U every step must fetch."""
        return self.rows[0].point.fetched

    @property
    def free_text(self) -> str | None:
        """The free batch; `64 or more` where the largest of the plan rides free; None where there is one only."""
        if self.free_batch is None or len(self.planned) == 1:
            return None
        return (
            f"{self.free_batch} or more"
            if self.free_batch == self.planned[-1]
            else str(self.free_batch)
        )


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


@remembered
def of(profile: Profile) -> tuple[Series, ...]:
    """Every series with a good point, in the order of its first."""
    planned: dict[tuple[Case, str], list[int]] = {}
    for point in profile.points:
        key = (alone(point.case), point.implementation)
        planned.setdefault(key, []).append(point.case.batch)
    verdicts = confirm.verdicts(profile)
    found: dict[tuple[Case, str], list[Row]] = {}
    for row in points.rows(profile):
        key = (alone(row.case), row.point.implementation)
        found.setdefault(key, []).append(row)
    return tuple(
        _series(
            profile,
            *key,
            tuple(sorted(planned[key])),
            [
                (row, verdicts[row.point.key])
                for row in sorted(rows, key=lambda row: row.case.batch)
            ],
        )
        for key, rows in found.items()
    )


def shares(profile: Profile) -> tuple[Share, ...]:
    """For each step whose linear part was measured too: that part's share, by time x paired roof.

    Only where the roofs beside the two differ by less than STILL: points minutes apart share no machine otherwise.
    """
    rows = {(row.case, row.point.implementation): row for row in points.rows(profile)}
    found = []
    for (case, implementation), linear in rows.items():
        whole = rows.get((replace(case, part="cell"), implementation))
        if case.part != "linear" or whole is None:
            continue
        if not (
            linear.normalised and whole.normalised and linear.point.bytes and whole.point.bytes
        ):
            continue
        beside = median(linear.point.roof_bytes_per_s), median(whole.point.roof_bytes_per_s)
        if max(beside) > STILL * min(beside):
            continue  # the machine was not the same for the two
        time = points.quotient(linear.normalised, whole.normalised)
        found.append(
            Share(
                whole.case,
                implementation,
                time,
                points.moved(linear) / points.moved(whole),
                _linear_flops(whole),
            )
        )
    return tuple(found)


def _series(
    profile: Profile,
    case: Case,
    implementation: str,
    planned: tuple[int, ...],
    held: list[tuple[Row, Verdict]],
) -> Series:
    rows, verdicts = zip(*held, strict=True)
    by_batch = {row.case.batch: (row, found) for row, found in held}
    first = by_batch.get(1)
    alone = first[0].normalised if first else None

    def rides_free(row: Row) -> bool:
        """By time x roof, as points of one run are compared, and by bare time too: where the two disagree the roof

        moved between the points and the step did not follow it, and neither says what a sequence costs.
        """
        if not (first and alone and row.normalised):
            return False
        bare = row.seconds.median <= FREE * first[0].seconds.median
        return bare and row.normalised.median <= FREE * alone.median

    free, bound = 0, 0
    if planned[0] == 1:
        runs = [by_batch.get(batch) for batch in planned]
        free = _run([one is not None and rides_free(one[0]) for one in runs])
        bound = _run(
            [
                one is not None and one[1].confirmed and one[1].name == roofline_model.BANDWIDTH
                for one in runs
            ]
        )
    return Series(
        case=case,
        implementation=implementation,
        planned=planned,
        rows=rows,
        verdicts=verdicts,
        free_batch=planned[free - 1] if free else None,
        ridge_batch=ridge_batch(profile, rows[0]),
        bandwidth_until=planned[bound - 1] if bound else None,
    )


def ridge_batch(profile: Profile, row: Row) -> int | None:
    """The smallest batch for which the roofs beside `row` predict t_flops >= t_bytes; None for a hoisted sequence.

    Weights are read whatever the batch, and to train their gradients written; activations and FLOPs grow with it.
    Solved for B: B * flops_1 / F >= weights / R + gradients / W + B * (read_1 / R + written_1 / W), with roofs F, R and
    W. None where roofs are missing, or where the bytes of a sequence alone take longer than its FLOPs.
    """
    case, point = row.case, row.point
    if not point.bytes or not point.flops or not point.roof_bytes_per_s or point.projection:
        return None
    written = point.bytes["written"]
    arithmetic = roofs.arithmetic_roof(
        profile, case.device, case.threads, case.dtype, case.activations
    )
    write = roofs.write_roof(profile, case.device, case.threads, written)
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
    fixed = weights / read + (gradients / write if write else 0.0)
    return max(1, ceil(fixed / (flops_1 - bytes_1)))


def _run(holds: list[bool]) -> int:
    """How many hold before the first that does not."""
    return next((index for index, one in enumerate(holds) if not one), len(holds))


def _linear_flops(row: Row) -> float:
    flops = row.point.flops or {"linear": 0, "pointwise": 0}
    return flops["linear"] / max(1, flops["linear"] + flops["pointwise"])
