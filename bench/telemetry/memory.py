"""This machine's memory and caches as they are now: what can be had, what is taken, on which pages it lies."""

import os
from contextlib import suppress

import psutil

from bench.machine import caches, cgroups, cpuinfo, system, topology

HUGE_PAGE = 2 << 20


def available() -> int:
    """Bytes that can be allocated now: what is free, or what a control group leaves if that is less."""
    free, left = _free(), cgroups.memory_left(system.THIS)
    return free if left is None else min(free, left)


def _free() -> int:
    with suppress(Exception):  # psutil raises what it likes where there is no /proc
        return int(psutil.virtual_memory().available)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def taken() -> int:
    """Bytes of memory that this process occupies."""
    return int(psutil.Process().memory_info().rss)


def last_level_bytes() -> int | None:
    """The last cache level of the processors that this process may use, all its instances; None if not told."""
    mine = topology.usable(system.THIS, cpuinfo.read(system.THIS))
    return caches.last_level_bytes(caches.described(caches.read(system.THIS, mine), mine))


def page_bytes(address: int) -> int | None:
    """The page size that holds at least nine tenths of the mapping at `address`; None where it cannot be read."""
    inside, resident = False, 0
    for line in (system.THIS.text("proc/self/smaps") or "").splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if not words[0].endswith(":"):
            first, last = (system.integer(word, 16) for word in (words[0] + "-").split("-")[:2])
            inside = first is not None and last is not None and first <= address < last
        elif inside and words[0] == "Rss:":
            resident = system.integer(words[1]) or 0
        elif inside and words[0] == "AnonHugePages:":
            huge = system.integer(words[1]) or 0
            return HUGE_PAGE if huge >= 0.9 * resident > 0 else os.sysconf("SC_PAGE_SIZE")
    return None
