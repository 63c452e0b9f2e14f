"""Time and memory that control groups grant, in both versions of them."""

from __future__ import annotations

import pytest

from bench.device import threads
from bench.machine import cgroups
from bench.machine import system as machine_system
from bench.session import machine_warnings
from bench.telemetry import memory

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
    assert bool(list(machine_warnings.of_quota(granted, 2))) == (granted is not None)
    if granted:
        assert threads.available() == 1
        assert not list(machine_warnings.of_quota(granted + 2, 2))
