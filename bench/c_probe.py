"""The bandwidth roofs against independent probes in C, in alternation over the same memory, where a C compiler is."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import measure, stats, survey, threads
from bench.roofs import copy, read, triad, write
from kernels.contract import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench import beside

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-ffast-math", "-shared", "-fPIC")
PROBES: tuple[Any, ...] = (read, write, copy, triad)
TURNS = 3
"""How often each variant and each of C's ways has its turn when the best of them is sought."""
PRECISION, BUDGET_SECONDS = 0.005, 3.0
WRITING_BUDGET_SECONDS = 1.0
SETTLE_SECONDS = measure.SETTLE_SECONDS_TWO_POOLS
"""C's OpenMP is the compiler's, not the one that torch brings: each side's workers spin on the other's cores."""

LEAST = {"DRAM": 0.95}
LEAST_IN_CACHE = 0.97
LEAST_STORING = 0.90
"""Of write, copy and triad, whose bytes are a small part of a step's or none: seen 0.92 of C's copy in memory."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our probe's bandwidth over the C probe's, round by round, over one working set."""

    kind: str
    place: str
    working_set_bytes: int
    threads: int
    ratio: stats.Estimate
    bytes_per_s: float
    good: bool


def build(folder: Path) -> ctypes.CDLL:
    """Compile the C probes into `folder`. Raises Unavailable without a compiler or where it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        msg = "no C compiler: install gcc or clang to check the roofs against C"
        raise Unavailable(msg)
    library = folder / "c_probe.so"
    built = subprocess.run(
        [compiler, *FLAGS, "-o", str(library), str(SOURCE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if built.returncode:
        said = built.stderr.strip().splitlines() or ["it said nothing"]
        msg = f"the C probes do not compile: {said[0][:200]}"
        raise Unavailable(msg)
    return ctypes.CDLL(str(library))


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


def compare(
    bench: beside.Bench, library: ctypes.CDLL, address: int, sizes: dict[str, int]
) -> Iterator[Ratio]:
    """The best of ours and the best of C's, in turns, at a size inside each level, at 1 and all threads.

    `address` is of memory that may be overwritten, as large as the largest of `sizes`. Reads walk the bench's arena.
    """
    for probe in PROBES:
        budget = BUDGET_SECONDS if probe is read else WRITING_BUDGET_SECONDS
        at = bench.arena.address if probe is read else address
        for count in sorted({1, threads.available()}):
            threads.use(count)
            for place, size in sizes.items():
                moved, ours = _best_of_ours(probe, at, size, count)
                c_moved, theirs = _best_of_c(library, probe, at, size, count)
                if ours is None or not c_moved:
                    continue  # too small a block to share out
                ratios = partial(_ratios, moved / c_moved)
                samples = measure.rounds([ours, theirs], ratios, PRECISION, budget, SETTLE_SECONDS)
                ratio = stats.estimate(ratios(samples.seconds))
                good = ratio.median >= least(probe.KIND, place)
                rate = moved / stats.median(samples.seconds[0])
                yield Ratio(probe.KIND, place, size, count, ratio, rate, good=good)


def least(kind: str, place: str) -> float:
    """The least ratio wanted of that probe there."""
    return LEAST_STORING if kind != read.KIND else LEAST.get(place, LEAST_IN_CACHE)


def line(found: Ratio) -> str:
    """One comparison as a line of text."""
    size = found.working_set_bytes / 2**20
    return (
        f"{'good ' if found.good else 'WRONG'}  {found.kind}, {found.place} ({size:.3g} MiB), {found.threads} threads: "
        f"{found.ratio.median:.3f} ({found.ratio.low:.3f} to {found.ratio.high:.3f}) of the C probe, "
        f"{found.bytes_per_s / 1e9:.1f} GB/s, wanted {least(found.kind, found.place):.2f} or more"
    )


def _ratios(bytes_ratio: float, rows: Sequence[Sequence[float]]) -> list[float]:
    """Our bandwidth over C's, round by round, from the seconds of both."""
    return [bytes_ratio * its / mine for mine, its in zip(*rows, strict=True)]


def _best_of_ours(
    probe: Any, address: int, size: int, count: int
) -> tuple[int, measure.Contender | None]:
    """The fastest variant of our probe over this memory and the bytes of its pass; each has had its turns."""
    found = survey.ranked(probe, address, size, count, TURNS)
    if not found:
        return 0, None
    contender = measure.Contender(probe.prepare(found[0], address, size, count))
    return probe.bytes_per_pass(found[0], size, count), contender


def _best_of_c(
    library: ctypes.CDLL, probe: Any, address: int, size: int, count: int
) -> tuple[int, measure.Contender]:
    """The fastest of the C probe's ways over this memory, and the bytes of its pass."""
    run_c, sums = function(library, probe.KIND), np.zeros(16 * count, np.float32)
    ways = range(library.ways(probe is read))

    def going(way: int) -> Callable[[int], object]:
        return lambda passes: run_c(address, size, count, passes, way, sums.ctypes.data)

    moved = run_c(address, size, count, 1, 0, sums.ctypes.data)
    time.sleep(SETTLE_SECONDS)  # until our threads sleep
    seconds: dict[int, float] = {}
    for way in (*ways,) * TURNS:
        each = measure.glance(going(way), survey.GLANCE_SECONDS)
        seconds[way] = min(each, seconds.get(way, each))
    return moved, measure.Contender(going(min(ways, key=lambda way: seconds[way])))
