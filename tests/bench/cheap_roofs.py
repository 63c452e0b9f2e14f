"""Made-up roofs in no time, so that a run is its points and what it writes. Its figures mean nothing."""

from __future__ import annotations

from dataclasses import replace

from bench.device import cpu_sweep, sweeps
from bench.profile.records import Roof
from bench.telemetry import memory as machine_memory

RATE = 1e11


def roof(kind, size=None, unit="byte/s", sample=RATE, count=1):
    """One made-up roof."""
    stamp = "2026-01-01T00:00:00+00:00"
    return Roof(
        "cpu", kind, "measured", None, size, 4096, count, "made up", unit, (sample,), (stamp,)
    )


def make(patch):
    """Have every probe of the machine answer at once, and caches reported as small ones."""
    patch.setattr(machine_memory, "last_level_bytes", lambda: 256 << 10)
    patch.setattr(cpu_sweep, "read_curve", curve)
    patch.setattr(cpu_sweep, "LEAST_MEMORY", 1 << 20)
    patch.setattr(cpu_sweep, "fastest", lambda *_: [])
    patch.setattr(cpu_sweep, "memory", memory)
    patch.setattr(cpu_sweep, "within_levels", lambda *_: [roof("write", 1 << 16)])
    for name, made_up in (("products", none), ("fastest_once_more", none), ("calls", calls)):
        patch.setattr(sweeps, name, of_cpu(made_up, getattr(sweeps, name)))
    patch.setattr(cpu_sweep, "sentinel", lambda *_: roof("read", 1 << 20))


def memory(arena, sizes, _page_bytes, count, _fast, _rounds, sweep, _limit):
    """Memory, flat."""
    arena.grow(max(sizes))
    return [
        replace(roof("read", size, sample=RATE / 4, count=count), sweep=sweep) for size in sizes
    ]


def curve(_address, largest, _page_bytes, counts, _thorough, _limit=None):
    """Two levels of memory, at every count of threads."""
    sizes = [32 << 10 << step for step in range(40) if 32 << 10 << step <= largest]
    return [
        roof("read", size, sample=RATE / (1 if size <= 128 << 10 else 4), count=count)
        for count in counts
        for size in sizes
    ]


def of_cpu(made_up, true):
    """A part of every device's sweep: made up for the CPU, true for a GPU, which poses itself."""
    return lambda device, *given: (made_up if device.name == "cpu" else true)(device, *given)


def none(*_):
    """No roofs."""
    return []


def calls(_device, counts):
    """Empty calls, the last that a survey measures."""
    return [roof("call", unit="s", sample=1e-6, count=count) for count in counts]
