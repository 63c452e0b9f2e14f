"""Which logical processors there are, which share a core, a socket or memory, and which a process may use."""

from collections.abc import Iterable

from bench.machine import cpuinfo
from bench.machine.cpuinfo import Info
from bench.machine.system import System, cpu_list

CPU = "sys/devices/system/cpu"


def online(system: System, info: Info) -> frozenset[int]:
    """The processors that run; empty where neither /sys nor /proc tells."""
    found = system.cpus(f"{CPU}/online")
    if not found:
        folders = system.found(f"{CPU}/cpu[0-9]*")
        found = frozenset(int(path.name[3:]) for path in folders if path.name[3:].isdigit())
    return found or frozenset(info.of_cpu)


def usable(system: System, info: Info) -> frozenset[int]:
    """Those that run of the processors that the process may use. All, where nothing tells of fewer."""
    there, allowed = online(system, info), frozenset(system.allowed or ())
    if system.allowed is None:
        allowed = cpu_list(system.text("proc/self/status", r"^Cpus_allowed_list:(.*)") or "")
    return there & allowed or there or allowed


def siblings(system: System, cpu: int) -> frozenset[int]:
    """The logical processors of this one's core as /sys tells, itself among them; empty where it does not."""
    folder = f"{CPU}/cpu{cpu}/topology"
    names = ("thread_siblings_list", "core_cpus_list", "thread_siblings", "core_cpus")
    told = system.cpus(*(f"{folder}/{name}" for name in names))
    return told | {cpu} if told else told


def cores(system: System, info: Info, cpus: Iterable[int]) -> list[frozenset[int]]:
    """The physical cores of these processors, by their first one; each with its processors among these.

    Where /sys does not tell, sockets and cores as /proc/cpuinfo numbers them.
    """
    among = frozenset(cpus)
    found: dict[object, set[int]] = {}
    for cpu in sorted(among):
        numbered = info.of(cpu, "physical id"), info.of(cpu, "core id")
        of = siblings(system, cpu) or (cpu if None in numbered else numbered)
        found.setdefault(of, set()).add(cpu)
    return [frozenset(each) for each in found.values()]


def places(system: System) -> list[int]:
    """One logical processor per physical core that this process may use, then their siblings; empty where unknown."""
    mine = usable_cores(system)
    firsts = [min(core) for core in mine]
    return firsts + sorted(cpu for core in mine for cpu in core if cpu not in firsts)


def usable_cores(system: System) -> list[frozenset[int]]:
    """Physical cores that this process may use; empty where unknown."""
    info = cpuinfo.read(system)
    return cores(system, info, usable(system, info))


def sockets(system: System, info: Info, cpus: Iterable[int]) -> int | None:
    """How many packages; None where unknown. Arm kernels without ACPI number clusters of cores so, not packages."""
    if info.is_arm and system.text("sys/firmware/acpi/tables/PPTT") is None:
        return None
    told = {system.number(f"{CPU}/cpu{cpu}/topology/physical_package_id") for cpu in cpus}
    return len(told - {None, -1} or {info.of(cpu, "physical id") for cpu in cpus} - {None}) or None


def numa(system: System) -> tuple[int | None, int | None]:
    """Memory nodes with processors, and those with none (a GPU's memory, or memory behind a bus); None if not told."""
    nodes = "sys/devices/system/node/node[0-9]*"
    told = {
        path.parent for name in ("cpulist", "cpumap") for path in system.found(f"{nodes}/{name}")
    }
    with_cpus = sum(bool(system.cpus(node / "cpulist", node / "cpumap")) for node in told)
    return (with_cpus, len(told) - with_cpus) if with_cpus else (None, None)
