"""The bandwidth roofs against independent probes in C, in alternation over the same memory, where a C compiler is."""

import ctypes
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from bench.device import cpu_sweep, threads
from bench.measure.context import Context
from bench.profile import stats
from bench.roofs import copy, read, triad, write
from bench.timing import rounds
from bench.verify import programs
from bench.verify.checks import Check, banded
from kernels.case import Unavailable

SOURCE = Path(__file__).with_suffix(".c")
PROBES: tuple[Any, ...] = (read, write, copy, triad)
"""By their numbers in C."""
TURNS = 3
"""How often each variant and each of C's ways has its turn when the best of them is sought."""
EFFORT = {False: (0.01, 0.7), True: (0.005, 3.0)}
"""Precision and budget in seconds of a comparison, by whether it is a thorough one."""
LEAST_IN_MEMORY = 0.95
LEAST_IN_CACHE = 0.97
LEAST_STORING = 0.90
"""Of write, copy and triad, whose bytes are a small part of a step's or none: seen 0.92 of C's copy in memory."""
MOST_READING = 1.25
"""A read probe that is so much faster than C counts bytes that nobody reads."""


def build(folder: Path) -> ctypes.CDLL:
    """Compile the C probes into `folder`. Raises Unavailable without a compiler or where it fails."""
    flags = ("-march=native", "-fopenmp", "-ffast-math")
    try:
        library = ctypes.CDLL(str(programs.compiled(SOURCE, folder, *flags)))
    except OSError as error:
        raise Unavailable(f"the C probes cannot be loaded: {error}") from error
    size, number, pointer = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
    library.probe.restype = size
    library.probe.argtypes = (number, pointer, size, number, ctypes.c_long, number, pointer)
    return library


class Place(NamedTuple):
    """Where a probe is held against C: a level's name, memory of that size, threads; the bounds of the ratio."""

    level: str
    address: int
    size: int
    threads: int
    least: float
    most: float | None = None


def comparisons(
    context: Context, library: ctypes.CDLL, address: int, sizes: dict[str, int]
) -> Iterator[Callable[[bool], Check | None]]:
    """The best of ours and the best of C's, in turns, at a size inside each level, at 1 and all threads.

    Each is called with whether it shall be thorough, and is None for too small a block. `address` is of
    memory that may be overwritten, as large as the largest of `sizes`. Reads walk the context's arena.
    """
    settle, memory = _settle_seconds(library, context.arena.address), list(sizes)[-1]
    counts = sorted({1, threads.available()})
    for probe, count, (level, size) in itertools.product(PROBES, counts, sizes.items()):
        place = Place(level, address, size, count, LEAST_STORING)
        if probe is read:
            least = LEAST_IN_MEMORY if level == memory else LEAST_IN_CACHE
            place = Place(level, context.arena.address, size, count, least, MOST_READING)
        yield partial(_compared, library, probe, place, settle)


def _settle_seconds(library: ctypes.CDLL, address: int) -> float:
    """How long each side settles: longer where C's OpenMP is not the library that torch and numba loaded.

    Then each side's workers spin on the other's cores. Told by whether C's first call with all threads makes new ones.
    """
    count = threads.available()
    threads.use(count)
    before = psutil.Process().num_threads()
    library.probe(0, address, 1 << 20, count, 1, 0, np.zeros(16 * count, np.float32).ctypes.data)
    shared = psutil.Process().num_threads() == before
    return rounds.SETTLE_SECONDS if shared else rounds.SETTLE_SECONDS_TWO_POOLS


def _compared(
    library: ctypes.CDLL, probe: Any, place: Place, settle: float, thorough: bool
) -> Check | None:
    """Our bandwidth over C's, round by round; None for too small a block."""
    level, address, size, count, least, most = place
    threads.use(count)
    variants = cpu_sweep.ranked(probe, address, size, count, TURNS)
    c_moved, theirs = _best_of_c(library, probe, place, settle)
    if not variants or not c_moved:
        return None
    moved = probe.bytes_per_pass(variants[0], size, count)
    ours = rounds.Contender(probe.prepare(variants[0], address, size, count))

    def ratios(rows: Sequence[Sequence[float]]) -> list[float]:
        return [moved / c_moved * its / mine for mine, its in zip(*rows, strict=True)]

    samples = rounds.rounds([ours, theirs], ratios, *EFFORT[thorough], settle)
    ratio = stats.estimate(ratios(samples.seconds))
    rate = moved / stats.median(samples.seconds[0])
    what = f"{probe.KIND}, {level} ({size / 2**20:.3g} MiB), {threads.named(count)}, over C"
    return banded("probes", what, ratio, least, most, f", {rate / 1e9:.1f} GB/s")


def _best_of_c(
    library: ctypes.CDLL, probe: Any, place: Place, settle: float
) -> tuple[int, rounds.Contender]:
    """The fastest of the C probe's ways over this memory, and the bytes of its pass."""
    sums = np.zeros(16 * place.threads, np.float32)

    def walk(way: int, passes: int) -> int:
        block = (place.address, place.size, place.threads)
        moved: int = library.probe(PROBES.index(probe), *block, passes, way, sums.ctypes.data)
        return moved

    moved = walk(0, 1)
    time.sleep(settle)  # until our threads sleep
    seconds: dict[int, float] = {}
    for way in (*range(library.ways(probe is read)),) * TURNS:
        each = rounds.glance(partial(walk, way), cpu_sweep.GLANCE_SECONDS)
        seconds[way] = min(each, seconds.get(way, each))
    return moved, rounds.Contender(partial(walk, min(seconds, key=lambda way: seconds[way])))
