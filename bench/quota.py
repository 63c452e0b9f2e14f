"""The CPU time and memory that control groups grant this process. Linux; elsewhere no limits are known.

A limit may stand at any group from this process's own up to the root of what is visible here; the least counts. Version
2 keeps all in one tree, version 1 has one for `cpu` and one for `memory`. In a container the group's own path is often
not visible, and its root is the container's group.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
NEW_MEMORY = ("memory.max", "memory.current", "inactive_file")
OLD_MEMORY = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files of limit and use, and the line of `memory.stat` for what lies idle, in version 2 and in version 1."""


def cpus() -> float | None:
    """Processors' worth of time, or None where there is no limit."""
    found = []
    for folder in _folders("cpu"):
        try:
            if (folder / "cpu.max").exists():
                limit, period = (folder / "cpu.max").read_text().split()
            else:
                limit = (folder / "cpu.cfs_quota_us").read_text().strip()
                period = (folder / "cpu.cfs_period_us").read_text().strip()
            if limit not in ("max", "-1"):
                found.append(int(limit) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return min(found, default=None)


def times_stopped() -> int:
    """How many periods of these groups ended early because their time was spent; 0 where nothing tells."""
    stopped = 0
    for folder in _folders("cpu"):
        try:
            words = (folder / "cpu.stat").read_text().split()
            stopped += int(dict(zip(words[::2], words[1::2], strict=True))["nr_throttled"])
        except (OSError, ValueError, KeyError):
            continue
    return stopped


def memory_left() -> int | None:
    """Bytes of memory until the nearest limit, or None where there is none. What files left in memory gives way."""
    found = []
    for folder in _folders("memory"):
        new = (folder / "memory.max").exists()
        limit, used, idle = NEW_MEMORY if new else OLD_MEMORY
        try:
            most = (folder / limit).read_text().strip()
            words = (folder / "memory.stat").read_text().split()
            given_way = int(dict(zip(words[::2], words[1::2], strict=True))[idle])
            if most != "max":
                found.append(int(most) - int((folder / used).read_text()) + given_way)
        except (OSError, ValueError, KeyError):
            continue
    return max(0, min(found)) if found else None


def _folders(controller: str) -> Iterator[Path]:
    """This process's groups, and those above them, as far as they can be seen."""
    try:
        lines = (ROOT / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    base = ROOT / "sys" / "fs" / "cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        tree = base / controller if controllers else base
        group = tree / path.lstrip("/")
        while group != tree and tree in group.parents:
            yield group
            group = group.parent
        yield tree
