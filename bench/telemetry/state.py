"""This machine's state now: heat, clocks, battery, swap, and what others take. What is not told is None."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from bench.machine import cpuinfo, sensors, system, topology
from bench.machine.sensors import Heat


def told(ask: Callable[[], Any]) -> Any:
    """What psutil answers; None where it raises, which it does as it likes where a system hides /proc or /sys."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask()
    return None


def governors() -> list[str]:
    """The clock governors of the processors that this process may use."""
    there = topology.online(system.THIS, cpuinfo.read(system.THIS))
    return sensors.governors(system.THIS, topology.usable(system.THIS, there))


def hottest() -> Heat | None:
    """The processor's sensor that is nearest to its critical limit; None where none tells."""
    return sensors.hottest(system.THIS)


def on_battery() -> bool | None:
    """Whether this machine draws on a battery; None where it has none, or nothing tells."""
    if sys.platform == "linux":
        return sensors.on_battery(system.THIS)
    on_battery: bool | None = told(lambda: psutil.sensors_battery().power_plugged is False)
    return on_battery


def swapped_bytes() -> int | None:
    """Bytes swapped in and out since the system started."""
    swap = told(psutil.swap_memory)
    return None if swap is None else int(swap.sin + swap.sout)


class Load:
    """How many cores other processes and the hypervisor took since it was made or last asked."""

    def __init__(self) -> None:
        """Start counting."""
        self._before = self._now()

    def cores_taken_by_others(self) -> float | None:
        """Cores' worth of time, stolen time included; None where the system does not tell or too little has passed."""
        before, self._before = self._before, self._now()
        if before is None or self._before is None:
            return None
        wall, busy, own = (b - a for a, b in zip(before, self._before, strict=True))
        return max(0.0, (busy - own) / wall) if wall > 0.2 else None

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        from time import monotonic

        total = told(psutil.cpu_times)
        own = told(lambda: psutil.Process().cpu_times())
        if total is None or own is None:
            return None
        busy = sum(
            getattr(total, kind, 0.0)
            for kind in ("user", "nice", "system", "irq", "softirq", "steal")
        )
        return monotonic(), busy, own.user + own.system
