"""What a slow node is slow in: clock, cache, arithmetic, memory, call, a library, or its steps alone. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.profile.stats import Estimate
from reports.fleet.kinds import CLOCK, LIBRARY, ROOFS, Figure
from reports.fleet.verdict import SLOW, Word

UNEXPLAINED = "no roof: the steps alone"
"""The cause where neither a roof nor one library more than the others is surely slower."""


@dataclass(frozen=True, slots=True)
class Held:
    """A figure of a node held against the others of its class: the ratio of their times, and what it says."""

    figure: Figure
    ratio: Estimate
    word: Word


def slow(held: Iterable[Held]) -> tuple[Held, ...]:
    """The figures in which a node is slow, the slowest first."""
    found = [one for one in held if one.word == SLOW]
    return tuple(sorted(found, key=lambda one: -one.ratio.median))


def causes(held: Sequence[Held]) -> tuple[str, ...]:
    """What explains that a node is slow: names of figures, device by device.

    By the kinds of ROOFS in their order, then libraries. A slow clock makes all that follows slow, too: of that only
    what is surely slower than the clock is named. A library is named where it is surely slower than every slow roof,
    and not every library is slow alike. Empty where nothing is slow.
    """
    devices = dict.fromkeys(one.figure.device for one in held)
    each = [[one for one in held if one.figure.device == device] for device in devices]
    return tuple(name for own in each for name in _causes(own))


def _causes(held: Sequence[Held]) -> tuple[str, ...]:
    found = slow(held)
    if not found:
        return ()
    roofs = [one for kind in ROOFS for one in found if one.figure.kind == kind]
    clock = max((one.ratio.high for one in roofs if one.figure.kind == CLOCK), default=1.0)
    named = [one for one in roofs if one.figure.kind == CLOCK or one.ratio.low > clock]
    explained = max((one.ratio.high for one in roofs), default=1.0)
    libraries = [one for one in found if one.figure.kind == LIBRARY and one.ratio.low > explained]
    every = sum(one.figure.kind == LIBRARY for one in held)
    if named or len(libraries) < max(every, 2):
        named += libraries
    device = found[0].figure.device
    unexplained = UNEXPLAINED if device == "cpu" else f"{UNEXPLAINED} on {device}"
    return tuple(str(one.figure) for one in named) or (unexplained,)
