"""A fleet before and after something was changed everywhere: which way its classes moved, and which nodes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, sqrt
from statistics import fmean, stdev

from bench.profile.stats import CONFIDENCE, Estimate, student
from reports.fleet import figures
from reports.fleet.classes import confirms
from reports.fleet.figures import Pass
from reports.fleet.fleet import Fleet
from reports.fleet.folder import Found
from reports.fleet.kinds import STEPS, Figure
from reports.locate import BadInput


@dataclass(frozen=True, slots=True)
class Change:
    """The steps of a class after over before, over the nodes that both have: a ratio of times, above 1 is slower."""

    label: str
    nodes: int
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Both fleets, what changed by class, and which nodes are slow in one of them alone."""

    before: Fleet
    after: Fleet
    changes: tuple[Change, ...]

    @property
    def newly_slow(self) -> tuple[str, ...]:
        """Nodes that are slow after, and were measured before and not slow."""
        return _gained(self.before, self.after)

    @property
    def no_longer_slow(self) -> tuple[str, ...]:
        """Nodes that were slow, and are measured after and not slow."""
        return _gained(self.after, self.before)


def upgrade(before: Fleet, of_before: Found, after: Fleet, of_after: Found) -> Upgrade:
    """Hold two measurements of one fleet against each other. Raises BadInput where they have no node in common."""
    if before.suite != after.suite:
        (suite, method), (other, another) = before.suite, after.suite
        raise BadInput(
            f"--before: of suite {suite} and method {method}, and after of suite {other} and method {another}: "
            "measure both alike"
        )
    changes = []
    sides = _by_kind(of_before), _by_kind(of_after)
    for kind in sides[1]:
        found = _change(sides[0].get(kind, {}), sides[1][kind])
        if found is not None:
            changes.append(found)
    if not changes:
        raise BadInput("--before: no node of one kind has a name that both folders know")
    return Upgrade(before, after, tuple(sorted(changes, key=lambda one: (-one.nodes, one.label))))


def _by_kind(found: Found) -> dict[object, dict[str, list[Pass]]]:
    kinds: dict[object, dict[str, list[Pass]]] = {}
    for one in found.passes:
        if not confirms(one):
            kinds.setdefault(one.kind, {}).setdefault(one.node, []).append(one)
    return kinds


def _change(before: Mapping[str, list[Pass]], after: Mapping[str, list[Pass]]) -> Change | None:
    """The mean over nodes of what each became slower by, with Student's interval over nodes; None without any."""
    names = [name for name in after if name in before]
    passes = [one for name in names for side in (before, after) for one in side[name]]
    if not passes:
        return None
    times = dict(zip(map(id, passes), map(_steps, figures.common(passes)), strict=True))

    def middle(each: Sequence[Pass]) -> float | None:
        known = [time for one in each if (time := times[id(one)]) is not None]
        return fmean(known) if known else None

    pairs = [(middle(before[name]), middle(after[name])) for name in names]
    moved = [late - early for early, late in pairs if early is not None and late is not None]
    if not moved:
        return None
    reach = inf
    if len(moved) > 1:
        reach = student((1 + CONFIDENCE) / 2, len(moved) - 1) * stdev(moved) / sqrt(len(moved))
    ends = (fmean(moved) + sign * reach for sign in (-1, 1))
    low, high = (0.0 if end == -inf else inf if end == inf else exp(end) for end in ends)
    return Change(passes[0].label, len(moved), Estimate(exp(fmean(moved)), low, high))


def _steps(of_pass: Mapping[Figure, float]) -> float | None:
    """The mean over devices of how slow its steps are."""
    found = [value for figure, value in of_pass.items() if figure.kind == STEPS]
    return fmean(found) if found else None


def _gained(before: Fleet, after: Fleet) -> tuple[str, ...]:
    """Nodes that are slow in the second and were judged otherwise in the first."""
    calm = {node.name for node in before.judged} - {node.name for node in before.slow}
    return tuple(node.name for node in after.slow if node.name in calm)
