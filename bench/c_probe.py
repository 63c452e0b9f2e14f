"""The read roof against an independent probe in C, in alternation over the same memory, where a C compiler is."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench import beside, measure, stats, threads
from bench.roofs import read
from kernels.contract import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-ffast-math", "-shared", "-fPIC")
STREAMS = (1, 4)
PRECISION, BUDGET_SECONDS = 0.005, 3.0
LEAST = {"DRAM": 0.95}
LEAST_IN_CACHE = 0.97


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our probe's bandwidth over the C probe's, round by round, over one working set."""

    place: str
    working_set_bytes: int
    threads: int
    ratio: stats.Estimate
    bytes_per_s: float
    good: bool


def build(folder: Path) -> Callable[..., int]:
    """Compile the C probe into `folder`. Raises Unavailable without a compiler or where it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        msg = "no C compiler: install gcc or clang to check the read roof against C"
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
        msg = f"the C probe does not compile: {built.stderr.strip().splitlines()[0][:200]}"
        raise Unavailable(msg)
    function = ctypes.CDLL(str(library)).read_block
    function.restype = ctypes.c_size_t
    function.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_void_p,
    )
    return function


def compare(
    bench: beside.Bench, c_read: Callable[..., int], sizes: dict[str, int]
) -> Iterator[Ratio]:
    """Our best variant and the best of C's, in turns, at a size inside each level, at 1 and all threads."""
    for count in sorted({1, threads.available()}):
        threads.use(count)
        for place, size in sizes.items():
            bench.variants.clear()
            variant = beside.best_variant(bench, size, 1, count)
            ours = measure.Contender(read.prepare(variant, bench.arena.address, size, count))
            moved = read.bytes_per_pass(variant, size, count)
            c_moved, theirs = _best_c(c_read, bench.arena.address, size, count)
            ratios = partial(_ratios, moved / c_moved)
            samples = measure.rounds(
                [ours, theirs], ratios, PRECISION, BUDGET_SECONDS, bench.settle_seconds
            )
            ratio = stats.estimate(ratios(samples.seconds))
            least = LEAST.get(place, LEAST_IN_CACHE)
            rate = moved / stats.median(samples.seconds[0])
            yield Ratio(place, size, count, ratio, rate, good=ratio.median >= least)


def line(found: Ratio) -> str:
    """One comparison as a line of text."""
    size, least = found.working_set_bytes / 2**20, LEAST.get(found.place, LEAST_IN_CACHE)
    return (
        f"{'good ' if found.good else 'WRONG'}  {found.place} ({size:.3g} MiB), {found.threads} threads: "
        f"{found.ratio.median:.3f} ({found.ratio.low:.3f} to {found.ratio.high:.3f}) of the C probe, "
        f"{found.bytes_per_s / 1e9:.1f} GB/s, wanted {least:.2f} or more"
    )


def _ratios(bytes_ratio: float, rows: Sequence[Sequence[float]]) -> list[float]:
    """Our bandwidth over C's, round by round, from the seconds of both."""
    return [bytes_ratio * its / mine for mine, its in zip(*rows, strict=True)]


def _best_c(
    c_read: Callable[..., int], address: int, size: int, count: int
) -> tuple[int, measure.Contender]:
    """The faster of the C probe's patterns over this memory, and the bytes of its pass."""
    sums = np.zeros(16 * count, np.float32)
    found: list[tuple[float, int, measure.Contender]] = []
    for streams in STREAMS * beside.VARIANT_TURNS:

        def run(passes: int, streams: int = streams) -> None:
            c_read(address, size, count, passes, streams, sums.ctypes.data)

        contender = measure.Contender(run)
        moved = c_read(address, size, count, 1, streams, sums.ctypes.data)
        found.append((min(measure.best(contender, 1, 0.002, 0.0)), moved, contender))
    _, moved, contender = min(found, key=lambda one: one[0])
    return moved, contender
