"""The CPU time that control groups grant this process, and how often they stopped it. Linux; elsewhere none are known.

A limit may stand at any group from this process's own up to the root of what is visible here; the least counts. Version
2 keeps all in one tree, version 1 has one for `cpu`. In a container the group's own path is often not visible, and its
root is the container's group.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")


def cpus() -> float | None:
    """Processors' worth of time, or None where there is no limit."""
    found = []
    for folder in _folders():
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
    for folder in _folders():
        try:
            words = (folder / "cpu.stat").read_text().split()
            stopped += int(dict(zip(words[::2], words[1::2], strict=True))["nr_throttled"])
        except (OSError, ValueError, KeyError):
            continue
    return stopped


def _folders() -> Iterator[Path]:
    """This process's groups, and those above them, as far as they can be seen."""
    try:
        lines = (ROOT / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    base = ROOT / "sys" / "fs" / "cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        tree = base / "cpu" if controllers else base
        group = tree / path.lstrip("/")
        while group != tree and tree in group.parents:
            yield group
            group = group.parent
        yield tree
