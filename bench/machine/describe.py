"""What a machine is, as a profile states it: a pure function of the files under a root folder.

This machine's own description adds what its files leave untold and Python, psutil or lscpu know, and its GPUs. Nothing
here identifies a person, a host or a path.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from bench.machine import caches, cgroups, cpuinfo, processor, system, topology, virtual
from bench.machine.gpus import KIND_OF_GPU, gpus
from bench.machine.system import System, output, told


def machine(root: Path | None = None, cpus: Iterable[int] | None = None) -> dict[str, Any]:
    """The machine under a root folder, of which a process may use these processors. What is not told is None.

    Without a root this machine, and without processors those that the process may use.
    """
    of = system.THIS if root is None else System(root)
    if cpus is not None:
        of = replace(of, allowed=tuple(cpus))
    machine = _read(of)
    if root is None:
        _complete(machine)
    cpu = machine["cpu"]
    machine["label"] = _label(cpu, machine.pop("usable_cores"))
    return {"id": _id(machine, cpu.pop("identity")), **machine}


def _read(of: System) -> dict[str, Any]:
    """All that its files tell, and of it what label and id are made of."""
    info = cpuinfo.read(of)
    there = topology.online(of, info)
    usable = topology.usable(of, info)
    found = caches.read(of, there)
    kinds = processor.kinds(of, info, there, found)
    mine = caches.described(found, usable)
    with_cpus, memory_only = topology.numa(of)
    granted = cgroups.cpus(of)
    sockets = topology.sockets(of, info, there)
    numbers = processor.numbers(info)
    isa = processor.vector_instructions(info)
    cores = len(topology.cores(of, info, there)) or None
    kibibytes = of.number("proc/meminfo", r"^MemTotal: *(\d+)\b")
    usable_cores = len(topology.cores(of, info, usable))
    return {
        "label": None,
        "os": "Linux" if (of.root / "proc").is_dir() else None,
        "kernel": (of.text("proc/sys/kernel/osrelease") or "").split("-")[0] or None,
        "virtualization": virtual.hypervisor(of, info),
        "memory_bytes": None if kibibytes is None else kibibytes << 10,
        "numa_nodes": with_cpus,
        "numa_memory_only": memory_only,
        "page_bytes": None,
        "quota": granted,
        "cpus": system.as_list(usable) or None,
        "governors": processor.governors(of, usable),
        "usable_cores": min(usable_cores, max(1, int(granted))) if granted else usable_cores,
        "cpu": {
            "model": processor.model(info, kinds),
            "architecture": processor.architecture(of, info),
            **numbers,
            "microarch": processor.microarchitecture(info, kinds),
            "sockets": sockets,
            "cores": cores,
            "threads": len(there) or None,
            "kinds": [kind.described() for kind in kinds],
            "isa": isa,
            "caches": mine,
            "last_level_bytes": caches.last_level_bytes(mine),
            "identity": [
                [info.any("model name"), *numbers.values()],
                [[kind.number, kind.cores, kind.threads_per_core] for kind in kinds],
                [sockets, cores, len(there), isa],
                [list(each.values()) for each in caches.described(found, there)],
            ],
        },
        "gpus": [],
    }


def _complete(machine: dict[str, Any]) -> None:
    """Add what this machine's files do not tell, and its GPUs."""
    cpu = machine["cpu"]
    machine["os"] = machine["os"] or platform.system()
    machine["kernel"] = machine["kernel"] or platform.release().split("-")[0]
    machine["memory_bytes"] = machine["memory_bytes"] or told(lambda: psutil.virtual_memory().total)
    machine["page_bytes"] = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None
    machine["gpus"] = told(gpus) or []
    cpu["architecture"] = cpu["architecture"] or platform.machine() or None
    cpu["cores"] = cpu["cores"] or told(lambda: psutil.cpu_count(logical=False))
    cpu["threads"] = cpu["threads"] or told(lambda: psutil.cpu_count(logical=True))
    machine["usable_cores"] = machine["usable_cores"] or cpu["cores"]
    if cpu["model"] is None or machine["virtualization"] in (virtual.UNKNOWN, virtual.UNNAMED):
        more = cpuinfo.parsed(output(["lscpu"])).general
        cpu["model"] = cpu["model"] or more.get("Model name")
        machine["virtualization"] = more.get("Hypervisor vendor", machine["virtualization"])


def _label(cpu: dict[str, Any], cores: int | None) -> str:
    """Processor, microarchitecture where the name does not hold it, and cores that may be used."""
    name = cpu["model"] or cpu["architecture"] or "unknown processor"
    named = cpu["microarch"]
    of = f" ({named})" if named and named not in name and " + " not in name else ""
    return f"{name}{of}" + (f", {cores} core{'s' * (cores != 1)}" if cores else "")


def _id(machine: dict[str, Any], identity: list[Any]) -> str:
    """A hash of what machines of one kind have in common: no name from a table of ours, nothing of this process."""
    kinds = [{key: gpu[key] for key in KIND_OF_GPU} for gpu in machine["gpus"]]
    memory = machine["memory_bytes"]
    gibibytes = None if memory is None else memory >> 30
    same = [machine["os"], machine["cpu"]["architecture"], identity, gibibytes, kinds]
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]
