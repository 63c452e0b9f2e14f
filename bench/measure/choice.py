"""Which way of computing a case is fastest here, where an implementation offers several: timed once, then remembered.

The ways take turns at the same weights: each goes on with the sets where another stopped, so that streamed ones come
from memory for all. What was found lies beside what numba compiled, by kind of machine, version and case. That folder's
name changes with the source of the kernels, and then all is timed anew.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import perf_counter

import msgspec

from bench.machine.describe import machine
from bench.measure import rotation
from bench.profile import stats
from bench.timing.clock import undisturbed
from kernels.case import Case
from kernels.contract import Choice, Implementation, InputSets, Sets

SAMPLE_SECONDS = 0.002
"""Least length of a block of calls."""
ROUNDS = 7
FIRST = 2
"""Rounds after which ways that are far behind are left out."""
BEHIND = 1.2
"""Times the fastest one's: that far."""

STEADY = 1.25
"""Times its least: a median beyond that is not remembered."""

Call = Callable[[], object]
_Known = dict[str, dict[str, str]]
"""Name of the choice, by machine, and by implementation, its version and case."""


def made(
    implementation: Implementation, case: Case, sets: Sets, inputs: InputSets, known: str | None
) -> Choice | None:
    """The choice to prepare this case with: the one of the name `known`, one remembered, or the fastest; None of none.

    Every way is prepared and timed where nothing is known.
    """
    ways = implementation.choices(case)
    if not ways:
        return None
    by_name = {way.name: way for way in ways}
    who = _machine()
    what = f"{implementation.label}, {implementation.version()}: {case.id}"
    found = known or _remembered().get(who, {}).get(what)
    if found not in by_name:
        steps = [rotation.bind(implementation, case, sets, inputs, way) for way in ways]
        number, steady = fastest([[call for _, _, call in one] for one in steps])
        found = ways[number].name
        if steady:
            _remember(who, what, found)
    return by_name[found]


def fastest(ways: Sequence[Sequence[Call]]) -> tuple[int, bool]:
    """The number of the way whose calls take the least time, and whether its rounds agree: else others had the machine.

    By the median of rounds in which ways take turns. Each has a call for each pair of sets, in the same order.
    """
    at = 0
    seconds: list[list[float]] = [[] for _ in ways]

    def block(calls: Sequence[Call], count: int) -> float:
        nonlocal at
        turn = [calls[(at + k) % len(calls)] for k in range(count)]
        at += count
        began = perf_counter()
        for call in turn:
            call()
        return (perf_counter() - began) / count

    with undisturbed():
        for calls in ways:
            block(calls, 1)  # compiles
        each = min(block(calls, 1) for calls in ways)
        count = max(1, int(SAMPLE_SECONDS / each))
        left = list(range(len(ways)))
        for number in range(ROUNDS):
            for way in left if number % 2 else left[::-1]:
                block(ways[way], max(1, count // 4))
                seconds[way].append(block(ways[way], count))
            if number + 1 == FIRST:
                best = min(map(min, seconds))
                left = [way for way in left if min(seconds[way]) <= BEHIND * best]
    first = min(left, key=lambda way: stats.median(seconds[way]))
    return first, stats.median(seconds[first]) <= STEADY * min(seconds[first])


@cache
def _machine() -> str:
    """The kind of machine, and what the kernels are compiled for where that is not all that it has."""
    names = (f"NUMBA_CPU_{name}" for name in ("NAME", "FEATURES"))
    return ", ".join([machine()["id"], *(os.environ[name] for name in names if name in os.environ)])


def _file() -> Path:
    """Where choices are remembered, beside what numba compiled: `bench.roofs` names the folder."""
    return Path(os.environ["NUMBA_CACHE_DIR"]) / "choices.json"


def _remembered() -> _Known:
    """Empty where there is no file, or none that can be read."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(_file().read_bytes(), type=_Known)
    return {}


def _remember(who: str, what: str, name: str) -> None:
    """Nothing where it cannot be written: it is timed anew then."""
    path, known = _file(), _remembered()
    known.setdefault(who, {})[what] = name
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".json", delete=False) as written:
            written.write(msgspec.json.encode(known))
        Path(written.name).replace(path)
