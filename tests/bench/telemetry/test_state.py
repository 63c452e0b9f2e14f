"""This machine's state: load, heat, battery and swap, as the system or psutil tells it, and what is warned of."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from bench.session import machine_warnings
from bench.telemetry import memory, state


def codes(found):
    return [warning.code for warning in found]


def test_own_work_is_no_neighbour(monkeypatch):
    times = iter([10.0, 14.0])
    monkeypatch.setattr(
        psutil,
        "cpu_times",
        lambda: SimpleNamespace(user=next(times), nice=0, system=0, irq=0, softirq=0, steal=0),
    )
    own = iter([1.0, 4.0])
    monkeypatch.setattr(
        psutil,
        "Process",
        lambda: SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=next(own), system=0)),
    )
    clock = iter([100.0, 102.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert state.Load().cores_taken_by_others() == pytest.approx((4 - 3) / 2)


@pytest.mark.parametrize(
    ("status", "mains", "told"),
    [("Discharging", 0, True), ("Discharging", 1, False), ("Charging", 1, False), (None, 0, False)],
)
def test_a_battery_that_is_drawn_on_is_told(system, status, mains, told):
    system("sys/class/power_supply/AC/type", "Mains\n")
    system("sys/class/power_supply/AC/online", f"{mains}\n")
    system("sys/class/power_supply/mouse/type", "Battery\n")
    system("sys/class/power_supply/mouse/scope", "Device\n")
    system("sys/class/power_supply/mouse/status", "Discharging\n")
    if status:
        system("sys/class/power_supply/BAT0/type", "Battery\n")
        system("sys/class/power_supply/BAT0/status", f"{status}\n")
    assert codes(machine_warnings.of_battery(state.on_battery())) == (["battery"] if told else [])


@pytest.mark.parametrize("name", ["cpu_times", "swap_memory", "Process", "virtual_memory"])
def test_what_psutil_cannot_read_is_none(monkeypatch, name):
    def fails():
        raise FileNotFoundError(2, "No such file or directory", "/proc/stat")

    monkeypatch.setattr(psutil, name, fails)
    load, swapped = state.Load(), state.swapped_bytes()
    assert (load.cores_taken_by_others() is None) or name in ("swap_memory", "virtual_memory")
    assert (swapped is None) == (name == "swap_memory")
    assert not list(machine_warnings.of_swap(swapped, None))
    assert memory.available() > 0


def sensor(system, number, driver, celsius, **limits):
    folder = f"sys/class/hwmon/hwmon{number}"
    system(f"{folder}/name", driver + "\n")
    system(f"{folder}/temp1_input", f"{celsius * 1000}\n")
    for limit, value in limits.items():
        system(f"{folder}/temp1_{limit}", f"{value * 1000}\n")


@pytest.mark.parametrize(
    ("driver", "celsius", "limits", "told"),
    [
        ("nct6775", 127, {"max": 0, "crit": 125}, False),
        ("drivetemp", 56, {"max": 60, "crit": 60}, False),
        ("nvme", 81, {"crit": 84}, False),
        ("spd5118", 52, {"max": 55, "crit": 55}, False),
        ("coretemp", 77, {"max": 80, "crit": 100}, False),
        ("coretemp", 97, {"max": 80, "crit": 100}, True),
        ("k10temp", 94, {"crit": 95}, True),
        ("k10temp", 94, {"max": 70}, False),
        ("cpu_thermal", 84, {"crit": 85}, True),
        ("coretemp", 97, {"crit": 0}, False),
    ],
)
def test_heat_is_a_processors_own_sensor_near_its_critical_limit(
    system, driver, celsius, limits, told
):
    sensor(system, 0, driver, celsius, **limits)
    sensor(system, 1, "coretemp", 40, crit=100)
    assert codes(machine_warnings.of_heat(state.hottest())) == (["hot"] if told else [])


def test_without_a_sensors_driver_a_processors_thermal_zone_is_read(system):
    zones = {"x86_pkg_temp": ("critical", 96), "acpitz": ("critical", 120), "cpu1": ("passive", 10)}
    for number, (kind, (trip, celsius)) in enumerate(zones.items()):
        zone = f"sys/class/thermal/thermal_zone{number}"
        system(f"{zone}/type", kind)
        system(f"{zone}/temp", f"{celsius}000")
        system(f"{zone}/trip_point_0_type", trip)
        system(f"{zone}/trip_point_0_temp", "100000")
    assert state.hottest() == (96.0, 100.0)


def test_a_system_without_sensors_or_batteries_is_neither_hot_nor_drawn_on(system):  # noqa: ARG001
    assert state.hottest() is None
    assert state.on_battery() is None
