"""When which point is visited: in passes over the plan, each in another order, contestants of one case side by side.

Pure. A machine stays in one state for longer than a visit takes, so the visits to a point are spread over the run. What
several experiments share is visited twice as often, and they are judged on different visits.
"""

import random
from collections.abc import Sequence
from operator import attrgetter

from bench.measure.point import VISITS
from bench.profile.experiments import pairs
from bench.profile.suite import Planned
from kernels.case import DEVICES, Case

SHARED = 2 * VISITS
PART = 12
"""Points of a plan that runs as written."""


def wanted(planned: Sequence[Planned]) -> dict[str, int]:
    """How many visits each point gets at least, by key: SHARED where experiments of more than one kind are about it."""
    kinds: dict[Planned, set[str]] = {}
    for kind, *both in pairs(planned, attrgetter("case"), attrgetter("implementation")):
        for one in both:
            kinds.setdefault(one, set()).add(kind)
    return {one.key: SHARED if len(kinds.get(one, ())) > 1 else VISITS for one in planned}


def order(planned: Sequence[Planned], number: int, seed: int | None) -> list[Planned]:
    """The points in the order of a pass: the first as planned, the others with their cases shuffled.

    As planned always, where there is no seed. A CPU's come before a GPU's.
    """
    of_case: dict[Case, list[Planned]] = {}
    for one in planned:
        of_case.setdefault(one.case, []).append(one)
    groups = list(of_case.values())
    if number and seed is not None:
        random.Random(f"{seed} {number}").shuffle(groups)
    turned = (group[::-1] if number % 2 and seed is not None else group for group in groups)
    ordered = [one for group in turned for one in group]
    return sorted(ordered, key=lambda one: DEVICES.index(one.case.device))


def parts(planned: Sequence[Planned], *, written: bool) -> list[Sequence[Planned]]:
    """What is visited in passes of its own: all points; of a plan that runs as written, PART after PART of them.

    Such a run may be cut short, and what stands first is to be whole by then.
    """
    most = PART if written else max(1, len(planned))
    return [planned[start : start + most] for start in range(0, len(planned), most)]


def due(taken: int, wanted: int, number: int) -> bool:
    """Whether a point is visited in a pass: of few visits in every other one, so that they span the run."""
    return taken >= wanted or wanted > VISITS or number % 2 == 0 or number >= SHARED
