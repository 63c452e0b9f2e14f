"""All that a profile says, derived once: whoever draws or prints it takes an Analysis, or rows of one."""

from functools import cached_property

from bench.profile.records import Point, Profile, RunWarning
from bench.profile.stats import median
from reports.analysis import claims, confirm, experiments, points, series, verdict, warnings
from reports.analysis.claims import Claim
from reports.analysis.experiments import Outcome
from reports.analysis.headline import headline
from reports.analysis.points import Row, Sampled
from reports.analysis.roofs import Roofs, Under
from reports.analysis.series import Series, Share
from reports.analysis.verdict import Verdict
from reports.analysis.wording import machine

CPU = "cpu"


class Analysis:
    """What follows from one profile. Every attribute is derived when it is first asked for, and kept; none changes."""

    def __init__(self, profile: Profile) -> None:
        """Of this profile; nothing is derived yet."""
        self.profile = profile

    @cached_property
    def ordered(self) -> tuple[Point, ...]:
        """Every planned point, good or not, as points are listed everywhere."""
        return tuple(sorted(self.profile.points, key=points.order))

    @cached_property
    def roofs(self) -> Roofs:
        """Curves, arithmetic, levels."""
        return Roofs(self.profile)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every good point held against its roofs, in the order of `ordered`."""
        good = [point for point in self.ordered if point.status == "ok" and point.seconds]
        sampled = list(map(self._sampled, good))
        priors = points.priors(sampled)
        return tuple(
            points.held(one, self.roofs.level_of(one.point), priors[one.point.case.device])
            for one in sampled
        )

    def _sampled(self, point: Point) -> Sampled:
        case, written = point.case, point.bytes["written"] if point.bytes else 0
        write_roof = self.roofs.write_roof(case.device, case.threads, written)
        return points.sampled(point, write_roof, self.roofs.peak(case))

    @cached_property
    def readings(self) -> tuple[tuple[Row, Verdict], ...]:
        """Every good point with its verdict as read by itself."""
        return tuple((row, self._reading(row)) for row in self.rows)

    def _reading(self, row: Row) -> Verdict:
        if row.fraction is None:
            return Verdict("unknown", reason=row.lacking)
        shares = (row.fraction, row.explained, row.overhead, row.balance)
        kept = verdict.OWN_CACHE if row.point.in_own_cache else verdict.KEPT
        chained = kept if row.point.persistent else ()
        return verdict.reading(*shares, row.level, chained=chained, visited=row.sampled.visited)

    @cached_property
    def disturbed(self) -> frozenset[str]:
        """Keys of points beside which another process ran: they confirm nothing."""
        load = (one for one in self.profile.warnings if one.code == "load")
        return frozenset(key for one in load for key in one.about.split(warnings.BETWEEN))

    @cached_property
    def experiments(self) -> tuple[Outcome, ...]:
        """Every experiment between points; of those unknown, impossible or disturbed none takes part."""
        aside = ("unknown", "impossible")
        return experiments.between(
            [
                row
                for row, found in self.readings
                if found.name not in aside and row.key not in self.disturbed
            ]
        )

    @cached_property
    def held(self) -> dict[str, tuple[Row, Verdict]]:
        """Row and verdict, confirmed where experiments confirm it, of every good point by its key."""
        verdicts = confirm.verdicts(self.readings, self.experiments, self.disturbed)
        return {row.key: (row, verdicts[row.key]) for row in self.rows}

    @cached_property
    def under(self) -> dict[str, Under]:
        """The roofs that points with a fraction are drawn under, by key."""
        drawn = (row for row in self.rows if row.fraction)
        return {row.key: self.roofs.under(row.point, row.write_roof) for row in drawn}

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Points that differ in their batch alone."""
        return series.joined(self.profile.points, self.held, self.roofs)

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """What of a step its linear layers hold, where those were measured alone."""
        return series.shares(self.rows)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The paper's six claims for each device that has points."""
        devices = sorted({point.case.device for point in self.profile.points})
        evidence = (self.rows, self.series, self.shares, self.experiments, self.roofs)
        return tuple(claim for device in devices for claim in claims.on(device, *evidence))

    @cached_property
    def headline(self) -> str:
        """The sentences that open a report."""
        return headline(machine(self.profile), self.series, self.profile.warnings)

    @cached_property
    def warnings(self) -> tuple[RunWarning, ...]:
        """What the run recorded and what only reading reveals, the worst first."""
        return warnings.every(self.profile, self.ordered, self.readings, self.roofs)

    @cached_property
    def impossible(self) -> bool:
        """Whether a point lies above its roof."""
        return any(found.name == "impossible" for _, found in self.readings)

    @cached_property
    def clock(self) -> float | None:
        """The clock of the processor in Hz, the median of those measured beside its points; None where none was."""
        states = (point.state or {} for point in self.profile.points if point.case.device == CPU)
        found = [hertz for state in states if (hertz := state.get("clock_hz"))]
        return median(found) if found else None
