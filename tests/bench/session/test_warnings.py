"""Every warning that is observed while measuring, provoked: by a real neighbour, limit or page where one can be
made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import numba
import numpy as np
import psutil
import pytest

from bench.device import cpu_sweep, threads
from bench.machine import describe
from bench.measure import point as points
from bench.profile.records import Point, Roof
from bench.roofs import call, read
from bench.session import machine_warnings, point_warnings
from bench.telemetry import state
from kernels import implementations
from kernels.case import Case
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


def test_a_busy_neighbour_is_told_beside_the_points_it_ran_beside(context, neighbour):  # noqa: ARG001
    context = replace(context, precision=1e-9, budget_seconds=0.3)
    cell = implementations.load("torch_cell")
    found = points.point(context, replace(CASE, hidden=256), "torch_cell", cell, order=0)
    assert found.state["load"] >= machine_warnings.BUSY_CORES
    assert "load" in codes(point_warnings.of_points([found], 1.0, LEAST, written))
    quiet = replace(found, state={**found.state, "load": 0.0})
    assert "load" not in codes(point_warnings.of_points([quiet], 1.0, LEAST, written))


def test_a_busy_neighbour_is_told_of_the_run(neighbour):  # noqa: ARG001
    load = state.Load()
    psutil.Process().children()[0].cpu_percent(interval=0.5)
    assert codes(machine_warnings.of_load(load.cores_taken_by_others())) == ["load"]
    assert not list(machine_warnings.of_load(0.05))
    assert not list(machine_warnings.of_load(None))


def test_processors_slowed_down_are_told_beside_the_point_and_of_the_run(system):
    count = "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"
    stat = "sys/fs/cgroup/cpu.stat"
    system(count, "3\n")
    system(stat, "nr_periods 9\nnr_throttled 4\nthrottled_usec 1000\n")
    before, watching = state.throttled(), state.Telemetry()
    assert before == {"heat": 3, "quota": 4}
    watching.pause()
    assert watching.seen()["throttle"] == []
    assert not list(machine_warnings.of_throttling(before, state.throttled()))
    system(count, "4\n")  # beside another point
    watching.resume()
    system(count, "5\n")
    watching.pause()
    assert watching.seen()["throttle"] == ["heat"]
    watching.resume()
    system(stat, "nr_periods 10\nnr_throttled 5\nthrottled_usec 2000\n")
    watching.pause()
    slowed = point(state=watching.seen())
    assert slowed.state["throttle"] == ["heat", "quota"]
    of_run = list(machine_warnings.of_throttling(before, state.throttled()))
    assert codes(of_run) == [
        "throttled"
    ]  # of two warnings with one identity a journal keeps the last
    assert "2 times" in of_run[0].message
    assert "1 times" in of_run[0].message
    of_point = point_warnings.of_points([slowed, point()], 1.0, LEAST, written)
    assert [(warning.code, warning.about) for warning in of_point] == [("throttled", slowed.key)]


def test_a_clock_that_changed_is_told_with_both_speeds():
    slow = point(state={"clock_hz": 3.0e9})
    assert not list(point_warnings.of_clock([slow, point(state={"clock_hz": 3.1e9})]))
    assert not list(
        point_warnings.of_clock([slow, point(state={"clock_hz": None}), point(state=None)])
    )
    (found,) = point_warnings.of_clock([slow, point(state={"clock_hz": 3.7e9})])
    assert found.code == "clock changed"
    assert "3.00 to 3.70 GHz" in found.message


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
    every = numba.config.NUMBA_NUM_THREADS
    before = numba.get_num_threads()
    numba.set_num_threads(every)
    # where another test keeps the cores busy, one of them has done all before another wakes: so asked for 20 seconds
    assert any(call.workers(every) == every or sleep(0.2) for _ in range(100))
    numba.set_num_threads(before)
    assert codes(machine_warnings.of_threads(2, 1)) == ["fewer threads"]
    assert not list(machine_warnings.of_threads(2, 2))


@pytest.mark.parametrize(("governor", "told"), [("powersave", True), ("performance", False)])
def test_a_governor_that_saves_power_is_told(system, governor, told):
    assert not list(
        machine_warnings.of_machine({"governors": describe.machine()["governors"]}, {}, None)
    )
    system("sys/devices/system/cpu/online", "0-1\n")
    system("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", governor + "\n")
    found = machine_warnings.of_machine({"governors": describe.machine()["governors"]}, {}, None)
    assert codes(found) == (["clock governor"] if told else [])


def test_a_virtual_machine_is_told():
    (found,) = machine_warnings.of_machine({"virtualization": "KVM"}, {}, None)
    assert found.code == "virtual machine"
    assert "KVM" in found.message
    assert not list(machine_warnings.of_machine({"virtualization": None}, {}, None))


def test_swapping_is_told_with_its_bytes(monkeypatch):
    now = iter([(10, 20), (10, 4116)])
    monkeypatch.setattr(
        psutil,
        "swap_memory",
        lambda: SimpleNamespace(**dict(zip(("sin", "sout"), next(now), strict=True))),
    )
    before = state.swapped_bytes()
    (found,) = machine_warnings.of_swap(before, state.swapped_bytes())
    assert found.code == "swap"
    assert "4096 bytes" in found.message
    assert not list(machine_warnings.of_swap(7, 7))


def test_a_roof_that_slows_down_during_the_run_is_drift():
    assert codes(point_warnings.of_sentinel(roof(1e9), roof(0.9e9))) == ["drift"]
    assert codes(point_warnings.of_sentinel(roof(1e9), roof(1.1e9))) == ["drift"]
    assert not list(point_warnings.of_sentinel(roof(1e9), roof(0.96e9)))


def test_a_roof_that_moves_beside_streamed_points_is_told():
    streamed = replace(CASE, residency="streamed")
    fast, slow = point(streamed), point(streamed, roof_bytes_per_s=(1.5e9,) * 10)
    assert codes(point_warnings.of_paired_roofs([fast, slow])) == ["moving roof"]
    assert not list(point_warnings.of_paired_roofs([fast, point(roof_bytes_per_s=(1.5e9,) * 10)]))


def test_a_planted_slow_roof_is_drift(context, monkeypatch):
    """The probe itself, which reads everything twice from some moment on."""
    monkeypatch.setattr(cpu_sweep, "SAMPLE_SECONDS", 0.002)
    address, size = context.arena.address, 1 << 20
    start, prepare = cpu_sweep.sentinel(address, size, None, 1), read.prepare

    def slow(*arguments):
        once = prepare(*arguments)
        return lambda passes: once(4 * passes)

    monkeypatch.setattr(read, "prepare", slow)
    (found,) = point_warnings.of_sentinel(start, cpu_sweep.sentinel(address, size, None, 1))
    assert found.code == "drift"
    assert re.search(r"ran -\d\d% at the end", found.message)


def test_few_or_scattered_samples_are_noisy_and_steady_ones_are_not():
    rng = np.random.default_rng(0)
    scattered = point(seconds=tuple(1e-3 * rng.uniform(0.5, 1.5, 10)))
    found = point_warnings.of_points(
        [scattered, point(CASE, seconds=(2e-3,) * 10)], 0.02, LEAST, written
    )
    assert [(warning.code, warning.about) for warning in found] == [("noisy", scattered.key)]


def test_samples_much_shorter_than_asked_are_told():
    short, long = point(steps_per_sample=4), point(steps_per_sample=6)
    assert codes(point_warnings.of_points([short], 1.0, 0.005, written)) == ["short sample"]
    assert not list(point_warnings.of_points([long], 1.0, 0.005, written))


def test_streamed_weights_that_may_lie_in_a_cache_are_told():
    streamed = point(replace(CASE, residency="streamed"), working_set_bytes=100)
    assert codes(point_warnings.of_streaming([streamed], 101)) == ["not streamed for sure"]
    assert not list(point_warnings.of_streaming([streamed], 100))
    assert not list(point_warnings.of_streaming([point(working_set_bytes=1)], 100))


def test_a_failed_point_is_no_witness():
    failed = Point(CASE, "torch_cell", "failed", reason="wrong")
    assert not list(point_warnings.of_points([failed], 0.1, LEAST, written))
    assert not list(point_warnings.of_clock([failed]))
    assert not list(point_warnings.of_streaming([failed], 1))


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
    assert codes(machine_warnings.of_binding(1, 2)) == ["threads not bound"]
    assert not list(machine_warnings.of_binding(every, every))
    assert not list(machine_warnings.of_binding(None, 8))
