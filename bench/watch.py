"""The state of the machine while something is measured: what others took, how the clock ran, what was throttled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import machine, pulse, quota

THROTTLE_FILES = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count"


class Watch:
    """Watches from when it is made."""

    def __init__(self) -> None:
        """Begin."""
        self._load = machine.Load()
        self._throttled = throttled()

    def seen(self) -> dict[str, Any]:
        """What was seen since, as a point's `state` has it; what cannot be read is None."""
        now = throttled()
        return {
            "clock_hz": pulse.clock_hz(),
            "temperature_c": None,
            "throttle": [cause for cause, count in now.items() if count > self._throttled[cause]],
            "power_w": None,
            "load": self._load.cores_taken_by_others(),
        }


def throttled() -> dict[str, int]:
    """How often since the system started processors were slowed down: for heat or power, or at the end of a quota."""
    counts = 0
    for path in quota.ROOT.glob(THROTTLE_FILES):
        counts += _number(path)
    return {"heat": counts, "quota": quota.times_stopped()}


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
