"""What is compared: a machine with its roofs and its timed steps, measured here or published by others. Pure.

A profile and a published machine become the same kind of record, so that comparison, prediction and pictures need not
know which is which. What a source lacks is None or empty, never 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, fsum, log

from bench.profile.records import Visit
from bench.profile.stats import Estimate, by_visit, median
from kernels import roofline_model
from kernels.case import Case

KIND, NUMBERS = "microarchitecture", "family, model, stepping"
"""The facts that tell the class of a processor."""

ALL = "all"
"""Threads of a step that uses every one its run had: on another machine it is met by one that does the same there."""
Samples = Sequence[Sequence[Sequence[float]]]
"""One a round, in visits, in runs."""
TRAIN = "train"
STREAMED, RESIDENT, PRODUCTS = "streamed", "resident", "products"
"""What `Limits.reach` is told of."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one step computes. Two points of one kind are about the same thing where these are equal.

    `phase` is a measured case's, or `forward` for the forward pass of a published training run. `part` is `recurrent`
    where the products of the input were left out; `input` is None there. `threads` is `all`, a number, or the device
    where that is no CPU.
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

    setting    the work without its batch, in words
    seconds    samples; one figure where a source published one
    paired     read roof (byte/s) beside each sample; empty where there is none
    flops      FLOPs of the products that were computed; `recurrent` those of U alone
    t_bytes    what its bytes need at the roofs of its own machine; `t_flops` its products
    fraction   the larger of the two over the time
    level      the level of its machine whose line it is drawn under; None where none is drawn
    roof       the height of that line at its intensity, FLOP/s
    projected  the shares of `read` and `flops` that come before a sequence's first step
    overhead   the cost of an empty call over the time
    together   whether what it writes was held against a triad beside it, which reads too
    joules     energy of a step; None where it was not counted
    visits     which samples followed one another; None: all of them
    runs       what this joins, where the same was timed in several runs of one side; else empty
    """

    work: Work
    setting: str
    implementation: str
    seconds: tuple[float, ...]
    read: int
    written: int
    flops: int
    recurrent: int
    working_set: int | None
    t_bytes: float | None
    t_flops: float | None
    fraction: Estimate | None
    level: str | None
    roof: float | None
    paired: tuple[float, ...] = ()
    floor: float | None = None
    overhead: float | None = None
    projected: tuple[float, float] = (0.0, 0.0)
    joules: float | None = None
    visits: tuple[Visit, ...] | None = None
    together: bool = False
    runs: tuple["Entry", ...] = ()

    @property
    def each(self) -> tuple["Entry", ...]:
        """The step in every run of its side."""
        return self.runs or (self,)

    @property
    def time(self) -> float:
        """The middle time of a step."""
        return middle(times(self))

    @property
    def follows_roof(self) -> bool:
        """Whether its bytes at the read roof beside it, and the call, explain its time: it is bound by bandwidth."""
        if not self.paired or self.fraction is None or self.t_bytes is None:
            return False
        balance = (self.t_flops or 0.0) / self.t_bytes if self.t_bytes else 0.0
        overhead = self.overhead or 0.0
        bound = roofline_model.bound(overhead, overhead + self.fraction.median, balance)
        return bound.removesuffix(roofline_model.BOTH) == roofline_model.BANDWIDTH


def times(entry: Entry) -> Samples:
    """Seconds per step, of every run and visit."""
    return [by_visit(one.seconds, one.visits) for one in entry.each]


def normalised(entry: Entry) -> Samples:
    """Time x the read roof beside it, round by round, in bytes, of every run and visit."""
    return [
        by_visit(
            [taken * roof for taken, roof in zip(one.seconds, one.paired, strict=True)], one.visits
        )
        for one in entry.each
    ]


def middle(samples: Samples) -> float:
    """The geometric mean over runs of that over visits of the median of rounds."""
    return exp(fsum(fsum(log(median(v)) for v in run) / len(run) for run in samples) / len(samples))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the roofs of a machine give as a rule, at one thread count.

    Curves are (working set, byte/s), ascending; one of one point holds everywhere.

    read      as a rule: the median beside the machine's own resident steps, elsewhere of the sweep's best variant
    write     as a rule: the median beside its own steps that write as much, elsewhere the best of the sweep, by
              which fractions are formed there
    triad     likewise of a triad, by all that a step walks and writes
    memory    what streamed steps read at: the median beside its own, else the end of `read`
    training  what streamed training reads at, which goes through each set twice in a row and may find it in a cache
              then: the median beside its own; None where there is none
    peaks     the best products (FLOP/s), by dtype of weights and activations
    products  the same as a rule: the median beside its own steps, else of the best shape
    reach     by `streamed`, `resident`, `products`: within which factors 95 % of the samples beside steps lie
    floors    cost of a call, the median by `call_of`; `call` is that of the machine's emptiest
    """

    read: tuple[tuple[int, float], ...]
    write: tuple[tuple[int, float], ...]
    memory: float | None
    peaks: dict[tuple[str, str], float]
    products: dict[tuple[str, str], float]
    reach: dict[str, tuple[float, float]] = field(default_factory=dict)
    floors: dict[tuple[object, ...], float] = field(default_factory=dict)
    call: float | None = None
    training: float | None = None
    triad: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """One side of a comparison: a machine in one run, or as published.

    machine  identifies the kind of machine; None where unknown
    roofs    by `all`, a number of threads, or a device that is no CPU
    levels   (name, byte/s) to draw, the fastest first
    facts    what may differ between two runs, in words
    threads  all that its run had; `clock_hz` as measured beside its points
    runs     how many runs of it are joined
    remarks  what a reader has to know of the source
    """

    name: str
    origin: str
    method: int
    machine: str | None
    entries: tuple[Entry, ...]
    roofs: dict[str, Limits]
    levels: tuple[tuple[str, float], ...]
    facts: dict[str, str]
    remarks: tuple[str, ...] = ()
    threads: int | None = None
    clock_hz: float | None = None
    runs: int = 1

    @property
    def measured(self) -> bool:
        """Whether this suite measured it."""
        return self.origin == "measured"

    @property
    def memory(self) -> float | None:
        """The bandwidth of its memory, byte/s."""
        return self.levels[-1][1] if self.levels else None

    def peak(self, dtype: str, activations: str) -> float | None:
        """The arithmetic roof of weights and activations of these dtypes at all threads or of its GPU, FLOP/s."""
        whole = ALL if ALL in self.roofs else next((r for r in self.roofs if entire(r)), None)
        return self.roofs[whole].peaks.get((dtype, activations)) if whole else None


def entire(role: str) -> bool:
    """Whether what runs there has all threads of a machine, or its device that is no CPU."""
    return not role.isdecimal()


def told_apart(systems: Sequence[System]) -> list[System]:
    """The same, unlike machines of one name called by their microarchitecture too, or where that is one by their id."""
    found = []
    for one in systems:
        alike = {other.machine: other for other in systems if other.name == one.name}
        kinds = {other.facts.get(KIND) for other in alike.values()}
        mark = (
            one.facts.get(KIND) if len(kinds) == len(alike) else f"machine {str(one.machine)[:8]}"
        )
        found.append(replace(one, name=f"{one.name} ({mark})") if len(alike) > 1 else one)
    return found


def call_of(implementation: str, case: Case | Work) -> tuple[object, ...]:
    """What tells one kind of call from another."""
    kind = (case.cell, case.part, case.phase, case.steps)
    return implementation, *kind, case.dtype, case.activations
