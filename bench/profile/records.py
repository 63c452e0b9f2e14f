"""The profile: what was observed on one machine in one run, as frozen records. FORMAT.md documents every field.

Raw samples are stored, derived figures are computed on reading. Missing is None. The types are all that reading checks
and the JSON Schema states.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict, cast

from msgspec import Meta

from bench.profile.warnings import Severity, severity
from kernels.case import Case

SCHEMA = "rnn-roofline/2"
METHOD = 3
LONGEST_TEXT = 1 << 20
"""Characters."""
MOST_RECORDS = 100_000
"""Of each kind in one profile."""
PAIRED = (
    *("roof_bytes_per_s", "roof_write_bytes_per_s", "roof_triad_bytes_per_s"),
    *("roof_flop_per_s", "floor_beside"),
)
"""Samples of limits beside a point's: each list as long as `seconds`, or empty where that limit was not sampled."""
SENTINEL = "sentinel"
BEST_OF = 3
"""Samples of a roof's record that count for the best of them: the first ones. Where there are more, medians use all."""

Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Name = Annotated[str, Meta(max_length=200)]
"""A name that stands in a plot's key."""
Figure = Annotated[float, Meta(ge=1e-12, le=1e24)]
"""No time in seconds and no rate per second of a real machine lies outside; within, no ratio overflows."""
Size = Annotated[int, Meta(ge=1, le=1 << 60)]
Count = Annotated[int, Meta(ge=0, le=1 << 62)]
Samples = tuple[Figure, ...]
Free = dict[Text, Any]
"""An object whose fields its writer chooses; how large it may be, the reader says."""
Status = Literal["ok", "failed", "skipped"]
BY_CODE = cast("Severity", None)
AtMost = Meta(max_length=MOST_RECORDS)


@dataclass(frozen=True, slots=True)
class Roof:
    """Samples of one limit of the machine, all of them; the roof is the best of those that are `counted`.

    kind `read`, `write`, `copy`, `triad` are bandwidths over `working_set_bytes`, `matmul` is arithmetic, `floor` is an
    implementation's call without work, `call` the machine's emptiest call, `barrier` its running threads' wait for each
    other; `sentinel` is a single look at the read roof of memory, to see whether it drifted, and no part of a curve.
    `source` is measured or datasheet. Records of one `sweep` took turns, round by round: their samples pair by index.
    """

    device: Text
    kind: Text
    source: Text
    dtype: Text | None
    working_set_bytes: Size | None
    page_bytes: int | None
    threads: int | None
    implementation: Text
    unit: Text
    samples: Annotated[Samples, Meta(min_length=1)]
    at: tuple[Text, ...]
    sweep: int | None = None

    @property
    def counted(self) -> tuple[float, ...]:
        """The samples that count for the best, so that it is of as many wherever it was measured."""
        return self.samples[:BEST_OF]


@dataclass(frozen=True, slots=True)
class Level:
    """A plateau of the read curve at all threads: a cache level or the memory behind them."""

    device: Text
    name: Name
    up_to_bytes: Size | None
    bytes_per_s: Figure


Levels = Annotated[tuple[Level, ...], Meta(max_length=32)]
"""No memory has more."""


@dataclass(frozen=True, slots=True)
class RunWarning:
    """What the suite itself holds against a figure: about which (`run` or a point's key), and what to do.

    `severity` is that of its code, by `bench/profile/warnings.py`, where none is given.
    """

    code: Text
    about: Text
    message: Text
    advice: Text
    severity: Severity = BY_CODE

    def __post_init__(self) -> None:
        """Look the severity up."""
        if not self.severity:
            object.__setattr__(self, "severity", severity(self.code))


@dataclass(frozen=True, slots=True)
class Visit:
    """Rounds of a point that followed one another: the first `rounds` after those of the visits before, begun `at`.

    `retaken` is how often they were taken again because threads shared a core.
    """

    at: Text
    rounds: Count
    retaken: Count = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One case by one implementation. `seconds` are per step and pair by index with the roof samples beside them.

    `projection` is the share of `flops` and `bytes` that a sequence spends on the products of its inputs before the
    first step, where W is hoisted: {"linear", "read"}.
    """

    case: Case
    implementation: Name
    status: Status
    reason: Text | None = None
    version: Text | None = None
    order: int | None = None
    at: Text | None = None
    seconds: Samples = ()
    steps_per_sample: int | None = None
    single_step_seconds: dict[Text, float] | None = None
    roof_walk: dict[Text, int] | None = None
    roof_bytes_per_s: Samples = ()
    roof_write_bytes_per_s: Samples = ()
    roof_triad_bytes_per_s: Samples = ()
    roof_flop_per_s: Samples = ()
    floor_seconds: Figure | None = None
    floor_beside: Samples = ()
    launch_seconds: float | None = None
    joules: float | None = None
    flops: dict[Text, Count] | None = None
    bytes: dict[Text, Count] | None = None
    projection: dict[Text, Count] | None = None
    counted_bytes: Free | None = None
    reads: dict[Text, Text] | None = None
    weight_sets: int | None = None
    working_set_bytes: Size | None = None
    page_bytes: int | None = None
    own_weights: bool | None = None
    rounds_to: Text | None = None
    choice: Text | None = None
    prepare_seconds: float | None = None
    error: float | None = None
    tolerance: float | None = None
    state: Free | None = None
    products: dict[Text, Count] | None = None
    visits: tuple[Visit, ...] | None = None
    checked_again: bool | None = None

    def __post_init__(self) -> None:
        """Samples pair by index. Raises ValueError."""
        for name in PAIRED:
            count = len(getattr(self, name))
            if count not in (0, len(self.seconds)):
                raise ValueError(
                    f"{name} has {count} samples where seconds has {len(self.seconds)}: they pair by index"
                )

    @property
    def key(self) -> str:
        """What identifies a point within a profile."""
        return f"{self.case.id}-{self.implementation}"

    @property
    def over(self) -> bool:
        """Whether nothing is left to measure of it: it failed, was skipped, or has all visits and its second check."""
        return self.status != "ok" or bool(self.checked_again)

    @property
    def fetched(self) -> tuple[str, ...]:
        """Which of W and U every step must fetch: points that differ in it do not do the same work."""
        if self.case.steps == 1 or self.reads is None:
            return "W", "U"
        return tuple(name for name in ("W", "U") if self.reads.get(name) != "per_call")

    @property
    def persistent(self) -> bool:
        """Whether it is a sequence whose U stays on chip: read once a call, or by each core from its own cache."""
        return self.case.steps > 1 and ("U" not in self.fetched or self.in_own_cache)

    @property
    def in_own_cache(self) -> bool:
        """Whether it is a sequence of which every core reads its part of U from its own cache at every step."""
        return self.case.steps > 1 and (self.reads or {}).get("U") == "own_cache"

    @property
    def projected(self) -> tuple[float, float]:
        """The shares of the bytes read and of the linear FLOPs that are over before a sequence's first step."""
        if self.projection is None or self.flops is None or self.bytes is None:
            return 0.0, 0.0
        read, linear = self.bytes["read"], self.flops["linear"]
        return self.projection["read"] / read, self.projection["linear"] / linear


@dataclass(frozen=True, slots=True)
class Profile:
    """One machine's roofs and points of one run. FORMAT.md documents every field."""

    created: Text
    suite: Text
    seed: int
    project: Free
    machine: Free
    environment: Free
    schema: str = SCHEMA
    method: Annotated[int, Meta(ge=1, le=METHOD)] = METHOD
    origin: str = "measured"
    settings: Free = field(default_factory=dict)
    complete: bool = False
    resumed: bool = False
    roofs: Annotated[tuple[Roof, ...], AtMost] = ()
    levels: Levels = ()
    points: Annotated[tuple[Point, ...], AtMost] = ()
    warnings: Annotated[tuple[RunWarning, ...], AtMost] = ()

    @property
    def cpu(self) -> dict[str, Any]:
        """The processor, as `machine` tells it; empty where it does not."""
        found: dict[str, Any] = self.machine.get("cpu", {})
        return found


class Project(TypedDict, total=False):
    """The suite that measured."""

    version: str | None
    commit: str | None
    dirty: bool | None


class Cache(TypedDict, total=False):
    """Data caches of one level: bytes of one, and how many the processors in use own."""

    level: int | None
    type: str | None
    size_bytes: Size | None
    instances: int | None
    machine_instances: int | None


class CoreKind(TypedDict, total=False):
    """Cores of a processor that are alike."""

    name: str | None
    cores: int | None
    threads_per_core: int | None
    cpus: str | None


class Cpu(TypedDict, total=False):
    """The processor, and its class: family to stepping are x86's numbers."""

    model: str | None
    architecture: str | None
    family: int | None
    model_number: int | None
    stepping: int | None
    microarch: str | None
    sockets: int | None
    cores: int | None
    threads: int | None
    kinds: list[CoreKind]
    isa: list[str]
    caches: list[Cache]
    last_level_bytes: int | None


class Gpu(TypedDict, total=False):
    """A GPU, as NVML and PyTorch describe it."""

    name: str | None
    driver: str | None
    sm_count: int | None
    l2_bytes: int | None
    memory_bytes: int | None
    memory_bus_bits: int | None
    memory_clock_hz: float | None
    datasheet_bytes_per_s: float | None
    ecc: bool | None
    power_limit_w: float | None
    mig: bool | None


class Machine(TypedDict, total=False):
    """What is known of a machine. Each field may be absent, and more may be there."""

    id: str
    label: str | None
    os: str | None
    kernel: str | None
    virtualization: str | None
    memory_bytes: Size | None
    numa_nodes: int | None
    numa_memory_only: int | None
    page_bytes: int | None
    quota: float | None
    cpus: str | None
    governors: list[str]
    cpu: Cpu
    gpus: list[Gpu]


class Environment(TypedDict, total=False):
    """What a run stands on beside the machine. Each field may be absent, and more may be there."""

    python: str | None
    packages: dict[str, str | None]
    threads: int | None
    cores: list[int]
    thread_layer: str | None
    energy: dict[str, str]
    idle_power_w: dict[str, float]
    variables: dict[str, str]


class State(TypedDict, total=False):
    """The machine while a point was measured."""

    clock_hz: Figure | None
    temperature_c: float | None
    throttle: list[str]
    power_w: float | None
    load: float | None


class CountedBytes(TypedDict, total=False):
    """Bytes of a step as a tool counted them."""

    tool: str | None
    read: Count | None
    written: Count | None


KNOWN = {
    "project": Project,
    "machine": Machine,
    "environment": Environment,
    "state": State,
    "counted_bytes": CountedBytes,
}
"""The fields that free objects have where nobody adds to them, by the name of the field that holds the object."""
