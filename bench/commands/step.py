"""`python -m bench step`: one case of one's own, measured by every implementation that can."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kernels.case import ACTIVATIONS, CELLS, DTYPES, PARTS, PHASES, RESIDENCIES, Case

if TYPE_CHECKING:
    from bench.measure.context import Context
    from bench.profile.records import Point

HELP = "measure one case of your own, by every implementation that can"
EXAMPLES = "example: python -m bench step lstm 1500 --batch 8 --residency streamed"
LONG_SECONDS = 1.0
"""Compiling and packing that took so long is told with the point."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The case, who computes it, and where the run is kept."""
    add = parser.add_argument
    add("cell", help=", ".join(CELLS))
    add("hidden", type=int, help="units of the state")
    add("--input", type=int, help="units of the input (default: as hidden)")
    add("--batch", type=int, default=1, help="sequences that share one step (default 1)")
    add("--steps", type=int, default=1, help="time steps per call; beyond 1 a sequence (default 1)")
    add("--part", default="cell", help=", ".join(PARTS))
    add("--phase", default="step", help=", ".join(PHASES) + ": forward alone, or backward too")
    add("--dtype", default="float32", help="of the weights: " + ", ".join(DTYPES))
    add(
        "--activations",
        help=", ".join(dict.fromkeys(ACTIVATIONS.values()))
        + " (default: as the weights; float32 for int8, bfloat16 for float8)",
    )
    add("--residency", default="resident", help=", ".join(RESIDENCIES))
    add("--threads", type=int, help="threads (default: one per core)")
    add(
        "--implementation",
        action="append",
        metavar="NAME|FILE",
        help="these only: a name, or a .py file of your own, which is run (repeatable; default: every one there is)",
    )
    add("--device", default="cpu", help="cpu, or cuda where there is one")
    add(
        "--out",
        type=Path,
        help="keep the run in this folder (default: a new one under reports/runs)",
    )


def run(given: argparse.Namespace) -> int:
    """Measure, a line per implementation. 1 where one fails."""
    from bench.device import threads
    from bench.profile.suite import Planned
    from bench.session import start
    from bench.timing import interrupts
    from kernels import implementations

    on_gpu = given.device == "cuda" and bool(start.usable(given.device))
    count = threads.available() if given.threads is None else given.threads
    if not 1 <= count <= threads.available():
        raise start.BadUsage(
            f"--threads {count} is out of range: this process may use 1 to {threads.available()}"
        )
    case = Case(
        cell=given.cell,
        hidden=given.hidden,
        input=given.hidden if given.input is None else given.input,
        batch=given.batch,
        part=given.part,
        phase=given.phase,
        dtype=given.dtype,
        activations=given.activations or ACTIVATIONS.get(given.dtype, given.dtype),
        residency=given.residency,
        device=given.device,
        threads=0 if on_gpu else count,
        steps=given.steps,
    )
    names = [implementations.named(one) for one in given.implementation or ()]
    for name in names:
        implementations.load(name)
    planned = [Planned(case, name) for name in dict.fromkeys(names or implementations.names())]
    with interrupts.listening():
        measured = start.of_points(planned, given.out).run()
        try:
            measured.measure_all(planned)
            for one in planned:
                point = measured.measure(one)
                good = point.status == "ok"
                print(
                    _told(measured.context(case.device), point) if good else _why_not(point),
                    flush=True,
                )
        finally:
            profile = measured.finish(planned)
    print(f"verdict and pictures: python -m reports build {measured.folder}")
    return int(any(point.status == "failed" for point in profile.points))


def _why_not(point: Point) -> str:
    return f"{point.implementation}: {point.status}: {point.reason}"


def _told(context: Context, point: Point) -> str:
    """A good point's time, rates, and share of its roof, each with the interval over its visits."""
    from bench.measure import visit
    from bench.profile import stats

    assert point.bytes is not None
    assert point.flops is not None
    time = stats.over(point.seconds, point.visits, None)
    roof, share = stats.median(point.roof_bytes_per_s), visit.fraction(context, point)
    moved = point.bytes["read"] + point.bytes["written"]
    visits = len(point.visits or ())
    long = (point.prepare_seconds or 0.0) >= LONG_SECONDS
    prepared = f"; prepared in {point.prepare_seconds:.1f} s" if long else ""
    return (
        f"{point.implementation}: {time.median * 1e6:.1f} us ({time.low * 1e6:.1f} to {time.high * 1e6:.1f}), "
        f"{moved / time.median / 1e9:.1f} GB/s, {point.flops['linear'] / time.median / 1e9:.1f} GFLOP/s, "
        f"{share.median:.0%} ({share.low:.0%} to {share.high:.0%}) of its paired roof; "
        f"reading here runs at {roof / 1e9:.1f} GB/s; {visits} visits in a row, of this process alone{prepared}"
    )
