"""What `python -m bench roofs` prints: every level with its bandwidth, the last one by its name too."""

from __future__ import annotations

import pytest

from bench.commands import roofs
from bench.profile.records import Level, Profile, Roof, RunWarning
from bench.timing import call_limit


def profile(*levels, roofs=(), warnings=()):
    return Profile("now", "roofs", 0, {}, {}, {}, levels=levels, roofs=roofs, warnings=warnings)


def roof(kind, sample, unit="byte/s", size=None, dtype=None, threads=2):
    return Roof("cpu", kind, "measured", dtype, size, None, threads, "one", unit, sample, ("now",))


@pytest.mark.parametrize("name", ["DRAM", "largest set"])
def test_the_last_level_has_a_line_with_its_name_and_its_bandwidth(name):
    first = Level("cpu", "L2", 1 << 20, 120e9)
    found = roofs.lines(
        profile(first, Level("cpu", "L3", 256 << 20, 90e9), Level("cpu", name, None, 57.3e9))
    )
    assert found == [
        "read, L2 (up to 1 MiB): 120.0 GB/s",
        "read, L3 (up to 256 MiB): 90.0 GB/s",
        f"read, {name} (from 256 MiB on): 57.3 GB/s",
    ]
    assert roofs.lines(profile(Level("cpu", name, None, 57.3e9))) == [f"read, {name}: 57.3 GB/s"]


def test_a_devices_first_level_begins_at_no_other_devices():
    found = roofs.lines(
        profile(Level("cpu", "L2", 1 << 20, 2e11), Level("cuda", "DRAM", None, 3e12))
    )
    assert found == ["read, L2 (up to 1 MiB): 200.0 GB/s", "read, DRAM: 3000.0 GB/s"]


def test_of_other_probes_the_best_of_all_variants_has_a_line():
    found = roofs.lines(
        profile(
            roofs=(
                roof("read", (9e9,), size=1 << 20),
                roof("write", (1e9, 3e9), size=1 << 20),
                roof("write", (2e9,), size=1 << 20),
                roof("matmul", (2e11,), "flop/s", dtype="float32"),
                roof("call", (3e-6, 2e-6), "s"),
            )
        )
    )
    assert found == [
        "write, 1 MiB, 2 threads: 3.0 GB/s",
        "matmul, float32, 2 threads: 200.0 GFLOP/s",
        "call, 2 threads: 2.00 us",
    ]


def test_a_sentinel_has_no_line():
    looks = [roof("sentinel", (9e9,), size=1 << 27), roof("read", (9e9,), size=1 << 20)]
    assert roofs.lines(profile(roofs=looks)) == []


def test_what_was_left_out_is_told():
    warnings = (
        RunWarning(call_limit.LEFT_OUT, "run", "too long", "nothing"),
        RunWarning("load", "run", "x", "y"),
    )
    assert roofs.lines(profile(warnings=warnings)) == ["too long"]
