"""`python -m bench doctor`: what will spoil a measurement here: what others do now, and what holds for every run."""

import argparse
from time import sleep

from bench.profile.records import RunWarning

HELP = "what will spoil a measurement here, and what to do about it"
LOOK_SECONDS = 2.0
ARENA_BYTES = 64 << 20


def add_options(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_given: argparse.Namespace) -> int:
    """Look for some seconds, and print what was found."""
    found = examine()
    for warning in found:
        print(f"{warning.code}: {warning.message}\n    {warning.advice}")
    told = f"{len(found)} thing{'s' * (len(found) > 1)} to know before measuring here"
    print(told if found else "nothing here spoils a measurement")
    return 0


def examine() -> list[RunWarning]:
    """Look at the machine for some seconds. Returns what was found, what others do to it first."""
    from bench.device import threads
    from bench.machine import describe, environment
    from bench.session import lock, machine_warnings
    from bench.telemetry import memory, state
    from kernels.reference.inputs import Arena

    load, before = state.Load(), state.swapped_bytes()
    sleep(LOOK_SECONDS)
    busy, after = load.cores_taken_by_others(), state.swapped_bytes()
    pools = threads.start()
    arena = Arena(ARENA_BYTES, "cpu", 0)
    page_bytes = memory.page_bytes(arena.address)
    stands_on = environment.environment(threads.available(), pools.layer)
    found = [
        *_others(lock.held_by(), busy, before, after),
        *machine_warnings.standing(describe.machine(), stands_on, page_bytes, pools),
        *_memory(),
    ]
    threads.restore(pools)
    return found


def _others(
    holder: str | None, busy: float | None, before: int | None, after: int | None
) -> list[RunWarning]:
    """Who measures here, how many cores others keep busy, and bytes through swap space before and after a look."""
    from bench.session.machine_warnings import BUSY_CORES

    found = []
    if holder is not None:
        message = f"{holder} measures on this machine"
        advice = "wait for it: a run is refused meanwhile"
        found.append(RunWarning("another measurement", "run", message, advice))
    if busy is not None and busy >= BUSY_CORES:
        message = f"others keep {busy:.2f} cores busy"
        found.append(RunWarning("load", "run", message, "stop them before you measure"))
    if before is not None and after is not None and after > before:
        message = f"{after - before} bytes went through swap space within {LOOK_SECONDS:.0f} s"
        found.append(RunWarning("swap", "run", message, "free memory before you measure"))
    return found


def _memory() -> list[RunWarning]:
    from bench.device import cpu_sweep, levels
    from bench.device.cpu import MEMORY_SHARE
    from bench.telemetry import memory

    reported = memory.last_level_bytes() or 0
    needed = MEMORY_SHARE * max(levels.STREAM_FACTOR * reported, cpu_sweep.LEAST_MEMORY)
    if (there := memory.available()) >= needed:
        return []
    message = (
        f"{there} bytes of memory are free, and the read curve wants {needed} to leave the caches"
    )
    return [RunWarning("little memory", "run", message, "free some, or take a machine with more")]
