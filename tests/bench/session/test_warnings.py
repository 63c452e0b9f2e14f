"""Every warning that is observed while measuring, provoked: by a real neighbour, limit or page where one can be
made."""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import sys
from contextlib import suppress
from ctypes import addressof, c_char
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numba
import numpy as np
import psutil
import pytest

from bench.device import cpu_sweep, threads
from bench.machine import cgroups, describe, nvml
from bench.machine import system as machine_system
from bench.measure import point as points
from bench.profile.records import Point, Roof
from bench.roofs import call, read
from bench.session import doctor, lock, warnings
from bench.telemetry import core_frequency, memory, state
from kernels.case import Case
from kernels.implementations import torch_cell
from kernels.reference.inputs import HUGE_PAGE

CASE = Case("lstm", hidden=64, input=32, batch=4)
LEAST = 0.00025
"""Seconds of a sample that is none too short."""


def written(_bytes, _threads):
    """Seconds that writing takes."""
    return 0.0


def codes(found):
    return [warning.code for warning in found]


def point(case=CASE, **fields):
    """A good point with ten equal rounds at half of its roof."""
    known = {
        "status": "ok",
        "seconds": (1e-3,) * 10,
        "roof_bytes_per_s": (2e9,) * 10,
        "steps_per_sample": 100,
        "bytes": {"weights": 0, "activations": 0, "read": 10**6, "written": 0},
        "flops": {"linear": 1, "recurrent": 1, "pointwise": 1},
        "working_set_bytes": 1 << 20,
        "state": {"clock_hz": 3e9, "throttle": [], "load": 0.0},
    }
    return Point(case, "torch_cell", **{**known, **fields})


def roof(*samples, kind="read", page_bytes=HUGE_PAGE):
    times = ("2026-01-01T00:00:00+00:00",) * len(samples)
    return Roof(
        "cpu", kind, "measured", None, 1 << 20, page_bytes, 1, "x", "byte/s", samples, times
    )


@pytest.fixture
def neighbour():
    """A process that keeps a core busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A root folder with nothing in it but what a test writes there."""
    monkeypatch.setattr(machine_system, "THIS", machine_system.System(tmp_path))

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_a_busy_neighbour_is_told_beside_the_points_it_ran_beside(context, neighbour):  # noqa: ARG001
    context = replace(context, precision=1e-9, budget_seconds=0.3)
    found = points.point(context, replace(CASE, hidden=256), "torch_cell", torch_cell, order=0)
    assert found.state["load"] >= warnings.BUSY_CORES
    assert "load" in codes(warnings.of_points([found], 1.0, LEAST, written))
    quiet = replace(found, state={**found.state, "load": 0.0})
    assert "load" not in codes(warnings.of_points([quiet], 1.0, LEAST, written))


def test_a_busy_neighbour_is_told_of_the_run(neighbour):  # noqa: ARG001
    load = state.Load()
    psutil.Process().children()[0].cpu_percent(interval=0.5)
    assert codes(warnings.of_load(load.cores_taken_by_others())) == ["load"]
    assert not warnings.of_load(0.05)
    assert not warnings.of_load(None)


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


NEW, OLD = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")


def memory_group(path, names, most, used, idle):
    return {
        f"{path}/{names[0]}": f"{most}\n",
        f"{path}/{names[1]}": f"{used}\n",
        f"{path}/memory.stat": f"anon 1\n{'total_' if names is OLD else ''}inactive_file {idle}\n",
    }


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", memory_group("sys/fs/cgroup", NEW, "max", 5, 1), None),
        ("0::/a/b\n", memory_group("sys/fs/cgroup/a", NEW, 1000, 300, 50), 750),
        ("0::/\n", memory_group("sys/fs/cgroup", NEW, 1000, 3000, 0), 0),
        (
            "4:memory:/c\n2:cpu:/\n",
            {
                **memory_group("sys/fs/cgroup/memory/c", OLD, 800, 300, 100),
                **memory_group("sys/fs/cgroup/memory", OLD, 1 << 62, 700, 0),
            },
            600,
        ),
    ],
)  # fmt: skip
def test_the_least_memory_that_a_group_and_those_above_it_leave_counts(system, groups, files, left):
    for path, text in {"proc/self/cgroup": groups, **files}.items():
        system(path, text)
    assert cgroups.memory_left(machine_system.THIS) == left
    if left is not None:
        assert memory.available() == left


@pytest.mark.parametrize(
    ("files", "granted"),
    [
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/c\n",
                "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "25000\n",
                "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            0.25,
        ),
        ({"proc/self/cgroup": "0::/../elsewhere\n", "sys/fs/cgroup/cpu.max": "9 10\n"}, 0.9),
        ({"sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
        ({}, None),
    ],
)
def test_the_least_quota_of_a_group_and_those_above_it_counts(system, files, granted):
    for path, text in files.items():
        system(path, text)
    assert cgroups.cpus(machine_system.THIS) == granted
    assert bool(warnings.of_quota(granted, 2)) == (granted is not None)
    if granted:
        assert threads.available() == 1
        assert not warnings.of_quota(granted + 2, 2)


def test_processors_slowed_down_are_told_beside_the_point_and_of_the_run(system):
    count = "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"
    stat = "sys/fs/cgroup/cpu.stat"
    system(count, "3\n")
    system(stat, "nr_periods 9\nnr_throttled 4\nthrottled_usec 1000\n")
    before, watching = state.throttled(), state.Telemetry()
    assert before == {"heat": 3, "quota": 4}
    assert watching.seen()["throttle"] == []
    assert not warnings.of_throttling(before, state.throttled())
    system(count, "5\n")
    assert watching.seen()["throttle"] == ["heat"]
    system(stat, "nr_periods 10\nnr_throttled 5\nthrottled_usec 2000\n")
    slowed = point(state=watching.seen())
    assert slowed.state["throttle"] == ["heat", "quota"]
    of_run = warnings.of_throttling(before, state.throttled())
    assert codes(of_run) == ["throttled", "throttled"]
    assert "2 times" in of_run[0].message
    of_point = warnings.of_points([slowed, point()], 1.0, LEAST, written)
    assert [(warning.code, warning.about) for warning in of_point] == [
        ("throttled", slowed.key)
    ] * 2


def test_a_clock_that_changed_is_told_with_both_speeds():
    slow = point(state={"clock_hz": 3.0e9})
    assert not warnings.of_clock([slow, point(state={"clock_hz": 3.1e9})])
    assert not warnings.of_clock([slow, point(state={"clock_hz": None}), point(state=None)])
    (found,) = warnings.of_clock([slow, point(state={"clock_hz": 3.7e9})])
    assert found.code == "clock changed"
    assert "3.00 to 3.70 GHz" in found.message


def test_the_chain_that_shows_the_clock_is_run_to_its_end():
    """Marsaglia's xorshift, written anew with whole numbers: a shorter way to the same state there is none."""
    x = 88172645463325252
    for _ in range(1000):
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
    assert core_frequency.chain(1000, 88172645463325252) == x
    assert core_frequency.clock_hz() > 0


def test_threads_that_do_not_come_are_counted():
    """OpenMP's own limit is not asked by torch or numba, which go on saying two."""
    program = (
        "from bench.device import threads; threads.settle(); pools = threads.start()\n"
        "print(pools.layer, pools.workers)"
    )

    given = {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "omp"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **given, "OMP_THREAD_LIMIT": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "omp" in done.stderr:
        pytest.skip("numba has no OpenMP here, and another layer knows no limit of OpenMP's")
    assert done.stdout.split() == ["omp", "1"], done.stderr
    assert call.workers(numba.config.NUMBA_NUM_THREADS) == numba.config.NUMBA_NUM_THREADS
    assert codes(warnings.of_threads(2, 1)) == ["fewer threads"]
    assert not warnings.of_threads(2, 2)


@pytest.mark.skipif(not hasattr(mmap, "MADV_NOHUGEPAGE"), reason="no way to ask for small pages")
def test_small_pages_are_told_and_large_ones_are_not():
    small = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    small.madvise(mmap.MADV_NOHUGEPAGE)
    small.write(b"\1" * (8 << 20))
    view = c_char.from_buffer(small)
    size = memory.page_bytes(addressof(view))
    del view
    assert size == os.sysconf("SC_PAGE_SIZE")
    assert codes(warnings.of_machine({}, {}, size)) == ["small pages"]
    assert not warnings.of_machine({}, {}, HUGE_PAGE)


@pytest.mark.parametrize(("governor", "told"), [("powersave", True), ("performance", False)])
def test_a_governor_that_saves_power_is_told(system, governor, told):
    assert not warnings.of_machine({"governors": describe.machine()["governors"]}, {}, None)
    system("sys/devices/system/cpu/online", "0-1\n")
    system("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", governor + "\n")
    found = warnings.of_machine({"governors": describe.machine()["governors"]}, {}, None)
    assert codes(found) == (["clock governor"] if told else [])


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
    assert codes(warnings.of_battery(state.on_battery())) == (["battery"] if told else [])


@pytest.mark.parametrize("name", ["cpu_times", "swap_memory", "Process", "virtual_memory"])
def test_what_psutil_cannot_read_is_none(monkeypatch, name):
    def fails():
        raise FileNotFoundError(2, "No such file or directory", "/proc/stat")

    monkeypatch.setattr(psutil, name, fails)
    load, swapped = state.Load(), state.swapped_bytes()
    assert (load.cores_taken_by_others() is None) or name in ("swap_memory", "virtual_memory")
    assert (swapped is None) == (name == "swap_memory")
    assert not warnings.of_swap(swapped, None)
    assert memory.available() > 0


def test_a_virtual_machine_is_told():
    (found,) = warnings.of_machine({"virtualization": "KVM"}, {}, None)
    assert found.code == "virtual machine"
    assert "KVM" in found.message
    assert not warnings.of_machine({"virtualization": None}, {}, None)


def test_swapping_is_told_with_its_bytes(monkeypatch):
    now = iter([(10, 20), (10, 4116)])
    monkeypatch.setattr(
        psutil,
        "swap_memory",
        lambda: SimpleNamespace(**dict(zip(("sin", "sout"), next(now), strict=True))),
    )
    before = state.swapped_bytes()
    (found,) = warnings.of_swap(before, state.swapped_bytes())
    assert found.code == "swap"
    assert "4096 bytes" in found.message
    assert not warnings.of_swap(7, 7)


def test_a_roof_that_slows_down_during_the_run_is_drift():
    assert codes(warnings.of_sentinel(roof(1e9), roof(0.9e9))) == ["drift"]
    assert codes(warnings.of_sentinel(roof(1e9), roof(1.1e9))) == ["drift"]
    assert not warnings.of_sentinel(roof(1e9), roof(0.96e9))


def test_a_roof_that_moves_beside_streamed_points_is_told():
    streamed = replace(CASE, residency="streamed")
    fast, slow = point(streamed), point(streamed, roof_bytes_per_s=(1.5e9,) * 10)
    assert codes(warnings.of_paired_roofs([fast, slow])) == ["moving roof"]
    assert not warnings.of_paired_roofs([fast, point(roof_bytes_per_s=(1.5e9,) * 10)])


def test_a_planted_slow_roof_is_drift(context, monkeypatch):
    """The probe itself, which reads everything twice from some moment on."""
    monkeypatch.setattr(cpu_sweep, "SAMPLE_SECONDS", 0.002)
    address, size = context.arena.address, 1 << 20
    start, prepare = cpu_sweep.sentinel(address, size, None, 1), read.prepare

    def slow(*arguments):
        once = prepare(*arguments)
        return lambda passes: once(4 * passes)

    monkeypatch.setattr(read, "prepare", slow)
    (found,) = warnings.of_sentinel(start, cpu_sweep.sentinel(address, size, None, 1))
    assert found.code == "drift"
    assert re.search(r"ran -\d\d% at the end", found.message)


def test_few_or_scattered_samples_are_noisy_and_steady_ones_are_not():
    rng = np.random.default_rng(0)
    scattered = point(seconds=tuple(1e-3 * rng.uniform(0.5, 1.5, 10)))
    found = warnings.of_points([scattered, point(CASE, seconds=(2e-3,) * 10)], 0.02, LEAST, written)
    assert [(warning.code, warning.about) for warning in found] == [("noisy", scattered.key)]


def test_samples_much_shorter_than_asked_are_told():
    short, long = point(steps_per_sample=4), point(steps_per_sample=6)
    assert codes(warnings.of_points([short], 1.0, 0.005, written)) == ["short sample"]
    assert not warnings.of_points([long], 1.0, 0.005, written)


def test_streamed_weights_that_may_lie_in_a_cache_are_told():
    streamed = point(replace(CASE, residency="streamed"), working_set_bytes=100)
    assert codes(warnings.of_streaming([streamed], 101)) == ["not streamed for sure"]
    assert not warnings.of_streaming([streamed], 100)
    assert not warnings.of_streaming([point(working_set_bytes=1)], 100)


def test_a_failed_point_is_no_witness():
    failed = Point(CASE, "torch_cell", "failed", reason="wrong")
    assert not warnings.of_points([failed], 0.1, LEAST, written)
    assert not warnings.of_clock([failed])
    assert not warnings.of_streaming([failed], 1)


def cores_of_other_threads():
    """Where each thread of this process but the first may run; earlier tests' libraries have threads too."""
    tasks = {int(task.name) for task in Path("/proc/self/task").iterdir()} - {os.getpid()}
    return [os.sched_getaffinity(task) for task in tasks]


def test_threads_that_may_meet_on_a_core_are_told_and_a_runs_own_are_not(monkeypatch):
    """Really: after the pools are started, and after this thread may go anywhere again."""
    monkeypatch.setenv("OMP_PLACES", "{0}")
    pools = threads.start()
    try:
        every = threads.bound()
        theirs = {only for only, *more in map(sorted, cores_of_other_threads()) if not more}
        (mine,) = os.sched_getaffinity(0)
        threads.release()
        fewer = threads.bound()
    finally:
        threads.restore(pools)
    assert every == len(theirs | {mine})
    assert fewer == len(theirs)
    assert codes(warnings.of_binding(1, 2)) == ["threads not bound"]
    assert not warnings.of_binding(every, every)
    assert not warnings.of_binding(None, 8)


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
    assert codes(warnings.of_heat(state.hottest())) == (["hot"] if told else [])


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


@pytest.mark.parametrize("broken", ["raise ImportError", "x = undefined", "def nvmlInit(): 1 / 0"])
def test_a_missing_broken_or_driverless_nvml_tells_nothing(monkeypatch, broken):
    module = ModuleType("pynvml")
    with suppress(Exception):
        exec(broken, vars(module))
    monkeypatch.setitem(sys.modules, "pynvml", None if "Import" in broken else module)
    assert nvml.processes_of_others() == 0


def test_other_processes_on_a_gpu_are_told(monkeypatch):
    running = {0: [os.getpid(), 11], 1: [11, 12]}
    told = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetComputeRunningProcesses": lambda index: [
            SimpleNamespace(pid=pid) for pid in running[index]
        ],
    }
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(**told))
    (found,) = warnings.of_gpu_processes(nvml.processes_of_others())
    assert found.code == "gpu in use"
    assert found.message.startswith("2 other processes")


def test_the_doctor_names_another_measurement_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(lock, "held_by", lambda: "process 7 since then, into there")
    found = doctor.examine()
    assert found[0].message == "process 7 since then, into there measures on this machine"
    assert all(warning.advice for warning in found)
    assert set(codes(found)) >= set(codes(warnings.of_machine(describe.machine(), {}, None)))
