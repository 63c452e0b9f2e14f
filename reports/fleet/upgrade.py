"""A fleet before and after something was changed everywhere: which way its classes moved, and which nodes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf
from statistics import fmean

from bench.profile.stats import Estimate, of_visits
from reports.fleet import figures
from reports.fleet.classes import confirms
from reports.fleet.figures import Pass, by_node
from reports.fleet.fleet import Fleet
from reports.fleet.folder import Found
from reports.fleet.kinds import STEPS, Figure
from reports.locate import BadInput


@dataclass(frozen=True, slots=True)
class Change:
    """The steps of a class after over before, over the nodes that both have: a ratio of times, above 1 is slower.

    The class is that after; `others` of the nodes were of another kind of machine before.
    """

    label: str
    nodes: int
    others: int
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Both fleets, what changed by class, and which nodes are slow in one of them alone."""

    before: Fleet
    after: Fleet
    changes: tuple[Change, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Nodes that were measured before, and not after."""
        there = {node.name for node in self.after.nodes}
        return tuple(node.name for node in self.before.nodes if node.name not in there)

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
    early, late = (
        by_node(one for one in side.passes if not confirms(one)) for side in (of_before, of_after)
    )
    changes = []
    for one in after.classes:
        names = [node.name for node in one.nodes if node.name in early]
        found = _change(one.label, [(early[name], late[name]) for name in names])
        if found is not None:
            changes.append(found)
    if not changes:
        raise BadInput("--before: no node has a name that both folders know, and steps in common")
    return Upgrade(before, after, tuple(sorted(changes, key=lambda one: (-one.nodes, one.label))))


def _change(label: str, pairs: Sequence[tuple[Sequence[Pass], Sequence[Pass]]]) -> Change | None:
    """The mean over nodes of what each became slower by, with Student's interval over nodes; None without any.

    Of each pair the passes of a node before and after.
    """
    passes = [one for pair in pairs for side in pair for one in side]
    if not passes:
        return None
    times = dict(zip(map(id, passes), map(_steps, figures.common(passes)), strict=True))

    def middle(each: Sequence[Pass]) -> float | None:
        known = [time for one in each if (time := times[id(one)]) is not None]
        return fmean(known) if known else None

    middles = [(middle(early), middle(late)) for early, late in pairs]
    moved = [late - early for early, late in middles if early is not None and late is not None]
    if not moved:
        return None
    ratios = [exp(one) for one in moved]
    ratio = of_visits(ratios) if len(ratios) > 1 else Estimate(ratios[0], 0.0, inf)
    others = sum(early[0].kind != late[0].kind for early, late in pairs)
    return Change(label, len(moved), others, ratio)


def _steps(of_pass: Mapping[Figure, float]) -> float | None:
    """The mean over devices of how slow its steps are."""
    found = [value for figure, value in of_pass.items() if figure.kind == STEPS]
    return fmean(found) if found else None


def _gained(before: Fleet, after: Fleet) -> tuple[str, ...]:
    """Nodes that are slow in the second and were judged otherwise in the first."""
    calm = {node.name for node in before.judged} - {node.name for node in before.slow}
    return tuple(node.name for node in after.slow if node.name in calm)
