"""Data caches as /sys tells them, and which of them the processors own that a process may use."""

from collections import Counter
from collections.abc import Iterable, Sequence
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


def described(caches: Sequence[Cache], usable: frozenset[int]) -> list[dict[str, Any]]:
    """As a profile has them: how many of each these processors own, and how many the machine has."""
    mine = Counter(cache[:3] for cache in caches if cache.shared & usable)
    there = Counter(cache[:3] for cache in caches)
    return [
        {
            **dict(zip(Cache._fields, each, strict=False)),
            "instances": mine[each],
            "machine_instances": there[each],
        }
        for each in sorted(mine)
    ]


def last_level_bytes(caches: Sequence[dict[str, Any]]) -> int | None:
    """The outermost level as described, all owned instances together; None where no size is told."""
    last = max((one["level"] for one in caches), default=0)
    outermost = (one for one in caches if one["level"] == last)
    return sum(one["size_bytes"] * one["instances"] for one in outermost) or None


def own_bytes(caches: Sequence[Cache], cores: Iterable[frozenset[int]]) -> int | None:
    """The largest cache that a core has for itself, of these cores the smallest; None where one tells of none."""
    mine = [
        max((c.size_bytes for c in caches if c.shared & core and c.shared <= core), default=0)
        for core in cores
    ]
    return min(mine, default=0) or None


def _bytes(text: str | None) -> int | None:
    number = (text or "").rstrip("KMG")
    return int(number) * SCALES.get((text or "")[-1:], 1) if number.isdecimal() else None
