"""The bandwidth roofs against independent probes in C, in alternation over the same memory, where a C compiler is."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.device import cpu_sweep, threads
from bench.measure.context import Context
from bench.profile import stats
from bench.roofs import copy, read, triad, write
from bench.timing import rounds
from bench.verify.checks import Check, told, within
from kernels.case import Unavailable

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-ffast-math", "-shared", "-fPIC")
PROBES: tuple[Any, ...] = (read, write, copy, triad)
TURNS = 3
"""How often each variant and each of C's ways has its turn when the best of them is sought."""
PRECISION, BUDGET_SECONDS = 0.005, 3.0
QUICK_PRECISION, QUICK_BUDGET_SECONDS = 0.01, 0.7
LEAST_IN_MEMORY = 0.95
LEAST_IN_CACHE = 0.97
LEAST_STORING = 0.90
"""Of write, copy and triad, whose bytes are a small part of a step's or none: seen 0.92 of C's copy in memory."""
MOST_READING = 1.25
"""A read probe that is so much faster than C counts bytes that nobody reads."""


def build(folder: Path) -> ctypes.CDLL:
    """Compile the C probes into `folder`. Raises Unavailable without a compiler or where it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unavailable("no C compiler: install gcc or clang to check the roofs against C")
    library = folder / "c_probe.so"
    try:
        built = subprocess.run(
            [compiler, *FLAGS, "-o", str(library), str(SOURCE)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=60,
        )
        if built.returncode:
            said = built.stderr.strip().splitlines() or ["it said nothing"]
            raise Unavailable(f"the C probes do not compile: {said[0][:200]}")
        return ctypes.CDLL(str(library))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the C probes cannot be built and loaded: {error}") from error


def function(library: ctypes.CDLL, kind: str) -> Callable[..., int]:
    """`kind`'s probe: (address, bytes, threads, passes, way, sums) to the bytes of a pass."""
    found = getattr(library, f"probe_{kind}")
    found.restype = ctypes.c_size_t
    found.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_void_p,
    )
    return found  # type: ignore[no-any-return] # ctypes knows a function only when it is called


def comparisons(
    context: Context, library: ctypes.CDLL, address: int, sizes: dict[str, int]
) -> list[Callable[[bool], Check | None]]:
    """The best of ours and the best of C's, in turns, at a size inside each level, at 1 and all threads.

    Each is called with whether it shall be thorough, and is None for too small a block. `address` is of
    memory that may be overwritten, as large as the largest of `sizes`. Reads walk the context's arena.
    """
    settle = _settle_seconds(library, context.arena.address)
    counts = sorted({1, threads.available()})
    return [
        partial(
            _compared,
            library,
            probe,
            context.arena.address if probe is read else address,
            (place, size, place == list(sizes)[-1]),
            count,
            settle,
        )
        for probe, count, (place, size) in itertools.product(PROBES, counts, sizes.items())
    ]


def _settle_seconds(library: ctypes.CDLL, address: int) -> float:
    """How long each side settles: longer where C's OpenMP is not the library that torch and numba loaded.

    Then each side's workers spin on the other's cores. Told by whether C's first call with all threads makes new ones.
    """
    threads.use(threads.available())
    before = psutil.Process().num_threads()
    sums = np.zeros(16 * threads.available(), np.float32)
    function(library, read.KIND)(address, 1 << 20, threads.available(), 1, 0, sums.ctypes.data)
    shared = psutil.Process().num_threads() == before
    return rounds.SETTLE_SECONDS if shared else rounds.SETTLE_SECONDS_TWO_POOLS


def _compared(
    library: ctypes.CDLL,
    probe: Any,
    address: int,
    level: tuple[str, int, bool],
    count: int,
    settle: float,
    thorough: bool,
) -> Check | None:
    """Our bandwidth over C's, round by round; None for too small a block.

    `level` is its name, its bytes, and whether it is memory.
    """
    place, size, in_memory = level
    threads.use(count)
    moved, ours = _best_of_ours(probe, address, size, count)
    c_moved, theirs = _best_of_c(library, probe, address, size, count, settle)
    if ours is None or not c_moved:
        return None
    ratios = partial(_ratios, moved / c_moved)
    precision = PRECISION if thorough else QUICK_PRECISION
    budget = BUDGET_SECONDS if thorough else QUICK_BUDGET_SECONDS
    samples = rounds.rounds([ours, theirs], ratios, precision, budget, settle)
    ratio = stats.estimate(ratios(samples.seconds))
    rate = moved / stats.median(samples.seconds[0])
    least = LEAST_IN_MEMORY if in_memory else LEAST_IN_CACHE
    least, most = (least, MOST_READING) if probe is read else (LEAST_STORING, None)
    what = f"{probe.KIND}, {place} ({size / 2**20:.3g} MiB), {threads.named(count)}, over C"
    found = f"{told(ratio)}, {rate / 1e9:.1f} GB/s"
    wanted = f"{least:.2f} to {most:.2f}" if most else f"{least:.2f} or more"
    return Check("probes", what, found, wanted, within(ratio.median, least, most))


def _ratios(bytes_ratio: float, rows: Sequence[Sequence[float]]) -> list[float]:
    """Our bandwidth over C's, round by round, from the seconds of both."""
    return [bytes_ratio * its / mine for mine, its in zip(*rows, strict=True)]


def _best_of_ours(
    probe: Any, address: int, size: int, count: int
) -> tuple[int, rounds.Contender | None]:
    """The fastest variant of our probe over this memory and the bytes of its pass; each has had its turns."""
    found = cpu_sweep.ranked(probe, address, size, count, TURNS)
    if not found:
        return 0, None
    contender = rounds.Contender(probe.prepare(found[0], address, size, count))
    return probe.bytes_per_pass(found[0], size, count), contender


def _best_of_c(
    library: ctypes.CDLL, probe: Any, address: int, size: int, count: int, settle: float
) -> tuple[int, rounds.Contender]:
    """The fastest of the C probe's ways over this memory, and the bytes of its pass."""
    run_c, sums = function(library, probe.KIND), np.zeros(16 * count, np.float32)
    ways = range(library.ways(probe is read))

    def going(way: int) -> Callable[[int], object]:
        return lambda passes: run_c(address, size, count, passes, way, sums.ctypes.data)

    moved = run_c(address, size, count, 1, 0, sums.ctypes.data)
    time.sleep(settle)  # until our threads sleep
    seconds: dict[int, float] = {}
    for way in (*ways,) * TURNS:
        each = rounds.glance(going(way), cpu_sweep.GLANCE_SECONDS)
        seconds[way] = min(each, seconds.get(way, each))
    return moved, rounds.Contender(going(min(ways, key=lambda way: seconds[way])))
