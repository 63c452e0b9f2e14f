"""What will spoil a measurement on this machine, and what to do about it."""

from __future__ import annotations

from time import sleep
from typing import Any

from bench.device import cpu_sweep, levels, threads
from bench.device.cpu import MEMORY_SHARE, Cpu
from bench.machine import describe, environment, nvml
from bench.profile.records import Profile, RunWarning
from bench.session import lock, warnings
from bench.telemetry import memory, state

LOOK_SECONDS = 2.0
ARENA_BYTES = 64 << 20


def examine() -> list[RunWarning]:
    """Look at the machine for some seconds. Returns what was found, what others do to it first."""
    from kernels.reference.inputs import Arena

    load, swapped = state.Load(), state.swapped_bytes()
    sleep(LOOK_SECONDS)
    busy = warnings.of_load(load.cores_taken_by_others())
    swapping = warnings.of_swap(swapped, state.swapped_bytes())
    pools = threads.start()
    arena = Arena(ARENA_BYTES, "cpu", 0)
    page_bytes = memory.page_bytes(arena.address)
    stands_on = environment.environment(threads.available(), pools.layer)
    found = [
        *_another(lock.held_by()),
        *busy,
        *swapping,
        *standing(describe.machine(), stands_on, page_bytes, pools),
        *_memory(),
    ]
    threads.restore(pools)
    return found


def standing(
    described: dict[str, Any],
    environment: dict[str, Any],
    page_bytes: int | None,
    pools: threads.Pools,
) -> list[RunWarning]:
    """What is against this machine whatever is measured: the doctor's findings, and warnings of every run."""
    return [
        *warnings.of_machine(described, environment, page_bytes),
        *warnings.of_quota(described["quota"], len(threads.cores())),
        *warnings.of_threads(threads.available(), pools.workers),
        *warnings.of_binding(threads.bound(), threads.available()),
        *warnings.of_battery(state.on_battery()),
        *warnings.of_heat(state.hottest()),
        *warnings.of_gpu_processes(nvml.processes_of_others()),
    ]


def of_run(cpu: Cpu, header: Profile, page_bytes: int | None) -> list[RunWarning]:
    """What is against the CPU of a run, whose arena lies on pages of so many bytes."""
    assert cpu.pools is not None
    return [
        *standing(header.machine, header.environment, page_bytes, cpu.pools),
        *warnings.of_throttling(cpu.throttled, state.throttled()),
    ]


def _another(holder: str | None) -> list[RunWarning]:
    if holder is None:
        return []
    message, advice = (
        f"{holder} measures on this machine",
        "wait for it: a run is refused meanwhile",
    )
    return [RunWarning("another measurement", "run", message, advice)]


def _memory() -> list[RunWarning]:
    reported = memory.last_level_bytes() or 0
    needed = MEMORY_SHARE * max(levels.STREAM_FACTOR * reported, cpu_sweep.LEAST_MEMORY)
    if (there := memory.available()) >= needed:
        return []
    message = (
        f"{there} bytes of memory are free, and the read curve wants {needed} to leave the caches"
    )
    advice = "free some, or take a machine with more"
    return [RunWarning("little memory", "run", message, advice)]
