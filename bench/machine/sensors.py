"""What sensors and counters tell of a processor's state: its heat and clocks, and whether a battery feeds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bench.machine.system import System, integer
from bench.machine.topology import CPU

OF_PROCESSORS = re.compile(r"(coretemp|k8temp|k10temp|zenpower|via_cputemp|cpu.*(thermal|temp).*)$")
"""Drivers of sensors inside processors. Those of boards, disks and memory have limits of their own, and often none that
is true: a pin that is not connected reads 127."""
OF_ZONES = re.compile(r"(x86_pkg_temp|cpu.*)$")


class Heat(NamedTuple):
    """A processor's temperature, and the critical one at which it is slowed or stopped, in degrees Celsius."""

    celsius: float
    critical: float


def hottest(system: System) -> Heat | None:
    """The processor's sensor that is nearest to its critical limit; None where no such sensor has one."""
    found = [*_monitors(system)] or [*_zones(system)]
    return max(found, key=lambda one: one.celsius - one.critical, default=None)


def _monitors(system: System) -> Iterator[Heat]:
    for folder in system.found("sys/class/hwmon/hwmon[0-9]*"):
        for place in (folder, folder / "device"):  # before Linux 3.15 the files lay in the device's
            if not OF_PROCESSORS.match(system.text(place / "name") or ""):
                continue
            for file in system.found(f"{place}/temp[0-9]*_input"):
                sensor = file.name.removesuffix("_input")
                if not system.number(place / f"{sensor}_fault"):
                    yield from _heat(system.number(file), system.number(place / f"{sensor}_crit"))


def _zones(system: System) -> Iterator[Heat]:
    for zone in system.found("sys/class/thermal/thermal_zone[0-9]*"):
        if OF_ZONES.match(system.text(zone / "type") or ""):
            for trip in system.found(f"{zone}/trip_point_[0-9]*_type"):
                if system.text(trip) == "critical":
                    limit = system.number(str(trip).removesuffix("_type") + "_temp")
                    yield from _heat(system.number(zone / "temp"), limit)


def _heat(millidegrees: int | None, critical: int | None) -> Iterator[Heat]:
    """A limit at or below zero is none that was set."""
    if millidegrees is not None and critical is not None and critical > 0:
        yield Heat(millidegrees / 1e3, critical / 1e3)


def governors(system: System, cpus: Iterable[int]) -> list[str]:
    """The clock governors of these processors; empty where the system has none to show.

    A policy is named by the first of its processors, and found through each of them where the system has its links.
    """
    named = system.found(f"{CPU}/cpufreq/policy[0-9]*")
    policies = [(first, p) for p in named if (first := integer(p.name[6:])) is not None]
    found = set()
    for cpu in cpus:
        policy = max(((first, path) for first, path in policies if first <= cpu), default=(0, CPU))
        told = system.text(f"{CPU}/cpu{cpu}/cpufreq/scaling_governor")
        found.add(told or system.text(f"{policy[1]}/scaling_governor"))
    return sorted(one for one in found if one)


def times_slowed(system: System) -> int:
    """How often since the system started processors were slowed down for heat or power; 0 where nothing counts."""
    counters = system.found(f"{CPU}/cpu[0-9]*/thermal_throttle/*_throttle_count")
    return sum(system.number(counter) or 0 for counter in counters)


def on_battery(system: System) -> bool | None:
    """Whether a battery feeds it; None where there is none, or nothing tells."""
    supplies = system.found("sys/class/power_supply/*")
    kinds = {supply: system.text(supply / "type") for supply in supplies}
    mains = [system.number(s / "online") for s, kind in kinds.items() if kind in ("Mains", "USB")]
    batteries = [
        system.text(supply / "status")
        for supply, kind in kinds.items()
        if kind == "Battery" and system.text(supply / "scope") != "Device"
    ]
    if not any(batteries):
        return None
    return 1 not in mains and "Discharging" in batteries
