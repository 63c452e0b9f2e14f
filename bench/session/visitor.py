"""Points between their visits: those that stay built while others are visited, and how long each takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from bench.measure import point as points
from bench.measure.context import Context
from bench.measure.point import History, Opened
from bench.profile.records import Point
from bench.profile.suite import Planned
from bench.session.progress import Spent
from kernels.contract import Implementation

KEPT_SHARE = 8
"""What points keep built takes at most one part in so many of the memory that was free: the largest are built anew."""


@dataclass
class Times:
    """How long a point took, in seconds: built and checked once, prepared within that, each visit, checked again."""

    building: float = 0.0
    preparing: float = 0.0
    visits: list[float] = field(default_factory=list)
    finishing: float | None = None

    @property
    def each(self) -> float:
        """A visit's, the mean."""
        return sum(self.visits) / len(self.visits) if self.visits else 0.0

    @property
    def at_the_end(self) -> float:
        """The second check's, which is much like the first."""
        return self.building if self.finishing is None else self.finishing


class Visitor:
    """Opens points, visits them, and lets them go when they are done or where memory is short."""

    def __init__(self) -> None:
        """With nothing known."""
        self._histories: dict[str, History] = {}
        self._times: dict[str, tuple[Planned, Times]] = {}

    def visit(
        self,
        context: Context,
        planned: Planned,
        implementation: Implementation,
        order: int,
        earlier: Point | None,
        wanted: int,
    ) -> Point:
        """One more visit to a point, and what else is due: building before it, the second check after the last.

        `earlier` is its record so far, `wanted` how many visits it gets at least.
        """
        key = planned.key
        _, times = self._times.setdefault(key, (planned, Times()))
        still = context.cache.opened
        found: Opened | None = still.pop(key, None)
        if found is None:
            began, prepared = monotonic(), context.cache.preparing_seconds
            built = points.opened(
                context,
                planned.case,
                planned.implementation,
                implementation,
                order,
                earlier=earlier,
                history=self._histories.setdefault(key, History()),
            )
            times.preparing = context.cache.preparing_seconds - prepared
            times.building = monotonic() - began - times.preparing
            if isinstance(built, Point):
                return built
            found = built
        began = monotonic()
        record = found.visited()
        times.visits.append(monotonic() - began)
        if record.status != "ok":
            return record
        if found.enough(wanted):
            began = monotonic()
            record = found.finished()
            times.finishing = monotonic() - began
            return record
        still[key] = found
        while sum(one.kept_bytes for one in still.values()) > context.free_bytes // KEPT_SHARE:
            still.pop(max(still, key=lambda one: still[one].kept_bytes))
        return found.record

    def spent(self, wanted: dict[str, int]) -> list[Spent]:
        """Of every point that was visited: what it takes, all its visits told."""
        found = []
        for key, (planned, times) in self._times.items():
            visits = max(wanted.get(key, points.VISITS), len(times.visits)) * times.each
            whole = times.building + times.preparing + visits + times.at_the_end
            found.append(Spent(planned, whole, times.preparing))
        return found

    def seconds_left(self, left: Sequence[Planned], wanted: dict[str, int]) -> float:
        """What points that were visited before take yet."""
        total = 0.0
        for one in left:
            if one.key in self._times:
                _, times = self._times[one.key]
                visits = max(0, wanted.get(one.key, points.VISITS) - len(times.visits))
                total += visits * times.each + times.at_the_end
        return total

    def knows(self, planned: Planned) -> bool:
        """Whether a point was visited in this process."""
        return planned.key in self._times
