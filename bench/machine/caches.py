"""Data caches as /sys tells them, and which of them the processors own that a process may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from bench.machine.system import System
from bench.machine.topology import CPU

SCALES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Cache(NamedTuple):
    """One cache: `shared` are the processors that own it."""

    level: int
    type: str
    size_bytes: int
    shared: frozenset[int]


def read(system: System, cpus: Iterable[int]) -> list[Cache]:
    """Every cache of these processors once. One whose size is not told, or told as 0, is left out."""
    found: set[Cache] = set()
    for cpu in cpus:
        for index in system.found(f"{CPU}/cpu{cpu}/cache/index[0-9]*"):
            kind, level = system.text(index / "type"), system.number(index / "level")
            size = _bytes(system.text(index / "size"))
            if kind in ("Data", "Unified") and level and size:
                shared = system.cpus(index / "shared_cpu_list", index / "shared_cpu_map")
                found.add(Cache(level, kind, size, shared or frozenset({cpu})))
    return sorted(found, key=lambda one: (*one[:3], sorted(one.shared)))


def described(caches: Iterable[Cache], usable: frozenset[int]) -> list[dict[str, Any]]:
    """As a profile has them: how many of each these processors own, and how many the machine has."""
    every = list(caches)
    mine = [cache[:3] for cache in every if cache.shared & usable]
    there = [cache[:3] for cache in every]
    return [
        {
            "level": each[0],
            "type": each[1],
            "size_bytes": each[2],
            "instances": mine.count(each),
            "machine_instances": there.count(each),
        }
        for each in sorted(set(mine))
    ]


def last_level_bytes(caches: Iterable[dict[str, Any]]) -> int | None:
    """The outermost level as described, all owned instances together; None where no size is told."""
    found = list(caches)
    last = max((one["level"] for one in found), default=0)
    return (
        sum(one["size_bytes"] * one["instances"] for one in found if one["level"] == last) or None
    )


def _bytes(text: str | None) -> int | None:
    number = (text or "").rstrip("KMG")
    return int(number) * SCALES.get((text or "")[-1:], 1) if number.isdecimal() else None
