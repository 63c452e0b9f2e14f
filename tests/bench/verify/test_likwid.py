"""likwid-bench beside our read probe: what it prints is read, and whatever it does instead is a reason."""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace

import pytest

from bench.machine import system
from bench.verify import checks, instrument, likwid
from kernels.case import Unavailable

PRINTED = """\
Allocate: Process running on hwthread 0 (Domain N) - Vector length 125000000/1000000000 Offset 0 Alignment 512
Initialization: First thread in domain initializes the whole stream
--------------------------------------------------------------------------------
LIKWID MICRO BENCHMARK
Test: load_avx512
--------------------------------------------------------------------------------
Using 1 work groups
Using 2 threads
--------------------------------------------------------------------------------
--------------------------------------------------------------------------------
Group: 0 Thread 0 Global Thread 0 running on hwthread 0 - Vector length 62500000 Offset 0
Group: 0 Thread 1 Global Thread 1 running on hwthread 1 - Vector length 62500000 Offset 62500000
--------------------------------------------------------------------------------
Cycles:			441602928
CPU Clock:		2596071822
Cycle Clock:		2596071822
Time:			1.701043e-01 sec
Iterations:		8
Iterations per thread:	4
Inner loop executions:	1953125
Size (Byte):		1000000000
Size per thread:	500000000
Number of Flops:	0
MFlops/s:		0.00
Data volume (Byte):	4000000000
MByte/s:		23514.99
Cycles per update:	0.883206
Cycles per cacheline:	7.065647
Loads per update:	1
Stores per update:	0
Load bytes per element:	8
Store bytes per elem.:	0
Instructions:		109375016
UOPs:			93750000
--------------------------------------------------------------------------------
"""
"""Version 5.2.2: `likwid-bench -t load_avx512 -i 4 -w N:1000000kB:2`."""


@pytest.fixture
def stands_in(tmp_path, monkeypatch):
    """A program that is found as likwid-bench and runs this script."""

    def make(script):
        program = tmp_path / "likwid-bench"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_the_rate_is_the_data_volume_over_the_time():
    assert likwid.printed_rate(PRINTED) == pytest.approx(4e9 / 1.701043e-01, rel=1e-6)


@pytest.mark.parametrize(
    "printed", ["", "MByte/s:\t\t0.00\n", "MByte/s:\t\tnan\n", "MFlops/s: 3\n"]
)
def test_no_rate_is_read_where_there_is_none(printed):
    assert likwid.printed_rate(printed) is None


def test_where_it_is_not_installed_there_is_a_reason(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="no likwid-bench"):
        likwid.kernel(1 << 30, 1)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Cannot get topology' >&2; exit 1", "exit code 1: Cannot get topology"),
        ("kill -ILL $$", "exit code -4: it said nothing"),
        ("echo Time: 1 sec", "exit code 0: Time: 1 sec"),
    ],
)
def test_whatever_it_does_instead_is_the_reason(stands_in, script, reason):
    stands_in(script)
    with pytest.raises(Unavailable, match=reason):
        likwid.bytes_per_s("load", 1 << 20, 1, 1)


def test_the_widest_kernel_that_runs_is_taken(stands_in, monkeypatch):
    stands_in('case "$2" in *avx512) kill -ILL $$;; esac; echo "MByte/s: 1000.0"')
    monkeypatch.setattr(likwid.platform, "machine", lambda: "x86_64")
    assert likwid.kernel(1 << 30, 1) == "load_avx"
    monkeypatch.setattr(likwid.platform, "machine", lambda: "aarch64")
    assert likwid.kernel(1 << 30, 1) == "load_neon"


def test_on_an_architecture_whose_kernels_are_not_known_there_is_a_reason(stands_in, monkeypatch):
    stands_in('echo "MByte/s: 1000.0"')
    monkeypatch.setattr(likwid.platform, "machine", lambda: "riscv64")
    with pytest.raises(Unavailable, match="known for riscv64"):
        likwid.kernel(1 << 30, 1)


def test_it_is_asked_for_the_size_the_threads_and_the_passes(stands_in, tmp_path):
    stands_in(f'echo "$@" > {tmp_path}/asked; echo "MByte/s: 2.5e3"')
    assert likwid.bytes_per_s("load_avx", 1_073_741_824, 2, 7) == 2.5e9
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["-t", "load_avx", "-i", "7", "-w", "N:1073741kB:2"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads are bound on Linux alone")
def test_it_has_every_core_though_the_thread_that_runs_it_is_bound_to_one(stands_in, tmp_path):
    """Bound, its two threads shared a core, and ours read twice as fast."""
    every = os.sched_getaffinity(0)
    if len(every) == 1:
        pytest.skip("one core")
    stands_in(f'grep Cpus_allowed_list /proc/$$/status > {tmp_path}/cores; echo "MByte/s: 1.0"')
    os.sched_setaffinity(0, {min(every)})
    try:
        likwid.bytes_per_s("load", 1 << 20, 2, 1)
        assert os.sched_getaffinity(0) == {min(every)}
    finally:
        os.sched_setaffinity(0, every)
    cores = (tmp_path / "cores").read_text().split()[1]
    assert len(system.cpu_list(cores)) == len(every)


def test_a_machine_without_it_is_told_and_not_wrong(monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    curve = SimpleNamespace(middles={"L1": 1 << 15, "DRAM": 1 << 30})
    run = SimpleNamespace(survey=lambda: SimpleNamespace(curve=curve), context=None)
    found = list(instrument.against_likwid(run, thorough=False))
    assert found
    assert all(one.good and one.margin is None for one in found)
    assert all("no likwid-bench" in line for line in checks.table(found))
