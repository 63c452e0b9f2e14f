"""The CPU time and memory that control groups grant this process. Linux; elsewhere no limits are known.

A limit may stand at any group from this process's own up to the root of what is visible here; the least counts. Version
2 keeps all in one tree, version 1 has one for `cpu` and one for `memory`, or one for several together. In a container
the group's own path is often not visible, and its root is the container's group.
"""

from collections.abc import Iterator
from pathlib import Path

from bench.machine.system import System, integer

NEW_MEMORY = ("memory.max", "memory.current", r"^inactive_file (\d+)$")
OLD_MEMORY = ("memory.limit_in_bytes", "memory.usage_in_bytes", r"^total_inactive_file (\d+)$")
"""Files of limit and use, and the line of `memory.stat` for what lies idle, in version 2 and in version 1."""
PERIOD = 100_000
"""Microseconds of a period where none is told: the kernel's own."""
TREES = "sys/fs/cgroup"


def cpus(system: System) -> float | None:
    """Processors' worth of time, or None where there is no limit."""
    found = []
    for folder in _folders(system, "cpu"):
        new = (system.text(folder / "cpu.max") or "").split()
        old = [system.text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        limit, period = (integer(told) for told in [*(new or old), None][:2])
        if limit is not None and limit > 0 and period != 0:
            found.append(limit / (period or PERIOD))
    return min((one for one in found if one > 0), default=None)


def times_stopped(system: System) -> int:
    """How many periods of these groups ended early because their time was spent; 0 where nothing tells."""
    counts = (
        system.number(folder / "cpu.stat", r"^nr_throttled (\d+)$")
        for folder in _folders(system, "cpu")
    )
    return sum(count or 0 for count in counts)


def memory_left(system: System) -> int | None:
    """Bytes of memory until the nearest limit, or None where there is none. What files left in memory gives way."""
    found = []
    for folder in _folders(system, "memory"):
        new = system.text(folder / "memory.max") is not None
        limit, used, idle = NEW_MEMORY if new else OLD_MEMORY
        most, taken = system.number(folder / limit), system.number(folder / used)
        gives_way = system.number(folder / "memory.stat", idle)  # where nothing tells, none
        if most is not None and taken is not None:
            found.append(most - taken + (gives_way or 0))
    return max(0, min(found)) if found else None


def _folders(system: System, controller: str) -> Iterator[Path]:
    """This process's groups, and those above them, as far as they can be seen."""
    lines = (system.text("proc/self/cgroup") or "0::/").splitlines()
    for line in lines:
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for tree in _trees(system, controller if controllers else None):
            group = tree / path.lstrip("/")
            yield from (one for one in (group, *group.parents) if one.is_relative_to(tree))


def _trees(system: System, controller: str | None) -> list[Path]:
    """Where a controller of version 1 is mounted, alone or with others, or version 2, beside others or alone.

    A link of a controller's own name leads to the tree that it shares; where there is such a link, it is enough.
    """
    base = Path(TREES)
    if controller is None:
        unified = base / "unified"
        return [unified if (system.root / unified).is_dir() else base]
    shared = [path for path in system.found(f"{TREES}/*") if controller in path.name.split(",")]
    return [path for path in shared if path.name == controller] or shared
