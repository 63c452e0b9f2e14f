"""What the processor is: its name and numbers, its architecture and vector instructions, and its kinds of cores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.machine import microarch, topology
from bench.machine.caches import Cache
from bench.machine.cpuinfo import Info
from bench.machine.system import System, as_list, integer

X86 = ("GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls", "Shanghai")
VECTORS = (
    "sse4_2",
    "avx2",
    "fma",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
    "bf16",
)
"""Of all that a processor may tell, what the suite's steps and probes differ by. Part of a machine's id."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Cores of one kind: `number` is what the processor calls it by, `name` what people do."""

    number: str
    name: str | None
    cores: int
    threads_per_core: int
    cpus: frozenset[int]
    cache_bytes: tuple[tuple[int, str, int], ...]

    def described(self) -> dict[str, Any]:
        """As a profile has it."""
        return {
            "name": self.name,
            "cores": self.cores,
            "threads_per_core": self.threads_per_core,
            "cpus": as_list(self.cpus),
        }


def architecture(system: System, info: Info) -> str | None:
    """As `uname -m` says it; None where nothing tells."""
    told = system.text("proc/sys/kernel/arch")
    flags, arm = (info.any("flags") or "").split(), info.any("CPU architecture")
    if told:
        return told
    if flags or info.any("vendor_id") in X86:
        return "i686" if flags and "lm" not in flags else "x86_64"
    if (info.any("vendor_id") or "").startswith("IBM/S390"):
        return "s390x"
    if (info.any("isa") or "").startswith(("rv64", "rv32")):
        return "riscv" + str(info.any("isa"))[2:4]
    if arm:
        return "aarch64" if arm in ("8", "AArch64") else f"armv{arm.rstrip('TEJ')}l"
    if (info.any("cpu") or "").startswith("POWER"):
        return "ppc64le" if system.text("sys/kernel/cpu_byteorder") == "little" else "ppc64"
    return None


def model(info: Info, kinds: Sequence[Kind]) -> str | None:
    """Its name: as the system tells it, else made of its cores; None where neither does."""
    if _is_arm(info) or info.any("isa"):
        named = [kind for kind in kinds if kind.name]
        if len(named) == len(kinds) > 0:
            one = len(kinds) == 1
            return " + ".join(str(k.name) if one else f"{k.cores} {k.name}" for k in kinds)
    told = info.any("model name") or info.any("cpu model") or info.any("Processor")
    return told or (info.any("cpu") or "").partition(",")[0] or None


def numbers(info: Info) -> dict[str, int | None]:
    """Family, model and stepping of an x86 processor, in decimal; None elsewhere."""
    names = {"family": "cpu family", "model_number": "model", "stepping": "stepping"}
    is_x86 = info.any("vendor_id") in X86
    return {name: info.number(told) if is_x86 else None for name, told in names.items()}


def microarchitecture(info: Info, kinds: Sequence[Kind]) -> str | None:
    """Its name, of several kinds of Arm's cores all; None where the suite's table has none."""
    if info.any("vendor_id") in X86:
        return _of_x86(info)
    if _ibm_type(info):
        return microarch.of_ibm_z(_ibm_type(info))
    power = re.match(r"POWER\d+", info.any("cpu") or "")
    named = [kind.name for kind in kinds if kind.name]
    return power[0] if power else ", ".join(dict.fromkeys(named)) or None


def vector_instructions(info: Info) -> list[str]:
    """Those of VECTORS that it tells of."""
    told = next((text for name in ("flags", "Features") if (text := info.any(name))), "").split()
    return [name for name in VECTORS if name in told]


def kinds(system: System, info: Info, cpus: frozenset[int], every: Sequence[Cache]) -> list[Kind]:
    """Its cores, by what they are called by and by the sizes of these caches; the largest kind of core first.

    Threads that are switched off make no other kind of a core, nor do caches that are told of some cores alone.
    """
    found: dict[tuple[str, tuple[tuple[int, str, int], ...]], set[int]] = {}
    for cpu in sorted(cpus):
        number = _number(info, cpu)
        sizes = tuple(sorted(cache[:3] for cache in every if cpu in cache.shared))
        alike = (key for key in found if key[0] == number and (not sizes or not key[1]))
        found.setdefault((number, sizes) if sizes else next(alike, (number, sizes)), set()).add(cpu)
    groups = sorted(found.items(), key=lambda one: _size(system, info, *one), reverse=True)
    made = []
    for place, ((number, sizes), mine) in enumerate(groups):
        cores = topology.cores(system, info, mine)
        name = _name(info, min(mine), place, len(groups))
        most = max(len(core) for core in cores)
        made.append(Kind(number, name, len(cores), most, frozenset(mine), sizes))
    names = [kind.name for kind in made]
    return [kind if names.count(kind.name) == 1 else _told_apart(kind) for kind in made]


def governors(system: System, cpus: Iterable[int]) -> list[str]:
    """The clock governors of these processors; empty where the system has none to show.

    A policy is named by the first of its processors, and found through each of them where the system has its links.
    """
    named = system.found(f"{topology.CPU}/cpufreq/policy[0-9]*")
    policies = [(first, p) for p in named if (first := integer(p.name[6:])) is not None]
    found = set()
    for cpu in cpus:
        own = (first for first in policies if first[0] <= cpu)
        policy = max(own, default=(0, topology.CPU))
        told = system.text(f"{topology.CPU}/cpu{cpu}/cpufreq/scaling_governor")
        found.add(told or system.text(f"{policy[1]}/scaling_governor"))
    return sorted(one for one in found if one)


def _told_apart(kind: Kind) -> Kind:
    """Named with its outermost cache beside another of the same name."""
    if kind.name is None or not kind.cache_bytes:
        return kind
    level, _, size = kind.cache_bytes[-1]
    return replace(kind, name=f"{kind.name} with an L{level} of {size >> 10} KiB")


def _size(
    system: System, info: Info, key: tuple[str, tuple[tuple[int, str, int], ...]], cpus: set[int]
) -> tuple[object, ...]:
    """What large cores have more of, as far as it is told: speed, threads, caches of their own; then Arm's part."""
    folder = f"{topology.CPU}/cpu{min(cpus)}"
    threads = max(len(core) for core in topology.cores(system, info, cpus))
    first = [size for level, _, size in key[1] if level == 1]
    return (
        system.number(f"{folder}/cpu_capacity") or 0,
        max(first, default=0),
        threads,
        system.number(f"{folder}/cpufreq/cpuinfo_max_freq") or 0,
        key[0],
    )


def _number(info: Info, cpu: int) -> str:
    names = ("CPU implementer", "CPU part", "cpu", "revision", "uarch", "mvendorid", "marchid")
    told = [text for name in names if (text := info.of(cpu, name))]
    return " ".join(told) or str(_ibm_type(info) or "")


def _name(info: Info, cpu: int, place: int, of: int) -> str | None:
    if info.any("vendor_id") in X86:
        whole = _of_x86(info)
        large_and_small = microarch.HYBRID.get(whole or "")
        return large_and_small[min(place, 1)] if large_and_small and of > 1 else whole
    if _is_arm(info):
        implementer = integer(info.of(cpu, "CPU implementer"), 16)
        part = integer(info.of(cpu, "CPU part"), 16)
        return microarch.of_arm(implementer, part) or _told(implementer, part)
    uarch = info.of(cpu, "uarch")
    if uarch:
        maker, _, core = uarch.partition(",")
        return f"{maker} {core.upper()}" if core else maker
    return (info.of(cpu, "cpu") or "").partition(",")[0] or None


def _told(implementer: int | None, part: int | None) -> str | None:
    known = implementer is not None and part is not None
    return f"Arm core {implementer:#04x}:{part:#05x}" if known else None


def _ibm_type(info: Info) -> int | None:
    """The machine type of an IBM mainframe; beside it stands a serial number, which is left alone."""
    machine = re.search(r"machine = (\d+)", info.any("processor 0") or "")
    return int(machine[1]) if machine else None


def _of_x86(info: Info) -> str | None:
    family, number, stepping = numbers(info).values()
    if family is None or number is None:
        return None
    return microarch.of_x86(info.any("vendor_id") or "", family, number, stepping)


def _is_arm(info: Info) -> bool:
    return bool(info.any("CPU implementer") or info.any("CPU part"))
