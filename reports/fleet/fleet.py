"""The fleet as a whole: its classes, which nodes are slow, and how many are near their class. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.profile.stats import Estimate, median
from reports.fleet.classes import MachineClass, Node, confirms, machine_class, rank
from reports.fleet.figures import Pass, by_node
from reports.fleet.folder import Found, Silent
from reports.fleet.kinds import STEPS
from reports.fleet.verdict import SLOW
from reports.locate import BadInput

SLOWER, WITHIN = 3.0, 5.0
"""Per cent by which a node is slow, and within which it is near its class, where nobody asks for others."""
MOST_NAMES = 5
"""Nodes that a refusal names."""
MOST_MARKS, LONGEST_MARK = 3, 40
"""What tells classes of one name apart: so many facts, so many letters of each."""


@dataclass(frozen=True)
class Fleet:
    """All classes, the largest first; nodes and passes that gave nothing; what was asked, as ratios."""

    classes: tuple[MachineClass, ...]
    silent: tuple[Silent, ...]
    suite: tuple[str, int]
    slower: float
    within: float

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that was measured: those that are slow first, the slowest before all."""
        return tuple(sorted((node for one in self.classes for node in one.nodes), key=rank))

    @cached_property
    def slow(self) -> tuple[Node, ...]:
        """The nodes that are slow."""
        return tuple(node for node in self.nodes if node.word == SLOW)

    @cached_property
    def judged(self) -> tuple[Node, ...]:
        """The nodes of which something is said."""
        return tuple(node for node in self.nodes if node.word is not None)

    @cached_property
    def unjudged(self) -> dict[str, str]:
        """The other nodes, those that gave nothing too, each with the reason."""
        told = {node.name for node in self.judged}
        found = {node.name: node.reason for node in self.nodes if node.word is None}
        for one in self.silent:
            if one.node not in told:
                found.setdefault(one.node, one.reason)
        return found

    @cached_property
    def fewer(self) -> tuple[Node, ...]:
        """The nodes that have fewer passes than most of their class."""
        found = []
        for one in self.classes:
            (most, _), *_ = Counter(node.passes for node in one.nodes).most_common(1)
            found += [node for node in one.nodes if node.passes < most]
        return tuple(found)

    @cached_property
    def failing(self) -> tuple[Node, ...]:
        """The nodes that have more failed points than most of their class."""
        found = []
        for one in self.classes:
            usual = median([node.failed for node in one.nodes])
            found += [node for node in one.nodes if node.failed > usual]
        return tuple(found)

    @cached_property
    def near(self) -> Estimate | None:
        """The share of judged nodes within `within` of their class: as seen, those that surely are, that may be."""
        each = [
            [one.ratio for one in node.held if one.figure.kind == STEPS] for node in self.judged
        ]
        return near([ratios for ratios in each if ratios], self.within)


def near(nodes: Sequence[Sequence[Estimate]], within: float) -> Estimate | None:
    """The share of nodes, each with ratios of times, within a ratio either way; None of none.

    By the middles of their intervals, by intervals that lie within, and by those of which a part does. As intervals
    hold for all nodes at once, so does the share's.
    """
    if not nodes:
        return None
    least, most = 1 / within, within
    seen = [all(least <= one.median <= most for one in each) for each in nodes]
    surely = [all(least <= one.low and one.high <= most for one in each) for each in nodes]
    maybe = [all(least <= one.high and one.low <= most for one in each) for each in nodes]
    return Estimate(*(sum(each) / len(nodes) for each in (seen, surely, maybe)))


def fleet(found: Found, slower: float = SLOWER, within: float = WITHIN) -> Fleet:
    """Judge every node; both are per cent. Raises BadInput where there is nothing to compare, or what cannot be."""
    suite = _one_suite(found.passes)
    odd = _of_two_machines(found.passes)
    measured = {one.node for one in found.passes if not confirms(one)}
    by_kind: dict[object, list[Pass]] = {}
    for one in found.passes:
        if one.node not in odd and one.node in measured:
            by_kind.setdefault(one.kind, []).append(one)
    classes = [by_node(passes) for passes in by_kind.values()]
    many = sum(len(nodes) for nodes in classes if len(nodes) > 1)
    if not many:
        raise BadInput(_nothing_to_compare(found, odd))
    labels = _labels(list(by_kind.values()))
    made = [
        machine_class(label, nodes, many, 1 + slower / 100)
        for label, nodes in zip(labels, classes, strict=True)
    ]
    made.sort(key=lambda one: (-len(one.nodes), one.label))
    silent = (*found.silent, *(Silent(node, "", reason) for node, reason in odd.items()))
    return Fleet(tuple(made), silent, suite, 1 + slower / 100, 1 + within / 100)


def _labels(classes: Sequence[Sequence[Pass]]) -> list[str]:
    """What each class calls itself; where two do alike, with what tells them apart."""
    labels = [Counter(one.label for one in passes).most_common(1)[0][0] for passes in classes]
    kinds = [dict(passes[0].kind) for passes in classes]
    found = []
    for label, kind in zip(labels, kinds, strict=True):
        alike = [other for name, other in zip(labels, kinds, strict=True) if name == label]
        apart = [key for key in kind if len({other.get(key) for other in alike}) > 1]
        marks = [f"{key} {kind[key]}"[:LONGEST_MARK] for key in apart[:MOST_MARKS]]
        found.append(f"{label} ({', '.join(marks)})" if len(alike) > 1 else label)
    counts = Counter(found)
    met: Counter[str] = Counter()
    for index, label in enumerate(found):
        met[label] += 1
        if counts[label] > 1:
            found[index] = f"{label}, kind {met[label]}"
    return found


def _one_suite(passes: Sequence[Pass]) -> tuple[str, int]:
    """The suite and method that all have. Raises BadInput where one has another."""
    counts = Counter(one.suite for one in passes)
    (common, often), *others = counts.most_common()
    if others:
        odd = next(one for one in passes if one.suite != common)
        raise BadInput(
            f"{odd.node}/{odd.name}: of suite {odd.suite[0]} and method {odd.suite[1]}, and {often} of suite "
            f"{common[0]} and method {common[1]}: measure all nodes alike, or take it away"
        )
    return common


def _of_two_machines(passes: Iterable[Pass]) -> dict[str, str]:
    """Nodes of which two passes are of unlike machines, and in what these differ: no such node is judged."""
    first: dict[str, Pass] = {}
    found: dict[str, str] = {}
    for one in passes:
        other = first.setdefault(one.node, one)
        if one.kind != other.kind:
            ours, theirs = dict(one.kind), dict(other.kind)
            keys = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
            found.setdefault(
                one.node,
                f"pass {one.name} is of another kind of machine than pass {other.name}: {', '.join(keys[:MOST_MARKS])}",
            )
    return found


def _nothing_to_compare(found: Found, odd: Mapping[str, str]) -> str:
    names = list(dict.fromkeys(one.node for one in found.passes))
    reasons = [*((one.node, one.reason) for one in found.silent), *odd.items()]
    silent = "".join(f"; {node}: {reason}" for node, reason in reasons[:1])
    if len(names) == 1:
        return f"{names[0]}: one node{silent}: a fleet takes two of one kind at least"
    labels = dict.fromkeys(one.label for one in found.passes)
    return (
        f"{', '.join(names[:MOST_NAMES])}: no two are of one kind of machine ({'; '.join(list(labels)[:MOST_NAMES])})"
        f"{silent}: measure two of one kind at least"
    )
