"""What is compared: a machine with its roofs and its timed steps, measured here or published by others. Pure.

A profile and a published machine become the same kind of record, so that comparison, prediction and pictures need not
know which is which. What a source lacks is None or empty, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.profile.records import Profile
from bench.profile.stats import Estimate, median
from reports.analysis import cycles, roofs
from reports.analysis.points import Row
from reports.analysis.roofs import Under
from reports.compare import limits
from reports.compare.limits import Roofs
from reports.tables import machine as about

KIND, NUMBERS = "microarchitecture", "family, model, stepping"
"""The facts that tell the class of a processor."""

ALL = "all"
"""Threads of a step that uses every one its run had: on another machine it is met by one that does the same there."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one step computes. Two points of one kind are about the same thing where these are equal.

    `phase` is a measured case's, or `forward` for the forward pass of a published training run. `part` is `recurrent`
    where the products of the input were left out; `input` is None there. `threads` is `all` or a number.
    """

    cell: str
    part: str
    phase: str
    hidden: int
    input: int | None
    batch: int
    dtype: str
    activations: str
    residency: str
    device: str
    threads: str
    steps: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A timed piece of work. Times in seconds per step, medians where a single number stands.

    seconds    samples; one figure where a source published one
    paired     read roof (byte/s) beside each sample; empty where there is none
    flops      FLOPs of the products that were computed; `recurrent` those of U alone
    t_bytes    what its bytes need at the roofs of its own machine; `t_flops` its products
    fraction   the larger of the two over the time
    level      the level of its machine whose line it is drawn under; None where none is drawn
    roof       the height of that line at its intensity, FLOP/s
    projected  the shares of `read` and `flops` that come before a sequence's first step
    overhead   the cost of an empty call over the time
    joules     energy of a step; None where it was not counted
    """

    work: Work
    implementation: str
    seconds: tuple[float, ...]
    paired: tuple[float, ...]
    read: int
    written: int
    flops: int
    recurrent: int
    working_set: int | None
    floor: float | None
    t_bytes: float | None
    t_flops: float | None
    fraction: Estimate | None
    overhead: float | None
    level: str | None = None
    roof: float | None = None
    projected: tuple[float, float] = (0.0, 0.0)
    joules: float | None = None

    @property
    def time(self) -> float:
        """The median time of a step."""
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Subject:
    """One side of a comparison: a machine in one run, or as published.

    machine  identifies the kind of machine; None where unknown
    roofs    by `all`, a number of threads, or a device that is no CPU
    levels   (name, byte/s) to draw, the fastest first
    facts    what may differ between two runs, in words
    threads  all that its run had; `clock_hz` as measured beside its points
    remarks  what a reader has to know of the source
    """

    name: str
    origin: str
    schema: str
    method: int
    machine: str | None
    entries: tuple[Entry, ...]
    roofs: dict[str, Roofs]
    levels: tuple[tuple[str, float], ...]
    facts: dict[str, str]
    remarks: tuple[str, ...] = ()
    threads: int | None = None
    clock_hz: float | None = None

    @property
    def measured(self) -> bool:
        """Whether this suite measured it."""
        return self.origin == "measured"


def of(profile: Profile, name: str) -> Subject:
    """A measured profile as one side of a comparison, called `name`."""
    from reports.analysis.analysis import Analysis

    analysis = Analysis(profile)
    threads = profile.environment.get("threads")
    everyone = threads if isinstance(threads, int) else None
    setups = sorted({(point.case.device, point.case.threads) for point in profile.points})
    roles = {_role(*setup, everyone): limits.of(profile, *setup) for setup in setups}
    device = setups[0][0] if setups else "cpu"
    return Subject(
        name=name,
        origin=profile.origin,
        schema=profile.schema,
        method=profile.method,
        machine=profile.machine.get("id"),
        entries=tuple(
            made
            for row in analysis.rows
            if (made := _entry(row, everyone, analysis.under.get(row.point.key))) is not None
        ),
        roofs=roles,
        levels=tuple((level.name, level.bytes_per_s) for level in roofs.levels(profile, device)),
        facts=_facts(profile),
        threads=everyone,
        clock_hz=cycles.clock(profile),
    )


def told_apart(subjects: Sequence[Subject]) -> list[Subject]:
    """The same, unlike machines of one name called by their microarchitecture too, or where that is one by their id."""
    found = []
    for one in subjects:
        alike = {other.machine: other for other in subjects if other.name == one.name}
        kinds = {other.facts.get(KIND) for other in alike.values()}
        mark = (
            one.facts.get(KIND) if len(kinds) == len(alike) else f"machine {str(one.machine)[:8]}"
        )
        found.append(replace(one, name=f"{one.name} ({mark})") if len(alike) > 1 else one)
    return found


def _role(device: str, count: int, everyone: int | None) -> str:
    """What its roofs are kept under: the device where that is no CPU."""
    if device != "cpu":
        return device
    return ALL if count == everyone else str(count)


def _entry(row: Row, everyone: int | None, under: Under | None) -> Entry | None:
    """A good point; None where it does not tell what it computes or moves."""
    point, case = row.point, row.case
    if point.flops is None or point.bytes is None:
        return None
    return Entry(
        work=Work(
            cell=case.cell,
            part=case.part,
            phase=case.phase,
            hidden=case.hidden,
            input=case.input,
            batch=case.batch,
            dtype=case.dtype,
            activations=case.activations,
            residency=case.residency,
            device=case.device,
            threads=_role(case.device, case.threads, everyone),
            steps=case.steps,
        ),
        implementation=point.implementation,
        seconds=point.seconds,
        paired=point.roof_bytes_per_s,
        read=point.bytes["read"],
        written=point.bytes["written"],
        flops=point.flops["linear"],
        recurrent=point.flops["recurrent"],
        working_set=point.working_set_bytes,
        floor=point.floor_seconds,
        t_bytes=row.t_bytes.median if row.t_bytes else None,
        t_flops=row.t_flops.median if row.t_flops else None,
        fraction=row.fraction,
        overhead=row.overhead.median if row.overhead else None,
        level=under.level if under else None,
        roof=under.height(row.intensity) if under and row.intensity else None,
        projected=point.projected,
        joules=point.joules,
    )


def _facts(profile: Profile) -> dict[str, str]:
    """What two runs may differ in, each as one line."""
    cpu = profile.machine.get("cpu")
    environment, project, machine = profile.environment, profile.project, profile.machine
    pages = sorted({point.page_bytes for point in profile.points if point.page_bytes})
    known: dict[str, object] = {
        "machine": machine.get("label"),
        "machine id": machine.get("id"),
        "processor": cpu.get("model") if isinstance(cpu, dict) else None,
        NUMBERS: about.numbers(profile),
        KIND: about.microarchitecture(profile),
        "system": machine.get("kernel"),
        "virtualisation": machine.get("virtualization"),
        "measured": profile.created,
        "method": profile.method,
        "suite": profile.suite,
        "settings": _pairs(profile.settings),
        "rnn-roofline": project.get("version"),
        "commit": project.get("commit"),
        "Python": environment.get("python"),
        "threads": environment.get("threads"),
        "cores": _listed(environment.get("cores")),
        "thread layer": environment.get("thread_layer"),
        "variables": _pairs(environment.get("variables")),
        "page size": _listed(pages),
        "complete": "yes" if profile.complete else "no",
    }
    packages = environment.get("packages")
    if isinstance(packages, dict):
        known |= {str(name): version for name, version in packages.items()}
    versions: dict[str, set[str]] = {}
    for point in profile.points:
        if point.version:
            versions.setdefault(point.implementation, set()).add(point.version)
    known |= {f"version of {name}": ", ".join(sorted(found)) for name, found in versions.items()}
    return {
        key: " ".join(str(value).split())
        for key, value in known.items()
        if value is not None and str(value) != ""
    }


def _pairs(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    return ", ".join(f"{key}={value[key]}" for key in sorted(value, key=str))


def _listed(value: object) -> str | None:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else None
