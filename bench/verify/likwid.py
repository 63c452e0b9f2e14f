"""likwid-bench beside our read probe, where it is installed: reads of one size, by somebody else's machine code."""

import platform
import re
import shutil
from collections.abc import Callable
from math import ceil
from pathlib import Path

from bench.device import cpu_sweep, threads
from bench.measure.context import Context
from bench.profile import stats
from bench.roofs import read
from bench.timing import rounds
from bench.verify import programs
from bench.verify.checks import Check, banded
from kernels.case import Unavailable

KERNELS = {
    "x86_64": ("load_avx512", "load_avx", "load_sse", "load"),
    "aarch64": ("load_neon", "load"),
}
"""By architecture, the widest first; the first that runs here is taken. None of AArch64's for SVE: each takes its own
width for the machine's, and on a narrower one would tell of more bytes than it reads. Not run on AArch64 yet."""
LEAST_OF_LIKWID = 0.90
"""Our read probe over likwid-bench, beyond the caches. C's probe bounds it from above, and goes more ways."""
PAIRS, QUICK_PAIRS = 10, 5
"""Of ours and likwid-bench, in turns."""
TURNS = 3
"""How often each variant of ours has its turn when the best of them is sought."""
SECONDS = 0.3
"""About how long a run of it reads."""
TIMEOUT_SECONDS = 60
_RATE = re.compile(r"^MByte/s:\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*$", re.MULTILINE)


def compared(
    context: Callable[[], Context], place: str, size: int, count: int, thorough: bool
) -> Check:
    """Our bandwidth over likwid-bench's at this size, pair by pair, by so many threads, or why there is none.

    Like for like: on pages such as a library's memory has, and with one stream. More streams read up to twice as fast
    there, for prefetchers end with a page.
    """
    what = f"read, {place} ({size / 2**20:.3g} MiB), {threads.named(count)}, one stream over likwid-bench"
    ours, theirs = [], []
    try:
        name = kernel(size, count)
        threads.use(count)
        address = context().memory(size, packed=True).address
        ranked = cpu_sweep.ranked(read, address, size, count, TURNS)
        best = next(variant for variant in ranked if variant.streams == 1)
        contender = rounds.Contender(read.prepare(best, address, size, count))
        moved = read.bytes_per_pass(best, size, count)
        rate = moved / rounds.glance(contender.run, cpu_sweep.GLANCE_SECONDS)
        for _pair in range(PAIRS if thorough else QUICK_PAIRS):
            theirs.append(bytes_per_s(name, size, count, ceil(SECONDS * rate / size)))
            (each,) = rounds.best(contender, 1, SECONDS, 0.0)
            ours.append(moved / each)
    except Unavailable as reason:
        return Check("probes", what, str(reason))
    ratio = stats.estimate([a / b for a, b in zip(ours, theirs, strict=True)])
    more = f" of {name}, {stats.median(ours) / 1e9:.1f} GB/s"
    return banded("probes", what, ratio, LEAST_OF_LIKWID, more=more)


def kernel(size: int, count: int) -> str:
    """The widest kernel that runs here. Raises Unavailable with the reason where none does, or it would not compare."""
    if shutil.which("likwid-bench") is None:
        raise Unavailable("no likwid-bench: install likwid to hold the read roof against it")
    if count > 1 and Path("/sys/devices/system/node/node1").exists():
        raise Unavailable(
            "likwid-bench puts all its memory on the first thread's node, and there are several here"
        )
    why = f"no kernel of likwid-bench is known for {platform.machine()}"
    for name in KERNELS.get(platform.machine(), ()):
        try:
            bytes_per_s(name, size, 1, 1)
        except Unavailable as reason:
            why = str(reason)
        else:
            return name
    raise Unavailable(why)


def bytes_per_s(name: str, size: int, count: int, times: int) -> float:
    """What it says to read, over `size` bytes `times` times, by `count` pinned threads. Raises Unavailable."""
    command = ["likwid-bench", "-t", name, "-i", str(times), "-w", f"N:{size // 1000}kB:{count}"]
    # this thread has one core, which a child inherits, and all of the child's threads
    with threads.unbound():
        done = programs.run(command, TIMEOUT_SECONDS)
    rate = printed_rate(done.stdout)
    if done.returncode or rate is None:
        said = programs.line(done.stderr + done.stdout)
        raise Unavailable(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return rate


def printed_rate(output: str) -> float | None:
    """byte/s out of what likwid-bench prints; its MByte are 10^6 bytes. None where it prints none, or nothing."""
    found = _RATE.search(output)
    rate = float(found[1]) * 1e6 if found else 0.0
    return rate or None
