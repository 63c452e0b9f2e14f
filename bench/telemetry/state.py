"""This machine's state now: heat, battery, swap, what others take, and what slows its processors down.

Whatever a machine does not tell is None.
"""

import re
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

import psutil

from bench.machine import cgroups, system
from bench.machine.system import told
from bench.machine.topology import CPU

OF_PROCESSORS = re.compile(r"(coretemp|k8temp|k10temp|zenpower|via_cputemp|cpu.*(thermal|temp).*)$")
"""Drivers of sensors inside processors. Those of boards, disks and memory have limits of their own, and often none that
is true: a pin that is not connected reads 127."""
OF_ZONES = re.compile(r"(x86_pkg_temp|cpu.*)$")
BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
"""What psutil calls the time in which a processor was not idle."""
LEAST_SECONDS = 0.2
"""Between two looks at the load: the system counts in hundredths of a second."""


class Heat(NamedTuple):
    """A processor's temperature, and the critical one at which it is slowed or stopped, in degrees Celsius."""

    celsius: float
    critical: float


def hottest() -> Heat | None:
    """The processor's sensor that is nearest to its critical limit; None where no such sensor has one."""
    found = [*_sensors()] or [*_thermal_zones()]
    return max(found, key=lambda one: one.celsius - one.critical, default=None)


def _sensors() -> Iterator[Heat]:
    of = system.THIS
    for folder in of.found("sys/class/hwmon/hwmon[0-9]*"):
        for place in (folder, folder / "device"):  # before Linux 3.15 the files lay in the device's
            if not OF_PROCESSORS.match(of.text(place / "name") or ""):
                continue
            for file in of.found(f"{place}/temp[0-9]*_input"):
                sensor = file.name.removesuffix("_input")
                if not of.number(place / f"{sensor}_fault"):
                    yield from _heat(of.number(file), of.number(place / f"{sensor}_crit"))


def _thermal_zones() -> Iterator[Heat]:
    of = system.THIS
    for zone in of.found("sys/class/thermal/thermal_zone[0-9]*"):
        if OF_ZONES.match(of.text(zone / "type") or ""):
            for trip in of.found(f"{zone}/trip_point_[0-9]*_type"):
                if of.text(trip) == "critical":
                    limit = of.number(str(trip).removesuffix("_type") + "_temp")
                    yield from _heat(of.number(zone / "temp"), limit)


def _heat(millidegrees: int | None, critical: int | None) -> Iterator[Heat]:
    """A limit at or below zero is none that was set."""
    if millidegrees is not None and critical is not None and critical > 0:
        yield Heat(millidegrees / 1e3, critical / 1e3)


def on_battery() -> bool | None:
    """Whether this machine draws on a battery; None where it has none, or nothing tells."""
    if sys.platform != "linux":
        drawn: bool | None = told(lambda: psutil.sensors_battery().power_plugged is False)
        return drawn
    of = system.THIS
    kinds = {one: of.text(one / "type") for one in of.found("sys/class/power_supply/*")}
    mains = [of.number(one / "online") for one, kind in kinds.items() if kind in ("Mains", "USB")]
    batteries = [one for one, kind in kinds.items() if kind == "Battery"]
    own = [of.text(one / "status") for one in batteries if of.text(one / "scope") != "Device"]
    return 1 not in mains and "Discharging" in own if any(own) else None


def swapped_bytes() -> int | None:
    """Bytes swapped in and out since the system started."""
    swap = told(psutil.swap_memory)
    return None if swap is None else int(swap.sin + swap.sout)


def throttled() -> dict[str, int]:
    """How often since the system started processors were slowed down: for heat or power, or at the end of a quota.

    0 where nothing counts.
    """
    of = system.THIS
    counters = of.found(f"{CPU}/cpu[0-9]*/thermal_throttle/*_throttle_count")
    return {
        "heat": sum(of.number(counter) or 0 for counter in counters),
        "quota": cgroups.times_stopped(of),
    }


class Load:
    """How many cores other processes and the hypervisor took while it counted, which it does from when it is made."""

    def __init__(self) -> None:
        """Start counting."""
        self._counted = (0.0, 0.0, 0.0)
        self.resume()

    def resume(self) -> None:
        """Count from here on."""
        self._before = _seconds()

    def pause(self) -> None:
        """Count up to here."""
        now = _seconds()
        if self._before is None or now is None:
            return
        each = zip(self._counted, self._before, now, strict=True)
        wall, busy, own = (counted + after - before for counted, before, after in each)
        self._counted, self._before = (wall, busy, own), None

    def cores_taken_by_others(self) -> float | None:
        """Cores' worth of time, stolen time included; None where the system does not tell or too little has passed.

        It counts no further.
        """
        self.pause()
        wall, busy, own = self._counted
        return max(0.0, (busy - own) / wall) if wall > LEAST_SECONDS else None


def _seconds() -> tuple[float, float, float] | None:
    """Of the clock, of all processors not idle, and of them of this process."""
    total, own = told(psutil.cpu_times), told(lambda: psutil.Process().cpu_times())
    if total is None or own is None:
        return None
    return time.monotonic(), sum(getattr(total, kind, 0.0) for kind in BUSY), own.user + own.system


class Telemetry:
    """What happens to the machine while a point is visited: what others take, how the clock runs, what is throttled."""

    def __init__(self) -> None:
        """Begin."""
        self._load, self._throttled = Load(), throttled()
        self._clocks: list[float] = []
        self._causes: set[str] = set()

    def resume(self) -> None:
        """Watch again, as another visit begins."""
        self._load.resume()
        self._throttled = throttled()

    def pause(self) -> None:
        """Look away, as a visit ends."""
        from bench.telemetry import core_frequency  # numba, which a run on a GPU alone does without

        self._load.pause()
        now, before = throttled(), self._throttled
        self._causes |= {cause for cause, count in now.items() if count > before[cause]}
        self._clocks.append(core_frequency.clock_hz())

    def seen(self) -> dict[str, Any]:
        """What was seen in all visits, as a point's `state` has it; what cannot be read is None."""
        return {
            "clock_hz": median(self._clocks) if self._clocks else None,
            "temperature_c": None,
            "throttle": sorted(self._causes),
            "power_w": None,
            "load": self._load.cores_taken_by_others(),
        }
