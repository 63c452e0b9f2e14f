"""What one pass of one node says: the kind of machine that it is, its limits, and the time of each of its steps. Pure.

Every figure is the logarithm of a time, so that more is slower and a difference of 0.05 is 5 %: of a rate it is that of
what a byte or a FLOP takes.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from math import fsum, log
from sys import intern
from typing import Any, NamedTuple

from bench.profile.records import Point, Profile
from bench.profile.stats import by_visit, median
from kernels.case import DTYPES
from reports.analysis.roofs import Roofs
from reports.analysis.wording import machine
from reports.compare.facts import facts
from reports.fleet.kinds import ARITHMETIC, CACHE, CALL, CLOCK, LIBRARY, MEMORY, STEPS, Figure

WRITTEN = ("write", "copy", "triad")
OF_GPU = ("name", "sm_count", "l2_bytes", "mig")
OF_CPU = (
    *("model", "architecture", "family", "model_number", "stepping", "microarch"),
    *("sockets", "cores", "threads", "isa"),
)
"""What machines of one kind have in common: what the processor says of itself. No label, and no memory: a node that
lacks a module of it is of its kind, and slow."""


class Timed(NamedTuple):
    """A step of a node: where it ran, by what, and the logarithm of its time in seconds."""

    device: str
    implementation: str
    time: float


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of a node.

    kind     what machines of one kind have in common; `label` is what it calls itself
    suite    with its method: what nodes must share
    roofs    by figure, the logarithm of what a byte, a FLOP, a call or a cycle takes
    steps    by key, every good point
    facts    what runs may differ in, in words
    failed   points that are not good, though neither skipped
    print    of its samples: two passes are never alike in it
    """

    node: str
    name: str
    label: str
    kind: tuple[tuple[str, str], ...]
    suite: tuple[str, int]
    roofs: dict[Figure, float]
    steps: dict[str, Timed]
    facts: dict[str, str]
    failed: int
    print: str


def read(profile: Profile, node: str, name: str) -> Pass:
    """What a profile says as one pass of a node."""
    good = [point for point in profile.points if point.status == "ok" and point.seconds]
    seen = sha256()
    for point in good:
        seen.update(array("d", point.seconds).tobytes())
    return Pass(
        node=node,
        name=name,
        label=_label(profile),
        kind=tuple(_kind(profile)),
        suite=(profile.suite, profile.method),
        roofs=_roofs(profile),
        steps={
            point.key: Timed(point.case.device, point.implementation, _time(point))
            for point in good
        },
        facts=facts(profile),
        failed=sum(point.status == "failed" for point in profile.points),
        print=seen.hexdigest(),
    )


def by_node(passes: Iterable[Pass]) -> dict[str, list[Pass]]:
    """The passes of each node."""
    found: dict[str, list[Pass]] = {}
    for one in passes:
        found.setdefault(one.node, []).append(one)
    return found


def shared(one: Pass) -> Pass:
    """The same, with texts held once that other passes hold too: each may come out of another process by itself."""
    return replace(
        one,
        kind=tuple((intern(name), intern(value)) for name, value in one.kind),
        roofs={Figure(*map(intern, figure)): seconds for figure, seconds in one.roofs.items()},
        steps={
            intern(key): Timed(intern(step.device), intern(step.implementation), step.time)
            for key, step in one.steps.items()
        },
        facts={intern(name): intern(value) for name, value in one.facts.items()},
    )


def _time(point: Point) -> float:
    """The logarithm of its time: the mean over visits of that of the median of rounds."""
    logs = [log(median(one)) for one in by_visit(point.seconds, point.visits)]
    return fsum(logs) / len(logs)


def _label(profile: Profile) -> str:
    """What the machine calls itself, and its GPUs."""
    gpus = [str(one.get("name")) for one in profile.machine.get("gpus") or []]
    named = [f"{gpus.count(name)} {name}" for name in dict.fromkeys(gpus)]
    alone = machine(profile)
    return " + ".join([*([] if alone in gpus else [alone]), *named])


def _kind(profile: Profile) -> Iterator[tuple[str, str]]:
    """What its processor and its GPUs say of themselves, and the threads that the run had."""
    for name in OF_CPU:
        yield name, repr(profile.cpu.get(name))
    for cache in profile.cpu.get("caches") or []:  # of the machine, whichever cores were granted
        sizes = [cache.get(key) for key in ("type", "size_bytes", "machine_instances")]
        yield f"L{cache.get('level')} {cache.get('type')}", repr(sizes)
    for index, gpu in enumerate(profile.machine.get("gpus") or []):
        yield f"GPU {index}", repr([gpu.get(name) for name in OF_GPU])
    yield "threads of the run", repr(profile.environment.get("threads"))


def _roofs(profile: Profile) -> dict[Figure, float]:
    """Every limit that the profile tells, at all threads."""
    roofs = Roofs(profile)
    devices = dict.fromkeys(roof.device for roof in profile.roofs)
    found: dict[Figure, float] = {}
    for device in devices:
        for kind, name, seconds in _limits(profile, roofs, device):
            found[Figure(kind, name, device)] = log(seconds)
    return found


def _limits(profile: Profile, roofs: Roofs, device: str) -> Iterator[tuple[str, str, float]]:
    """Kind, name, and the seconds of a byte, a FLOP, a call, a cycle."""
    threads = roofs.all_threads(device) or 0
    levels = roofs.levels(device)
    for level in levels:
        kind = MEMORY if level is levels[-1] else CACHE
        yield kind, f"{level.name} read", 1 / level.bytes_per_s
    memory = levels[-1].name if levels else "memory"
    for name in WRITTEN:
        if curve := roofs.curve(device, name).get(threads):
            yield MEMORY, f"{memory} {name}", 1 / curve[-1][1]
    for dtype in DTYPES:
        if rate := roofs.product(device, threads, dtype):
            yield ARITHMETIC, f"{dtype} products", 1 / rate
    if call := roofs.call(device, threads):
        yield CALL, "call", call
    if clock := _clock(profile, device):
        yield CLOCK, "clock", 1 / clock


def _clock(profile: Profile, device: str) -> float | None:
    """Hertz beside the points of a device, the median."""
    states: list[dict[str, Any]] = [
        point.state or {} for point in profile.points if point.case.device == device
    ]
    found = [hertz for state in states if (hertz := state.get("clock_hz"))]
    return median(found) if found else None


def common(passes: list[Pass]) -> list[dict[Figure, float]]:
    """Of each pass the figures of its steps: all of a device together, and those of each implementation.

    Each is the mean over steps of how far the logarithm of its time is from the middle one of all passes, so that a
    pass that lacks a step is not moved by it. A step that no more than half of the passes have is left out.
    """
    by_step: dict[str, list[float]] = defaultdict(list)
    for one in passes:
        for key, step in one.steps.items():
            by_step[key].append(step.time)
    middles = {key: median(times) for key, times in by_step.items() if 2 * len(times) > len(passes)}
    found = []
    for one in passes:
        apart: dict[Figure, list[float]] = defaultdict(list)
        for key, step in one.steps.items():
            if key in middles:
                moved = step.time - middles[key]
                apart[Figure(STEPS, "steps", step.device)].append(moved)
                apart[Figure(LIBRARY, step.implementation, step.device)].append(moved)
        found.append({figure: sum(moved) / len(moved) for figure, moved in apart.items()})
    return found
