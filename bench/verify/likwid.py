"""likwid-bench beside our read probe, where it is installed: reads of one size, by somebody else's machine code."""

from __future__ import annotations

import re
import shutil
import subprocess
from math import ceil
from pathlib import Path

from bench.device import threads
from kernels.case import Unavailable

KERNELS = ("load_avx512", "load_avx", "load_sse", "load")
"""Widest first; the first that runs here is taken."""
SECONDS = 0.3
"""About how long a run of it reads."""
TIMEOUT_SECONDS = 60
_RATE = re.compile(r"^MByte/s:\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*$", re.MULTILINE)


def kernel(size: int, count: int) -> str:
    """The widest kernel that runs here. Raises Unavailable with the reason where none does, or it would not compare."""
    if shutil.which("likwid-bench") is None:
        raise Unavailable("no likwid-bench: install likwid to hold the read roof against it")
    if count > 1 and Path("/sys/devices/system/node/node1").exists():
        raise Unavailable(
            "likwid-bench puts all its memory on the first thread's node, and there are several here"
        )
    reasons = []
    for name in KERNELS:
        try:
            bytes_per_s(name, size, 1, 1)
        except Unavailable as reason:
            reasons.append(str(reason))
        else:
            return name
    raise Unavailable(reasons[-1])


def iterations(size: int, rate: float) -> int:
    """So many passes over `size` bytes that they last about SECONDS."""
    return max(1, ceil(SECONDS * rate / size))


def bytes_per_s(name: str, size: int, count: int, times: int) -> float:
    """What it says to read, over `size` bytes `times` times, by `count` pinned threads. Raises Unavailable."""
    command = ["likwid-bench", "-t", name, "-i", str(times), "-w", f"N:{size // 1000}kB:{count}"]
    try:
        # this thread has one core, which a child inherits, and all of the child's threads
        with threads.unbound():
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=TIMEOUT_SECONDS,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(command)}: {error}") from error
    rate = told(done.stdout)
    if done.returncode or rate is None:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"{' '.join(command)}: exit code {done.returncode}: {lines[0][:200]}")
    return rate


def told(output: str) -> float | None:
    """byte/s out of what likwid-bench prints; its MByte are 10^6 bytes. None where it prints none, or nothing."""
    found = _RATE.search(output)
    rate = float(found[1]) * 1e6 if found else 0.0
    return rate or None
