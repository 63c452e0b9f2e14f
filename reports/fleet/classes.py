"""Classes of machines that should be equal, and what is said of each of their nodes. Pure.

Nodes are of one class where their processors and GPUs say the same of themselves and their runs had as many threads.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from bench.profile.stats import WIDEST, Estimate
from reports.fleet import cause, figures, verdict
from reports.fleet.cause import Held
from reports.fleet.figures import Pass
from reports.fleet.kinds import LIBRARY, ROOFS, STEPS, Figure
from reports.fleet.verdict import FALSE_ALARM, SLOW, UNTOLD, Array, Judged, Word

PASSES = 2
"""So many passes of a node tell it from its runs."""
CONFIRM = "confirm"
"""How the name of a pass begins in which suspects are measured again."""
ORDER = (STEPS, *ROOFS, LIBRARY)
MAY_DIFFER = frozenset({"measured", "complete", "machine", "machine id", "settings"})
"""Facts in which equal nodes differ, or which their class tells."""
ALONE = "the only node of its kind"
ONCE = "measured in one pass, which does not tell the node from the run: measure another"
WIDE = "its passes tell no slowdown below a factor of ten: measure another"
GONE = "slow in its passes, and not when measured again beside another node"
UNPAIRED = "measured again without a control beside it that has the same figures"
Values = Sequence[Sequence[Mapping[Figure, float]]]
"""Of each node the figures of each of its passes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was measured.

    passes     how many, without those that confirm
    word       what is said of it; None where it is not judged, and `reason` says why
    held       its figures against those of its class
    causes     what it is slow in; empty unless it is slow
    confirmed  whether it was slow again beside another node; None where it was not measured again
    differs    facts in which it is unlike most of its class: fact, its own, theirs
    failed     points that failed in one of its passes
    """

    name: str
    passes: int
    word: Word | None
    reason: str
    held: tuple[Held, ...]
    causes: tuple[str, ...]
    confirmed: bool | None
    differs: tuple[tuple[str, str, str], ...]
    failed: int

    @property
    def steps(self) -> Estimate | None:
        """The time of its steps over that of its class; of several devices the slower one's."""
        found = [one.ratio for one in self.held if one.figure.kind == STEPS]
        return max(found, key=lambda one: one.median, default=None)


@dataclass(frozen=True, slots=True)
class MachineClass:
    """Nodes that should be equal, the slowest first.

    figures  what they are held against one another by
    told     by figure, the smallest slowdown that these passes could tell, a ratio; NaN where they tell none
    noise    by figure, the deviation of one pass, as a fraction
    control  the node whose steps are nearest to the class, beside which suspects may be measured again
    """

    label: str
    nodes: tuple[Node, ...]
    figures: tuple[Figure, ...]
    told: tuple[float, ...]
    noise: tuple[float, ...]
    control: str | None

    @property
    def smallest(self) -> float | None:
        """The smallest slowdown of all steps that these passes could tell, a ratio."""
        return self._of_steps(self.told)

    @property
    def step_noise(self) -> float | None:
        """The deviation of one pass in all of its steps."""
        return self._of_steps(self.noise)

    def _of_steps(self, by_figure: Sequence[float]) -> float | None:
        pairs = zip(self.figures, by_figure, strict=True)
        found = [one for figure, one in pairs if figure.kind == STEPS and not np.isnan(one)]
        return max(found, default=None)


def machine_class(
    label: str, nodes: Mapping[str, Sequence[Pass]], many: int, slower: float
) -> MachineClass:
    """Hold nodes of one kind against one another; `many` nodes of the fleet are judged, `slower` is a ratio."""
    passes = [one for each in nodes.values() for one in each]
    steps = iter(figures.common(passes))
    values = {
        name: [(one, one.roofs | next(steps)) for one in each] for name, each in nodes.items()
    }
    first = [[of for one, of in each if not confirms(one)] for each in values.values()]
    later = [[of for one, of in each if confirms(one)] for each in values.values()]
    known = _known([of for each in first for of in each])
    earlier = _table(first, known)
    judged = verdict.judge(earlier, chances(known, many), slower)
    held = [_held(row, known, judged, slower) for row in range(len(nodes))]
    again = _again(earlier, _table(later, known), known, judged, held, slower)
    facts = _typical(passes)
    of_steps = [column for column, figure in enumerate(known) if figure.kind == STEPS]
    blind = not of_steps or bool(np.isnan(judged.told[of_steps]).any())
    found = [
        _node(each, held[row], again.get(row), _untold(held[row], known, blind, each), facts)
        for row, each in enumerate(nodes.values())
    ]
    return MachineClass(
        label=label,
        nodes=tuple(sorted(found, key=rank)),
        figures=known,
        told=tuple(np.exp(judged.told).tolist()),
        noise=tuple(judged.noise.tolist()),
        control=_control(found),
    )


def confirms(one: Pass) -> bool:
    """Whether suspects were measured again in this pass."""
    return one.name.startswith(CONFIRM)


def rank(node: Node) -> tuple[bool, float, str]:
    """Slow nodes first, then by the time of their steps, the slowest first."""
    return node.word != SLOW, -node.steps.median if node.steps else 0.0, node.name


def chances(known: Sequence[Figure], nodes: int) -> Array:
    """By figure the chance of calling one node slow that is not: half of all for steps, half for what else there is."""
    steps = sum(figure.kind == STEPS for figure in known)
    shares = [steps if figure.kind == STEPS else len(known) - steps for figure in known]
    return FALSE_ALARM / 2 / np.array(shares, float) / nodes


def _known(found: Sequence[Mapping[Figure, float]]) -> tuple[Figure, ...]:
    """The figures that more than half of the passes have, in their order."""
    counts = Counter(figure for one in found for figure in one)
    kept = [figure for figure, count in counts.items() if 2 * count > len(found)]
    return tuple(sorted(kept, key=lambda one: (ORDER.index(one.kind), one.device)))


def _table(nodes: Values, known: Sequence[Figure]) -> Array:
    """Figures (node, pass, figure), NaN where there is none."""
    most = max(map(len, nodes))
    found = np.full((len(nodes), max(most, 1), len(known)), np.nan)
    for row, passes in enumerate(nodes):
        for column, one in enumerate(passes):
            found[row, column] = [one.get(figure, np.nan) for figure in known]
    return found


def _held(row: int, known: Sequence[Figure], judged: Judged, slower: float) -> tuple[Held, ...]:
    """Every figure of a node against its class."""
    found = []
    for column, figure in enumerate(known):
        word = judged.word(row, column, slower)
        if word is not None:
            ends = (each[row, column] for each in (judged.shift, judged.low, judged.high))
            found.append(Held(figure, Estimate(*map(_ratio, ends)), word))
    return tuple(found)


def _ratio(logarithm: float) -> float:
    """A ratio; one beyond all figures is infinite."""
    return exp(logarithm) if logarithm < WIDEST else float("inf")


def _again(
    earlier: Array,
    later: Array,
    known: Sequence[Figure],
    judged: Judged,
    held: Sequence[Sequence[Held]],
    slower: float,
) -> dict[int, bool]:
    """Of nodes that were slow and measured again beside others, by row: whether they were slow again."""
    slow = [{one.figure for one in cause.slow(each)} for each in held]
    both = ~np.isnan(verdict.means(later)) & ~np.isnan(verdict.means(earlier))
    suspects = [row for row, each in enumerate(slow) if each and both[row].any()]
    controls = [row for row, each in enumerate(slow) if not each and both[row].any()]
    if not suspects or not controls:
        return {}
    wanted = np.array([[figure in slow[row] for figure in known] for row in suspects])
    asked: NDArray[np.bool_] = wanted & both[suspects] & both[controls].any(axis=0)
    use: NDArray[np.bool_] = np.any(asked, axis=0)
    controls = [row for row in controls if both[row, use].all()]
    if not use.any() or not controls:
        return {}
    shown = verdict.again(
        earlier[suspects][:, :, use],
        later[suspects][:, :, use],
        earlier[controls][:, :, use],
        later[controls][:, :, use],
        judged.of(use),
        FALSE_ALARM / 2 / float(asked.sum()),
        slower,
    )
    slow_again = np.any(shown & asked[:, use], axis=1)
    answered = np.any(asked, axis=1)
    return {row: bool(slow_again[i]) for i, row in enumerate(suspects) if answered[i]}


def _node(
    passes: Sequence[Pass],
    held: tuple[Held, ...],
    confirmed: bool | None,
    untold: str,
    facts: Mapping[str, str],
) -> Node:
    """One node, and all that is said of it; `untold`: why nothing is."""
    word, reason = (None, untold) if untold else _word(held, confirmed)
    if word == SLOW and confirmed is None and any(map(confirms, passes)):
        reason = UNPAIRED
    return Node(
        name=passes[0].node,
        passes=sum(not confirms(one) for one in passes),
        word=word,
        reason=reason,
        held=held,
        causes=cause.causes(held) if word == SLOW else (),
        confirmed=confirmed,
        differs=tuple(_differs(passes[-1].facts, facts)),
        failed=max(one.failed for one in passes),
    )


def _untold(
    held: Sequence[Held], known: Sequence[Figure], blind: bool, passes: Sequence[Pass]
) -> str:
    """Why nothing is said of a node; empty where something is. `blind`: its class tells no slowdown of steps."""
    if not held:
        return ALONE
    if blind:
        return ONCE if sum(not confirms(one) for one in passes) < PASSES else WIDE
    own = {one.figure for one in held}
    lacking = [str(figure) for figure in known if figure.kind == STEPS and figure not in own]
    return f"no good point for: {', '.join(lacking)}" if lacking else ""


def _word(held: Sequence[Held], confirmed: bool | None) -> tuple[Word | None, str]:
    """What is said of a node by all of its figures, and why."""
    if cause.slow(held):
        return (UNTOLD, GONE) if confirmed is False else (SLOW, "")
    steps = [one.word for one in held if one.figure.kind == STEPS]
    return (steps[0] if len(set(steps)) == 1 else UNTOLD), ""


def _control(nodes: Sequence[Node]) -> str | None:
    """The node whose steps are nearest to the class, of those that are judged and not slow."""
    found = [
        (abs(log(node.steps.median)), node.name)
        for node in nodes
        if node.word not in (None, SLOW) and node.steps
    ]
    return min(found)[1] if found else None


def _typical(passes: Sequence[Pass]) -> dict[str, str]:
    """What most passes say, where more than half say the same."""
    said: dict[str, Counter[str]] = {}
    for one in passes:
        for key, value in one.facts.items():
            said.setdefault(key, Counter())[value] += 1
    found = {}
    for key, counts in said.items():
        (value, often), *_ = counts.most_common(1)
        if key not in MAY_DIFFER and 2 * often > len(passes):
            found[key] = value
    return found


def _differs(own: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key, value in theirs.items():
        if key in own and own[key] != value:
            yield key, own[key], value
