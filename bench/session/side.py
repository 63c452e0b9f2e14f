"""A side of a run: one device with its memory, its roofs and levels, and the bench that its points are measured with.

`bench.session.side_cpu` and `bench.session.side_cuda` are the two there are; a run has those that its points ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from bench.measure import point
from bench.measure.probes import Bench
from bench.profile.records import Level, Point, Profile, Roof, RunWarning
from bench.profile.suite import Planned, Suite
from kernels import implementations
from kernels.reference.inputs import set_bytes

Look = Callable[[], Sequence["RunWarning"]]


class Keeper(Protocol):
    """Where a side's findings go as they are made: the run's journal."""

    plan: Suite
    seed: int

    @property
    def header(self) -> Profile:
        """The machine and the environment, as the profile states them; there once all sides are."""
        ...

    def keep(self, roofs: Iterable[Roof]) -> None:
        """Roofs, each in the journal before the next is measured."""
        ...

    def note(self, found: Roof | RunWarning) -> None:
        """A finding for the journal alone, from which no figure follows."""
        ...

    def keep_levels(self, device: str, found: tuple[Level, ...]) -> None:
        """A device's levels as now known."""
        ...

    def roofs(self, device: str | None = None) -> list[Roof]:
        """The roofs found so far, of one device or of all."""
        ...


class Side(Protocol):
    """One device of a run."""

    device: str

    @property
    def levels(self) -> tuple[Level, ...]:
        """From the smallest cache to memory, as found so far."""
        ...

    @property
    def bench(self) -> Bench:
        """What points are measured with; there after `begin`. Raises Unavailable where the device has none."""
        ...

    def begin(self, earlier: Profile | None) -> None:
        """Measure the roofs, unless an earlier process of this run did, and allocate what the plan's weights need."""
        ...

    def middles(self) -> list[int]:
        """A working set well inside each level."""
        ...

    def again(self) -> None:
        """When all is measured: roofs once more, so that a neighbour at the start does not decide them."""
        ...

    def took(self) -> float:
        """Seconds that `again` takes, about."""
        ...

    def looks(self, found: Sequence[Point]) -> dict[str, Look]:
        """What is against the figures of this device, its points among them: what is looked at, and how."""
        ...

    def end(self) -> None:
        """Give back what was taken of the process."""
        ...


def planned(plan: Suite, device: str) -> list[Planned]:
    """The points of one device."""
    return [one for one in plan.points if one.case.device == device]


def arena_bytes(wanted: Sequence[Planned], span: int, most: int) -> int:
    """Bytes that the weights of those points take that take `most` at the most; streamed ones span `span` bytes."""
    need = min(span, most)
    for one in wanted:
        try:
            layout = implementations.load(one.implementation).layout(one.case)
        except Exception:  # noqa: BLE001 - it will be a failed or skipped point, with the reason
            continue
        size = set_bytes(layout, one.case.dtype)
        of_point = point.weight_sets(one.case, size, span, most) * size
        if of_point <= most:  # else it will be skipped, with the reason
            need = max(need, of_point)
    return need


def is_surveyed(earlier: Profile | None, device: str) -> bool:
    """Whether an earlier process came to the end of a device's survey.

    The empty calls are its last part, one for each number of threads that the others have.
    """
    mine = [roof for roof in earlier.roofs if roof.device == device] if earlier else []
    called = {roof.threads for roof in mine if roof.kind == "call"}
    return bool(called) and called >= {roof.threads for roof in mine if roof.kind == "read"}


def arithmetic_roofs(
    found: Iterable[Roof], variants: dict[str, Any]
) -> dict[tuple[str, int], tuple[float, Any]]:
    """The fastest product of each dtype and number of threads, of the variants known by name."""
    best: dict[tuple[str, int], tuple[float, Any]] = {}
    for roof in found:
        if roof.implementation in variants and roof.dtype and roof.threads is not None:
            key, rate = (roof.dtype, roof.threads), max(roof.samples)
            if key not in best or rate > best[key][0]:
                best[key] = rate, variants[roof.implementation]
    return best


def write_roofs(found: Iterable[Roof]) -> dict[int, dict[int, float]]:
    """Threads, then working set in bytes, to byte/s."""
    best: dict[int, dict[int, float]] = {}
    for roof in found:
        if roof.kind == "write" and roof.threads is not None and roof.working_set_bytes:
            of_threads = best.setdefault(roof.threads, {})
            size = roof.working_set_bytes
            of_threads[size] = max(of_threads.get(size, 0.0), *roof.samples)
    return best
