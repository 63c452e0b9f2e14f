"""What will spoil a measurement on this machine, and what to do about it."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

import psutil

from bench import doubts, machine, threads
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
    found = [*busy, *doubts.of_machine(described, environment, page_bytes, machine.governor())]
    return [*found, *_quota(), *_memory(), *_battery()]


def _quota() -> Sequence[Doubt]:
    quota, cores = threads.cpu_quota(), len(threads.cores())
    if quota is None or quota >= cores:
        return ()
    message = f"a control group grants {quota:.2f} of {cores} cores: threads beyond that are stopped now and then"
    return (Doubt("cpu quota", "run", message, "raise the quota, or take a machine of its own"),)


def _memory() -> Sequence[Doubt]:
    needed = 4 * 4 * (machine.last_level_bytes() or 0)
    there = machine.memory_available()
    if there >= needed:
        return ()
    message = (
        f"{there} bytes of memory are free, and the read curve wants {needed} to leave the caches"
    )
    return (Doubt("little memory", "run", message, "free some, or take a machine with more"),)


def _battery() -> Sequence[Doubt]:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged:
        return ()
    return (
        Doubt(
            "battery",
            "run",
            "this machine runs on its battery",
            "plug it in: clocks are lowered without",
        ),
    )
