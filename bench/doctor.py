"""What will spoil a measurement on this machine, and what to do about it."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

from bench import doubts, machine, quota, threads
from bench.records import Doubt

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_SECONDS = 2.0
ARENA_BYTES = 64 << 20


def examine() -> list[Doubt]:
    """Look at the machine for some seconds. Returns what was found, what others do to it first."""
    from kernels.inputs import Arena

    load = machine.Load()
    sleep(LOOK_SECONDS)
    busy = doubts.of_load(load.cores_taken_by_others())
    pools = threads.start()
    arena = Arena(ARENA_BYTES, "cpu", 0)
    page_bytes = machine.page_bytes(arena.address)
    described = machine.describe()
    environment = machine.environment(threads.available(), pools.layer)
    return [
        *busy,
        *doubts.of_machine(described, environment, page_bytes, machine.governor()),
        *doubts.of_quota(quota.cpus(), len(threads.cores())),
        *doubts.of_threads(threads.available(), pools.workers),
        *doubts.of_battery(machine.on_battery()),
        *_memory(),
    ]


def _memory() -> Sequence[Doubt]:
    needed = 4 * 4 * (machine.last_level_bytes() or 0)
    there = machine.memory_available()
    if there >= needed:
        return ()
    message = (
        f"{there} bytes of memory are free, and the read curve wants {needed} to leave the caches"
    )
    return (Doubt("little memory", "run", message, "free some, or take a machine with more"),)
