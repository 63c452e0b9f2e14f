"""What the processor is: its name and numbers, its architecture and vector instructions, and its kinds of cores."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.machine import microarch, topology
from bench.machine.caches import Cache
from bench.machine.cpuinfo import Info
from bench.machine.system import System, as_list, integer

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

Sizes = tuple[tuple[int, str, int], ...]
"""Of the caches of a core, by level: level, type, bytes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Cores of one kind: `number` is what the processor calls it by, `name` what people do."""

    number: str
    name: str | None
    cores: int
    threads_per_core: int
    cpus: frozenset[int]
    cache_bytes: Sizes

    def described(self) -> dict[str, Any]:
        """As a profile has it."""
        known = {name: getattr(self, name) for name in ("name", "cores", "threads_per_core")}
        return {**known, "cpus": as_list(self.cpus)}


def architecture(system: System, info: Info) -> str | None:
    """As `uname -m` says it; None where nothing tells."""
    told = system.text("proc/sys/kernel/arch")
    flags, arm, isa = info.words("flags"), info.any("CPU architecture"), info.any("isa") or ""
    if told:
        return told
    if flags or info.is_x86:
        return "i686" if flags and "lm" not in flags else "x86_64"
    if (info.any("vendor_id") or "").startswith("IBM/S390"):
        return "s390x"
    if isa.startswith(("rv64", "rv32")):
        return "riscv" + isa[2:4]
    if arm:
        return "aarch64" if arm in ("8", "AArch64") else f"armv{arm.rstrip('TEJ')}l"
    if (info.any("cpu") or "").startswith("POWER"):
        return "ppc64le" if system.text("sys/kernel/cpu_byteorder") == "little" else "ppc64"
    return None


def model(info: Info, kinds: Sequence[Kind]) -> str | None:
    """Its name: as the system tells it, else made of its cores; None where neither does."""
    if (info.is_arm or info.any("isa")) and kinds and all(kind.name for kind in kinds):
        one = len(kinds) == 1
        return " + ".join(f"{kind.name}" if one else f"{kind.cores} {kind.name}" for kind in kinds)
    told = info.any("model name") or info.any("cpu model") or info.any("Processor")
    return told or (info.any("cpu") or "").partition(",")[0] or None


def numbers(info: Info) -> dict[str, int | None]:
    """Family, model and stepping of an x86 processor, in decimal; None elsewhere."""
    names = {"family": "cpu family", "model_number": "model", "stepping": "stepping"}
    return {name: integer(info.any(told)) if info.is_x86 else None for name, told in names.items()}


def microarchitecture(info: Info, kinds: Sequence[Kind]) -> str | None:
    """Its name, of several kinds of Arm's cores all; None where the suite's table has none."""
    if info.is_x86:
        return microarch.of_x86(info.any("vendor_id"), *numbers(info).values())
    if machine := _ibm_type(info):
        return microarch.listed("ibm_z", machine)
    power = re.match(r"POWER\d+", info.any("cpu") or "")
    named = dict.fromkeys(kind.name for kind in kinds if kind.name)
    return power[0] if power else ", ".join(named) or None


def vector_instructions(info: Info) -> list[str]:
    """Those of VECTORS that it tells of."""
    told = info.words("flags") or info.words("Features")
    return [name for name in VECTORS if name in told]


def kinds(system: System, info: Info, cpus: frozenset[int], every: Sequence[Cache]) -> list[Kind]:
    """Its cores, by what they are called by and by the sizes of these caches; the largest kind of core first.

    Threads that are switched off make no other kind of a core, nor do caches that are told of some cores alone.
    """
    found: dict[tuple[str, Sizes], set[int]] = {}
    for cpu in sorted(cpus):
        number = _number(info, cpu)
        sizes = tuple(sorted(cache[:3] for cache in every if cpu in cache.shared))
        alike = (key for key in found if key[0] == number and (not sizes or not key[1]))
        found.setdefault((number, sizes) if sizes else next(alike, (number, sizes)), set()).add(cpu)
    made = []
    for (number, sizes), mine in found.items():
        cores = topology.cores(system, info, mine)
        most = max(len(core) for core in cores)
        made.append(Kind(number, None, len(cores), most, frozenset(mine), sizes))
    made.sort(key=lambda kind: _size(system, kind), reverse=True)
    names = [_name(info, min(kind.cpus), place, len(made)) for place, kind in enumerate(made)]
    return [
        replace(kind, name=name if names.count(name) == 1 else _with_cache(name, kind))
        for name, kind in zip(names, made, strict=True)
    ]


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


def _with_cache(name: str | None, kind: Kind) -> str | None:
    """What tells it from another kind of the same name: its outermost cache."""
    if name is None or not kind.cache_bytes:
        return name
    level, _, size = kind.cache_bytes[-1]
    return f"{name} with an L{level} of {size >> 10} KiB"


def _size(system: System, kind: Kind) -> tuple[object, ...]:
    """What large cores have more of, as far as it is told: speed, threads, caches of their own; then Arm's part."""
    folder = f"{topology.CPU}/cpu{min(kind.cpus)}"
    return (
        system.number(f"{folder}/cpu_capacity") or 0,
        max((size for level, _, size in kind.cache_bytes if level == 1), default=0),
        kind.threads_per_core,
        system.number(f"{folder}/cpufreq/cpuinfo_max_freq") or 0,
        kind.number,
    )


def _number(info: Info, cpu: int) -> str:
    names = ("CPU implementer", "CPU part", "cpu", "revision", "uarch", "mvendorid", "marchid")
    told = [text for name in names if (text := info.of(cpu, name))]
    return " ".join(told) or str(_ibm_type(info) or "")


def _name(info: Info, cpu: int, place: int, of: int) -> str | None:
    if info.is_x86:
        whole = microarch.of_x86(info.any("vendor_id"), *numbers(info).values())
        large_and_small = microarch.TABLE["hybrid"].get(whole)
        return large_and_small[min(place, 1)] if large_and_small and of > 1 else whole
    if info.is_arm:
        told = (info.of(cpu, f"CPU {name}") for name in ("implementer", "part"))
        return microarch.of_arm(*(integer(number, 16) for number in told))
    maker, _, core = (info.of(cpu, "uarch") or "").partition(",")
    return (
        f"{maker} {core.upper()}".strip() or (info.of(cpu, "cpu") or "").partition(",")[0] or None
    )


def _ibm_type(info: Info) -> int | None:
    """The machine type of an IBM mainframe; beside it stands a serial number, which is left alone."""
    machine = re.search(r"machine = (\d+)", info.any("processor 0") or "")
    return int(machine[1]) if machine else None
