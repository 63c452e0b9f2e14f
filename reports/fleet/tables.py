"""A fleet as tables, as sentences, and as CSV. Rows in, text out."""

import re
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from bench.profile.stats import Estimate
from reports.analysis.wording import ABSENT, percent, share
from reports.compare.between_runs import POWER
from reports.fleet.cause import Held, slow
from reports.fleet.classes import GONE, UNPAIRED, MachineClass, Node
from reports.fleet.fleet import Fleet
from reports.fleet.folder import Silent
from reports.fleet.kinds import LIBRARY
from reports.fleet.upgrade import Change, Upgrade
from reports.fleet.verdict import FAST, SAME, SLOW, UNTOLD
from reports.tables.columns import Column, Table, csv_text, table

SHARE = f"{100 * POWER:.0f} %"
WORDS = (SLOW, FAST, SAME, UNTOLD)
NOT_JUDGED = "not judged"
SLURM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""A node's name as Slurm, and a shell, takes it."""
MOST_NAMES = 8
"""Nodes that a sentence names."""


class Line(NamedTuple):
    """A node beside its class."""

    of: MachineClass
    node: Node


class Part(NamedTuple):
    """A figure of a node."""

    node: Node
    held: Held


def lines(fleet: Fleet) -> list[Line]:
    """Every measured node, those first that are slow."""
    classes = {node.name: one for one in fleet.classes for node in one.nodes}
    return [Line(classes[node.name], node) for node in fleet.nodes]


def sentences(fleet: Fleet) -> list[str]:
    """The answer first, then how sure it is, and what is not known."""
    judged, found = len(fleet.judged), fleet.slow
    if found:
        named = _names([_named(one) for one in found])
        told = [f"{len(found)} of {_nodes(judged)} {_are(len(found))} slow: {named}."]
    elif judged:
        told = [f"None of {_nodes(judged)} is found slow by more than {percent(fleet.slower - 1)}."]
    else:
        told = ["No node could be judged."]
    told += [_could_tell(one) for one in fleet.classes if one.smallest is not None]
    if fleet.near is not None:
        within = percent(fleet.within - 1)
        told.append(f"Within {within} of their class: {share(fleet.near)} of {_nodes(judged)}.")
    suspects = [node.name for node in found if node.confirmed is None and node.reason != UNPAIRED]
    lists = (
        ("Not judged", list(fleet.unjudged), ""),
        ("Of fewer passes than most of their class", [one.name for one in fleet.fewer], ""),
        ("With more failed points than most of their class", [n.name for n in fleet.failing], ""),
        (
            "Not measured again",
            suspects,
            " Do so, beside the control of the class, before a node is taken away.",
        ),
        (
            "Measured again, but not beside a control that has the same figures",
            [node.name for node in found if node.reason == UNPAIRED],
            "",
        ),
        (
            "Not slow when measured again",
            [node.name for node in fleet.nodes if node.reason == GONE],
            "",
        ),
        (
            "Left out of what Slurm takes, for their names are none of its",
            [node.name for node in found if not SLURM.fullmatch(node.name)],
            "",
        ),
    )
    told += [f"{what}: {_names(names)}.{then}" for what, names, then in lists if names]
    return told


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _named(node: Node) -> str:
    """A slow node, by how much its steps are slower, and in what it is slow."""
    by = f"steps {_longer(node.steps.median, 'slower', 'faster')}: " if node.steps else ""
    return f"{node.name} ({by}{', '.join(node.causes)})"


def _could_tell(one: MachineClass) -> str:
    """From which slowdown on its passes tell a slow node."""
    assert one.smallest is not None
    assert one.step_noise is not None
    return (
        f"{one.label}, {_nodes(len(one.nodes))}: a slowdown of all steps is found in {SHARE} of cases from "
        f"{_percent(one.smallest)} on; the difference of two passes of a node has a deviation of "
        f"{100 * one.step_noise * 2**0.5:.1f} %."
    )


def notes(fleet: Fleet) -> list[str]:
    """What a reader has to know before a node is taken away."""
    asked = _percent(fleet.slower)
    held = (
        "Every node is held against the median of all other nodes of its class, which it does not move itself. A "
        "class is what processor and GPU say of themselves, and never a label."
    )
    words = (
        f"Slow is what lies beyond its interval and by more than {asked}. Same is an interval within {asked} of the "
        "class. Not told apart is all between: more passes tell."
    )
    sure = (
        "Intervals hold for all nodes at once: of fleets without a slow node one in twenty at most has a node called "
        "slow, where noise is normal and all nodes have the same. Else two passes do not tell a noisy node from a slow "
        "one: measure suspects again beside another node (--confirm)."
    )
    least = f"The smallest slowdown told is the one that would be found in {SHARE} of fleets."
    ratios = "Figures are ratios of times: of a rate, of what a byte, a FLOP or a cycle takes."
    return [held, words, sure, least, ratios]


def class_table(fleet: Fleet) -> Table:
    """Each class: its nodes by verdict, the noise of a pass, the smallest slowdown that could be told."""

    def count(word: str | None) -> Column[MachineClass]:
        title = word or NOT_JUDGED
        return Column(title, lambda one: sum(node.word == word for node in one.nodes))

    columns: tuple[Column[MachineClass], ...] = (
        Column("class", lambda one: one.label),
        Column("nodes", lambda one: len(one.nodes)),
        *map(count, (*WORDS, None)),
        Column("noise of a pass", lambda one: one.step_noise, lambda value: f"{100 * value:.1f} %"),
        Column("smallest slowdown told", lambda one: one.smallest, _percent),
        Column("control", lambda one: one.control),
    )
    return table(columns, fleet.classes)


def node_table(fleet: Fleet, most: int | None = None) -> Table:
    """Every node: what is said of it, by how much it is slower, in what."""
    every = lines(fleet)
    columns: list[Column[Line]] = [
        Column("node", lambda one: one.node.name),
        Column("verdict", lambda one: one.node.word or NOT_JUDGED),
        Column("steps slower by", lambda one: _middle(one.node.steps), _percent),
        Column("interval", lambda one: one.node.steps, _span),
        Column("slow in", lambda one: ", ".join(one.node.causes) or None),
        Column("passes", lambda one: one.node.passes),
    ]
    if len(fleet.classes) > 1:
        columns.insert(1, Column("class", lambda one: one.of.label))
    more: tuple[Column[Line], ...] = (
        Column("measured again", lambda one: _again(one.node)),
        Column("points failed", lambda one: one.node.failed or None),
        Column("unlike its class", lambda one: _differs(one.node) or None),
        Column("why", lambda one: one.node.reason or None),
    )
    columns += [column for column in more if any(column.value(one) for one in every)]
    return table(columns, every[:most])


def slow_table(fleet: Fleet) -> Table:
    """Of each slow node what it is slow in, and its steps; of libraries none that a roof explains."""
    parts = [Part(node, held) for node in fleet.slow for held in slow(node.held)]
    parts = [
        one
        for one in parts
        if one.held.figure.kind != LIBRARY or str(one.held.figure) in one.node.causes
    ]
    columns: tuple[Column[Part], ...] = (
        Column("node", lambda one: one.node.name),
        Column("slow in", lambda one: str(one.held.figure)),
        Column("kind", lambda one: one.held.figure.kind),
        Column("slower by", lambda one: one.held.ratio.median, _percent),
        Column("interval", lambda one: one.held.ratio, _span),
    )
    return table(columns, parts)


def told_table(one: MachineClass) -> Table:
    """Of each figure of a class the noise of a pass, and the smallest slowdown that could be told."""
    rows = list(zip(one.figures, one.noise, one.told, strict=True))
    return table(
        (
            Column("figure", lambda row: str(row[0])),
            Column("kind", lambda row: row[0].kind),
            Column("noise of a pass", lambda row: _known(row[1]), lambda v: f"{100 * v:.1f} %"),
            Column("smallest slowdown told", lambda row: _known(row[2]), _percent),
        ),
        rows,
    )


def silent_table(fleet: Fleet) -> Table:
    """Nodes and passes that gave nothing, and why."""
    columns: tuple[Column[Silent], ...] = (
        Column("node", lambda one: one.node),
        Column("pass", lambda one: one.name or "every"),
        Column("why", lambda one: one.reason),
    )
    return table(columns, fleet.silent)


def upgrade_sentences(found: Upgrade) -> list[str]:
    """What changed, by class; the share of near nodes before and after; which nodes became slow, or ceased to be."""
    told = [
        f"{one.label}: steps take {_longer(one.ratio.median, 'longer', 'less')} than before ({_span(one.ratio)}), over "
        f"{_nodes(one.nodes)}{_other_kinds(one.others)}."
        for one in found.changes
    ]
    shares = [share(one.near) if one.near else ABSENT for one in (found.before, found.after)]
    told.append(
        f"Nodes within {percent(found.after.within - 1)} of their class: {shares[0]} before, {shares[1]} after."
    )
    for what, names in (
        ("Newly slow", found.newly_slow),
        ("No longer slow", found.no_longer_slow),
        ("Measured before, and not after", found.missing),
    ):
        told.append(f"{what}: {_names(names) or 'none'}.")
    return told


def upgrade_table(found: Upgrade) -> Table:
    """By class, the time of steps after over before."""
    columns: tuple[Column[Change], ...] = (
        Column("class", lambda one: one.label),
        Column("nodes in both", lambda one: one.nodes),
        Column("steps slower by", lambda one: one.ratio.median, _percent),
        Column("95 % interval", lambda one: one.ratio, _span),
    )
    return table(columns, found.changes)


def exclude(fleet: Fleet) -> str:
    """The slow nodes as Slurm's option takes them; empty where there is none."""
    names = ",".join(node.name for node in fleet.slow if SLURM.fullmatch(node.name))
    return f"--exclude={names}" if names else ""


def nodes_csv(fleet: Fleet) -> str:
    """A line for each node, those too that gave nothing; ratios of times, above 1 is slower."""
    found: list[dict[str, object]] = []
    for one, node in lines(fleet):
        steps = node.steps
        control = one.control if node.word == SLOW else None
        found.append(
            _line(node.name, node.word or NOT_JUDGED, node.reason)
            | {
                "class": one.label,
                "control": control,
                "slower": _middle(steps),
                "slower_low": _known(steps.low) if steps else None,
                "slower_high": _known(steps.high) if steps else None,
                "smallest_told": one.smallest,
                "slow_in": "; ".join(node.causes),
                "passes": node.passes,
                "confirmed": None if node.confirmed is None else str(node.confirmed).lower(),
                "failed_points": node.failed,
            }
        )
    there = {node.name for node in fleet.nodes}
    found += [
        _line(name, NOT_JUDGED, reason)
        for name, reason in fleet.unjudged.items()
        if name not in there
    ]
    return csv_text(found)


def figures_csv(fleet: Fleet) -> str:
    """A line for each figure of each node."""
    return csv_text(
        [
            {
                "node": node.name,
                "class": one.label,
                "figure": str(held.figure),
                "kind": held.figure.kind,
                "verdict": held.word,
                "slower": held.ratio.median,
                "slower_low": _known(held.ratio.low),
                "slower_high": _known(held.ratio.high),
                "smallest_told": _known(told[held.figure]),
            }
            for one in fleet.classes
            for told in [dict(zip(one.figures, one.told, strict=True))]
            for node in one.nodes
            for held in node.held
        ]
    )


def _line(name: str, word: str, reason: str) -> dict[str, object]:
    empty = dict.fromkeys(
        (
            *("class", "control", "slower", "slower_low", "slower_high", "smallest_told"),
            *("slow_in", "passes", "confirmed", "failed_points"),
        )
    )
    return {"node": name, "verdict": word, "reason": reason, **empty}


def _differs(node: Node) -> str:
    return "; ".join(f"{fact} {own}, not {theirs}" for fact, own, theirs in node.differs)


def _again(node: Node) -> str | None:
    if node.confirmed is None:
        return None
    return "slow again" if node.confirmed else "not slow"


def _middle(value: Estimate | None) -> float | None:
    return value.median if value else None


def _known(value: float) -> float | None:
    return value if 0 < value < inf else None


def _longer(ratio: float, more: str, less: str) -> str:
    """By how much a time is longer or shorter than another: `3.0 % longer`."""
    return f"{_percent(ratio)} {more}" if ratio >= 1 else f"{100 * (1 - ratio):.1f} % {less}"


def _other_kinds(count: int) -> str:
    return f", {count} of another kind of machine than before" if count else ""


def _percent(ratio: float) -> str:
    """By how much a time is longer than another, with a true minus sign."""
    return f"{100 * (ratio - 1):.1f} %".replace("-", "\N{MINUS SIGN}")


def _span(value: Estimate) -> str:
    """The ends of an interval; nothing where it has none."""
    if _known(value.low) is None or _known(value.high) is None:
        return ABSENT
    low, high = (
        f"{100 * (end - 1):.1f}".replace("-", "\N{MINUS SIGN}") for end in (value.low, value.high)
    )
    return f"{low} to {high} %"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
