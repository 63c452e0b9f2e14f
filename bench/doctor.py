"""What will spoil a measurement on this machine, and what to do about it."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, Any

from bench import doubts, lock, machine, nvml, points, survey, threads
from bench.records import Doubt

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_SECONDS = 2.0
ARENA_BYTES = 64 << 20


def examine() -> list[Doubt]:
    """Look at the machine for some seconds. Returns what was found, what others do to it first."""
    from kernels.inputs import Arena

    load, swapped = machine.Load(), machine.swapped_bytes()
    sleep(LOOK_SECONDS)
    busy = doubts.of_load(load.cores_taken_by_others())
    swapping = doubts.of_swap(swapped, machine.swapped_bytes())
    pools = threads.start()
    arena = Arena(ARENA_BYTES, "cpu", 0)
    page_bytes = machine.page_bytes(arena.address)
    environment = machine.environment(threads.available(), pools.layer)
    found = [
        *_another(lock.held_by()),
        *busy,
        *swapping,
        *standing(machine.describe(), environment, page_bytes, pools),
        *_memory(),
    ]
    threads.restore(pools)
    return found


def standing(
    described: dict[str, Any],
    environment: dict[str, Any],
    page_bytes: int | None,
    pools: threads.Pools,
) -> list[Doubt]:
    """What is against this machine whatever is measured: the doctor's findings, and doubts of every run."""
    return [
        *doubts.of_machine(described, environment, page_bytes),
        *doubts.of_quota(described["quota"], len(threads.cores())),
        *doubts.of_threads(threads.available(), pools.workers),
        *doubts.of_binding(threads.bound(), threads.available()),
        *doubts.of_battery(machine.on_battery()),
        *doubts.of_heat(machine.hottest()),
        *doubts.of_gpu_processes(nvml.processes_of_others()),
    ]


def _another(holder: str | None) -> Sequence[Doubt]:
    if holder is None:
        return ()
    message = f"{holder} measures on this machine"
    return (
        Doubt("another measurement", "run", message, "wait for it: a run is refused meanwhile"),
    )


def _memory() -> Sequence[Doubt]:
    reported = machine.last_level_bytes() or 0
    needed = 4 * max(points.STREAM_FACTOR * reported, survey.LEAST_MEMORY)
    there = machine.memory_available()
    if there >= needed:
        return ()
    message = (
        f"{there} bytes of memory are free, and the read curve wants {needed} to leave the caches"
    )
    return (Doubt("little memory", "run", message, "free some, or take a machine with more"),)
