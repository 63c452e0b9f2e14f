"""What this machine is, and the state it is in while measuring. Nothing here identifies a person, a host or a path."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import warnings
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench import nvml, quota, threads
from kernels.contract import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

HUGE_PAGE = 2 << 20
PACKAGES = ("torch", "numpy", "numba", "llvmlite", "pytest-benchmark", "psutil")
GPU_PACKAGES = ("triton", "nvidia-ml-py")
"""Beside them where a GPU is measured."""
VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "KMP_AFFINITY",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER_PRIORITY",
    "ONEDNN_MAX_CPU_ISA",
)


def describe() -> dict[str, Any]:
    """The machine as a profile states it. What cannot be read is None."""
    lscpu = _lscpu()
    cpu = {
        "model": lscpu.get("Model name") or platform.processor() or None,
        "architecture": platform.machine(),
        "sockets": _number(lscpu.get("Socket(s)")),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(logical=True),
        "isa": _vector_instructions(lscpu.get("Flags", "")),
        "caches": _caches(),
    }
    machine: dict[str, Any] = {
        "label": f"{cpu['model'] or cpu['architecture']}, {threads.available()} cores",
        "os": platform.system(),
        "kernel": platform.release().split("-")[0],
        "virtualization": lscpu.get("Hypervisor vendor") or ("unknown" if not lscpu else None),
        "memory_bytes": psutil.virtual_memory().total,
        "numa_nodes": len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or None,
        "page_bytes": os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None,
        "cpu": cpu,
        "gpus": gpus(),
    }
    kinds = [{key: gpu[key] for key in KIND_OF_GPU} for gpu in machine["gpus"]]
    same = json.dumps([machine["os"], cpu, machine["memory_bytes"] >> 30, kinds], sort_keys=True)
    return {"id": hashlib.sha256(same.encode()).hexdigest()[:16], **machine}


KIND_OF_GPU = ("name", "sm_count", "l2_bytes", "memory_bytes")
"""What a GPU has in common with all of its kind, whatever its driver and limits."""


def gpus() -> list[dict[str, Any]]:
    """CUDA devices as torch sees them, with what NVML knows of them; empty where there are none."""
    import torch

    if not torch.cuda.is_available():
        return []
    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": properties.name,
                "sm_count": properties.multi_processor_count,
                "l2_bytes": getattr(properties, "L2_cache_size", None),
                "memory_bytes": properties.total_memory,
                **_by_nvml(str(getattr(properties, "uuid", ""))),
            }
        )
    return found


BY_NVML = (
    "driver",
    "memory_bus_bits",
    "memory_clock_hz",
    "datasheet_bytes_per_s",
    "ecc",
    "power_limit_w",
    "mig",
)


def _by_nvml(uuid: str) -> dict[str, Any]:
    """What NVML knows of the GPU of that UUID; None each where it cannot be asked."""
    try:
        card = nvml.Gpu(uuid).card()
    except Unavailable:
        return dict.fromkeys(BY_NVML)
    return {name: getattr(card, name) for name in BY_NVML}


def no_cuda_reason() -> str | None:
    """Why `--device cuda` cannot be measured here, or None."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"this PyTorch ({torch.__version__}) is built without CUDA"
    with warnings.catch_warnings(record=True) as told:  # of a driver that is too old
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return None
    why = "; ".join(str(one.message).strip().split("\n", 1)[0] for one in told)
    return f"PyTorch finds no CUDA device: {why or 'no GPU, or no driver for it'}"


def gpu_by_nvml() -> nvml.Gpu | None:
    """The GPU that CUDA names first, as NVML knows it; None where it cannot be asked."""
    import torch

    try:
        return nvml.Gpu(str(getattr(torch.cuda.get_device_properties(0), "uuid", "")))
    except Unavailable:
        return None


def environment(
    used_threads: int, layer: str | None, packages: Sequence[str] = PACKAGES
) -> dict[str, Any]:
    """Versions, threads and the variables that steer them."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "threads": used_threads,
        "cores": threads.cores()[:used_threads],
        "thread_layer": layer,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def project() -> dict[str, Any]:
    """Version and commit of this suite; None where there is no git checkout."""
    root = Path(__file__).parents[1]
    commit = _output(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"])
    changed = _output(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return {
        "version": VERSION,
        "commit": commit or None,
        "dirty": None if changed is None else bool(changed),
    }


VERSION = "0.1.0"


def memory_available() -> int:
    """Bytes that can be allocated now: what is free, or what a control group leaves if that is less."""
    free = int(psutil.virtual_memory().available)
    left = quota.memory_left()
    return free if left is None else min(free, left)


def memory_taken() -> int:
    """Bytes of memory that this process occupies."""
    return int(psutil.Process().memory_info().rss)


def last_level_bytes() -> int | None:
    """Size of the last cache level that the system reports, all its instances together; None where it reports none."""
    found = _caches()
    last = max((c["level"] for c in found), default=0)
    return sum(c["size_bytes"] * c["instances"] for c in found if c["level"] == last) or None


def page_bytes(address: int) -> int | None:
    """The page size that holds at least nine tenths of the mapping at `address`; None where it cannot be read."""
    try:
        lines = Path("/proc/self/smaps").read_text().splitlines()
    except OSError:
        return None
    inside, resident = False, 0
    for line in lines:
        word = line.split(None, 1)[0]
        if not word.endswith(":"):
            low, high = (int(part, 16) for part in word.split("-"))
            inside = low <= address < high
        elif inside and word == "Rss:":
            resident = int(line.split()[1])
        elif inside and word == "AnonHugePages:":
            return (
                HUGE_PAGE
                if int(line.split()[1]) >= 0.9 * resident > 0
                else os.sysconf("SC_PAGE_SIZE")
            )
    return None


GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def governor() -> str | None:
    """The clock governor of the first core, or None where the system has none to show."""
    try:
        return GOVERNOR.read_text().strip()
    except OSError:
        return None


def on_battery() -> bool:
    """Whether this machine has a battery and draws on it."""
    battery = _told("sensors_battery")
    return battery is not None and battery.power_plugged is False


def hottest() -> tuple[float, float] | None:
    """The temperature of the sensor nearest to its limit, and that limit, in degrees Celsius; None where none tells."""
    sensors = _told("sensors_temperatures") or {}
    found = [(one.current, one.high) for each in sensors.values() for one in each if one.high]
    return max(found, key=lambda one: one[0] - one[1], default=None)


def _told(name: str) -> Any:
    """What psutil's function of that name tells; None where it is not there, or fails: containers often hide /sys."""
    with suppress(Exception):  # no /sys/class/power_supply, and whatever else a system lets happen
        return getattr(psutil, name)()
    return None


def swapped_bytes() -> int:
    """Bytes swapped in and out since the system started."""
    swap = psutil.swap_memory()
    return int(swap.sin + swap.sout)


class Load:
    """How many cores other processes and the hypervisor took since it was made or last asked."""

    def __init__(self) -> None:
        """Start counting."""
        self._before = self._now()

    def cores_taken_by_others(self) -> float | None:
        """Cores' worth of time, stolen time included; None where the system does not tell or too little has passed."""
        before, self._before = self._before, self._now()
        wall, busy, own = (b - a for a, b in zip(before, self._before, strict=True))
        return max(0.0, (busy - own) / wall) if wall > 0.2 else None

    @staticmethod
    def _now() -> tuple[float, float, float]:
        from time import monotonic

        total, own = psutil.cpu_times(), psutil.Process().cpu_times()
        busy = sum(
            getattr(total, kind, 0.0)
            for kind in ("user", "nice", "system", "irq", "softirq", "steal")
        )
        return monotonic(), busy, own.user + own.system


def _caches() -> list[dict[str, Any]]:
    """Data caches from sysfs: per-instance size and how many instances this machine shows. Empty where unknown."""
    found: dict[tuple[int, str, int], set[str]] = {}
    for index in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            kind = (index / "type").read_text().strip()
            level = int((index / "level").read_text())
            size = _bytes((index / "size").read_text().strip())
            shared = (index / "shared_cpu_list").read_text().strip()
        except (OSError, ValueError):
            continue
        if kind != "Instruction":
            found.setdefault((level, kind, size), set()).add(shared)
    return [
        {"level": level, "type": kind, "size_bytes": size, "instances": len(instances)}
        for (level, kind, size), instances in sorted(found.items())
    ]


def _bytes(text: str) -> int:
    scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * scale


def _lscpu() -> dict[str, str]:
    text = _output(["lscpu", "--json"]) if sys.platform == "linux" else None
    flat: dict[str, str] = {}

    def collect(entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            flat[entry["field"].rstrip(":").strip()] = entry.get("data") or ""
            collect(entry.get("children", []))

    if text:
        collect(json.loads(text)["lscpu"])
    return flat


def _vector_instructions(flags: str) -> list[str]:
    known = (
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
    return [flag for flag in known if flag in flags.split()]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
