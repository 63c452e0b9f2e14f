"""All that a profile says, derived once: whoever draws or prints it takes an Analysis, or rows of one."""

from __future__ import annotations

from functools import cached_property

from bench.profile.records import Point, Profile, RunWarning
from bench.profile.stats import median
from kernels.roofline_model import limit
from reports.analysis import (
    claims,
    confirm,
    experiments,
    headline,
    points,
    roofs,
    series,
    verdict,
    warnings,
)
from reports.analysis.claims import Claim
from reports.analysis.experiments import Outcome
from reports.analysis.points import Row
from reports.analysis.roofs import Roofs, Under
from reports.analysis.series import Series, Share
from reports.analysis.verdict import Verdict


class Analysis:
    """What follows from one profile. Every attribute is derived when it is first asked for, and kept; none changes."""

    def __init__(self, profile: Profile) -> None:
        """Of this profile; nothing is derived yet."""
        self.profile = profile

    @cached_property
    def ordered(self) -> tuple[Point, ...]:
        """Every planned point, good or not, as points are listed everywhere."""
        return points.ordered(self.profile)

    @cached_property
    def roofs(self) -> Roofs:
        """Curves, arithmetic, levels."""
        return Roofs(self.profile)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every good point held against its roofs, in the order of `ordered`."""
        return points.rows(self.profile)

    @cached_property
    def readings(self) -> tuple[tuple[Row, Verdict], ...]:
        """Every good point with its verdict as read by itself."""
        return verdict.readings(self.profile)

    @cached_property
    def experiments(self) -> tuple[Outcome, ...]:
        """Every experiment that the profile holds both points of."""
        return experiments.of(self.profile)

    @cached_property
    def held(self) -> dict[str, tuple[Row, Verdict]]:
        """Row and verdict, confirmed where experiments confirm it, of every good point by its key."""
        verdicts = confirm.verdicts(self.profile)
        return {row.point.key: (row, verdicts[row.point.key]) for row in self.rows}

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Points that differ in their batch alone."""
        return series.of(self.profile)

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """What of a step its linear layers hold, where those were measured alone."""
        return series.shares(self.profile)

    @cached_property
    def warnings(self) -> tuple[RunWarning, ...]:
        """What the run recorded and what only reading reveals, the worst first."""
        return warnings.of(self.profile)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The paper's six claims for each device that has points."""
        return claims.of(self.profile)

    @cached_property
    def headline(self) -> str:
        """The sentences that open a report."""
        return headline.headline(self.profile)

    @cached_property
    def under(self) -> dict[str, Under]:
        """The roofs that points with a fraction are drawn under, by key."""
        found = ((row.point.key, self._under(row)) for row in self.rows)
        return {key: under for key, under in found if under is not None}

    def _under(self, row: Row) -> Under | None:
        point, case = row.point, row.case
        if row.fraction is None or point.bytes is None or point.flops is None:
            return None
        paired = median(point.roof_bytes_per_s)
        products = median(point.roof_flop_per_s) if point.roof_flop_per_s else None
        everyone = case.threads == self.roofs.all_threads(case.device)
        level = self.roofs.level_by_size(point) if everyone else None
        read = level.bytes_per_s if level else paired
        peak = self.roofs.arithmetic_roof(case.device, case.threads, case.dtype, case.activations)
        peak = peak or products or float("inf")
        write = points.written_at(self.profile, point)
        curve = self.roofs.curve(case.device).get(case.threads, [])
        size = point.working_set_bytes
        return Under(
            level=level.name if level else None,
            bytes_per_s=read,
            flop_per_s=peak,
            curve=roofs.interpolated(curve, size) if size else None,
            seconds=limit(
                point.bytes["read"] / read,
                point.bytes["written"] / median(write) if write else 0.0,
                point.flops["linear"] / peak,
                point.projected,
            ),
            beside=(paired, products),
        )
