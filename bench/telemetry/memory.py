"""This machine's memory and caches as they are now: what can be had, what is taken, on which pages it lies."""

import os
import re

import psutil

from bench.machine import caches, cgroups, cpuinfo, system, topology
from bench.machine.system import told

HUGE_PAGE = 2 << 20
MAPPING = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) .*?^Rss: *(\d+) kB$.*?^AnonHugePages: *(\d+) kB$",
    re.MULTILINE | re.DOTALL,
)
"""Of /proc/self/smaps: its first address and the one behind its last, and how much of it is there and on huge pages."""


def available() -> int:
    """Bytes that can be allocated now: what is free, or what a control group leaves if that is less."""
    free: int | None = told(lambda: psutil.virtual_memory().available)
    if free is None:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    left = cgroups.memory_left(system.THIS)
    return free if left is None else min(free, left)


def taken() -> int:
    """Bytes of memory that this process occupies."""
    return int(psutil.Process().memory_info().rss)


def last_level_bytes() -> int | None:
    """The last cache level of the processors that this process may use, all its instances; None if not told."""
    mine = topology.usable(system.THIS, cpuinfo.read(system.THIS))
    return caches.last_level_bytes(caches.described(caches.read(system.THIS, mine), mine))


def own_cache_bytes() -> int | None:
    """The largest cache that a core has for itself, of the cores of this process the smallest; None if not told."""
    mine = topology.usable_cores(system.THIS)
    whole = [core | topology.siblings(system.THIS, min(core)) for core in mine]
    return caches.own_bytes(caches.read(system.THIS, sorted(frozenset().union(*mine))), whole)


def page_bytes(address: int) -> int | None:
    """The page size that holds at least nine tenths of the mapping at `address`; None where it cannot be read."""
    for mapping in MAPPING.finditer(system.THIS.text("proc/self/smaps") or ""):
        first, end, resident, huge = mapping.groups()
        if int(first, 16) <= address < int(end, 16):
            on_huge = int(huge) >= 0.9 * int(resident) > 0
            return HUGE_PAGE if on_huge else os.sysconf("SC_PAGE_SIZE")
    return None
