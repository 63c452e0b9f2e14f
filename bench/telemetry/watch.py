"""The state of the machine while something is measured: what others took, how the clock ran, what was throttled."""

from __future__ import annotations

from typing import Any

from bench.machine import cgroups, sensors, system
from bench.telemetry import core_frequency, state


class Watch:
    """Watches from when it is made."""

    def __init__(self) -> None:
        """Begin."""
        self._load = state.Load()
        self._throttled = throttled()

    def seen(self) -> dict[str, Any]:
        """What was seen since, as a point's `state` has it; what cannot be read is None."""
        now = throttled()
        return {
            "clock_hz": core_frequency.clock_hz(),
            "temperature_c": None,
            "throttle": [cause for cause, count in now.items() if count > self._throttled[cause]],
            "power_w": None,
            "load": self._load.cores_taken_by_others(),
        }


def throttled() -> dict[str, int]:
    """How often since the system started processors were slowed down: for heat or power, or at the end of a quota."""
    return {
        "heat": sensors.times_slowed(system.THIS),
        "quota": cgroups.times_stopped(system.THIS),
    }
